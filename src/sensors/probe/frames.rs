//! The frames of a CAN bus, and the question whose they are: NMEA 2000 and J1939 share frames, addresses and claims.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Findings;
use crate::wire::can::names::{ADDRESS_CLAIM, Names};
use crate::wire::can::{Format, Frame, FrameDecoder as _, Framing, Identifier, Item, Reason, Rejected};
use crate::wire::{SourceInfo, j1939, nmea2000};

/// NMEA 2000's own PGNs: data page 1, from 126208 on (PGN list of NMEA 2000; below it lies ISO 11783's).
const NMEA2000_FIRST: u32 = 126_208;
const NMEA2000_LAST: u32 = 131_071;

/// PGNs of PDU1 below this are J1939's own, such as TSC1 (0). From here on come those that both have: acknowledgement,
/// request, transport protocol, address claim, proprietary A.
const SHARED_FIRST: u32 = 0xE800;

/// Broadcast parameter groups of J1939: EEC1 (61444), ET1 (65262). Above it both have proprietary B.
const J1939_BROADCAST: std::ops::RangeInclusive<u32> = 0xF000..=0xFEFF;

/// Commanded address, which both have.
const COMMANDED_ADDRESS: u32 = 65_240;

/// The industry group of a NAME for vessels (J1939-81, NAME fields): all of NMEA 2000 has it.
const MARINE: u64 = 4;

/// PGNs and identifiers that are told apart; a bus has some 60.
const KINDS_MAX: usize = 512;

/// NAMEs that are told apart: 254 addresses.
const NAMES_MAX: usize = 254;

/// Whose frames they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Nmea2000,
    J1939,
    /// Neither: a bus that only its maker, or a DBC file, can tell.
    Other,
}

/// What was seen on a CAN bus, before any decoder.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Frames and messages.
    pub frames: u64,
    /// Those with an 11-bit identifier.
    pub standard: u64,
    pgns: BTreeMap<u32, u64>,
    identifiers: BTreeSet<u32>,
    names: BTreeSet<u64>,
}

/// A CAN bus with both decoders behind it.
#[derive(Debug, Default)]
pub(super) struct CanBus {
    pub census: Census,
    nmea2000: (nmea2000::Decoder, Findings),
    j1939: (j1939::Decoder, Findings),
    /// Error and remote frames, and what carried them.
    pub apart: BTreeMap<&'static str, u64>,
}

/// A CAN bus behind a gateway's format.
#[derive(Debug)]
pub(super) struct Carried {
    framing: Framing,
    pub bus: CanBus,
    /// What is nothing of the format.
    pub broken: u64,
}

impl Census {
    fn extended(&mut self, identifier: Identifier, payload: &[u8]) {
        self.frames += 1;
        count(&mut self.pgns, identifier.pgn);
        let name = Names::of_claim(payload).filter(|_| identifier.pgn == ADDRESS_CLAIM);
        self.names.extend(name.filter(|_| self.names.len() < NAMES_MAX));
    }

    fn take(&mut self, frame: &Frame) {
        if self.identifiers.len() < KINDS_MAX {
            self.identifiers.insert(frame.id);
        }
        if frame.extended {
            self.extended(Identifier::parse(frame.id), frame.bytes());
        } else {
            self.frames += 1;
            self.standard += 1;
        }
    }

    /// The identifiers heard, at most [`KINDS_MAX`].
    pub const fn identifiers(&self) -> &BTreeSet<u32> {
        &self.identifiers
    }

    /// Whose frames they are, and why, in a sentence. What the PGNs say counts more than the claims: marine engines
    /// claim with either industry group.
    pub fn judge(&self) -> (Whose, String) {
        let (marine, marine_which) = self.among(|pgn| (NMEA2000_FIRST..=NMEA2000_LAST).contains(&pgn));
        let (engine, engine_which) = self.among(is_j1939);
        let claims_marine = self.names.iter().filter(|name| **name >> 60 & 7 == MARINE).count();
        let claims_other = self.names.len() - claims_marine;
        let whose = match (marine.cmp(&engine), claims_marine.cmp(&claims_other)) {
            (std::cmp::Ordering::Greater, _) => Whose::Nmea2000,
            (std::cmp::Ordering::Less, _) => Whose::J1939,
            (_, std::cmp::Ordering::Greater) => Whose::Nmea2000,
            (_, std::cmp::Ordering::Less) => Whose::J1939,
            _ => Whose::Other,
        };
        let claims = match self.names.len() {
            0 => "no address claim was heard".to_owned(),
            all => format!("of {all} NAMEs that claimed an address {claims_marine} are of the marine industry group"),
        };
        let why = format!(
            "{marine} are of NMEA 2000's own PGNs{marine_which}, {engine} of J1939's own{engine_which}; {claims}"
        );
        (whose, why)
    }

    /// How many frames were of such PGNs, and which PGNs were heard most, in brackets.
    fn among(&self, which: impl Fn(u32) -> bool) -> (u64, String) {
        let mut those: Vec<(u64, u32)> =
            self.pgns.iter().filter(|(pgn, _)| which(**pgn)).map(|(pgn, times)| (*times, *pgn)).collect();
        those.sort_by_key(|(times, pgn)| (std::cmp::Reverse(*times), *pgn));
        let named: Vec<String> = those.iter().take(3).map(|(_, pgn)| pgn.to_string()).collect();
        let shown = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
        (those.iter().map(|(times, _)| times).sum(), shown)
    }
}

fn count(counts: &mut BTreeMap<u32, u64>, of: u32) {
    if counts.len() < KINDS_MAX || counts.contains_key(&of) {
        *counts.entry(of).or_default() += 1;
    }
}

fn is_j1939(pgn: u32) -> bool {
    pgn < SHARED_FIRST || (J1939_BROADCAST.contains(&pgn) && pgn != COMMANDED_ADDRESS)
}

impl CanBus {
    /// Takes one frame.
    pub fn frame(&mut self, frame: &Frame, mono_ms: u64) {
        self.census.take(frame);
        self.nmea2000.0.frame(frame, mono_ms, &mut self.nmea2000.1);
        self.j1939.0.frame(frame, mono_ms, &mut self.j1939.1);
    }

    fn item(&mut self, item: Item<'_>, mono_ms: u64) {
        match item {
            Item::Frame(frame) => self.frame(&frame, mono_ms),
            Item::Message(message) => {
                self.census.extended(message.identifier, message.payload);
                self.nmea2000.0.message(&message, mono_ms, &mut self.nmea2000.1);
                self.j1939.0.message(&message, mono_ms, &mut self.j1939.1);
            }
        }
    }

    /// Something that is no data: an error frame, a remote frame.
    pub fn no_data(&mut self, reason: &'static str) {
        *self.apart.entry(reason).or_default() += 1;
    }

    /// What the decoder of `whose` found.
    pub const fn findings(&self, whose: Whose) -> &Findings {
        match whose {
            Whose::J1939 => &self.j1939.1,
            Whose::Nmea2000 | Whose::Other => &self.nmea2000.1,
        }
    }

    /// The devices that the decoder of `whose` heard.
    pub fn devices(&self, whose: Whose) -> Vec<SourceInfo> {
        match whose {
            Whose::J1939 => self.j1939.0.sources(),
            Whose::Nmea2000 => self.nmea2000.0.sources(),
            Whose::Other => Vec::new(),
        }
    }
}

impl Carried {
    /// A bus behind a gateway that writes `format`.
    pub fn new(format: Format) -> Self {
        Self { framing: Framing::new(format), bus: CanBus::default(), broken: 0 }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], mono_ms: u64) {
        let Self { framing, bus, broken } = self;
        framing.push(bytes, &mut |item| take(item, mono_ms, bus, broken));
    }

    /// The stream or the datagram ended.
    pub fn finish(&mut self, mono_ms: u64) {
        let Self { framing, bus, broken } = self;
        framing.finish(&mut |item| take(item, mono_ms, bus, broken));
    }
}

fn take(item: Result<Item<'_>, Rejected<'_>>, mono_ms: u64, bus: &mut CanBus, broken: &mut u64) {
    match item {
        Ok(item) => bus.item(item, mono_ms),
        Err(Rejected { reason, .. }) => {
            bus.no_data(reason.name());
            // What the gateway says of itself, and frames without data, are sound.
            let is_sound = matches!(reason, Reason::CanFd | Reason::Remote | Reason::ErrorFrame | Reason::Gateway);
            *broken += u64::from(!is_sound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(frames: &[(u32, &[u8])]) -> Census {
        let mut census = Census::default();
        for (pgn, data) in frames {
            let identifier = Identifier { priority: 3, pgn: *pgn, source: 1, destination: 255 };
            census.take(&Frame::extended(identifier.encode(), data).unwrap());
        }
        census
    }

    /// The claim of a NAME of this industry group.
    fn claim(group: u8) -> [u8; 8] {
        [1, 2, 3, 4, 0, 60, 0, group << 4 | 0x80]
    }

    #[test]
    fn pgns_tell_whose_bus_it_is_and_claims_where_they_do_not() {
        let rapid: (u32, &[u8]) = (127_251, &[0; 8]);
        let eec1: (u32, &[u8]) = (61_444, &[0; 8]);
        assert_eq!(seen(&[rapid, rapid, eec1]).judge().0, Whose::Nmea2000);
        assert_eq!(seen(&[eec1, (65_262, &[0; 8]), rapid]).judge().0, Whose::J1939);
        let marine_engine = seen(&[(ADDRESS_CLAIM, &claim(4)), eec1]).judge();
        assert_eq!(marine_engine.0, Whose::J1939, "an engine that claims as a vessel's");
        assert!(marine_engine.1.contains("1 of J1939's own (61444)"), "{}", marine_engine.1);
        assert!(marine_engine.1.contains("of 1 NAMEs that claimed an address 1 are"), "{}", marine_engine.1);
        assert_eq!(seen(&[(ADDRESS_CLAIM, &claim(4))]).judge().0, Whose::Nmea2000);
        assert_eq!(seen(&[(ADDRESS_CLAIM, &claim(1))]).judge().0, Whose::J1939);
        assert_eq!(seen(&[(0xFF12, &[0; 8])]).judge().0, Whose::Other, "proprietary: both have them");
        assert_eq!(seen(&[]).judge().0, Whose::Other);
    }

    #[test]
    fn frames_are_counted_within_bounds() {
        let mut census = Census::default();
        for id in 0..0x1_0000 {
            census.take(&Frame::extended(id << 8 | ADDRESS_CLAIM << 8, &u64::from(id).to_le_bytes()).unwrap());
        }
        census.take(&Frame::standard(0x123, &[1]).unwrap());
        assert_eq!((census.frames, census.standard), (0x1_0001, 1));
        assert!(census.pgns.len() <= KINDS_MAX && census.identifiers.len() <= KINDS_MAX);
        assert!(census.names.len() <= NAMES_MAX);
    }

    #[test]
    fn a_format_knows_its_own_lines_and_counts_others() {
        let mut carried = Carried::new(Format::Candump);
        carried.push(b"(1.0) can0 09F80101#AABBCCDD00112233\n$GPGLL,1\n(1.0) can0 123#01\n(2.0) can0 123#R\n", 0);
        carried.finish(0);
        assert_eq!((carried.bus.census.frames, carried.bus.census.standard, carried.broken), (2, 1, 1));
        assert_eq!(carried.bus.apart.get("remote_frame"), Some(&1));
    }
}
