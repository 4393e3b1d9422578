"""A data partition that is encrypted by option: what os/common/root/usr/lib/hawser/data-crypt.sh promises.

A new board whose owner has asked for it, by a file on its disk and a key on a stick. Each test goes on where the one
before it ended: the box is started three times, the second time without its stick.
"""

import hashlib
import mmap
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from image import disk
from image.tree import file
from rig import provision

KEY_BYTES = 64
ORDER = "The starboard stern gland weeps"
# What the disk has behind it when somebody has put in a larger one.
MORE_BYTES = 128 << 20
GROWN_KIB_MIN = 100 << 10
SAID_SECONDS_MAX = 30.0


@dataclass
class Owned:
    """What the tests have in common: the box's owner has a key, and has written something."""

    key: Path
    order: str = ""
    room_kib: int = 0

    @property
    def name(self) -> str:
        """As the console calls the key."""
        return hashlib.sha256(self.key.read_bytes()).hexdigest()[:8]


@pytest.fixture(scope="module")
def owned(session_box, env, kept) -> Iterator[Owned]:
    """A new board, flashed, whose owner wants it encrypted; afterwards the rig's other boards are as they were."""
    strategy, around = session_box.strategy, session_box.around
    tree = provision.data(around.bench, around.owner)
    tree.add("encrypt", file(""))
    image = kept / "encrypted.img"
    provision.image(Path(env.config.get_image_path("disk")), image, provision.LAYOUT, tree, provision.locked_tools())
    key = kept / "hawser-data.key"
    key.write_bytes(secrets.token_bytes(KEY_BYTES))
    others, strategy.image = strategy.image, image
    strategy.transition("off")
    strategy.transition("flashed")
    yield Owned(key)
    strategy.image = others
    strategy.forget()


def start_with_stick(box, owned: Owned) -> None:
    """The stick is in the box when its power comes, and is not needed any more when it records."""
    stick = box.plug("stick")
    box.strategy.transition("booting")
    stick.insert(owned.key)
    try:
        boot = box.strategy.await_recording()
        assert boot.data == "encrypted"
    finally:
        stick.off()


def data_partition(box) -> mmap.mmap:
    """As whoever takes the disk reads it, from begin to end of what was flashed."""
    part = next(part for part in disk.layout(provision.LAYOUT) if part.label == "data")
    with box.strategy.power.machine.disk.open("rb") as image:
        return mmap.mmap(image.fileno(), 0, access=mmap.ACCESS_READ, offset=part.start)


def room_kib(box) -> int:
    """Of /data."""
    return int(box.run("df -k --output=size /data").split()[-1])


def test_asked_for_before_the_first_start_it_is_encrypted_from_then_on(session_box, owned):
    """With what the owner has put there; and who takes the disk finds neither that nor what the crew has written."""
    box = session_box
    start_with_stick(box, owned)
    owned.order = box.api.write_order(ORDER)
    assert box.run("cat /etc/machine-id") == box.run("cat /data/identity/machine-id")
    assert box.run("ls /data/encrypt /run/hawser/usb 2>/dev/null || true") == ""
    owned.room_kib = room_kib(box)
    # In the clear in the files, so it would be so on the disk.
    assert box.run(f"grep -rls '{ORDER}' /var/lib/hawser")
    box.run("sync")
    box.strategy.cut()
    if box.is_emulated:
        raw = data_partition(box)
        assert raw[:4] == b"LUKS"
        owner = box.around.owner
        for secret in (ORDER, owner.shore_token, owner.public_key, "setup_code"):
            assert raw.find(secret.strip().encode()) < 0, secret


def test_without_its_stick_it_is_locked_and_the_disk_is_left_alone(session_box, owned):
    """It goes on in memory, and the console says which stick it wants."""
    box = session_box
    assert owned.order, "the test before this one"
    before = hashlib.sha256(data_partition(box)).hexdigest() if box.is_emulated else ""
    mark = box.strategy.tap.mark()
    box.strategy.transition("booting")
    boot = box.strategy.await_console()
    assert boot.data == "locked"
    wanted = f"plug in the stick with key {owned.name}"
    box.strategy.tap.wait(wanted, mark, SAID_SECONDS_MAX)
    assert any(wanted in alarm for alarm in box.api.status()["alarms"])
    box.strategy.cut()
    if box.is_emulated:
        assert hashlib.sha256(data_partition(box)).hexdigest() == before


def test_with_its_stick_all_is_there_and_fills_a_larger_disk(session_box, owned):
    """The same box with the same records."""
    box = session_box
    assert owned.order, "the test before this one"
    if box.is_emulated:
        path = box.strategy.power.machine.disk
        with path.open("r+b") as image:
            image.truncate(path.stat().st_size + MORE_BYTES)
    start_with_stick(box, owned)
    assert owned.order in box.api.orders()
    assert box.run("cat /etc/machine-id") == box.run("cat /data/identity/machine-id")
    if box.is_emulated:
        assert room_kib(box) > owned.room_kib + GROWN_KIB_MIN


def test_an_orderly_restart_finds_the_stick_too(session_box, owned):
    """Everything stops, /data is closed, and the key is asked for again."""
    box = session_box
    assert owned.order, "the tests before this one"
    stick = box.plug("stick")
    stick.insert(owned.key)
    try:
        assert box.strategy.reboot().data == "encrypted"
    finally:
        stick.off()
    assert owned.order in box.api.orders()
