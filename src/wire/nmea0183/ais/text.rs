//! Six-bit text (ITU-R M.1371-5, table 47).

use super::bits::Bits;
use crate::reading::{TEXT_BYTES_MAX, Value};
use crate::wire::Emit;

/// A text on its way to a value: on the stack, for most messages that carry one carry three.
#[derive(Debug)]
pub struct SixBitText {
    characters: [u8; TEXT_BYTES_MAX],
    length: usize,
    /// `@` was met: nothing follows.
    over: bool,
}

impl SixBitText {
    /// The text in the bits from `from` to `end`. `@` ends it (3.3.7); what does not fit is cut.
    pub fn read(bits: &Bits<'_>, from: usize, end: usize) -> Self {
        Self { characters: [0; TEXT_BYTES_MAX], length: 0, over: false }.and(bits, from, end)
    }

    /// More of the same text, which stands elsewhere.
    pub fn and(mut self, bits: &Bits<'_>, from: usize, end: usize) -> Self {
        let mut at = from;
        while !self.over && at + 6 <= end.min(bits.count()) && self.length < TEXT_BYTES_MAX {
            let code = bits.unsigned(at, 6) as u8;
            self.over = code == 0;
            if !self.over {
                self.characters[self.length] = if code < 32 { code + 64 } else { code };
                self.length += 1;
            }
            at += 6;
        }
        self
    }

    /// Without the blanks around it.
    pub fn trimmed(&self) -> &str {
        std::str::from_utf8(&self.characters[..self.length]).unwrap_or("").trim()
    }

    /// A reading of it, unless it is empty.
    pub fn emit(&self, path: &'static str, emit: &mut Emit<'_>) {
        let text = self.trimmed();
        if !text.is_empty() {
            emit.good(path, Value::text(text));
        }
    }
}

/// A reading of the text in these bits, unless it is empty.
pub fn emit(path: &'static str, bits: &Bits<'_>, from: usize, end: usize, emit: &mut Emit<'_>) {
    SixBitText::read(bits, from, end).emit(path, emit);
}
