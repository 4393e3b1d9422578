//! How frames travel where there is no CAN interface: the lines and the binary messages of real gateways.
//!
//! Written apart from the readers in `wire`. Sources: Yacht Devices YDWG-02 manual, appendix E (RAW); candump of
//! can-utils, log format (`-L`); Actisense NGT-1 messages (command 93 hex, received) as canboat documents them.

use std::fmt::Write as _;

use crate::clock::Stamp;
use crate::wire::can::Frame;

use super::packet::Body;
use super::sentence::time_of_day;
use super::telegram::Telegram;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// Frames the messages of an NGT-1: data link escape, start and end of text.
const DLE: u8 = 0x10;
const STX: u8 = 0x02;
const ETX: u8 = 0x03;

/// NGT-1: a message that was received from the bus.
const NGT1_RECEIVED: u8 = 0x93;

/// What carries the frames of a CAN bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Yacht Devices RAW: a line a frame, no year, no day.
    Ydwg,
    /// `candump -L`: a line a frame, with the time and the interface.
    Candump,
    /// Actisense NGT-1: binary, a message a PGN.
    Actisense,
    /// A CAN interface: the frames themselves.
    Can,
}

impl Format {
    /// What is written for a telegram, piece by piece.
    pub(crate) fn bodies(self, telegram: &Telegram, at: Stamp) -> Vec<Body> {
        match self {
            Self::Actisense => vec![Body::Bytes(ngt1(telegram, at))],
            Self::Ydwg => telegram.frames().iter().map(|frame| Body::Bytes(ydwg(frame, at))).collect(),
            Self::Candump => telegram.frames().iter().map(|frame| Body::Bytes(candump(frame, at))).collect(),
            Self::Can => telegram.frames().into_iter().map(Body::Frame).collect(),
        }
    }
}

/// `06:41:00.000 R 09F8017F 8B 95 ...`
fn ydwg(frame: &Frame, at: Stamp) -> Vec<u8> {
    let ms = at.millis().rem_euclid(DAY_MS);
    let hundredths = time_of_day(ms);
    let (hour, minute, second) = (&hundredths[0..2], &hundredths[2..4], &hundredths[4..6]);
    let mut line = format!("{hour}:{minute}:{second}.{:03} R {:08X}", ms % 1_000, frame.id);
    for byte in frame.bytes() {
        // Writing into a String cannot fail.
        let _ = write!(line, " {byte:02X}");
    }
    line.push_str("\r\n");
    line.into_bytes()
}

/// `(1795243260.000000) can0 09F8017F#8B95...`
fn candump(frame: &Frame, at: Stamp) -> Vec<u8> {
    let mut line = format!("({}.{:06}) can0 ", at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
    let _ = if frame.extended { write!(line, "{:08X}#", frame.id) } else { write!(line, "{:03X}#", frame.id) };
    for byte in frame.bytes() {
        let _ = write!(line, "{byte:02X}");
    }
    line.push('\n');
    line.into_bytes()
}

/// Priority, PGN, destination, source, milliseconds, length, data.
fn ngt1(telegram: &Telegram, at: Stamp) -> Vec<u8> {
    let id = telegram.identifier;
    let [p0, p1, p2, _] = id.pgn.to_le_bytes();
    let mut message = vec![id.priority, p0, p1, p2, id.destination, id.source];
    message.extend_from_slice(&(at.millis() as u32).to_le_bytes());
    message.push(telegram.payload.len() as u8);
    message.extend_from_slice(&telegram.payload);
    escaped(&message)
}

/// Command, length and a sum that makes all of them zero; each escape doubled.
fn escaped(message: &[u8]) -> Vec<u8> {
    let mut inside = vec![NGT1_RECEIVED, message.len() as u8];
    inside.extend_from_slice(message);
    let sum = inside.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    inside.push(sum.wrapping_neg());
    let mut all = vec![DLE, STX];
    for byte in inside {
        all.push(byte);
        if byte == DLE {
            all.push(DLE);
        }
    }
    all.extend([DLE, ETX]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::payload::Payload;
    use crate::sim::telegram::Transport;

    const AT: Stamp = Stamp::from_millis(1_795_243_260_123);

    fn telegram() -> Telegram {
        let payload = Payload::default().part(0x10, 8).part(0x1020_3040, 32);
        Telegram::new(127_251, 2, 1, Transport::Single, payload)
    }

    fn only(format: Format) -> Vec<u8> {
        match format.bodies(&telegram(), AT).as_slice() {
            [Body::Bytes(bytes)] => bytes.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_those_of_the_manuals() {
        assert_eq!(only(Format::Ydwg), b"06:41:00.123 R 09F11301 10 40 30 20 10\r\n");
        assert_eq!(only(Format::Candump), b"(1795243260.123000) can0 09F11301#1040302010\n");
        assert!(matches!(Format::Can.bodies(&telegram(), AT)[..], [Body::Frame(_)]));
    }

    #[test]
    fn a_binary_message_sums_to_zero_and_doubles_each_escape() {
        let bytes = only(Format::Actisense);
        assert_eq!(bytes[..12], [DLE, STX, 0x93, 16, DLE, 2, 0x13, 0xF1, 1, 255, 1, bytes[11]]);
        assert!(bytes.ends_with(&[DLE, ETX]));
        let mut inside = Vec::new();
        let mut rest = bytes[2..bytes.len() - 2].iter();
        while let Some(byte) = rest.next() {
            inside.push(*byte);
            if *byte == DLE {
                assert_eq!(rest.next(), Some(&DLE));
            }
        }
        assert_eq!(inside.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
        assert_eq!(usize::from(inside[1]) + 3, inside.len());
    }
}
