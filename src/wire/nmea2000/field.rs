//! One field of a PGN: where its bits stand and what they mean, compiled from canboat's database.
//!
//! canboat decodes a whole message into a vector of fields with their names. A gateway wants three of them, so this
//! reads those alone. A test holds each field against canboat's own decoder, for every mapped PGN and any payload.

use canboat::Database;
use canboat::schema::{FieldInfo, FieldType, LookupValue};

use crate::reading::Quality;

/// What a field of a message turned out to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The bits, sign extended.
    Good(i64),
    /// The sender has no value, or the message ends before it.
    NotAvailable,
    /// The pattern for out of range, a reserved one, or a number that the field cannot mean.
    OutOfRange,
}

/// A field at a fixed place.
#[derive(Clone, Debug)]
pub struct Field {
    byte: usize,
    shift: u32,
    bits: u32,
    /// Bytes that the field touches from `byte` on.
    bytes: usize,
    signed: bool,
    resolution: f64,
    offset: f64,
    /// Patterns from here on, without sign, may be no value.
    special_from: u64,
    special: Vec<(u64, Quality)>,
    /// Values below this are out of range.
    lowest: i64,
    /// Of an enumeration's codes.
    names: &'static [LookupValue],
    /// An enumeration: above this, a code without a name is not available.
    unnamed_from: u64,
    zero_is_none: bool,
}

impl Field {
    /// The field of canboat's database; `None` when it has no fixed place or more than 64 bits across its bytes.
    pub fn compile(info: &FieldInfo, db: &'static Database) -> Option<Self> {
        let (at, bits) = (info.bit_offset?, info.bit_length.filter(|bits| (1..=64).contains(bits))?);
        let (byte, shift) = ((at / 8) as usize, at % 8);
        if shift + bits > 64 {
            return None;
        }
        let kind = info.field_type?;
        let number = matches!(kind, FieldType::Number | FieldType::FieldIndex);
        let offset = if number { info.offset.unwrap_or(0) } else { 0 };
        let signed = info.signed.unwrap_or(false) && offset == 0;
        let mut field = Self {
            byte,
            shift,
            bits,
            bytes: (shift + bits).div_ceil(8) as usize,
            signed,
            resolution: info.resolution.unwrap_or(1.0),
            offset: offset as f64 + info.unit_offset,
            special_from: u64::MAX,
            special: Vec::new(),
            lowest: i64::MIN,
            names: &[],
            unnamed_from: u64::MAX,
            zero_is_none: kind == FieldType::Mmsi,
        };
        if kind != FieldType::Mmsi && kind != FieldType::BitLookup {
            field.declared(info);
        }
        if (number && !signed) || kind == FieldType::Mmsi {
            field.derived(info);
        }
        if number && signed {
            field.lowest = lowest(info);
        }
        if kind == FieldType::Lookup {
            field.names = info.lookup_enumeration.and_then(|name| db.lookup(name)).map_or(&[], |table| table.values);
            // The top value of 2 bits, the top two of more, are reserved wherever nothing names them.
            field.unnamed_from = if bits > 1 { field.highest() - if bits > 2 { 2 } else { 1 } } else { u64::MAX };
            field.special_from = field.special_from.min(field.unnamed_from);
        }
        Some(field)
    }

    /// The patterns that the database declares.
    fn declared(&mut self, info: &FieldInfo) {
        let declared = [
            (info.unknown_value, Quality::NotAvailable),
            (info.out_of_range_value, Quality::OutOfRange),
            (info.reserved_value, Quality::OutOfRange),
        ];
        self.special.extend(declared.into_iter().filter_map(|(pattern, quality)| Some((pattern?, quality))));
        self.special_from = self.special.iter().map(|(pattern, _)| *pattern).min().unwrap_or(u64::MAX);
    }

    /// The top patterns that a range below what the bits can hold reserves: 3 from 8 bits on, 2 from 4, 1 from 2.
    fn derived(&mut self, info: &FieldInfo) {
        let Some(range_max) = info.range_max.filter(|max| max.is_finite()) else { return };
        let highest = self.highest();
        let top = (range_max - self.offset) / self.resolution + 0.5;
        if self.bits >= 64 || self.resolution <= 0.0 || top < 0.0 || top as u64 >= highest {
            return;
        }
        let by_size = match self.bits {
            8.. => 3,
            4..=7 => 2,
            2..=3 => 1,
            _ => 0,
        };
        for below in 0..by_size.min(highest - top as u64) {
            let quality = if below == 0 { Quality::NotAvailable } else { Quality::OutOfRange };
            self.special.push((highest - below, quality));
            self.special_from = self.special_from.min(highest - below);
        }
    }

    /// Where the field ends, in bytes.
    pub const fn end(&self) -> usize {
        self.byte + self.bytes
    }

    const fn highest(&self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The bits without sign; `None` when the message ends before or inside them.
    #[inline]
    pub fn pattern(&self, payload: &[u8]) -> Option<u64> {
        let rest = payload.get(self.byte..)?;
        let window = if let Some(window) = rest.first_chunk::<8>() {
            u64::from_le_bytes(*window)
        } else if rest.len() >= self.bytes {
            rest.iter().rev().fold(0, |window, byte| window << 8 | u64::from(*byte))
        } else {
            return None;
        };
        Some(window >> self.shift & self.highest())
    }

    /// What the field holds.
    #[inline]
    pub fn read(&self, payload: &[u8]) -> Found {
        let Some(pattern) = self.pattern(payload) else { return Found::NotAvailable };
        if pattern >= self.special_from
            && let Some(found) = self.special(pattern)
        {
            return found;
        }
        let unused = 64 - self.bits;
        let value = if self.signed { (pattern << unused).cast_signed() >> unused } else { pattern.cast_signed() };
        if value < self.lowest {
            return Found::OutOfRange;
        }
        if self.zero_is_none && value == 0 { Found::NotAvailable } else { Found::Good(value) }
    }

    #[cold]
    fn special(&self, pattern: u64) -> Option<Found> {
        if self.name(pattern).is_some() {
            return None;
        }
        match self.special.iter().find(|(special, _)| *special == pattern) {
            Some((_, Quality::NotAvailable)) => Some(Found::NotAvailable),
            Some(_) => Some(Found::OutOfRange),
            None => (pattern >= self.unnamed_from).then_some(Found::NotAvailable),
        }
    }

    /// A field's value in the database's unit, SI.
    #[inline]
    pub fn scale(&self, value: i64) -> f64 {
        value as f64 * self.resolution + self.offset
    }

    /// canboat's name of an enumeration's code.
    pub fn name(&self, code: u64) -> Option<&'static str> {
        self.names.iter().find(|known| known.value == code).map(|known| known.name)
    }
}

/// The lowest value that a signed field can mean, as canboat rounds it.
fn lowest(info: &FieldInfo) -> i64 {
    let resolution = info.resolution.unwrap_or(1.0);
    let lowest = info.range_min.map(|min| ((min - info.unit_offset) / resolution).round());
    match lowest {
        Some(lowest) if resolution > 0.0 && lowest.is_finite() && lowest > i64::MIN as f64 => lowest as i64,
        _ => i64::MIN,
    }
}

/// A text at a fixed place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextField {
    byte: usize,
    /// Bytes; `None`: the text says its own length in front.
    bytes: Option<usize>,
}

impl TextField {
    /// The text of canboat's database; `None` when it has no fixed place.
    pub fn compile(info: &FieldInfo) -> Option<Self> {
        let byte = (info.bit_offset.filter(|at| at % 8 == 0)? / 8) as usize;
        let bytes = match info.field_type? {
            FieldType::StringFix => Some((info.bit_length? / 8) as usize),
            FieldType::StringLau => None,
            _ => return None,
        };
        Some(Self { byte, bytes })
    }

    /// The text without its padding; empty when there is none.
    pub fn read(self, payload: &[u8]) -> String {
        let Some(rest) = payload.get(self.byte..) else { return String::new() };
        match (self.bytes, rest) {
            (Some(bytes), _) => {
                let raw = &rest[..rest.len().min(bytes)];
                plain(raw.split(|b| *b == 0).next().unwrap_or(raw))
            }
            (None, [length, encoding, text @ ..]) => {
                let text = &text[..text.len().min(usize::from(*length).saturating_sub(2))];
                if *encoding == 0 { wide(text) } else { plain(text) }
            }
            (None, _) => String::new(),
        }
    }
}

/// UTF-8 where it is, else Latin-1: what devices send where ASCII is asked for.
fn plain(raw: &[u8]) -> String {
    let end = raw.iter().rposition(|b| !(matches!(b, 0xFF | 0 | b'@' | 0x0B) || b.is_ascii_whitespace()));
    let raw = &raw[..end.map_or(0, |end| end + 1)];
    let text = std::str::from_utf8(raw).map_or_else(|_| raw.iter().map(|b| char::from(*b)).collect(), str::to_owned);
    clean(&text)
}

fn wide(raw: &[u8]) -> String {
    let units: Vec<u16> = raw.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    clean(&String::from_utf16_lossy(&units))
}

/// `@` ends an AIS text (ITU-R M.1371-5, 3.3.7), and no text of a device has one at its end.
pub fn clean(text: &str) -> String {
    let end = |c: char| c.is_whitespace() || c.is_control() || c == '@' || c == '\u{FF}';
    text.trim_end_matches(end).split('@').next().unwrap_or("").trim_matches(end).to_owned()
}
