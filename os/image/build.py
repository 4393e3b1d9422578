"""Runs a build: the only module that knows the order of the steps and where things are put."""

import hashlib
import json
import subprocess
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import bundle, delta, disk, elf, images, keys, rootfs, sbom, schema, uki
from .apt import files_of
from .kernel import Kernel, parse_list
from .lock import Package, of_set, parse_lock
from .tools import Tools
from .tree import Tree, file
from .verity import SALT, Verity, verity

# No credential over SMBIOS, no getty, no look for partitions by their type; a panic starts again, and leaves a record.
# Of the security modules those that are used: with "bpf" among them systemd loads a program for a setting of no unit.
COMMAND_LINE = (
    "hawser.root={root} hawser.salt={salt} hawser.blocks={blocks} ro quiet panic=3 pstore.kmsg_bytes=2048 "
    "systemd.import_credentials=no systemd.gpt_auto=no systemd.show_status=no rcupdate.rcu_expedited=1 "
    "lsm=landlock,lockdown,yama"
)
DISK_NAME, BUNDLE_NAME, HASHES_NAME = "hawser.img", "hawser.raucb", "hashes.txt"
STUB = "usr/lib/systemd/boot/efi/linuxaa64.efi.stub"
INIT_FLAGS = ("-std=c17", "-Wall", "-Wextra", "-Werror", "-Os", "-static", "-s")


class BuildError(Exception):
    """What was put together is not fit to be shipped."""


@dataclass
class Clock:
    """Says how long each step took."""

    started: float
    last: float

    def tell(self, what: str) -> None:
        """One line for the step that has just ended."""
        now = time.monotonic()
        print(f"image: {what} ({now - self.last:.1f} s)", flush=True)
        self.last = now


@dataclass(frozen=True)
class Options:
    """What a build is told."""

    repository: Path
    out: Path
    profile: str
    keys: Path
    bundle: bool = True
    # Bundles of versions that boxes run: the new one has a delta of the program for each.
    bases: tuple[Path, ...] = ()


def version_of(repository: Path) -> str:
    """The program's."""
    return tomllib.loads((repository / "Cargo.toml").read_text())["package"]["version"]


def program(options: Options) -> tuple[bytes, bytes]:
    """The program for the box, without and with its symbols; cargo decides whether anything must be compiled."""
    command = [options.repository / "scripts/cross", "build", options.profile]
    path = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    built = options.repository / path
    stripped = options.out / "hawser.stripped"
    subprocess.run([cross_tool("strip"), "--strip-all", "-o", stripped, built], check=True)
    content = stripped.read_bytes()
    stripped.unlink()
    return content, built.read_bytes()


def cross_tool(name: str) -> str:
    """A tool of the compiler for aarch64."""
    return f"aarch64-linux-gnu-{name}"


def initrd(options: Options, modules: dict[str, bytes]) -> bytes:
    """Our first program and the modules that it loads, in their order."""
    source, built = options.repository / "os/common/init/init.c", options.out / "init"
    place = f"-ffile-prefix-map={options.repository}=."
    subprocess.run([cross_tool("gcc"), *INIT_FLAGS, place, "-o", built, source], check=True)
    tree = Tree()
    tree.add("init", file(built.read_bytes(), 0o755))
    built.unlink()
    order = []
    for path, module in modules.items():
        name = path.rsplit("/", 1)[1]
        tree.add(f"modules/{name}", file(module))
        order.append(f"/modules/{name}\n")
    tree.add("modules/order", file("".join(order)))
    return images.cpio(tree)


def unified_kernel(stub: bytes, kernel: Kernel, first: bytes, hashes: Verity, version: str) -> bytes:
    """The file of the boot partition."""
    line = COMMAND_LINE.format(root=hashes.root, salt=SALT.hex(), blocks=hashes.blocks)
    return uki.build(stub, kernel.image, first, line, kernel.version, rootfs.os_release(version))


def check(tree: Tree) -> None:
    """Refuses a root in which a program would not start."""
    missing = elf.missing(tree)
    if missing:
        raise BuildError("the image lacks libraries:\n  " + "\n  ".join(missing))


def manifest(tree: Tree) -> str:
    """Every path of the root: hash or target, mode, owner."""
    lines = []
    for path in sorted(tree.nodes):
        node = tree.nodes[path]
        digest = hashlib.sha256(node.data).hexdigest()
        what = {"file": digest, "link": f"-> {node.target}", "folder": "folder"}[node.kind]
        lines.append(f"{node.mode:04o} {node.uid}:{node.gid} /{path} {what}\n")
    return "".join(lines)


def cargo_metadata(repository: Path) -> dict:
    """cargo's view of the crates for the box."""
    words = ["metadata", "--locked", "--format-version", "1", "--filter-platform", "aarch64-unknown-linux-gnu"]
    done = subprocess.run([repository / "scripts/cargo", *words], cwd=repository, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def build(options: Options) -> None:
    """The whole way, from the lock to the folder of results."""
    clock = Clock(time.monotonic(), time.monotonic())
    options.out.mkdir(parents=True, exist_ok=True)
    signer = tuple(keys.find(options.keys, *name) for name in ((keys.SIGNER, ".key"), (keys.SIGNER, ".crt"),
                                                               (keys.AUTHORITY, ".crt")))  # fmt: skip
    packages = parse_lock((Path(__file__).parent / "packages.lock").read_text())
    tools, of_root = Tools(packages), of_set(packages, "root")
    files = files_of(of_root)
    clock.tell(f"{len(of_root)} packages")
    stripped, symbols = program(options)
    (options.out / "hawser.symbols").write_bytes(symbols)
    clock.tell(f"hawser, {len(stripped)} bytes")
    version = version_of(options.repository)
    kernel = Kernel.of_package(next(path for name, path in files.items() if name.startswith("linux-image")))
    clock.tell(f"kernel {kernel.version}")
    lists = parse_list((options.repository / "os/common/modules.txt").read_text())
    parts = rootfs.Parts(options.repository, stripped, signer[2].read_bytes(), version)
    tree = rootfs.build(files, parts, kernel, lists["initrd"] + lists["root"], tools)
    check(tree)
    clock.tell(f"root of {len(tree.nodes)} entries, every program finds its libraries")
    root = images.root(tree, tools)
    hashes = verity(root)
    stub = Tree()
    stub.unpack(files["systemd-boot-efi"], lambda path: path == STUB)
    first = initrd(options, kernel.closure(lists["initrd"]))
    boot = images.boot(unified_kernel(stub.nodes[STUB].data, kernel, first, hashes, version), tools)
    clock.tell(f"file systems, root hash {hashes.root[:16]}")
    write_results(options, tools, version, root + hashes.tree, boot)
    clock.tell("disk image")
    if not options.bundle:
        return
    path = options.out / BUNDLE_NAME
    release = bundle.Release(version, schema.of_sources(options.repository))
    bases = [delta.program_of(base, tools) for base in options.bases]
    deltas = delta.of_program(bases, tree.nodes[delta.PROGRAM].data, root, hashes, tools)
    if deltas:
        clock.tell(f"{len(deltas)} deltas of the program")
    payload = bundle.make(boot, root + hashes.tree, release, signer, tools, path, deltas=deltas)
    clock.tell(f"bundle, {path.stat().st_size} bytes")
    write_documents(options, version, of_root, tree, hashes, payload)
    clock.last = clock.started
    clock.tell(f"all in {options.out}")


def write_results(options: Options, tools: Tools, version: str, rootfs_image: bytes, boot: bytes) -> None:
    """The disk as it is flashed: slot a filled, slot b empty until the first update."""
    partitions = disk.layout(options.repository / "os/common/repart.d")
    contents = {"boot-a": boot, "rootfs-a": rootfs_image, "data": images.data(tools)}
    disk.write(options.out / DISK_NAME, partitions, contents)


def write_documents(options: Options, version: str, packages: list[Package], tree: Tree, hashes: Verity,
                    payload: dict[str, str]) -> None:  # fmt: skip
    """What is in it, and the hashes by which two builds are compared."""
    linked = sbom.crates((options.repository / "Cargo.lock").read_text(), cargo_metadata(options.repository))
    (options.out / "sbom.cdx.json").write_text(sbom.render(version, packages, linked, hashes.root))
    (options.out / "manifest.txt").write_text(manifest(tree))
    with (options.out / DISK_NAME).open("rb") as image:
        whole = hashlib.file_digest(image, "sha256").hexdigest()
    lines = [f"{whole}  {DISK_NAME}\n"] + [f"{value}  bundle/{name}\n" for name, value in payload.items()]
    for name in ("hawser.symbols", "sbom.cdx.json", "manifest.txt"):
        lines.append(f"{hashlib.sha256((options.out / name).read_bytes()).hexdigest()}  {name}\n")
    (options.out / HASHES_NAME).write_text("".join(lines))
