"""The states of the machine that a test can ask for by name, and how one is reached from another.

    off        no power
    flashed    no power; the image that was built is on its disk with its owner's files, its firmware knows nothing
    booting    power
    recording  the gateway has said so, and ssh is open
    on_trial   the same, started from the slot that an update has written, which nobody has called good yet

A transition that fails leaves the state unknown: the next test begins with a flashed board.
"""

import enum
import re
import time

import attr
from labgrid.driver import ExecutionError
from labgrid.factory import target_factory
from labgrid.step import step
from labgrid.strategy import Strategy, StrategyError

from .console import RECORDING, Recording, Tap
from .protocols import DiskProtocol

# A loaded machine of two cores has been seen to need 76 s.
BOOT_SECONDS_MAX = 240.0
ENTRIES = {"hawser-a": "000A", "hawser-b": "000B"}


class Status(enum.Enum):
    """See above."""

    unknown = 0
    off = 1
    flashed = 2
    booting = 3
    recording = 4
    on_trial = 5


@target_factory.reg_driver
@attr.s(eq=False)
class GatewayStrategy(Strategy):
    """Of a gateway with a console, a power switch, a disk that can be written from outside, and ssh."""

    bindings = {"power": "PowerProtocol", "console": "ConsoleProtocol", "disk": DiskProtocol,
                "ssh": "BoxSSHDriver"}  # fmt: skip
    status = attr.ib(default=Status.unknown)

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        # Given by the fixtures before the first transition.
        self.image = None
        self.tap: Tap | None = None
        self.boots: list[Recording] = []
        # How often: a box that was flashed again is another one.
        self.flashed = 0
        self._mark = 0
        self._started = 0.0
        # From the switch to what the console last said.
        self.power_on_seconds = 0.0

    @step(args=["status"])
    def transition(self, status, *, step):
        """Brings the machine there."""
        status = status if isinstance(status, Status) else Status[status]
        if status == self.status:
            step.skip("nothing to do")
            return
        if status == Status.on_trial:
            self.transition(Status.recording)
            self.reboot()
            if not self.is_trial():
                raise StrategyError(f"{self.boots[-1].slot} runs, and is in the order: no trial")
        elif status == Status.recording:
            if self.status in (Status.unknown, Status.off, Status.flashed):
                self.transition(Status.booting)
            if self.status == Status.booting:
                self.await_recording()
        elif status == Status.booting:
            if self.status not in (Status.off, Status.flashed):
                self.transition(Status.flashed)
            self.listen()
            self.target.activate(self.power)
            self._started = time.monotonic()
            self.power.on()
            self.target.activate(self.console)
            self.tap.open(self.console)
        elif status == Status.flashed:
            self.transition(Status.off)
            self.target.activate(self.disk)
            self.disk.flash(self.image)
            self.flashed += 1
        elif status == Status.off:
            self.target.deactivate(self.ssh)
            self.tap.close()
            self.target.activate(self.power)
            self.power.off()
        else:
            raise StrategyError(f"no way to {status}")
        self.status = status

    def listen(self) -> None:
        """What the console says from now on is of the next start; a daemon that was restarted has said it, too."""
        self._mark = self.tap.mark()

    def await_console(self, slot: str = "", seconds_max: float = BOOT_SECONDS_MAX) -> Recording:
        """The next time since `listen` that it says that it records, from this slot where one is named."""
        self.status = Status.booting
        self.target.deactivate(self.ssh)
        while True:
            found = self.tap.wait(RECORDING, self._mark, seconds_max)
            self._mark = found.end()
            self.power_on_seconds = time.monotonic() - self._started
            self.boots.append(Recording.of(found))
            if slot in ("", self.boots[-1].slot):
                return self.boots[-1]

    def await_recording(self, slot: str = "") -> Recording:
        """The machine is starting, or is about to, by whatever cause: until it records, and ssh is open."""
        try:
            self.await_console(slot)
            self.target.activate(self.ssh)
        except Exception:
            # Nobody knows in what state it is: whoever asks for one next starts anew.
            self.status = Status.unknown
            raise
        self.status = Status.recording
        return self.boots[-1]

    def reboot(self) -> Recording:
        """As a person would: everything stops in order."""
        self.listen()
        self.ssh.run("systemctl --no-block reboot")
        return self.await_recording()

    def cut(self) -> None:
        """The power fails, now."""
        self.transition(Status.off)

    def forget(self) -> None:
        """Whoever asks for a state next gets a flashed board."""
        self.transition(Status.off)
        self.status = Status.unknown

    def run(self, command: str, timeout: float = 60.0) -> str:
        """What a command on the box prints; its failure is an error that quotes it."""
        out, errors, code = self.ssh.run(command, timeout=timeout)
        if code != 0:
            raise ExecutionError(f"{command}: exit {code}: {' '.join(errors)} {' '.join(out)}")
        return "\n".join(out)

    def order(self) -> list[str]:
        """The firmware's order of our entries; the running one is on trial when it is not in it."""
        found = re.search(r"^BootOrder: (.*)$", self.run("efibootmgr"), re.MULTILINE)
        return [entry for entry in found[1].split(",") if entry in ENTRIES.values()] if found else []

    @property
    def other(self) -> str:
        """The slot that does not run."""
        return "hawser-b" if self.boots[-1].slot == "hawser-a" else "hawser-a"

    def is_trial(self) -> bool:
        """Whether the running slot is one that the firmware would not start by itself."""
        return ENTRIES[self.boots[-1].slot] not in self.order()
