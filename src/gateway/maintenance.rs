//! Pruning, now and then: plan, write down what will be lost, then apply.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backend::GatewayBackend;
use crate::store::records::{Loss, RecordError};
use crate::store::retention::{self, PruneReport};
use crate::store::telemetry::TelemetryError;
use crate::sync::readings::LOSS_READINGS;

/// After the start, so that the first prune does not compete with it (B4).
const FIRST_AFTER: Duration = Duration::from_secs(30);

/// Between prunes the byte quota is looked at more often than the age: a disk fills in minutes.
const QUOTA_INTERVAL: Duration = Duration::from_secs(600);

/// What a person is told; how many is in the log and in the loss ledger.
const LOSS_ALARM: &str = "readings were pruned before the shore had them; see the log for how many";

/// Why a prune did not happen. The gateway goes on (B9).
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The files could not be listed.
    #[error("pruning: {0}")]
    Telemetry(#[from] TelemetryError),
    /// The loss could not be written down, so nothing was deleted.
    #[error("pruning: the loss ledger could not be written, so nothing was deleted: {0}")]
    Ledger(#[from] RecordError),
}

/// Prunes until cancelled.
pub async fn run(backend: Arc<GatewayBackend>, stop: CancellationToken) {
    let mut wait = FIRST_AFTER;
    let every = Duration::from_secs(u64::from(backend.config.retention.interval_hours) * 3_600).min(QUOTA_INTERVAL);
    while stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = every;
        let backend = Arc::clone(&backend);
        match tokio::task::spawn_blocking(move || prune(&backend)).await {
            Ok(Ok(report)) if report.files > 0 => tracing::info!(?report, "pruned"),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!("{error}"),
            Err(error) => tracing::error!("pruning broke: {error}"),
        }
    }
}

/// Prunes once. Blocking.
pub fn prune(backend: &GatewayBackend) -> Result<PruneReport, PruneError> {
    let files = backend.telemetry.reader.day_files()?;
    let now = backend.clock.now();
    let plan = retention::plan(&files, backend.delivered_seq()?, &now, &backend.config.retention);
    for prune in &plan {
        let Some(range) = &prune.undelivered else { continue };
        let loss = Loss {
            what: LOSS_READINGS.to_owned(),
            store_id: backend.telemetry.store_id.clone(),
            first: *range.start(),
            last: *range.end(),
            count: range.end() - range.start() + 1,
            reason: format!("pruned by {}", prune.reason.name()),
        };
        let count = loss.count;
        let owner = backend.store.owner().to_owned();
        let write = backend.store.write(move |rows| rows.write_loss(&owner, &loss, now.wall, false));
        backend.runtime.block_on(write)?;
        // One text without the number: each prune with another one would push other alarms out.
        tracing::error!(
            readings = count,
            reason = prune.reason.name(),
            "readings are pruned before the shore has them"
        );
        backend.alarms.raise(LOSS_ALARM);
    }
    let report = retention::apply(&plan, &backend.clock);
    for (path, why) in &report.failed {
        tracing::warn!(path = %path.display(), why, "a day file could not be pruned; the next prune tries again");
    }
    *backend.stats.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    Ok(report)
}
