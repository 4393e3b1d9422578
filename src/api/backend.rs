//! What the HTTP room asks of the gateway behind it. One trait; the gateway implements it, tests bring a small real
//! one.
//!
//! Every method is plain and may block: the routes call it on a blocking thread, never on the runtime's, and never more
//! than a bounded number at once. The routes hold no state of the gateway themselves.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};

/// The gateway, as the API sees it.
pub trait Backend: Send + Sync + 'static {
    /// The state of everything. Asked once a second while somebody watches; keep it to atomics and short locks.
    fn status(&self) -> Status;

    /// Why the process should be restarted, one sentence each; empty when it lives (the writer ticked within
    /// [`WRITER_SILENCE_MAX_MS`]). A missing link or a silent bus is no reason.
    fn faults(&self) -> Vec<String>;

    /// Why it cannot serve yet, one sentence each; empty when the store is open and everything listens.
    fn not_ready(&self) -> Vec<String>;

    /// Writes all metrics as OpenMetrics text.
    fn metrics(&self, out: &mut String) -> fmt::Result;

    /// Figures of the telemetry store (B8).
    fn telemetry_stats(&self) -> Result<TelemetryStats, BackendError>;

    /// Prunes now, by the configured retention (B7).
    fn prune(&self) -> Result<Pruned, BackendError>;

    /// Hands the readings that `query` asks for to `row`, oldest first; stops early when `row` returns false.
    fn history(&self, query: &HistoryQuery, row: &mut dyn FnMut(HistoryRow) -> bool) -> Result<(), BackendError>;

    /// `GET /api/mqtt/health` (Q1, Q2).
    fn mqtt_health(&self) -> serde_json::Value;

    /// `GET /api/mqtt/reliable-sync/health` (Q3).
    fn reliable_sync_health(&self) -> serde_json::Value;
}

/// A writer that has not ticked for so long is dead: 100 times its usual tick, and twice the slowest eMMC commit seen.
pub const WRITER_SILENCE_MAX_MS: u64 = 10_000;

/// B8, names as the documents spell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TelemetryStats {
    /// Readings stored.
    pub telemetry_rows: u64,
    /// Megabytes (10^6 bytes) on disk.
    #[serde(rename = "databaseSizeMB")]
    pub database_size_mb: f64,
    /// Days that raw telemetry is kept.
    pub retention_days: u32,
}

/// What a prune did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Readings deleted.
    pub readings_deleted: u64,
}

/// Which readings are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryQuery {
    /// Whom they are about.
    pub context: Context,
    /// Exact Signal K path.
    pub path: String,
    /// Exact source, or any.
    pub source: Option<String>,
    /// Not observed before this.
    pub from: Stamp,
    /// Observed before this.
    pub to: Stamp,
    /// At most so many rows.
    pub limit: usize,
}

/// One reading of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    /// When it was measured.
    pub observed_at: Stamp,
    /// Who measured it.
    pub source: Arc<str>,
    /// Which of several alike; empty when there is one.
    pub instance: Arc<str>,
    /// The value, SI.
    pub value: Value,
    /// Whether it can be used.
    pub quality: Quality,
}

/// The gateway said no, or could not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// It cannot now; asking again later may work.
    #[error("{0}")]
    Unavailable(String),
    /// It will never do that.
    #[error("{0}")]
    Refused(String),
    /// It broke.
    #[error("{0}")]
    Failed(String),
}

impl BackendError {
    /// Whether asking again later may work.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
