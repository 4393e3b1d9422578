"""Updates as the crew sees them: offered by the shore or a stick, agreed to, tried, kept; and taken back by themselves.

The gateway does all of it through RAUC; here it is only asked, over its API, as the page does. A trial is the firmware's
BootNext; the running slot is on trial as long as it is not in BootOrder.
"""

import json
import shutil
import urllib.error
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from image import keys, variant
from rig.gateway import AWAY, Writer
from rig.provision import REPOSITORY, locked_tools
from rig.strategy import ENTRIES
from rig.wait import eventually

INSTALL_SECONDS_MAX = 240.0
IN_VAIN_SECONDS_MAX = 120.0
DELIVER_SECONDS_MAX = 60.0
# Half a minute of watching at least; the emulator is slow.
JUDGE_SECONDS_MAX = 180.0
# The least that the emulated watchdog takes; the product's time is checked before.
BITE_SECONDS = 5
BITTEN_SECONDS_MAX = 60.0
# When only the program has changed, of the whole bundle: twice as much without its delta. And how much more it may be
# after a break.
LOADED_PERCENT_MAX = 6
RESUMED_FACTOR_MAX = 1.3
# More than half of it.
BREAK_AFTER_BYTES = 1 << 20
TRIES_IN_VAIN = 2
LONG_AGO = "1970-01-01T00:00:00"
CHANGES = {"0.2.0": "version", "0.3.0": "program", "0.4.0": "deaf", "0.5.0": "panic", "0.6.0": "version",
           "0.7.0": "version"}  # fmt: skip
# The one whose program says that it knows less of the data than this box has.
OLD_SCHEMA = "0.7.0"
ALWAYS_HEARD = ("gps", "switchboard", "generator")


@pytest.fixture(scope="session")
def bundles(env, kept) -> dict[str, Path]:
    """Bundles by version, made of the build under test and signed by its keys."""
    built = Path(env.config.get_image_path("disk")).parent
    found = {version: kept / "bundles" / f"hawser-{version}.raucb" for version in CHANGES}
    # Packing takes seconds, on one core each.
    with ProcessPoolExecutor() as workers:
        jobs = [
            workers.submit(variant.make, built, REPOSITORY, change, version, keys.signer(), locked_tools(),
                           found[version], 0 if version == OLD_SCHEMA else None)
            for version, change in CHANGES.items()
        ]  # fmt: skip
        for job in jobs:
            job.result()
    return found


@pytest.fixture(scope="session")
def loaded(bundles) -> dict[str, int]:
    """What a bundle with another program took on the link, in one go: what is promised, until it was measured."""
    return {"once": bundles["0.3.0"].stat().st_size * LOADED_PERCENT_MAX // 100}


def state(box) -> dict:
    """How updates stand."""
    return box.api.get("/api/update")


def publish(box, path: Path) -> None:
    """Puts a bundle where the shore offers it, and has the box ask."""
    target = box.around.shore.updates / path.name
    shutil.copyfile(path, target.with_suffix(".half"))
    target.with_suffix(".half").rename(target)
    box.api.raw("/api/update/check", {})


def install(box, version: str, bundle: Path | None = None) -> int:
    """Until it lies ready in the other slot; what a bundle of the shore's took on the link is told, in bytes."""
    before = box.around.terminator.bytes_sent
    eventually(f"{version} is installed", INSTALL_SECONDS_MAX, lambda: state(box)["staged"] == version)
    loaded = box.around.terminator.bytes_sent - before
    assert state(box)["last_error"] == ""
    assert "BootNext" not in box.run("efibootmgr")
    if bundle:
        size = bundle.stat().st_size
        box.figures.append(f"{version} from the shore: {loaded} of {size} bytes, {100 * loaded / size:.1f} %")
    return loaded


def start(box) -> str:
    """Somebody on board says now; the slot in which the box comes up."""
    other = box.strategy.other
    box.strategy.listen()
    box.api.raw("/api/update/install", {"now": True})
    box.strategy.await_recording(other)
    assert ENTRIES[other] not in box.strategy.order()
    eventually("the gateway knows that it is on trial", JUDGE_SECONDS_MAX, lambda: state(box)["on_trial"], AWAY)
    return other


def kept_as_good(box, slot: str) -> None:
    """By the gateway itself."""
    eventually("it is marked good", JUDGE_SECONDS_MAX, lambda: not state(box)["on_trial"], AWAY)
    assert box.strategy.order()[0] == ENTRIES[slot]


def sources(box) -> set[str]:
    """What speaks on each wire that always does."""
    return {source for bus in ALWAYS_HEARD for source in box.api.sources(bus)}


def test_a_stick_is_seen_and_what_is_on_it_lies_ready(box, bundles):
    """Plugged in by somebody without a word; nothing is started without one. Of the kind that large sticks are."""
    stick = box.plug("stick")
    stick.insert(bundles["0.2.0"], "exfat")
    try:
        install(box, "0.2.0")
        assert " exfat " in box.run("grep /run/hawser/usb/ /proc/mounts")
    finally:
        stick.off()
    assert not state(box)["approved"]


def test_a_trial_is_kept_when_the_same_sources_deliver(box, bundles):
    """The same box with its readings and records; the firmware names the new slot first then."""
    order = box.api.write_order("Before the update")
    identity = box.run("cat /etc/machine-id /data/identity/box.pub")
    heard = sources(box)
    durable = box.api.status()["store"]["durable_seq"]
    slot = start(box)
    assert state(box)["version"] == "0.2.0"
    assert order in box.api.orders()
    assert box.run("cat /etc/machine-id /data/identity/box.pub") == identity
    assert box.api.status()["store"]["durable_seq"] >= durable
    kept_as_good(box, slot)
    assert heard <= sources(box)


def test_a_second_update_in_a_row_comes_from_the_shore(box, bundles, loaded):
    """Over HTTPS, with the vessel's token, and only what the box does not have: the program by what differs in it."""
    publish(box, bundles["0.3.0"])
    promised, loaded["once"] = loaded["once"], install(box, "0.3.0", bundles["0.3.0"])
    assert loaded["once"] < promised
    assert "are made of the one that runs" in box.run("journalctl --boot --unit rauc --output cat --no-pager")
    slot = start(box)
    assert box.strategy.boots[-1].version == "0.3.0"
    kept_as_good(box, slot)


def test_a_version_that_hears_nothing_is_taken_back(box, bundles):
    """It boots, it answers, it has the network; but no wire is open to it."""
    old = box.strategy.boots[-1].slot
    publish(box, bundles["0.4.0"])
    install(box, "0.4.0", bundles["0.4.0"])
    start(box)
    box.strategy.listen()
    box.strategy.await_recording(old)
    taken = eventually("it says why", DELIVER_SECONDS_MAX, lambda: state(box)["taken_back"], AWAY)
    assert taken["version"] == "0.4.0"
    assert any(reason.startswith("gps.") for reason in taken["reasons"]), taken
    assert box.strategy.order() == [ENTRIES[old]]


def test_a_panic_on_trial_ends_in_the_old_slot(box, bundles):
    """Without help; and nobody starts it a second time while the vessel moves."""
    old = box.strategy.boots[-1].slot
    publish(box, bundles["0.5.0"])
    install(box, "0.5.0", bundles["0.5.0"])
    mark = box.strategy.tap.mark()
    box.strategy.listen()
    box.api.raw("/api/update/install", {"now": True})
    box.strategy.await_recording(old)
    assert "Kernel panic - not syncing: sysrq triggered crash" in box.strategy.tap.since(mark)
    assert box.strategy.order() == [ENTRIES[old]]


def test_an_installation_from_the_shore_goes_on_after_a_break(box, bundles, loaded):
    """The link goes away in its middle and comes back: what is there already is not loaded again.

    RAUC 1.13 is patient for some 20 s. After that the installation fails, and the next one has loaded most of it again
    (seen once: a third more than in one go, both together).
    """
    terminator, once = box.around.terminator, loaded["once"]
    before = terminator.bytes_sent
    terminator.break_after(BREAK_AFTER_BYTES)
    try:
        publish(box, bundles["0.6.0"])
        assert terminator.broken.wait(INSTALL_SECONDS_MAX), "nothing was loaded"
        eventually("it has tried in vain", IN_VAIN_SECONDS_MAX, lambda: terminator.refused >= TRIES_IN_VAIN)
        assert state(box)["staged"] != "0.6.0"
    finally:
        terminator.mend()
    install(box, "0.6.0")
    both = terminator.bytes_sent - before
    box.figures.append(f"0.6.0 from the shore, with a break: {both} bytes, in one go {once}")
    assert BREAK_AFTER_BYTES < both < RESUMED_FACTOR_MAX * once


def test_a_power_cut_on_trial_ends_in_the_old_slot(box, bundles):
    """While the crew writes: what the trial has acknowledged is there in the old slot."""
    old = box.strategy.boots[-1].slot
    publish(box, bundles["0.6.0"])
    install(box, "0.6.0", bundles["0.6.0"])
    # One that delivered is away: nobody calls this trial good before the power fails.
    gps = box.plug("gps")
    start_without(box, gps)
    writer = Writer(box.api)
    eventually("orders are acknowledged", DELIVER_SECONDS_MAX, lambda: len(writer.acknowledged) > 10)
    box.strategy.cut()
    writer.stop()
    if box.is_emulated:
        # The next test's; one start serves both. The emulated adapter is plugged when the board starts.
        box.strategy.power.rtc_base = LONG_AGO
    else:
        gps.on()
    box.strategy.transition("recording")
    assert box.strategy.boots[-1].slot == old
    assert box.strategy.order() == [ENTRIES[old]]
    assert set(writer.acknowledged) <= set(box.api.orders())


def start_without(box, adapter) -> None:
    """On trial, with an adapter pulled once the order is given: what it delivered before is known then."""
    other = box.strategy.other
    box.strategy.listen()
    box.api.raw("/api/update/install", {"now": True})
    adapter.off()
    box.strategy.await_recording(other)
    assert ENTRIES[other] not in box.strategy.order()


@pytest.mark.lg_feature("emulated")
def test_a_clock_that_says_1970_stops_nobody(box):
    """The battery of the clock is empty: it records, says what its clock is worth, and mixes nothing up."""
    if box.strategy.power.rtc_base != LONG_AGO:
        box.strategy.cut()
        box.strategy.power.rtc_base = LONG_AGO
        box.strategy.transition("recording")
    box.strategy.power.rtc_base = None
    status = box.api.status()
    box.figures.append(f"the clock that began in 1970: {status['now']} ({status['clock_quality']})")
    started = status["store"]["durable_seq"]
    eventually("it records", DELIVER_SECONDS_MAX, lambda: box.api.status()["store"]["durable_seq"] > started)
    assert int(box.run("date +%Y")) > 2025
    assert box.api.history("navigation.speedOverGround", to="2000-01-01T00:00:00Z") == []
    assert box.api.write_order("When was that?") in box.api.orders()


def test_a_hang_on_trial_ends_in_the_old_slot(box, bundles):
    """systemd stands still, so nobody strokes the hardware's watchdog, which starts the machine again."""
    old = box.strategy.boots[-1].slot
    eventually("it lies ready", INSTALL_SECONDS_MAX, lambda: state(box)["staged"] == "0.6.0", AWAY)
    start(box)
    # Nobody is to call this trial good before it hangs.
    box.run("systemctl stop hawser")
    assert box.run("systemctl show --property RuntimeWatchdogUSec --value") == "30s"
    box.run("busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "
            f"RuntimeWatchdogUSec t {BITE_SECONDS * 1000000}")  # fmt: skip
    box.strategy.listen()
    box.run("systemd-run --quiet /bin/sh -c 'echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze'")
    if box.is_emulated:
        box.strategy.power.monitor.wait_event("WATCHDOG", BITTEN_SECONDS_MAX, action="reset")
    box.strategy.await_recording(old)
    assert box.strategy.order() == [ENTRIES[old]]


def test_a_bundle_of_an_older_schema_is_refused_before_it_is_written(box, bundles):
    """Whoever orders it is told why."""
    publish(box, bundles["0.7.0"])
    shore = f"https://{box.bench.uplink_host}:{box.around.terminator.port}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        box.api.raw("/api/update/install", {"bundle": f"{shore}/api/updates/{bundles['0.7.0'].name}", "now": True})
    assert "data schema 0" in json.loads(refused.value.read())["error"]["message"]
    assert state(box)["staged"] != "0.7.0"
