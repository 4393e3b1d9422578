//! Lines out of a stream, and the numbers that stand in them.

use super::{Reason, Rejected};
use crate::wire::can::PAYLOAD_BYTES_MAX;

/// The longest line kept: canboat writes three characters a byte of [`PAYLOAD_BYTES_MAX`], 5,355 with 60 before them.
const LINE_BYTES_MAX: usize = 8 << 10;
const _: () = assert!(LINE_BYTES_MAX > 3 * PAYLOAD_BYTES_MAX + 128);

/// Takes each line, or why there is none.
pub(super) type LineOut<'a> = &'a mut dyn FnMut(Result<&[u8], Rejected<'_>>);

/// Cuts a stream into lines, whatever the sizes in which it arrives. Line ends are CR, LF or both.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// Whether the open line is past the limit, told, and skipped to its end.
    skips: bool,
}

impl Lines {
    pub fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Hands out each line, without blanks around it.
    pub fn push(&mut self, bytes: &[u8], out: LineOut<'_>) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let ended = matches!(piece.last(), Some(b'\n' | b'\r'));
            let part = if ended { &piece[..piece.len() - 1] } else { piece };
            if self.skips {
                self.skips = !ended;
            } else if self.held.len() + part.len() > LINE_BYTES_MAX {
                out(Err(Rejected { reason: Reason::TooLong, near: &part[..part.len().min(LINE_BYTES_MAX)] }));
                self.held.clear();
                self.skips = !ended;
            } else if !ended {
                self.held.extend_from_slice(part);
            } else if self.held.is_empty() {
                out(Ok(part.trim_ascii()));
            } else {
                self.held.extend_from_slice(part);
                out(Ok(self.held.trim_ascii()));
                self.held.clear();
            }
        }
    }

    /// The stream ended. A frame has no checksum in text: half of it is not told from the whole, and is dropped.
    pub fn finish(&mut self, out: LineOut<'_>) {
        if !self.held.trim_ascii().is_empty() {
            out(Err(Rejected { reason: Reason::Cut, near: &self.held }));
        }
        self.held.clear();
        self.skips = false;
    }
}

/// The words of a line, parted by blanks.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A number of 1 to 8 hexadecimal digits.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | u32::from(nibble(*digit)?)))
}

/// A number of 1 to 9 decimal digits.
pub(super) fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// Exactly two hexadecimal digits.
pub(super) fn byte(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    Some(nibble(*high)? << 4 | nibble(*low)?)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The bytes of words of two digits each; at most 8.
pub(super) fn data<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<([u8; 8], usize)> {
    let (mut bytes, mut length) = ([0; 8], 0);
    for word in words {
        *bytes.get_mut(length)? = byte(word)?;
        length += 1;
    }
    Some((bytes, length))
}
