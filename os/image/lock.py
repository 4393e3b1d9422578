"""packages.txt (what is wanted) and packages.lock (what exactly that is). Pure: text in, values out."""

from dataclasses import dataclass

HEADER = """\
# What packages.txt came to when it was last resolved: `scripts/image lock` writes this file, nobody edits it.
# set  name  version  architecture  sha256  bytes
"""


class LockError(Exception):
    """A file that a person wrote, or that a tool left, is not what it should be. The message names file and line."""


@dataclass(frozen=True, order=True)
class Package:
    """One .deb, exactly."""

    set: str
    name: str
    version: str
    architecture: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The name in the cache. By content, so that two versions lie side by side and a bad file is never trusted."""
        return f"{self.name}_{self.sha256[:16]}_{self.architecture}.deb"


@dataclass(frozen=True)
class Wanted:
    """The packages of a set by name, and those that their dependencies name but that the image does without."""

    names: tuple[str, ...]
    refused: frozenset[str]


def parse_wanted(text: str) -> dict[str, Wanted]:
    """Reads packages.txt: `[set]` headings, a name a line, `-name` for one that is left out; `#` begins a comment."""
    found: dict[str, tuple[list[str], set[str]]] = {}
    current = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if words[0].startswith("["):
            current = found.setdefault(words[0].strip("[]"), ([], set()))
        elif current is None:
            raise LockError(f"packages.txt line {number}: a package before the first [set]")
        else:
            for word in words:
                if word.startswith("-"):
                    current[1].add(word[1:])
                else:
                    current[0].append(word)
    return {name: Wanted(tuple(names), frozenset(refused)) for name, (names, refused) in found.items()}


def parse_lock(text: str) -> list[Package]:
    """Reads packages.lock."""
    packages = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 6 or len(words[4]) != 64 or not words[5].isdigit():
            raise LockError(f"packages.lock line {number}: wanted 'set name version architecture sha256 bytes'")
        packages.append(Package(*words[:5], int(words[5])))
    if not packages:
        raise LockError("packages.lock names no package: scripts/image lock")
    return packages


def render_lock(packages: list[Package]) -> str:
    """The text of packages.lock, sorted, so that a refresh shows as the lines that changed."""
    lines = (f"{p.set} {p.name} {p.version} {p.architecture} {p.sha256} {p.size}" for p in sorted(packages))
    return HEADER + "\n".join(lines) + "\n"


def of_set(packages: list[Package], name: str) -> list[Package]:
    """The packages of one set; an empty one is a mistake, never a small image."""
    chosen = [p for p in packages if p.set == name]
    if not chosen:
        raise LockError(f"packages.lock has no package of the set '{name}': scripts/image lock")
    return chosen
