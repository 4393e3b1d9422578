//! The bus between sensors and the store: one bounded lane a source, drained by the writer's tick.
//!
//! Producers never wake the writer: at 10,000 readings a second a wake-up per reading costs 8 to 12 % of a core, a tick
//! that drains costs 0.25 % (STORE.md, fact 1). When a lane is full the newest reading is refused and counted; a source
//! that can be held back (TCP) waits instead, see [`Lane::push_all`]. It knows nothing of what it carries to whom.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::reading::Reading;

/// Readings a lane holds: 3 s of the fastest single source planned (10,000 readings/s ÷ 100 ms × 30 ticks), about 3 MB.
pub const LANE_READINGS_MAX: usize = 32_768;

/// How long a source that can wait does so before its reading is refused: longer than any commit seen on an eMMC.
pub const LANE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How often a waiting source looks again; half the writer's tick.
const LANE_RETRY: Duration = Duration::from_millis(50);

/// The writer's end: all lanes.
#[derive(Clone, Debug, Default)]
pub struct Bus(Arc<Mutex<Lanes>>);

#[derive(Debug, Default)]
struct Lanes {
    lanes: Vec<Arc<LaneState>>,
    /// The lane that is served first next time.
    first: usize,
}

/// A source's end.
#[derive(Clone, Debug)]
pub struct Lane(Arc<LaneState>);

#[derive(Debug)]
struct LaneState {
    queue: Mutex<VecDeque<Reading>>,
    limit: usize,
    refused: AtomicU64,
}

impl Bus {
    /// A new lane of [`LANE_READINGS_MAX`] readings.
    pub fn lane(&self) -> Lane {
        self.lane_with_limit(LANE_READINGS_MAX)
    }

    /// A new lane of `limit` readings.
    pub fn lane_with_limit(&self, limit: usize) -> Lane {
        let lane = Arc::new(LaneState { queue: Mutex::default(), limit, refused: AtomicU64::new(0) });
        lock(&self.0).lanes.push(Arc::clone(&lane));
        Lane(lane)
    }

    /// Takes what all lanes hold, at most `max` readings, into `batch`; each lane keeps its order. First every lane gets
    /// its share, so that a flood on one leaves the others theirs; then the room that is left is given in turn.
    pub fn drain_into(&self, batch: &mut Vec<Reading>, max: usize) {
        let mut all = lock(&self.0);
        let count = all.lanes.len();
        let share = max / count.max(1);
        for limit in [share, max] {
            for step in 0..count {
                let mut queue = lock(&all.lanes[(all.first + step) % count].queue);
                let taken = queue.len().min(limit).min(max.saturating_sub(batch.len()));
                batch.extend(queue.drain(..taken));
            }
        }
        all.first = (all.first + 1) % count.max(1);
    }

    /// How many readings wait.
    pub fn waiting(&self) -> usize {
        lock(&self.0).lanes.iter().map(|lane| lock(&lane.queue).len()).sum()
    }

    /// How many readings were refused because a lane was full.
    pub fn refused(&self) -> u64 {
        lock(&self.0).lanes.iter().map(|lane| lane.refused.load(Ordering::Relaxed)).sum()
    }
}

impl Lane {
    /// Hands readings over without waiting. Takes from `readings` what fits; the rest stays in it.
    pub fn offer(&self, readings: &mut Vec<Reading>) {
        let mut queue = lock(&self.0.queue);
        let count = readings.len().min(self.0.limit.saturating_sub(queue.len()));
        queue.extend(readings.drain(..count));
    }

    /// Hands readings over; what does not fit is refused and counted. For sources that cannot be held back (UDP, CAN).
    /// Empties `readings`, returns how many were refused.
    pub fn push(&self, readings: &mut Vec<Reading>) -> u64 {
        self.offer(readings);
        self.refuse(readings)
    }

    /// Hands readings over, waiting for room up to [`LANE_WAIT_MAX`]. For sources that can be held back (TCP).
    /// Empties `readings`, returns how many were refused.
    pub async fn push_all(&self, readings: &mut Vec<Reading>) -> u64 {
        self.offer(readings);
        let mut waited = Duration::ZERO;
        while !readings.is_empty() && waited < LANE_WAIT_MAX {
            tokio::time::sleep(LANE_RETRY).await;
            waited += LANE_RETRY;
            self.offer(readings);
        }
        self.refuse(readings)
    }

    fn refuse(&self, readings: &mut Vec<Reading>) -> u64 {
        let refused = readings.len() as u64;
        self.0.refused.fetch_add(refused, Ordering::Relaxed);
        readings.clear();
        refused
    }
}

/// A queue is valid at every instant, so a panic elsewhere while it was locked does no harm.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::reading::{Context, Quality, SeriesKey, SeriesRegistry, Value};

    fn readings(count: i64) -> Vec<Reading> {
        let key = SeriesKey { context: Context::OwnShip, path: "a".into(), source: "b".into(), instance: "".into() };
        let series = SeriesRegistry::default().series(&key).unwrap();
        (0..count)
            .map(|i| Reading {
                series: Arc::clone(&series),
                observed_at: Stamp(i),
                received_at: Stamp(i),
                value: Value::Integer(i),
                quality: Quality::Good,
            })
            .collect()
    }

    #[test]
    fn a_full_lane_refuses_the_newest_and_counts() {
        let bus = Bus::default();
        let lane = bus.lane_with_limit(3);
        assert_eq!(lane.push(&mut readings(5)), 2);
        assert_eq!(bus.refused(), 2);
        let mut batch = Vec::new();
        bus.drain_into(&mut batch, 2);
        assert_eq!(batch.iter().map(|r| r.observed_at.0).collect::<Vec<_>>(), [0, 1]);
        bus.drain_into(&mut batch, 10);
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn a_lane_that_floods_leaves_the_others_their_share() {
        let bus = Bus::default();
        let [flood, calm, last] = [1_000, 1_000, 1_000].map(|limit| bus.lane_with_limit(limit));
        flood.push(&mut readings(1_000));
        calm.push(&mut readings(3));
        let mut batch = Vec::new();
        bus.drain_into(&mut batch, 30);
        assert_eq!((batch.len(), bus.waiting()), (30, 973), "three of the calm one, and the room is used");
        for _ in 0..6 {
            flood.push(&mut readings(100));
            last.push(&mut readings(1));
            batch.clear();
            bus.drain_into(&mut batch, 2);
        }
        assert!(bus.waiting() > 900 && lock(&last.0.queue).len() <= 4, "fewer than lanes: they take turns");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_can_wait_loses_nothing_while_the_writer_lives() {
        let bus = Bus::default();
        let lane = bus.lane_with_limit(2);
        let writer = {
            let bus = bus.clone();
            tokio::spawn(async move {
                let mut batch = Vec::new();
                while batch.len() < 7 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    bus.drain_into(&mut batch, 100);
                }
                batch.len()
            })
        };
        assert_eq!(lane.push_all(&mut readings(7)).await, 0);
        assert_eq!(writer.await.unwrap(), 7);
    }
}
