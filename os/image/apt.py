"""Asks a Debian mirror through an apt of our own, whose lists and state lie in the cache; the machine's stay as they are.

No host is named here. The mirror is the one that this machine's apt has for Debian; HAWSER_DEBIAN_MIRROR is another.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

from .lock import LockError, Package, Wanted

SUITE = "trixie"
# What apt prints for a file to load: 'URI' file-name bytes SHA256:hash.
PRINTED_FILE = re.compile(r"^'[^']+' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/etc/apt/trusted.gpg.d/debian-archive-keyring.gpg")


def cache_dir() -> Path:
    """Where packages and unpacked tools are kept between builds and checkouts."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HAWSER_CACHE") or Path(home) / "hawser") / "image"


def host_architecture() -> str:
    """This machine's, in Debian's words."""
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def sources() -> str:
    """The lines of sources.list: the suite, its updates and, where the mirror is known, its security updates."""
    chosen = os.environ.get("HAWSER_DEBIAN_MIRROR")
    mirrors = {"Debian": chosen} if chosen else _mirrors_of_this_machine()
    if "Debian" not in mirrors:
        raise LockError("this machine's apt has no Debian mirror: name one in HAWSER_DEBIAN_MIRROR")
    keyring = next((path for path in KEYRINGS if Path(path).exists()), None)
    if keyring is None:
        raise LockError("Debian's archive keys are missing: install debian-archive-keyring")
    lines = [f"deb [signed-by={keyring}] {mirrors['Debian']} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
    security = os.environ.get("HAWSER_DEBIAN_SECURITY_MIRROR") or mirrors.get("Debian-Security")
    if security:
        lines.append(f"deb [signed-by={keyring}] {security} {SUITE}-security main")
    return "\n".join(lines) + "\n"


def _mirrors_of_this_machine() -> dict[str, str]:
    asked = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    found: dict[str, str] = {}
    for line in subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines():
        origin, label, uri = line.split("|", 2)
        if origin == "Debian":
            found.setdefault(label, uri)
    return found


class Apt:
    """apt with nothing installed, for one architecture."""

    def __init__(self, architecture: str):
        self.architecture = architecture
        self.home = cache_dir() / f"apt-{SUITE}-{architecture}"

    def refresh(self) -> None:
        """Loads the lists of the mirror."""
        for folder in ("etc", "lists/partial", "cache/archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / "status").touch()
        (self.home / "etc/sources.list").write_text(sources())
        self._run("update", "-qq")

    def resolve(self, set_name: str, wanted: Wanted) -> list[Package]:
        """The closure of what is wanted, without recommendations and without what is refused."""
        output = self._run("install", "-y", "-qq", "--print-uris", "--download-only", *wanted.names)
        packages = []
        for line in output.splitlines():
            match = PRINTED_FILE.match(line)
            if match is None:
                raise LockError(f"apt printed no hash of sha256: {line}")
            name, version, architecture = match["file"].removesuffix(".deb").split("_")
            if name not in wanted.refused:
                version = version.replace("%3a", ":")
                packages.append(Package(set_name, name, version, architecture, match["sha256"], int(match["size"])))
        return packages

    def load(self, packages: list[Package], folder: Path) -> None:
        """Puts the packages into the folder, by their hash. A mirror has a version only as long as it is current."""
        names = [f"{p.name}:{p.architecture}={p.version}" for p in packages]
        partial = folder / "partial"
        partial.mkdir(parents=True, exist_ok=True)
        self._run("download", "-qq", *names, cwd=partial)
        by_hash = {sha256_of(path): path for path in partial.glob("*.deb")}
        for package in packages:
            if package.sha256 not in by_hash:
                raise LockError(f"{package.name} {package.version}: the mirror's file is not the locked one")
            by_hash[package.sha256].rename(folder / package.file_name)

    def _run(self, *arguments: str, cwd: Path | None = None) -> str:
        settings = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "Acquire::ForceHash": "SHA256",
            "Acquire::Languages": "none",
            "Dir::State": self.home,
            "Dir::State::status": self.home / "status",
            "Dir::State::lists": self.home / "lists",
            "Dir::Cache": self.home / "cache",
            "Dir::Etc::SourceList": self.home / "etc/sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        done = subprocess.run(["apt-get", *options, *arguments], cwd=cwd, capture_output=True, text=True)
        if done.returncode != 0:
            raise LockError(f"apt-get {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(packages: list[Package]) -> dict[str, Path]:
    """Package name -> file in the cache; what is missing is loaded first. Each file's hash is checked, old or new."""
    folder = cache_dir() / "packages"
    missing = [p for p in packages if not (folder / p.file_name).exists()]
    # Of architecture `all` any apt will do; the set's own is the one that has lists.
    for architecture in sorted({_apt_of(p) for p in missing}):
        apt = Apt(architecture)
        apt.refresh()
        apt.load([p for p in missing if _apt_of(p) == architecture], folder)
    for package in packages:
        if sha256_of(folder / package.file_name) != package.sha256:
            (folder / package.file_name).unlink()
            raise LockError(f"{package.name} was damaged in the cache and is removed: try again")
    return {p.name: folder / p.file_name for p in packages}


def _apt_of(package: Package) -> str:
    return "arm64" if package.set == "root" else package.set.removeprefix("tools-")
