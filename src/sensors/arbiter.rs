//! Which of several sources of the same quantity is shown. Pure: time is handed in.
//!
//! Everything is recorded; but where two receivers tell a position, pages and brokers get one of them, or the ship
//! would jump between their antennas. The source that stands first in the configuration is preferred; without a rule
//! the one that spoke first. It keeps its place while it gives good values; when it has given none for some seconds the
//! next takes over, and a better one takes over again as soon as it speaks well. The others are on standby: recorded,
//! counted, and shown as such. Notifications have no rivals: an alarm of one engine is none of the other's.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::PriorityConfig;
use crate::reading::{Quality, Reading, Series, SeriesKey};
use crate::wire::notification::NOTIFICATIONS;

use super::pattern::{matches_path, matches_source};

/// Seconds before the next source takes over, where no rule says otherwise: five readings of a 1 Hz instrument.
const FAILOVER_MS: u64 = 5_000;

/// Words of a slow source that may be missing: a meter that is asked every 10 s is not gone after 5.
const INTERVALS_MISSED_MAX: u64 = 3;

/// The longest interval that is believed: AIS of a ship at anchor speaks every three minutes (ITU-R M.1371-5, table 1).
const INTERVAL_MS_MAX: u64 = 180_000;

/// Groups in which, without a rule, two sources of one path are taken for rivals. In the others a path has a number in
/// it, and battery 0 of one bus may be another battery than that of the next.
const RIVALS_WITHOUT_RULE: [&str; 4] = ["navigation.", "environment.", "steering.", "performance."];

/// Judges the readings of all buses.
#[derive(Debug)]
pub struct Arbiter {
    rules: Vec<PriorityConfig>,
    /// Rivals for each quantity; bounded by the registry of series, like those that follow.
    quantities: Vec<Rivals>,
    /// Places of quantities that nobody tells any more.
    free: Vec<usize>,
    /// Place of a quantity, which two sources can both tell: a series' key without its source.
    places: HashMap<SeriesKey, usize>,
    /// Place of the quantity of each series, by its number: no text is hashed but for a new series.
    known: HashMap<u32, usize>,
}

#[derive(Debug, Default)]
struct Rivals {
    failover_ms: u64,
    sources: Vec<Rival>,
    /// Place of the preferred one.
    preferred: usize,
}

#[derive(Debug)]
struct Rival {
    series: Arc<Series>,
    /// Place in the rule; the last for those that it does not name.
    rank: usize,
    /// When it last gave a good value.
    good_ms: Option<u64>,
    /// When it last said anything.
    heard_ms: Option<u64>,
    /// The last two times between its words, good or not; 0 before they were.
    gaps_ms: [u64; 2],
}

impl Rival {
    fn heard(&mut self, quality: Quality, mono_ms: u64) {
        if let Some(last) = self.heard_ms.replace(mono_ms) {
            self.gaps_ms = [self.gaps_ms[1], mono_ms.saturating_sub(last)];
        }
        if quality == Quality::Good {
            self.good_ms = Some(mono_ms);
        }
    }

    /// Its own pace: the lesser of two, since an outage is one gap, and a pace has many.
    fn interval_ms(&self) -> u64 {
        self.gaps_ms[0].min(self.gaps_ms[1]).min(INTERVAL_MS_MAX)
    }

    /// Whether it gave a good value lately, for one that speaks as seldom as it does.
    fn is_alive(&self, failover_ms: u64, mono_ms: u64) -> bool {
        let patience_ms = failover_ms.max(self.interval_ms() * INTERVALS_MISSED_MAX);
        self.good_ms.is_some_and(|ms| mono_ms.saturating_sub(ms) < patience_ms)
    }
}

impl Arbiter {
    /// An arbiter with the rules of the configuration, the first that fits counts.
    pub fn new(rules: Vec<PriorityConfig>) -> Self {
        Self { rules, quantities: Vec::new(), free: Vec::new(), places: HashMap::new(), known: HashMap::new() }
    }

    /// Judges readings that arrived at `mono_ms`, marking their series as preferred or not. Returns how many are of a
    /// source on standby.
    pub fn judge(&mut self, readings: &[Reading], mono_ms: u64) -> u64 {
        readings.iter().map(|reading| u64::from(!self.prefer(reading, mono_ms))).sum()
    }

    /// A source fell silent: the next one takes over without waiting for its own next word.
    pub fn silent(&mut self, reading: &Reading, mono_ms: u64) {
        if let Some(place) = self.known.get(&reading.series.id) {
            self.quantities[*place].choose(mono_ms);
        }
    }

    /// A source was given up.
    pub fn forget(&mut self, series: &Series) {
        let Some(place) = self.known.remove(&series.id) else { return };
        let rivals = &mut self.quantities[place];
        let preferred = rivals.sources.get(rivals.preferred).map(|rival| rival.series.id);
        rivals.sources.retain(|rival| rival.series.id != series.id);
        let kept = rivals.sources.iter().position(|rival| Some(rival.series.id) == preferred);
        rivals.preferred = kept.unwrap_or(0);
        if let Some(rival) = rivals.sources.get(rivals.preferred) {
            rival.series.set_preferred(true);
        } else {
            self.places.retain(|_, other| *other != place);
            self.free.push(place);
        }
    }

    fn prefer(&mut self, reading: &Reading, mono_ms: u64) -> bool {
        if reading.series.is_retired() {
            // Given up between its decoding and here: its number may mean another one already.
            return true;
        }
        let place = match self.known.get(&reading.series.id) {
            Some(place) => *place,
            None if reading.series.key.path.starts_with(NOTIFICATIONS) => return true,
            None => self.admit(&reading.series),
        };
        let rivals = &mut self.quantities[place];
        // Nearly every quantity has one source.
        if rivals.sources.len() == 1 {
            rivals.sources[0].heard(reading.quality, mono_ms);
            return true;
        }
        if let Some(rival) = rivals.sources.iter_mut().find(|rival| rival.series.id == reading.series.id) {
            rival.heard(reading.quality, mono_ms);
        }
        rivals.choose(mono_ms);
        reading.series.is_preferred()
    }

    fn admit(&mut self, series: &Arc<Series>) -> usize {
        let rule = self.rules.iter().find(|rule| matches_path(&rule.path, &series.key.path));
        let is_rival = rule.is_some() || RIVALS_WITHOUT_RULE.iter().any(|group| series.key.path.starts_with(group));
        let of_rule = |rule: &PriorityConfig| rule.sources.iter().position(|s| matches_source(s, &series.key.source));
        let rank = rule.and_then(of_rule).unwrap_or(usize::MAX);
        let source = if is_rival { Arc::from("") } else { Arc::clone(&series.key.source) };
        let key = SeriesKey { source, ..series.key.clone() };
        let (quantities, free) = (&mut self.quantities, &mut self.free);
        let place = *self.places.entry(key).or_insert_with(|| match free.pop() {
            Some(place) => place,
            None => {
                quantities.push(Rivals::default());
                quantities.len() - 1
            }
        });
        let rivals = &mut self.quantities[place];
        rivals.failover_ms = rule.map_or(FAILOVER_MS, |rule| u64::from(rule.failover_s) * 1_000);
        rivals.sources.push(Rival { series: Arc::clone(series), rank, good_ms: None, heard_ms: None, gaps_ms: [0; 2] });
        series.set_preferred(rivals.sources.len() == 1);
        self.known.insert(series.id, place);
        place
    }
}

impl Rivals {
    /// The best of those that gave a good value lately; of equals the one that is preferred already. When none did, all
    /// stays as it is: the last one shown goes stale before the eyes of all.
    fn choose(&mut self, mono_ms: u64) {
        let order = |(place, rival): &(usize, &Rival)| (rival.rank, usize::from(*place != self.preferred), *place);
        let alive = self.sources.iter().enumerate().filter(|(_, rival)| rival.is_alive(self.failover_ms, mono_ms));
        let Some((best, _)) = alive.min_by_key(order) else { return };
        if best != self.preferred {
            self.sources[self.preferred].series.set_preferred(false);
            self.sources[best].series.set_preferred(true);
            self.preferred = best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::reading::{Context, SeriesRegistry, Value};

    struct Bench {
        registry: SeriesRegistry,
        arbiter: Arbiter,
        now_ms: u64,
    }

    fn bench(sources: &[&str]) -> Bench {
        let sources: Vec<String> = sources.iter().map(|s| (*s).to_owned()).collect();
        let rule = PriorityConfig { path: "navigation.*".to_owned(), sources, failover_s: 5 };
        Bench { registry: SeriesRegistry::default(), arbiter: Arbiter::new(vec![rule]), now_ms: 1 }
    }

    impl Bench {
        fn say(&mut self, source: &str, quality: Quality) -> bool {
            self.say_of("navigation.position", source, quality)
        }

        fn say_of(&mut self, path: &'static str, source: &str, quality: Quality) -> bool {
            let context = Context::OwnShip;
            let key = SeriesKey { context, path: path.into(), source: source.into(), instance: "".into() };
            let series = self.registry.series(&key).unwrap();
            let (observed_at, received_at, value) = (Stamp(0), Stamp(0), Value::Absent);
            self.arbiter.judge(&[Reading { series, observed_at, received_at, value, quality }], self.now_ms) == 0
        }
    }

    #[test]
    fn without_a_rule_the_first_to_speak_keeps_the_floor() {
        let mut bench = bench(&[]);
        for _ in 0..20 {
            assert!(bench.say("gps1.GP", Quality::Good));
            assert!(!bench.say("gps2.GP", Quality::Good));
            bench.now_ms += 1_000;
        }
    }

    #[test]
    fn the_next_takes_over_when_the_better_one_is_silent_or_blind_and_gives_back() {
        let mut bench = bench(&["gps2", "gps1.GP"]);
        assert!(bench.say("gps1.GP", Quality::Good), "alone");
        assert!(bench.say("gps2.GN", Quality::Good), "the better one spoke");
        assert!(!bench.say("gps1.GP", Quality::Good));
        for second in 1..=10 {
            bench.now_ms += 1_000;
            assert!(
                !bench.say("gps3.GP", Quality::Good) && bench.say("gps2.GN", Quality::NotAvailable) == (second < 5)
            );
            assert_eq!(bench.say("gps1.GP", Quality::Good), second >= 5, "after {second} s without a fix");
        }
        assert!(bench.say("gps2.GN", Quality::Good), "the fix is back");
        assert!(!bench.say("gps1.GP", Quality::Good));
    }

    #[test]
    fn alarms_of_two_sources_do_not_hide_each_other() {
        let mut bench = bench(&[]);
        for source in ["engine.address0", "engine.address1", "engine.address0"] {
            assert!(bench.say_of("notifications.alert", source, Quality::Good));
        }
        assert!(bench.arbiter.known.is_empty());
    }

    #[test]
    fn one_that_is_given_up_leaves_its_place_to_another() {
        let mut bench = bench(&[]);
        assert!(bench.say("gps1.GP", Quality::Good) && !bench.say("gps2.GP", Quality::Good));
        let series: Vec<_> = bench.arbiter.quantities[0].sources.iter().map(|r| Arc::clone(&r.series)).collect();
        bench.arbiter.forget(&series[0]);
        assert!(series[1].is_preferred() && bench.say("gps2.GP", Quality::Good));
        bench.arbiter.forget(&series[1]);
        assert!(bench.arbiter.places.is_empty() && bench.arbiter.known.is_empty());
        assert!(bench.say("gps3.GP", Quality::Good));
        assert_eq!(bench.arbiter.quantities.len(), 1);
    }

    #[test]
    fn one_that_speaks_seldom_keeps_its_place_between_its_words() {
        let mut bench = bench(&["slow", "fast"]);
        for second in 0..60 {
            bench.now_ms += 1_000;
            if second % 10 == 0 {
                assert!(bench.say("slow.GP", Quality::Good));
            }
            assert!(second < 20 || !bench.say("fast.GP", Quality::Good), "after {second} s");
        }
        for _ in 0..30 {
            bench.now_ms += 1_000;
            bench.say("fast.GP", Quality::Good);
        }
        assert!(bench.say("fast.GP", Quality::Good), "three of its intervals");
    }

    #[test]
    fn an_outage_is_no_pace() {
        let mut bench = bench(&["gps1", "gps2"]);
        for outage in [Quality::NotAvailable, Quality::Stale] {
            for _ in 0..3 {
                bench.now_ms += 1_000;
                assert!(bench.say("gps1.GP", Quality::Good) && !bench.say("gps2.GP", Quality::Good));
            }
            for second in 1..=100 {
                bench.now_ms += 1_000;
                // Blind the first time, silent the second.
                if outage == Quality::NotAvailable {
                    bench.say("gps1.GP", outage);
                }
                assert_eq!(bench.say("gps2.GP", Quality::Good), second >= 5, "{outage:?}, after {second} s");
            }
            assert!(bench.say("gps1.GP", Quality::Good), "it is back");
        }
        for second in 1..=5 {
            bench.now_ms += 1_000;
            assert_eq!(bench.say("gps2.GP", Quality::Good), second >= 5, "after one word between two outages");
        }
    }

    #[test]
    fn batteries_of_two_buses_are_two_batteries_where_no_rule_says_otherwise() {
        let registry = SeriesRegistry::default();
        let mut arbiter = Arbiter::new(Vec::new());
        for source in ["n2k.1", "engine.2"] {
            let path = "electrical.batteries.0.voltage".into();
            let key = SeriesKey { context: Context::OwnShip, path, source: source.into(), instance: "".into() };
            let series = registry.series(&key).unwrap();
            let (observed_at, received_at) = (Stamp(0), Stamp(0));
            let reading =
                Reading { series, observed_at, received_at, value: Value::Float(12.0), quality: Quality::Good };
            assert_eq!(arbiter.judge(&[reading], 1), 0, "{source}");
        }
    }

    #[test]
    fn when_none_is_good_the_last_one_stays() {
        let mut bench = bench(&["gps1", "gps2"]);
        assert!(bench.say("gps1.GP", Quality::Good));
        assert!(!bench.say("gps2.GP", Quality::Good));
        bench.now_ms += 60_000;
        assert!(bench.say("gps1.GP", Quality::NotAvailable));
        assert!(!bench.say("gps2.GP", Quality::NotAvailable));
        assert!(bench.say("gps2.GP", Quality::Good));
    }
}
