//! The plan of a message: where each signal stands, and what its bits mean.

use super::units::Si;
use crate::reading::{Quality, Value};

/// Where a raw number stands in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    /// The first byte.
    pub byte: usize,
    /// How many bytes it touches: 1 to 9.
    pub bytes: usize,
    /// Bits below it, once the bytes are one number.
    pub shift: u32,
    /// How many bits: 1 to 64.
    pub width: u32,
    /// Whether the first byte is the most significant (Motorola).
    pub big_endian: bool,
}

impl Bits {
    /// Bits as a DBC places them: `start` is the least significant bit with Intel order, the most significant with
    /// Motorola's, which counts on downwards and from byte to byte. `None` for a width that is not 1 to 64.
    pub fn new(start: u64, width: u64, big_endian: bool) -> Option<Self> {
        let (byte, bit) = (usize::try_from(start / 8).ok()?, (start % 8) as u32);
        let width = u32::try_from(width).ok().filter(|width| (1..=64).contains(width))?;
        // Bits of the first byte that come before the signal.
        let before = if big_endian { 7 - bit } else { bit };
        let bytes = (before + width).div_ceil(8);
        let shift = if big_endian { bytes * 8 - before - width } else { before };
        Some(Self { byte, bytes: bytes as usize, shift, width, big_endian })
    }

    /// The byte behind the last.
    pub const fn end(&self) -> usize {
        self.byte.saturating_add(self.bytes)
    }

    /// The raw bits; `None` where the payload ends before them.
    pub fn read(&self, payload: &[u8]) -> Option<u64> {
        let bytes = payload.get(self.byte..self.end())?;
        let join = |sum: u128, byte: &u8| sum << 8 | u128::from(*byte);
        let whole = if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) };
        Some((whole >> self.shift) as u64 & self.mask())
    }

    /// All bits set.
    pub const fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.width)
    }
}

/// What raw bits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Unsigned,
    Signed,
    Float32,
    Float64,
}

/// Values of a multiplexor, each pair from the first to the second.
pub(super) type Ranges = Vec<(u64, u64)>;

/// A signal is there only while another one, the multiplexor, has one of these values.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub switch: Bits,
    pub ranges: Ranges,
}

/// What a value table says of a raw value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// A word of an enumeration.
    Word(String),
    /// No value: the code of a quantity that means something else than a number.
    NoValue(Quality),
}

/// How one signal is read.
#[derive(Debug)]
pub struct SignalPlan {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) bits: Bits,
    pub(super) number: Number,
    pub(super) factor: f64,
    pub(super) offset: f64,
    /// In the DBC's own unit; `None` where the DBC gives none.
    pub(super) range: Option<(f64, f64)>,
    pub(super) si: Si,
    pub(super) meanings: Vec<(i64, Meaning)>,
    pub(super) conditions: Vec<Condition>,
    /// All bits set mean "not available", as in J1939.
    pub(super) ones_are_absent: bool,
}

impl SignalPlan {
    /// Its name in the DBC.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The unit of its values; empty for none.
    pub const fn unit(&self) -> &'static str {
        self.si.unit
    }

    /// Reads it, in SI. `Ok(None)` where the multiplexor says that it is not there; `Err` where the payload ends before
    /// it.
    pub(super) fn read(&self, payload: &[u8]) -> Result<Option<(Value, Quality)>, Short> {
        for condition in &self.conditions {
            let switch = condition.switch.read(payload).ok_or(Short)?;
            if !condition.ranges.iter().any(|(low, high)| (*low..=*high).contains(&switch)) {
                return Ok(None);
            }
        }
        let raw = self.bits.read(payload).ok_or(Short)?;
        Ok(Some(self.value(raw)))
    }

    fn value(&self, raw: u64) -> (Value, Quality) {
        let signed = self.signed(raw);
        if let Some((_, meaning)) = self.meanings.iter().find(|(code, _)| *code == signed) {
            return match meaning {
                Meaning::Word(word) => (Value::text(word), Quality::Good),
                Meaning::NoValue(quality) => (Value::Absent, *quality),
            };
        }
        if self.ones_are_absent && self.bits.width > 1 && raw == self.bits.mask() {
            return (Value::Absent, Quality::NotAvailable);
        }
        let plain = match self.number {
            Number::Unsigned => raw as f64,
            Number::Signed => signed as f64,
            Number::Float32 => f64::from(f32::from_bits(raw as u32)),
            Number::Float64 => f64::from_bits(raw),
        };
        let physical = plain * self.factor + self.offset;
        if !physical.is_finite() || self.range.is_some_and(|range| self.is_outside(physical, range)) {
            return (Value::Absent, Quality::OutOfRange);
        }
        if !self.is_count() {
            return (Value::Float(physical * self.si.scale + self.si.offset), Quality::Good);
        }
        match (self.bits.width, i64::try_from(raw)) {
            (1, _) => (Value::Bool(raw == 1), Quality::Good),
            (_, Err(_)) if self.number == Number::Unsigned => (Value::Float(plain), Quality::Good),
            _ => (Value::Integer(signed), Quality::Good),
        }
    }

    /// A whole number without a unit: a count, a state.
    fn is_count(&self) -> bool {
        let is_whole = matches!(self.number, Number::Unsigned | Number::Signed);
        is_whole && self.factor == 1.0 && self.offset == 0.0 && self.si.unit.is_empty()
    }

    /// Half a step of slack: 65,535 steps of 0.1 are a little more than 6553.5.
    fn is_outside(&self, physical: f64, (low, high): (f64, f64)) -> bool {
        let slack = self.factor.abs() / 2.0;
        physical < low - slack || physical > high + slack
    }

    fn signed(&self, raw: u64) -> i64 {
        let unused = 64 - self.bits.width;
        if self.number == Number::Signed { (raw << unused).cast_signed() >> unused } else { raw.cast_signed() }
    }
}

/// The payload ends before the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short;

/// How one message is read.
#[derive(Debug)]
pub struct MessagePlan {
    pub(super) name: String,
    pub(super) signals: Vec<SignalPlan>,
}

impl MessagePlan {
    /// Its name in the DBC.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its signals, in the order of the DBC.
    pub fn signals(&self) -> &[SignalPlan] {
        &self.signals
    }

    /// Every signal that is in `payload`, with its value in SI.
    pub fn read<'a>(&'a self, payload: &'a [u8]) -> impl Iterator<Item = (&'a SignalPlan, Value, Quality)> {
        self.signals.iter().filter_map(|signal| {
            let (value, quality) = signal.read(payload).ok().flatten()?;
            Some((signal, value, quality))
        })
    }
}
