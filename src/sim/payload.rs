//! Writes the payload of a PGN field by field, least significant bit first, and counts the values put in. It refuses to
//! know what a field means.
//!
//! Source: SAE J1939-71, 5.1 (byte order, "not available" as all ones); NMEA 2000 fields of PGNs as canboat documents
//! them (order, width, resolution).

use super::packet::Count;

/// Most bits of one field.
const FIELD_BITS_MAX: u32 = 64;

/// A payload that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payload {
    bytes: Vec<u8>,
    /// Bits used of the last byte; 0: all.
    bits: u32,
    count: Count,
    fields: Vec<Field>,
}

/// Where a value stands in a payload: what a fault can take away without touching what the message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    first_bit: usize,
    width: u32,
    signed: bool,
}

impl Field {
    /// Writes the code that this field holds when all is well but the value: `below` 0 is "not available", the largest
    /// number; 1 is "out of range", the one below.
    pub(crate) fn mark(self, payload: &mut [u8], below: u64) {
        let code = (u64::MAX >> (FIELD_BITS_MAX - self.width) >> u32::from(self.signed)) - below;
        for bit in 0..self.width {
            let at = self.first_bit + bit as usize;
            if let Some(byte) = payload.get_mut(at / 8) {
                let mask = 1 << (at % 8);
                *byte = if code >> bit & 1 == 1 { *byte | mask } else { *byte & !mask };
            }
        }
    }

    /// The first bit of its most significant byte, where J1939 has its codes.
    pub(crate) fn top_byte(self) -> Self {
        let width = self.width.min(8);
        Self { first_bit: self.first_bit + (self.width - width) as usize, width, signed: false }
    }
}

impl Payload {
    /// `width` low bits of `value`: a part of a value, an instance, a sequence number; no reading of its own.
    pub(crate) fn part(mut self, value: u64, width: u32) -> Self {
        for bit in 0..width.min(FIELD_BITS_MAX) {
            if self.bits == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << self.bits;
            }
            self.bits = (self.bits + 1) % 8;
        }
        self
    }

    /// `value` in steps of `resolution`; must become one reading.
    pub(crate) fn value(self, value: f64, resolution: f64, width: u32) -> Self {
        self.holds(1).field(value, resolution, width, false)
    }

    /// The same in two's complement.
    pub(crate) fn signed(self, value: f64, resolution: f64, width: u32) -> Self {
        self.holds(1).field(value, resolution, width, true)
    }

    /// The same, and no reading of its own: the second field of a value.
    pub(crate) fn second(self, value: f64, resolution: f64, width: u32) -> Self {
        self.field(value, resolution, width, true)
    }

    fn field(mut self, value: f64, resolution: f64, width: u32, signed: bool) -> Self {
        let used = if self.bits == 0 { 8 } else { self.bits as usize };
        let first_bit = (self.bytes.len() * 8 + used).saturating_sub(8);
        self.fields.push(Field { first_bit, width, signed });
        // Saturates at the integer's bounds; no field is that large.
        self.part((value / resolution).round() as i64 as u64, width)
    }

    /// "Not available" in an unsigned field, a reserved field: all ones.
    pub(crate) fn absent(self, width: u32) -> Self {
        self.part(u64::MAX, width)
    }

    /// "Not available" in a signed field of NMEA 2000: the largest number.
    pub(crate) fn absent_signed(self, width: u32) -> Self {
        self.part(u64::MAX >> 1 >> (FIELD_BITS_MAX - width), width)
    }

    /// Text of exactly `bytes` bytes, filled with `fill`.
    pub(crate) fn text(self, text: &str, bytes: usize, fill: u8) -> Self {
        let filled = text.bytes().chain(std::iter::repeat(fill)).take(bytes);
        filled.fold(self, |this, byte| this.part(u64::from(byte), 8))
    }

    /// Values that the fields hold in another form.
    pub(crate) const fn holds(mut self, readings: u32) -> Self {
        self.count.readings += readings;
        self
    }

    /// Readings that a listener may make of it, or not.
    pub(crate) const fn maybe(mut self, readings: u32) -> Self {
        self.count.maybe += readings;
        self
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes, how many readings must come of them, and where the values stand.
    pub(crate) fn end(self) -> (Vec<u8>, Count, Vec<Field>) {
        (self.bytes, self.count, self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_little_endian_and_bits_fill_from_the_low_end() {
        let (bytes, count, _) = Payload::default()
            .part(7, 8)
            .value(1.0, 0.0001, 16)
            .part(1, 2)
            .absent(6)
            .signed(-1.0, 1.0, 16)
            .absent_signed(16)
            .absent_signed(32)
            .text("AB", 3, 0xFF)
            .end();
        assert_eq!(bytes[..8], [7, 0x10, 0x27, 0b1111_1101, 0xFF, 0xFF, 0xFF, 0x7F]);
        assert_eq!(bytes[8..], [0xFF, 0xFF, 0xFF, 0x7F, b'A', b'B', 0xFF]);
        assert_eq!(count.readings, 2);
    }

    #[test]
    fn a_value_is_taken_away_and_what_stands_about_it_stays() {
        let payload = Payload::default().part(7, 8).part(5, 4).value(1.0, 1.0, 4).signed(2.0, 1.0, 16).part(9, 8);
        let (mut bytes, _, fields) = payload.end();
        fields.iter().for_each(|field| field.mark(&mut bytes, 0));
        assert_eq!(bytes, [7, 0xF5, 0xFF, 0x7F, 9]);
        fields.iter().for_each(|field| field.mark(&mut bytes, 1));
        assert_eq!(bytes, [7, 0xE5, 0xFE, 0x7F, 9]);
        fields[1].top_byte().mark(&mut bytes, 1);
        assert_eq!(bytes, [7, 0xE5, 0xFE, 0xFE, 9]);
    }
}
