//! What is said in the log about dropped lines: the first of each reason with a sample, then one summary a minute at
//! most.
//!
//! Pure: it decides, the caller writes. A bus that sends garbage at full speed must not turn the log into the garbage.

/// Characters of a sample.
pub(crate) const SAMPLE_CHARACTERS_MAX: usize = 120;

/// The least time between two summaries of a bus.
const SUMMARY_INTERVAL_MS: u64 = 60_000;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// The first of its reason: with a sample.
    First,
    /// So many were dropped since the last message; this is the last one's reason.
    Summary(u64),
    /// Nothing; it is counted.
    Nothing,
}

/// Remembers what was said.
#[derive(Debug, Default)]
pub(crate) struct RejectLog {
    /// Reasons are few and fixed: see `stats::REASONS_MAX`.
    told: Vec<&'static str>,
    unsaid: u64,
    last_said_ms: u64,
}

impl RejectLog {
    /// Decides about `count` drops for one reason.
    pub(crate) fn note(&mut self, reason: &'static str, count: u64, mono_ms: u64) -> Say {
        if !self.told.contains(&reason) && self.told.len() < super::stats::REASONS_MAX {
            self.told.push(reason);
            self.last_said_ms = mono_ms;
            return Say::First;
        }
        self.unsaid += count;
        if mono_ms.saturating_sub(self.last_said_ms) < SUMMARY_INTERVAL_MS {
            return Say::Nothing;
        }
        self.last_said_ms = mono_ms;
        Say::Summary(std::mem::take(&mut self.unsaid))
    }
}

/// A line as it may stand in a log: escaped and cut.
pub(crate) fn sample(line: &[u8]) -> String {
    line.escape_ascii().take(SAMPLE_CHARACTERS_MAX).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_reason_is_told_then_a_summary_a_minute() {
        let mut log = RejectLog::default();
        assert_eq!(log.note("cut", 1, 0), Say::First);
        for ms in 1..60_000 {
            assert_eq!(log.note("cut", 1, ms), Say::Nothing);
        }
        assert_eq!(log.note("cut", 1, 60_000), Say::Summary(60_000));
        assert_eq!(log.note("bad_field", 1, 60_001), Say::First);
        assert_eq!(log.note("cut", 1, 60_002), Say::Nothing);
    }

    #[test]
    fn a_sample_is_short_and_printable() {
        let told = sample(&[0x1B; 4_000]);
        assert_eq!(told.len(), SAMPLE_CHARACTERS_MAX);
        assert!(told.starts_with("\\x1b"));
    }
}
