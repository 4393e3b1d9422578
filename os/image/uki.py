"""A unified kernel image: systemd's stub with the kernel, the initrd and the command line as sections of its PE file.

One file, so one signature covers all that starts the system, and the root hash on the command line extends it to every
block of the root.
"""

import struct
from dataclasses import dataclass

PE_OFFSET_AT = 0x3C
PE_MAGIC = b"PE\0\0"
OPTIONAL_MAGIC_64 = 0x20B
SECTION_BYTES = 40
# IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ
READ_ONLY_DATA = 0x40000040


class PeError(Exception):
    """Not a PE file as the stub and the kernel are, or no room left for sections."""


@dataclass(frozen=True)
class Header:
    """Where the fields lie that adding a section changes."""

    coff: int
    optional: int
    sections: int
    count: int
    section_alignment: int
    file_alignment: int
    image_bytes: int
    header_bytes: int


def parse(data: bytes) -> Header:
    """Reads the headers of a 64-bit PE file (Microsoft's PE format, COFF and optional header)."""
    start = struct.unpack_from("<I", data, PE_OFFSET_AT)[0]
    if data[:2] != b"MZ" or data[start : start + 4] != PE_MAGIC:
        raise PeError("no PE file")
    coff = start + 4
    count, optional_bytes = struct.unpack_from("<H", data, coff + 2)[0], struct.unpack_from("<H", data, coff + 16)[0]
    optional = coff + 20
    if struct.unpack_from("<H", data, optional)[0] != OPTIONAL_MAGIC_64:
        raise PeError("no 64-bit PE file")
    alignments = struct.unpack_from("<II", data, optional + 32)
    sizes = struct.unpack_from("<II", data, optional + 56)
    return Header(coff, optional, optional + optional_bytes, count, *alignments, *sizes)


def up(value: int, alignment: int) -> int:
    """Rounded up."""
    return -(-value // alignment) * alignment


def add_section(image: bytearray, name: str, content: bytes, memory_bytes: int) -> None:
    """Appends a section to a PE file, in memory after all others."""
    head = parse(image)
    entry = head.sections + head.count * SECTION_BYTES
    if entry + SECTION_BYTES > head.header_bytes or any(image[entry : entry + SECTION_BYTES]):
        raise PeError(f"no room for the section {name} in the header")
    address = up(head.image_bytes, head.section_alignment)
    at = up(len(image), head.file_alignment)
    raw_bytes = up(len(content), head.file_alignment)
    fields = (name.encode(), memory_bytes, address, raw_bytes, at, 0, 0, 0, 0, READ_ONLY_DATA)
    struct.pack_into("<8sIIIIIIHHI", image, entry, *fields)
    struct.pack_into("<H", image, head.coff + 2, head.count + 1)
    struct.pack_into("<I", image, head.optional + 56, up(address + memory_bytes, head.section_alignment))
    image.extend(bytes(at - len(image)) + content + bytes(raw_bytes - len(content)))


def build(stub: bytes, kernel: bytes, initrd: bytes, command_line: str, release: str, os_release: str) -> bytes:
    """The file that the firmware starts. What changes with each version stands first and small, the kernel last."""
    image = bytearray(stub)
    texts = ((".osrel", os_release), (".cmdline", command_line), (".uname", release))
    for name, text in texts:
        add_section(image, name, text.encode() + b"\0", len(text.encode()) + 1)
    add_section(image, ".initrd", initrd, len(initrd))
    # The kernel is started in place, and needs the room for what its file does not hold.
    add_section(image, ".linux", kernel, max(len(kernel), parse(kernel).image_bytes))
    return bytes(image)
