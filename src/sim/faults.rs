//! Faults as middleware: what buses do in the field, at random from a seed that is printed.
//!
//! # The fault model
//!
//! A voice speaks in rounds (one a second). In each round each kind of fault happens with its own probability, to one
//! message or packet drawn at random:
//!
//! | kind | what happens | what a listener must keep |
//! |---|---|---|
//! | `garbage` | random bytes before a packet (on CAN: a frame of random bits) | all but the message behind it |
//! | `half` | a packet ends in its middle; a line of a CAN gateway keeps its end | all but it and the one behind |
//! | `endless_line` | 64 KiB that never end a message | all but the message behind it |
//! | `flood` | one packet of no use, 200 times: a babbling node | all |
//! | `duplicate` | a packet comes twice | all; the copy may count |
//! | `reorder` | two packets change places | all but messages of several packets |
//! | `stuck` | a message repeats its values for 30 rounds | all |
//! | `not_available` | every field of a message is empty, or all ones | all but it; it shows as quality |
//! | `out_of_range` | every number of a message is absurd | all but it; it shows as quality or reject |
//! | `time_back` | for a round, the ship's receiver is an hour behind | all; times are not believed |
//! | `week_rollover` | for a round, it is 1,024 weeks behind | all; times are not believed |
//! | `address_churn` | a device claims another address with its NAME | all, under the same source |
//! | `unplug` | the output closes for 5 rounds, then returns | all that was said while it was there |
//!
//! Modbus has answers for rounds, and of these kinds: `garbage` in place of an answer, `half` of one, `flood` (somebody
//! else's comes before it), `reorder` (it comes after the next question), `not_available` (an exception),
//! `address_churn` (another unit id) and `unplug` (none comes).
//!
//! Pure: it changes what would be written. It refuses to make faults that no listener could tell from truth.

use crate::clock::Stamp;
use crate::entropy::Entropy;

use super::packet::{Body, Packet};

/// Packets of one flood: a bus of 250 kbit/s carries about 1,800 frames a second.
const FLOOD_PACKETS: usize = 200;

/// Bytes of one burst of garbage, at most: a quarter of a second at 9,600 baud.
const GARBAGE_BYTES_MAX: u64 = 256;

/// Bytes of an endless line: 64 of the longest lines that a listener keeps.
const ENDLESS_BYTES: usize = 64 << 10;

/// Rounds that a value is stuck, and that an output stays unplugged.
pub(crate) const STUCK_ROUNDS: u32 = 30;
pub(crate) const UNPLUG_ROUNDS: u32 = 5;

/// An hour, and the rollover of the 10-bit week number, in milliseconds.
const HOUR_MS: i64 = 3_600_000;
const ROLLOVER_MS: i64 = 1_024 * 7 * 24 * HOUR_MS;

/// A kind of fault; see the fault model above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table above says it of each")]
pub enum FaultKind {
    Garbage,
    Half,
    EndlessLine,
    Flood,
    Duplicate,
    Reorder,
    Stuck,
    NotAvailable,
    OutOfRange,
    TimeBack,
    WeekRollover,
    AddressChurn,
    Unplug,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Garbage,
        Self::Half,
        Self::EndlessLine,
        Self::Flood,
        Self::Duplicate,
        Self::Reorder,
        Self::Stuck,
        Self::NotAvailable,
        Self::OutOfRange,
        Self::TimeBack,
        Self::WeekRollover,
        Self::AddressChurn,
        Self::Unplug,
    ];

    /// As options and messages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Half => "half",
            Self::EndlessLine => "endless_line",
            Self::Flood => "flood",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Stuck => "stuck",
            Self::NotAvailable => "not_available",
            Self::OutOfRange => "out_of_range",
            Self::TimeBack => "time_back",
            Self::WeekRollover => "week_rollover",
            Self::AddressChurn => "address_churn",
            Self::Unplug => "unplug",
        }
    }
}

/// A fault with its probability in each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// Which.
    pub kind: FaultKind,
    /// 0 to 1.
    pub probability: f64,
}

/// A text is no fault; says what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no fault; write NAME=P with P from 0 to 1, such as garbage=0.01; NAME is one of {}", names())]
pub struct FaultError {
    /// What was written.
    pub text: String,
}

fn names() -> String {
    FaultKind::ALL.map(FaultKind::name).join(", ")
}

impl std::str::FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parsed = text.split_once('=').and_then(|(name, probability)| {
            let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name)?;
            let probability = probability.parse().ok().filter(|p| (0.0..=1.0).contains(p))?;
            Some(Self { kind, probability })
        });
        parsed.ok_or_else(|| FaultError { text: text.chars().take(80).collect() })
    }
}

/// Draws faults and carries out those that need no knowledge of a message.
#[derive(Debug)]
pub struct Faults {
    entropy: Entropy,
    probabilities: [f64; FaultKind::ALL.len()],
    counts: [u64; FaultKind::ALL.len()],
}

/// How a wire marks its messages, as far as faults must know.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    /// What a babbling node says.
    pub(crate) babble: Body,
    /// What begins a message that never ends; empty where there is none.
    pub(crate) opening: &'static [u8],
    /// What closes a broken line: a serial line just breaks, a gateway's line has its end.
    pub(crate) line_end: &'static [u8],
}

impl Faults {
    /// These faults, drawn from `seed`. Where a kind is named twice, the last counts.
    pub fn new(seed: u64, faults: &[Fault]) -> Self {
        let mut probabilities = [0.0; FaultKind::ALL.len()];
        for fault in faults {
            probabilities[fault.kind as usize] = fault.probability;
        }
        Self { entropy: Entropy::seeded(seed), probabilities, counts: [0; FaultKind::ALL.len()] }
    }

    /// How often each kind happened.
    pub fn counts(&self) -> impl Iterator<Item = (FaultKind, u64)> {
        FaultKind::ALL.into_iter().zip(self.counts)
    }

    /// Whether this kind happens now.
    pub(crate) fn strikes(&self, kind: FaultKind) -> bool {
        let probability = self.probabilities[kind as usize];
        // A kind that never happens draws nothing: the seed of a run is that of its faults alone.
        probability > 0.0 && self.entropy.unit() < probability
    }

    pub(crate) fn happened(&mut self, kind: FaultKind) {
        self.counts[kind as usize] += 1;
    }

    pub(crate) fn draw(&self) -> u64 {
        self.entropy.next_u64()
    }

    /// One of `count` things; `None` when there are none.
    pub(crate) fn pick(&self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.entropy.below(count as u64) as usize)
    }

    /// The time that the ship's receiver believes.
    pub(crate) fn time(&mut self, at: Stamp) -> Stamp {
        let mut told = at;
        for (kind, back_ms) in [(FaultKind::TimeBack, HOUR_MS), (FaultKind::WeekRollover, ROLLOVER_MS)] {
            if self.strikes(kind) {
                self.happened(kind);
                told = told.plus_millis(-back_ms);
            }
        }
        told
    }

    /// Disturbs the packets of a round.
    pub(crate) fn disturb(&mut self, packets: &mut Vec<Packet>, noise: &Noise) {
        if packets.is_empty() {
            return;
        }
        for kind in [FaultKind::Reorder, FaultKind::Duplicate, FaultKind::Half] {
            if self.strikes(kind) && self.one(kind, packets, noise) {
                self.happened(kind);
            }
        }
        for kind in [FaultKind::Garbage, FaultKind::EndlessLine, FaultKind::Flood] {
            if self.strikes(kind)
                && let Some(packet) = self.noise(kind, noise)
            {
                let at = self.entropy.below(packets.len() as u64) as usize;
                let copies = if kind == FaultKind::Flood { FLOOD_PACKETS } else { 1 };
                if kind != FaultKind::Flood {
                    let behind = packets[at].message;
                    spoil(packets, behind);
                }
                packets.splice(at..at, std::iter::repeat_n(packet, copies));
                self.happened(kind);
            }
        }
    }

    /// A fault of one packet; whether it could be.
    fn one(&self, kind: FaultKind, packets: &mut Vec<Packet>, noise: &Noise) -> bool {
        let at = self.entropy.below(packets.len() as u64) as usize;
        let message = packets[at].message;
        match kind {
            FaultKind::Reorder => {
                let Some(next) = packets.get(at + 1).map(|packet| packet.message) else { return false };
                for moved in [message, next] {
                    spoil_if_several(packets, moved);
                }
                packets.swap(at, at + 1);
            }
            FaultKind::Duplicate => {
                spoil_if_several(packets, message);
                let mut copy = packets[at].clone();
                copy.count.spoil();
                packets.insert(at, copy);
            }
            _ => {
                if let Some(next) = packets.get(at + 1).map(|packet| packet.message) {
                    spoil(packets, next);
                }
                spoil(packets, message);
                halve(&mut packets[at].body, noise.line_end);
            }
        }
        true
    }

    /// Random bytes, one at least.
    pub(crate) fn garbage(&self) -> Vec<u8> {
        (0..=self.entropy.below(GARBAGE_BYTES_MAX)).map(|_| self.draw() as u8).collect()
    }

    fn noise(&self, kind: FaultKind, noise: &Noise) -> Option<Packet> {
        let mut packet = Packet::noise(noise.babble.clone());
        match (kind, &mut packet.body) {
            (FaultKind::Flood, _) => {}
            (FaultKind::Garbage, Body::Frame(frame)) => {
                frame.id = self.draw() as u32 >> 3;
                frame.data = self.draw().to_le_bytes();
                // Random bits may be a message that somebody understands.
                packet.count.spoil();
            }
            (FaultKind::Garbage, Body::Bytes(bytes)) => {
                *bytes = self.garbage();
                bytes.extend_from_slice(noise.line_end);
            }
            (_, Body::Bytes(bytes)) if !noise.opening.is_empty() => {
                *bytes = noise.opening.to_vec();
                bytes.resize(ENDLESS_BYTES, b'1');
            }
            _ => return None,
        }
        Some(packet)
    }
}

fn halve(body: &mut Body, line_end: &[u8]) {
    match body {
        Body::Bytes(bytes) => {
            bytes.truncate(bytes.len() / 2);
            bytes.extend_from_slice(line_end);
        }
        Body::Frame(frame) => {
            frame.length /= 2;
            frame.data[usize::from(frame.length)..].fill(0);
        }
    }
}

/// Nobody can be held to a message that a fault touched.
fn spoil(packets: &mut [Packet], message: u32) {
    for packet in packets.iter_mut().filter(|packet| packet.message == message && message > 0) {
        packet.count.spoil();
    }
}

fn spoil_if_several(packets: &mut [Packet], message: u32) {
    if packets.iter().filter(|packet| packet.message == message).count() > 1 {
        spoil(packets, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::packet::Count;

    fn round() -> Vec<Packet> {
        let packet = |message: u32| Packet {
            body: Body::Bytes(format!("$SDDBT,{message},f,2.4,M,1.3,F\r\n").into_bytes()),
            count: Count { readings: 1, maybe: 0 },
            message,
        };
        (1..=10).map(packet).collect()
    }

    fn noise() -> Noise {
        Noise { babble: Body::Bytes(b"$IIBAB\r\n".to_vec()), opening: b"$", line_end: b"" }
    }

    fn certain(kind: FaultKind) -> Faults {
        Faults::new(7, &[Fault { kind, probability: 1.0 }])
    }

    #[test]
    fn each_fault_spoils_what_it_touches_and_is_counted() {
        for (kind, packets, readings) in [
            (FaultKind::Garbage, 11, 9),
            (FaultKind::EndlessLine, 11, 9),
            (FaultKind::Flood, 210, 10),
            (FaultKind::Duplicate, 11, 10),
            (FaultKind::Reorder, 10, 10),
            (FaultKind::Half, 10, 8),
        ] {
            let (mut faults, mut said) = (certain(kind), round());
            faults.disturb(&mut said, &noise());
            let held: u32 = said.iter().map(|packet| packet.count.readings).sum();
            assert_eq!((said.len(), held), (packets, readings), "{kind:?}");
            assert_eq!(faults.counts().find(|(counted, _)| *counted == kind), Some((kind, 1)));
            assert_ne!(said, round(), "{kind:?} changes something");
        }
    }

    #[test]
    fn no_faults_change_nothing_and_a_seed_repeats_itself() {
        let mut said = round();
        Faults::new(1, &[]).disturb(&mut said, &noise());
        assert_eq!(said, round());
        let all = FaultKind::ALL.map(|kind| Fault { kind, probability: 0.5 });
        let run = |seed: u64| {
            let (mut faults, mut said) = (Faults::new(seed, &all), round());
            faults.disturb(&mut said, &noise());
            said
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn what_is_no_fault_is_told_what_would_be_one() {
        assert_eq!("flood=0.5".parse(), Ok(Fault { kind: FaultKind::Flood, probability: 0.5 }));
        for text in ["flood", "flood=2", "flood=NaN", "fire=0.1"] {
            let told = text.parse::<Fault>().unwrap_err().to_string();
            assert!(told.contains("garbage=0.01") && told.contains("week_rollover"), "{told}");
        }
    }
}
