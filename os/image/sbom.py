"""What the image is made of, as CycloneDX 1.5: Debian's packages, the crates of the program. Pure."""

import json
import tomllib
import uuid
from urllib.parse import quote

from .lock import Package

NAMESPACE = uuid.UUID("68617773-6572-4000-8000-00000000ffff")


def of_package(package: Package) -> dict:
    """A Debian package; the hash is that of its .deb."""
    version, architecture = quote(package.version, safe=""), package.architecture
    return {
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": f"pkg:deb/debian/{package.name}@{version}?arch={architecture}",
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
    }


def of_crate(crate: dict) -> dict:
    """A crate of Cargo.lock."""
    return {
        "type": "library",
        "name": crate["name"],
        "version": crate["version"],
        "purl": f"pkg:cargo/{crate['name']}@{crate['version']}",
        "hashes": [{"alg": "SHA-256", "content": crate["checksum"]}],
    }


def crates(cargo_lock: str, metadata: dict) -> list[dict]:
    """The crates that the program is linked from: those of Cargo.lock that cargo's tree for the target reaches."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    names = {package["id"]: (package["name"], package["version"]) for package in metadata["packages"]}
    reached: set[str] = set()
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        current = waiting.pop()
        if current in reached:
            continue
        reached.add(current)
        for dependency in nodes[current]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    wanted = {names[identity] for identity in reached}
    locked = tomllib.loads(cargo_lock)["package"]
    return [c for c in locked if (c["name"], c["version"]) in wanted and "checksum" in c]


def render(version: str, packages: list[Package], linked: list[dict], root_hash: str) -> str:
    """The document. Its serial number comes from the root's hash: the same image has the same document."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, root_hash)}",
        "version": 1,
        "metadata": {"component": {"type": "firmware", "name": "hawser", "version": version}},
        "components": [of_package(p) for p in sorted(packages)] + [of_crate(c) for c in linked],
    }
    return json.dumps(document, indent=1) + "\n"
