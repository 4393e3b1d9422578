//! How an input reaches a decoder: its first bytes choose where the rest is cut, and how long a wait each cut is.

/// Bytes of an input that say how it is cut.
pub const SCRIPT_BYTES: usize = 8;

/// Waits before a piece, in milliseconds: none, short ones, and those just beyond the time-outs of the decoders (750 ms
/// of a broadcast, 1,250 ms of a connection, 10 s of an answer owed).
const WAITS_MS: [u64; 8] = [0, 0, 1, 10, 501, 751, 1_251, 10_001];

/// Cuts and waits. Each byte is one piece, in turn: its low three bits choose the wait, the others the length.
#[derive(Clone, Copy, Debug)]
pub struct Script([u8; SCRIPT_BYTES]);

impl Script {
    /// Takes the script off the front of an input; `None` when it is shorter than that.
    pub fn split(input: &[u8]) -> Option<(Self, &[u8])> {
        let (script, rest) = input.split_first_chunk()?;
        Some((Self(*script), rest))
    }

    /// The pieces of `bytes`, each with the time at which it comes. Lengths are 1 to 962 bytes, small ones more often.
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (u64, &'a [u8])> {
        let (script, mut rest, mut mono_ms) = (self.0, bytes, 0);
        (0..).map_while(move |at: usize| {
            let byte = script[at % SCRIPT_BYTES];
            let size = usize::from(byte >> 3);
            let (piece, later) = rest.split_at(rest.len().min(1 + size * size));
            rest = later;
            mono_ms += WAITS_MS[usize::from(byte & 7)];
            (!piece.is_empty()).then_some((mono_ms, piece))
        })
    }

    /// The wait that the low three bits of a byte choose.
    pub const fn wait_ms(byte: u8) -> u64 {
        WAITS_MS[(byte & 7) as usize]
    }
}

/// A text and what follows it: two bytes in front give the text's length, as far as there is so much.
pub fn text_and_rest(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk()?;
    let length = usize::from(u16::from_le_bytes(*length));
    Some(rest.split_at(length.min(rest.len())))
}
