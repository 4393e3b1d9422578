"""The disk image: a GPT of the partitions of os/common/repart.d, in order, written without any help of the kernel."""

import configparser
import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path

SECTOR_BYTES = 512
ALIGN_BYTES = 1 << 20
ENTRIES, ENTRY_BYTES = 128, 128
DISK_UUID = "68617773-6572-4000-8000-000000000000"
# UEFI specification 2.10, table 5.7; and the type of a Linux file system.
TYPES = {"esp": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "linux-generic": "0fc63daf-8483-4772-8e79-3d69d8477de4"}
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Partition:
    """A line of the partition table, and where it lies."""

    label: str
    type: str
    uuid: str
    start: int
    size: int


def parse_size(text: str) -> int:
    """`64M` in bytes."""
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def layout(folder: Path) -> list[Partition]:
    """The partitions of a folder of repart.d(5) files, each at its least size, one after the other."""
    partitions = []
    start = ALIGN_BYTES
    for path in sorted(folder.glob("*.conf")):
        parser = configparser.ConfigParser()
        parser.read(path)
        section = parser["Partition"]
        size = parse_size(section["SizeMinBytes"])
        if size % ALIGN_BYTES:
            raise ValueError(f"{path.name}: {size} bytes are no whole number of MiB")
        partitions.append(Partition(section["Label"], section["Type"], section["UUID"], start, size))
        start += size
    return partitions


def disk_bytes(partitions: list[Partition]) -> int:
    """Room for the partitions and the second table behind them."""
    return partitions[-1].start + partitions[-1].size + ALIGN_BYTES


def table(partitions: list[Partition], size: int) -> tuple[bytes, bytes]:
    """The sectors for the begin and for the end of the disk (UEFI specification, chapter 5)."""
    sectors = size // SECTOR_BYTES
    entries = bytearray(ENTRIES * ENTRY_BYTES)
    for number, part in enumerate(partitions):
        first = part.start // SECTOR_BYTES
        head = uuid.UUID(TYPES[part.type]).bytes_le + uuid.UUID(part.uuid).bytes_le
        last = first + part.size // SECTOR_BYTES - 1
        name = part.label.encode("utf-16-le")
        struct.pack_into("<32sQQQ72s", entries, number * ENTRY_BYTES, head, first, last, 0, name)
    length = len(entries) // SECTOR_BYTES
    first = header(entries, 1, sectors - 1, 2, sectors)
    second = header(entries, sectors - 1, 1, sectors - 1 - length, sectors)
    return protective(sectors) + first + entries, bytes(entries) + second


def header(entries: bytes, here: int, other: int, entries_at: int, sectors: int) -> bytes:
    """One of the two headers."""
    reserved = 2 + len(entries) // SECTOR_BYTES
    rest = struct.pack(
        "<QQQQ16sQIII", here, other, reserved, sectors - reserved, uuid.UUID(DISK_UUID).bytes_le, entries_at,
        ENTRIES, ENTRY_BYTES, zlib.crc32(entries),
    )  # fmt: skip
    start = struct.pack("<8sII", b"EFI PART", 0x00010000, 92)
    check = zlib.crc32(start + bytes(8) + rest)
    return (start + struct.pack("<II", check, 0) + rest).ljust(SECTOR_BYTES, b"\0")


def protective(sectors: int) -> bytes:
    """The old kind of partition table, which says that the disk is taken."""
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def write(path: Path, partitions: list[Partition], contents: dict[str, bytes]) -> None:
    """Writes the disk as a sparse file; a partition without content stays empty."""
    size = disk_bytes(partitions)
    first, last = table(partitions, size)
    with path.open("wb") as file:
        file.truncate(size)
        file.write(first)
        for part in partitions:
            content = contents.get(part.label, b"")
            if len(content) > part.size:
                raise ValueError(f"{part.label}: {len(content)} bytes do not fit into {part.size}")
            write_sparse(file, part.start, content)
        file.seek(size - len(last))
        file.write(last)


def write_sparse(file, start: int, content: bytes) -> None:
    """Leaves out pages of zeros."""
    page = 65536
    empty = bytes(page)
    for at in range(0, len(content), page):
        piece = content[at : at + page]
        if piece != empty[: len(piece)]:
            file.seek(start + at)
            file.write(piece)
