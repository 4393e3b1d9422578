"""A file tree kept in memory, with the owners and modes of the image; a person without root can make it."""

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .archive import members

# 2026-09-21T13:33:20Z. Every time stamp of the image; SOURCE_DATE_EPOCH of every tool.
EPOCH_SECONDS = 1790000000
# Since these are links into /usr, a package that still names the old place means the new one.
MERGED = ("bin/", "sbin/", "lib/")
LINKS_MAX = 16


@dataclass
class Node:
    """A folder, a file or a symbolic link. Device nodes are the kernel's to make."""

    kind: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    data: bytes = b""
    target: str = ""


def folder(mode: int = 0o755, uid: int = 0, gid: int = 0) -> Node:
    """A folder."""
    return Node("folder", mode, uid, gid)


def file(data: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Node:
    """A file and what is in it."""
    return Node("file", mode, uid, gid, data.encode() if isinstance(data, str) else data)


def link(target: str) -> Node:
    """A symbolic link."""
    return Node("link", 0o777, target=target)


@dataclass
class Tree:
    """Paths without a leading slash, each with its node."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def add(self, path: str, node: Node) -> None:
        """Puts a node there, in place of what was; folders above it are made, a folder never replaces a link to one."""
        path = self.resolve(path, last=False)
        parent = posixpath.dirname(path)
        if parent and parent not in self.nodes:
            self.add(parent, folder())
        old = self.nodes.get(path)
        if node.kind == "folder" and old is not None and old.kind == "link":
            return
        self.nodes[path] = node

    def resolve(self, path: str, last: bool = True) -> str:
        """The path with the links of its folders followed, and with `last` its own too."""
        for _ in range(LINKS_MAX):
            moved = self._follow_once(path.strip("/"), last)
            if moved is None:
                return path.strip("/")
            path = moved
        raise ValueError(f"{path}: links in a circle")

    def _follow_once(self, path: str, last: bool) -> str | None:
        parts = path.split("/")
        for count in range(1, len(parts) + (1 if last else 0)):
            head = "/".join(parts[:count])
            node = self.nodes.get(head)
            if node is not None and node.kind == "link":
                target = posixpath.join("/" + posixpath.dirname(head), node.target)
                return posixpath.normpath(posixpath.join(target, *parts[count:])).strip("/")
        return None

    def get(self, path: str) -> Node | None:
        """What the path leads to, links followed."""
        return self.nodes.get(self.resolve(path))

    def text(self, path: str) -> str:
        """A file's text; it must be there."""
        node = self.get(path)
        if node is None or node.kind != "file":
            raise FileNotFoundError(f"{path} is not in the image")
        return node.data.decode()

    def files(self, under: str = "") -> Iterator[tuple[str, Node]]:
        """The files below a folder, in order of their names."""
        for path in sorted(self.nodes):
            if path.startswith(under) and self.nodes[path].kind == "file":
                yield path, self.nodes[path]

    def remove(self, path: str) -> None:
        """Takes away a node and all below it."""
        for name in [name for name in self.nodes if name == path or name.startswith(path + "/")]:
            del self.nodes[name]

    def unpack(self, package: Path, keep: Callable[[str], bool]) -> None:
        """Adds the files of a .deb for which `keep` says yes."""
        for member, data in members(package):
            name = "usr/" + member.name if member.name.startswith(MERGED) else member.name
            if not keep(name):
                continue
            owner = (member.uid, member.gid)
            if member.isdir():
                if name not in self.nodes:
                    self.add(name, folder(member.mode, *owner))
            elif member.issym():
                self.add(name, link(member.linkname))
            elif member.islnk():
                self.add(name, self.nodes[self.resolve(member.linkname.removeprefix("./"))])
            elif member.isreg():
                self.add(name, file(data.extractfile(member).read(), member.mode, *owner))

    def overlay(self, source: Path) -> None:
        """Adds a folder of this repository: owned by root, executable where it is so here."""
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.is_symlink():
                self.add(name, link(str(path.readlink())))
            elif path.is_file():
                self.add(name, file(path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644))

    def tar(self, first: tuple[str, ...] = ()) -> bytes:
        """The tree as a tar archive, `first` and then the rest in order of names, every time stamp the same."""
        kinds = {"folder": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE}
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in [*first, *sorted(self.nodes.keys() - set(first))]:
                node = self.nodes[path]
                entry = tarfile.TarInfo(path)
                entry.type, entry.mode, entry.uid, entry.gid = kinds[node.kind], node.mode, node.uid, node.gid
                entry.linkname, entry.size, entry.mtime = node.target, len(node.data), EPOCH_SECONDS
                archive.addfile(entry, io.BytesIO(node.data))
        return out.getvalue()
