//! Numbers as IEC 61162-1 writes them: fixed point, no exponent, no words. It refuses everything else.
//!
//! Digits are gathered into one integer and divided once by a power of ten, which rounds once and so gives the very
//! bits that `str::parse::<f64>` gives, without its cost.

use super::lanes::{self, LANES};

/// The longest number read. IEC 61162-1 sentences hold 82 characters; the longest numbers in the field have 16 digits.
pub const NUMBER_BYTES_MAX: usize = 24;

/// Digits that one integer below 2^53 always holds; beyond them the slow, exact way is taken.
const EXACT_DIGITS_MAX: usize = 15;

/// Powers of ten that an f64 holds exactly, as far as [`EXACT_DIGITS_MAX`] needs them.
const POWERS_OF_TEN: [f64; EXACT_DIGITS_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A field that is not what its place says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A decimal as it stands in the sentence: `mantissa / 10^places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    mantissa: u64,
    places: usize,
}

impl Decimal {
    /// Reads a decimal of at most [`EXACT_DIGITS_MAX`] digits; `None` when it is longer.
    fn read(text: &[u8]) -> Result<Option<Self>, Malformed> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            // Not in the standard, but transmitting heading devices do send `+000.05` (ROT).
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (mut mantissa, mut count, mut places, mut point) = (0_u64, 0_usize, 0_usize, false);
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                    count += 1;
                    places += usize::from(point);
                }
                b'.' if !point => point = true,
                _ => return Err(Malformed),
            }
        }
        if count == 0 || text.len() > NUMBER_BYTES_MAX {
            return Err(Malformed);
        }
        Ok((count <= EXACT_DIGITS_MAX).then_some(Self { negative, mantissa, places }))
    }

    #[allow(clippy::cast_precision_loss, reason = "below 10^15 every integer is an f64")]
    fn value(self) -> f64 {
        let size = self.mantissa as f64 / POWERS_OF_TEN[self.places];
        if self.negative { -size } else { size }
    }
}

/// The number in the first `length` characters of `word`, one at least: digits, perhaps a point, perhaps a minus.
/// `None` where they are anything else or more than eight, and [`number`] must say what.
///
/// Digits are weighed by three multiplications instead of one after the other: how many there are need not be foreseen.
#[inline]
pub fn short(word: u64, length: usize) -> Option<f64> {
    let sign = usize::from(word & 0xFF == u64::from(b'-'));
    let length = length - sign;
    if !(1..=LANES - sign).contains(&length) {
        return None;
    }
    // To the top lanes: what stands behind them falls off, and the last digit always stands in the same place.
    let text = word >> (8 * sign) << (8 * (LANES - length));
    let point = lanes::equal(text, b'.');
    let (digits, places) = if point == 0 {
        (text, 0)
    } else {
        let whole = text & ((point >> 7) - 1);
        let decimals = text & !(point << 1).wrapping_sub(1);
        (whole << 8 | decimals, point.leading_zeros() as usize / 8)
    };
    let count = length - usize::from(point != 0);
    // The free lanes in front take zeros; a second point is no digit.
    let digits = digits | lanes::all(b'0').checked_shr(8 * count as u32).unwrap_or(0);
    let mantissa = lanes::decimal(digits).filter(|_| count > 0)?;
    let size = f64::from(mantissa) / POWERS_OF_TEN[places];
    Some(if sign == 1 { -size } else { size })
}

/// The number in a field; `None` when the field is blank.
pub fn number(field: &[u8]) -> Result<Option<f64>, Malformed> {
    let text = field.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    match Decimal::read(text)? {
        Some(decimal) => Ok(Some(decimal.value())),
        None => slow(text).map(Some),
    }
}

/// The exact value of a longer number, whose form [`Decimal::read`] has checked.
fn slow(text: &[u8]) -> Result<f64, Malformed> {
    std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(Malformed)
}

/// A whole number of at most nine digits in a field; `None` when the field is blank.
pub fn whole(field: &[u8]) -> Result<Option<u32>, Malformed> {
    const DIGITS_MAX: usize = 9;
    let text = field.trim_ascii();
    if text.len() > DIGITS_MAX || !text.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    Ok((!text.is_empty()).then(|| text.iter().fold(0, |sum, d| sum * 10 + u32::from(d - b'0'))))
}

/// Degrees from a field of `length` characters, of which `word` gives eight from any place on: three to five digits, a
/// point, one to eight decimals. `None` where it is anything else, and [`degrees`] must say what.
#[inline]
pub fn usual_degrees(length: usize, word: impl Fn(usize) -> Option<u64>) -> Option<f64> {
    let front = word(0)?;
    let point = lanes::first(lanes::equal(front, b'.'));
    let places = length.checked_sub(point + 1).filter(|places| (1..=LANES).contains(places))?;
    let whole = (3..=5).contains(&point).then(|| lanes::leading(front, point))??;
    let decimals = lanes::leading(word(point + 1)?, places)?;
    Some(minutes_as_degrees(
        u64::from(whole / 100),
        u64::from(whole % 100) * UNITS[places] + u64::from(decimals),
        places,
    ))
}

/// Degrees from `dddmm.mmmm`, rounded once; `None` when the field is blank. Minutes of 60 and more give `NaN`, which is
/// out of every range.
pub fn degrees(field: &[u8]) -> Result<Option<f64>, Malformed> {
    let text = field.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    if matches!(text[0], b'-' | b'+') {
        return Err(Malformed);
    }
    Ok(Some(match Decimal::read(text)? {
        Some(decimal) => decimal.degrees(),
        None => {
            let all = slow(text)?;
            let whole = (all / 100.0).floor();
            degrees_and_minutes(whole, all - whole * 100.0)
        }
    }))
}

impl Decimal {
    fn degrees(self) -> f64 {
        let unit = 100 * UNITS[self.places];
        minutes_as_degrees(self.mantissa / unit, self.mantissa % unit, self.places)
    }
}

/// Degrees and minutes, these in units of their last place: one exact integer over one exact integer.
#[allow(clippy::cast_precision_loss, reason = "below 10^15 every integer is an f64")]
#[inline]
fn minutes_as_degrees(degrees: u64, minutes: u64, places: usize) -> f64 {
    let degree = 60 * UNITS[places];
    if minutes >= degree {
        return f64::NAN;
    }
    (degrees * degree + minutes) as i64 as f64 / degree as i64 as f64
}

fn degrees_and_minutes(degrees: f64, minutes: f64) -> f64 {
    if minutes >= 60.0 { f64::NAN } else { degrees + minutes / 60.0 }
}

/// The same as integers.
const UNITS: [u64; EXACT_DIGITS_MAX + 1] = units();

const fn units() -> [u64; EXACT_DIGITS_MAX + 1] {
    let mut units = [1; EXACT_DIGITS_MAX + 1];
    let mut at = 1;
    while at < units.len() {
        units[at] = units[at - 1] * 10;
        at += 1;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_fixed_point_is_a_number() {
        assert_eq!(number(b"012.340"), Ok(Some(12.34)));
        assert_eq!(number(b"-.5"), Ok(Some(-0.5)));
        assert_eq!(number(b"7."), Ok(Some(7.0)));
        assert_eq!(number(b" 7.1 "), Ok(Some(7.1)));
        assert_eq!(number(b"+000.05"), Ok(Some(0.05)));
        assert_eq!(number(b"  "), Ok(None));
        let bad: [&[u8]; 12] = [
            b"NaN",
            b"inf",
            b"1e3",
            b"1.2.3",
            b"-",
            b".",
            b"+",
            b"--1",
            b"0x10",
            b"1,2",
            b"1 2",
            b"0000000000000000000000001",
        ];
        bad.iter().for_each(|text| assert_eq!(number(text), Err(Malformed), "{:?}", String::from_utf8_lossy(text)));
    }

    #[test]
    fn degrees_and_minutes_make_degrees() {
        assert_eq!(degrees(b"4807.038"), Ok(Some(48.0 + 7.038 / 60.0)));
        assert_eq!(degrees(b"01131.000"), Ok(Some(11.0 + 31.0 / 60.0)));
        assert_eq!(degrees(b"00000.0000"), Ok(Some(0.0)));
        assert_eq!(degrees(b""), Ok(None));
        assert_eq!(degrees(b"-4807.038"), Err(Malformed));
        assert!(degrees(b"4860.000").unwrap().unwrap().is_nan());
        assert!((degrees(b"5327.0394212345678").unwrap().unwrap() - 53.450_657_020_576_13).abs() < 1e-13);
    }

    #[test]
    fn whole_numbers_are_digits_only() {
        assert_eq!(whole(b"08"), Ok(Some(8)));
        assert_eq!(whole(b""), Ok(None));
        assert_eq!(whole(b"1.0"), Err(Malformed));
        assert_eq!(whole(b"-1"), Err(Malformed));
        assert_eq!(whole(b"1234567890"), Err(Malformed));
    }

    proptest! {
        /// A field of a sentence is read eight characters at a time where it can be; here it always can.
        #[test]
        fn the_short_way_gives_the_bits_of_the_long_one(text in "[-+]?[0-9.]{1,9}|[0-9]{2,6}\\.[0-9]{0,9}|[ -~]{1,9}") {
            let word = |from: usize| {
                let following = [&text.as_bytes()[from.min(text.len())..], b",12.5,N,"].concat();
                following.first_chunk().map(|word| u64::from_le_bytes(*word))
            };
            if let Some(short) = short(word(0).unwrap(), text.len()) {
                prop_assert_eq!(number(text.as_bytes()).unwrap().map(f64::to_bits), Some(short.to_bits()));
            }
            if let Some(usual) = usual_degrees(text.len(), word) {
                prop_assert_eq!(degrees(text.as_bytes()).unwrap().map(f64::to_bits), Some(usual.to_bits()));
            }
        }

        #[test]
        fn the_fast_way_gives_the_bits_of_the_standard_library(text in "-?[0-9]{1,12}(\\.[0-9]{0,10})?") {
            let expected = text.parse::<f64>().unwrap();
            match number(text.as_bytes()) {
                Ok(Some(value)) => prop_assert_eq!(value.to_bits(), expected.to_bits()),
                other => prop_assert!(text.len() > NUMBER_BYTES_MAX, "{:?}", other),
            }
        }

        #[test]
        fn any_bytes_return(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (number(&bytes), whole(&bytes), degrees(&bytes));
        }
    }
}
