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

impl Default for SixBitText {
    fn default() -> Self {
        Self { characters: [0; TEXT_BYTES_MAX], length: 0, over: false }
    }
}

impl SixBitText {
    /// Takes the text in the bits from `from` to `end`, behind what it has. `@` ends it (3.3.7); what does not fit is
    /// cut.
    pub fn add(&mut self, bits: &Bits<'_>, from: usize, end: usize) {
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
    let mut text = SixBitText::default();
    text.add(bits, from, end);
    text.emit(path, emit);
}
