"""Boots what was built, once, and says how long it took: a first look, not a test rig."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from . import disk, images
from .machine import SSH_PORT, Machine
from .tools import Tools
from .tree import Tree, file

# Not that of a start that takes long, which says "not recording after".
RECORDING = re.compile(rb"data \w+: recording after ([0-9.]+) s")
DISK_BYTES = 2 << 30
HOST_SSH_PORT = 2222


class BootError(Exception):
    """The image did not come up. The message has the end of its console."""


def provision(machine: Machine, layout: Path, key: Path, tools: Tools) -> None:
    """Puts a public key where the owner of a box would, on the data partition of a disk that was never started."""
    data = Tree()
    data.add("etc/ssh/authorized_keys", file(key.read_text(), 0o600))
    part = next(p for p in disk.layout(layout) if p.label == "data")
    content = images.ext4(data, tools, part.size, images.DATA_UUID, "-L", "data")
    with machine.disk.open("r+b") as target:
        target.seek(part.start)
        target.write(content)


def connect(path: Path, process: subprocess.Popen, seconds_max: float = 10.0) -> socket.socket:
    """QEMU waits for the console's reader, and needs a moment to offer it."""
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            link = socket.socket(socket.AF_UNIX)
            link.connect(str(path))
            return link
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise BootError(f"QEMU did not start: {process.stderr.read().decode(errors='replace')}") from None
            time.sleep(0.02)


def wait_for(console: socket.socket, wanted: re.Pattern, log: Path, seconds_max: float) -> re.Match | None:
    """Reads the console until it says so; all of it goes into the log. None when it does not, or QEMU ends."""
    deadline = time.monotonic() + seconds_max
    seen = b""
    with log.open("wb", buffering=0) as out:
        while (left := deadline - time.monotonic()) > 0:
            console.settimeout(left)
            try:
                piece = console.recv(65536)
            except TimeoutError:
                break
            if not piece:
                break
            out.write(piece)
            seen += piece
            found = wanted.search(seen)
            if found:
                return found
    return None


def cpu_seconds(pid: int) -> float:
    """What a process has used: unlike the clock on the wall, it says something on a machine that has other work too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(machine: Machine, tools: Tools, seconds_max: float) -> tuple[subprocess.Popen, socket.socket]:
    """Power on, until it records; says how long that took."""
    started = time.monotonic()
    process = subprocess.Popen(machine.command(tools), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    console = connect(machine.console, process)
    log = machine.folder / "console.log"
    found = wait_for(console, RECORDING, log, seconds_max)
    if not found:
        process.kill()
        said = process.stderr.read() + log.read_bytes()[-2000:]
        raise BootError(f"not recording within {seconds_max:.0f} s: {said.decode(errors='replace')}")
    print(f"image: recording {time.monotonic() - started:.1f} s after power on, {float(found[1]):.1f} s after the kernel's "
          f"start; {cpu_seconds(process.pid):.1f} s of processor time", flush=True)  # fmt: skip
    return process, console


def boot(machine: Machine, tools: Tools, cycles: int, seconds_max: float, stay: bool) -> None:
    """Starts a new board, and again after its power was cut: the first start makes its identity and grows its disk."""
    for cycle in range(cycles):
        process, console = start(machine, tools, seconds_max)
        try:
            if stay and cycle == cycles - 1:
                print("image: Ctrl-C switches it off", flush=True)
                console.settimeout(None)
                with (machine.folder / "console.log").open("ab", buffering=0) as log:
                    while piece := console.recv(65536):
                        log.write(piece)
        finally:
            process.kill()
            process.wait()


def new_board(image: Path, folder: Path, layout: Path, tools: Tools, key: Path | None) -> Machine:
    """A board as it comes from the factory, flashed; with a key it can be looked into by ssh."""
    shutil.rmtree(folder, ignore_errors=True)
    machine = Machine(folder, forwards={HOST_SSH_PORT: SSH_PORT} if key else {})
    machine.create(image, tools, DISK_BYTES)
    if key:
        provision(machine, layout, key, tools)
        print(f"image: ssh -p {HOST_SSH_PORT} root@127.0.0.1")
    return machine
