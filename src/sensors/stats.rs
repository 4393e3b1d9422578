//! What a bus did, shared with the pages and the metrics. Counters are atomics; what is rarely written stands behind
//! one lock.
//!
//! Bounded whatever the bus sends: reasons are fixed names, error texts are cut, the rate is eleven numbers. It refuses
//! to be reset: counters only rise while the process lives, as a scraper expects.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::{Now, Stamp};
use crate::config::Protocol;
use crate::wire::SourceInfo;

/// Characters of an error that are kept: one line on a page.
pub const ERROR_CHARACTERS_MAX: usize = 200;

/// Reasons counted apart: twice what a bus has. NMEA 2000 behind a gateway has some twenty, a CAN interface seven of
/// its own, every bus three here; the bound holds should a decoder invent names.
pub const REASONS_MAX: usize = 64;

/// Seconds that the rate looks back over.
pub const RATE_WINDOW_S: u64 = 10;

/// Reason: the registry holds as many series as it may.
pub const REASON_SERIES_LIMIT: &str = "series_limit";

/// Reason: the bus's lane was full.
pub const REASON_BUS_FULL: &str = "bus_full";

/// Reason under which names beyond [`REASONS_MAX`] are counted.
pub const REASON_OTHER: &str = "other";

/// No data yet, in `last_data_at`.
const NEVER: i64 = i64::MIN;

/// What a bus is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusState {
    /// Trying to open, or waiting to try again.
    Connecting,
    /// Connected, or bound; data may come.
    Open,
    /// Stopped with the gateway.
    Closed,
    /// Switched off in the configuration, or a Modbus bus that has nobody to ask.
    Disabled,
}

impl BusState {
    /// All states, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Connecting, Self::Open, Self::Closed, Self::Disabled];

    /// The name in JSON and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Disabled => "disabled",
        }
    }
}

/// The counters of one bus.
#[derive(Debug)]
pub struct BusStats {
    name: String,
    protocol: Protocol,
    address: String,
    state: AtomicU8,
    bytes: AtomicU64,
    sentences: AtomicU64,
    readings: AtomicU64,
    implausible: AtomicU64,
    opened: AtomicU64,
    restarts: AtomicU64,
    buffer_bytes: AtomicU64,
    standby: AtomicU64,
    thinned: AtomicU64,
    stale_series: AtomicU64,
    stale_readings: AtomicU64,
    last_data_at: AtomicI64,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    last_error: String,
    /// An outage was told, and its end not yet.
    away: bool,
    listening_on: String,
    rejected: BTreeMap<&'static str, u64>,
    ignored: BTreeMap<&'static str, u64>,
    rate: RateWindow,
    sources: Vec<SourceInfo>,
}

/// Readings in each of the last seconds, by the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
struct RateWindow([(u64, u64); RATE_WINDOW_S as usize + 1]);

impl RateWindow {
    fn add(&mut self, second: u64, count: u64) {
        let bucket = &mut self.0[(second % (RATE_WINDOW_S + 1)) as usize];
        *bucket = (second, if bucket.0 == second { bucket.1 + count } else { count });
    }

    /// A second, over the last full seconds: the one that runs is left out.
    fn per_second(&self, second: u64) -> f64 {
        let full = second.saturating_sub(RATE_WINDOW_S)..second;
        let sum: u64 = self.0.iter().filter(|(at, _)| full.contains(at)).map(|(_, count)| count).sum();
        sum as f64 / RATE_WINDOW_S as f64
    }
}

/// A bus at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct BusSnapshot {
    /// The bus's name.
    pub name: String,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Where it is, as configured.
    pub address: String,
    /// For a bus that listens: the address really taken; empty before.
    pub listening_on: String,
    /// What it is doing.
    pub state: BusState,
    /// Why it was last not open; empty when it never failed. Kept after it recovered.
    pub last_error: String,
    /// Bytes received.
    pub bytes: u64,
    /// Sound sentences, decoded or not.
    pub sentences: u64,
    /// Readings handed over.
    pub readings: u64,
    /// What was dropped, by reason: lines, or readings (`series_limit`, `bus_full`).
    pub rejected: BTreeMap<&'static str, u64>,
    /// What was sound and passed over on purpose, by reason: copies, sentences and PGNs that no table has.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Readings whose own time was not believed and that are dated by their arrival.
    pub observed_at_implausible: u64,
    /// Readings of sources that another one is preferred to: recorded, not shown first.
    pub standby: u64,
    /// Readings not kept because of a dead band or a rate limit.
    pub thinned: u64,
    /// Readings made here to say that a series fell silent; they are among `readings`.
    pub stale_readings: u64,
    /// Series that are silent for too long now.
    pub stale_series: u64,
    /// When bytes last came; `None`: never.
    pub last_data_at: Option<Stamp>,
    /// Times it was opened again after the first.
    pub reconnects: u64,
    /// Times its task broke and was started again.
    pub restarts: u64,
    /// Bytes of memory that the bus's buffers take: what it read, its open line, what was decoded and not yet handed
    /// over.
    pub buffer_bytes: u64,
    /// Readings a second over the last `RATE_WINDOW_S` (10) full seconds.
    pub rate_per_second: f64,
    /// The devices heard on it, as far as its wire names them.
    pub sources: Vec<SourceInfo>,
}

impl BusStats {
    /// The counters of a bus that did nothing yet.
    pub fn new(name: &str, protocol: Protocol, address: &str, state: BusState) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            address: address.to_owned(),
            state: AtomicU8::new(state as u8),
            bytes: AtomicU64::new(0),
            sentences: AtomicU64::new(0),
            readings: AtomicU64::new(0),
            implausible: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            buffer_bytes: AtomicU64::new(0),
            standby: AtomicU64::new(0),
            thinned: AtomicU64::new(0),
            stale_series: AtomicU64::new(0),
            stale_readings: AtomicU64::new(0),
            last_data_at: AtomicI64::new(NEVER),
            rest: Mutex::default(),
        }
    }

    /// The bus's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is doing.
    pub fn state(&self) -> BusState {
        BusState::ALL[usize::from(self.state.load(Ordering::Relaxed)) % BusState::ALL.len()]
    }

    /// How many sound messages came.
    pub(crate) fn messages(&self) -> u64 {
        self.sentences.load(Ordering::Relaxed)
    }

    /// How many readings were handed over.
    pub fn readings(&self) -> u64 {
        self.readings.load(Ordering::Relaxed)
    }

    /// All of it, at one moment.
    pub fn snapshot(&self, now: Now) -> BusSnapshot {
        let rest = self.rest();
        let last_data_at = self.last_data_at.load(Ordering::Relaxed);
        BusSnapshot {
            name: self.name.clone(),
            protocol: self.protocol,
            address: self.address.clone(),
            listening_on: rest.listening_on.clone(),
            state: self.state(),
            last_error: rest.last_error.clone(),
            bytes: self.bytes.load(Ordering::Relaxed),
            sentences: self.sentences.load(Ordering::Relaxed),
            readings: self.readings(),
            rejected: rest.rejected.clone(),
            ignored: rest.ignored.clone(),
            observed_at_implausible: self.implausible.load(Ordering::Relaxed),
            standby: self.standby.load(Ordering::Relaxed),
            thinned: self.thinned.load(Ordering::Relaxed),
            stale_readings: self.stale_readings.load(Ordering::Relaxed),
            stale_series: self.stale_series.load(Ordering::Relaxed),
            last_data_at: (last_data_at != NEVER).then_some(Stamp(last_data_at)),
            reconnects: self.opened.load(Ordering::Relaxed).saturating_sub(1),
            restarts: self.restarts.load(Ordering::Relaxed),
            buffer_bytes: self.buffer_bytes.load(Ordering::Relaxed),
            rate_per_second: rest.rate.per_second(now.mono_ms / 1_000),
            sources: rest.sources.clone(),
        }
    }

    pub(crate) fn set_state(&self, state: BusState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Whether this is news: it was never open, or away.
    pub(crate) fn opened(&self, listening_on: Option<String>) -> bool {
        let is_first = self.opened.fetch_add(1, Ordering::Relaxed) == 0;
        self.set_state(BusState::Open);
        let mut rest = self.rest();
        if let Some(address) = listening_on {
            rest.listening_on = address;
        }
        std::mem::take(&mut rest.away) || is_first
    }

    /// Begins an outage, or goes on with one; whether this is news.
    pub(crate) fn went_away(&self) -> bool {
        !std::mem::replace(&mut self.rest().away, true)
    }

    pub(crate) fn failed(&self, error: &dyn Display) {
        self.rest().last_error = error.to_string().chars().take(ERROR_CHARACTERS_MAX).collect();
    }

    pub(crate) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize, now: Now) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last_data_at.store(now.wall.0, Ordering::Relaxed);
    }

    pub(crate) fn held_back(&self, standby: u64, thinned: u64) {
        self.standby.fetch_add(standby, Ordering::Relaxed);
        self.thinned.fetch_add(thinned, Ordering::Relaxed);
    }

    pub(crate) fn stale(&self, told: usize, series: usize) {
        self.stale_readings.fetch_add(told as u64, Ordering::Relaxed);
        self.stale_series.store(series as u64, Ordering::Relaxed);
    }

    pub(crate) fn know(&self, sources: Vec<SourceInfo>) {
        self.rest().sources = sources;
    }

    pub(crate) fn buffers(&self, bytes: usize) {
        self.buffer_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn understood(&self, sentences: u64) {
        self.sentences.fetch_add(sentences, Ordering::Relaxed);
    }

    pub(crate) fn implausible(&self) {
        self.implausible.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handed_over(&self, readings: u64, now: Now) {
        self.readings.fetch_add(readings, Ordering::Relaxed);
        self.rest().rate.add(now.mono_ms / 1_000, readings);
    }

    pub(crate) fn rejected(&self, reason: &'static str, count: u64) {
        count_reason(&mut self.rest().rejected, reason, count);
    }

    pub(crate) fn ignored(&self, reason: &'static str, count: u64) {
        count_reason(&mut self.rest().ignored, reason, count);
    }

    /// Numbers and texts are valid at every instant, so a panic elsewhere while they were locked does no harm.
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_reason(reasons: &mut BTreeMap<&'static str, u64>, reason: &'static str, count: u64) {
    let known = reasons.contains_key(reason) || reasons.len() < REASONS_MAX - 1;
    *reasons.entry(if known { reason } else { REASON_OTHER }).or_default() += count;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_rate_is_of_the_last_ten_full_seconds() {
        let clock = Clock::manual(Stamp(0));
        let stats = BusStats::new("a", Protocol::Nmea0183, "udp://[::]:0", BusState::Connecting);
        for _ in 0..30 {
            stats.handed_over(50, clock.now());
            clock.advance_ms(1_000);
        }
        assert_eq!(stats.snapshot(clock.now()).rate_per_second, 50.0);
        clock.advance_ms(5_000);
        assert_eq!(stats.snapshot(clock.now()).rate_per_second, 25.0);
        clock.advance_ms(60_000);
        assert_eq!(stats.snapshot(clock.now()).rate_per_second, 0.0);
    }

    #[test]
    fn an_outage_is_news_once_and_so_is_its_end() {
        let stats = BusStats::new("a", Protocol::Nmea0183, "tcp://a:1", BusState::Connecting);
        assert!(stats.opened(None), "the first time");
        assert!(!stats.opened(None), "opened again after a silence");
        assert!(stats.went_away() && !stats.went_away());
        assert!(stats.opened(None) && !stats.opened(None));
    }

    #[test]
    fn nothing_grows_with_what_a_bus_sends() {
        let stats = BusStats::new("a", Protocol::Nmea0183, "udp://[::]:0", BusState::Connecting);
        stats.failed(&"x".repeat(100_000));
        for number in 0..1_000 {
            stats.rejected(Box::leak(format!("reason{number}").into_boxed_str()), 1);
        }
        let snapshot = stats.snapshot(Clock::manual(Stamp(0)).now());
        assert_eq!(snapshot.last_error.len(), ERROR_CHARACTERS_MAX);
        assert_eq!(snapshot.rejected.len(), REASONS_MAX);
        assert_eq!(snapshot.rejected.values().sum::<u64>(), 1_000, "and nothing goes uncounted");
    }
}
