"""Enables units as a preset says, by the [Install] sections of the tree's own units; nothing of systemd runs here."""

import fnmatch

from .tree import Tree, link

UNIT_FOLDERS = ("etc/systemd/system", "usr/lib/systemd/system")
PRESET = "usr/lib/systemd/system-preset/00-hawser.preset"


class UnitError(Exception):
    """The preset names a unit that the image lacks, or one that cannot be enabled."""


def parse_install(text: str) -> dict[str, list[str]]:
    """The values of a unit's [Install] section, lists split at spaces."""
    found: dict[str, list[str]] = {}
    inside = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == "[Install]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            key, value = line.split("=", 1)
            found.setdefault(key.strip(), []).extend(value.split())
    return found


def find(tree: Tree, unit: str) -> str:
    """The path of a unit; of `name@instance.type` that of its template."""
    names = [unit]
    if "@" in unit:
        stem, kind = unit.rsplit(".", 1)
        names.append(f"{stem.split('@')[0]}@.{kind}")
    for name in names:
        for folder in UNIT_FOLDERS:
            if tree.get(f"{folder}/{name}") is not None:
                return f"{folder}/{name}"
    raise UnitError(f"{unit} is enabled by {PRESET}, but is not in the image")


def enable(tree: Tree, unit: str) -> None:
    """The links that `systemctl enable` would make."""
    path = find(tree, unit)
    install = parse_install(tree.text(path))
    if not install:
        raise UnitError(f"{unit} has no [Install] section: nothing to enable")
    instance = unit.split("@", 1)[1].rsplit(".", 1)[0] if "@" in unit else ""
    for key, suffix in (("WantedBy", "wants"), ("RequiredBy", "requires"), ("UpheldBy", "upholds")):
        for target in install.get(key, []):
            target = target.replace("%i", instance)
            tree.add(f"etc/systemd/system/{target}.{suffix}/{unit}", link(f"/{path}"))
    for alias in install.get("Alias", []):
        tree.add(f"etc/systemd/system/{alias}", link(f"/{path}"))
    for other in install.get("Also", []):
        if not is_disabled(tree, other):
            enable(tree, other)


def is_disabled(tree: Tree, unit: str) -> bool:
    """Whether the preset names the unit on a `disable` line other than the last, which stands for all the rest."""
    lines = (line.split() for line in tree.text(PRESET).splitlines())
    rules = [words for words in lines if len(words) == 2 and words[0] in ("enable", "disable") and words[1] != "*"]
    return any(words[0] == "disable" and fnmatch.fnmatch(unit, words[1]) for words in rules)


def apply_preset(tree: Tree) -> None:
    """Enables what the preset enables and nothing else: links that packages bring are taken away first."""
    for path in [p for p in tree.nodes if p.startswith("etc/systemd/system/") and tree.nodes[p].kind == "link"]:
        if tree.nodes[path].target != "/dev/null" and not path.endswith("/default.target"):
            del tree.nodes[path]
    for line in tree.text(PRESET).splitlines():
        words = line.split("#", 1)[0].split()
        if len(words) == 2 and words[0] == "enable":
            enable(tree, words[1])
