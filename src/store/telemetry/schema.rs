//! The tables of a day file. Every version that shipped is a fixture under `tests/fixtures/`.

use crate::store::sqlite::Migration;

/// `PRAGMA application_id` of a day file: "HwTl". `file(1)` and the recovery tell it from other databases by this.
pub const APPLICATION_ID: u32 = 0x4877_546C;

/// The steps from an empty file to today's schema. Times are microseconds since 1970 UTC, as `Stamp`.
///
/// No index but the keys: a page more to write in each commit would cost a third of the flash wear. A closed day gets
/// better than an index, its segments.
pub const MIGRATIONS: &[Migration] = &[Migration(
    "CREATE TABLE series (
         id INTEGER PRIMARY KEY,
         context TEXT NOT NULL,
         path TEXT NOT NULL,
         source TEXT NOT NULL,
         instance TEXT NOT NULL,
         UNIQUE (context, path, source, instance)
     ) STRICT;
     CREATE TABLE journal (
         first_seq INTEGER PRIMARY KEY,
         count INTEGER NOT NULL,
         committed_at INTEGER NOT NULL,
         boot_id BLOB NOT NULL,
         mono_ms INTEGER NOT NULL,
         clock_quality TEXT NOT NULL,
         observed_min INTEGER NOT NULL,
         observed_max INTEGER NOT NULL,
         crc32c INTEGER NOT NULL,
         block BLOB NOT NULL
     ) STRICT;
     CREATE TABLE meta (
         key TEXT PRIMARY KEY,
         value ANY NOT NULL
     ) STRICT;",
)];

/// The newest schema version.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;
