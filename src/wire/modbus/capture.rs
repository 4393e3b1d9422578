//! Reading along: what others say in Modbus TCP, from the bytes of both directions, each cut anywhere.
//!
//! A passive tool: it knows the writing functions too, since others use them, and never asks anything. What it holds is
//! bounded: one open frame a direction and the last [`OPEN_MAX`] questions of a conversation.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use serde::Serialize;

use super::Exception;
use super::pdu::EXCEPTION_BIT;
use super::tcp::{FRAME_BYTES_MAX, HEADER_BYTES, Header};
use crate::wire::pcap::{Endpoint, Flow, Piece};

/// Questions remembered until they are answered: servers take 1 to 16 at once (Messaging on TCP/IP V1.0b, 4.2.2). The
/// oldest gives way.
pub const OPEN_MAX: usize = 64;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The client asks.
    Request,
    /// The server answers.
    Answer,
}

/// One message that went by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who spoke.
    pub direction: Direction,
    /// Ties an answer to its question.
    pub transaction: u16,
    /// The unit asked, or answering.
    pub unit: u8,
    /// The function, without the bit that marks an exception.
    pub function: u8,
    /// Bytes behind the header's length: unit id and PDU.
    pub length: u16,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// A question for `count` from `address`, or the word that so many were written.
    Range {
        /// The first, counted from 0.
        address: u16,
        /// How many.
        count: u16,
    },
    /// Bits, read.
    Bits {
        /// As many as were asked for; with the padding of the last byte where the question is not known.
        bits: Vec<bool>,
    },
    /// Registers, read.
    Registers {
        /// In their order.
        registers: Vec<u16>,
    },
    /// Bits, to be written.
    WriteBits {
        /// The first, counted from 0.
        address: u16,
        /// In their order.
        bits: Vec<bool>,
    },
    /// Registers, to be written.
    WriteRegisters {
        /// The first, counted from 0.
        address: u16,
        /// In their order.
        registers: Vec<u16>,
    },
    /// A register, to be changed in some bits.
    Mask {
        /// Which, counted from 0.
        address: u16,
        /// Bits that stay.
        and_mask: u16,
        /// Bits that are set.
        or_mask: u16,
    },
    /// A question that writes first (function 23).
    ReadWrite {
        /// The first to be read, counted from 0.
        address: u16,
        /// How many are read.
        count: u16,
        /// The first to be written.
        write_address: u16,
        /// What is written.
        registers: Vec<u16>,
    },
    /// No, and why.
    Exception {
        /// The code.
        exception: u8,
        /// In words.
        reason: String,
    },
    /// A function that is not read here, or a form that its function does not have.
    Other {
        /// The bytes behind the function, in hex.
        data: String,
    },
}

/// One connection.
#[derive(Debug, Default)]
pub struct Conversation {
    questions: Framer,
    answers: Framer,
    /// Transaction, unit, function and count of bits of the questions that are open, oldest first.
    open: VecDeque<(u16, u8, u8, u16)>,
    skipped_bytes: u64,
}

/// Cuts one direction into frames.
#[derive(Debug, Default)]
struct Framer {
    bytes: Vec<u8>,
    ended: bool,
}

impl Framer {
    /// Takes bytes, hands out whole frames, and returns how many bytes were skipped because no header began there.
    fn push(&mut self, mut bytes: &[u8], mut frame: impl FnMut(Header, &[u8])) -> u64 {
        let mut skipped = 0;
        while !bytes.is_empty() {
            // Never more than one frame is held.
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES_MAX - self.bytes.len().min(FRAME_BYTES_MAX)));
            self.bytes.extend_from_slice(now);
            bytes = later;
            let mut at = 0;
            while let ControlFlow::Continue(used) = self.frame_at(at, &mut frame, &mut skipped) {
                at += used;
            }
            self.bytes.drain(..at);
        }
        skipped
    }

    fn frame_at(&self, at: usize, frame: &mut impl FnMut(Header, &[u8]), skipped: &mut u64) -> ControlFlow<(), usize> {
        let rest = &self.bytes[at..];
        let Some(header) = Header::read(rest) else { return ControlFlow::Break(()) };
        if !header.is_modbus() {
            *skipped += 1;
            return ControlFlow::Continue(1);
        }
        let Some(whole) = rest.get(..header.frame_bytes()) else { return ControlFlow::Break(()) };
        frame(header, &whole[HEADER_BYTES..]);
        ControlFlow::Continue(whole.len())
    }
}

impl Conversation {
    /// Takes the next bytes of one direction and hands out each message that they complete.
    pub fn push(&mut self, direction: Direction, bytes: &[u8], mut message: impl FnMut(Message)) {
        let Self { questions, answers, open, skipped_bytes } = self;
        let framer = if direction == Direction::Request { questions } else { answers };
        *skipped_bytes += framer.push(bytes, |header, pdu| {
            // At least the function: `Header::is_modbus`.
            let [function, data @ ..] = pdu else { return };
            message(read(direction, header, *function, data, open));
        });
    }

    /// Bytes of one direction are missing: its open frame is dropped.
    pub fn lost(&mut self, direction: Direction) {
        let framer = if direction == Direction::Request { &mut self.questions } else { &mut self.answers };
        self.skipped_bytes += framer.bytes.len() as u64;
        framer.bytes.clear();
    }

    /// Bytes that were no Modbus.
    pub const fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        self.questions.bytes.len() + self.answers.bytes.len() + self.open.len() * size_of::<(u16, u8, u8, u16)>()
    }
}

fn read(
    direction: Direction,
    header: Header,
    function: u8,
    data: &[u8],
    open: &mut VecDeque<(u16, u8, u8, u16)>,
) -> Message {
    let Header { transaction, length, unit, .. } = header;
    let code = function & !EXCEPTION_BIT;
    let body = match direction {
        Direction::Request => {
            let body = question(code, data).filter(|_| function == code);
            let bits = if let Some(Body::Range { count, .. }) = body { count } else { 0 };
            if open.len() == OPEN_MAX {
                open.pop_front();
            }
            open.push_back((transaction, unit, code, bits));
            body
        }
        Direction::Answer => {
            let asked = open.iter().position(|(t, u, f, _)| (*t, *u, *f) == (transaction, unit, code));
            let bits = asked.and_then(|at| open.remove(at)).map(|(_, _, _, bits)| bits);
            if function == code { answer(code, data, bits) } else { exception(data) }
        }
    };
    let hex = || data.iter().map(|byte| format!("{byte:02x}")).collect();
    Message {
        direction,
        transaction,
        unit,
        function: code,
        length,
        body: body.unwrap_or_else(|| Body::Other { data: hex() }),
    }
}

fn exception(data: &[u8]) -> Option<Body> {
    let [code] = *data else { return None };
    Some(Body::Exception { exception: code, reason: Exception(code).to_string() })
}

fn words(data: &[u8]) -> impl Iterator<Item = u16> + '_ {
    data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

/// `count` words, and no more bytes.
fn exactly<const N: usize>(data: &[u8]) -> Option<[u16; N]> {
    let mut all = words(data);
    let found = std::array::from_fn(|_| all.next().unwrap_or_default());
    (data.len() == 2 * N).then_some(found)
}

fn bits(data: &[u8], count: usize) -> Vec<bool> {
    (0..count.min(8 * data.len())).map(|at| data[at / 8] >> (at % 8) & 1 == 1).collect()
}

/// The bytes behind their own count.
fn counted(data: &[u8]) -> Option<&[u8]> {
    let [count, rest @ ..] = data else { return None };
    (rest.len() == usize::from(*count)).then_some(rest)
}

/// Address, count and the bytes behind them (functions 15 and 16).
fn write_many(data: &[u8]) -> Option<(u16, u16, &[u8])> {
    let (head, rest) = data.split_at_checked(4)?;
    let [address, count] = exactly(head)?;
    Some((address, count, counted(rest)?))
}

fn question(function: u8, data: &[u8]) -> Option<Body> {
    match function {
        1..=4 => exactly(data).map(|[address, count]| Body::Range { address, count }),
        5 | 6 | 22 => write_one(function, data),
        15 => {
            let (address, count, data) = write_many(data)?;
            let bits = bits(data, count.into());
            (data.len() == usize::from(count).div_ceil(8)).then_some(Body::WriteBits { address, bits })
        }
        16 => {
            let (address, count, data) = write_many(data)?;
            let registers = words(data).collect();
            (data.len() == 2 * usize::from(count)).then_some(Body::WriteRegisters { address, registers })
        }
        23 => {
            let (head, rest) = data.split_at_checked(4)?;
            let [address, count] = exactly(head)?;
            let (write_address, written, data) = write_many(rest)?;
            let registers = words(data).collect();
            let whole = data.len() == 2 * usize::from(written);
            whole.then_some(Body::ReadWrite { address, count, write_address, registers })
        }
        _ => None,
    }
}

/// Functions whose answer repeats the question.
fn write_one(function: u8, data: &[u8]) -> Option<Body> {
    match function {
        5 => match exactly(data)? {
            [address, 0xFF00] => Some(Body::WriteBits { address, bits: vec![true] }),
            [address, 0] => Some(Body::WriteBits { address, bits: vec![false] }),
            _ => None,
        },
        6 => exactly(data).map(|[address, register]| Body::WriteRegisters { address, registers: vec![register] }),
        _ => exactly(data).map(|[address, and_mask, or_mask]| Body::Mask { address, and_mask, or_mask }),
    }
}

fn answer(function: u8, data: &[u8], asked: Option<u16>) -> Option<Body> {
    match function {
        1 | 2 => {
            let data = counted(data)?;
            let count = asked.map_or(8 * data.len(), usize::from);
            Some(Body::Bits { bits: bits(data, count) })
        }
        3 | 4 | 23 => counted(data)
            .filter(|data| data.len() % 2 == 0)
            .map(|data| Body::Registers { registers: words(data).collect() }),
        5 | 6 | 22 => write_one(function, data),
        15 | 16 => exactly(data).map(|[address, count]| Body::Range { address, count }),
        _ => None,
    }
}

/// The Modbus conversations of a capture. Follows as many as [`crate::wire::pcap::TcpStreams`] does.
#[derive(Debug, Default)]
pub struct Conversations {
    all: HashMap<(Endpoint, Endpoint), Conversation>,
    skipped_bytes: u64,
}

impl Conversations {
    /// Takes what came next of one direction and hands out each message with who sent it to whom. The server is the
    /// end with the lower port: 502, and whatever else it is moved to lies below the ports that clients are given.
    pub fn piece(&mut self, flow: Flow, piece: Piece<'_>, mut message: impl FnMut(Flow, Message)) {
        let is_request = flow.from.port > flow.to.port;
        let direction = if is_request { Direction::Request } else { Direction::Answer };
        let key = if is_request { (flow.from, flow.to) } else { (flow.to, flow.from) };
        match piece {
            Piece::Bytes(bytes) => self.of(key, is_request).push(direction, bytes, |found| message(flow, found)),
            Piece::Lost(_) => self.of(key, is_request).lost(direction),
            Piece::End => {
                let Some(conversation) = self.all.get_mut(&key) else { return };
                conversation.lost(direction);
                conversation.framer(is_request).ended = true;
                if conversation.questions.ended && conversation.answers.ended {
                    self.skipped_bytes += conversation.skipped_bytes;
                    self.all.remove(&key);
                }
            }
        }
    }

    /// The conversation of these ends; a direction that speaks is open again.
    fn of(&mut self, key: (Endpoint, Endpoint), is_request: bool) -> &mut Conversation {
        let ended = || Framer { bytes: Vec::new(), ended: true };
        let new = || Conversation { questions: ended(), answers: ended(), ..Conversation::default() };
        let conversation = self.all.entry(key).or_insert_with(new);
        conversation.framer(is_request).ended = false;
        conversation
    }

    /// Bytes that were no Modbus, or of a frame that was cut.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes + self.all.values().map(Conversation::skipped_bytes).sum::<u64>()
    }
}

impl Conversation {
    fn framer(&mut self, is_request: bool) -> &mut Framer {
        if is_request { &mut self.questions } else { &mut self.answers }
    }
}
