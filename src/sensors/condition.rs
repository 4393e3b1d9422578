//! What is kept of the readings of one bus, and when a series counts as stale. Pure: time is handed in.
//!
//! A series goes stale when several of its usual intervals passed without a reading: it then gets one reading without a
//! value and of quality `stale`, so that no page shows the last value for ever and an alarm can speak. By rule,
//! readings that hardly differ (dead band) or come too fast (rate limit) are not kept. It refuses to hold back a change
//! of quality, or the first reading of a series. Notifications are events: they have no interval and are all kept, for
//! what is left out would be an alarm that nobody raises or ends.
//!
//! A series that stays silent is given up in the end: an AIS target that sailed away, a source that a broken bus
//! invented. Its number goes to a new one; else some weeks in a busy strait would use up all there are.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Now;
use crate::config::{QualityConfig, SeriesConfig};
use crate::reading::{Context, Quality, Reading, Series, Value};
use crate::wire::notification::NOTIFICATIONS;

use super::pattern::{matches_path, matches_source};

/// The longest interval so far is forgotten by an eighth with each reading, so that one pause does not blunt the
/// time-out for ever.
const INTERVAL_DECAY: f64 = 7.0 / 8.0;

/// Silence after which a series of another vessel is given up: what is stale for half an hour is out of reach.
const RETIRE_OTHERS_MS: u64 = 30 * 60 * 1_000;

/// Silence after which a series of our own ship is given up. A day: the crew that comes on watch still sees that a
/// sensor of yesterday is missing.
const RETIRE_OWN_MS: u64 = 24 * 60 * 60 * 1_000;

/// The readings of one bus on their way to the store.
#[derive(Debug)]
pub struct Conditioner {
    quality: QualityConfig,
    rules: Arc<[SeriesConfig]>,
    /// By the number of the series; bounded by the registry.
    slots: HashMap<u32, Slot>,
}

/// What is known of one series.
#[derive(Debug)]
struct Slot {
    series: Arc<Series>,
    /// Place in the rules.
    rule: Option<usize>,
    seen_ms: u64,
    /// The longest interval of late, decaying; 0 before the second reading.
    interval_ms: f64,
    stale: bool,
    kept_ms: u64,
    kept: Value,
    kept_quality: Quality,
}

impl Conditioner {
    /// Nothing was read yet.
    pub fn new(quality: QualityConfig, rules: Arc<[SeriesConfig]>) -> Self {
        Self { quality, rules, slots: HashMap::new() }
    }

    /// Takes readings that arrived at `mono_ms`; removes those that are not kept and returns how many these were.
    pub fn take(&mut self, readings: &mut Vec<Reading>, mono_ms: u64) -> u64 {
        let before = readings.len();
        readings.retain(|reading| self.keep(reading, mono_ms));
        (before - readings.len()) as u64
    }

    fn keep(&mut self, reading: &Reading, mono_ms: u64) -> bool {
        if reading.series.is_retired() {
            // Given up between its decoding and here: its number may mean another one already.
            return true;
        }
        let Some(slot) = self.slots.get_mut(&reading.series.id) else {
            let applies = |rule| !is_notification(&reading.series) && applies(rule, &reading.series);
            let rule = self.rules.iter().position(applies);
            self.slots.insert(reading.series.id, Slot::new(reading, rule, mono_ms));
            return true;
        };
        slot.seen(mono_ms);
        let kept = slot.rule.is_none_or(|rule| slot.differs(reading, &self.rules[rule], mono_ms));
        if kept {
            (slot.kept_ms, slot.kept_quality) = (mono_ms, reading.quality);
            slot.kept.clone_from(&reading.value);
        }
        kept
    }

    /// Appends a reading for each series that has now been silent for too long, once.
    pub fn stale(&mut self, now: Now, out: &mut Vec<Reading>) {
        if !self.quality.stale {
            return;
        }
        for slot in self.slots.values_mut().filter(|slot| !slot.stale && !is_notification(&slot.series)) {
            let fixed_s = slot.rule.map_or(0, |rule| self.rules[rule].stale_after_s);
            if now.mono_ms.saturating_sub(slot.seen_ms) >= time_out_ms(&self.quality, fixed_s, slot.interval_ms) {
                (slot.stale, slot.kept, slot.kept_quality) = (true, Value::Absent, Quality::Stale);
                let series = Arc::clone(&slot.series);
                let (value, quality) = (Value::Absent, Quality::Stale);
                out.push(Reading { series, observed_at: now.wall, received_at: now.wall, value, quality });
            }
        }
    }

    /// A reading that said so found no room: it is said again.
    pub fn unmark(&mut self, series: &Series) {
        if let Some(slot) = self.slots.get_mut(&series.id) {
            slot.stale = false;
        }
    }

    /// Gives up the series that were silent for long, and returns them.
    pub fn retire(&mut self, mono_ms: u64) -> Vec<Arc<Series>> {
        let mut retired = Vec::new();
        let stale_max_ms = u64::from(self.quality.stale_max_s) * 1_000;
        self.slots.retain(|_, slot| {
            let is_own = slot.series.key.context == Context::OwnShip;
            let limit_ms = if is_own { RETIRE_OWN_MS } else { RETIRE_OTHERS_MS };
            let fixed_ms = slot.rule.map_or(0, |rule| u64::from(self.rules[rule].stale_after_s) * 1_000);
            let keep = mono_ms.saturating_sub(slot.seen_ms) < limit_ms.max(stale_max_ms).max(fixed_ms);
            if !keep {
                retired.push(Arc::clone(&slot.series));
            }
            keep
        });
        retired
    }

    /// How many series are stale.
    pub fn stale_series(&self) -> usize {
        self.slots.values().filter(|slot| slot.stale).count()
    }
}

impl Slot {
    fn new(reading: &Reading, rule: Option<usize>, mono_ms: u64) -> Self {
        Self {
            series: Arc::clone(&reading.series),
            rule,
            seen_ms: mono_ms,
            interval_ms: 0.0,
            stale: false,
            kept_ms: mono_ms,
            kept: reading.value.clone(),
            kept_quality: reading.quality,
        }
    }

    /// Notes the interval; the pause of a series that was stale is no interval.
    fn seen(&mut self, mono_ms: u64) {
        let interval_ms = mono_ms.saturating_sub(self.seen_ms) as f64;
        if !self.stale {
            self.interval_ms = interval_ms.max(self.interval_ms * INTERVAL_DECAY);
        }
        (self.seen_ms, self.stale) = (mono_ms, false);
    }

    fn differs(&self, reading: &Reading, rule: &SeriesConfig, mono_ms: u64) -> bool {
        let elapsed_ms = mono_ms.saturating_sub(self.kept_ms);
        let is_alone = || elapsed_ms >= rule.keep_alive_s.saturating_mul(1_000);
        let differs = || is_alone() || is_beyond(&reading.value, &self.kept, rule.dead_band);
        reading.quality != self.kept_quality || (elapsed_ms >= rule.interval_min_ms && differs())
    }
}

/// Whether two values are further apart than the dead band. One that is no number has none: a change of it is kept.
fn is_beyond(value: &Value, kept: &Value, dead_band: f64) -> bool {
    match (value, kept) {
        _ if dead_band <= 0.0 => true,
        (Value::Float(value), Value::Float(kept)) => (value - kept).abs() >= dead_band,
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
        (Value::Integer(value), Value::Integer(kept)) => value.abs_diff(*kept) as f64 >= dead_band,
        (value, kept) => value != kept,
    }
}

/// The time-out of a series: what its rule fixes, else some of its intervals within the limits of all. A series of one
/// reading has no interval yet and gets the most.
fn time_out_ms(quality: &QualityConfig, fixed_s: u32, interval_ms: f64) -> u64 {
    let [min_ms, max_ms] = [quality.stale_min_s, quality.stale_max_s].map(|s| u64::from(s) * 1_000);
    match (fixed_s, interval_ms > 0.0) {
        (0, false) => max_ms,
        (0, true) => ((interval_ms * f64::from(quality.stale_intervals)) as u64).min(max_ms).max(min_ms),
        (fixed_s, _) => u64::from(fixed_s) * 1_000,
    }
}

fn is_notification(series: &Series) -> bool {
    series.key.path.starts_with(NOTIFICATIONS)
}

fn applies(rule: &SeriesConfig, series: &Series) -> bool {
    matches_path(&rule.path, &series.key.path)
        && (rule.source.is_empty() || matches_source(&rule.source, &series.key.source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Stamp};
    use crate::reading::{Context, SeriesKey, SeriesRegistry};

    struct Bench {
        registry: SeriesRegistry,
        clock: Clock,
        conditioner: Conditioner,
    }

    fn bench(rules: Vec<SeriesConfig>) -> Bench {
        let conditioner = Conditioner::new(QualityConfig::default(), rules.into());
        Bench { registry: SeriesRegistry::default(), clock: Clock::manual(Stamp::from_millis(0)), conditioner }
    }

    impl Bench {
        /// Whether the value is kept.
        fn say(&mut self, path: &'static str, value: Value, quality: Quality) -> bool {
            let key =
                SeriesKey { context: Context::OwnShip, path: path.into(), source: "a.GP".into(), instance: "".into() };
            let series = self.registry.series(&key).unwrap();
            let now = self.clock.now();
            let mut readings = vec![Reading { series, observed_at: now.wall, received_at: now.wall, value, quality }];
            self.conditioner.take(&mut readings, now.mono_ms);
            !readings.is_empty()
        }

        fn number(&mut self, value: f64) -> bool {
            self.say("environment.depth.belowTransducer", Value::Float(value), Quality::Good)
        }

        fn gone_stale(&mut self) -> Vec<Reading> {
            let mut out = Vec::new();
            self.conditioner.stale(self.clock.now(), &mut out);
            out
        }
    }

    fn rule() -> SeriesConfig {
        SeriesConfig { path: "environment.*".to_owned(), keep_alive_s: 60, ..SeriesConfig::default() }
    }

    #[test]
    fn a_series_is_stale_after_five_of_its_intervals_and_says_so_once() {
        let mut bench = bench(Vec::new());
        for _ in 0..20 {
            assert!(bench.number(2.0));
            bench.clock.advance_ms(4_000);
        }
        bench.clock.advance_ms(15_999);
        assert_eq!(bench.gone_stale(), []);
        bench.clock.advance_ms(1);
        let stale = bench.gone_stale();
        assert_eq!((stale.len(), &stale[0].value, stale[0].quality), (1, &Value::Absent, Quality::Stale));
        assert_eq!((bench.gone_stale().len(), bench.conditioner.stale_series()), (0, 1));
        bench.clock.advance_ms(3_600_000);
        assert!(bench.number(2.0), "it is back");
        assert_eq!(bench.conditioner.stale_series(), 0);
        bench.clock.advance_ms(20_000);
        assert_eq!(bench.gone_stale().len(), 1, "the hour's silence is not taken for its interval");
    }

    #[test]
    fn the_limits_hold_for_the_fast_and_for_those_that_spoke_once() {
        let mut bench = bench(Vec::new());
        bench.say("navigation.speedOverGround", Value::Float(1.0), Quality::Good);
        for _ in 0..10 {
            bench.number(2.0);
            bench.clock.advance_ms(100);
        }
        bench.clock.advance_ms(9_899);
        assert_eq!(bench.gone_stale(), []);
        bench.clock.advance_ms(1);
        assert_eq!(bench.gone_stale().len(), 1, "ten seconds at least");
        bench.clock.advance_ms(1_800_000);
        assert_eq!(bench.gone_stale().len(), 1, "half an hour at most");
    }

    #[test]
    fn what_stays_silent_is_given_up_in_the_end() {
        let mut bench = bench(Vec::new());
        bench.number(2.0);
        bench.clock.advance_ms(RETIRE_OWN_MS - 1);
        assert_eq!(bench.gone_stale().len(), 1);
        assert!(bench.conditioner.retire(bench.clock.now().mono_ms).is_empty());
        bench.clock.advance_ms(1);
        let retired = bench.conditioner.retire(bench.clock.now().mono_ms);
        assert_eq!((retired.len(), bench.conditioner.slots.len()), (1, 0));
    }

    #[test]
    fn a_rule_fixes_the_time_out() {
        let mut bench = bench(vec![SeriesConfig { stale_after_s: 3, ..rule() }]);
        bench.number(2.0);
        bench.clock.advance_ms(3_000);
        assert_eq!(bench.gone_stale().len(), 1);
    }

    #[test]
    fn a_dead_band_keeps_what_moved_and_one_a_minute() {
        let mut bench = bench(vec![SeriesConfig { dead_band: 0.5, ..rule() }]);
        assert!(bench.number(2.0));
        bench.clock.advance_ms(1_000);
        assert!(!bench.number(2.4));
        assert!(!bench.number(1.6), "measured from what was kept, not from the last");
        assert!(bench.number(2.5));
        assert!(bench.say("environment.depth.belowTransducer", Value::Absent, Quality::NotAvailable));
        assert!(!bench.say("environment.depth.belowTransducer", Value::Absent, Quality::NotAvailable));
        assert!(bench.number(2.5), "quality changed");
        bench.clock.advance_ms(59_999);
        assert!(!bench.number(2.5));
        bench.clock.advance_ms(1);
        assert!(bench.number(2.5));
        assert!(bench.say("navigation.speedOverGround", Value::Float(1.0), Quality::Good));
        assert!(bench.say("navigation.speedOverGround", Value::Float(1.0), Quality::Good), "no rule, all kept");
    }

    #[test]
    fn notifications_are_all_kept_and_never_stale() {
        let of_all = SeriesConfig { path: "*".to_owned(), interval_min_ms: 1_000, stale_after_s: 3, ..rule() };
        let mut bench = bench(vec![of_all]);
        for _ in 0..10 {
            assert!(bench.say("notifications.alarm", Value::text("{}"), Quality::Good));
        }
        assert!(bench.number(2.0) && !bench.number(3.0), "the rule is in force");
        bench.clock.advance_ms(RETIRE_OWN_MS);
        let stale: Vec<_> = bench.gone_stale().iter().map(|reading| reading.series.key.path.to_string()).collect();
        assert_eq!(stale, ["environment.depth.belowTransducer"]);
        assert_eq!(bench.conditioner.retire(bench.clock.now().mono_ms).len(), 2, "but given up like all");
    }

    #[test]
    fn a_rate_limit_keeps_the_first_of_each_interval() {
        let mut bench = bench(vec![SeriesConfig { interval_min_ms: 1_000, ..rule() }]);
        let mut kept = 0;
        for step in 0..100 {
            kept += usize::from(bench.number(f64::from(step)));
            bench.clock.advance_ms(100);
        }
        assert_eq!(kept, 10);
    }

    #[test]
    fn a_rate_limit_beyond_the_keep_alive_holds() {
        let mut bench = bench(vec![SeriesConfig { interval_min_ms: 300_000, dead_band: 0.5, ..rule() }]);
        let mut kept = 0;
        for step in 0..600 {
            kept += usize::from(bench.number(f64::from(step % 2)));
            bench.clock.advance_ms(1_000);
        }
        assert_eq!(kept, 2);
    }
}
