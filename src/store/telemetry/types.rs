//! The words of the telemetry store: what goes in, what comes out, what is told about it. No I/O, no SQL.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::files::QuarantinedFile;
use crate::clock::{ClockQuality, Stamp};
use crate::reading::{Context, Quality, Reading, SeriesKey, Value};

/// A reading as the store gives it back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReading {
    /// Its number in this store's sequence, from 1, rising by 1. Given out once, together with the store's id.
    pub seq: u64,
    /// What was measured, and by whom.
    pub key: Arc<SeriesKey>,
    /// When it was measured.
    pub observed_at: Stamp,
    /// When its last byte reached the gateway.
    pub received_at: Stamp,
    /// The value, SI.
    pub value: Value,
    /// Whether the value can be used.
    pub quality: Quality,
    /// How far the clock could be trusted when it was committed.
    pub clock_quality: ClockQuality,
}

/// Which way a query walks: along the sequence, that is in the order of arrival. `observed_at` may differ from it by as
/// much as a sensor is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the oldest.
    #[default]
    OldestFirst,
    /// From the newest.
    NewestFirst,
}

/// What a query asks for. An empty field asks for everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Whom it is about.
    pub context: Option<Context>,
    /// A path, or the beginning of paths with `*` behind: `navigation.*`.
    pub path: Option<String>,
    /// A source, exact.
    pub source: Option<String>,
    /// Observed at this time or later.
    pub from: Option<Stamp>,
    /// Observed before this time.
    pub to: Option<Stamp>,
    /// The most readings given.
    pub limit: usize,
    /// Which way.
    pub order: Order,
}

impl Default for Query {
    fn default() -> Self {
        let (context, path, source, from, to) = (None, None, None, None, None);
        Self { context, path, source, from, to, limit: usize::MAX, order: Order::OldestFirst }
    }
}

impl Query {
    /// Whether a series is asked for.
    pub fn matches(&self, key: &SeriesKey) -> bool {
        let path = self.path.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(beginning) => key.path.starts_with(beginning),
            None => key.path == wanted,
        });
        path && self.context.is_none_or(|wanted| key.context == wanted)
            && self.source.as_deref().is_none_or(|wanted| &*key.source == wanted)
    }

    /// Whether a time is asked for.
    pub fn covers(&self, observed_at: Stamp) -> bool {
        self.from.is_none_or(|from| observed_at >= from) && self.to.is_none_or(|to| observed_at < to)
    }
}

/// What a query met on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryReport {
    /// Readings given.
    pub readings: usize,
    /// Journal rows whose check sum or block was wrong; their readings are missing from the answer.
    pub corrupt_blocks: u64,
    /// Day files that could not be read, or not to their end.
    pub unreadable_files: u64,
}

/// Why numbers are missing from the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// No file holds them: pruned, quarantined, or skipped over when a damaged file was set aside.
    Gone,
    /// A file should hold them, but its check sums or pages are wrong.
    Corrupt,
    /// They are in a file that a newer program wrote.
    Newer,
}

/// Numbers that are missing from the sequence, first and last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The first missing number.
    pub first: u64,
    /// The last missing number.
    pub last: u64,
    /// Why.
    pub reason: MissingReason,
}

impl Missing {
    /// How many numbers. At most this many readings: a damaged file's own count is not known.
    pub const fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// A piece of the sequence. The caller's next cursor is `next_seq - 1`, whether readings are in it or only missing
/// ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The number of the first reading; `next_seq` when there is none.
    pub first_seq: u64,
    /// The readings, dense from `first_seq`.
    pub readings: Vec<StoredReading>,
    /// The number after the last reading, or after the missing ones when there is no reading.
    pub next_seq: u64,
    /// The numbers between the cursor and `first_seq` that are missing. A hole further on ends the batch.
    pub missing: Option<Missing>,
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TelemetryStats {
    /// Readings, counted by SQL from the journal rows, each once.
    pub readings: u64,
    /// Bytes of the day files with their -wal and -shm.
    pub bytes: u64,
    /// Day files.
    pub files: u64,
    /// Day files that cannot be read.
    pub unreadable_files: u64,
    /// Bytes of the files set aside in `quarantine/`.
    pub quarantine_bytes: u64,
    /// The first number.
    pub first_seq: Option<u64>,
    /// The last number committed.
    pub last_seq: Option<u64>,
    /// The oldest observation.
    pub oldest_observed: Option<Stamp>,
    /// The newest observation.
    pub newest_observed: Option<Stamp>,
}

/// Readings as they were committed; shared between the writer's tail and all who listen.
#[derive(Clone, Debug)]
pub struct CommittedBatch {
    /// The number of the first reading.
    pub first_seq: u64,
    /// The readings; the i-th has the number `first_seq + i`.
    pub readings: Arc<Vec<Reading>>,
}

/// Why a day file was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenReason {
    /// There was none to continue.
    Start,
    /// The UTC day of the clock is another: midnight, or a step of the clock.
    Day,
    /// The file knew too many series.
    SeriesLimit,
    /// The file was as large as a day file may be on this disk.
    Size,
    /// The file before failed and is never written again. An alarm. Nothing is lost: the un-synced tail was written
    /// again.
    Poisoned {
        /// The file that failed.
        file: PathBuf,
        /// What failed.
        cause: String,
    },
}

/// A day file was opened for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOpened {
    /// Which.
    pub file: PathBuf,
    /// Why.
    pub reason: OpenReason,
}

/// Readings were committed: seen by readers at once, safe from a power cut only when [`Synced::durable_seq`] has
/// passed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The number of the first.
    pub first_seq: u64,
    /// How many.
    pub count: u64,
    /// The day file that was opened on the way; an alarm when its reason is [`OpenReason::Poisoned`].
    pub opened: Option<FileOpened>,
}

/// Everything committed is safe from a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The last number that is safe.
    pub durable_seq: u64,
    /// The day file that was opened on the way; an alarm when its reason is [`OpenReason::Poisoned`].
    pub opened: Option<FileOpened>,
}

/// What was found when the store was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// Identifies the sequence of numbers.
    pub store_id: Uuid,
    /// The number that the next reading gets.
    pub next_seq: u64,
    /// The day file that is written now, and why it was opened; `None` reason means that it is continued.
    pub opened: Option<FileOpened>,
    /// The day file that is written now.
    pub file: PathBuf,
    /// Files set aside. Each one is an alarm.
    pub quarantined: Vec<QuarantinedFile>,
    /// Files of a newer program, left where they are and not read. Each one is an alarm.
    pub newer: Vec<PathBuf>,
    /// Numbers skipped because files whose numbers are not known were set aside or are newer than the program.
    pub skipped: Option<RangeInclusive<u64>>,
}

/// What a reading costs beside its texts, about: number, two times, value, qualities, as compact JSON.
const READING_BYTES: usize = 120;

impl StoredReading {
    /// About how many bytes it takes as JSON; for batches that are bounded by bytes.
    pub fn bytes_estimate(&self) -> usize {
        let text = if let Value::Text(text) = &self.value { text.len() } else { 0 };
        READING_BYTES + self.key.path.len() + self.key.source.len() + self.key.instance.len() + text
    }
}
