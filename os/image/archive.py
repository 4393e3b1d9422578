"""Reads a .deb: an `ar` archive that holds a compressed tar of the files. Nothing of it is executed."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

AR_MAGIC = b"!<arch>\n"
AR_HEADER_BYTES = 60
# How a member's name tells its compression, in tarfile's words. Debian's archive has no other; zstd is Ubuntu's.
COMPRESSIONS = {"data.tar.xz": "xz", "data.tar.gz": "gz", "data.tar": ""}


class ArchiveError(Exception):
    """Not a Debian package, or one of a form that Debian does not use."""


def open_data(file: IO[bytes], name: str) -> tarfile.TarFile:
    """The tar of a package's files, as a stream: members in order, each read at once or never."""
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise ArchiveError(f"{name} is no Debian package")
    while True:
        header = file.read(AR_HEADER_BYTES)
        if len(header) < AR_HEADER_BYTES:
            raise ArchiveError(f"{name} holds no data.tar")
        member = header[:16].decode().strip().rstrip("/")
        size = int(header[48:58])
        if member in COMPRESSIONS:
            return tarfile.open(fileobj=file, mode=f"r|{COMPRESSIONS[member]}")
        if member.startswith("data.tar"):
            raise ArchiveError(f"{name}: {member} is compressed in a way that is not read here")
        file.seek(size + size % 2, 1)


def members(path: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Each entry of a package with the archive to read it from; names without the leading `./`."""
    with path.open("rb") as file, open_data(file, path.name) as data:
        for member in data:
            member.name = member.name.removeprefix("./").strip("/")
            if member.name not in ("", "."):
                yield member, data
