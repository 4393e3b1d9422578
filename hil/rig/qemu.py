"""labgrid's drivers for the emulated board of os/image/machine.py: power, console, plugs, the link, the disk.

labgrid's own QEMUDriver has one flash and no folder that outlives a power cut; here the firmware's variables must.
"""

import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

import attr
from image import boot
from image.machine import Machine
from labgrid.driver import Driver
from labgrid.driver.consoleexpectmixin import ConsoleExpectMixin
from labgrid.factory import target_factory
from labgrid.protocol import ConsoleProtocol, PowerProtocol
from labgrid.step import step
from labgrid.util.helper import get_free_port
from pexpect import EOF, TIMEOUT

from .protocols import AdapterProtocol, DiskProtocol, StickProtocol
from .provision import locked_tools, stick
from .qmp import Monitor, QmpError
from .wait import eventually

# A little more than the image: the data partition grows, and is soon full when it is to be.
DISK_BYTES = 1100 << 20
SSH_PORT, API_PORT = 22, 8080
UPLINK_NET = "10.0.3.0/24"
UNPLUG_SECONDS_MAX = 20.0
ACCOUNT_SECONDS = 5.0


def usb_serial(name: str, port: int) -> dict[str, str]:
    """An adapter by device_add's words. A fixed socket and serial number: its names stay."""
    return {"driver": "usb-serial", "id": name, "chardev": name, "bus": "usb.0", "port": str(port),
            "serial": name.upper(), "always-plugged": "on"}  # fmt: skip


def words(options: dict[str, str]) -> str:
    """device_add's words as those of -device."""
    rest = [f"{name}={value}" for name, value in options.items() if name != "driver"]
    return ",".join([options["driver"], *rest])


@target_factory.reg_driver
@attr.s(eq=False)
class QemuBoard(ConsoleExpectMixin, Driver, PowerProtocol, ConsoleProtocol, DiskProtocol):
    """The board. Off is a power cut: the process is killed, whatever it was doing."""

    bindings = {"ssh": "NetworkService", "api": "NetworkService"}
    folder = attr.ib(validator=attr.validators.instance_of(str))
    # Names of serial adapters in order of their sockets; each has the line that is a file of its name in `folder`.
    adapters = attr.ib(factory=list, validator=attr.validators.instance_of(list))

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        self.txdelay, self.txchunk = None, None
        self.tools = locked_tools()
        self.folder = Path(self.target.env.config.resolve_path(self.folder)).resolve()
        self.rtc_base: str | None = None
        self.monitor: Monitor | None = None
        self._process: subprocess.Popen | None = None
        self._console: socket.socket | None = None

    def on_activate(self):
        """The ports of the host are the same for all starts."""
        self.ssh.port, self.api.port = get_free_port(), get_free_port()
        self.machine = Machine(self.folder, forwards={self.ssh.port: SSH_PORT, self.api.port: API_PORT})

    def on_deactivate(self):
        """Nothing stays behind."""
        self.off()

    def resolve_conflicts(self, client):
        """A plug and the console do not get in each other's way."""

    def line(self, adapter: str) -> Path:
        """Where the other end of an adapter's line is to be."""
        return self.folder / f"{adapter}.line"

    def _extra(self) -> tuple[str, ...]:
        found = ["-device", "qemu-xhci,id=usb", "-object", "can-bus,id=canbus0"]
        found += ["-device", "kvaser_pci,canbus=canbus0"] * 2
        for number, name in enumerate(self.adapters, 1):
            found += ["-chardev", f"serial,id={name},path={self.line(name)}"]
            found += ["-device", words(usb_serial(name, number))]
        found += ["-netdev", f"user,id=uplink,net={UPLINK_NET}"]
        found += ["-device", "usb-net,id=modem,netdev=uplink,bus=usb.0,port=4"]
        if self.rtc_base:
            found += ["-rtc", f"base={self.rtc_base}"]
        return tuple(found)

    @Driver.check_active
    @step()
    def on(self):
        """Power."""
        if self._process:
            return
        self.machine.extra = self._extra()
        command = self.machine.command(self.tools)
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._console = boot.connect(self.machine.console, self._process)
        self.monitor = Monitor(boot.connect(self.machine.control, self._process))

    @step()
    def off(self):
        """No more power, from one instant to the next."""
        if not self._process:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        for link in filter(None, (self.monitor, self._console)):
            link.close()
        self.monitor, self._console = None, None

    def cycle(self):
        """Off and on."""
        self.off()
        self.on()

    def account(self) -> str:
        """What the emulator does when the machine in it is silent: whether it works, waits or stands still, and where.

        It stands still itself when the far end of a serial adapter is full, and then answers nothing.
        """
        if not self._process or self._process.poll() is not None:
            return f"QEMU does not run: {self._process and self._process.returncode}"
        used = boot.cpu_seconds(self._process.pid)
        time.sleep(ACCOUNT_SECONDS)
        used = boot.cpu_seconds(self._process.pid) - used
        found = [f"{used:.1f} s of processor time in {ACCOUNT_SECONDS:.0f} s",
                 f"load of the host {Path('/proc/loadavg').read_text().strip()}",
                 f"{shutil.disk_usage(self.folder).free >> 20} MiB free"]  # fmt: skip
        try:
            found.append(self.monitor.execute("query-status")["status"])
            registers = self.monitor.human("info registers -a").splitlines()
            found += [line for line in registers if line.startswith(("CPU#", " PC=", "PSTATE="))]
            found += self.monitor.human("info blockstats").splitlines()
        except (OSError, QmpError) as error:
            found.append(f"QMP: {error}")
        return "\n".join(found)

    @step()
    def flash(self, image):
        """A new board with this image: the firmware knows nothing yet."""
        self.machine.create(Path(image), self.tools, DISK_BYTES)

    def _read(self, size=1, timeout=0.0, max_size=None):
        ready, _, _ = select.select([self._console], [], [], timeout)
        if not ready:
            raise TIMEOUT(f"nothing for {timeout:.1f} s")
        piece = self._console.recv(max_size or 4096)
        if not piece:
            raise EOF("QEMU has gone")
        return piece

    def _write(self, data):
        return self._console.send(data)


@attr.s(eq=False)
class _Plug(Driver):
    """Something that is pulled and plugged while the board runs."""

    bindings = {"board": "QemuBoard"}

    def _pull(self, device: str) -> None:
        self.board.monitor.execute("device_del", id=device)
        self.board.monitor.wait_event("DEVICE_DELETED", UNPLUG_SECONDS_MAX, device=device)

    def cycle(self):
        """Pulled and plugged."""
        self.off()
        self.on()


@target_factory.reg_driver
@attr.s(eq=False)
class QemuAdapter(_Plug, AdapterProtocol):
    """A serial adapter. Its other end is a pty that the simulator makes, before the board is switched on."""

    @property
    def feed(self) -> str:
        """The line, as `hawser sim` is told of it."""
        return f"pty:{self.board.line(self.name)}"

    @Driver.check_active
    @step()
    def on(self):
        """Plugged, into the socket where it was."""
        number = self.board.adapters.index(self.name) + 1
        options = usb_serial(self.name, number)
        self.board.monitor.execute("device_add", **{**options, "always-plugged": True})

    @Driver.check_active
    @step()
    def off(self):
        """Pulled."""
        self._pull(self.name)


@target_factory.reg_driver
@attr.s(eq=False)
class QemuLink(_Plug, PowerProtocol):
    """The link to the shore: the modem has no network, but stays plugged."""

    @Driver.check_active
    @step()
    def on(self):
        """There is a network."""
        self.board.monitor.execute("set_link", name="modem", up=True)

    @Driver.check_active
    @step()
    def off(self):
        """There is none."""
        self.board.monitor.execute("set_link", name="modem", up=False)


@target_factory.reg_driver
@attr.s(eq=False)
class QemuStick(_Plug, StickProtocol):
    """A USB stick with one file on it."""

    @Driver.check_active
    @step()
    def insert(self, file, file_system="vfat"):
        """With the file, plugged."""
        stick(self.board.folder / "stick.img", Path(file), self.board.tools, file_system)
        self.on()

    def on(self):
        """Plugged."""
        image = {"driver": "file", "filename": str(self.board.folder / "stick.img")}
        self.board.monitor.execute("blockdev-add", driver="raw", node_name="stick", file=image)
        self.board.monitor.execute("device_add", driver="usb-storage", id="stick", drive="stick", bus="usb.0", port="3")

    @Driver.check_active
    @step()
    def off(self):
        """Pulled."""
        self._pull("stick")
        # The device's end may come a moment before QEMU lets go of the file.
        eventually("the stick's file is free", UNPLUG_SECONDS_MAX, self._forget, (Exception,))

    def _forget(self) -> bool:
        self.board.monitor.execute("blockdev-del", node_name="stick")
        return True
