"""What the tests ask of a bench beyond labgrid's own protocols; qemu.py and board.py each have drivers of them."""

import abc
from pathlib import Path

from labgrid.protocol import PowerProtocol


class DiskProtocol(abc.ABC):
    """The disk that the machine starts from, written from outside."""

    @abc.abstractmethod
    def flash(self, image: Path) -> None:
        """Writes the whole of it; the firmware's variables become those of a new board, where that can be had."""


class AdapterProtocol(PowerProtocol):
    """A serial adapter in a socket of the gateway: off is pulled, on is plugged."""

    # The other end of its line on the test host, in the words of `hawser sim --output`.
    feed: str


class StickProtocol(PowerProtocol):
    """A USB stick."""

    @abc.abstractmethod
    def insert(self, file: Path, file_system: str = "vfat") -> None:
        """Plugs it, with this one file on it; `exfat` is the other file system."""
