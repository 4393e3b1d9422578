"""Power cuts while the crew writes and the wires talk: nothing that was acknowledged is lost, the databases are whole.

The emulator is killed; what it had given to the host is on the disk then. A disk that loses what it had not flushed is
another test.
"""

import shutil
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
    shutil.rmtree(kept / "databases", ignore_errors=True)
    box.run("systemctl stop hawser")
    try:
        names = box.run(f"find {STATE} -name '*.db' -o -name '*.db-wal' -o -name '*.sqlite*'").split()
        copies = [copy(box, name, kept / "databases") for name in names]
    finally:
        box.run("systemctl start hawser")
    databases = [path for path in copies if not path.name.endswith("-wal")]
    assert databases
    for path in databases:
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
            assert database.execute("PRAGMA foreign_key_check").fetchall() == [], path


def copy(box, name: str, folder: Path) -> Path:
    """A file of the box on the host; a log beside a database comes with it."""
    folder.mkdir(exist_ok=True)
    target = folder / name.removeprefix(STATE).strip("/").replace("/", "_")
    target.write_bytes(box.strategy.ssh.fetch(name))
    return target
