"""Writes an exFAT with one file: what a stick of more than 32 GB has on it when it leaves the shop.

By Microsoft's "exFAT file system specification", whose section numbers stand beside what is written. No tool of
Debian's puts a file into an exFAT that is not mounted.
"""

import struct
from pathlib import Path

SECTOR_BYTES, CLUSTER_BYTES = 512, 32768
CLUSTER_SECTORS = CLUSTER_BYTES // SECTOR_BYTES
BOOT_SECTORS = 12
FAT_AT_SECTOR = 2 * BOOT_SECTORS
# The first of the heap.
CLUSTER_FIRST = 2
END_OF_CHAIN = 0xFFFFFFFF
ENTRY_BYTES, NAME_CHARS = 32, 15
# 1980-01-01, the first day that there is (7.4.8).
LONG_AGO = (1 << 5 | 1) << 16
ARCHIVE, CONTIGUOUS = 0x20, 0x03


def rotating_sum(data: bytes, bits: int, left_out: tuple[int, ...] = ()) -> int:
    """The checksum of everything in exFAT, of 16 or 32 bits (3.4, 6.3.3, 7.2.2, 7.6.4)."""
    total, mask = 0, (1 << bits) - 1
    for number, byte in enumerate(data):
        if number not in left_out:
            total = ((total << bits - 1 | total >> 1) + byte) & mask
    return total


def boot_region(volume_sectors: int, fat_sectors: int, heap_at: int, clusters: int, root: int) -> bytes:
    """Boot sector, eight more that are empty, parameters, and the checksum over all (3)."""
    head = b"\xeb\x76\x90EXFAT   ".ljust(64, b"\0")
    head += struct.pack("<QQIIIIIIHHBBBBB", 0, volume_sectors, FAT_AT_SECTOR, fat_sectors, heap_at, clusters, root,
                        0x48415753, 0x0100, 0, 9, CLUSTER_SECTORS.bit_length() - 1, 1, 0x80, 0xFF)  # fmt: skip
    sectors = head.ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"
    sectors += (bytes(SECTOR_BYTES - 2) + b"\x55\xaa") * 8 + bytes(2 * SECTOR_BYTES)
    total = rotating_sum(sectors, 32, left_out=(106, 107, 112))
    return sectors + struct.pack("<I", total) * (SECTOR_BYTES // 4)


def upcase_table() -> bytes:
    """Latin letters; the rest stays what it is, in its short form (7.2.5)."""
    letters = [ord(chr(code).upper()) for code in range(128)]
    return struct.pack("<130H", *letters, 0xFFFF, 0x10000 - len(letters))


def file_entries(name: str, cluster: int, size: int) -> bytes:
    """The entries of a file that lies in one piece (7.4, 7.6, 7.7)."""
    pieces = [name[at : at + NAME_CHARS] for at in range(0, len(name), NAME_CHARS)]
    name_hash = rotating_sum(name.upper().encode("utf-16-le"), 16)
    first = struct.pack("<BBHHHIII12x", 0x85, 1 + len(pieces), 0, ARCHIVE, 0, LONG_AGO, LONG_AGO, LONG_AGO)
    rest = struct.pack("<BBBBHHQIIQ", 0xC0, CONTIGUOUS, 0, len(name), name_hash, 0, size, 0, cluster, size)
    for piece in pieces:
        rest += struct.pack("<BB30s", 0xC1, 0, piece.encode("utf-16-le"))
    total = rotating_sum(first + rest, 16, left_out=(2, 3))
    return first[:2] + struct.pack("<H", total) + first[4:] + rest


def write(image: Path, file: Path) -> None:
    """The whole stick, without a partition table, as many leave the shop."""
    content = file.read_bytes()
    upcase = upcase_table()
    bitmap, table, root, first = range(CLUSTER_FIRST, CLUSTER_FIRST + 4)
    used = first - CLUSTER_FIRST + -(-len(content) // CLUSTER_BYTES)
    # Some room, as a stick has; and whole bytes of the bitmap.
    clusters = (used + 64) // 8 * 8
    fat_sectors = -(-(clusters + CLUSTER_FIRST) * 4 // SECTOR_BYTES)
    heap_at = -(-(FAT_AT_SECTOR + fat_sectors) // CLUSTER_SECTORS) * CLUSTER_SECTORS
    volume_sectors = heap_at + clusters * CLUSTER_SECTORS
    bits = ((1 << used) - 1).to_bytes(clusters // 8, "little")
    assert len(bits) <= CLUSTER_BYTES
    entries = struct.pack("<BB18xIQ", 0x81, 0, bitmap, len(bits))
    entries += struct.pack("<B3xI12xIQ", 0x82, rotating_sum(upcase, 32), table, len(upcase))
    entries += file_entries(file.name, first, len(content))
    with image.open("wb") as out:
        out.truncate(volume_sectors * SECTOR_BYTES)
        out.write(boot_region(volume_sectors, fat_sectors, heap_at, clusters, root) * 2)
        out.seek(FAT_AT_SECTOR * SECTOR_BYTES)
        # Media, then one chain of one cluster for each of the three; the file needs none.
        out.write(struct.pack("<5I", 0xFFFFFFF8, *[END_OF_CHAIN] * 4))
        for cluster, piece in ((bitmap, bits), (table, upcase), (root, entries), (first, content)):
            out.seek(heap_at * SECTOR_BYTES + (cluster - CLUSTER_FIRST) * CLUSTER_BYTES)
            out.write(piece)
