"""Which data the program understands: the number that a bundle's manifest tells, and a box compares before it updates.

One number for all databases: how many steps their schemas have in all. A step that has landed is never edited and never
taken back, so a later program's number is never smaller.
"""

import re
from pathlib import Path

SOURCES = ("src/store/records/schema.rs", "src/store/telemetry/schema.rs")
STEPS = re.compile(r"^pub const MIGRATIONS: &\[Migration\] = &\[(.*?)\];$", re.MULTILINE | re.DOTALL)


class SchemaError(Exception):
    """The sources no longer say it in the form that is read here."""


def count_steps(source: str) -> int:
    """The steps of one database: entries of its list of migrations."""
    found = STEPS.findall(source)
    steps = len(re.findall(r"\bMigration\(", found[0])) if len(found) == 1 else 0
    if steps == 0:
        raise SchemaError("no list `MIGRATIONS` of steps")
    return steps


def of_sources(repository: Path) -> int:
    """The number for the program of this checkout."""
    total = 0
    for name in SOURCES:
        try:
            total += count_steps((repository / name).read_text())
        except (OSError, SchemaError) as error:
            raise SchemaError(f"{name}: {error}") from None
    return total
