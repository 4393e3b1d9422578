//! PCAN-View traces (PEAK CAN TRC file format, versions 1.1 to 2.1): one frame a line, comments behind `;`.
//!
//! ```text
//!      1)         2.7  Rx     09F11324  8  53 84 9E 01 00 FF FF FF
//!       1      1059.900 DT 00000300 Rx 8  00 00 00 00 04 00 00 00
//! ```
//!
//! A trace is dated in the local time of a machine whose zone it does not tell: frames carry no time.

use super::Reason;
use super::lines::{data, decimal, hexadecimal, words};
use crate::wire::can::Frame;

/// Reads one line.
pub(super) fn read(line: &[u8]) -> Result<Frame, Reason> {
    let mut rest = words(line);
    let number = rest.next().unwrap_or_default();
    let (is_1, digits) = number.strip_suffix(b")").map_or((false, number), |digits| (true, digits));
    decimal(digits).ok_or(Reason::NotAFrame)?;
    let mut before: &[u8] = b"";
    while let Some(word) = rest.next() {
        match word {
            b"Rx" | b"Tx" => {
                let id = if is_1 { rest.next().unwrap_or_default() } else { before };
                return frame(id, rest);
            }
            b"RR" | b"RTR" => return Err(Reason::Remote),
            b"FD" | b"FB" | b"FE" | b"BI" => return Err(Reason::CanFd),
            b"ER" | b"ST" | b"EC" | b"Warng" | b"Error" => return Err(Reason::ErrorFrame),
            _ => before = word,
        }
    }
    Err(Reason::NotAFrame)
}

/// Identifiers of 4 digits have 11 bits, of 8 digits 29.
fn frame<'a>(id: &[u8], rest: impl Iterator<Item = &'a [u8]> + Clone) -> Result<Frame, Reason> {
    // A destination address that classic CAN does not have is written as a dash.
    let mut rest = rest.filter(|word| *word != b"-");
    let value = hexadecimal(id).ok_or(Reason::BadFrame)?;
    let length = rest.next().and_then(decimal).ok_or(Reason::BadFrame)?;
    if rest.clone().next() == Some(b"RTR") {
        return Err(Reason::Remote);
    }
    let (bytes, found) = data(rest).ok_or(Reason::BadFrame)?;
    if found != length as usize {
        return Err(Reason::BadFrame);
    }
    let frame = match id.len() {
        4 => Frame::standard(value, &bytes[..found]),
        8 => Frame::extended(value, &bytes[..found]),
        _ => None,
    };
    frame.ok_or(Reason::BadFrame)
}
