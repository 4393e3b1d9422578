"""The kernel, and of its four thousand modules the listed ones with what they need."""

import lzma
import posixpath
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .tools import Tools
from .tree import Tree, file

MODULES = "usr/lib/modules/"


class KernelError(Exception):
    """A module of the list that this kernel has neither as a file nor built in."""


def parse_list(text: str) -> dict[str, list[str]]:
    """modules.txt: `[section]` headings, names in between, `#` begins a comment."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        for word in line.split("#", 1)[0].split():
            if word.startswith("[") and word.endswith("]"):
                current = found.setdefault(word.strip("[]"), [])
            else:
                current.append(word)
    return found


def plain(name: str) -> str:
    """A module's name as the kernel compares it."""
    return posixpath.basename(name).split(".ko", 1)[0].replace("-", "_")


def info(module: bytes, key: str) -> list[str]:
    """The values of a key of the section .modinfo: strings `key=value`, each ended by a zero."""
    values = []
    at = module.find(b"\0" + key.encode() + b"=")
    while at >= 0:
        start = at + len(key) + 2
        values.append(module[start : module.index(b"\0", start)].decode())
        at = module.find(b"\0" + key.encode() + b"=", start - 1)
    return values


@dataclass
class Kernel:
    """The kernel's package, unpacked."""

    version: str
    image: bytes
    packed: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # name -> path below MODULES/version, .ko.xz
    builtin: frozenset[str] = frozenset()
    tables: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of_package(cls, package: Path) -> "Kernel":
        """Reads a linux-image package."""
        tree = Tree()
        tree.unpack(package, lambda name: name.startswith((MODULES, "boot/vmlinuz-")))
        image = next(path for path in tree.nodes if path.startswith("boot/vmlinuz-"))
        kernel = cls(image.removeprefix("boot/vmlinuz-"), tree.nodes[image].data)
        prefix = f"{MODULES}{kernel.version}/"
        for path, node in tree.files(prefix):
            if ".ko" in path:
                kernel.packed[plain(path)] = (path.removeprefix(prefix), node.data)
            else:
                kernel.tables[path.removeprefix(prefix)] = node.data
        kernel.builtin = frozenset(plain(line) for line in kernel.tables["modules.builtin"].decode().split())
        return kernel

    def closure(self, names: list[str]) -> dict[str, bytes]:
        """Path -> module for each name and all that they need, in the order in which they can be loaded."""
        found: dict[str, bytes] = {}
        started: set[str] = set()

        def visit(name: str, wanted_by: str) -> None:
            name = plain(name)
            if name in started or name in self.builtin:
                return
            if name not in self.packed:
                raise KernelError(f"{wanted_by} wants the module {name}, which {self.version} does not have")
            started.add(name)
            path, packed = self.packed[name]
            module = lzma.decompress(packed) if path.endswith(".xz") else packed
            for value in info(module, "depends"):
                for other in filter(None, value.split(",")):
                    visit(other, name)
            for value in info(module, "softdep"):
                visit_soft(value, name)
            found[path.removesuffix(".xz")] = module

        def visit_soft(value: str, name: str) -> None:
            words = value.split()
            before = words[words.index("pre:") + 1 :] if "pre:" in words else []
            for other in before:
                if other.endswith(":"):
                    break
                if plain(other) in self.packed:
                    visit(other, name)

        for name in names:
            visit(name, "modules.txt")
        return found

    def install(self, tree: Tree, names: list[str], tools: Tools) -> int:
        """Adds the modules, unpacked (the bundle compresses better than they do), and depmod's tables; their count."""
        chosen = self.closure(names)
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch) / MODULES / self.version
            for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_bytes(self.tables[name])
            for path, module in chosen.items():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_bytes(module)
            (Path(scratch) / "lib").symlink_to("usr/lib")
            tools.run("depmod", "-b", scratch, self.version)
            for path in sorted(home.rglob("*")):
                if path.is_file():
                    tree.add(f"{MODULES}{self.version}/{path.relative_to(home)}", file(path.read_bytes()))
        return len(chosen)
