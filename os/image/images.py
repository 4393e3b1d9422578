"""Trees become file systems: the root as ext4, the initrd as cpio, the boot partition as FAT."""

import tempfile
from pathlib import Path

from .tools import Tools
from .tree import EPOCH_SECONDS, Tree

MIB = 1 << 20
# The root's file system. Fixed, so that its layout does not move with its content; rootfs.py says when it gets tight.
ROOT_BYTES = 144 * MIB
ROOT_INODES = 6144
DATA_BYTES = 256 * MIB
BOOT_BYTES = 64 * MIB
BOOT_SECTOR_BYTES = 512
BOOT_FILE = "EFI/BOOT/BOOTAA64.EFI"
# Fixed, as everything by which one build could differ from the next.
ROOT_UUID = "68617773-6572-4000-8000-0000000000f0"
DATA_UUID = "68617773-6572-4000-8000-0000000000f1"
BOOT_VOLUME_ID = "48415753"
# What changes with each release lies together, so that the hashes of its blocks do too (verity.py): few to load again.
FIRST = ("usr", "usr/bin", "usr/bin/hawser", "usr/lib", "usr/lib/os-release")
NEWC_KINDS = {"folder": 0o040000, "file": 0o100000, "link": 0o120000}


def ext4(tree: Tree, tools: Tools, size: int, uuid: str, *options: str, first: tuple[str, ...] = ()) -> bytes:
    """An ext4 of a tree, by mke2fs from a tar: owners and modes come from there, so nobody need be root.

    Files lie on the disk in the order of the tar.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, image = Path(scratch) / "tree.tar", Path(scratch) / "ext4"
        source.write_bytes(tree.tar(first))
        extended = f"hash_seed={uuid},lazy_itable_init=0,root_owner=0:0,nodiscard"
        tools.run(
            "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-m", "0", "-U", uuid, "-E", extended, *options,
            "-d", source, image, f"{size // 1024}k",
        )  # fmt: skip
        return image.read_bytes()


def root(tree: Tree, tools: Tools) -> bytes:
    """The read-only root: no journal, no reserve to grow into."""
    features = "^has_journal,^resize_inode,^metadata_csum_seed,^orphan_file"
    return ext4(tree, tools, ROOT_BYTES, ROOT_UUID, "-O", features, "-N", str(ROOT_INODES), first=FIRST)


def data(tools: Tools) -> bytes:
    """The data partition as it leaves the yard: empty. What belongs there is made at first boot, as after a reset."""
    return ext4(Tree(), tools, DATA_BYTES, DATA_UUID, "-L", "data")


def cpio(tree: Tree) -> bytes:
    """An initrd, not compressed: the bundle compresses it, and a kernel that need not unpack it starts sooner."""
    out = bytearray()
    for number, path in enumerate(sorted(tree.nodes), 1):
        node = tree.nodes[path]
        body = node.target.encode() if node.kind == "link" else node.data
        out += cpio_entry(path, number, NEWC_KINDS[node.kind] | node.mode, body)
    out += cpio_entry("TRAILER!!!", 0, 0, b"")
    return bytes(out) + bytes(-len(out) % 512)


def cpio_entry(name: str, number: int, mode: int, body: bytes) -> bytes:
    """One entry of the form newc: 13 numbers in hexadecimal, the name and the body each filled up to four bytes."""
    numbers = (number, mode, 0, 0, 1, EPOCH_SECONDS, len(body), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + "".join(f"{value:08x}" for value in numbers).encode() + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + body + bytes(-len(body) % 4)


def boot(kernel: bytes, tools: Tools) -> bytes:
    """The boot partition of a slot: a FAT with the one file that the firmware starts."""
    with tempfile.TemporaryDirectory() as scratch:
        image, source = Path(scratch) / "boot", Path(scratch) / "kernel.efi"
        with image.open("wb") as file:
            file.truncate(BOOT_BYTES)
        source.write_bytes(kernel)
        tools.run("mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-n", "HAWSER", "-i", BOOT_VOLUME_ID, image)
        tools.run("mmd", "-i", image, "::/EFI", "::/EFI/BOOT")
        tools.run("mcopy", "-i", image, source, f"::/{BOOT_FILE}")
        return image.read_bytes()
