//! From the bytes of a value to what it says, in SI.

use super::{Kind, Layout, Meaning, Unit, ValueSpec};
use crate::reading::{Quality, Value};

/// Bytes of the widest number.
const NUMBER_BYTES_MAX: usize = 8;

/// What a value's own bytes say: `2 x count` bytes of registers, or one byte, 0 or 1, of a bit. Never panics: bytes of
/// another length are no value.
pub fn decode(spec: &ValueSpec, bytes: &[u8]) -> (Value, Quality) {
    let Layout { kind, .. } = spec.layout;
    if kind == Kind::String {
        return text(&spec.layout, bytes);
    }
    let Some(raw) = raw(&spec.layout, bytes) else { return absent(Quality::NotAvailable) };
    if spec.not_available.contains(&raw) {
        return absent(Quality::NotAvailable);
    }
    match &spec.meaning {
        Meaning::Quantity { scale, offset, min, max, unit } => {
            quantity(number(kind, raw).mul_add(*scale, *offset), *min, *max, unit)
        }
        Meaning::Count if kind == Kind::Bool => good(Value::Bool(raw != 0)),
        Meaning::Count => match whole(kind, raw) {
            Some(number) => good(Value::Integer(number)),
            None => absent(Quality::OutOfRange),
        },
        Meaning::Bit(bit) => good(Value::Bool(raw >> bit & 1 == 1)),
        Meaning::Words(words) => match words.iter().find(|(code, _)| *code == raw) {
            Some((_, word)) => good(Value::text(word)),
            None => absent(Quality::OutOfRange),
        },
        Meaning::Flags(flags) => good(Value::text(&set_flags(flags, raw))),
        Meaning::Text => absent(Quality::NotAvailable),
    }
}

const fn good(value: Value) -> (Value, Quality) {
    (value, Quality::Good)
}

const fn absent(quality: Quality) -> (Value, Quality) {
    (Value::Absent, quality)
}

/// NaN is how a float says that it has no value; what is infinite or beyond the limits is out of range.
fn quantity(number: f64, min: f64, max: f64, unit: &Unit) -> (Value, Quality) {
    let si = unit.to_si(number);
    if number.is_nan() {
        absent(Quality::NotAvailable)
    } else if !(min..=max).contains(&number) || !si.is_finite() {
        absent(Quality::OutOfRange)
    } else {
        good(Value::Float(si))
    }
}

/// The value's bits, most significant byte first.
fn raw(layout: &Layout, bytes: &[u8]) -> Option<u64> {
    let wanted = if layout.kind == Kind::Bool { 1 } else { 2 * usize::from(layout.count) };
    if bytes.len() != wanted || wanted > NUMBER_BYTES_MAX {
        return None;
    }
    Some(in_order(layout, bytes).fold(0, |all, byte| all << 8 | u64::from(byte)))
}

/// The bytes, most significant first.
fn in_order<'a>(layout: &Layout, bytes: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    let (count, words, within) = (bytes.len(), layout.words_swapped, usize::from(layout.bytes_swapped));
    (0..count).map(move |at| {
        let at = if words { (count - 2 - (at & !1)) | (at & 1) } else { at };
        // A lone byte is a bit and has no partner.
        bytes[if count == 1 { at } else { at ^ within }]
    })
}

fn number(kind: Kind, raw: u64) -> f64 {
    match kind {
        // The casts keep the low bits, which are all there are.
        Kind::I16 => f64::from(raw as u16 as i16),
        Kind::I32 => f64::from(raw as u32 as i32),
        Kind::I64 => raw as i64 as f64,
        Kind::F32 => f64::from(f32::from_bits(raw as u32)),
        Kind::F64 => f64::from_bits(raw),
        Kind::U16 | Kind::U32 | Kind::U64 | Kind::Bool | Kind::String => raw as f64,
    }
}

fn whole(kind: Kind, raw: u64) -> Option<i64> {
    match kind {
        Kind::I16 => Some(i64::from(raw as u16 as i16)),
        Kind::I32 => Some(i64::from(raw as u32 as i32)),
        Kind::I64 => Some(raw as i64),
        _ => i64::try_from(raw).ok(),
    }
}

fn set_flags(flags: &[(u8, String)], raw: u64) -> String {
    let names = flags.iter().filter(|(bit, _)| raw >> bit & 1 == 1).map(|(_, name)| name.as_str());
    names.collect::<Vec<_>>().join(",")
}

/// Up to the first NUL, without blanks around it. Characters outside printable ASCII are no text of a device's: its
/// registers hold something else.
fn text(layout: &Layout, bytes: &[u8]) -> (Value, Quality) {
    let bytes: Vec<u8> = in_order(layout, bytes).take_while(|byte| *byte != 0).collect();
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => absent(Quality::NotAvailable),
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => good(Value::text(text)),
        _ => absent(Quality::OutOfRange),
    }
}
