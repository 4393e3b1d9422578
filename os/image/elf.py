"""Does every program and library of a tree find what it needs? Reads ELF itself: nothing of the target is run."""

import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .tree import Tree

MAGIC = b"\x7fELF"
CLASS_64, LITTLE_ENDIAN, MACHINE_AARCH64 = 2, 1, 183
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29
TYPE_RELOCATABLE = 1
# Where Debian's loader for arm64 looks by itself.
LIBRARY_FOLDERS = ("usr/lib/aarch64-linux-gnu", "usr/lib")


class ElfError(Exception):
    """A file that says it is ELF and is not for this machine, or is damaged."""


@dataclass(frozen=True)
class Needs:
    """What a program asks its loader for."""

    interpreter: str
    libraries: tuple[str, ...]
    folders: tuple[str, ...]


def parse(data: bytes, name: str) -> Needs:
    """Reads the program headers and the dynamic section."""
    if data[4] != CLASS_64 or data[5] != LITTLE_ENDIAN or struct.unpack_from("<H", data, 18)[0] != MACHINE_AARCH64:
        raise ElfError(f"{name} is not for aarch64")
    offset, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    headers = [struct.unpack_from("<IIQQQQQQ", data, offset + 56 * i) for i in range(count)]
    interpreter, dynamic = "", []
    for kind, _, start, _, _, size, _, _ in headers:
        if kind == PT_INTERP:
            interpreter = data[start : start + size].rstrip(b"\0").decode()
        elif kind == PT_DYNAMIC:
            dynamic = list(struct.iter_unpack("<QQ", data[start : start + size // 16 * 16]))
    strings = next((value for tag, value in dynamic if tag == DT_STRTAB), 0)
    for kind, _, start, address, _, size, _, _ in headers:
        if kind == PT_LOAD and address <= strings < address + size:
            strings += start - address
            break

    def string(at: int) -> str:
        return data[strings + at : data.index(b"\0", strings + at)].decode()

    origin = "/" + posixpath.dirname(name)
    paths = [string(value) for tag, value in dynamic if tag in (DT_RPATH, DT_RUNPATH)]
    folders = (folder.replace("$ORIGIN", origin) for path in paths for folder in path.split(":"))
    return Needs(interpreter, tuple(string(value) for tag, value in dynamic if tag == DT_NEEDED), tuple(folders))


def programs(tree: Tree) -> Iterator[tuple[str, Needs]]:
    """Every ELF file of a tree except kernel modules, whose closure is depmod's to check."""
    for path, node in tree.files():
        if node.data[:4] == MAGIC and struct.unpack_from("<H", node.data, 16)[0] != TYPE_RELOCATABLE:
            yield path, parse(node.data, path)


def missing(tree: Tree) -> list[str]:
    """`file needs library` for each that is not there."""
    found = []
    for path, needs in programs(tree):
        if needs.interpreter and tree.get(needs.interpreter) is None:
            found.append(f"{path} needs {needs.interpreter}")
        folders = (*needs.folders, *LIBRARY_FOLDERS)
        # A library is also found where the program that loads it looks; its own folder stands for that.
        folders += (posixpath.dirname(path),)
        for library in needs.libraries:
            if not any(tree.get(posixpath.join(folder.strip("/"), library)) for folder in folders):
                found.append(f"{path} needs {library}")
    return found


def unused(tree: Tree, loaded: frozenset[str]) -> list[str]:
    """Paths of libraries that no program reaches, directly or not; `loaded` are opened by name at run time."""
    found = dict(programs(tree))
    reached: set[str] = set()
    waiting = [path for path in found if not is_library(path)]
    waiting += [tree.resolve(f"{LIBRARY_FOLDERS[0]}/{name}") for name in loaded]
    while waiting:
        path = waiting.pop()
        if path in reached or path not in found:
            continue
        reached.add(path)
        for folder in (*found[path].folders, *LIBRARY_FOLDERS, posixpath.dirname(path)):
            for library in found[path].libraries:
                waiting.append(tree.resolve(posixpath.join(folder.strip("/"), library)))
    return [path for path in found if is_library(path) and path not in reached]


def is_library(path: str) -> bool:
    """A library of the common folder, or systemd's own; other `.so` files are plug-ins of the program beside them."""
    return posixpath.dirname(path) == LIBRARY_FOLDERS[0] and ".so" in path and "/ld-linux" not in path
