"""Drivers for a real board, where labgrid's own do not say what the tests ask for. Not run in CI: no board is there.

Console, power and ssh are labgrid's own drivers, board-example.yaml.
"""

import tempfile
from pathlib import Path

import attr
from labgrid.driver import Driver
from labgrid.factory import target_factory
from labgrid.step import step

from .protocols import AdapterProtocol, DiskProtocol, StickProtocol
from .provision import locked_tools, stick


@target_factory.reg_driver
@attr.s(eq=False)
class BoardAdapter(Driver, AdapterProtocol):
    """A serial adapter in a socket whose power is switched; its line ends in an adapter of this host."""

    bindings = {"socket": "USBPowerDriver"}
    feed = attr.ib(validator=attr.validators.instance_of(str))

    @Driver.check_active
    @step()
    def on(self):
        """Plugged."""
        self.socket.on()

    @Driver.check_active
    @step()
    def off(self):
        """Pulled."""
        self.socket.off()

    def cycle(self):
        """Pulled and plugged."""
        self.off()
        self.on()


@attr.s(eq=False)
class _Card(Driver):
    """A card in a multiplexer: the host writes it, then the board has it."""

    bindings = {"mux": "USBSDMuxDriver", "storage": "USBStorageDriver"}

    def _write(self, image: Path) -> None:
        self.mux.set_mode("host")
        self.storage.write_image(str(image))
        self.mux.set_mode("dut")


@target_factory.reg_driver
@attr.s(eq=False)
class BoardDisk(_Card, DiskProtocol):
    """The card that the board starts from. The firmware keeps its variables: entries of an older image are the same."""

    @Driver.check_active
    @step()
    def flash(self, image):
        """The whole of it."""
        self._write(image)


@target_factory.reg_driver
@attr.s(eq=False)
class BoardStick(_Card, StickProtocol):
    """A card that the board sees as a stick."""

    @Driver.check_active
    @step()
    def insert(self, file, file_system="vfat"):
        """With the file, written as a whole."""
        with tempfile.TemporaryDirectory() as scratch:
            image = Path(scratch) / "stick"
            stick(image, Path(file), locked_tools(), file_system)
            self._write(image)

    def on(self):
        """The board has it."""
        self.mux.set_mode("dut")

    @Driver.check_active
    @step()
    def off(self):
        """Nobody has it."""
        self.mux.set_mode("off")

    def cycle(self):
        """Pulled and plugged."""
        self.off()
        self.on()
