//! What is kept how long: plan, then apply.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::clock::{Clock, Now, Stamp};
use crate::config::gateway::RetentionConfig;

/// A day file, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayFile {
    /// Its place in the order.
    pub number: u64,
    /// The UTC day in its name; a help for people, not used in decisions.
    pub day: String,
    /// The database file.
    pub path: PathBuf,
    /// Bytes with -wal and -shm.
    pub bytes: u64,
    /// Readings in it that count (not superseded).
    pub readings: u64,
    /// The first number in it that counts; `None` when empty.
    pub first_seq: Option<u64>,
    /// The last number in it that counts; `None` when empty.
    pub last_seq: Option<u64>,
    /// When its last row was committed, by the clock of then.
    pub newest_at: Option<Stamp>,
    /// Whether it is the one that is written.
    pub active: bool,
    /// Whether it can be read. What cannot be read is never pruned: an alarm is, and a person decides.
    pub readable: bool,
}

/// Why a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneReason {
    /// Older than `telemetry_days`, and delivered or meant for nobody.
    Age,
    /// The store is over `telemetry_bytes_max` and this is the oldest.
    Bytes,
}

/// A file that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Which.
    pub file: DayFile,
    /// Why.
    pub reason: PruneReason,
    /// What in it was meant for somebody and not delivered: a row in the loss ledger, written before [`apply`].
    pub undelivered: Option<RangeInclusive<u64>>,
}

/// What a prune did (B6, B7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Readings deleted.
    pub telemetry_deleted: u64,
    /// Bytes given back.
    pub bytes_freed: u64,
    /// Files unlinked.
    pub files: u64,
    /// Milliseconds taken.
    pub duration_ms: u64,
    /// Files that could not be unlinked, and why. The next prune tries again.
    pub failed: Vec<(PathBuf, String)>,
}

/// Decides what goes. `delivered_seq`: the last number that everybody it is meant for has acknowledged; `None`: it is meant for nobody.
pub fn plan(_files: &[DayFile], _delivered_seq: Option<u64>, _now: &Now, _config: &RetentionConfig) -> Vec<Prune> {
    unimplemented!("skeleton")
}

/// Unlinks what was planned. Never fails as a whole (B9).
pub fn apply(_prunes: &[Prune], _clock: &Clock) -> PruneReport {
    unimplemented!("skeleton")
}
