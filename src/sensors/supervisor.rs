//! Keeps the task of a bus alive: a panic in it is caught at the task's edge, logged, counted, and the bus started
//! again after a wait that grows. Other buses notice nothing. It refuses to hide a bus that breaks: its state and last
//! error say so.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::Tuning;
use super::backoff::Backoff;
use super::stats::{BusState, BusStats};

/// Runs what `start` makes until it returns, which a bus does only when told to stop; again after each panic.
pub(crate) async fn supervise<F, Fut>(
    stats: Arc<BusStats>,
    clock: Clock,
    tuning: Tuning,
    mut backoff: Backoff,
    shutdown: CancellationToken,
    mut start: F,
) where
    F: FnMut() -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    loop {
        let began_ms = clock.now().mono_ms;
        let Err(broken) = tokio::spawn(start()).await else { break };
        let why = broken.try_into_panic().map_or_else(|_| "its task was stopped".to_owned(), |panic| words(&*panic));
        stats.restarted();
        stats.failed(&format_args!("the bus task broke: {why}"));
        stats.set_state(BusState::Connecting);
        if clock.now().mono_ms.saturating_sub(began_ms) >= tuning.stable_after.as_millis() as u64 {
            backoff.reset();
        }
        let wait = backoff.next();
        tracing::error!(bus = stats.name(), %why, ?wait, "the bus task broke, it starts again");
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    stats.set_state(BusState::Closed);
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no words").chars().take(super::stats::ERROR_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::config::Protocol;
    use crate::entropy::Entropy;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_panics_is_started_again_and_counted() {
        let stats = Arc::new(BusStats::new("a", Protocol::Nmea0183, "tcp://a:1", BusState::Connecting));
        let clock = Clock::manual(Stamp(0));
        let backoff = Backoff::new(Entropy::seeded(1), Duration::from_secs(1), Duration::from_secs(60));
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        supervise(Arc::clone(&stats), clock.clone(), Tuning::default(), backoff, CancellationToken::new(), move || {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(run >= 3, "run {run} breaks") }
        })
        .await;
        let snapshot = stats.snapshot(clock.now());
        assert_eq!((runs.load(Ordering::Relaxed), snapshot.restarts), (4, 3));
        assert!(snapshot.last_error.contains("run 2 breaks"));
        assert_eq!(snapshot.state, BusState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_waiting_too() {
        let stats = Arc::new(BusStats::new("a", Protocol::Nmea0183, "tcp://a:1", BusState::Connecting));
        let backoff = Backoff::new(Entropy::seeded(1), Duration::from_secs(1), Duration::from_secs(60));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        supervise(stats, Clock::manual(Stamp(0)), Tuning::default(), backoff, shutdown, move || {
            let stop = stop.clone();
            async move {
                stop.cancel();
                panic!("broken while stopping");
            }
        })
        .await;
    }
}
