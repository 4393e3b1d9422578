//! The thread that drives the writer.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::sync::{broadcast, watch};

use super::{CommittedBatch, FileOpened, TelemetryError, TelemetryWriter};
use crate::bus::Bus;
use crate::clock::Clock;
use crate::config::gateway::StoreConfig;

/// The numbers of the store.
#[derive(Clone, Debug, Default)]
pub struct StoreMetrics;

impl StoreMetrics {
    /// Registers them as `telemetry_*`.
    pub fn register(&self, _registry: &mut Registry) {}
}

/// Starts the thread.
#[derive(Debug)]
pub struct WriterThread;

impl WriterThread {
    /// Drives `writer` from `bus` until [`WriterHandle::shutdown`].
    pub fn spawn(
        _writer: TelemetryWriter,
        _bus: Bus,
        _config: &StoreConfig,
        _clock: Clock,
        _metrics: StoreMetrics,
    ) -> Result<WriterHandle, TelemetryError> {
        unimplemented!("skeleton")
    }
}

/// A running writer.
#[derive(Debug)]
pub struct WriterHandle;

impl WriterHandle {
    /// The last number that is safe from a power cut.
    pub fn durable_seq(&self) -> watch::Receiver<u64> {
        unimplemented!("skeleton")
    }
    /// What is committed from now on. A receiver that lags loses the oldest and is told how many.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CommittedBatch>> {
        unimplemented!("skeleton")
    }
    /// Whether the thread still runs. When not, the gateway must stop: nothing is stored any more.
    pub fn is_running(&self) -> bool {
        unimplemented!("skeleton")
    }
    /// Drains the bus until it is empty, commits, syncs, checkpoints, closes. Blocking. Stop the sensors first.
    pub fn shutdown(self) -> WriterReport {
        unimplemented!("skeleton")
    }
}

/// What the writer did until its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterReport {
    /// Readings committed.
    pub readings: u64,
    /// The last number that is safe from a power cut.
    pub durable_seq: u64,
    /// Readings that were drained from the bus and could not be committed at the end: lost.
    pub lost: u64,
    /// What went wrong at the end.
    pub error: Option<String>,
    /// The last file that was opened because another one failed.
    pub last_alarm: Option<FileOpened>,
}
