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

    /// `value` in steps of `resolution`, two's complement where it is negative; no reading of its own.
    pub(crate) fn scaled(self, value: f64, resolution: f64, width: u32) -> Self {
        // Saturates at the integer's bounds; no field is that large.
        self.part((value / resolution).round() as i64 as u64, width)
    }

    /// The same; must become one reading.
    pub(crate) fn value(self, value: f64, resolution: f64, width: u32) -> Self {
        self.holds(1).scaled(value, resolution, width)
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

    /// The bytes, and how many readings must come of them.
    pub(crate) fn end(self) -> (Vec<u8>, Count) {
        (self.bytes, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_little_endian_and_bits_fill_from_the_low_end() {
        let (bytes, count) = Payload::default()
            .part(7, 8)
            .value(1.0, 0.0001, 16)
            .part(1, 2)
            .absent(6)
            .value(-1.0, 1.0, 16)
            .absent_signed(16)
            .absent_signed(32)
            .text("AB", 3, 0xFF)
            .end();
        assert_eq!(bytes[..8], [7, 0x10, 0x27, 0b1111_1101, 0xFF, 0xFF, 0xFF, 0x7F]);
        assert_eq!(bytes[8..], [0xFF, 0xFF, 0xFF, 0x7F, b'A', b'B', 0xFF]);
        assert_eq!(count.readings, 2);
    }
}
