//! Reading the day files while they are written and pruned.

use std::ops::ControlFlow;
use std::path::Path;

use super::{Batch, Query, QueryReport, StoredReading, TelemetryError, TelemetryStats};
use crate::store::retention::DayFile;

/// Reads a telemetry directory; clones share what was learned of closed files. Blocking: call it off the async threads.
#[derive(Clone, Debug)]
pub struct TelemetryReader;

impl TelemetryReader {
    /// A reader of a directory, which may not exist yet.
    pub fn new(_dir: &Path) -> Self {
        unimplemented!("skeleton")
    }
    /// What is stored.
    pub fn stats(&self) -> Result<TelemetryStats, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// The day files, oldest first, for [`crate::store::retention::plan`].
    pub fn day_files(&self) -> Result<Vec<DayFile>, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// Gives the readings asked for, one by one, memory bounded.
    pub fn query(
        &self,
        _query: &Query,
        _visit: impl FnMut(StoredReading) -> ControlFlow<()>,
    ) -> Result<QueryReport, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// The sequence after `after_seq` up to `up_to_seq` (the durable one). At least one reading when there is one.
    pub fn batch_after(
        &self,
        _after_seq: u64,
        _up_to_seq: u64,
        _readings_max: usize,
        _bytes_max: usize,
    ) -> Result<Batch, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// The newest value of each series in the newest file that has any.
    pub fn latest(&self) -> Result<Vec<StoredReading>, TelemetryError> {
        unimplemented!("skeleton")
    }
}
