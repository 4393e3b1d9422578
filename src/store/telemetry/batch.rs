//! Building a piece of the sequence: dense readings, holes named. Pure.

use std::ops::ControlFlow;

use super::types::{Batch, Missing, MissingReason, StoredReading};
use super::view::Health;

/// Puts a [`Batch`] together from readings in order.
#[derive(Debug)]
pub struct BatchBuilder {
    expected: u64,
    up_to: u64,
    readings_max: usize,
    bytes_left: usize,
    readings: Vec<StoredReading>,
    missing: Option<Missing>,
    damaged: bool,
    newer: bool,
}

impl BatchBuilder {
    /// For the numbers after `after_seq`, up to `up_to_seq`.
    pub const fn new(after_seq: u64, up_to_seq: u64, readings_max: usize, bytes_max: usize) -> Self {
        Self {
            expected: after_seq + 1,
            up_to: up_to_seq,
            readings_max,
            bytes_left: bytes_max,
            readings: Vec::new(),
            missing: None,
            damaged: false,
            newer: false,
        }
    }

    /// The number that should come next.
    pub const fn expected(&self) -> u64 {
        self.expected
    }

    /// The last number asked for.
    pub const fn up_to(&self) -> u64 {
        self.up_to
    }

    /// Notes what was met on the way: the reason of a hole that shows later.
    pub fn saw(&mut self, health: Health) {
        self.damaged |= health == Health::Damaged;
        self.newer |= health == Health::Newer;
    }

    /// Takes the next reading, or ends the batch: it is full, or a hole comes after readings.
    pub fn push(&mut self, reading: StoredReading) -> ControlFlow<()> {
        if reading.seq < self.expected {
            return ControlFlow::Continue(());
        }
        let hole = reading.seq > self.expected;
        let bytes = reading.bytes_estimate();
        let full = self.readings.len() >= self.readings_max.max(1) || bytes > self.bytes_left;
        if reading.seq > self.up_to || (!self.readings.is_empty() && (hole || full)) {
            return ControlFlow::Break(());
        }
        if hole {
            self.missing = Some(self.hole_until(reading.seq - 1));
        }
        self.expected = reading.seq + 1;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.readings.push(reading);
        ControlFlow::Continue(())
    }

    fn hole_until(&self, last: u64) -> Missing {
        let reason = match (self.damaged, self.newer) {
            (true, _) => MissingReason::Corrupt,
            (false, true) => MissingReason::Newer,
            (false, false) => MissingReason::Gone,
        };
        Missing { first: self.expected, last, reason }
    }

    /// The batch. Without a single reading all that was asked for is missing.
    pub fn finish(mut self) -> Batch {
        if self.readings.is_empty() && self.up_to >= self.expected {
            self.missing = Some(self.hole_until(self.up_to));
            self.expected = self.up_to + 1;
        }
        let first_seq = self.readings.first().map_or(self.expected, |reading| reading.seq);
        Batch { first_seq, readings: self.readings, next_seq: self.expected, missing: self.missing }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{ClockQuality, Stamp};
    use crate::reading::{Context, Quality, SeriesKey, Value};

    fn reading(seq: u64) -> StoredReading {
        let key = SeriesKey { context: Context::OwnShip, path: "a".into(), source: "b".into(), instance: "".into() };
        StoredReading {
            seq,
            key: Arc::new(key),
            observed_at: Stamp(0),
            received_at: Stamp(0),
            value: Value::Absent,
            quality: Quality::Good,
            clock_quality: ClockQuality::Rtc,
        }
    }

    fn batch(after: u64, up_to: u64, max: usize, seqs: &[u64]) -> (u64, usize, u64, Option<(u64, u64)>) {
        let mut builder = BatchBuilder::new(after, up_to, max, usize::MAX);
        let _ = seqs.iter().try_for_each(|&seq| builder.push(reading(seq)));
        let batch = builder.finish();
        (batch.first_seq, batch.readings.len(), batch.next_seq, batch.missing.map(|m| (m.first, m.last)))
    }

    #[test]
    fn dense_readings_end_at_the_limit_or_the_durable_number() {
        assert_eq!(batch(0, 9, 100, &[1, 2, 3]), (1, 3, 4, None));
        assert_eq!(batch(0, 9, 2, &[1, 2, 3]), (1, 2, 3, None));
        assert_eq!(batch(0, 2, 100, &[1, 2, 3]), (1, 2, 3, None));
        assert_eq!(batch(1, 9, 100, &[1, 2, 3]), (2, 2, 4, None));
        assert_eq!(batch(0, 9, 0, &[1, 2]), (1, 1, 2, None), "never stuck");
    }

    #[test]
    fn holes_are_named_never_skipped() {
        assert_eq!(batch(0, 9, 100, &[4, 5]), (4, 2, 6, Some((1, 3))), "before");
        assert_eq!(batch(0, 9, 100, &[1, 2, 5]), (1, 2, 3, None), "within: the next batch tells");
        assert_eq!(batch(5, 9, 100, &[]), (10, 0, 10, Some((6, 9))), "all");
        assert_eq!(batch(9, 9, 100, &[]), (10, 0, 10, None), "nothing was asked for");
        assert_eq!(batch(0, 3, 100, &[7]), (4, 0, 4, Some((1, 3))), "up to the durable number only");
    }

    #[test]
    fn bytes_end_a_batch_but_never_keep_it_empty() {
        let mut builder = BatchBuilder::new(0, 9, 100, 1);
        assert!(builder.push(reading(1)).is_continue());
        assert!(builder.push(reading(2)).is_break());
        assert_eq!(builder.finish().readings.len(), 1);
    }
}
