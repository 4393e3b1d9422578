"""Updates: from a stick, streamed, two in a row; and back to the old slot by itself from each kind of bad one.

A trial is the firmware's BootNext; the running slot is on trial as long as it is not in BootOrder.
"""

from pathlib import Path

import pytest
from image import keys, variant
from image.build import BUNDLE_NAME
from rig import provision
from rig.gateway import AWAY, Writer
from rig.provision import REPOSITORY, locked_tools
from rig.strategy import ENTRIES, Status
from rig.wait import eventually

INSTALL_SECONDS_MAX = 240.0
DELIVER_SECONDS_MAX = 60.0
# The least that the emulated watchdog takes; the product's time is checked before.
BITE_SECONDS = 5
BITTEN_SECONDS_MAX = 60.0
LONG_AGO = "1970-01-01T00:00:00"
STICK = "/run/hawser/rig-stick"


@pytest.fixture(scope="session")
def bundles(env, kept) -> dict[str, Path]:
    """Bundles by what is the matter with them, made of the build under test and signed by its keys."""
    built = Path(env.config.get_image_path("disk")).parent
    found = {"built": built / BUNDLE_NAME}
    for number, name in enumerate(("program", "panic"), 2):
        found[name] = kept / "bundles" / f"{name}.raucb"
        variant.make(built, REPOSITORY, name, f"0.{number}.0", keys.signer(), locked_tools(), found[name])
    link = kept / "bundles" / BUNDLE_NAME
    link.unlink(missing_ok=True)
    link.symlink_to(found["built"])
    return found


@pytest.fixture(autouse=True)
def settled(box):
    """No trial is left over from a test that failed: an update on top of one would have nothing to go back to."""
    if box.strategy.is_trial():
        mark_good(box)


def stream(box, path: Path) -> int:
    """Installs from the host's server; how many bytes were loaded."""
    before = box.around.bundles.bytes_sent
    url = f"https://{box.bench.lan_host}:{box.around.bundles.port}/{path.name}"
    box.run(f"rauc install --tls-ca={provision.AUTHORITY} {url}", timeout=INSTALL_SECONDS_MAX)
    return box.around.bundles.bytes_sent - before


def test_an_update_from_a_stick_is_tried_at_the_next_start(box, bundles):
    """Written into the other slot; the order of the firmware does not name it yet."""
    running, other = box.strategy.boots[-1].slot, box.strategy.other
    stick = box.plug("stick")
    stick.insert(bundles["program"])
    try:
        device = eventually(
            "the stick", DELIVER_SECONDS_MAX, lambda: box.run(f"blkid --label {provision.STICK_LABEL} || true")
        )
        box.run(f"mkdir -p {STICK} && mount -o ro {device} {STICK}")
        box.run(f"rauc install {STICK}/{bundles['program'].name}", timeout=INSTALL_SECONDS_MAX)
        box.run(f"umount {STICK}")
    finally:
        stick.off()
    assert f"BootNext: {ENTRIES[other]}" in box.run("efibootmgr")
    assert box.strategy.order() == [ENTRIES[running]]


def test_a_good_trial_becomes_the_first_and_has_lost_nothing(box, bundles):
    """The same box with its readings and records, and the same sources; marked good, the firmware names it first."""
    other = box.strategy.other
    order = box.api.write_order("Before the update")
    identity = box.run("cat /etc/machine-id /data/identity/box.pub")
    heard = sources(box)
    durable = box.api.status()["store"]["durable_seq"]
    box.strategy.transition(Status.on_trial)
    assert (box.strategy.boots[-1].slot, box.strategy.boots[-1].version) == (other, "0.2.0")
    assert order in box.api.orders()
    assert box.run("cat /etc/machine-id /data/identity/box.pub") == identity
    assert box.api.status()["store"]["durable_seq"] >= durable
    eventually("the same sources deliver", DELIVER_SECONDS_MAX, lambda: sources(box) >= heard, AWAY)
    mark_good(box)


def sources(box) -> set[str]:
    """What speaks on each wire that always does."""
    return {source for bus in ("gps", "switchboard", "generator") for source in box.api.sources(bus)}


def mark_good(box) -> None:
    """What the gateway does when its trial went well; the running slot is the firmware's first then."""
    running = box.strategy.boots[-1].slot
    box.run("rauc status mark-good")
    box.strategy.status = Status.recording
    assert box.strategy.order()[0] == ENTRIES[running]


def test_a_second_update_in_a_row_is_streamed(box, bundles):
    """Over HTTPS, with only the blocks that the other slot does not have; then back on the first version."""
    first, other, size = box.strategy.boots[0].version, box.strategy.other, bundles["built"].stat().st_size
    loaded = stream(box, bundles["built"])
    box.figures.append(f"streamed: {loaded} of {size} bytes, {100 * loaded / size:.1f} %")
    assert loaded < size / 2
    box.strategy.transition(Status.on_trial)
    assert (box.strategy.boots[-1].slot, box.strategy.boots[-1].version) == (other, first)
    mark_good(box)


def test_a_panic_on_trial_ends_in_the_old_slot(box, bundles):
    """Without help; and the slot that panicked is not in the order."""
    old = box.strategy.boots[-1].slot
    stream(box, bundles["panic"])
    mark = box.strategy.tap.mark()
    box.strategy.listen()
    box.run("systemctl --no-block reboot")
    box.strategy.await_recording(old)
    assert "Kernel panic - not syncing: sysrq triggered crash" in box.strategy.tap.since(mark)
    assert box.strategy.order() == [ENTRIES[old]]


def test_a_power_cut_on_trial_ends_in_the_old_slot(box, bundles):
    """While the crew writes: what the trial has acknowledged is there in the old slot."""
    old = box.strategy.boots[-1].slot
    stream(box, bundles["program"])
    box.strategy.transition(Status.on_trial)
    writer = Writer(box.api)
    eventually("orders are acknowledged", DELIVER_SECONDS_MAX, lambda: len(writer.acknowledged) > 10)
    box.strategy.cut()
    writer.stop()
    if box.is_emulated:
        # The next test's; one start serves both.
        box.strategy.power.rtc_base = LONG_AGO
    box.strategy.transition(Status.recording)
    assert box.strategy.boots[-1].slot == old
    assert box.strategy.order() == [ENTRIES[old]]
    assert set(writer.acknowledged) <= set(box.api.orders())


@pytest.mark.lg_feature("emulated")
def test_a_clock_that_says_1970_stops_nobody(box):
    """The battery of the clock is empty: it records, says what its clock is worth, and mixes nothing up."""
    if box.strategy.power.rtc_base != LONG_AGO:
        box.strategy.cut()
        box.strategy.power.rtc_base = LONG_AGO
        box.strategy.transition(Status.recording)
    box.strategy.power.rtc_base = None
    assert int(box.run("date +%Y")) > 2025
    assert box.api.history("navigation.speedOverGround", to="2000-01-01T00:00:00Z") == []
    status = box.api.status()
    box.figures.append(f"the clock that began in 1970: {status['now']} ({status['clock_quality']})")
    started = status["store"]["durable_seq"]
    eventually("it records", DELIVER_SECONDS_MAX, lambda: box.api.status()["store"]["durable_seq"] > started)
    assert box.api.write_order("When was that?") in box.api.orders()


def test_a_hang_on_trial_ends_in_the_old_slot(box, bundles):
    """systemd stands still, so nobody strokes the hardware's watchdog, which starts the machine again."""
    old, other = box.strategy.boots[-1].slot, box.strategy.other
    if ENTRIES[other] in box.strategy.order() or "0.2.0" not in box.run("rauc status --detailed"):
        stream(box, bundles["program"])
    box.run(f"efibootmgr --quiet --bootnext {ENTRIES[other]}")
    box.strategy.transition(Status.on_trial)
    assert box.run("systemctl show --property RuntimeWatchdogUSec --value") == "30s"
    box.run("busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "
            f"RuntimeWatchdogUSec t {BITE_SECONDS * 1000000}")  # fmt: skip
    box.strategy.listen()
    box.run("systemd-run --quiet /bin/sh -c 'echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze'")
    if box.is_emulated:
        box.strategy.power.monitor.wait_event("WATCHDOG", BITTEN_SECONDS_MAX, action="reset")
    box.strategy.await_recording(old)
    assert box.strategy.order() == [ENTRIES[old]]
