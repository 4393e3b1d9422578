//! Actisense gateways: the binary stream of NGT-1, NGX and W2K-1, its log (EBL), and N2K ASCII.
//!
//! The binary stream is BST messages between DLE STX and DLE ETX, a DLE inside doubled, with a checksum that makes the
//! sum of their bytes zero (Actisense SDK, BDTP protocol and BST details). A log puts metatags between its bytes,
//! `ESC SOH tag ... ESC LF`, and doubles every ESC (EBL File Format). An NGT-1 hands out messages as it was last told
//! to; nothing tells it here, since nothing is ever written to a bus.

use super::lines::{byte, hexadecimal, words};
use super::{Format, Item, Reason, Rejected};
use crate::clock::Stamp;
use crate::wire::can::{Frame, Identifier, Message, PAYLOAD_BYTES_MAX};

const DLE: u8 = 0x10;
const STX: u8 = 0x02;
const ETX: u8 = 0x03;
const ESC: u8 = 0x1B;
const SOH: u8 = 0x01;
const LF: u8 = 0x0A;

/// A message received from the bus (BST-93).
const RECEIVED: u8 = 0x93;
/// A frame of the bus (BST-95).
const RAW_FRAME: u8 = 0x95;
/// A message of any length (BST-D0).
const LONG: u8 = 0xD0;

/// Bytes of a BST-D0 before its data: id, length, destination, identifier, control, time.
const LONG_HEAD_BYTES: usize = 13;

/// The longest BST message: a BST-D0 with the longest payload, and its checksum.
const BST_BYTES_MAX: usize = LONG_HEAD_BYTES + PAYLOAD_BYTES_MAX + 1;

/// The metatag that dates what follows: 100 ns since 1601-01-01 UTC, as Windows counts.
const TAG_TIME: u8 = 0x03;

/// Bytes kept of a metatag: the time's 8 behind its number. Of longer ones only the start is needed, to know them.
const TAG_BYTES_MAX: usize = 9;

/// 1970-01-01 in microseconds since 1601-01-01.
const UNIX_EPOCH_US: i64 = 11_644_473_600_000_000;

/// The binary formats by their first bytes.
pub(super) fn detect(head: &[u8]) -> Option<Format> {
    match head {
        [ESC, SOH, ..] => Some(Format::ActisenseLog),
        [DLE, STX, ..] => Some(Format::ActisenseBinary),
        _ => None,
    }
}

/// Where in a BST message the next byte falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    OutsideDle,
    Inside,
    InsideDle,
}

/// Where in the layer of the log the next byte falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Stream,
    StreamEsc,
    Tag,
    TagEsc,
}

/// Reads the binary stream, or its log.
#[derive(Debug, Default)]
pub(super) struct Bst {
    log: Option<Log>,
    tag: Vec<u8>,
    place: Place,
    held: Vec<u8>,
    /// Whether the noise that runs now was told.
    noise_told: bool,
    at: Option<Stamp>,
}

impl Bst {
    /// A reader of a gateway's stream.
    pub fn stream() -> Self {
        Self::default()
    }

    /// A reader of a log.
    pub fn log() -> Self {
        Self { log: Some(Log::Stream), ..Self::default() }
    }

    pub fn held_bytes(&self) -> usize {
        self.held.capacity() + self.tag.capacity()
    }

    pub fn push(&mut self, bytes: &[u8], out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) {
        for byte in bytes {
            match self.log {
                None => self.take(*byte, out),
                Some(log) => self.log = Some(self.take_logged(log, *byte, out)),
            }
        }
    }

    pub fn finish(&mut self, out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) {
        if matches!(self.place, Place::Inside | Place::InsideDle) {
            out(Err(Rejected { reason: Reason::Cut, near: &self.held }));
        }
        *self = Self { log: self.log.map(|_| Log::Stream), ..Self::default() };
    }

    fn take_logged(&mut self, log: Log, byte: u8, out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) -> Log {
        match (log, byte) {
            (Log::Stream, ESC) => return Log::StreamEsc,
            (Log::Tag, ESC) => return Log::TagEsc,
            (Log::Stream, _) | (Log::StreamEsc, ESC) => self.take(byte, out),
            (Log::StreamEsc | Log::TagEsc, SOH) => {
                self.tag.clear();
                return Log::Tag;
            }
            (Log::Tag, _) | (Log::TagEsc, ESC) => {
                if self.tag.len() < TAG_BYTES_MAX {
                    self.tag.push(byte);
                }
                return Log::Tag;
            }
            (Log::TagEsc, LF) => self.end_tag(),
            // ESC before anything else is damage: what follows is stream again.
            (Log::StreamEsc | Log::TagEsc, _) => out(Err(Rejected { reason: Reason::NotAFrame, near: &[ESC] })),
        }
        Log::Stream
    }

    fn end_tag(&mut self) {
        if let [TAG_TIME, time @ ..] = &self.tag[..]
            && let Ok(time) = <[u8; 8]>::try_from(time)
        {
            let micros = i64::try_from(u64::from_le_bytes(time) / 10).ok();
            self.at = micros.and_then(|micros| micros.checked_sub(UNIX_EPOCH_US)).map(Stamp);
        }
    }

    fn take(&mut self, byte: u8, out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) {
        self.place = match (self.place, byte) {
            (Place::Outside | Place::OutsideDle, DLE) => Place::OutsideDle,
            (Place::OutsideDle, STX) => self.open(),
            (Place::Outside | Place::OutsideDle, _) => {
                if !self.noise_told {
                    self.noise_told = true;
                    out(Err(Rejected { reason: Reason::NotAFrame, near: &[byte] }));
                }
                Place::Outside
            }
            (Place::Inside, DLE) => Place::InsideDle,
            (Place::Inside, _) | (Place::InsideDle, DLE) if self.held.len() < BST_BYTES_MAX => {
                self.held.push(byte);
                Place::Inside
            }
            (Place::InsideDle, ETX) => {
                let read = message(&self.held, self.at);
                out(read.map_err(|reason| Rejected { reason, near: &self.held }));
                Place::Outside
            }
            (Place::InsideDle, STX) => {
                out(Err(Rejected { reason: Reason::Cut, near: &self.held }));
                self.open()
            }
            (Place::Inside, _) | (Place::InsideDle, DLE) => self.give_up(Reason::TooLong, out),
            (Place::InsideDle, _) => self.give_up(Reason::Cut, out),
        };
    }

    fn open(&mut self) -> Place {
        self.held.clear();
        self.noise_told = false;
        Place::Inside
    }

    /// The rest of the damaged message is noise that goes with it.
    fn give_up(&mut self, reason: Reason, out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) -> Place {
        out(Err(Rejected { reason, near: &self.held }));
        self.noise_told = true;
        Place::Outside
    }
}

/// Reads one BST message, its checksum behind it.
fn message(bst: &[u8], at: Option<Stamp>) -> Result<Item<'_>, Reason> {
    let [id, low, high, ..] = *bst else { return Err(Reason::BadFrame) };
    // BST-D0 counts all before the checksum in two bytes, the others what follows the count in one.
    let (head, length) = match id {
        LONG => (LONG_HEAD_BYTES, usize::from(u16::from_le_bytes([low, high]))),
        _ => (2, 2 + usize::from(low)),
    };
    if bst.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) != 0 {
        return Err(Reason::BadChecksum);
    }
    if bst.len() != length + 1 || length < head {
        return Err(Reason::BadFrame);
    }
    let body = &bst[head..length];
    match id {
        RECEIVED => received(body, at).map(Item::Message),
        RAW_FRAME => raw_frame(body, at).map(Item::Frame),
        LONG => {
            let identifier = Identifier::parse(u32::from_le_bytes([bst[4], bst[5], bst[6], bst[7]]) & 0x1FFF_FFFF);
            Ok(Item::Message(Message { identifier, payload: body, at }))
        }
        _ => Err(Reason::Gateway),
    }
}

/// BST-93: priority, PGN, destination, source, the gateway's own time, length, payload.
fn received(body: &[u8], at: Option<Stamp>) -> Result<Message<'_>, Reason> {
    let [priority, a, b, c, destination, source, _, _, _, _, length, payload @ ..] = body else {
        return Err(Reason::BadFrame);
    };
    let pgn = u32::from_le_bytes([*a, *b, *c, 0]);
    if payload.len() != usize::from(*length) || pgn > 0x3_FFFF || *priority > 7 {
        return Err(Reason::BadFrame);
    }
    let identifier = Identifier { priority: *priority, pgn, source: *source, destination: *destination };
    Ok(Message { identifier, payload, at })
}

/// BST-95: the gateway's own time, the identifier, the data. Its top bits are the time's resolution and the direction;
/// what the gateway sent was on the bus too.
fn raw_frame(body: &[u8], at: Option<Stamp>) -> Result<Frame, Reason> {
    let [_, _, a, b, c, d, data @ ..] = body else { return Err(Reason::BadFrame) };
    let id = u32::from_le_bytes([*a, *b, *c, *d]) & 0x1FFF_FFFF;
    Frame::extended(id, data).map(|frame| Frame { at, ..frame }).ok_or(Reason::BadFrame)
}

/// Reads one line of N2K ASCII: `Ahhmmss.ddd SSDDP PPPPP payload`, all hexadecimal but the time, which has no date and
/// is not used.
pub(super) fn read_ascii<'a>(line: &[u8], payload: &'a mut Vec<u8>) -> Result<Message<'a>, Reason> {
    let mut words = words(line);
    let is_time = |word: &[u8]| matches!(word, [b'A', _, _, _, _, _, _, b'.', ..]);
    if !words.next().is_some_and(is_time) {
        return Err(Reason::NotAFrame);
    }
    let mut number = |digits| words.next().filter(|word| word.len() == digits).and_then(hexadecimal);
    let (who, pgn) = (number(5).ok_or(Reason::BadFrame)?, number(5).ok_or(Reason::BadFrame)?);
    let [_, source, destination, priority] = (who << 4).to_be_bytes();
    let priority = priority >> 4;
    if priority > 7 || pgn > 0x3_FFFF {
        return Err(Reason::BadFrame);
    }
    payload.clear();
    for pair in words.next().unwrap_or_default().chunks(2) {
        payload.push(byte(pair).ok_or(Reason::BadFrame)?);
    }
    if payload.len() > PAYLOAD_BYTES_MAX || words.next().is_some() {
        return Err(Reason::BadFrame);
    }
    Ok(Message { identifier: Identifier { priority, pgn, source, destination }, payload, at: None })
}
