//! The state of the link to one broker: when to try, how long to wait, what to log, what to do at connect. Pure: no
//! I/O, no clock, no randomness of its own. It never gives up (I5).

/// The first wait after a failure (Z12).
pub const BACKOFF_FIRST_MS: u64 = 1_000;

/// The longest wait (Z12): 5 minutes, the cycle of the sync on a satellite link.
pub const BACKOFF_MAX_MS: u64 = 300_000;

/// How long a link must hold before the next failure starts from [`BACKOFF_FIRST_MS`] again (Z12).
pub const STABLE_AFTER_MS: u64 = 60_000;

/// Changes acknowledged last that go out again, as catch-up, when a broker lost its session: what it had acknowledged
/// and only kept in memory for its subscribers. `configs/mosquitto.conf` allows 1,000 queued and 20 in flight.
pub const REPEATED_AFTER_LOSS_MAX: u64 = 1_020;

/// How long to wait between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// Upper bound of the first wait, milliseconds.
    pub first_ms: u64,
    /// Upper bound of all waits, milliseconds.
    pub max_ms: u64,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first_ms: BACKOFF_FIRST_MS, max_ms: BACKOFF_MAX_MS }
    }
}

/// Where the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the next try.
    Offline,
    /// Trying.
    Connecting,
    /// The broker answered, at this monotonic millisecond.
    Online {
        /// When.
        since_ms: u64,
    },
}

/// One try to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// Counts from 1 since the last success.
    pub number: u64,
    /// Whether it is not the first since the start.
    pub again: bool,
    /// Whether it is worth a line in the log (I8).
    pub logged: bool,
}

/// How the broker answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The broker knew the session: what is in flight goes on.
    pub session_present: bool,
    /// We asked for a fresh session, since the old one was of an earlier process.
    pub clean_start: bool,
}

/// What to do at connect, beside saying that we are online, subscribing again and flushing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtConnect {
    /// Nothing in flight survived: read the log again from the cursor.
    pub rewind: bool,
    /// Publish the retained state of all records.
    pub refill: bool,
    /// Send the last acknowledged changes again ([`REPEATED_AFTER_LOSS_MAX`]).
    pub repeat: bool,
}

/// The state of one link.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    back_off: BackOff,
    tries: u64,
    failures: u32,
    ever_connected: bool,
}

impl Session {
    /// Not yet connected; the first try is due at once.
    pub const fn new(back_off: BackOff) -> Self {
        Self { phase: Phase::Offline, back_off, tries: 0, failures: 0, ever_connected: false }
    }

    /// Where the link stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the broker listens.
    pub const fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online { .. })
    }

    /// Tries since the last success.
    pub const fn tries(&self) -> u64 {
        self.tries
    }

    /// A try begins.
    pub const fn trying(&mut self) -> Try {
        self.phase = Phase::Connecting;
        self.tries += 1;
        let again = self.ever_connected || self.tries > 1;
        Try { number: self.tries, again, logged: is_logged(self.tries) }
    }

    /// The broker answered.
    pub const fn connected(&mut self, now_ms: u64, answer: Answer) -> AtConnect {
        self.phase = Phase::Online { since_ms: now_ms };
        self.tries = 0;
        let first = !self.ever_connected;
        self.ever_connected = true;
        AtConnect {
            rewind: !answer.session_present,
            refill: first || !answer.session_present,
            repeat: !answer.session_present && !answer.clean_start,
        }
    }

    /// The link broke or the try failed. Gives the milliseconds to wait: full jitter, `unit` in `0.0..1.0` of a bound
    /// that doubles with each failure.
    pub fn disconnected(&mut self, now_ms: u64, unit: f64) -> u64 {
        if let Phase::Online { since_ms } = self.phase
            && now_ms.saturating_sub(since_ms) >= STABLE_AFTER_MS
        {
            self.failures = 0;
        }
        self.phase = Phase::Offline;
        let doubled = 1u64.checked_shl(self.failures).and_then(|factor| self.back_off.first_ms.checked_mul(factor));
        let bound = doubled.map_or(self.back_off.max_ms, |ms| ms.min(self.back_off.max_ms));
        self.failures = self.failures.saturating_add(1);
        // The product is at most 300,000, far inside what an f64 holds exactly.
        (bound as f64 * unit) as u64
    }
}

/// Each of the first 10 tries, each 10th to 100, then each 100th (I8).
const fn is_logged(number: u64) -> bool {
    number <= 10 || (number <= 100 && number.is_multiple_of(10)) || number.is_multiple_of(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Answer = Answer { session_present: false, clean_start: false };
    const KEPT: Answer = Answer { session_present: true, clean_start: false };

    #[test]
    fn waits_double_to_five_minutes_and_never_end() {
        let mut session = Session::new(BackOff::default());
        let bounds: Vec<u64> = (0..12).map(|_| session.disconnected(0, 1.0)).collect();
        assert_eq!(bounds[..9], [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000]);
        assert_eq!(bounds[9..], [300_000; 3]);
        for _ in 0..1_000 {
            assert_eq!(session.disconnected(0, 1.0), 300_000);
        }
        assert_eq!(session.disconnected(0, 0.0), 0, "full jitter reaches down to nothing");
    }

    #[test]
    fn only_a_stable_link_starts_the_waits_anew() {
        let mut session = Session::new(BackOff::default());
        session.disconnected(0, 1.0);
        session.connected(0, LOST);
        assert_eq!(session.disconnected(STABLE_AFTER_MS - 1, 1.0), 2_000);
        session.connected(0, LOST);
        assert_eq!(session.disconnected(STABLE_AFTER_MS, 1.0), 1_000);
    }

    #[test]
    fn tries_are_logged_as_i8_asks() {
        let mut session = Session::new(BackOff::default());
        let logged: Vec<u64> = (0..400).map(|_| session.trying()).filter(|t| t.logged).map(|t| t.number).collect();
        let expected: Vec<u64> = (1..=10).chain((20..=100).step_by(10)).chain([200, 300, 400]).collect();
        assert_eq!(logged, expected);
        session.connected(0, KEPT);
        assert_eq!(session.trying(), Try { number: 1, again: true, logged: true });
    }

    #[test]
    fn what_is_done_at_connect_follows_from_what_the_broker_kept() {
        let mut session = Session::new(BackOff::default());
        let fresh = Answer { session_present: false, clean_start: true };
        assert_eq!(session.connected(0, fresh), AtConnect { rewind: true, refill: true, repeat: false });
        assert_eq!(session.connected(0, KEPT), AtConnect { rewind: false, refill: false, repeat: false });
        assert_eq!(session.connected(0, LOST), AtConnect { rewind: true, refill: true, repeat: true });
        assert!(session.is_online());
    }
}
