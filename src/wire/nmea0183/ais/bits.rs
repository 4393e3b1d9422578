//! The six-bit armour of AIS payloads and the numbers inside (ITU-R M.1371-5; IEC 61162-1, table of six-bit fields).

/// An unpacked payload.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Bits<'a> {
    /// Unpacks `payload` into `bytes`; `None` when it is empty or holds a character outside the armour.
    pub fn unpack(payload: &[u8], fill: u8, bytes: &'a mut Vec<u8>) -> Option<Self> {
        bytes.clear();
        let count = (payload.len() * 6).checked_sub(usize::from(fill))?;
        for four in payload.chunks(4) {
            let mut word = 0_u32;
            for at in 0..4 {
                word = word << 6 | four.get(at).map_or(Some(0), |c| six_bits(*c))?;
            }
            let [_, high, middle, low] = word.to_be_bytes();
            bytes.extend_from_slice(&[high, middle, low]);
        }
        bytes.truncate(count.div_ceil(8));
        // Filling bits are no data, whatever they hold.
        if let (Some(last), over @ 1..) = (bytes.last_mut(), count % 8) {
            *last &= 0xFF << (8 - over);
        }
        (count > 0).then_some(Self { bytes, count })
    }

    /// How many bits there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// All bits, the last byte filled with zeros.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// `width` bits from `at` on, at most 32, as an unsigned number; zeros beyond the end.
    pub fn unsigned(&self, at: usize, width: usize) -> u32 {
        let start = at / 8;
        let window = (start..start + 5).fold(0_u64, |w, i| w << 8 | u64::from(self.bytes.get(i).copied().unwrap_or(0)));
        let shifted = window >> (40 - at % 8 - width);
        u32::try_from(shifted & ((1 << width) - 1)).unwrap_or(0)
    }

    /// The same as a signed number in two's complement.
    pub fn signed(&self, at: usize, width: usize) -> i32 {
        let unused = 32 - width;
        ((self.unsigned(at, width) << unused).cast_signed()) >> unused
    }
}

const fn six_bits(character: u8) -> Option<u32> {
    match character {
        48..=87 => Some((character - 48) as u32),
        96..=119 => Some((character - 56) as u32),
        _ => None,
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
        assert_eq!((bits.count(), bits.bytes()), (12, &[0b0010_0111, 0b1001_0000][..]));
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
            prop_assert_eq!(bits.bytes(), &theirs[..bits.bytes().len()]);
        }

        #[test]
        fn any_bit_range_is_read(payload in "[0-W`-w]{1,80}", at in 0usize..600, width in 1usize..=32) {
            let mut bytes = Vec::new();
            let bits = Bits::unpack(payload.as_bytes(), 0, &mut bytes).unwrap();
            let slow = (at..at + width).fold(0_u64, |n, i| {
                n << 1 | u64::from(bits.bytes().get(i / 8).is_some_and(|b| b >> (7 - i % 8) & 1 == 1))
            });
            prop_assert_eq!(u64::from(bits.unsigned(at, width)), slow);
        }
    }
}
