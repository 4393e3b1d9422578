//! The one writer of the day files.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::{Committed, Recovery, Synced, TelemetryError};
use crate::clock::Now;
use crate::entropy::Entropy;
use crate::reading::Reading;

/// The one writer of a telemetry directory.
#[derive(Debug)]
pub struct TelemetryWriter;

impl TelemetryWriter {
    /// Opens the directory, made when missing.
    pub fn open(_dir: &Path, _now: &Now, _entropy: &Entropy) -> Result<(Self, Recovery), TelemetryError> {
        unimplemented!("skeleton")
    }
    /// Commits readings, one transaction. On an error nothing was taken: the caller keeps the batch.
    pub fn apply(&mut self, _batch: &[Reading], _now: &Now) -> Result<Committed, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// The same without copying.
    pub fn apply_shared(&mut self, _batch: &Arc<Vec<Reading>>, _now: &Now) -> Result<Committed, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// Makes everything committed safe from a power cut.
    pub fn sync(&mut self, _now: &Now) -> Result<Synced, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// The last number that is safe from a power cut; 0 when none.
    pub fn durable_seq(&self) -> u64 {
        unimplemented!("skeleton")
    }
    /// Identifies the sequence of numbers.
    pub fn store_id(&self) -> Uuid {
        unimplemented!("skeleton")
    }
    /// Gives the sequence a new identity (a copy of the directory on a second vessel).
    pub fn renew_store_id(&mut self, _entropy: &Entropy) -> Result<Uuid, TelemetryError> {
        unimplemented!("skeleton")
    }
    /// Syncs, checkpoints and closes the file.
    pub fn close(self, _now: &Now) -> Result<Synced, TelemetryError> {
        unimplemented!("skeleton")
    }
}
