//! The numbers of the store.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The numbers of the store; clones share them.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// Readings committed.
    pub readings: Counter,
    /// Commits.
    pub commits: Counter,
    /// Commits that failed; the batch was kept and tried again.
    pub commit_errors: Counter,
    /// Seconds that a commit took.
    pub commit_seconds: Histogram,
    /// Microseconds that the last commit took. Not registered; for pages.
    pub last_commit_us: Gauge,
    /// Syncs to the disk.
    pub syncs: Counter,
    /// Syncs that failed.
    pub sync_errors: Counter,
    /// Day files that failed and were replaced. Each one is an alarm.
    pub files_poisoned: Counter,
    /// The last number that is safe from a power cut.
    pub durable_seq: Gauge,
    /// Readings drained from the bus that wait for a commit to succeed.
    pub pending: Gauge,
    /// Bytes of the day file that is written, with its WAL.
    pub active_file_bytes: Gauge,
}

/// The shortest commit told apart, seconds: some 0.1 ms are usual. 14 doublings reach 1.6 s.
const COMMIT_SECONDS_MIN: f64 = 0.000_1;

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            readings: Counter::default(),
            commits: Counter::default(),
            commit_errors: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(COMMIT_SECONDS_MIN, 2.0, 15)),
            last_commit_us: Gauge::default(),
            syncs: Counter::default(),
            sync_errors: Counter::default(),
            files_poisoned: Counter::default(),
            durable_seq: Gauge::default(),
            pending: Gauge::default(),
            active_file_bytes: Gauge::default(),
        }
    }
}

impl StoreMetrics {
    /// Registers them as `telemetry_...`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("telemetry");
        registry.register("readings", "Readings committed", self.readings.clone());
        registry.register("commits", "Commits of readings", self.commits.clone());
        registry.register("commit_errors", "Commits that failed and were tried again", self.commit_errors.clone());
        let help = "Time that a commit took";
        registry.register_with_unit("commit_duration", help, Unit::Seconds, self.commit_seconds.clone());
        registry.register("syncs", "Syncs of readings to the disk", self.syncs.clone());
        registry.register("sync_errors", "Syncs that failed", self.sync_errors.clone());
        let help = "Day files that failed and were replaced by a fresh one";
        registry.register("files_poisoned", help, self.files_poisoned.clone());
        registry.register("durable_seq", "Last reading that is safe from a power cut", self.durable_seq.clone());
        registry.register("pending_readings", "Readings that wait for a commit to succeed", self.pending.clone());
        let help = "Size of the day file that is written";
        registry.register_with_unit("active_file", help, Unit::Bytes, self.active_file_bytes.clone());
    }
}
