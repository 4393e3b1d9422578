//! How CAN frames are written by gateways and in logs: bytes cut anywhere in, frames and messages out.
//!
//! [`Format`] names one way, [`Framing`] reads it: pure, bounded to one line or one packet, in step again with the next
//! one after garbage. It refuses to put fast packets together; that is the decoder's, behind it.

mod actisense;
mod canboat;
mod candump;
mod lines;
mod pcan_view;
mod yacht_devices;

use std::fmt;

use super::frame::{Frame, Message};
use actisense::Bst;
use canboat::Canboat;
use lines::Lines;

/// One frame, or one message that the gateway put together itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A frame as it was on the bus.
    Frame(Frame),
    /// A whole message.
    Message(Message<'a>),
}

/// Something that gave no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// Why.
    pub reason: Reason,
    /// The bytes, as far as they are at hand.
    pub near: &'a [u8],
}

/// Why bytes gave no frame. Each is counted by its name; none of them stops the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// A line or packet that is nothing of this format.
    #[error("nothing of this format")]
    NotAFrame,
    /// It looks like a frame, and one of its fields cannot be.
    #[error("a malformed frame")]
    BadFrame,
    /// No end within the limit.
    #[error("no end within the limit")]
    TooLong,
    /// Broken off: the stream ended, or a new packet began.
    #[error("broken off")]
    Cut,
    /// The checksum does not fit.
    #[error("the checksum does not fit")]
    BadChecksum,
    /// A CAN FD frame: NMEA 2000 and J1939 over classic CAN have none.
    #[error("a CAN FD frame")]
    CanFd,
    /// A remote frame: it asks, and carries nothing.
    #[error("a remote frame")]
    Remote,
    /// An error frame, or the controller's word about its bus.
    #[error("an error frame")]
    ErrorFrame,
    /// The gateway's word about itself, or what its host told it to send: nothing that was heard on the bus.
    #[error("the gateway's own message")]
    Gateway,
}

impl Reason {
    /// All names, as metrics label them.
    pub const NAMES: [&'static str; 9] = [
        "not_a_frame",
        "bad_frame",
        "too_long",
        "cut",
        "bad_checksum",
        "can_fd_frame",
        "remote_frame",
        "error_frame",
        "gateway_message",
    ];

    /// The reason's name.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// A way to write CAN frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `candump` of can-utils: its log, its console, and the console of its first versions.
    Candump,
    /// Yacht Devices RAW, as YDWG-02 and YDEN-02 send it.
    YachtDevices,
    /// Actisense NGT-1, NGX and W2K-1: BST messages between DLE STX and DLE ETX.
    ActisenseBinary,
    /// Actisense N2K ASCII.
    ActisenseAscii,
    /// Actisense EBL: a log of the binary stream.
    ActisenseLog,
    /// canboat's PLAIN and FAST lines, mixed or not.
    Canboat,
    /// PCAN-View traces, versions 1.1 to 2.1.
    PcanView,
}

/// Those written in lines, in an order in which the first that understands a line is right.
const TEXT_FORMATS: [Format; 5] =
    [Format::Candump, Format::YachtDevices, Format::ActisenseAscii, Format::Canboat, Format::PcanView];

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Candump,
        Self::YachtDevices,
        Self::ActisenseBinary,
        Self::ActisenseAscii,
        Self::ActisenseLog,
        Self::Canboat,
        Self::PcanView,
    ];

    /// The format that the beginning of an input is in, by the first of its lines or packets that is sound; `None` when
    /// no format understands it.
    pub fn detect(head: &[u8]) -> Option<Self> {
        if let Some(binary) = actisense::detect(head) {
            return Some(binary);
        }
        let mut payload = Vec::new();
        head.split(|byte| matches!(byte, b'\n' | b'\r')).find_map(|line| {
            let sound =
                |format: &Format| matches!(Text::new(*format).read(line.trim_ascii(), &mut payload), Ok(Some(_)));
            TEXT_FORMATS.into_iter().find(sound)
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candump => "candump",
            Self::YachtDevices => "Yacht Devices RAW",
            Self::ActisenseBinary => "Actisense binary",
            Self::ActisenseAscii => "Actisense N2K ASCII",
            Self::ActisenseLog => "Actisense EBL",
            Self::Canboat => "canboat",
            Self::PcanView => "PCAN-View",
        })
    }
}

/// Reads one format.
#[derive(Debug)]
pub struct Framing(Reader);

#[derive(Debug)]
enum Reader {
    Text { lines: Lines, text: Text, payload: Vec<u8> },
    Binary(Bst),
}

impl Framing {
    /// A reader at the start of a stream.
    pub fn new(format: Format) -> Self {
        Self(match format {
            Format::ActisenseBinary => Reader::Binary(Bst::stream()),
            Format::ActisenseLog => Reader::Binary(Bst::log()),
            _ => Reader::Text { lines: Lines::default(), text: Text::new(format), payload: Vec::new() },
        })
    }

    /// Takes the next bytes and hands out what they complete. What is handed out does not depend on the cuts.
    pub fn push(&mut self, bytes: &[u8], out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) {
        match &mut self.0 {
            Reader::Text { lines, text, payload } => {
                lines.push(bytes, &mut |line| take_line(line, text, payload, out));
            }
            Reader::Binary(bst) => bst.push(bytes, out),
        }
    }

    /// The stream ended, or a datagram did: what is open is handed out if it is whole, else told as cut.
    pub fn finish(&mut self, out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>)) {
        match &mut self.0 {
            Reader::Text { lines, text, payload } => lines.finish(&mut |line| take_line(line, text, payload, out)),
            Reader::Binary(bst) => bst.finish(out),
        }
    }

    /// Bytes of memory that are held between two pushes.
    pub fn held_bytes(&self) -> usize {
        match &self.0 {
            Reader::Text { lines, payload, .. } => lines.held_bytes() + payload.capacity(),
            Reader::Binary(bst) => bst.held_bytes(),
        }
    }
}

fn take_line(
    line: Result<&[u8], Rejected<'_>>,
    text: &mut Text,
    payload: &mut Vec<u8>,
    out: &mut dyn FnMut(Result<Item<'_>, Rejected<'_>>),
) {
    match line {
        Ok(line) => match text.read(line, payload) {
            Ok(Some(item)) => out(Ok(item)),
            Ok(None) => {}
            Err(reason) => out(Err(Rejected { reason, near: line })),
        },
        Err(rejected) => out(Err(rejected)),
    }
}

/// Reads the lines of one text format.
#[derive(Debug)]
enum Text {
    Candump,
    YachtDevices,
    ActisenseAscii,
    Canboat(Canboat),
    PcanView,
}

impl Text {
    fn new(format: Format) -> Self {
        match format {
            Format::YachtDevices => Self::YachtDevices,
            Format::ActisenseAscii => Self::ActisenseAscii,
            Format::Canboat => Self::Canboat(Canboat::default()),
            Format::PcanView => Self::PcanView,
            // The binary ones never come here.
            Format::Candump | Format::ActisenseBinary | Format::ActisenseLog => Self::Candump,
        }
    }

    /// Reads one line; `None` for one that has nothing to say: blank, or a comment.
    fn read<'a>(&mut self, line: &[u8], payload: &'a mut Vec<u8>) -> Result<Option<Item<'a>>, Reason> {
        match self {
            _ if line.is_empty() => Ok(None),
            Self::Canboat(canboat) => canboat.read(line, payload),
            _ if matches!(line[0], b'#' | b';') => Ok(None),
            Self::Candump => candump::read(line).map(|frame| Some(Item::Frame(frame))),
            Self::YachtDevices => yacht_devices::read(line).map(|frame| Some(Item::Frame(frame))),
            Self::ActisenseAscii => actisense::read_ascii(line, payload).map(|message| Some(Item::Message(message))),
            Self::PcanView => pcan_view::read(line).map(|frame| Some(Item::Frame(frame))),
        }
    }
}

#[cfg(test)]
mod tests;
