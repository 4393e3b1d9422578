//! What one output says of the vessel, round by round: the protocol, the format that carries it, and its faults.
//!
//! Pure. A voice refuses to know where its packets go: a socket, a serial line, or a decoder in a test.

use crate::clock::Stamp;
use crate::wire::can::{Frame, Identifier};

use super::device::Backbone;
use super::faults::{FaultKind, Faults, Noise, STUCK_ROUNDS, UNPLUG_ROUNDS};
use super::format::Format;
use super::iec61162_450::{Tagger, fragment};
use super::packet::{Body, Count, Packet};
use super::sentence::Spoken;
use super::telegram::{Telegram, Transport};
use super::vessel::Vessel;
use super::{dbc, j1939, nmea2000};

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// NMEA 0183 (IEC 61162-1) sentences.
    Nmea0183,
    /// IEC 61162-450: sentences in datagrams.
    Iec61162450,
    /// NMEA 2000.
    Nmea2000(Format),
    /// SAE J1939.
    J1939(Format),
    /// CAN as a DBC file describes it: a battery monitor's.
    Can(Format),
    /// Modbus: says nothing, and answers; over TCP, or as RTU on a serial line.
    Modbus,
}

/// PGNs of data page 1 are NMEA 2000's, those of page 0 J1939's.
const FIRST_NMEA2000_PGN: u32 = 0x1_0000;

/// What a babbling node sends: a proprietary group that no table has, from an address where nobody else is.
const BABBLE: Identifier = Identifier { priority: 0, pgn: 0xFF80, source: 0xC8, destination: 255 };

/// A message before it is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    /// One sentence, or all fragments of one.
    Sentences(Vec<Spoken>),
    Telegram(Telegram),
}

/// What a round says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// In this order.
    pub packets: Vec<Packet>,
    /// Whether the output is there: not while it is unplugged.
    pub plugged: bool,
}

#[derive(Debug)]
enum Tongue {
    Plain,
    Tagged(Tagger),
    Frames(Backbone, Format),
    Signals(Format),
}

/// A message that repeats itself: how many of its name stand before it in a round, and for how many rounds more.
#[derive(Debug)]
struct Stuck {
    message: Message,
    nth: usize,
    rounds: u32,
}

/// One output's way to speak.
#[derive(Debug)]
pub struct Voice {
    tongue: Tongue,
    faults: Faults,
    stuck: Option<Stuck>,
    unplugged_rounds: u32,
}

impl Voice {
    /// The voice of the vessel of `seed`, with these faults; `None` for Modbus, which says nothing by itself.
    pub fn new(protocol: Protocol, seed: u64, faults: Faults) -> Option<Self> {
        let tongue = match protocol {
            Protocol::Nmea0183 => Tongue::Plain,
            Protocol::Iec61162450 => Tongue::Tagged(Tagger::default()),
            Protocol::Nmea2000(format) => Tongue::Frames(nmea2000::devices(seed), format),
            Protocol::J1939(format) => Tongue::Frames(j1939::devices(seed), format),
            Protocol::Can(format) => Tongue::Signals(format),
            Protocol::Modbus => return None,
        };
        Some(Self { tongue, faults, stuck: None, unplugged_rounds: 0 })
    }

    /// What happened so far.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// One round: all that is due now.
    pub fn say(&mut self, vessel: &Vessel, at: Stamp) -> Round {
        if self.faults.strikes(FaultKind::Unplug) && self.unplugged_rounds == 0 {
            self.faults.happened(FaultKind::Unplug);
            self.unplugged_rounds = UNPLUG_ROUNDS;
        }
        if self.unplugged_rounds > 0 {
            self.unplugged_rounds -= 1;
            return Round { packets: Vec::new(), plugged: false };
        }
        let mut messages = self.messages(vessel, at);
        self.stick(&mut messages);
        for (kind, spoil) in [(FaultKind::NotAvailable, empty as fn(&mut Message)), (FaultKind::OutOfRange, absurd)] {
            self.spoil(kind, spoil, &mut messages);
        }
        let mut packets = self.packets(&messages, at);
        let noise = self.noise(at);
        self.faults.disturb(&mut packets, &noise);
        Round { packets, plugged: true }
    }

    fn messages(&mut self, vessel: &Vessel, at: Stamp) -> Vec<Message> {
        let told = self.faults.time(at);
        let backbone = match &mut self.tongue {
            Tongue::Frames(backbone, _) => backbone,
            Tongue::Plain | Tongue::Tagged(_) => return sentences(vessel.sentences(told)),
            Tongue::Signals(_) => return dbc::telegrams(vessel).into_iter().map(Message::Telegram).collect(),
        };
        let mut all = backbone.round(vessel, told);
        if self.faults.strikes(FaultKind::AddressChurn)
            && let Some(claim) = backbone.churn(self.faults.draw())
        {
            self.faults.happened(FaultKind::AddressChurn);
            all.push(claim);
        }
        all.into_iter().map(Message::Telegram).collect()
    }

    /// Lets a message repeat what it said before.
    fn stick(&mut self, messages: &mut [Message]) {
        if self.stuck.is_none() && self.faults.strikes(FaultKind::Stuck) {
            let candidates: Vec<usize> = (0..messages.len()).filter(|at| measures(&messages[*at])).collect();
            if let Some(at) = self.faults.pick(candidates.len()) {
                let at = candidates[at];
                let message = messages[at].clone();
                let nth = messages[..at].iter().filter(|before| name(before) == name(&message)).count();
                self.stuck = Some(Stuck { message, nth, rounds: STUCK_ROUNDS });
                self.faults.happened(FaultKind::Stuck);
            }
        }
        if let Some(Stuck { message, nth, rounds }) = &mut self.stuck {
            if let Some(new) = messages.iter_mut().filter(|new| name(new) == name(message)).nth(*nth) {
                repeat(message, new);
            }
            *rounds -= 1;
            if *rounds == 0 {
                self.stuck = None;
            }
        }
    }

    fn spoil(&mut self, kind: FaultKind, spoil: fn(&mut Message), messages: &mut [Message]) {
        if self.faults.strikes(kind) {
            let candidates: Vec<usize> = (0..messages.len()).filter(|at| measures(&messages[*at])).collect();
            if let Some(at) = self.faults.pick(candidates.len()) {
                spoil(&mut messages[candidates[at]]);
                self.faults.happened(kind);
            }
        }
    }

    fn packets(&mut self, messages: &[Message], at: Stamp) -> Vec<Packet> {
        let mut packets = Vec::with_capacity(messages.len());
        for (number, message) in (1..).zip(messages) {
            match (message, &mut self.tongue) {
                (Message::Telegram(telegram), Tongue::Frames(_, format) | Tongue::Signals(format)) => {
                    let bodies = format.bodies(telegram, at);
                    let first = packets.len();
                    packets.extend(bodies.into_iter().map(|body| Packet { message: number, ..Packet::noise(body) }));
                    if let Some(last) = packets[first..].last_mut() {
                        last.count = telegram.count;
                    }
                }
                (Message::Sentences(said), tongue) => packets.extend(said.iter().map(|spoken| {
                    let line = match tongue {
                        Tongue::Tagged(tagger) => tagger.line(spoken),
                        _ => spoken.sentence.clone().into_bytes(),
                    };
                    Packet { body: Body::Bytes(line), count: spoken.count(), message: number }
                })),
                // A voice has one tongue: its telegrams go as frames.
                (Message::Telegram(_), _) => {}
            }
        }
        packets
    }

    fn noise(&self, at: Stamp) -> Noise {
        // Understood by no table, and sound otherwise: `$IIBAB` with its checksum.
        let sentence = || Body::Bytes(b"$IIBAB,1,2,3*5D\r\n".to_vec());
        match &self.tongue {
            Tongue::Plain | Tongue::Tagged(_) => Noise { babble: sentence(), opening: b"$", line_end: b"" },
            Tongue::Frames(_, format) | Tongue::Signals(format) => {
                let frame = Frame::extended(BABBLE.encode(), &[0xAA; 8]).expect("8 bytes, and encode gives 29 bits");
                let (opening, line_end): (&[u8], &[u8]) = match format {
                    Format::Ydwg | Format::Candump => (b"1", b"\r\n"),
                    Format::Actisense => (b"\x10\x02\x93", b""),
                    Format::Can => (b"", b""),
                };
                let telegram = Telegram::of_frame(&frame);
                let babble = format.bodies(&telegram, at).pop().unwrap_or(Body::Frame(frame));
                Noise { babble, opening, line_end }
            }
        }
    }
}

/// Sentences by message: the fragments of one belong together.
fn sentences(said: Vec<Spoken>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::with_capacity(said.len());
    for spoken in said {
        match (fragment(&spoken.sentence).0, messages.last_mut()) {
            (2.., Some(Message::Sentences(fragments))) => fragments.push(spoken),
            _ => messages.push(Message::Sentences(vec![spoken])),
        }
    }
    messages
}

/// What a message is called: the address of a sentence, a PGN.
fn name(message: &Message) -> (&str, u32) {
    match message {
        Message::Sentences(said) => (said.first().and_then(|spoken| spoken.sentence.get(..6)).unwrap_or(""), 0),
        Message::Telegram(telegram) => ("", telegram.identifier.pgn),
    }
}

/// Whether a message tells values of the own ship.
fn measures(message: &Message) -> bool {
    match message {
        Message::Sentences(said) => said.iter().all(|spoken| spoken.sentence.starts_with('$')),
        Message::Telegram(telegram) => !telegram.fields.is_empty(),
    }
}

/// Puts what was said before in place of `new`, who says it and how staying as they are.
fn repeat(old: &Message, new: &mut Message) {
    match (old, new) {
        (Message::Sentences(old), Message::Sentences(new)) => new.clone_from(old),
        (Message::Telegram(old), Message::Telegram(new)) => {
            (new.payload, new.count, new.transport) = (old.payload.clone(), old.count, old.transport);
        }
        _ => {}
    }
}

/// Leaves every value of a message empty.
fn empty(message: &mut Message) {
    match message {
        Message::Sentences(said) => said.iter_mut().for_each(|spoken| refill(spoken, |_| "")),
        Message::Telegram(telegram) => mark(telegram, 0),
    }
}

/// Makes every number of a message absurd, or the code of an error.
fn absurd(message: &mut Message) {
    let number = |field: &str| field.parse::<f64>().is_ok();
    match message {
        Message::Sentences(said) => said.iter_mut().for_each(|spoken| {
            refill(spoken, |field| if number(field) { "999999.9" } else { field });
        }),
        Message::Telegram(telegram) => mark(telegram, 1),
    }
}

/// J1939-71, 5.1.1, has its codes in the most significant byte: FF "not available", FE "error". NMEA 2000 has them at
/// the end of the field's range; a DBC has what is beyond the range of a signal.
fn mark(telegram: &mut Telegram, below: u64) {
    let Telegram { fields, payload, identifier, transport, .. } = telegram;
    let is_j1939 = identifier.pgn < FIRST_NMEA2000_PGN && *transport != Transport::Standard;
    for field in fields {
        field.mark(payload, 0);
        let code = if is_j1939 { field.top_byte() } else { *field };
        code.mark(payload, below);
    }
    telegram.count.spoil();
}

/// Writes the values of a sentence anew.
fn refill(spoken: &mut Spoken, fill: impl Fn(&str) -> &str) {
    let body = spoken.sentence.trim_start_matches('$').split('*').next().unwrap_or("");
    let filled = body.split(',').enumerate().map(|(index, field)| {
        let is_value = index < 64 && spoken.values >> index & 1 == 1;
        if is_value { fill(field) } else { field }
    });
    let text = filled.collect::<Vec<_>>().join(",");
    let checksum = text.bytes().fold(0, |sum, byte| sum ^ byte);
    spoken.sentence = format!("${text}*{checksum:02X}\r\n");
    let mut count = spoken.count();
    count.spoil();
    (spoken.readings, spoken.maybe) = (count.readings, count.maybe);
}

impl Spoken {
    pub(crate) fn count(&self) -> Count {
        Count { readings: self.readings, maybe: self.maybe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Fault;
    use crate::sim::Start;

    const AT: Stamp = Stamp::from_millis(1_795_243_260_000);

    fn vessel() -> Vessel {
        let mut vessel = Vessel::new(1, Start::default());
        vessel.advance(AT);
        vessel
    }

    fn voice(protocol: Protocol, faults: Faults) -> Voice {
        Voice::new(protocol, 1, faults).expect("it speaks")
    }

    fn healthy(protocol: Protocol) -> Voice {
        voice(protocol, Faults::new(1, &[]))
    }

    fn certain(protocol: Protocol, kind: FaultKind) -> Voice {
        voice(protocol, Faults::new(1, &[Fault { kind, probability: 1.0 }]))
    }

    #[test]
    fn each_protocol_says_the_same_of_one_ship_in_each_format() {
        for protocol in [Protocol::Nmea2000, Protocol::J1939] {
            let counts = [Format::Ydwg, Format::Candump, Format::Actisense, Format::Can].map(|format| {
                let round = healthy(protocol(format)).say(&vessel(), AT);
                round.packets.iter().map(|packet| packet.count.readings).sum::<u32>()
            });
            assert!(counts[0] > 10 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        }
        let plain = healthy(Protocol::Nmea0183).say(&vessel(), AT);
        let tagged = healthy(Protocol::Iec61162450).say(&vessel(), AT);
        let counts = |round: &Round| round.packets.iter().map(|packet| packet.count).collect::<Vec<_>>();
        assert_eq!(counts(&plain), counts(&tagged));
    }

    #[test]
    fn a_stuck_message_repeats_itself_while_the_ship_moves_on() {
        // Messages that stay the same over some rounds, for a reason of their own or because they are stuck.
        let still = |protocol: Protocol, faults: Faults| {
            let (mut voice, mut vessel, mut rounds) = (voice(protocol, faults), vessel(), Vec::new());
            for second in 1..i64::from(STUCK_ROUNDS) {
                let at = AT.plus_millis(second * 1_000);
                vessel.advance(at);
                rounds.push(voice.messages(&vessel, at));
                voice.stick(rounds.last_mut().expect("it was pushed"));
            }
            let payload = |message: &Message| match message {
                Message::Telegram(telegram) => telegram.payload.clone(),
                Message::Sentences(said) => said[0].sentence.clone().into_bytes(),
            };
            let said = |round: &Vec<Message>| round.iter().map(payload).collect::<Vec<_>>();
            let all: Vec<_> = rounds.iter().map(said).collect();
            all[1].iter().filter(|one| all.iter().skip(1).all(|round| round.contains(one))).count()
        };
        for protocol in [Protocol::Nmea0183, Protocol::Nmea2000(Format::Can), Protocol::J1939(Format::Can)] {
            let certain = Faults::new(5, &[Fault { kind: FaultKind::Stuck, probability: 1.0 }]);
            let (healthy, stuck) = (still(protocol, Faults::new(5, &[])), still(protocol, certain));
            assert!(stuck > healthy, "{protocol:?}: {healthy}, {stuck}");
        }
    }

    #[test]
    fn spoiled_messages_are_held_against_nobody() {
        for kind in [FaultKind::NotAvailable, FaultKind::OutOfRange] {
            for protocol in [Protocol::Nmea0183, Protocol::Nmea2000(Format::Can), Protocol::J1939(Format::Ydwg)] {
                let sum = |round: Round| {
                    let counts = round.packets.iter().map(|packet| packet.count);
                    counts.fold((0, 0), |sum, count| (sum.0 + count.readings, sum.1 + count.maybe))
                };
                let healthy = sum(self::healthy(protocol).say(&vessel(), AT));
                let spoiled = sum(certain(protocol, kind).say(&vessel(), AT));
                assert!(spoiled.1 > healthy.1 && spoiled.0 <= healthy.0, "{kind:?} {protocol:?} {spoiled:?}");
            }
        }
    }

    #[test]
    fn an_output_that_is_unplugged_says_nothing_and_returns() {
        let mut voice = certain(Protocol::Nmea0183, FaultKind::Unplug);
        voice.unplugged_rounds = 1;
        assert!(!voice.say(&vessel(), AT).plugged);
        let mut quiet = healthy(Protocol::Nmea0183);
        quiet.unplugged_rounds = UNPLUG_ROUNDS;
        let plugged: Vec<bool> = (0..7).map(|_| quiet.say(&vessel(), AT).plugged).collect();
        assert_eq!(plugged, [false, false, false, false, false, true, true]);
    }

    #[test]
    fn the_babble_is_sound_and_unknown() {
        let sum = b"IIBAB,1,2,3".iter().fold(0, |sum, byte| sum ^ byte);
        assert_eq!(healthy(Protocol::Nmea0183).noise(AT).babble, {
            Body::Bytes(format!("$IIBAB,1,2,3*{sum:02X}\r\n").into_bytes())
        });
    }
}
