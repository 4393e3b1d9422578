//! The telemetry store: readings in day files, numbered, journalled in blocks, synced each second.
//!
//! `<dir>/2026-11-21.0007.db` is a SQLite file named by the UTC day of its first commit and a rising number; the
//! number is the order. The next one is opened at midnight, or when one is as large as it may be on this disk
//! ([`crate::store::space`]). One writer ([`TelemetryWriter`], driven by a [`WriterThread`]) commits a block of
//! readings a tick; any number of [`TelemetryReader`]s read without stopping it. It refuses to delete damage (that is
//! set aside in `quarantine/`), to give a number out twice, and to hide that a number is missing. Segments and rollups
//! are not here yet.
//!
//! # What a power cut takes
//!
//! At most the commits since the last sync; [`TelemetryWriter::sync`] tells the last number that is safe, and only
//! what is safe may be sent (DESIGN.md, invariant 4). With `synchronous=NORMAL` SQLite itself syncs only around
//! checkpoints, so the writer calls fdatasync(2) on the WAL through a descriptor of its own. Why that is enough:
//!
//! 1. Every committed frame is in the WAL since the last reset of the WAL, or in the database.
//! 2. Frames in the WAL: fdatasync writes the file's data and its length. A torn frame fails its check sum, and
//!    recovery stops before it, at a commit.
//! 3. Frames before a reset: the WAL is used again from its beginning only after a checkpoint has copied all of it. A
//!    checkpoint under NORMAL syncs the WAL before it copies and the database after (sqlite.org/wal.html,
//!    "Performance Considerations"), and the new header is synced before the first frame behind it, so that old and
//!    new frames never mix.
//! 4. Checkpoints are called here, right after a sync, never by SQLite inside a commit, where their errors are
//!    swallowed.
//! 5. The names: the directory is synced after a day file and its WAL are made, before anything in them is called
//!    safe, and after a seal, a quarantine and a prune.
//! 6. The WAL is one inode for as long as the writer's connection is open: SQLite unlinks it only when the last
//!    connection closes or the journal mode changes, and both happen only in [`day::OpenDay::seal`], after a sync.
//! 7. After a kill (not a power cut) committed rows may be in the page cache only. Opening syncs before it tells a
//!    number.
//!
//! The descriptor is opened before the first commit, because Linux tells a failed write-back once to each descriptor
//! that was open then (fsync(2), NOTES). The one case left: a sync fails and the process dies before the fresh file
//! is synced. The page cache may then show rows that the disk does not have, and a later sync does not say so.
//!
//! # When a file fails
//!
//! After a failed commit, sync or checkpoint the file is poisoned: dropped without a checkpoint, never written again
//! by this process. The batches since the last sync are kept in memory for this; they are written with the same
//! numbers into the next file, before anything else. So two files may hold the same numbers, and the later one counts
//! ([`sequence::visible`]). When the fresh file fails too, the caller keeps its batch, the bounded bus fills, and
//! tries are spaced out to 30 s.
//!
//! # Who may touch what
//!
//! `lock` is held with flock(2) by the writer. Nobody here opens a `.db` or `-shm` file but SQLite: closing such a
//! descriptor would drop the process's POSIX locks (sqlite.org/howtocorrupt.html, 2.2). A reader opens a file for a
//! call and holds no snapshot while its caller works; unlinking a file under it is safe. A closed day is in rollback
//! mode, without side files.

pub mod batch;
pub mod block;
pub mod day;
pub mod error;
pub mod files;
pub mod identity;
pub mod metrics;
pub mod reader;
pub mod recovery;
pub mod row;
pub mod schema;
pub mod sequence;
pub mod summary;
pub mod thread;
pub mod types;
pub mod view;
pub mod writer;

pub use error::TelemetryError;
pub use files::QuarantinedFile;
pub use metrics::StoreMetrics;
pub use reader::TelemetryReader;
pub use thread::{WriterHandle, WriterHealth, WriterReport, WriterThread};
pub use types::{
    Batch, Committed, CommittedBatch, FileOpened, Missing, MissingReason, OpenReason, Order, Query, QueryReport,
    Recovery, StoredReading, Synced, TelemetryStats,
};
pub use writer::TelemetryWriter;
