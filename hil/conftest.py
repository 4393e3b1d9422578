"""Fixtures of the box's tests: what is around it, the box in a state, and what is kept when a test fails."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from labgrid.util.helper import get_free_port
from rig import around, provision
from rig.bench import Bench
from rig.console import Tap
from rig.gateway import Gateway
from rig.strategy import GatewayStrategy, Status

FIGURES = pytest.StashKey[list[str]]()
KEPT = provision.REPOSITORY / "target/hil"
KEPT_IN_REPORT_CHARS = 1500


@dataclass
class Around:
    """What runs on the host for the whole session."""

    bench: Bench
    certificates: around.Certificates
    shore: around.Shore
    terminator: around.Terminator
    instruments: around.Program
    owner: provision.Owner


@dataclass
class Box:
    """The gateway under test, recording unless a test says otherwise."""

    strategy: GatewayStrategy
    api: Gateway
    around: Around
    target: object
    figures: list[str] = field(default_factory=list)

    @property
    def bench(self) -> Bench:
        """Facts of the bench."""
        return self.around.bench

    @property
    def is_emulated(self) -> bool:
        """Whether its driver can do what only an emulator can."""
        return "emulated" in self.target.env.get_target_features()

    def run(self, command: str, timeout: float = 60.0) -> str:
        """What a command on the box prints."""
        return self.strategy.run(command, timeout)

    def plug(self, name: str):
        """What can be pulled: an adapter, the link to the shore, the stick."""
        driver = self.target.get_driver("PowerProtocol", name=name, activate=False)
        self.target.activate(driver)
        return driver


@pytest.fixture(scope="session")
def kept() -> Path:
    """The folder of logs, and of what a failed test leaves."""
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(KEPT / "failed", ignore_errors=True)
    return KEPT


@pytest.fixture(scope="session")
def surroundings(env, target, kept) -> Iterator[Around]:
    """Instruments, shore, bundles."""
    bench = target.get_resource("Bench")
    program = Path(env.config.get_tool("hawser"))
    certificates = around.Certificates(kept / "certificates", [bench.lan_host, bench.uplink_host])
    shutil.rmtree(kept / "shore", ignore_errors=True)
    shore = around.Shore(program, kept / "shore", provision.VESSEL)
    terminator = around.Terminator(certificates.context(), bench.listen_on, shore.port)
    (kept / "bundles").mkdir(exist_ok=True)
    modbus_port = get_free_port()
    feeds = {name: target.get_driver("PowerProtocol", name=name, activate=False).feed for name in ("gps", "meter")}
    for feed in feeds.values():
        Path(feed.removeprefix("pty:")).parent.mkdir(parents=True, exist_ok=True)
    instruments = around.instruments(program, feeds, bench.listen_on, modbus_port, kept / "instruments.log")
    owner = provision.Owner(
        make_key(kept), certificates.authority.read_text(), shore.token, modbus_port, terminator.port
    )
    yield Around(bench, certificates, shore, terminator, instruments, owner)
    instruments.stop()
    terminator.close()
    shore.stop()


def make_key(folder: Path) -> str:
    """A key pair for ssh, for this session; the public one."""
    for path in (folder / "key", folder / "key.pub"):
        path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rig", "-f", folder / "key"], check=True)
    return (folder / "key.pub").read_text()


@pytest.fixture(scope="session")
def flashable(env, surroundings, kept) -> Path:
    """The image that was built, as its owner gets it ready."""
    image = kept / "flash.img"
    tree = provision.data(surroundings.bench, surroundings.owner)
    provision.image(Path(env.config.get_image_path("disk")), image, provision.LAYOUT, tree, provision.locked_tools())
    return image


@pytest.fixture(scope="session")
def machine(strategy, surroundings, flashable, kept) -> Iterator[GatewayStrategy]:
    """The machine, in any state."""
    strategy.image, strategy.tap = flashable, Tap(kept / "console.log")
    yield strategy
    strategy.transition(Status.off)


@pytest.fixture(scope="session")
def session_box(machine, surroundings, target, pytestconfig) -> Box:
    """The gateway, for `box`."""
    service = target.get_resource("NetworkService", name="api")
    target.activate(machine.power)
    box = Box(machine, Gateway(f"http://{service.address}:{service.port}", Token(machine)), surroundings, target)
    pytestconfig.stash[FIGURES] = box.figures
    return box


class Token:
    """The API's token, asked for once after each flashing."""

    def __init__(self, machine: GatewayStrategy):
        self._machine, self._token, self._flashed = machine, "", 0

    def __call__(self) -> str:
        if self._flashed != self._machine.flashed:
            self._token = self._machine.run("cat /var/lib/hawser/api_token").strip()
            self._flashed = self._machine.flashed
        return self._token


@pytest.fixture
def box(session_box) -> Box:
    """The gateway, recording."""
    session_box.strategy.transition(Status.recording)
    return session_box


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a test that failed: what the console said during it, and the journal where it can still be had."""
    report = yield
    if report.failed and "machine" in item.fixturenames:
        keep(item, item.funcargs.get("session_box"), report.sections)
    return report


def pytest_terminal_summary(terminalreporter, config):
    """What was measured on the way; the host's load is for the reader to know."""
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("figures")
    for line in figures:
        terminalreporter.line(line)


@pytest.fixture(autouse=True)
def marked(request):
    """Remembers where the console was when the test began."""
    box = request.node.funcargs.get("session_box")
    request.node.console_begin = box.strategy.tap.mark() if box and box.strategy.tap else 0
    yield


def keep(item, box: Box | None, sections: list[tuple[str, str]]) -> None:
    """Into target/hil/failed, in a folder with the test's name; what is short into the report, too."""
    if box is None or box.strategy.tap is None:
        return
    folder = KEPT / "failed" / re.sub(r"[^\w.-]+", "-", item.name)
    folder.mkdir(parents=True, exist_ok=True)
    looks = {
        "console.log": lambda: box.strategy.tap.since(getattr(item, "console_begin", 0)),
        "status.json": lambda: box.api.raw("/api/status").decode(),
        "journal.log": lambda: box.run("journalctl --boot --no-pager"),
    }
    if box.is_emulated:
        looks["emulator.txt"] = box.strategy.power.account
    for name, look in looks.items():
        try:
            found = look()
        except Exception as error:  # noqa: BLE001 # the test's own failure is what counts
            found = f"could not be had: {error}\n"
        (folder / name).write_text(found)
        sections.append((name, found[-KEPT_IN_REPORT_CHARS:]))
