//! Finds the rate of a serial line by listening: at the wrong rate sentences come out as garbage. Pure.
//!
//! A rate is right when sound messages come and outnumber what is dropped. The rates stand in the order of how often
//! they are met; all are tried again and again until something speaks, since an instrument may be switched on later.

/// Rates that ships' instruments use: 4,800 is NMEA 0183, 38,400 its high-speed form and AIS, 115,200 the USB
/// gateways; the others are multiplexers'.
pub const RATES: [u32; 8] = [4_800, 38_400, 9_600, 115_200, 19_200, 57_600, 230_400, 460_800];

/// How long one rate is listened to. An instrument speaks at least each second; two of its turns fit.
pub const LISTEN_MS: u64 = 2_500;

/// How long is listened on where one sound message came and nothing was dropped: an AIS receiver in quiet water or a
/// weather station speaks every ten seconds.
pub const LISTEN_ON_MS: u64 = 30_000;

/// Sound messages that prove a rate: one may be an accident where no checksum is asked for.
pub const PROOF_MESSAGES: u64 = 2;

/// Bytes of garbage that disprove a rate before its time is over: six sentences' worth.
pub const DISPROOF_BYTES: u64 = 480;

/// What came at the rate that is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Bytes.
    pub bytes: u64,
    /// Sound messages.
    pub messages: u64,
    /// What was dropped.
    pub dropped: u64,
}

/// What listens to a line whose rate is not known.
pub trait Listener {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8], mono_ms: u64);

    /// What came so far.
    fn heard(&self) -> Heard;
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This rate is right.
    Right,
    /// It is wrong; try the next.
    Wrong,
    /// Too little came to tell.
    Listen,
}

impl Heard {
    /// Judges what came within `elapsed_ms` of listening.
    pub const fn judge(self, elapsed_ms: u64) -> Judgement {
        let makes_sense = self.messages > self.dropped;
        let is_over = elapsed_ms >= self.listen_ms();
        if makes_sense && (self.messages >= PROOF_MESSAGES || is_over) {
            Judgement::Right
        } else if is_over || (self.bytes >= DISPROOF_BYTES && !makes_sense) {
            Judgement::Wrong
        } else {
            Judgement::Listen
        }
    }

    /// How long to listen, by what came so far.
    pub const fn listen_ms(self) -> u64 {
        if self.messages > self.dropped { LISTEN_ON_MS } else { LISTEN_MS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_judged_by_what_comes() {
        let heard = |bytes, messages, dropped| Heard { bytes, messages, dropped };
        assert_eq!(heard(160, 2, 1).judge(10), Judgement::Right, "the first line was cut by the opening");
        assert_eq!(heard(160, 2, 2).judge(10), Judgement::Listen);
        assert_eq!(heard(80, 1, 0).judge(100), Judgement::Listen);
        assert_eq!(heard(80, 1, 0).judge(LISTEN_MS), Judgement::Listen, "it speaks seldom");
        assert_eq!(heard(80, 1, 0).judge(LISTEN_ON_MS), Judgement::Right);
        assert_eq!(heard(80, 1, 1).judge(LISTEN_MS), Judgement::Wrong);
        assert_eq!(heard(0, 0, 0).judge(LISTEN_MS), Judgement::Wrong);
        assert_eq!(heard(DISPROOF_BYTES, 0, 3).judge(10), Judgement::Wrong);
        assert_eq!(heard(DISPROOF_BYTES, 1, 3).judge(10), Judgement::Wrong, "a sentence left over from the other rate");
    }
}
