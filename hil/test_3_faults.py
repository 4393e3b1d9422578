"""Faults of operation that need no reboot: a full disk, a daemon that stands still."""

import urllib.error

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
ORDERS_MAX = 2000


def test_a_full_disk_stops_neither_the_gateway_nor_the_box(box):
    """What it cannot keep it refuses, what it has said was kept is there, and with room it goes on by itself."""
    kept = [box.api.write_order("Before the disk was full")]
    pid = box.run("systemctl show --property MainPID --value hawser")
    try:
        box.run(FILL, timeout=FILL_SECONDS_MAX)
        assert refused(box, kept).code == 503
        assert box.api.status()["vessel"]["id"]
    finally:
        box.run(f"rm -f {BALLAST}")
    stored = box.api.status()["store"]["durable_seq"]
    eventually(
        "it stores again", FULL_SECONDS_MAX, lambda: box.api.status()["store"]["durable_seq"] > stored + 100, AWAY
    )
    assert any("disk is full" in alarm for alarm in box.api.status()["alarms"])
    kept.append(box.api.write_order("After it"))
    assert set(kept) <= set(box.api.orders())
    assert box.run("systemctl show --property MainPID --value hawser") == pid


def refused(box, kept: list[str]) -> urllib.error.HTTPError:
    """Writes work orders until one is refused: databases have some room of their own."""
    for number in range(ORDERS_MAX):
        try:
            kept.append(box.api.write_order(f"Order {number} of a full disk", description="x" * 8000))
        except urllib.error.HTTPError as error:
            return error
    raise AssertionError(f"{ORDERS_MAX} work orders were taken by a full disk")


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
