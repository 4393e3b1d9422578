//! A map file: TOML, every key known, every error with its line and what would be accepted.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{
    DeviceMap, INSTANCE, Kind, Layout, MapError, Meaning, PollClass, TEXT_REGISTERS_MAX, UNITS, Unit, VALUES_MAX,
    ValueSpec,
};
use crate::config::{ConfigError, ConfigErrors, Origin};
use crate::wire::modbus::pdu::{REGISTERS_MAX, Table};

/// Addresses of a table.
const ADDRESSES: u32 = 1 << 16;

/// Bits of the widest register value.
const BITS_MAX: u16 = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    device: Device,
    document: Document,
    #[serde(default)]
    value: Vec<Spanned<ValueFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    manufacturer: String,
    model: String,
    function: String,
    #[serde(default = "all_registers")]
    registers_max: u16,
    #[serde(default)]
    no_gaps: bool,
    #[serde(default)]
    word_order: Order,
    #[serde(default)]
    byte_order: Order,
}

const fn all_registers() -> u16 {
    REGISTERS_MAX
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    title: String,
    edition: String,
    page: String,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Big,
    Little,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueFile {
    path: String,
    table: Table,
    address: u16,
    #[serde(rename = "type")]
    kind: Kind,
    registers: Option<u16>,
    word_order: Option<Order>,
    byte_order: Option<Order>,
    unit: Option<String>,
    scale: Option<f64>,
    offset: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    bit: Option<u8>,
    words: Option<BTreeMap<String, String>>,
    flags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    not_available: Vec<i64>,
    #[serde(default)]
    poll: PollClass,
}

/// What is wrong with one value: key, problem, what would be accepted.
type Wrong = (&'static str, String, String);

pub(super) fn parse(name: &str, text: &str) -> Result<DeviceMap, MapError> {
    let origin = |at: usize| {
        let line = 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
        Origin::File { file: name.into(), line }
    };
    let File { device, document, value } = toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        ConfigError::new(origin(at), key_at(text, at), error.message(), "")
    })?;
    let mut errors = Vec::new();
    let whole = |key: &str, problem: String, accepted: String| ConfigError::new(origin(0), key, problem, accepted);
    if !(1..=REGISTERS_MAX).contains(&device.registers_max) {
        let problem = device.registers_max.to_string();
        errors.push(whole("device.registers_max", problem, format!("1 to {REGISTERS_MAX}")));
    }
    if value.is_empty() || value.len() > VALUES_MAX {
        errors.push(whole("value", format!("{} values", value.len()), format!("1 to {VALUES_MAX} [[value]]")));
    }
    let mut values: Vec<ValueSpec> = Vec::with_capacity(value.len().min(VALUES_MAX));
    for (index, value) in value.iter().enumerate().take(VALUES_MAX) {
        match spec(value.get_ref(), &device) {
            Ok(spec) if values.iter().any(|other| other.path == spec.path) => {
                let key = format!("value[{index}].path");
                let problem = format!("`{}` stands twice", spec.path);
                errors.push(ConfigError::new(origin(value.span().start), key, problem, "each path once"));
            }
            Ok(spec) => values.push(spec),
            Err((key, problem, accepted)) => {
                let key = format!("value[{index}].{key}");
                errors.push(ConfigError::new(origin(value.span().start), key, problem, accepted));
            }
        }
    }
    if !errors.is_empty() {
        return Err(ConfigErrors::new(errors));
    }
    values.sort_by_key(|value| (value.table, value.address));
    let Device { manufacturer, model, function, registers_max, no_gaps, .. } = device;
    let document = format!("{}, {}, {}", document.title, document.edition, document.page);
    Ok(DeviceMap { manufacturer, model, function, document, registers_max, no_gaps, values })
}

/// The key on the line of `at`, for a message.
fn key_at(text: &str, at: usize) -> String {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    line.split('=').next().unwrap_or_default().trim().to_owned()
}

fn spec(value: &ValueFile, device: &Device) -> Result<ValueSpec, Wrong> {
    check_path(&value.path)?;
    let layout = layout(value, device)?;
    let end = u32::from(value.address) + u32::from(layout.count);
    if end > ADDRESSES {
        return Err(("address", format!("{} with {} registers", value.address, layout.count), "up to 65535".into()));
    }
    let meaning = meaning(value, layout.count)?;
    let not_available = value.not_available.iter().map(|raw| sentinel(*raw, layout)).collect::<Result<_, _>>()?;
    let (table, address, poll) = (value.table, value.address, value.poll);
    Ok(ValueSpec { path: value.path.clone(), table, address, layout, meaning, not_available, poll })
}

/// A sentinel is written as the document has it, `0x8000` or -32768; kept as the bits of the value's width.
fn sentinel(raw: i64, layout: Layout) -> Result<u64, Wrong> {
    let bits = if layout.kind == Kind::Bool { 1 } else { (16 * layout.count).min(BITS_MAX) };
    let (least, most) = (-(1i128 << (bits - 1)), (1i128 << bits) - 1);
    if !(least..=most).contains(&i128::from(raw)) {
        return Err(("not_available", raw.to_string(), format!("numbers of {bits} bits, such as 0x8000")));
    }
    // Two's complement: the low bits are the raw value.
    Ok(raw as u64 & (u64::MAX >> (BITS_MAX - bits)))
}

fn check_path(path: &str) -> Result<(), Wrong> {
    let bare = path.replacen(INSTANCE, "0", 1);
    let sound = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if path.contains('.') && bare.split('.').all(sound) {
        return Ok(());
    }
    let accepted = format!("a Signal K path, such as electrical.batteries.{INSTANCE}.voltage");
    Err(("path", format!("`{path}`"), accepted))
}

fn layout(value: &ValueFile, device: &Device) -> Result<Layout, Wrong> {
    let kind = value.kind;
    if value.table.is_bits() != (kind == Kind::Bool) {
        let accepted = "\"bool\" in table coil or discrete, any other in holding or input; for one bit of a register, \
                        type = \"u16\" and bit = 0 to 15";
        return Err(("type", "does not fit the table".into(), accepted.into()));
    }
    let count = match (kind.registers(), value.registers) {
        (Some(count), None) => count,
        (None, Some(count)) if (1..=TEXT_REGISTERS_MAX).contains(&count) => count,
        (None, _) => {
            let problem = "a string needs its length".into();
            return Err(("registers", problem, format!("1 to {TEXT_REGISTERS_MAX} registers")));
        }
        (Some(count), Some(_)) => return Err(("registers", format!("the type has {count}"), "no such key".into())),
    };
    if count > device.registers_max {
        return Err(("type", format!("{count} registers"), format!("at most device.registers_max, {count} or more")));
    }
    let words_swapped = value.word_order.unwrap_or(device.word_order) == Order::Little;
    let bytes_swapped = value.byte_order.unwrap_or(device.byte_order) == Order::Little;
    // The characters of a string follow each other whatever the order of a number's words.
    Ok(Layout { kind, count, words_swapped: words_swapped && kind != Kind::String, bytes_swapped })
}

fn meaning(value: &ValueFile, count: u16) -> Result<Meaning, Wrong> {
    let is_scaled = value.scale.is_some() || value.offset.is_some() || value.min.is_some() || value.max.is_some();
    let is_quantity = is_scaled || value.unit.is_some();
    let named = [value.bit.is_some(), value.words.is_some(), value.flags.is_some(), is_quantity];
    if named.iter().filter(|is| **is).count() > 1 {
        return Err(("bit", "more than one meaning".into(), "one of bit, words, flags, or unit with scale".into()));
    }
    if (named[0] || named[1] || named[2]) && !value.kind.is_whole() {
        return Err(("type", "bit, words and flags need a whole number".into(), "u16, i16, u32, i32, u64, i64".into()));
    }
    let bits = 16 * count;
    if let Some(bit) = value.bit {
        let wrong = || ("bit", bit.to_string(), format!("0 to {}", bits - 1));
        return if u16::from(bit) < bits { Ok(Meaning::Bit(bit)) } else { Err(wrong()) };
    }
    if let Some(words) = &value.words {
        return Ok(Meaning::Words(numbered("words", words, u64::MAX)?));
    }
    if let Some(flags) = &value.flags {
        let flags = numbered("flags", flags, u64::from(bits) - 1)?;
        // At most 63: checked above.
        return Ok(Meaning::Flags(flags.into_iter().map(|(bit, name)| (bit as u8, name)).collect()));
    }
    match value.kind {
        Kind::String if !is_quantity => Ok(Meaning::Text),
        Kind::Bool if !is_quantity => Ok(Meaning::Count),
        Kind::String | Kind::Bool => Err(("unit", "a text or a bit has none".into(), "no such key".into())),
        kind if !is_quantity && kind.is_whole() => Ok(Meaning::Count),
        _ => quantity(value),
    }
}

fn quantity(value: &ValueFile) -> Result<Meaning, Wrong> {
    let accepted = || UNITS.iter().map(|unit| unit.name).collect::<Vec<_>>().join(", ");
    let name = value.unit.as_deref().ok_or_else(|| ("unit", "is missing".to_owned(), accepted()))?;
    let unit = Unit::named(name).ok_or_else(|| ("unit", format!("`{name}`"), accepted()))?;
    let (scale, offset) = (value.scale.unwrap_or(1.0), value.offset.unwrap_or(0.0));
    let (min, max) = (value.min.unwrap_or(f64::NEG_INFINITY), value.max.unwrap_or(f64::INFINITY));
    if !(scale.is_normal() && offset.is_finite()) {
        return Err(("scale", format!("{scale} and offset {offset}"), "numbers, the scale not 0".into()));
    }
    if min.is_nan() || max.is_nan() || min > max {
        return Err(("min", format!("{min} to {max}"), "min below max, in the device's unit".into()));
    }
    Ok(Meaning::Quantity { scale, offset, min, max, unit })
}

fn numbered(key: &'static str, named: &BTreeMap<String, String>, most: u64) -> Result<Vec<(u64, String)>, Wrong> {
    let each = |(number, name): (&String, &String)| match number.parse() {
        Ok(number) if number <= most && !name.is_empty() => Ok((number, name.clone())),
        _ => Err((key, format!("{number} = \"{name}\""), format!("0 to {most} = \"a name\""))),
    };
    let mut all = named.iter().map(each).collect::<Result<Vec<_>, Wrong>>()?;
    all.sort_by_key(|(number, _)| *number);
    Ok(all)
}
