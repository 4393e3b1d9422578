"""Power cuts while the crew writes and the wires talk: nothing that was acknowledged is lost, the databases are whole.

The emulator is killed; what it had given to the host is on the disk then. A disk that loses what it had not flushed is
another test.
"""

import base64
import sqlite3
from pathlib import Path

import pytest
from rig.gateway import AWAY, Writer
from rig.wait import eventually

WRITES_SECONDS_MAX = 60.0
ORDERS_BEFORE_A_CUT = 20
STATE = "/var/lib/hawser"


@pytest.mark.parametrize("number", [1, 2])
def test_a_power_cut_loses_nothing_that_was_acknowledged(box, number):
    """The third of the cuts is that of a trial, test_4_updates.py."""
    writer = Writer(box.api)
    eventually("orders are acknowledged", WRITES_SECONDS_MAX, lambda: len(writer.acknowledged) > ORDERS_BEFORE_A_CUT)
    box.strategy.cut()
    writer.stop()
    box.strategy.transition("recording")
    assert box.strategy.boots[-1].data == "ok"
    assert set(writer.acknowledged) <= set(box.api.orders())
    last = eventually("the store is open", WRITES_SECONDS_MAX, lambda: box.api.status()["store"]["last_seq"], AWAY)
    assert last >= writer.durable_seq


def test_the_databases_are_whole_after_it(box, kept):
    """By SQLite's own check, of copies made while nobody writes."""
    box.run("systemctl stop hawser")
    try:
        names = box.run(f"find {STATE} -name '*.db' -o -name '*.sqlite'").split()
        copies = [copy(box, name, kept / "databases") for name in names]
    finally:
        box.run("systemctl start hawser")
    assert copies
    for path in copies:
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
            assert database.execute("PRAGMA foreign_key_check").fetchall() == [], path


def copy(box, name: str, folder: Path) -> Path:
    """A file of the box on the host; a log beside a database comes with it."""
    folder.mkdir(exist_ok=True)
    target = folder / Path(name).name
    for suffix in ("", "-wal"):
        beside = Path(f"{target}{suffix}")
        beside.unlink(missing_ok=True)
        packed = box.run(f"test ! -e {name}{suffix} || base64 {name}{suffix}")
        if packed:
            beside.write_bytes(base64.b64decode(packed))
    return target
