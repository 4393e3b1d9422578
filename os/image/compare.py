"""Builds a second time from another place, and says whether the same came out: Rust, packages, file systems."""

import os
import shutil
import subprocess
from pathlib import Path

from .build import HASHES_NAME

BUILT = "target"


class CompareError(Exception):
    """Two builds of the same sources differ. The message names the results that do."""


def copy_sources(repository: Path, second: Path) -> None:
    """The files that git knows or would take up, as they are now, in place of older ones; what was built there stays."""
    second.mkdir(parents=True, exist_ok=True)
    for old in second.iterdir():
        if old.name != BUILT:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    asked = ["git", "-C", repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    for name in filter(None, names):
        source, target = repository / name, second / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def build_in(tree: Path, profile: str, environment: dict[str, str], *options: str | Path) -> None:
    """Runs the builder of another checkout."""
    command = [tree / "scripts/image", "build", "--profile", profile, *options]
    subprocess.run(command, check=True, cwd=tree, env=os.environ | environment)


def parse(text: str) -> dict[str, str]:
    """Name -> hash of a file of hashes."""
    return {name: value for value, name in (line.split("  ", 1) for line in text.splitlines())}


def differences(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """What only one of them has, or has otherwise."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def compare(repository: Path, out: Path, second: Path, profile: str) -> list[str]:
    """Builds in `second`, whose compiled crates stay there for the next time; returns the names of what is the same."""
    copy_sources(repository, second)
    build_in(second, profile, {})
    mine, other = (parse((folder / HASHES_NAME).read_text()) for folder in (out, second / BUILT / "image"))
    found = differences(mine, other)
    if found:
        raise CompareError(f"not the same when built in {second}: {', '.join(found)}")
    return sorted(mine)
