//! Short upper-case words of the sentence layer: talker IDs and formatters. Copied, never allocated.
//!
//! It refuses anything but `A` to `Z` and `0` to `9`, so that what a bus invents stays printable in logs and metrics.

use std::fmt;

/// The longest word kept. A talker is 2 characters, a formatter 3; a proprietary talker is `P` and a maker of 3, its
/// formatter whatever the maker chose: the longest in the field is `PUBX`-like with 4 behind it. 8 leaves room.
pub const WORD_BYTES_MAX: usize = 8;

/// A talker ID such as `GP`, a proprietary talker such as `PGRM`, or a formatter such as `RMC`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word([u8; WORD_BYTES_MAX]);

/// Who spoke: `GP`, `SD`, `AI`; `P` and the maker's three letters for proprietary sentences.
pub type Talker = Word;

/// What was said: `RMC`, `DBT`, `VDM`; the rest of the address for proprietary sentences.
pub type Formatter = Word;

impl Word {
    /// The word in `bytes`; `None` when it is too long or holds anything but upper-case letters and digits.
    #[inline]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut word = 0_u64;
        let mut sound = bytes.len() <= WORD_BYTES_MAX;
        for byte in bytes.iter().take(WORD_BYTES_MAX) {
            word = word << 8 | u64::from(*byte);
            sound &= byte.is_ascii_uppercase() || byte.is_ascii_digit();
        }
        // To the front, zeros behind: a shift, for the library's copy of a few bytes costs as much as all of this.
        let unused = WORD_BYTES_MAX.saturating_sub(bytes.len());
        sound.then(|| Self((word << (8 * unused.min(WORD_BYTES_MAX - 1))).to_be_bytes()))
    }

    /// The word as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(WORD_BYTES_MAX);
        std::str::from_utf8(&self.0[..end]).unwrap_or("")
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_upper_case_and_short() {
        assert_eq!(Word::new(b"GP").unwrap().to_string(), "GP");
        assert_eq!(Word::new(b"12345678").unwrap().as_str(), "12345678");
        assert_eq!(Word::new(b"123456789"), None);
        assert_eq!(Word::new(b"gp"), None);
        assert_eq!(Word::new(b"").unwrap().as_str(), "");
    }
}
