//! Pruning, now and then: plan, write down what will be lost, then apply. When the disk is short of room, at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backend::GatewayBackend;
use crate::store::records::{Loss, RecordError};
use crate::store::retention::{self, Prune, PruneReport};
use crate::store::space::{Reserve, Space};
use crate::store::telemetry::TelemetryError;
use crate::sync::readings::LOSS_READINGS;

/// After the start, so that the first prune does not compete with it (B4).
const FIRST_AFTER: Duration = Duration::from_secs(30);

/// Between prunes the byte quota is looked at more often than the age.
const QUOTA_INTERVAL: Duration = Duration::from_secs(600);

/// Between looks at the room on the disk, which cost nothing: somebody else fills it in no time.
const SPACE_INTERVAL: Duration = Duration::from_secs(5);

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
    let every = Duration::from_secs(u64::from(backend.config.retention.interval_hours) * 3_600).min(QUOTA_INTERVAL);
    let mut wait = FIRST_AFTER;
    loop {
        let space = look(&backend.config.data.dir);
        if is_due(wait, space) {
            wait = every;
            let backend = Arc::clone(&backend);
            match tokio::task::spawn_blocking(move || prune(&backend)).await {
                Ok(Ok(report)) if report.files > 0 => tracing::info!(?report, "pruned"),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!("{error}"),
                Err(error) => tracing::error!("pruning broke: {error}"),
            }
        }
        let nap = wait.min(SPACE_INTERVAL);
        if stop.run_until_cancelled(tokio::time::sleep(nap)).await.is_none() {
            return;
        }
        wait -= nap;
    }
}

/// Whether to prune now: it is time, or room is short.
fn is_due(wait: Duration, space: Option<Space>) -> bool {
    wait.is_zero() || space.is_some_and(|space| space.is_short())
}

/// The room on the disk; `None` when it cannot be asked, and then the configured quota alone bounds the readings.
fn look(dir: &Path) -> Option<Space> {
    Space::of(dir).inspect_err(|error| tracing::warn!(%error, "the room on the disk cannot be told")).ok()
}

/// Prunes once. Blocking.
pub fn prune(backend: &GatewayBackend) -> Result<PruneReport, PruneError> {
    let reserve = Reserve::new(&backend.config.data.dir);
    let files = backend.telemetry.reader.day_files()?;
    let used_bytes = files.iter().map(|file| file.bytes).sum();
    let space_bytes_max = look(&backend.config.data.dir)
        .map_or(u64::MAX, |space| space.telemetry_bytes_max(used_bytes, reserve.held_bytes()));
    let (delivered_seq, now) = (backend.delivered_seq()?, backend.clock.now());
    let plan = retention::plan(&files, delivered_seq, &now, &backend.config.retention, space_bytes_max);
    // The ledger needs room too, before a prune has made any.
    let given_up = plan.iter().any(|prune| prune.undelivered.is_some()) && reserve.give_up_when_full();
    let written = write_losses(backend, &plan);
    let report = if written.is_ok() { retention::apply(&plan, &backend.clock) } else { PruneReport::default() };
    reserve.keep(given_up);
    written?;
    for (path, why) in &report.failed {
        tracing::warn!(path = %path.display(), why, "a day file could not be pruned; the next prune tries again");
    }
    *backend.stats.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    Ok(report)
}

/// Writes down what the shore will never have, before it is deleted.
fn write_losses(backend: &GatewayBackend, plan: &[Prune]) -> Result<(), RecordError> {
    for prune in plan {
        let Some(range) = &prune.undelivered else { continue };
        let loss = Loss {
            what: LOSS_READINGS.to_owned(),
            store_id: backend.telemetry.store_id.clone(),
            first: *range.start(),
            last: *range.end(),
            count: range.end() - range.start() + 1,
            reason: format!("pruned by {}", prune.reason.name()),
        };
        let (count, wall) = (loss.count, backend.clock.now().wall);
        let owner = backend.store.owner().to_owned();
        let write = backend.store.write(move |rows| rows.write_loss(&owner, &loss, wall, false));
        backend.runtime.block_on(write)?;
        // One text without the number: each prune with another one would push other alarms out.
        tracing::error!(
            readings = count,
            reason = prune.reason.name(),
            "readings are pruned before the shore has them"
        );
        backend.alarms.raise(LOSS_ALARM);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_pruned_when_it_is_time_and_at_once_when_room_is_short() {
        let room = Space { total_bytes: 1 << 30, available_bytes: 1 << 29 };
        let short = Space { available_bytes: 1 << 20, ..room };
        assert!(is_due(Duration::ZERO, Some(room)) && is_due(Duration::ZERO, None));
        assert!(!is_due(FIRST_AFTER, Some(room)) && !is_due(FIRST_AFTER, None));
        assert!(is_due(FIRST_AFTER, Some(short)));
    }
}
