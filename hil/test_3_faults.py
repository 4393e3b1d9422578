"""Faults of operation: a full disk, a wrong configuration, a daemon that stands still."""

import json
import urllib.error

from rig.console import RECORDING
from rig.gateway import AWAY
from rig.wait import eventually

# hawser.service has WatchdogSec=30; then systemd ends it, waits two seconds and starts it again.
BITTEN_SECONDS_MAX = 120.0
FULL_SECONDS_MAX = 60.0
BALLAST = "/data/ballast"
# Blocks as they come, then one by one until there is none. dd ends with an error, as it must.
FILL = f"""\
dd if=/dev/zero of={BALLAST} bs=1M 2>/dev/null; dd if=/dev/zero bs=4k 2>/dev/null >>{BALLAST}; \
test $(stat -f -c %a /data) -eq 0"""
FILL_SECONDS_MAX = 600.0
TELEMETRY = "/var/lib/hawser/telemetry"
PAST_FILE = "2026-01-01.0000.db"
# A long voyage: a day file with others' numbers, so that its own do not count, made large. SQLite does not mind bytes
# behind the last page.
PAST = f"""\
cd {TELEMETRY} && cp "$(ls -- *.db | head -n 1)" {PAST_FILE} && chown hawser:hawser {PAST_FILE} && \
dd if=/dev/zero bs=1M count=48 >>{PAST_FILE} 2>/dev/null && sync"""
SLOTS = 4
CONFIGURATION = "/etc/hawser/gateway.toml"
SAID_SECONDS_MAX = 60.0
ORDERS_MAX = 2000


def test_a_full_disk_stops_neither_the_gateway_nor_the_box(box):
    """What it cannot keep it refuses, what it has said was kept is there, and with room it goes on by itself."""
    kept = [box.api.write_order("Before the disk was full")]
    pid = box.run("systemctl show --property MainPID --value hawser")
    try:
        box.run(FILL, timeout=FILL_SECONDS_MAX)
        assert refused(box, kept).code == 503
        assert is_alarmed(box)
    finally:
        box.run(f"rm -f {BALLAST}")
    stores_again(box)
    assert not is_alarmed(box)
    kept.append(box.api.write_order("After it"))
    assert set(kept) <= set(box.api.orders())
    assert box.run("systemctl show --property MainPID --value hawser") == pid


def test_a_gateway_that_is_started_on_a_full_disk_comes_back_by_itself(box):
    """Its oldest readings make room for new ones; where a stranger took the room it serves, and refuses by name."""
    kept = [box.api.write_order("Before the disk was full")]
    box.run(f"systemctl stop hawser && {PAST}")
    try:
        start_on_a_full_disk(box)
        stores_again(box)
        assert box.run(f"ls {TELEMETRY}/{PAST_FILE} || echo pruned").endswith("pruned")
        kept.append(box.api.write_order("In the room that pruning made"))

        box.run("systemctl stop hawser")
        start_on_a_full_disk(box)
        eventually("it says so", FULL_SECONDS_MAX, lambda: is_alarmed(box), AWAY)
        told = json.load(refused(box, kept))["error"]
        assert told["code"] == "disk_full" and "the disk is full" in told["message"], told
        assert set(kept) <= set(box.api.orders())

        box.strategy.reboot()
        eventually("it says so after a boot", FULL_SECONDS_MAX, lambda: is_alarmed(box), AWAY)
        assert box.run("cat /run/hawser/data-state") == "ok"
        assert set(kept) <= set(box.api.orders())
    finally:
        box.run(f"rm -f {BALLAST}; systemctl start hawser")
    stores_again(box)
    assert not is_alarmed(box)
    kept.append(box.api.write_order("After it"))
    assert set(kept) <= set(box.api.orders())


def start_on_a_full_disk(box) -> None:
    """One start is enough, and RAUC can be asked which slots there are."""
    box.run(FILL, timeout=FILL_SECONDS_MAX)
    before = box.run("systemctl show --property NRestarts --value hawser")
    box.run("systemctl start hawser", timeout=FULL_SECONDS_MAX)
    eventually("the API answers", FULL_SECONDS_MAX, lambda: box.api.status()["vessel"]["id"], AWAY)
    assert box.run("systemctl is-active hawser") == "active"
    assert box.run("systemctl show --property NRestarts --value hawser") == before
    assert len(json.loads(box.run("rauc status --output-format=json"))["slots"]) == SLOTS


def stores_again(box) -> None:
    """The writer waits up to half a minute between tries."""
    stored = box.api.status()["store"]["durable_seq"]
    eventually(
        "it stores again", FULL_SECONDS_MAX, lambda: box.api.status()["store"]["durable_seq"] > stored + 100, AWAY
    )


def is_alarmed(box) -> bool:
    """Whether it says that the disk is full now."""
    return any(alarm.startswith("the disk is full") for alarm in box.api.status()["alarms"])


def refused(box, kept: list[str]) -> urllib.error.HTTPError:
    """Writes work orders until one is refused: databases have some room of their own."""
    for number in range(ORDERS_MAX):
        try:
            kept.append(box.api.write_order(f"Order {number} of a full disk", description="x" * 8000))
        except urllib.error.HTTPError as error:
            return error
    raise AssertionError(f"{ORDERS_MAX} work orders were taken by a full disk")


def test_a_start_that_fails_tells_the_console_why_and_one_that_succeeds_later_says_so(box):
    """As at a start with a wrong word in the configuration; somebody mends it, and nobody starts anything."""
    tap = box.strategy.tap
    box.run(f"cp {CONFIGURATION} /run/kept.toml && systemctl stop hawser-console hawser")
    mark = tap.mark()
    box.run(f"echo 'baudd = 1' >>{CONFIGURATION}; ! systemctl start hawser")
    box.run("systemctl start hawser-waiting")
    tap.wait(r"not recording after \d+ s\s[^#]*gateway\.toml[^#]*baudd", mark, SAID_SECONDS_MAX)
    box.run(f"cat /run/kept.toml >{CONFIGURATION}")
    tap.wait(RECORDING, mark, SAID_SECONDS_MAX)
    assert box.run("systemctl is-active hawser-waiting.timer") == "active"


def test_the_watchdog_bites_a_daemon_that_stands_still(box):
    """Stopped as by a fault of the kernel's or its own: systemd ends it and starts another, which records."""
    first = box.run("systemctl show --property MainPID --value hawser")
    box.run(f"kill -STOP {first}")
    second = eventually("another process", BITTEN_SECONDS_MAX, lambda: other_process(box, first))
    assert "Watchdog timeout" in box.run("journalctl --boot --unit hawser --output cat --no-pager")
    eventually("it records", BITTEN_SECONDS_MAX, lambda: box.api.bus("gps")["readings"] > 0, AWAY)
    assert box.run("systemctl show --property MainPID --value hawser") == second


def other_process(box, first: str) -> str:
    """The daemon's process, when it is another one and has told that it is ready."""
    state = box.run("systemctl show --property MainPID,ActiveState --value hawser").split()
    return state[0] if state[0] != first and state[1] == "active" else ""
