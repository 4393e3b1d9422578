//! `candump` of can-utils: log lines (`-l`, `-L`), console lines with or without times, and the console of its first
//! versions.
//!
//! ```text
//! (1436509053.762905) can0 18EEFF00#8EF2DDE800966440
//!  (1436509053.762905)  can0  18EEFF00   [8]  8E F2 DD E8 00 96 64 40
//! <0x18eeff00> [8] 8e f2 dd e8 00 96 64 40
//! ```

use super::Reason;
use super::lines::{byte, data, decimal, hexadecimal, words};
use crate::clock::Stamp;
use crate::wire::can::Frame;

/// The bit that SocketCAN sets in the identifier of an error frame (linux/can.h, CAN_ERR_FLAG).
const ERROR_FLAG: u32 = 0x2000_0000;

/// Seconds since 1970 that are a date and not the time since something began: 2001-09-09.
const EARLIEST_DATE_S: i64 = 1_000_000_000;

/// Reads one line.
pub(super) fn read(line: &[u8]) -> Result<Frame, Reason> {
    let mut before: &[u8] = b"";
    let mut at = None;
    let mut rest = words(line);
    while let Some(word) = rest.next() {
        if let Some(hash) = word.iter().position(|byte| *byte == b'#') {
            return log(&word[..hash], &word[hash + 1..], at);
        }
        match word[0] {
            b'[' => return console(before, word, rest, at),
            b'(' => at = time(word).or(at),
            _ => before = word,
        }
    }
    Err(Reason::NotAFrame)
}

fn log(id: &[u8], text: &[u8], at: Option<Stamp>) -> Result<Frame, Reason> {
    match text.first() {
        Some(b'#') => return Err(Reason::CanFd),
        Some(b'R') => return Err(Reason::Remote),
        _ => {}
    }
    let (mut bytes, mut length, mut rest) = ([0; 8], 0, text);
    while !rest.is_empty() {
        // Dots may part the bytes (candump's own parser allows them).
        rest = rest.strip_prefix(b".").unwrap_or(rest);
        let (pair, more) = rest.split_at_checked(2).ok_or(Reason::BadFrame)?;
        *bytes.get_mut(length).ok_or(Reason::BadFrame)? = byte(pair).ok_or(Reason::BadFrame)?;
        (length, rest) = (length + 1, more);
    }
    frame(id, &bytes[..length], at)
}

fn console<'a>(
    id: &[u8],
    count: &[u8],
    rest: impl Iterator<Item = &'a [u8]> + Clone,
    at: Option<Stamp>,
) -> Result<Frame, Reason> {
    let digits = count.strip_prefix(b"[").and_then(|count| count.strip_suffix(b"]")).ok_or(Reason::NotAFrame)?;
    // A CAN FD frame writes its length with two digits.
    let length = match (digits.len(), decimal(digits)) {
        (1, Some(length @ 0..=8)) => length as usize,
        (2, Some(_)) => return Err(Reason::CanFd),
        _ => return Err(Reason::BadFrame),
    };
    if rest.clone().next() == Some(b"remote") {
        return Err(Reason::Remote);
    }
    let id = id.strip_prefix(b"<0x").and_then(|id| id.strip_suffix(b">")).unwrap_or(id);
    // What stands behind the bytes is their text (`-a`) or a word about an error frame.
    let (bytes, found) = data(rest.take(length)).ok_or(Reason::BadFrame)?;
    if found < length { Err(Reason::BadFrame) } else { frame(id, &bytes[..length], at) }
}

/// The frame of an identifier of 3 digits, or of 8.
fn frame(digits: &[u8], bytes: &[u8], at: Option<Stamp>) -> Result<Frame, Reason> {
    let id = hexadecimal(digits).ok_or(Reason::NotAFrame)?;
    let frame = match digits.len() {
        3 => Frame::standard(id, bytes),
        8 if id & ERROR_FLAG != 0 => return Err(Reason::ErrorFrame),
        8 => Frame::extended(id, bytes),
        _ => None,
    };
    frame.map(|frame| Frame { at, ..frame }).ok_or(Reason::BadFrame)
}

/// `(seconds.microseconds)` since 1970; `None` for anything else, and for times since the first or last frame.
fn time(word: &[u8]) -> Option<Stamp> {
    let word = word.strip_prefix(b"(")?.strip_suffix(b")")?;
    let text = std::str::from_utf8(word).ok()?;
    let (seconds, micros) = text.split_once('.')?;
    let (seconds, micros) = (seconds.parse::<i64>().ok()?, decimal(micros.as_bytes()).filter(|_| micros.len() == 6)?);
    (EARLIEST_DATE_S..1 << 40).contains(&seconds).then(|| Stamp(seconds * 1_000_000 + i64::from(micros)))
}
