//! The journal block: the readings of one commit as compact rows. Pure functions; the shore uses the same codec.
//!
//! ```text
//! block   = version:u8 unit:u8 count:varint reading*
//! reading = control:u8 [series] [received] [observed] value
//! control   bits 0-2 value tag, 3-4 quality, 5 received as the one before, 6 observed when received,
//!           7 series is the next one
//! series    zigzag varint, from the series before (0 at first)
//! received  zigzag varint, from the reading before (1970 at first), in the block's unit
//! observed  zigzag varint, observed_at - received_at, in the block's unit
//! unit      0: microseconds, 1: milliseconds (when every stamp is a whole one)
//! value     0 absent; 1 f64, 8 bytes little endian; 2 scaled: varint of zigzag(m) * 16 + e, meaning m / 10^e;
//!           3 integer, zigzag varint; 4 false; 5 true; 6 text: length varint, UTF-8;
//!           7 position: form:u8 (bit 0 latitude scaled, bit 1 longitude scaled), latitude, longitude
//! ```
//!
//! A number is scaled only where dividing gives back the same 64 bits; NaN, infinities and -0.0 fail that and go
//! plain. Order is kept: the sequence number of a reading is its place. Series are numbers here; whoever moves a
//! block takes their table along. Decoding any bytes returns: it never panics and never allocates more than
//! [`BLOCK_READINGS_MAX`] readings. There is no check sum inside: it stands beside the block, see
//! [`crc`](super::row::JournalRow).

use std::sync::Arc;

use crate::clock::Stamp;
use crate::reading::{Quality, TEXT_BYTES_MAX, Value};

/// The version that [`encode`] writes.
pub const BLOCK_VERSION: u8 = 1;

/// Readings in one block. Four commits' worth; a decoded one is about 300 KB, the longest encoded one about 1.2 MB.
pub const BLOCK_READINGS_MAX: usize = 4_096;

/// Decimal places tried before a number is stored plain: positions to 1e-7 degrees and two spare. Bounds the time of
/// a try.
const SCALE_MAX: usize = 9;

/// Powers of ten that [`Value::Float`] may be scaled by; 4 bits of exponent. All are exact in an f64 (up to 1e22).
const POWERS_OF_TEN: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A scaled number must stay below: its varint is then at most 8 bytes, what plain would cost.
const SCALED_MAX: f64 = (1u64 << 51) as f64;

/// Microseconds in the milliseconds unit.
const MILLIS: i64 = 1_000;

/// Stamps beyond this are never in milliseconds, so that no sum of two overflows: the years -71,000 to 75,000.
const STAMP_PLAIN_MAX: i64 = i64::MAX / 4;

/// Bits of the control byte.
const QUALITY_SHIFT: u8 = 3;
const SAME_RECEIVED: u8 = 1 << 5;
const OBSERVED_IS_RECEIVED: u8 = 1 << 6;
const NEXT_SERIES: u8 = 1 << 7;

/// Value tags.
const ABSENT: u8 = 0;
const FLOAT: u8 = 1;
const SCALED: u8 = 2;
const INTEGER: u8 = 3;
const FALSE: u8 = 4;
const TRUE: u8 = 5;
const TEXT: u8 = 6;
const POSITION: u8 = 7;

/// A reading on its way into a block.
#[derive(Clone, Copy, Debug)]
pub struct BlockItem<'a> {
    /// Number of its series in the table beside the block.
    pub series: u32,
    /// When it was measured.
    pub observed_at: Stamp,
    /// When it came.
    pub received_at: Stamp,
    /// The value; a text is cut at [`TEXT_BYTES_MAX`].
    pub value: &'a Value,
    /// Whether it can be used.
    pub quality: Quality,
}

/// A reading out of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockReading {
    /// Number of its series in the table beside the block.
    pub series: u32,
    /// When it was measured.
    pub observed_at: Stamp,
    /// When it came.
    pub received_at: Stamp,
    /// The value.
    pub value: Value,
    /// Whether it can be used.
    pub quality: Quality,
}

impl BlockReading {
    /// The same as an item, to encode it again.
    pub fn as_item(&self) -> BlockItem<'_> {
        BlockItem {
            series: self.series,
            observed_at: self.observed_at,
            received_at: self.received_at,
            value: &self.value,
            quality: self.quality,
        }
    }
}

/// Why bytes are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Written by a newer program.
    #[error("block version {0} is not known; this program knows {BLOCK_VERSION}")]
    Version(u8),
    /// It ends too early.
    #[error("block ends in the middle of a reading")]
    Truncated,
    /// It holds more readings than any block may.
    #[error("block of {0} readings; {BLOCK_READINGS_MAX} are the most")]
    TooMany(u64),
    /// A field holds what no encoder writes.
    #[error("block has a wrong {0}")]
    Field(&'static str),
    /// Something stands behind the last reading.
    #[error("block has {0} bytes too many")]
    Trailing(usize),
}

/// Encodes at most [`BLOCK_READINGS_MAX`] readings; the caller splits what is longer.
pub fn encode<'a, I>(items: I) -> Vec<u8>
where
    I: IntoIterator<Item = BlockItem<'a>>,
    I::IntoIter: Clone,
{
    let items = items.into_iter();
    let count = items.clone().count();
    debug_assert!(count <= BLOCK_READINGS_MAX, "the caller splits");
    let in_millis = items.clone().all(|item| whole_millis(item.received_at) && whole_millis(item.observed_at));
    let mut out = Vec::with_capacity(16 + count * 8);
    out.extend([BLOCK_VERSION, u8::from(in_millis)]);
    put_varint(&mut out, count as u64);
    let unit = if in_millis { MILLIS } else { 1 };
    let (mut series, mut received) = (u32::MAX, Stamp(0));
    for item in items {
        encode_one(&mut out, &item, series, received, unit);
        (series, received) = (item.series, item.received_at);
    }
    out
}

fn whole_millis(stamp: Stamp) -> bool {
    stamp.0 % MILLIS == 0 && stamp.0.unsigned_abs() <= STAMP_PLAIN_MAX.unsigned_abs()
}

fn encode_one(out: &mut Vec<u8>, item: &BlockItem<'_>, series_before: u32, received_before: Stamp, unit: i64) {
    let place = out.len();
    out.push(0);
    let mut control = item.quality.code() << QUALITY_SHIFT;
    if item.series == series_before.wrapping_add(1) {
        control |= NEXT_SERIES;
    } else {
        put_varint(out, zigzag(i64::from(item.series) - i64::from(series_before)));
    }
    let received = item.received_at.0.wrapping_sub(received_before.0);
    if received == 0 {
        control |= SAME_RECEIVED;
    } else {
        put_varint(out, zigzag(received / unit));
    }
    let observed = item.observed_at.0.wrapping_sub(item.received_at.0);
    if observed == 0 {
        control |= OBSERVED_IS_RECEIVED;
    } else {
        put_varint(out, zigzag(observed / unit));
    }
    out[place] = control | put_value(out, item.value);
}

/// Writes a value and returns its tag.
fn put_value(out: &mut Vec<u8>, value: &Value) -> u8 {
    match value {
        Value::Absent => ABSENT,
        Value::Float(x) => {
            if put_float(out, *x) {
                SCALED
            } else {
                FLOAT
            }
        }
        Value::Integer(i) => {
            put_varint(out, zigzag(*i));
            INTEGER
        }
        Value::Bool(false) => FALSE,
        Value::Bool(true) => TRUE,
        Value::Text(text) => {
            let Value::Text(text) = Value::text(text) else { return ABSENT };
            put_varint(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
            TEXT
        }
        Value::Position { latitude, longitude } => {
            let place = out.len();
            out.push(0);
            let form = u8::from(put_float(out, *latitude)) | u8::from(put_float(out, *longitude)) << 1;
            out[place] = form;
            POSITION
        }
    }
}

/// Writes a number, scaled where that is exact; returns whether it was scaled.
fn put_float(out: &mut Vec<u8>, x: f64) -> bool {
    match scale(x) {
        Some(code) => {
            put_varint(out, code);
            true
        }
        None => {
            out.extend_from_slice(&x.to_bits().to_le_bytes());
            false
        }
    }
}

/// The code of `x` as a scaled number when that gives back the same bits.
fn scale(x: f64) -> Option<u64> {
    if !x.is_finite() {
        return None;
    }
    for (places, power) in POWERS_OF_TEN.iter().enumerate().take(SCALE_MAX + 1) {
        let scaled = (x * power).round();
        if scaled.abs() >= SCALED_MAX {
            return None;
        }
        // Exact: below 2^51.
        let mantissa = scaled as i64;
        if (mantissa as f64 / power).to_bits() == x.to_bits() {
            return Some(zigzag(mantissa) << 4 | places as u64);
        }
    }
    None
}

fn unscale(code: u64) -> f64 {
    unzigzag(code >> 4) as f64 / POWERS_OF_TEN[(code & 0xF) as usize]
}

/// Decodes a block. Any bytes return.
pub fn decode(bytes: &[u8]) -> Result<Vec<BlockReading>, BlockError> {
    let mut input = Input(bytes);
    let version = input.byte()?;
    if version != BLOCK_VERSION {
        return Err(BlockError::Version(version));
    }
    let unit = match input.byte()? {
        0 => 1,
        1 => MILLIS,
        _ => return Err(BlockError::Field("unit")),
    };
    let count = input.varint()?;
    if count > BLOCK_READINGS_MAX as u64 {
        return Err(BlockError::TooMany(count));
    }
    // A reading is at least its control byte: a short block cannot make a large table.
    if count > input.0.len() as u64 {
        return Err(BlockError::Truncated);
    }
    let mut readings = Vec::with_capacity(count as usize);
    let (mut series, mut received) = (u32::MAX, Stamp(0));
    for _ in 0..count {
        let reading = decode_one(&mut input, series, received, unit)?;
        (series, received) = (reading.series, reading.received_at);
        readings.push(reading);
    }
    if input.0.is_empty() { Ok(readings) } else { Err(BlockError::Trailing(input.0.len())) }
}

fn decode_one(
    input: &mut Input<'_>,
    series_before: u32,
    received_before: Stamp,
    unit: i64,
) -> Result<BlockReading, BlockError> {
    let control = input.byte()?;
    let quality = Quality::from_code(control >> QUALITY_SHIFT & 0b11).ok_or(BlockError::Field("quality"))?;
    let series = if control & NEXT_SERIES != 0 {
        series_before.wrapping_add(1)
    } else {
        let delta = unzigzag(input.varint()?);
        let series = i64::from(series_before).checked_add(delta);
        series.and_then(|n| u32::try_from(n).ok()).ok_or(BlockError::Field("series"))?
    };
    let mut stamp = |flag: u8, base: Stamp| -> Result<Stamp, BlockError> {
        if control & flag != 0 {
            return Ok(base);
        }
        let delta = unzigzag(input.varint()?).wrapping_mul(unit);
        Ok(Stamp(base.0.wrapping_add(delta)))
    };
    let received_at = stamp(SAME_RECEIVED, received_before)?;
    let observed_at = stamp(OBSERVED_IS_RECEIVED, received_at)?;
    let value = input.value(control & 0b111)?;
    Ok(BlockReading { series, observed_at, received_at, value, quality })
}

/// What is left to decode.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, BlockError> {
        let (&first, rest) = self.0.split_first().ok_or(BlockError::Truncated)?;
        self.0 = rest;
        Ok(first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BlockError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BlockError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, BlockError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BlockError::Field("number"))
    }

    fn float(&mut self, scaled: bool) -> Result<f64, BlockError> {
        if scaled {
            return Ok(unscale(self.varint()?));
        }
        let bytes = self.take(8)?;
        Ok(f64::from_bits(u64::from_le_bytes(bytes.try_into().map_err(|_| BlockError::Truncated)?)))
    }

    fn value(&mut self, tag: u8) -> Result<Value, BlockError> {
        Ok(match tag {
            FLOAT => Value::Float(self.float(false)?),
            SCALED => Value::Float(self.float(true)?),
            INTEGER => Value::Integer(unzigzag(self.varint()?)),
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            TEXT => self.text()?,
            POSITION => {
                let form = self.byte()?;
                if form > 0b11 {
                    return Err(BlockError::Field("position"));
                }
                let (latitude, longitude) = (self.float(form & 1 != 0)?, self.float(form & 2 != 0)?);
                Value::Position { latitude, longitude }
            }
            _ => Value::Absent,
        })
    }

    fn text(&mut self) -> Result<Value, BlockError> {
        let length = self.varint()?;
        if length > TEXT_BYTES_MAX as u64 {
            return Err(BlockError::Field("text length"));
        }
        let bytes = self.take(length as usize)?;
        let text = std::str::from_utf8(bytes).map_err(|_| BlockError::Field("text"))?;
        Ok(Value::Text(Arc::from(text)))
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(series: u32, at: i64, value: Value) -> BlockReading {
        BlockReading { series, observed_at: Stamp(at), received_at: Stamp(at), value, quality: Quality::Good }
    }

    fn round_trip(readings: &[BlockReading]) -> Vec<BlockReading> {
        decode(&encode(readings.iter().map(BlockReading::as_item))).unwrap()
    }

    /// Bit for bit: `==` would take -0.0 for 0.0 and refuse NaN.
    fn bits(readings: &[BlockReading]) -> Vec<String> {
        let value = |v: &Value| match v {
            Value::Float(x) => format!("float {:016x}", x.to_bits()),
            Value::Position { latitude, longitude } => {
                format!("position {:016x} {:016x}", latitude.to_bits(), longitude.to_bits())
            }
            other => format!("{other:?}"),
        };
        let all = readings.iter();
        all.map(|r| format!("{} {:?} {:?} {:?} {}", r.series, r.observed_at, r.received_at, r.quality, value(&r.value)))
            .collect()
    }

    #[test]
    fn odd_numbers_come_back_bit_for_bit() {
        let odd = [0.0, -0.0, f64::NAN, -f64::NAN, f64::from_bits(0x7FF0_0000_0000_0001), f64::INFINITY, f64::MIN];
        let more = [f64::MIN_POSITIVE, 5e-324, std::f64::consts::PI, 0.1 + 0.2, 1e15, 2_251_799_813_685_248.0, -12.34];
        let readings: Vec<_> =
            odd.into_iter().chain(more).zip(0..).map(|(x, i)| reading(i, 0, Value::Float(x))).collect();
        assert_eq!(bits(&round_trip(&readings)), bits(&readings));
    }

    #[test]
    fn decimals_are_small_and_binary_fractions_plain() {
        let size = |x| encode([reading(0, 0, Value::Float(x)).as_item()]).len() - encode([]).len() - 1;
        assert_eq!(size(0.0), 1);
        assert_eq!(size(1.25), 2);
        assert_eq!(size(101_325.0), 4);
        assert_eq!(size(59.912_345_6), 5);
        assert_eq!(size(std::f64::consts::PI), 8);
        assert_eq!(size(-0.0), 8);
    }

    #[test]
    fn a_thousand_steady_readings_cost_about_five_bytes_each() {
        let readings: Vec<_> =
            (0..1_000).map(|i| reading(i, 1_793_491_200_000_000, Value::Float(f64::from(i) / 100.0 + 5.0))).collect();
        let bytes = encode(readings.iter().map(BlockReading::as_item)).len();
        assert!(bytes < 5_000, "{bytes} bytes");
    }

    #[test]
    fn bytes_that_are_no_block_are_refused_by_name() {
        assert_eq!(decode(&[]), Err(BlockError::Truncated));
        assert_eq!(decode(&[9, 0, 0]), Err(BlockError::Version(9)));
        assert_eq!(decode(&[1, 2, 0]), Err(BlockError::Field("unit")));
        assert_eq!(decode(&[1, 0, 0xFF, 0xFF, 0x7F]), Err(BlockError::TooMany(2_097_151)));
        assert_eq!(decode(&[1, 0, 5, 0xE0]), Err(BlockError::Truncated));
        assert_eq!(decode(&[1, 0, 0, 7]), Err(BlockError::Trailing(1)));
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        let long = Value::Text("x".repeat(TEXT_BYTES_MAX + 5).into());
        let Value::Text(text) = &round_trip(&[reading(0, 0, long)])[0].value else { panic!("text stays text") };
        assert_eq!(text.len(), TEXT_BYTES_MAX);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(|b| Value::Float(f64::from_bits(b))),
            (any::<i32>(), 0..8usize).prop_map(|(m, e)| Value::Float(f64::from(m) / POWERS_OF_TEN[e])),
            any::<i64>().prop_map(Value::Integer),
            any::<bool>().prop_map(Value::Bool),
            "\\PC{0,40}".prop_map(|t| Value::text(&t)),
            (any::<u64>(), -1_800_000_000i32..1_800_000_000)
                .prop_map(|(a, b)| Value::Position { latitude: f64::from_bits(a), longitude: f64::from(b) / 1e7 }),
            Just(Value::Absent),
        ]
    }

    fn any_stamp() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            1_700_000_000_000_000i64..1_900_000_000_000_000,
            (0i64..1 << 40).prop_map(|ms| ms * 1_000)
        ]
    }

    fn any_reading() -> impl Strategy<Value = BlockReading> {
        (prop_oneof![any::<u32>(), 0u32..50], any_stamp(), any_stamp(), any::<bool>(), any_value(), 0u8..4).prop_map(
            |(series, observed, received, same, value, quality)| BlockReading {
                series,
                observed_at: Stamp(if same { received } else { observed }),
                received_at: Stamp(received),
                value,
                quality: Quality::from_code(quality).unwrap(),
            },
        )
    }

    proptest! {
        #[test]
        fn any_readings_come_back_bit_for_bit(readings in prop::collection::vec(any_reading(), 0..60)) {
            prop_assert_eq!(bits(&round_trip(&readings)), bits(&readings));
        }

        #[test]
        fn any_bytes_return(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
            let headed: Vec<u8> = [1, 0].into_iter().chain(bytes).collect();
            if let Ok(readings) = decode(&headed) {
                prop_assert!(readings.len() <= headed.len());
            }
        }

        #[test]
        fn a_cut_or_bent_block_returns(
            readings in prop::collection::vec(any_reading(), 1..30),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let good = encode(readings.iter().map(BlockReading::as_item));
            let at = at.index(good.len());
            prop_assert!(decode(&good[..at]).is_err(), "a cut block is never whole");
            let mut bent = good;
            bent[at] ^= 1 << bit;
            let _ = decode(&bent);
        }
    }
}
