//! Yacht Devices RAW (YDWG-02 manual, appendix E): `hh:mm:ss.ddd D identifier bytes`, one frame a line.
//!
//! `R` was received from the bus, `T` was sent to it by the gateway: that too was on the bus. The time has no date and
//! is not used.

use super::Reason;
use super::lines::{data, hexadecimal, words};
use crate::wire::can::Frame;

/// Reads one line.
pub(super) fn read(line: &[u8]) -> Result<Frame, Reason> {
    let mut words = words(line);
    let time = words.next().unwrap_or_default();
    let is_time = matches!(time, [_, _, b':', _, _, b':', _, _, b'.', ..]);
    if !is_time || !matches!(words.next(), Some(b"R" | b"T")) {
        return Err(Reason::NotAFrame);
    }
    let id = words.next().filter(|id| id.len() == 8).and_then(hexadecimal).ok_or(Reason::BadFrame)?;
    let (bytes, length) = data(words).ok_or(Reason::BadFrame)?;
    Frame::extended(id, &bytes[..length]).ok_or(Reason::BadFrame)
}
