//! canboat's lines: `time,priority,pgn,source,destination,length,bytes`.
//!
//! PLAIN holds frames, FAST whole messages; `# format=` at the top says which. Without it a line of 8 bytes is a frame
//! and any other a message (PLAIN_MIX_FAST): a fast packet's frame always has 8.

use super::lines::{byte, decimal};
use super::{Item, Reason};
use crate::clock::Stamp;
use crate::wire::can::{Frame, Identifier, Message, PAYLOAD_BYTES_MAX};

/// The highest PGN: 18 bits of an identifier. canboat's own, above it, were never on a bus.
const PGN_MAX: u32 = 0x3_FFFF;

/// What a line of 8 bytes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Canboat {
    /// A frame.
    #[default]
    Frames,
    /// A whole message, as every other line.
    Messages,
}

impl Canboat {
    /// Reads one line.
    pub fn read<'a>(&mut self, line: &[u8], payload: &'a mut Vec<u8>) -> Result<Option<Item<'a>>, Reason> {
        if line[0] == b'#' {
            if let Some(format) = line.strip_prefix(b"# format=") {
                *self = if format.trim_ascii() == b"FAST" { Self::Messages } else { Self::Frames };
            }
            return Ok(None);
        }
        let mut fields = line.split(|byte| *byte == b',');
        let at = time(fields.next().unwrap_or_default());
        let mut number = || fields.next().map(<[u8]>::trim_ascii).and_then(decimal).ok_or(Reason::NotAFrame);
        let (priority, pgn, source, destination, length) = (number()?, number()?, number()?, number()?, number()?);
        let address = |number: u32| u8::try_from(number).map_err(|_| Reason::BadFrame);
        let (source, destination) = (address(source)?, address(destination)?);
        let length = length as usize;
        if priority > 7 || pgn > PGN_MAX || length > PAYLOAD_BYTES_MAX {
            return Err(Reason::BadFrame);
        }
        payload.clear();
        for field in fields.take(length) {
            payload.push(byte(field.trim_ascii()).ok_or(Reason::BadFrame)?);
        }
        if payload.len() < length {
            return Err(Reason::BadFrame);
        }
        let identifier = Identifier { priority: priority as u8, pgn, source, destination };
        if *self == Self::Messages || length != 8 {
            return Ok(Some(Item::Message(Message { identifier, payload, at })));
        }
        let frame = Frame::extended(identifier.encode(), payload).ok_or(Reason::BadFrame)?;
        Ok(Some(Item::Frame(Frame { at, ..frame })))
    }
}

/// `2011-11-24-22:42:04.388` or RFC 3339, UTC; `None` for anything else.
fn time(field: &[u8]) -> Option<Stamp> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    // A text of ASCII alone can be cut anywhere.
    if !text.is_ascii() || text.len() < 19 || text.len() > 32 {
        return None;
    }
    if text.as_bytes()[10] == b'-' {
        return Stamp::parse(&format!("{}T{}Z", &text[..10], &text[11..])).ok();
    }
    Stamp::parse(text).ok()
}
