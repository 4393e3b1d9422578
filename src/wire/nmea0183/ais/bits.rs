//! The six-bit armour of AIS payloads and the numbers inside (ITU-R M.1371-5; IEC 61162-1, table of six-bit fields).

use crate::wire::nmea0183::lanes::{self, LANES};

/// Zeros behind the payload, so that a number at its end is read as any other.
const PADDING_BYTES: usize = 8;

/// An unpacked payload.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a> {
    /// The payload, the last byte filled with zeros, and the padding.
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Bits<'a> {
    /// Unpacks `payload` into `bytes`; `None` when it is empty or holds a character outside the armour.
    pub fn unpack(payload: &[u8], fill: u8, bytes: &'a mut Vec<u8>) -> Option<Self> {
        let count = (payload.len() * 6).checked_sub(usize::from(fill)).filter(|count| *count > 0)?;
        bytes.clear();
        bytes.reserve(payload.len() + PADDING_BYTES);
        let (words, rest) = payload.as_chunks();
        let mut last = [b'0'; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last]) {
            let bits = lanes::six_bits(u64::from_le_bytes(*word))?;
            bytes.extend_from_slice(&bits.to_be_bytes()[2..]);
        }
        bytes.truncate(count.div_ceil(8));
        // Filling bits are no data, whatever they hold.
        if let (Some(last), over @ 1..) = (bytes.last_mut(), count % 8) {
            *last &= 0xFF << (8 - over);
        }
        bytes.resize(bytes.len() + PADDING_BYTES, 0);
        Some(Self { bytes, count })
    }

    /// How many bits there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// `width` bits from `at` on, at most 32, as an unsigned number; zeros beyond the end.
    #[allow(clippy::cast_possible_truncation, reason = "at most 32 bits are left")]
    pub fn unsigned(&self, at: usize, width: usize) -> u32 {
        let window = self.bytes.get(at / 8..).and_then(|bytes| bytes.first_chunk::<8>());
        let Some(window) = window.map(|bytes| u64::from_be_bytes(*bytes)) else { return 0 };
        (window << (at % 8) >> (64 - width)) as u32
    }

    /// The same as a signed number in two's complement.
    pub fn signed(&self, at: usize, width: usize) -> i32 {
        let unused = 32 - width;
        ((self.unsigned(at, width) << unused).cast_signed()) >> unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_armour_is_taken_off() {
        let mut bytes = Vec::new();
        let bits = Bits::unpack(b"9q", 0, &mut bytes).unwrap();
        assert_eq!((bits.count(), &bits.bytes[..2]), (12, &[0b0010_0111, 0b1001_0000][..]));
        assert_eq!((bits.unsigned(0, 6), bits.unsigned(6, 6), bits.signed(6, 6)), (9, 57, -7));
        assert!(Bits::unpack(b"9X", 0, &mut Vec::new()).is_none(), "X is not in the armour");
        assert!(Bits::unpack(b"", 0, &mut Vec::new()).is_none());
        assert!(Bits::unpack(b"", 5, &mut Vec::new()).is_none());
    }

    proptest! {
        #[test]
        fn unpacking_agrees_with_the_crate(payload in "[0-W`-w]{1,80}", fill in 0u8..6) {
            let mut bytes = Vec::new();
            let bits = Bits::unpack(payload.as_bytes(), fill, &mut bytes).unwrap();
            let theirs = ::ais::messages::unarmor(payload.as_bytes(), usize::from(fill)).unwrap();
            let length = bits.bytes.len() - PADDING_BYTES;
            prop_assert_eq!(&bits.bytes[..length], &theirs[..length]);
        }

        #[test]
        fn any_bit_range_is_read(payload in "[0-W`-w]{1,80}", at in 0usize..600, width in 1usize..=32) {
            let mut bytes = Vec::new();
            let bits = Bits::unpack(payload.as_bytes(), 0, &mut bytes).unwrap();
            let slow = (at..at + width).fold(0_u64, |n, i| {
                n << 1 | u64::from(bits.bytes.get(i / 8).is_some_and(|b| b >> (7 - i % 8) & 1 == 1))
            });
            prop_assert_eq!(u64::from(bits.unsigned(at, width)), slow);
        }
    }
}
