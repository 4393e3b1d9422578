//! XDR: whatever transducers a maker hangs on a bus. Known names go to Signal K paths, all others to `sensors.<name>`.
//!
//! It refuses to guess a unit: a type and unit that IEC 61162-1 (8.3.112, table of transducers) does not pair is kept
//! as a bare `value`.

use std::borrow::Cow;

use super::rules::Found;
use super::sentence::Fields;
use super::special::{AIR_PA_RANGE, AIR_PRESSURE, CELSIUS_K};
use super::table::{BadField, DEG_RAD};
use crate::reading::Value;
use crate::wire::Emit;

/// The longest transducer name kept in a path. Longer ones are cut: the sentence itself allows some 60.
const NAME_BYTES_MAX: usize = 32;

/// A kind of transducer: type letter, unit letter, factor and offset to SI, quantity, and its SI unit.
struct Kind {
    letter: u8,
    unit: u8,
    scale: f64,
    offset: f64,
    quantity: &'static str,
    si: &'static str,
}

const fn kind(letter: u8, unit: u8, scale: f64, offset: f64, quantity: &'static str, si: &'static str) -> Kind {
    Kind { letter, unit, scale, offset, quantity, si }
}

/// The letters of the standard's table; litres are `l` there, and `L` in the field.
const KINDS: [Kind; 21] = [
    kind(b'A', b'D', DEG_RAD, 0.0, "angle", "rad"),
    kind(b'B', b'K', 1.0, 0.0, "absoluteHumidity", "kg/m3"),
    kind(b'C', b'C', 1.0, CELSIUS_K, "temperature", "K"),
    kind(b'C', b'K', 1.0, 0.0, "temperature", "K"),
    kind(b'D', b'M', 1.0, 0.0, "displacement", "m"),
    kind(b'E', b'P', 0.01, 0.0, "level", "ratio"),
    kind(b'F', b'H', 1.0, 0.0, "frequency", "Hz"),
    kind(b'H', b'P', 0.01, 0.0, "relativeHumidity", "ratio"),
    kind(b'I', b'A', 1.0, 0.0, "current", "A"),
    kind(b'L', b'S', 0.001, 0.0, "salinity", "ratio"),
    kind(b'N', b'N', 1.0, 0.0, "force", "N"),
    kind(b'P', b'B', 100_000.0, 0.0, "pressure", "Pa"),
    kind(b'P', b'P', 1.0, 0.0, "pressure", "Pa"),
    kind(b'R', b'l', 0.001, 0.0, "flowRate", "m3/s"),
    kind(b'R', b'L', 0.001, 0.0, "flowRate", "m3/s"),
    kind(b'T', b'R', 1.0 / 60.0, 0.0, "revolutions", "Hz"),
    kind(b'U', b'V', 1.0, 0.0, "voltage", "V"),
    kind(b'V', b'M', 1.0, 0.0, "volume", "m3"),
    kind(b'V', b'l', 0.001, 0.0, "volume", "m3"),
    kind(b'V', b'L', 0.001, 0.0, "volume", "m3"),
    kind(b'V', b'P', 0.01, 0.0, "level", "ratio"),
];

/// Names that multiplexers and compasses use for quantities that have a path of their own.
const KNOWN: [(u8, &str, &str); 16] = [
    (b'A', "PTCH", "navigation.attitude.pitch"),
    (b'A', "PITCH", "navigation.attitude.pitch"),
    (b'A', "TRIM", "navigation.attitude.pitch"),
    (b'A', "ROLL", "navigation.attitude.roll"),
    (b'A', "HEEL", "navigation.attitude.roll"),
    (b'A', "YAW", "navigation.attitude.yaw"),
    (b'A', "RUDDER", "steering.rudderAngle"),
    (b'C', "AIRTEMP", "environment.outside.temperature"),
    (b'C', "TEMPAIR", "environment.outside.temperature"),
    (b'C', "ENV_OUTAIR_T", "environment.outside.temperature"),
    (b'C', "ENV_WATER_T", "environment.water.temperature"),
    (b'P', "BARO", AIR_PRESSURE),
    (b'P', "BAROMETER", AIR_PRESSURE),
    (b'P', "ENV_ATMOS_P", AIR_PRESSURE),
    (b'H', "HUMIDITY", "environment.outside.relativeHumidity"),
    (b'H', "ENV_OUTSIDE_H", "environment.outside.relativeHumidity"),
];

/// Reads every transducer of the sentence.
pub fn xdr(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    for at in (0..fields.count()).step_by(4) {
        let name = fields.get(at + 3).trim_ascii();
        if (at..at + 4).all(|field| fields.get(field).is_empty()) {
            continue;
        }
        let letter = fields.letter(at).unwrap_or(0);
        let unit = fields.letter(at + 2);
        let raw = fields.number(at + 1)?;
        let kind = KINDS.iter().find(|k| k.letter == letter && Some(k.unit) == unit);
        let path = path(letter, name, at / 4, kind);
        let found = raw.map_or(Found::Blank, |raw| found(letter, raw, kind, &path));
        emit.found(path, "", found);
    }
    Ok(())
}

fn found(letter: u8, raw: f64, kind: Option<&Kind>, path: &str) -> Found {
    /// Angles of a ship's parts; beyond a turn either way it is no angle.
    const ANGLE_DEG_MAX: f64 = 360.0;
    /// From a vacuum, measured against the air, to 4,000 bar: injection of diesel works with 2,500.
    const PA_RANGE: (f64, f64) = (-101_325.0, 4e8);
    if letter == b'S' {
        // IEC 61162-1: switch or valve, 1 on or closed, 0 off or open.
        return Found::Good(Value::Bool(raw != 0.0));
    }
    let Some(kind) = kind else { return Found::Good(Value::Float(raw)) };
    let si = raw * kind.scale + kind.offset;
    let possible = match letter {
        b'A' => raw.abs() <= ANGLE_DEG_MAX,
        b'C' => si >= 0.0,
        b'E' | b'H' => (0.0..=1.0).contains(&si),
        b'P' => {
            let (lowest, highest) = if path == AIR_PRESSURE { AIR_PA_RANGE } else { PA_RANGE };
            (lowest..=highest).contains(&si)
        }
        _ => true,
    };
    if possible { Found::Good(Value::Float(si)) } else { Found::OutOfRange }
}

fn path(letter: u8, name: &[u8], nth: usize, kind: Option<&Kind>) -> Cow<'static, str> {
    let known = kind.and_then(|_| KNOWN.iter().find(|k| k.0 == letter && k.1.as_bytes().eq_ignore_ascii_case(name)));
    if let Some((_, _, path)) = known {
        return Cow::Borrowed(path);
    }
    let quantity = match (letter, kind) {
        (b'S', _) => "state",
        (_, Some(kind)) => kind.quantity,
        (_, None) => "value",
    };
    let clean = |b: &u8| if b.is_ascii_alphanumeric() || *b == b'-' { char::from(*b) } else { '_' };
    let name: String = name.iter().take(NAME_BYTES_MAX).map(clean).collect();
    if name.is_empty() {
        return Cow::Owned(format!("sensors.transducer{nth}.{quantity}"));
    }
    Cow::Owned(format!("sensors.{name}.{quantity}"))
}

/// The SI unit of the quantity that ends a path under `sensors`.
pub fn unit_of_quantity(quantity: &str) -> &'static str {
    KINDS.iter().find(|k| k.quantity == quantity).map_or("", |k| k.si)
}
