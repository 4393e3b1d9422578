//! What one bus works with, and what all of them do alike: telling that they are open or away, waiting before the next
//! attempt, handing readings over.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::bus::Lane;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::reading::{Reading, SeriesRegistry};
use crate::wire::SourceInfo;
use crate::wire::can::FrameDecoder;

use super::address_book::AddressBook;
use super::arbiter::Arbiter;
use super::backoff::Backoff;
use super::condition::Conditioner;
use super::stats::{BusState, BusStats, REASON_BUS_FULL};
use super::{SensorsContext, SensorsError, Tuning};

/// What one bus works with.
#[derive(Clone, Debug)]
pub(crate) struct BusContext {
    pub stats: Arc<BusStats>,
    pub clock: Clock,
    pub entropy: Entropy,
    pub registry: SeriesRegistry,
    pub shutdown: CancellationToken,
    pub tuning: Tuning,
    lane: Lane,
    conditioner: Arc<Mutex<Conditioner>>,
    arbiter: Arc<Mutex<Arbiter>>,
    addresses: Arc<Mutex<AddressBook>>,
}

impl BusContext {
    pub(crate) fn new(
        shared: &SensorsContext,
        stats: Arc<BusStats>,
        conditioner: Conditioner,
        arbiter: Arc<Mutex<Arbiter>>,
    ) -> Self {
        let addresses = AddressBook::open(shared.data_dir.as_deref(), stats.name());
        Self {
            stats,
            clock: shared.clock.clone(),
            entropy: shared.entropy.clone(),
            registry: shared.registry.clone(),
            lane: shared.bus.lane(),
            shutdown: shared.shutdown.clone(),
            tuning: shared.tuning,
            conditioner: Arc::new(Mutex::new(conditioner)),
            arbiter,
            addresses: Arc::new(Mutex::new(addresses)),
        }
    }

    /// The waits of a bus that is reached over a network.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.entropy.clone(), self.tuning.backoff_min, self.tuning.backoff_max)
    }

    /// The attempts to open a bus over a network.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts { context: self, backoff: self.backoff(), began_ms: 0 }
    }

    /// The attempts to open a port of this machine: looking again costs nothing, and somebody may stand beside it with
    /// the cable in his hand.
    pub(crate) fn attempts_nearby(&self) -> Attempts<'_> {
        let max = self.tuning.backoff_max_nearby;
        let backoff = Backoff::new(self.entropy.clone(), self.tuning.backoff_min.min(max), max);
        Attempts { context: self, backoff, began_ms: 0 }
    }

    pub(crate) fn opened(&self, listening_on: Option<SocketAddr>) {
        if self.stats.opened(listening_on.map(|address| address.to_string())) {
            tracing::info!(bus = self.stats.name(), "the bus is open");
        }
    }

    /// Tells a new decoder which devices were heard before.
    pub(crate) fn recall(&self, decoder: &mut dyn FrameDecoder) {
        lock(&self.addresses).tell(decoder);
    }

    /// Tells the devices heard so far to those who look at the bus, and keeps them for the next start.
    pub(crate) fn know(&self, sources: Vec<SourceInfo>) {
        let page = lock(&self.addresses).take(&sources, self.clock.now().mono_ms);
        self.stats.know(sources);
        let Some(page) = page else { return };
        let (bus, addresses) = (self.stats.name().to_owned(), Arc::clone(&self.addresses));
        tokio::task::spawn_blocking(move || {
            let written = page.write();
            let is_news = lock(&addresses).written(written.is_ok());
            if let Some(error) = written.err().filter(|_| is_news) {
                tracing::warn!(bus, %error, "which device has which address could not be kept for the next start");
            }
        });
    }

    /// Rests after a read that left nothing waiting; `false` when the gateway stops.
    pub(crate) async fn rest(&self) -> bool {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => false,
            () = tokio::time::sleep(self.tuning.read_pace) => true,
        }
    }

    /// Hands over what was decoded, waiting for room: the source is held back meanwhile.
    pub(crate) async fn hand_over(&self, readings: &mut Vec<Reading>) {
        self.condition(readings);
        let total = readings.len() as u64;
        if total > 0 {
            let refused = self.lane.push_all(readings).await;
            self.count(total - refused, refused);
        }
    }

    /// Hands over what was decoded by a source that cannot be held back: what finds no room is refused and counted.
    pub(crate) fn hand_over_now(&self, readings: &mut Vec<Reading>) {
        self.condition(readings);
        self.push(readings);
    }

    /// Marks the series that fell silent: each gets one reading that says so. Gives up those that stayed it.
    pub(crate) fn mark_stale(&self) {
        let mut readings = Vec::new();
        let now = self.clock.now();
        lock(&self.conditioner).stale(now, &mut readings);
        let found = readings.len();
        for reading in &readings {
            lock(&self.arbiter).silent(reading, now.mono_ms);
        }
        self.retire(now.mono_ms);
        self.lane.offer(&mut readings);
        for refused in &readings {
            lock(&self.conditioner).unmark(&refused.series);
        }
        let told = found - readings.len();
        self.count(told as u64, 0);
        self.stats.stale(told, lock(&self.conditioner).stale_series());
    }

    /// Gives up series. Both locks are held until each is retired: a reading that came between would be taken for one
    /// of a live series, and its number go to another.
    fn retire(&self, mono_ms: u64) {
        let mut conditioner = lock(&self.conditioner);
        let retired = conditioner.retire(mono_ms);
        if !retired.is_empty() {
            let mut arbiter = lock(&self.arbiter);
            for series in retired {
                arbiter.forget(&series);
                self.registry.retire(&series);
            }
        }
    }

    fn push(&self, readings: &mut Vec<Reading>) {
        let total = readings.len() as u64;
        if total > 0 {
            let refused = self.lane.push(readings);
            self.count(total - refused, refused);
        }
    }

    fn condition(&self, readings: &mut Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let mono_ms = self.clock.now().mono_ms;
        let standby = lock(&self.arbiter).judge(readings, mono_ms);
        let thinned = lock(&self.conditioner).take(readings, mono_ms);
        self.stats.held_back(standby, thinned);
    }

    fn count(&self, kept: u64, refused: u64) {
        if kept > 0 {
            self.stats.handed_over(kept, self.clock.now());
        }
        if refused > 0 {
            self.stats.rejected(REASON_BUS_FULL, refused);
        }
    }
}

/// Their states are whole at every instant, so a panic elsewhere while they were locked does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The attempts of one bus to open and stay open.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    context: &'a BusContext,
    backoff: Backoff,
    began_ms: u64,
}

impl Attempts<'_> {
    /// A new attempt begins.
    pub(crate) fn begin(&mut self) {
        self.context.stats.set_state(BusState::Connecting);
        self.began_ms = self.context.clock.now().mono_ms;
    }

    /// Notes why the attempt ended and waits; `false` when the gateway stops meanwhile. One warning an outage: attempts
    /// that fail after the first are told at debug level. A silence is none, and its next word may come at any moment:
    /// the bus is opened again at once.
    pub(crate) async fn wait_after(&mut self, lost: &SensorsError) -> bool {
        let context = self.context;
        let lasted_ms = context.clock.now().mono_ms.saturating_sub(self.began_ms);
        if lasted_ms >= context.tuning.stable_after.as_millis() as u64 {
            self.backoff.reset();
        }
        let bus = context.stats.name();
        context.stats.failed(lost);
        context.stats.set_state(BusState::Connecting);
        if matches!(lost, SensorsError::Silent { .. }) {
            tracing::debug!(bus, "opened again: {lost}");
            return !context.shutdown.is_cancelled();
        }
        let wait: Duration = self.backoff.next();
        let wait_ms = wait.as_millis() as u64;
        if context.stats.went_away() {
            tracing::warn!(bus, wait_ms, "the bus is away: {lost}");
        } else {
            tracing::debug!(bus, wait_ms, "the bus is still away: {lost}");
        }
        tokio::select! {
            () = context.shutdown.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}
