//! Sentences that need more than a rule: a value made of two fields, a path that depends on a field.

use std::borrow::Cow;

use super::number;
use super::rows::gnss;
use super::rules::{Found, position, unescaped};
use super::sentence::Fields;
use super::table::{BadField, DEG_RAD, INCH_OF_MERCURY_PA, KM_H_M_S, KNOT_M_S};
use crate::reading::{Quality, Value};
use crate::wire::{Emit, Talker, satellite};

/// 0 degrees Celsius in kelvin.
pub const CELSIUS_K: f64 = 273.15;

fn read(fields: &Fields<'_>, at: usize) -> Result<Option<f64>, BadField> {
    fields.number(at)
}

/// A number in `lowest..=highest`, times `scale`.
#[inline]
pub fn scaled(raw: Option<f64>, lowest: f64, highest: f64, scale: f64) -> Found<f64> {
    match raw {
        None => Found::Blank,
        Some(raw) if (lowest..=highest).contains(&raw) => Found::Good(raw * scale),
        Some(_) => Found::OutOfRange,
    }
}

impl Emit<'_> {
    /// A reading whose absence is one too.
    #[inline]
    pub fn found(
        &mut self,
        path: impl Into<Cow<'static, str>>,
        instance: &'static str,
        found: Found<impl Into<Value>>,
    ) {
        match found {
            Found::Good(value) => self.push(path, instance, value, Quality::Good),
            Found::Blank => self.push(path, instance, Value::Absent, Quality::NotAvailable),
            Found::OutOfRange => self.push(path, instance, Value::Absent, Quality::OutOfRange),
        }
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
        emit.good("environment.depth.surfaceToTransducer", offset);
        emit.found("environment.depth.belowSurface", "", below.map_or(Found::Blank, Found::Good));
    } else {
        emit.good("environment.depth.transducerToKeel", -offset);
        emit.found("environment.depth.belowKeel", "", below.map_or(Found::Blank, Found::Good));
    }
    Ok(())
}

/// RSA: the first rudder is the starboard or the only one and has no instance, the second is the port one: `1`. NMEA
/// 2000 counts them the same way from 0, without saying which is on what side.
pub fn rsa(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let mut rudder = |at: usize, instance: &'static str| {
        let raw = if fields.letter(at + 1) == Some(b'A') { read(fields, at)? } else { None };
        emit.found("steering.rudderAngle", instance, scaled(raw, -180.0, 180.0, DEG_RAD));
        Ok(())
    };
    rudder(0, "")?;
    // A ship with one rudder leaves both port fields blank, or off.
    if fields.get(2).is_empty() && fields.letter(3) != Some(b'A') {
        return Ok(());
    }
    rudder(2, "1")
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

/// RPM: revolutions a minute of an engine or a shaft, in Hz. The number in the path is the sentence's: 0 single or on
/// the centre line, odd to starboard, even to port (IEC 61162-1, 8.3, RPM). NMEA 2000 counts engines from port, which
/// is 0 there and 2 here: nothing in a sentence tells how many engines there are, so the two cannot be made one.
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

/// The air at sea level, Pa: 870 hPa in a typhoon of 1979, 1,085 hPa in Mongolia in 2001.
pub const AIR_PA_RANGE: (f64, f64) = (85_000.0, 110_000.0);

/// Air pressure in bar, or in inches of mercury where there is none.
fn pressure(fields: &Fields<'_>) -> Result<Found<f64>, BadField> {
    let (at, unit, scale) = if fields.get(2).is_empty() { (0, b'I', INCH_OF_MERCURY_PA) } else { (2, b'B', 100_000.0) };
    if !fields.get(at + 1).is_empty() && fields.letter(at + 1) != Some(unit) && !fields.get(at).is_empty() {
        return Err(BadField(at + 1));
    }
    Ok(scaled(read(fields, at)?, AIR_PA_RANGE.0 / scale, AIR_PA_RANGE.1 / scale, scale))
}

pub const AIR_PRESSURE: &str = "environment.outside.pressure";

/// MMB: a barometer.
pub fn mmb(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    emit.found(AIR_PRESSURE, "", pressure(fields)?);
    Ok(())
}

/// MDA: the pressure among what else the weather station has.
pub fn mda(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    match pressure(fields)? {
        Found::Blank => {}
        found => emit.found(AIR_PRESSURE, "", found),
    }
    Ok(())
}

/// The word in a field as an instance: its letters, digits, `-` and `_`, at most `bytes_max`.
pub fn word(field: &[u8], bytes_max: usize) -> String {
    let clean = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'-' | b'_');
    field.iter().filter(clean).take(bytes_max).map(|b| char::from(*b)).collect()
}

/// HTD: the heading that the steering has itself, of the kind that its reference says.
pub fn htd(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let path = match fields.letter(12) {
        Some(b'T') => "navigation.headingTrue",
        Some(b'M') => "navigation.headingMagnetic",
        _ => return Ok(()),
    };
    if let Some(heading) = read(fields, 16)? {
        emit.found(path, "", scaled(Some(heading), 0.0, 360.0, DEG_RAD));
    }
    Ok(())
}

/// OSD: course and speed, over ground unless they are through the water. A course through the water has no path.
pub fn osd(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    /// No ship is faster, in any unit.
    const SPEED_MAX: f64 = 1_000.0;
    let unit = match fields.letter(8) {
        Some(b'K') => KM_H_M_S,
        Some(b'N') => KNOT_M_S,
        Some(b'S') => KM_H_M_S * 1.609_344,
        _ => 0.0,
    };
    let ground = |at: usize| matches!(fields.letter(at), Some(b'B' | b'P' | b'R'));
    if let (Some(course), true) = (read(fields, 2)?, ground(3)) {
        emit.found("navigation.courseOverGroundTrue", "", scaled(Some(course), 0.0, 360.0, DEG_RAD));
    }
    if let (Some(speed), true) = (read(fields, 4)?, unit > 0.0) {
        let found = scaled(Some(speed), 0.0, SPEED_MAX, unit);
        if ground(5) {
            emit.found("navigation.speedOverGround", "", found);
        } else if fields.letter(5) == Some(b'W') {
            emit.found("navigation.speedThroughWater", "", found);
        }
    }
    Ok(())
}

/// The highest number of a satellite: three digits since NMEA 0183 4.10 for BeiDou and others.
const SATELLITE_MAX: u32 = 999;

/// GNS: the best mode of any system, in GGA's words.
pub fn gns(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let modes = fields.get(5);
    let best = gnss::GNS_MODES.iter().find(|(letter, _)| modes.contains(letter)).map_or(b'0', |(_, digit)| *digit);
    let quality = if modes.is_empty() { None } else { gnss::method_quality(best) };
    emit.found("navigation.gnss.methodQuality", "", quality.map_or(Found::Blank, Found::Good));
    Ok(())
}

/// The system that a sentence is about: by the field of its number, since NMEA 0183 4.10, else by who speaks.
fn system(talker: Talker, fields: &Fields<'_>, at: Option<usize>) -> Option<&'static str> {
    let id = at.and_then(|at| number::whole(fields.get(at)).ok().flatten());
    id.and_then(satellite::by_system_id).or_else(|| satellite::by_talker(talker.as_str()))
}

/// A signal's number in hexadecimal behind a dash; nothing where the field names none.
fn signal(field: &[u8]) -> String {
    match field {
        [digit @ (b'1'..=b'9' | b'A'..=b'F')] => format!("-{}", char::from(*digit)),
        _ => String::new(),
    }
}

/// GSA: how many satellites are in use, of the system that the sentence names, or else its first satellite's number.
pub fn gsa(talker: Talker, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let mut used = (2..14).map(|at| fields.get(at)).filter(|field| !field.is_empty()).peekable();
    let first = used.peek().and_then(|field| number::whole(field).ok().flatten());
    let system = system(talker, fields, Some(17)).or_else(|| satellite::by_number(first?));
    let used = used.count() as i64;
    emit.found("navigation.gnss.satellitesUsed", system.unwrap_or(""), Found::Good(used));
    Ok(())
}

/// GBS: the satellite that has most likely failed, as the instances of GSV have it.
pub fn gbs(talker: Talker, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    if let Some(number) = number::whole(fields.get(4)).map_err(BadField::at(4))? {
        let text = || Value::text(&satellite::instance(system(talker, fields, Some(8)), number));
        let found = if number <= SATELLITE_MAX { Found::Good(text()) } else { Found::OutOfRange };
        emit.found("navigation.gnss.failedSatellite", "", found);
    }
    Ok(())
}

/// GSV: how many satellites of a system are in view, and of each its elevation, azimuth and signal. The instance is the
/// system and the satellite's number, and behind a dash the signal's where the sentence names one.
pub fn gsv(talker: Talker, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let whole = |at: usize, highest: u32| match number::whole(fields.get(at)).map_err(BadField::at(at))? {
        Some(value) if value > highest => Err(BadField(at)),
        value => Ok(value),
    };
    // Behind the groups of four stands the signal since NMEA 0183 4.10; Quectel's own form adds the system.
    let extra = fields.count().saturating_sub(3) % 4;
    let groups_end = fields.count() - extra.min(fields.count());
    let signal = if extra > 0 { signal(fields.get(groups_end)) } else { String::new() };
    let system = system(talker, fields, (extra == 2).then_some(groups_end + 1));
    if whole(1, 99)? == Some(1)
        && let Some(count) = whole(2, SATELLITE_MAX)?
    {
        let (path, instance) = ("navigation.gnss.satellitesInView", format!("{}{signal}", system.unwrap_or("")));
        emit.push(path, instance, i64::from(count), Quality::Good);
    }
    for at in (3..groups_end).step_by(4) {
        let Some(satellite) = whole(at, SATELLITE_MAX)? else { continue };
        let instance = satellite::instance(system, satellite) + &signal;
        let quantities = [
            ("navigation.gnss.satellite.elevation", read(fields, at + 1)?, 90.0, DEG_RAD),
            ("navigation.gnss.satellite.azimuth", read(fields, at + 2)?, 360.0, DEG_RAD),
            ("navigation.gnss.satellite.signalToNoise", read(fields, at + 3)?, 99.0, 1.0),
        ];
        for (path, raw, highest, scale) in quantities {
            // A satellite below the horizon for a minute says -1; one that is not tracked says nothing.
            if let Found::Good(value) = scaled(raw, -highest, highest, scale) {
                emit.push(path, Cow::Owned(instance.clone()), value, Quality::Good);
            }
        }
    }
    Ok(())
}

/// GRS: the residual of each satellite, by its place in the GSA of the same system; which satellite that is, only that
/// GSA tells. The instance is `GP-1`, and `GP-1-7` where the sentence names a signal.
pub fn grs(talker: Talker, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let (system, signal) = (system(talker, fields, Some(14)).unwrap_or(""), signal(fields.get(15)));
    for (at, place) in (2..).zip(1..=12) {
        if let Some(residual) = read(fields, at)? {
            let (path, instance) = ("navigation.gnss.rangeResidual", format!("{system}-{place}{signal}"));
            emit.push(path, instance, residual, Quality::Good);
        }
    }
    Ok(())
}

/// TXT: a text, by its identifier.
pub fn txt(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let text = unescaped(fields.get(3));
    if !text.is_empty() {
        let instance = Cow::Owned(word(fields.get(2), 2));
        emit.push(Cow::Borrowed("communication.text"), instance, Value::text(&text), Quality::Good);
    }
    Ok(())
}

/// EPV: a property of a device, by the property's number.
pub fn epv(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let value = unescaped(fields.get(4));
    if fields.letter(0) == Some(b'R') && !value.is_empty() {
        let instance = Cow::Owned(word(fields.get(3), 4));
        emit.push(Cow::Borrowed("communication.equipmentProperty"), instance, Value::text(&value), Quality::Good);
    }
    Ok(())
}

/// PUBX: message 00 of u-blox receivers.
pub fn pubx(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    if fields.get(0) != b"00" {
        return Ok(());
    }
    let fix = !matches!(fields.get(7), b"" | b"NF" | b"TT");
    emit.found("navigation.position", "", if fix { position(fields, 2)? } else { Found::Blank });
    let numbers = [
        ("navigation.gnss.horizontalError", 8, 1.0, 9_999.0),
        ("navigation.gnss.verticalError", 9, 1.0, 9_999.0),
        ("navigation.speedOverGround", 10, KM_H_M_S, 2_000.0),
        ("navigation.courseOverGroundTrue", 11, DEG_RAD, 360.0),
        ("navigation.gnss.differentialAge", 13, 1.0, 86_400.0),
        ("navigation.gnss.horizontalDilution", 14, 1.0, gnss::DILUTION_MAX),
        ("navigation.gnss.verticalDilution", 15, 1.0, gnss::DILUTION_MAX),
        ("navigation.gnss.timeDilution", 16, 1.0, gnss::DILUTION_MAX),
    ];
    for (path, at, scale, highest) in numbers {
        if let (Some(raw), true) = (read(fields, at)?, fix) {
            emit.found(path, "", scaled(Some(raw), 0.0, highest, scale));
        }
    }
    if let Some(used) = number::whole(fields.get(17)).map_err(BadField::at(17))?.filter(|n| *n <= 99) {
        emit.good("navigation.gnss.satellites", i64::from(used));
    }
    Ok(())
}

/// PFEC: attitude and heave of Furuno's satellite compasses.
pub fn pfec(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    match fields.get(0) {
        b"GPatt" => {
            emit.found("navigation.headingTrue", "", scaled(read(fields, 1)?, 0.0, 360.0, DEG_RAD));
            emit.found("navigation.attitude.pitch", "", scaled(read(fields, 2)?, -90.0, 90.0, DEG_RAD));
            emit.found("navigation.attitude.roll", "", scaled(read(fields, 3)?, -180.0, 180.0, DEG_RAD));
        }
        b"GPhve" => {
            let heave = if fields.letter(2) == Some(b'V') { None } else { read(fields, 1)? };
            emit.found("environment.heave", "", scaled(heave, -100.0, 100.0, 1.0));
        }
        _ => {}
    }
    Ok(())
}
