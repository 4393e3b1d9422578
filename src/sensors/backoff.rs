//! How long to wait before trying again: doubling, with full jitter, so that forty buses behind one switch do not all
//! knock at once when it returns. Pure: it is told when an attempt proved stable and never sleeps itself.

use std::time::Duration;

use crate::entropy::Entropy;

/// The wait before the next attempt.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    entropy: Entropy,
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(entropy: Entropy, min: Duration, max: Duration) -> Self {
        Self { entropy, min, max, failures: 0 }
    }

    /// The most that the next wait can be.
    fn ceiling(&self) -> Duration {
        self.min.saturating_mul(1u32.checked_shl(self.failures.min(31)).unwrap_or(u32::MAX)).min(self.max)
    }

    /// The next wait: anything up to the ceiling, which doubles.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.ceiling().mul_f64(self.entropy.unit());
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The last attempt held long enough: begin again with short waits.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_to_its_limit_and_every_wait_is_below_it() {
        let mut backoff = Backoff::new(Entropy::seeded(1), Duration::from_secs(1), Duration::from_secs(60));
        let mut ceilings = Vec::new();
        for _ in 0..100 {
            let ceiling = backoff.ceiling();
            ceilings.push(ceiling.as_secs());
            assert!(backoff.next() <= ceiling);
        }
        assert_eq!(ceilings[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(ceilings[99], 60);
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
