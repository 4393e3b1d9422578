//! AIS targets that move about the simulated vessel, and their messages as VDM sentences: types 1, 5 (two fragments),
//! 18.
//!
//! The encoder is our own, apart from the gateway's decoder on purpose: a mistake shared by both would not show. It
//! refuses types that the simulator does not send. Source: ITU-R M.1371-5, annex 8, tables 46, 50 and 61; IEC 61162-1
//! VDM.

use crate::clock::Stamp;
use crate::entropy::Entropy;

use super::geo::{Degrees, Place, moved};
use super::sentence::{Sentence, Spoken};

/// Characters of payload in one VDM: 82 characters of sentence less `!AIVDM,2,1,9,A,` and `,0*hh` CR LF, rounded down.
const PAYLOAD_CHARACTERS_MAX: usize = 56;

/// Six bits a character.
const BITS_PER_CHARACTER: usize = 6;

/// Metres a second in a knot.
const MS_PER_KNOT: f64 = 1_852.0 / 3_600.0;

/// A message as bits, first bit first.
#[derive(Debug, Default)]
struct Bits {
    bits: Vec<bool>,
    readings: u32,
}

impl Bits {
    /// A field that is no reading of its own.
    fn part(mut self, value: i64, width: u32) -> Self {
        self.bits.extend((0..width).rev().map(|bit| (value >> bit) & 1 == 1));
        self
    }

    /// A field that must become one reading.
    fn value(mut self, value: i64, width: u32) -> Self {
        self.readings += 1;
        self.part(value, width)
    }

    /// Six-bit text of `characters`, filled with `@`; one reading.
    fn text(mut self, text: &str, characters: usize) -> Self {
        self.readings += 1;
        for byte in text.bytes().chain(std::iter::repeat(b'@')).take(characters) {
            // Table 47: `@` to `_` are 0 to 31, space to `?` are 32 to 63.
            self = self.part(i64::from(if byte >= 64 { byte - 64 } else { byte }), 6);
        }
        self
    }

    /// The payload's characters and the number of fill bits behind the last.
    fn armoured(&self) -> (String, usize) {
        let characters = self.bits.chunks(BITS_PER_CHARACTER).map(|six| {
            let value = (0..BITS_PER_CHARACTER).fold(0u8, |v, i| v << 1 | u8::from(six.get(i) == Some(&true)));
            char::from(if value < 40 { value + 48 } else { value + 56 })
        });
        let fill = (BITS_PER_CHARACTER - self.bits.len() % BITS_PER_CHARACTER) % BITS_PER_CHARACTER;
        (characters.collect(), fill)
    }

    /// The message as VDM sentences; its readings come with the last fragment, when it is whole.
    fn spoken(&self, sequence: u8, channel: char) -> Vec<Spoken> {
        let (payload, fill) = self.armoured();
        let total = payload.len().div_ceil(PAYLOAD_CHARACTERS_MAX);
        let mut fragments = Vec::with_capacity(total);
        let mut rest = payload.as_str();
        for number in 1..=total {
            let (head, tail) = rest.split_at(rest.len().min(PAYLOAD_CHARACTERS_MAX));
            rest = tail;
            let id = if total > 1 { sequence.to_string() } else { String::new() };
            let last = number == total;
            let sentence =
                Sentence::encapsulated("AI", "VDM").part(total).part(number).part(id).part(channel).part(head);
            let sentence = sentence.part(if last { fill } else { 0 });
            fragments.push(sentence.holds(if last { self.readings } else { 0 }).end());
        }
        fragments
    }
}

/// Another vessel.
#[derive(Clone, Debug)]
struct Target {
    mmsi: u32,
    name: &'static str,
    callsign: &'static str,
    imo: u32,
    class_a: bool,
    place: Place,
    course: Degrees,
    speed_ms: f64,
}

/// The vessels in sight.
#[derive(Debug)]
pub(crate) struct Fleet {
    targets: Vec<Target>,
    step: u64,
    sequence: u8,
}

/// Names, MMSI and call signs are invented; the MMSI use country digits that are not given out.
const TARGETS: [(u32, &str, &str, u32, bool); 5] = [
    (200_000_001, "GREY HERON", "SIM01", 9_000_001, true),
    (200_000_002, "NOORDSTER", "SIM02", 9_000_013, true),
    (200_000_003, "TERN", "SIM03", 9_000_025, true),
    (200_000_004, "LITTLE AUK", "SIM04", 0, false),
    (200_000_005, "PUFFIN", "SIM05", 0, false),
];

/// Steps between two type 5 of a target. Real ones send every 6 minutes; a demonstration is shorter.
const STATIC_STEPS: u64 = 30;

/// Steps between two position reports of class A (2 to 10 s under way); class B has 30 s, shortened likewise.
const CLASS_A_STEPS: u64 = 2;

/// See [`CLASS_A_STEPS`].
const CLASS_B_STEPS: u64 = 5;

impl Fleet {
    /// Targets about `place`, at random.
    pub(crate) fn around(place: Place, entropy: &Entropy) -> Self {
        let target = |&(mmsi, name, callsign, imo, class_a): &(u32, &'static str, &'static str, u32, bool)| Target {
            mmsi,
            name,
            callsign,
            imo,
            class_a,
            place: moved(place, entropy.unit() * 360.0, 500.0 + entropy.unit() * 8_000.0),
            course: entropy.unit() * 360.0,
            speed_ms: 1.0 + entropy.unit() * if class_a { 8.0 } else { 4.0 },
        };
        Self { targets: TARGETS.iter().map(target).collect(), step: 0, sequence: 0 }
    }

    /// Moves all targets by `seconds` and returns what is heard of them.
    pub(crate) fn step(&mut self, seconds: f64, now: Stamp, entropy: &Entropy) -> Vec<Spoken> {
        let mut heard = Vec::new();
        for (index, target) in (0u64..).zip(&mut self.targets) {
            target.course = (target.course + (entropy.unit() - 0.5) * seconds).rem_euclid(360.0);
            target.place = moved(target.place, target.course, target.speed_ms * seconds);
            let turn = self.step + index;
            let channel = if turn.is_multiple_of(2) { 'A' } else { 'B' };
            let every = if target.class_a { CLASS_A_STEPS } else { CLASS_B_STEPS };
            if turn.is_multiple_of(every) {
                let report = if target.class_a { target.type_1(now) } else { target.type_18(now) };
                heard.extend(report.spoken(0, channel));
            }
            if target.class_a && turn.is_multiple_of(STATIC_STEPS) {
                self.sequence = (self.sequence + 1) % 10;
                heard.extend(target.type_5().spoken(self.sequence, channel));
            }
        }
        self.step += 1;
        heard
    }
}

impl Target {
    /// Speed, position and course, which types 1 and 18 share: bits from SOG to the UTC second.
    fn motion(&self, bits: Bits, now: Stamp) -> Bits {
        let ten_thousandths_of_a_minute = |degrees: f64| (degrees * 600_000.0).round() as i64;
        bits.value((self.speed_ms / MS_PER_KNOT * 10.0).round() as i64, 10)
            .part(1, 1)
            .value(ten_thousandths_of_a_minute(self.place.longitude), 28)
            .part(ten_thousandths_of_a_minute(self.place.latitude), 27)
            .value((self.course * 10.0).round() as i64 % 3_600, 12)
            .value(self.course.round() as i64 % 360, 9)
            .part(now.millis().div_euclid(1_000).rem_euclid(60), 6)
    }

    /// Class A position report, under way using engine, not turning.
    fn type_1(&self, now: Stamp) -> Bits {
        let bits = Bits::default().part(1, 6).part(0, 2).part(i64::from(self.mmsi), 30).value(0, 4).value(0, 8);
        self.motion(bits, now).part(0, 2).part(0, 3).part(0, 1).part(0, 19)
    }

    /// Class B position report.
    fn type_18(&self, now: Stamp) -> Bits {
        let bits = Bits::default().part(18, 6).part(0, 2).part(i64::from(self.mmsi), 30).part(0, 8);
        self.motion(bits, now).part(0, 2).part(0b1_0111, 5).part(0, 2).part(0, 20)
    }

    /// Static and voyage data of class A: a cargo ship of 80 by 12 m, draught 4.3 m. That this type is sent is what
    /// tells the class: the type is a value too.
    fn type_5(&self) -> Bits {
        Bits::default()
            .value(5, 6)
            .part(0, 2)
            .part(i64::from(self.mmsi), 30)
            .part(0, 2)
            .value(i64::from(self.imo), 30)
            .text(self.callsign, 7)
            .text(self.name, 20)
            .value(70, 8)
            .value(60, 9)
            .value(20, 9)
            .value(7, 6)
            .value(5, 6)
            .part(1, 4)
            .value(12, 4)
            .part(24, 5)
            .part(18, 5)
            .part(30, 6)
            .value(43, 8)
            .text("ROTTERDAM", 20)
            .part(0, 1)
            .part(0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_standards_lengths() {
        let target = Fleet::around(Place { latitude: 52.0, longitude: 4.0 }, &Entropy::seeded(1)).targets[0].clone();
        assert_eq!(target.type_1(Stamp(0)).bits.len(), 168);
        assert_eq!(target.type_18(Stamp(0)).bits.len(), 168);
        assert_eq!(target.type_5().bits.len(), 424);
    }

    #[test]
    fn a_type_5_takes_two_sentences_and_counts_with_the_second() {
        let target = Fleet::around(Place { latitude: 52.0, longitude: 4.0 }, &Entropy::seeded(1)).targets[0].clone();
        let spoken = target.type_5().spoken(3, 'A');
        assert_eq!(spoken.len(), 2);
        assert_eq!(spoken[0].readings, 0);
        assert!(spoken[1].readings > 0);
        assert!(spoken.iter().all(|s| s.sentence.len() <= 82), "IEC 61162-1: 82 characters");
        assert!(spoken[0].sentence.starts_with("!AIVDM,2,1,3,A,"));
    }

    #[test]
    fn negative_numbers_are_twos_complement() {
        assert_eq!(Bits::default().part(-1, 6).armoured(), ("w".to_owned(), 0));
        assert_eq!(Bits::default().part(1, 8).armoured(), ("0@".to_owned(), 4));
    }
}
