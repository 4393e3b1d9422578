//! Whether a slot on trial may stay: the services are up and the same sources deliver at their rates again.
//!
//! "It booted" and "the network is there" say nothing about a gateway: what counts is that every source that was
//! recorded before the start is recorded after it. Counted is what the store has committed, so that a reading that is
//! heard and not kept counts as silence. Pure: readings and times are handed in.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::policy::Mooring;
use crate::reading::{Context, Quality, Reading, Value};

/// Sources that are watched: four times what 64 buses of some device each have.
pub const SOURCES_MAX: usize = 1_024;

/// Seconds that rates look back over: the slowest instruments that matter speak once a minute.
pub const WINDOW_S: u64 = 300;

/// Seconds of one count.
const BUCKET_S: u64 = 10;

/// Seconds of watching before a rate is a baseline.
pub const BASELINE_S_MIN: u64 = 120;

/// Seconds on trial before a verdict: a gateway that starts, reads a little and falls over must not pass.
pub const SETTLE_S: u64 = 30;

/// The part of its rate before that a source must reach: half, because traffic (AIS, alarms) comes and goes.
const RATE_SHARE_MIN: f64 = 0.5;

/// Readings of a source before a rate is drawn from them; with fewer, one reading is asked for.
const READINGS_MIN: f64 = 4.0;

/// A speed at which a vessel is taken for moving: one knot, beyond what a receiver at a berth invents.
const UNDERWAY_M_PER_S: f64 = 0.514_444;

/// Seconds of lying still before it is believed: a ferry's stop is shorter, a wait in a lock is not.
const MOORED_S: u64 = 600;

/// Seconds after which a speed is too old to say anything.
const SPEED_AGE_S_MAX: u64 = 60;

/// The path that tells the speed.
const SPEED_PATH: &str = "navigation.speedOverGround";

/// Readings a second of each source, before the start.
pub type Baseline = BTreeMap<String, f64>;

/// Counts what is recorded, and whether the vessel moves.
#[derive(Debug)]
pub struct Watch {
    started_s: u64,
    buckets: VecDeque<(u64, HashMap<Arc<str>, u64>)>,
    last_speed_s: Option<u64>,
    first_speed_s: Option<u64>,
    last_moving_s: Option<u64>,
}

impl Watch {
    /// Watches from now on.
    pub const fn new(now_s: u64) -> Self {
        Self {
            started_s: now_s,
            buckets: VecDeque::new(),
            last_speed_s: None,
            first_speed_s: None,
            last_moving_s: None,
        }
    }

    /// What was recorded.
    pub fn add(&mut self, readings: &[Reading], now_s: u64) {
        let bucket_s = now_s - now_s % BUCKET_S;
        if self.buckets.back().is_none_or(|(at, _)| *at != bucket_s) {
            self.buckets.push_back((bucket_s, HashMap::new()));
            self.forget(now_s);
        }
        let Some((_, counts)) = self.buckets.back_mut() else { return };
        for reading in readings {
            // Made here, to say that a source is silent.
            if reading.quality == Quality::Stale {
                continue;
            }
            let source = &reading.series.key.source;
            if let Some(count) = counts.get_mut(source) {
                *count += 1;
            } else if counts.len() < SOURCES_MAX {
                counts.insert(Arc::clone(source), 1);
            }
        }
        for speed in readings.iter().filter_map(speed) {
            self.first_speed_s.get_or_insert(now_s);
            self.last_speed_s = Some(now_s);
            if speed > UNDERWAY_M_PER_S {
                self.last_moving_s = Some(now_s);
            }
        }
    }

    /// Some were missed: the rates of this time would be wrong.
    pub fn missed(&mut self, now_s: u64) {
        self.buckets.clear();
        self.started_s = now_s;
    }

    fn forget(&mut self, now_s: u64) {
        while self.buckets.front().is_some_and(|(at, _)| at + BUCKET_S + WINDOW_S <= now_s) {
            self.buckets.pop_front();
        }
    }

    /// Seconds that the rates stand for.
    pub fn watched_s(&self, now_s: u64) -> u64 {
        now_s.saturating_sub(self.started_s).min(WINDOW_S)
    }

    /// Readings a second of each source over the last seconds that were watched.
    pub fn rates(&self, now_s: u64) -> Baseline {
        let watched_s = self.watched_s(now_s).max(1);
        let from_s = now_s.saturating_sub(watched_s);
        let mut counts = Baseline::new();
        for (_, bucket) in self.buckets.iter().filter(|(at, _)| at + BUCKET_S > from_s) {
            for (source, count) in bucket {
                *counts.entry(source.to_string()).or_default() += *count as f64;
            }
        }
        counts.values_mut().for_each(|count| *count /= watched_s as f64);
        counts
    }

    /// Whether the vessel lies still.
    pub fn mooring(&self, now_s: u64) -> Mooring {
        let fresh = self.last_speed_s.is_some_and(|at| now_s.saturating_sub(at) <= SPEED_AGE_S_MAX);
        let still_since = self.last_moving_s.or(self.first_speed_s);
        match still_since {
            Some(at) if fresh && now_s.saturating_sub(at) >= MOORED_S => Mooring::Moored,
            Some(_) if fresh && self.last_moving_s.is_some() => Mooring::Underway,
            _ => Mooring::Unknown,
        }
    }
}

/// The own ship's speed over ground, m/s.
fn speed(reading: &Reading) -> Option<f64> {
    let key = &reading.series.key;
    match reading.value {
        Value::Float(speed)
            if reading.quality == Quality::Good && key.context == Context::OwnShip && &*key.path == SPEED_PATH =>
        {
            Some(speed)
        }
        _ => None,
    }
}

/// What becomes of a slot on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Not yet known; what is missing.
    Wait(Vec<String>),
    /// It stays.
    Good,
    /// It goes, and why.
    Back(Vec<String>),
}

/// A moment of a trial.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    /// What each source delivered before.
    pub baseline: &'a Baseline,
    /// What each delivers now.
    pub rates: &'a Baseline,
    /// Seconds that `rates` stands for.
    pub watched_s: u64,
    /// What is wrong with the services; empty when all is up.
    pub faults: Vec<String>,
    /// Seconds since the start of the gateway.
    pub elapsed_s: u64,
    /// Seconds after which what is missing counts as lost.
    pub deadline_s: u64,
}

/// Judges it.
pub fn judge(trial: &Trial<'_>) -> Verdict {
    let mut missing = trial.faults.clone();
    for (source, before) in trial.baseline {
        let now = trial.rates.get(source).copied().unwrap_or_default();
        if !delivers(*before, now, trial.watched_s) {
            missing.push(format!("{source} delivers {now:.2} readings/s, {before:.2} before"));
        }
    }
    if trial.elapsed_s < SETTLE_S {
        missing.insert(0, format!("{} s of {SETTLE_S} s have passed", trial.elapsed_s));
        Verdict::Wait(missing)
    } else if missing.is_empty() {
        Verdict::Good
    } else if trial.elapsed_s < trial.deadline_s {
        Verdict::Wait(missing)
    } else {
        Verdict::Back(missing)
    }
}

/// Whether a source is back. One that had few readings in this time only has to speak at all.
fn delivers(before: f64, now: f64, watched_s: u64) -> bool {
    let expected = before * watched_s as f64;
    if expected < READINGS_MIN { now > 0.0 } else { now >= before * RATE_SHARE_MIN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::reading::{SeriesKey, SeriesRegistry};

    fn reading(registry: &SeriesRegistry, source: &str, path: &'static str, value: f64) -> Reading {
        let key =
            SeriesKey { context: Context::OwnShip, path: path.into(), source: source.into(), instance: "".into() };
        let series = registry.series(&key).unwrap();
        Reading {
            series,
            observed_at: Stamp(0),
            received_at: Stamp(0),
            value: Value::Float(value),
            quality: Quality::Good,
        }
    }

    fn baseline(sources: &[(&str, f64)]) -> Baseline {
        sources.iter().map(|(source, rate)| ((*source).to_owned(), *rate)).collect()
    }

    fn verdict(before: &[(&str, f64)], now: &[(&str, f64)], elapsed_s: u64) -> Verdict {
        let (baseline, rates) = (baseline(before), baseline(now));
        judge(&Trial {
            baseline: &baseline,
            rates: &rates,
            watched_s: elapsed_s,
            faults: Vec::new(),
            elapsed_s,
            deadline_s: 600,
        })
    }

    #[test]
    fn it_stays_when_the_same_sources_deliver_again() {
        let before = [("gps.GP", 5.0), ("engine.0", 10.0), ("tank.1", 0.02)];
        let after = [("gps.GP", 4.9), ("engine.0", 6.0), ("tank.1", 0.01), ("new.1", 1.0)];
        assert!(matches!(verdict(&before, &after, SETTLE_S - 1), Verdict::Wait(_)));
        assert_eq!(verdict(&before, &after, SETTLE_S), Verdict::Good);
        assert_eq!(verdict(&[], &[], SETTLE_S), Verdict::Good);
    }

    #[test]
    fn it_goes_when_one_is_missing_or_half_as_fast_at_the_deadline() {
        let before = [("gps.GP", 5.0), ("engine.0", 10.0)];
        for after in [&[("gps.GP", 5.0)][..], &[("gps.GP", 5.0), ("engine.0", 4.9)]] {
            let Verdict::Wait(missing) = verdict(&before, after, 599) else { panic!("no wait") };
            assert!(missing.len() == 1 && missing[0].starts_with("engine.0"), "{missing:?}");
            assert!(matches!(verdict(&before, after, 600), Verdict::Back(_)));
        }
        // One that speaks each minute is waited for, and one word of it is enough.
        assert!(matches!(verdict(&[("tank.1", 0.02)], &[], 60), Verdict::Wait(_)));
        assert!(matches!(verdict(&[("tank.1", 0.02)], &[], 600), Verdict::Back(_)));
    }

    #[test]
    fn a_fault_of_a_service_is_waited_for_and_then_counts() {
        let none = Baseline::new();
        let trial = |elapsed_s| Trial {
            baseline: &none,
            rates: &none,
            watched_s: elapsed_s,
            faults: vec!["the broker is away".to_owned()],
            elapsed_s,
            deadline_s: 600,
        };
        assert_eq!(judge(&trial(100)), Verdict::Wait(vec!["the broker is away".to_owned()]));
        assert_eq!(judge(&trial(600)), Verdict::Back(vec!["the broker is away".to_owned()]));
    }

    #[test]
    fn rates_are_of_the_last_minutes_and_stale_readings_are_none() {
        let registry = SeriesRegistry::default();
        let mut watch = Watch::new(1_000);
        let mut stale = reading(&registry, "log.1", "navigation.speedThroughWater", 0.0);
        stale.quality = Quality::Stale;
        for second in 1_000..1_000 + 2 * WINDOW_S {
            let fast = reading(&registry, "gps.GP", SPEED_PATH, 3.0);
            let batch = if second < 1_100 { vec![fast.clone(), fast] } else { vec![fast, stale.clone()] };
            watch.add(&batch, second);
        }
        let rates = watch.rates(1_000 + 2 * WINDOW_S);
        assert_eq!(rates.len(), 1);
        assert!((rates["gps.GP"] - 1.0).abs() < 0.05, "{rates:?}");
        assert!(watch.buckets.len() as u64 <= WINDOW_S / BUCKET_S + 2);
        watch.missed(2_000);
        assert_eq!((watch.rates(2_010).len(), watch.watched_s(2_010)), (0, 10));
    }

    #[test]
    fn a_source_that_is_invented_each_second_costs_no_memory() {
        let registry = SeriesRegistry::default();
        let mut watch = Watch::new(0);
        for source in 0..2 * SOURCES_MAX {
            watch.add(&[reading(&registry, &format!("bus.{source}"), "environment.depth", 1.0)], 5);
        }
        assert_eq!(watch.rates(10).len(), SOURCES_MAX);
    }

    #[test]
    fn moored_is_ten_quiet_minutes_with_a_speed_that_is_told() {
        let registry = SeriesRegistry::default();
        let mut watch = Watch::new(0);
        let at = |speed| [reading(&registry, "gps.GP", SPEED_PATH, speed)];
        assert_eq!(watch.mooring(0), Mooring::Unknown);
        watch.add(&at(5.0), 10);
        assert_eq!(watch.mooring(11), Mooring::Underway);
        for second in 11..10 + MOORED_S {
            watch.add(&at(0.2), second);
            assert_eq!(watch.mooring(second), Mooring::Underway, "{second}");
        }
        watch.add(&at(0.2), 10 + MOORED_S);
        assert_eq!(watch.mooring(10 + MOORED_S), Mooring::Moored);
        // The receiver falls silent: nobody knows.
        assert_eq!(watch.mooring(11 + MOORED_S + SPEED_AGE_S_MAX), Mooring::Unknown);
    }
}
