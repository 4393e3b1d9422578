//! Thins live readings for brokers: the newest value of each preferred series, at most once a second, and all of a
//! second, those on standby too, as batches. Pure. The full readings go ashore by the sync, not here.

use std::collections::HashMap;

use crate::reading::Reading;

/// The shortest time between two live values of one series on MQTT: a page cannot be read faster, and 1,000 series at
/// the 100 readings/s of S1 would be 100,000 messages a second.
pub const LIVE_INTERVAL_MIN_MS: u64 = 1_000;

/// Readings in one batch message: about 150 bytes each, so that a message stays under 80 kB.
pub const BATCH_READINGS_MAX: usize = 500;

/// What is known of the series.
#[derive(Debug, Default)]
pub struct Thinner {
    series: HashMap<u32, Slot>,
}

#[derive(Debug)]
struct Slot {
    said_at_ms: u64,
    /// The newest value, when it was not yet said live.
    unsaid: Option<Reading>,
    /// The newest value since the last batch.
    unbatched: Option<Reading>,
}

impl Thinner {
    /// Takes a reading in; gives it back when it may be said live at once. Bounded by the registry of series.
    pub fn take(&mut self, reading: &Reading, now_ms: u64) -> Option<Reading> {
        let due = match self.series.get_mut(&reading.series.id) {
            Some(slot) => {
                let preferred = reading.series.is_preferred();
                let due = preferred && now_ms.saturating_sub(slot.said_at_ms) >= LIVE_INTERVAL_MIN_MS;
                slot.unbatched = Some(reading.clone());
                slot.unsaid = (preferred && !due).then(|| reading.clone());
                if due {
                    slot.said_at_ms = now_ms;
                }
                due
            }
            None => {
                let slot = Slot { said_at_ms: now_ms, unsaid: None, unbatched: Some(reading.clone()) };
                self.series.insert(reading.series.id, slot);
                reading.series.is_preferred()
            }
        };
        due.then(|| reading.clone())
    }

    /// What may now be said live.
    pub fn due(&mut self, now_ms: u64) -> Vec<Reading> {
        let due =
            self.series.values_mut().filter(|slot| now_ms.saturating_sub(slot.said_at_ms) >= LIVE_INTERVAL_MIN_MS);
        due.filter_map(|slot| {
            let reading = slot.unsaid.take()?;
            slot.said_at_ms = now_ms;
            Some(reading)
        })
        .collect()
    }

    /// The newest value of each series that spoke since the last call, in the order of the series.
    pub fn batch(&mut self) -> Vec<Reading> {
        let mut readings: Vec<Reading> = self.series.values_mut().filter_map(|slot| slot.unbatched.take()).collect();
        readings.sort_by_key(|reading| reading.series.id);
        readings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::reading::{Context, Quality, SeriesKey, SeriesRegistry, Value};

    fn reading(path: &'static str, value: i64, registry: &SeriesRegistry) -> Reading {
        let key = SeriesKey { context: Context::OwnShip, path: path.into(), source: "s".into(), instance: "".into() };
        Reading {
            series: registry.series(&key).unwrap(),
            observed_at: Stamp(value),
            received_at: Stamp(value),
            value: Value::Integer(value),
            quality: Quality::Good,
        }
    }

    fn values(readings: &[Reading]) -> Vec<Value> {
        readings.iter().map(|r| r.value.clone()).collect()
    }

    #[test]
    fn the_first_is_said_at_once_then_the_newest_each_second() {
        let registry = SeriesRegistry::default();
        let mut thinner = Thinner::default();
        assert!(thinner.take(&reading("a", 1, &registry), 0).is_some());
        assert!(thinner.take(&reading("a", 2, &registry), 10).is_none());
        assert!(thinner.take(&reading("a", 3, &registry), 999).is_none());
        assert!(thinner.take(&reading("b", 4, &registry), 999).is_some(), "each series for itself");
        assert!(thinner.due(999).is_empty());
        assert_eq!(values(&thinner.due(1_000)), [Value::Integer(3)]);
        assert!(thinner.due(5_000).is_empty(), "nothing new, nothing said");
        assert!(thinner.take(&reading("a", 5, &registry), 2_000).is_some());
    }

    #[test]
    fn a_batch_holds_each_series_once() {
        let registry = SeriesRegistry::default();
        let mut thinner = Thinner::default();
        for (path, value) in [("a", 1), ("b", 2), ("a", 3)] {
            thinner.take(&reading(path, value, &registry), 0);
        }
        assert_eq!(values(&thinner.batch()), [Value::Integer(3), Value::Integer(2)]);
        assert!(thinner.batch().is_empty());
    }
}
