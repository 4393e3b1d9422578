"""The virtual board: how QEMU is called so that the image boots on it. Whoever tests the image describes it by this.

Software emulation of two cores. Trixie's firmware, from the locked tools: the variable store of Debian 12's loses
everything when power fails at the wrong moment.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .tools import Tools

FIRMWARE_CODE, FIRMWARE_VARIABLES = "AAVMF_CODE.no-secboot.fd", "AAVMF_VARS.fd"
# All of armv8 that is cheap to emulate: pointer signing and vectors cost a third of the boot time.
CPU = "max,pauth=off,sve=off,sme=off"
MEMORY_MIB = 512
SSH_PORT = 22


@dataclass
class Machine:
    """A board with its disk and the state of its firmware, both in one folder: it can be switched off and on."""

    folder: Path
    memory_mib: int = MEMORY_MIB
    # host port -> guest port, on the loopback of the host
    forwards: dict[int, int] = field(default_factory=dict)
    extra: tuple[str, ...] = ()

    @property
    def disk(self) -> Path:
        """Its disk."""
        return self.folder / "disk.img"

    @property
    def variables(self) -> Path:
        """The firmware's variables: the boot entries and their order."""
        return self.folder / "variables.fd"

    @property
    def console(self) -> Path:
        """A socket with the serial console."""
        return self.folder / "console.sock"

    @property
    def control(self) -> Path:
        """A socket for QMP: power, plugs, faults."""
        return self.folder / "control.sock"

    def create(self, image: Path, tools: Tools, disk_bytes: int) -> None:
        """A new board: the image flashed onto a larger disk, variables as from the factory."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tools.firmware(FIRMWARE_VARIABLES), self.variables)
        with image.open("rb") as source, self.disk.open("wb") as target:
            target.truncate(max(disk_bytes, image.stat().st_size))
            while piece := source.read(1 << 20):
                if piece.count(0) == len(piece):
                    target.seek(len(piece), 1)
                else:
                    target.write(piece)

    def command(self, tools: Tools) -> list[str]:
        """The words to start it with."""
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in self.forwards.items())
        return [
            "qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", CPU, "-smp", "2", "-m", str(self.memory_mib),
            "-accel", "tcg,thread=multi", "-nodefaults", "-display", "none", "-no-shutdown",
            # Nobody is there to press a key for the firmware's menu.
            "-boot", "menu=on,splash-time=0",
            "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={tools.firmware(FIRMWARE_CODE)}",
            "-drive", f"if=pflash,format=raw,unit=1,file={self.variables}",
            # Off is the end of this process, after which the host has all that was written, flushed or not: waiting for
            # its disk at each flush proves nothing.
            "-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={self.disk}", "-device", "virtio-blk-pci,drive=disk",
            "-chardev", f"socket,id=console,path={self.console},server=on,wait=on", "-serial", "chardev:console",
            "-qmp", f"unix:{self.control},server=on,wait=off",
            "-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-rng-pci", "-device", "i6300esb", *self.extra,
        ]  # fmt: skip
