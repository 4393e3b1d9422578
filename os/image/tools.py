"""The host's tools, from the locked packages: unpacked into the cache and run by their own loader and libraries.

So a Debian 12, a Debian 13 and an Ubuntu make the same file systems. Each tool gets a script that starts it; the folder of
these stands first in the PATH of whatever calls others (rauc calls mksquashfs).
"""

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from .apt import cache_dir, files_of, host_architecture
from .lock import Package, of_set
from .tree import EPOCH_SECONDS

FIRMWARE = "usr/share/AAVMF"
# Unpacked sets that nobody has used for so long are deleted.
UNUSED_SECONDS_MAX = 7 * 86400


class Tools:
    """The unpacked packages of this machine's set of tools."""

    def __init__(self, packages: list[Package]):
        chosen = of_set(packages, f"tools-{host_architecture()}")
        mark = hashlib.sha256("".join(p.sha256 for p in sorted(chosen)).encode()).hexdigest()[:16]
        self.root = cache_dir() / f"tools-{mark}"
        if not self.root.exists():
            self._unpack(files_of(chosen))
        os.utime(self.root)
        # Those of a lock that has changed since; another checkout may still be at work with one.
        for old in cache_dir().glob("tools-*"):
            if time.time() - old.stat().st_ctime > UNUSED_SECONDS_MAX:
                shutil.rmtree(old, ignore_errors=True)

    def _unpack(self, files: dict[str, Path]) -> None:
        scratch = self.root.with_name(f"{self.root.name}.{os.getpid()}")
        for name in sorted(files):
            subprocess.run(["dpkg-deb", "--extract", files[name], scratch], check=True)
        try:
            scratch.rename(self.root)
        except OSError:  # another build was faster
            shutil.rmtree(scratch)

    def path(self, name: str) -> str:
        """A script that runs the tool."""
        script = self.root / "run" / name
        if not script.exists():
            self._write_script(script, name)
        return str(script)

    def _write_script(self, script: Path, name: str) -> None:
        program = next((p for p in (self.root / f"usr/{f}/{name}" for f in ("bin", "sbin")) if p.exists()), None)
        if program is None:
            raise FileNotFoundError(f"{name} is in none of the packages of [tools]")
        loader = next(self.root.rglob("ld-linux-*.so.*"))
        libraries = next(p.parent for p in self.root.glob("usr/lib/*/libc.so.6"))
        script.parent.mkdir(exist_ok=True)
        # --argv0: mtools is one program of many names.
        words = f"'{loader}' --argv0 {name} --library-path '{libraries}:{libraries}/systemd' '{program}'"
        scratch = script.with_suffix(f".{os.getpid()}")
        scratch.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        scratch.chmod(0o755)
        scratch.rename(script)

    def run(self, name: str, *arguments: str | Path, **options) -> subprocess.CompletedProcess:
        """Runs a tool; its failure is an error with what it printed."""
        command = [self.path(name), *map(str, arguments)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, **options)
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise RuntimeError(f"{name} failed (exit {done.returncode}): {said}")
        return done

    def environment(self) -> dict[str, str]:
        """Nothing of the caller's that could show in the result."""
        return {
            "PATH": f"{self.root / 'run'}:/usr/bin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(EPOCH_SECONDS),
            "MKE2FS_CONFIG": str(self.root / "etc/mke2fs.conf"),
            "MTOOLS_SKIP_CHECK": "1",
            "MTOOLSRC": "/dev/null",
        }

    def firmware(self, name: str) -> Path:
        """A file of the EFI firmware for QEMU."""
        return self.root / FIRMWARE / name
