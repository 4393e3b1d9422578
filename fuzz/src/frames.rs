//! CAN traffic written as bytes, as the targets of CAN decoders read it and the seeds of captures are made.
//!
//! A step is a byte, its low three bits a wait and the others a kind; behind it stand an identifier of four bytes, a
//! length, and the data. The kinds that name a PGN by its place in a table let the fuzzer reach every decoder without
//! guessing 18 bits.

use crate::wire::Sink;
use crate::wire::can::{Frame, FrameDecoder, Identifier, Item, Message};

use super::Script;

/// What one step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// A frame with a 29-bit identifier as it stands.
    Frame,
    /// A frame of a PGN of the table: source, place in the table, destination, priority.
    FrameOfTable,
    /// A frame with an 11-bit identifier.
    Standard,
    /// A whole message with an identifier as it stands; the length counts sevens of bytes.
    Message,
    /// A whole message of a PGN of the table.
    MessageOfTable,
    /// The connection to the bus ended.
    End,
}

const KINDS: [Kind; 6] =
    [Kind::Frame, Kind::FrameOfTable, Kind::Standard, Kind::Message, Kind::MessageOfTable, Kind::End];

/// Bytes of a message that one unit of its length means: 255 of them are the longest message that there is.
const MESSAGE_UNIT_BYTES: usize = 7;

/// One step.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A frame came.
    Frame(Frame),
    /// A message came.
    Message(Message<'a>),
    /// The connection ended.
    End,
}

/// The steps of an input, each with its time; `pgns` is the table.
pub fn steps<'a>(bytes: &'a [u8], pgns: &[u32]) -> impl Iterator<Item = (u64, Step<'a>)> {
    let (mut rest, mut mono_ms) = (bytes, 0);
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_first_chunk::<6>()?;
        let [first, id @ .., length] = *head;
        mono_ms += Script::wait_ms(first);
        let kind = KINDS[usize::from(first >> 3) % KINDS.len()];
        let raw = u32::from_le_bytes(id) & 0x1FFF_FFFF;
        let of_table = || Identifier {
            priority: id[3] & 7,
            pgn: pgns.get(usize::from(id[1]) % pgns.len().max(1)).copied().unwrap_or(0),
            source: id[0],
            destination: id[2],
        };
        let wanted = match kind {
            Kind::Message | Kind::MessageOfTable => usize::from(length) * MESSAGE_UNIT_BYTES,
            Kind::End => 0,
            _ => usize::from(length % 9),
        };
        let (data, behind) = behind.split_at(wanted.min(behind.len()));
        rest = behind;
        let message = |identifier| Step::Message(Message { identifier, payload: data, at: None });
        let step = match kind {
            Kind::Frame => Step::Frame(Frame::extended(raw, data)?),
            Kind::FrameOfTable => Step::Frame(Frame::extended(of_table().encode(), data)?),
            Kind::Standard => Step::Frame(Frame::standard(raw & 0x7FF, data)?),
            Kind::Message => message(Identifier::parse(raw)),
            Kind::MessageOfTable => message(of_table()),
            Kind::End => Step::End,
        };
        Some((mono_ms, step))
    })
}

/// Plays an input into a decoder; after each step it holds at most `held_bytes_max`.
pub fn play(bytes: &[u8], pgns: &[u32], decoder: &mut dyn FrameDecoder, held_bytes_max: usize, sink: &mut dyn Sink) {
    let mut now_ms = 0;
    for (mono_ms, step) in steps(bytes, pgns) {
        match step {
            Step::Frame(frame) => decoder.frame(&frame, mono_ms, sink),
            Step::Message(message) => decoder.message(&message, mono_ms, sink),
            Step::End => decoder.end(mono_ms, sink),
        }
        now_ms = mono_ms;
    }
    assert!(decoder.held_bytes() <= held_bytes_max, "{} bytes held", decoder.held_bytes());
    drop(decoder.sources());
    decoder.end(now_ms, sink);
    assert!(decoder.held_bytes() <= held_bytes_max, "{} bytes held at the end", decoder.held_bytes());
}

/// Writes one item of a capture as a step, so that a capture becomes a seed.
pub fn write(item: &Item<'_>, out: &mut Vec<u8>) {
    let (kind, id, length, data) = match item {
        Item::Frame(frame) if frame.extended => (Kind::Frame, frame.id, frame.length, frame.bytes()),
        Item::Frame(frame) => (Kind::Standard, frame.id, frame.length, frame.bytes()),
        Item::Message(message) => {
            let units = message.payload.len().div_ceil(MESSAGE_UNIT_BYTES);
            (Kind::Message, message.identifier.encode(), u8::try_from(units).unwrap_or(u8::MAX), message.payload)
        }
    };
    out.push((kind as u8) << 3 | 2);
    out.extend_from_slice(&id.to_le_bytes());
    out.push(length);
    out.extend_from_slice(data);
    if kind == Kind::Message {
        out.resize(out.len() + usize::from(length) * MESSAGE_UNIT_BYTES - data.len(), 0xFF);
    }
}
