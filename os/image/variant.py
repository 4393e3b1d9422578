"""A second version of a build, made of its results: the same root, kernel and initrd, with some files changed.

For whoever tests updates: nothing is compiled and no package is read, so that a bundle takes seconds. The tree comes
from the disk image (its contents by debugfs, owners and modes from manifest.txt) and goes the way of every build again;
what is changed by nothing comes out with the root hash of the build, which `scripts/image test` cannot show but `make
hil` does.
"""

import posixpath
import re
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import bundle, delta, disk, images, rootfs, schema, uki
from .build import DISK_NAME, check
from .delta import PROGRAM
from .tools import Tools
from .tree import Node, Tree, file, link
from .verity import BLOCK_BYTES, Verity, verity

UNITS = "usr/lib/systemd/system"
# A test waits for it, nobody keeps it.
SQUASHFS_OPTIONS = "-comp gzip -Xcompression-level 1 -b 256K -no-xattrs -all-root -noappend"
# The sections that uki.build adds to the stub, in its order.
SECTIONS = (".osrel", ".cmdline", ".uname", ".initrd", ".linux")
ROOT_HASH = re.compile(r"hawser\.root=[0-9a-f]{64}")
LINE = re.compile(r"(\d{4}) (\d+):(\d+) /(.*?) (folder|[0-9a-f]{64}|-> .*)")

# Some megabytes once it is compressed.
AGAIN_BYTES = 8 << 20

# It runs, and none of its wires is open to it: what a version does that forgot the name of a device.
DEAF = "[Service]\nDeviceAllow=\nRestrictAddressFamilies=~AF_CAN\n"
PANIC = """\
[Unit]
Description=Panic
After=hawser.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo c >/proc/sysrq-trigger'
"""


class VariantError(Exception):
    """The folder does not hold a whole build, or there is no such change."""


@dataclass(frozen=True)
class Change:
    """What is different from the build."""

    files: dict[str, Node] = field(default_factory=dict)
    # Behind the program's own bytes so many of its first ones once more, in other blocks, and the version's name: another
    # file, which does the same. Loading it shows, unless by the bundle's delta, which is next to nothing.
    program_again_bytes: int = 0


def changes(version: str) -> dict[str, Change]:
    """By name, what a test of updates wants to see refused, or taken."""
    wanted = f"{UNITS}/multi-user.target.wants"
    return {
        "version": Change(),
        "program": Change(program_again_bytes=AGAIN_BYTES),
        "deaf": Change({f"{UNITS}/hawser.service.d/90-deaf.conf": file(DEAF)}),
        "panic": Change({f"{UNITS}/panic.service": file(PANIC), f"{wanted}/panic.service": link("../panic.service")}),
    }


@dataclass(frozen=True)
class Built:
    """What of a build can be used again."""

    tree: Tree
    stub: bytes
    sections: dict[str, bytes]


def parse_manifest(text: str) -> dict[str, Node]:
    """The nodes of manifest.txt; files are empty, for it has their hashes only."""
    nodes = {}
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if not found:
            raise VariantError(f"manifest.txt has a line of another form: {line}")
        mode, uid, gid, path, what = found.groups()
        kind = "folder" if what == "folder" else "link" if what.startswith("-> ") else "file"
        nodes[path] = Node(
            kind, int(mode, 8), int(uid), int(gid), target=what.removeprefix("-> ") if kind == "link" else ""
        )
    return nodes


def split(image: bytes) -> tuple[bytes, dict[str, bytes]]:
    """A unified kernel image as uki.build had it: the stub, and what it added."""
    head = uki.parse(image)
    found, first = {}, head.count - len(SECTIONS)
    for number in range(first, head.count):
        name, size, address, raw_bytes, at = struct.unpack_from(
            "<8sIIII", image, head.sections + number * uki.SECTION_BYTES
        )
        found[name.rstrip(b"\0").decode()] = image[at : at + min(size, raw_bytes)]
        if number == first:
            stub_bytes, memory = at, address
    if tuple(found) != SECTIONS:
        raise VariantError(f"the kernel of the build has the sections {', '.join(found)}")
    stub = bytearray(image[:stub_bytes])
    start, end = head.sections + first * uki.SECTION_BYTES, head.sections + head.count * uki.SECTION_BYTES
    stub[start:end] = bytes(end - start)
    struct.pack_into("<H", stub, head.coff + 2, first)
    struct.pack_into("<I", stub, head.optional + 56, memory)
    return bytes(stub), found


def read(out: Path, repository: Path, tools: Tools) -> Built:
    """The build in a folder."""
    partitions = {part.label: part for part in disk.layout(repository / "os/common/repart.d")}
    tree = Tree(parse_manifest((out / "manifest.txt").read_text()))
    with tempfile.TemporaryDirectory() as scratch, (out / DISK_NAME).open("rb") as source:
        parts = {}
        for label in ("rootfs-a", "boot-a"):
            source.seek(partitions[label].start)
            parts[label] = Path(scratch) / label
            parts[label].write_bytes(source.read(partitions[label].size))
        fill(tree, parts["rootfs-a"], Path(scratch) / "root", tools)
        kernel = Path(scratch) / "kernel.efi"
        tools.run("mcopy", "-i", parts["boot-a"], f"::/{images.BOOT_FILE}", kernel)
        return Built(tree, *split(kernel.read_bytes()))


def version_of(built: Built) -> str:
    """As it calls itself."""
    return re.search(r"^IMAGE_VERSION=(.*)$", built.tree.text("etc/os-release"), re.MULTILINE)[1]


def fill(tree: Tree, image: Path, folder: Path, tools: Tools) -> None:
    """Puts the contents into a tree that has the names."""
    folder.mkdir()
    # It complains of the owners, which it cannot give: those stand in the tree.
    tools.run("debugfs", "-R", f'rdump / "{folder}"', image)
    for path, node in tree.files():
        node.data = (folder / path).read_bytes()


def apply(tree: Tree, change: Change, version: str) -> None:
    """Makes the tree the other version."""
    for path, node in change.files.items():
        tree.add(path, node)
        tree.nodes.setdefault(posixpath.dirname(path), Node("folder"))
    if change.program_again_bytes:
        program = tree.nodes[PROGRAM]
        tree.nodes[PROGRAM] = file(longer(program.data, change.program_again_bytes, version), program.mode)
    tree.add("usr/lib/os-release", file(rootfs.os_release(version)))
    check(tree)


def longer(program: bytes, again_bytes: int, version: str) -> bytes:
    """The program with what nobody reads behind it, none of it in blocks like those it has."""
    gap = bytes((BLOCK_BYTES // 2 - len(program)) % BLOCK_BYTES)
    return program + gap + program[:again_bytes] + f"\0hawser {version}\n".encode()


def slot(built: Built, version: str, tools: Tools) -> tuple[bytes, bytes, Verity]:
    """The boot image of a slot, and its root with the hashes."""
    root = images.root(built.tree, tools)
    hashes = verity(root)
    text = {name: built.sections[name].rstrip(b"\0").decode() for name in (".cmdline", ".uname")}
    line = ROOT_HASH.sub(f"hawser.root={hashes.root}", text[".cmdline"])
    initrd, kernel = built.sections[".initrd"], built.sections[".linux"]
    whole = uki.build(built.stub, kernel, initrd, line, text[".uname"], rootfs.os_release(version))
    return images.boot(whole, tools), root, hashes


def make(out: Path, repository: Path, name: str, version: str, signer: tuple[Path, Path, Path], tools: Tools,
         target: Path, data_schema: int | None = None) -> None:  # fmt: skip
    """Writes the bundle of a variant; its program says that it knows data of another schema where one is given."""
    known = changes(version)
    if name not in known:
        raise VariantError(f"no change '{name}': {', '.join(known)}")
    built = read(out, repository, tools)
    base = built.tree.nodes[PROGRAM].data
    apply(built.tree, known[name], version)
    boot, root, hashes = slot(built, version, tools)
    deltas = delta.of_program([base], built.tree.nodes[PROGRAM].data, root, hashes, tools)
    target.parent.mkdir(parents=True, exist_ok=True)
    release = bundle.Release(version, schema.of_sources(repository) if data_schema is None else data_schema)
    bundle.make(boot, root + hashes.tree, release, signer, tools, target, SQUASHFS_OPTIONS, deltas)
