//! When a unit that does not answer is asked again: back-off, and a breaker that leaves the line to the others
//! (influxdata/telegraf#11782: one dead unit froze a whole line).
//!
//! Closed: asked as planned. A failure or two (noise) delay it a little. From [`FAILURES_TO_OPEN`] on it is open: one
//! question, the probe, in [`OPEN_WAIT_IN_COSTS`] times of what a probe costs the line. While the probe is out it is
//! half open; an answer closes it.

/// Failures in a row that open the breaker: one may be noise, a second its echo.
pub const FAILURES_TO_OPEN: u32 = 3;

/// Waits after each failure, in what it cost: the line's time from question to the end of the waiting.
const WAITS_IN_COSTS: [u64; FAILURES_TO_OPEN as usize] = [1, 4, OPEN_WAIT_IN_COSTS];

/// The wait of an open breaker: a unit takes 1 part in 65 of the line, 1.54 %.
pub const OPEN_WAIT_IN_COSTS: u64 = 64;

/// The goal: a dead unit takes less than 2 % of the line.
const _: () = assert!(100 < 2 * (OPEN_WAIT_IN_COSTS + 1));

/// The least that a failure is taken to cost: one that is told at once (a gateway's exception) still took the time of
/// a question and an answer at 9,600 baud, 30 ms, and of whoever looks at the log.
const COST_MS_MIN: u64 = 100;

/// The longest wait: a unit that was switched on again is heard within five minutes (and half of that for jitter),
/// whatever its time-out. Reached with time-outs over 4.6 s only.
const WAIT_MS_MAX: u64 = 300_000;

/// Of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    failures: u32,
    not_before_ms: u64,
}

impl Breaker {
    /// When it may be asked.
    pub(super) const fn not_before_ms(&self) -> u64 {
        self.not_before_ms
    }

    /// Whether the last question failed.
    pub(super) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// A question failed and took `cost_ms` of the line. `jitter`, 0 to 1, stretches the wait up to half as long
    /// again, so that units that died together are not probed together.
    pub(super) fn failed(&mut self, now_ms: u64, cost_ms: u64, jitter: f64) {
        let wait = WAITS_IN_COSTS[(self.failures as usize).min(WAITS_IN_COSTS.len() - 1)];
        let wait_ms = (cost_ms.max(COST_MS_MIN) * wait).min(WAIT_MS_MAX);
        // Saturating cast of a small number.
        let stretch_ms = (wait_ms as f64 * 0.5 * jitter) as u64;
        self.failures = self.failures.saturating_add(1);
        self.not_before_ms = now_ms.saturating_add(wait_ms + stretch_ms);
    }

    /// It answered.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_the_third_failure_and_closes_with_an_answer() {
        let mut breaker = Breaker::default();
        let mut waits = Vec::new();
        for _ in 0..5 {
            breaker.failed(10_000, 1_000, 0.0);
            waits.push(breaker.not_before_ms() - 10_000);
        }
        assert_eq!(waits, [1_000, 4_000, 64_000, 64_000, 64_000]);
        breaker.failed(10_000, 1_000, 1.0);
        assert_eq!(breaker.not_before_ms(), 10_000 + 96_000);
        breaker.succeeded();
        assert_eq!((breaker.is_failing(), breaker.not_before_ms()), (false, 0));
    }

    #[test]
    fn a_failure_that_costs_nothing_or_everything_is_bounded() {
        let mut breaker = Breaker { failures: 9, not_before_ms: 0 };
        breaker.failed(0, 0, 0.0);
        assert_eq!(breaker.not_before_ms(), 6_400);
        breaker.failed(0, u64::MAX / 100, 0.0);
        assert_eq!(breaker.not_before_ms(), WAIT_MS_MAX);
    }
}
