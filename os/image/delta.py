"""What differs between two versions of the program, for boxes that run the older one: bsdiff, as src/update/delta.rs
reads it.

Most of an update of Hawser is its program, in which a changed line moves nearly every block, so that blocks a box has
already are few. A bundle may carry a delta for each version it is likely to meet. A box that runs one of them writes
what comes out to where it belongs in its other slot, where RAUC finds it and need not load it; every other box, and one
whose delta fails, loads the blocks.

A file: one line of JSON, which says where the program lies in the image and where the hashes of its blocks do, then
pieces of bsdiff, each three numbers (sign and magnitude, 64 bits, little-endian: bytes to add to old ones, bytes to take
as they are, how far to go on in the old program) and those bytes. It is not compressed: SquashFS does that.
"""

import bz2
import hashlib
import json
import struct
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from .tools import Tools
from .verity import BLOCK_BYTES, SALT, Verity

HEAD = struct.Struct("<8sqqq")  # of the tool's own file: magic, bytes of two streams, bytes of the new file
MAGIC = b"BSDIFF40"
NUMBERS = struct.Struct("<QQQ")
SIGN = 1 << 63
HASH_BYTES = 32
PROGRAM = "usr/bin/hawser"


class DeltaError(Exception):
    """A delta that cannot be made. The message says why."""


@dataclass(frozen=True)
class Piece:
    """A step through both programs."""

    add: bytes  # to as many bytes of the old one
    take: bytes
    skip: int = 0  # of the old one's bytes afterwards; negative goes back


def name(base: bytes) -> str:
    """The file's name in a bundle: for boxes that run this program."""
    return f"delta-{hashlib.sha256(base).hexdigest()}"


def number(value: int) -> int:
    """bsdiff's form of a signed one."""
    return SIGN | -value if value < 0 else value


def signed(value: int) -> int:
    """Back from it."""
    return -(value ^ SIGN) if value & SIGN else value


def on_disk(program: bytes) -> bytes:
    """As it lies in the image: whole blocks, and none that is all zeros, for mke2fs leaves holes."""
    blocks = (program[at : at + BLOCK_BYTES] for at in range(0, len(program), BLOCK_BYTES))
    return b"".join(block.ljust(BLOCK_BYTES, b"\0") for block in blocks if any(block))


def render(root: bytes, program: bytes, leaves_at: int, pieces: list[Piece]) -> bytes:
    """The file. `root` is the image's file system, `leaves_at` where the hashes of its blocks begin, and the pieces make
    `program` as it lies there."""
    at = root.find(program)
    if at < 0 or at % BLOCK_BYTES:
        raise DeltaError("the program does not lie in one piece in the image")
    head = {"at": at, "bytes": len(program), "hashes_at": leaves_at + at // BLOCK_BYTES * HASH_BYTES, "salt": b64encode(SALT).decode()}
    out = [json.dumps(head).encode(), b"\n"]
    for piece in pieces:
        out += [NUMBERS.pack(len(piece.add), len(piece.take), number(piece.skip)), piece.add, piece.take]
    return b"".join(out)


def compare(base: bytes, program: bytes, tools: Tools) -> list[Piece]:
    """What turns one into the other, found by bsdiff: half a minute for 25 MB."""
    with tempfile.TemporaryDirectory() as scratch:
        old, new, made = (Path(scratch) / part for part in ("old", "new", "made"))
        old.write_bytes(base)
        new.write_bytes(program)
        tools.run("bsdiff", old, new, made)
        return parse(made.read_bytes())


def parse(made: bytes) -> list[Piece]:
    """The tool's file: numbers, bytes to add and bytes to take lie apart in it, each compressed."""
    magic, numbers_bytes, add_bytes, _ = HEAD.unpack_from(made)
    if magic != MAGIC:
        raise DeltaError("bsdiff has written another format than BSDIFF40")
    first, second = HEAD.size + numbers_bytes, HEAD.size + numbers_bytes + add_bytes
    numbers, add, take = (bz2.decompress(part) for part in (made[HEAD.size : first], made[first:second], made[second:]))
    pieces, added, taken = [], 0, 0
    for adds, takes, skip in NUMBERS.iter_unpack(numbers):
        pieces.append(Piece(add[added : added + adds], take[taken : taken + takes], signed(skip)))
        added, taken = added + adds, taken + takes
    return pieces


def program_of(bundle: Path, tools: Tools) -> bytes:
    """The program of the version that is in a bundle."""
    with tempfile.TemporaryDirectory() as scratch:
        content, program = Path(scratch) / "content", Path(scratch) / "program"
        tools.run("unsquashfs", "-no-progress", "-dest", content, bundle, "rootfs.img")
        tools.run("debugfs", "-R", f'dump "/{PROGRAM}" "{program}"', content / "rootfs.img")
        if not program.exists() or not program.stat().st_size:
            raise DeltaError(f"{bundle} holds no {PROGRAM}")
        return program.read_bytes()


def of_program(bases: list[bytes], program: bytes, root: bytes, hashes: Verity, tools: Tools) -> dict[str, bytes]:
    """The deltas for boxes that run one of `bases`, by their names in a bundle; none for those that have the program."""
    new, leaves_at = on_disk(program), len(root) + hashes.leaves_at
    return {
        name(base): render(root, new, leaves_at, compare(base, new, tools)) for base in bases if base != program
    }  # fmt: skip
