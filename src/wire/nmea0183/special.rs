//! Sentences that need more than a rule: a value made of two fields, a path that depends on a field.

use std::borrow::Cow;

use super::number;
use super::rules::Found;
use super::sentence::Fields;
use super::table::{BadField, DEG_RAD};
use crate::reading::{Quality, Value};
use crate::wire::Emit;

/// 0 degrees Celsius in kelvin.
pub const CELSIUS_K: f64 = 273.15;

fn read(fields: &Fields<'_>, at: usize) -> Result<Option<f64>, BadField> {
    number::number(fields.get(at)).map_err(BadField::at(at))
}

/// A number in `lowest..=highest`, times `scale`.
pub fn scaled(raw: Option<f64>, lowest: f64, highest: f64, scale: f64) -> Found {
    match raw {
        None => Found::Blank,
        Some(raw) if (lowest..=highest).contains(&raw) => Found::Good(Value::Float(raw * scale)),
        Some(_) => Found::OutOfRange,
    }
}

impl Emit<'_> {
    /// A reading whose absence is one too.
    pub fn found(&mut self, path: impl Into<Cow<'static, str>>, instance: &'static str, found: Found) {
        let (value, quality) = match found {
            Found::Good(value) => (value, Quality::Good),
            Found::Blank => (Value::Absent, Quality::NotAvailable),
            Found::OutOfRange => (Value::Absent, Quality::OutOfRange),
        };
        self.push(path.into(), Cow::Borrowed(instance), value, quality);
    }
}

/// HDG: with a deviation the compass heading is corrected by it; without one the compass is taken at its word, as
/// IEC 61162-1 has it: "magnetic sensor heading plus deviation is magnetic heading".
pub fn hdg(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let compass = read(fields, 0)?;
    let Some(deviation) = read(fields, 1)? else {
        emit.found("navigation.headingMagnetic", "", scaled(compass, 0.0, 360.0, DEG_RAD));
        return Ok(());
    };
    emit.found("navigation.headingCompass", "", scaled(compass, 0.0, 360.0, DEG_RAD));
    let east = if fields.letter(2) == Some(b'W') { -deviation } else { deviation };
    let in_range = compass.filter(|deg| (0.0..=360.0).contains(deg) && deviation.abs() <= 180.0);
    let magnetic = in_range.map(|deg| (deg + east).rem_euclid(360.0));
    emit.found("navigation.headingMagnetic", "", scaled(magnetic, 0.0, 360.0, DEG_RAD));
    Ok(())
}

/// DPT: the offset's sign says what it is. Zero says nothing: most sounders send it unset.
pub fn dpt(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    /// No ship carries its transducer further from keel or surface.
    const OFFSET_M_MAX: f64 = 100.0;
    let depth = read(fields, 0)?.filter(|m| *m >= 0.0);
    let Some(offset) = read(fields, 1)?.filter(|m| *m != 0.0 && m.abs() <= OFFSET_M_MAX) else { return Ok(()) };
    let below = depth.map(|m| m + offset);
    if offset > 0.0 {
        emit.good("environment.depth.surfaceToTransducer", Value::Float(offset));
        emit.found("environment.depth.belowSurface", "", below.map_or(Found::Blank, |m| Found::Good(Value::Float(m))));
    } else {
        emit.good("environment.depth.transducerToKeel", Value::Float(-offset));
        emit.found("environment.depth.belowKeel", "", below.map_or(Found::Blank, |m| Found::Good(Value::Float(m))));
    }
    Ok(())
}

/// RSA: one rudder, or two told apart by instance.
pub fn rsa(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let mut rudder = |at: usize, instance: &'static str| {
        let raw = if fields.letter(at + 1) == Some(b'A') { read(fields, at)? } else { None };
        emit.found("steering.rudderAngle", instance, scaled(raw, -180.0, 180.0, DEG_RAD));
        Ok(())
    };
    // A ship with one rudder leaves both port fields blank, or off.
    if fields.get(2).is_empty() && fields.letter(3) != Some(b'A') {
        return rudder(0, "");
    }
    rudder(0, "starboard")?;
    rudder(2, "port")
}

/// Paths of the engines and shafts that ships have; RPM of more is refused as a bad number.
const ENGINES: [&str; 9] = [
    "propulsion.0.revolutions",
    "propulsion.1.revolutions",
    "propulsion.2.revolutions",
    "propulsion.3.revolutions",
    "propulsion.4.revolutions",
    "propulsion.5.revolutions",
    "propulsion.6.revolutions",
    "propulsion.7.revolutions",
    "propulsion.8.revolutions",
];
const SHAFTS: [&str; 9] = [
    "propulsion.shaft0.revolutions",
    "propulsion.shaft1.revolutions",
    "propulsion.shaft2.revolutions",
    "propulsion.shaft3.revolutions",
    "propulsion.shaft4.revolutions",
    "propulsion.shaft5.revolutions",
    "propulsion.shaft6.revolutions",
    "propulsion.shaft7.revolutions",
    "propulsion.shaft8.revolutions",
];

/// RPM: revolutions a minute of an engine or a shaft, in Hz.
pub fn rpm(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    /// A gas turbine's generator turns at some 20,000 a minute.
    const RPM_MAX: f64 = 100_000.0;
    let paths = match fields.letter(0) {
        Some(b'E') => &ENGINES,
        Some(b'S') => &SHAFTS,
        _ => return Err(BadField(0)),
    };
    let number = number::whole(fields.get(1)).map_err(BadField::at(1))?.unwrap_or(0);
    let path = usize::try_from(number).ok().and_then(|n| paths.get(n)).ok_or(BadField(1))?;
    let raw = if fields.letter(4) == Some(b'A') { read(fields, 2)? } else { None };
    emit.found(*path, "", scaled(raw, -RPM_MAX, RPM_MAX, 1.0 / 60.0));
    Ok(())
}
