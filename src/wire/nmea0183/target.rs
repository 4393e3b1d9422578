//! Targets of a radar and waypoints of a plotter (IEC 61162-1, 8.3: TTM, TLL, TLB, WPL): the instance is the number or
//! the name.

use super::number;
use super::rules::{Found, position};
use super::sentence::Fields;
use super::special::{self, scaled};
use super::table::{BadField, DEG_RAD, KM_H_M_S, KNOT_M_S, NAUTICAL_MILE_M, Words};
use crate::reading::{Quality, Value};
use crate::wire::Emit;

/// The highest number of a target: TTM has two digits, since IEC 61162-1:2010 three.
const TARGET_MAX: u32 = 999;
/// No radar sees further, in any unit of distance.
const DISTANCE_MAX: f64 = 1_000.0;
/// No target is faster, in any unit of speed.
const SPEED_MAX: f64 = 2_000.0;
/// Closest approaches further ahead are none, minutes: a week.
const CLOSEST_MIN_MAX: f64 = 7.0 * 24.0 * 60.0;
/// The longest name of a waypoint kept as an instance.
const NAME_BYTES_MAX: usize = 16;

static STATES: Words = Words::new(&[(b'L', "lost"), (b'Q', "acquiring"), (b'T', "tracking")]);

fn target(fields: &Fields<'_>, at: usize) -> Result<String, BadField> {
    match number::whole(fields.get(at)).map_err(BadField::at(at))? {
        Some(number) if number <= TARGET_MAX => Ok(number.to_string()),
        _ => Err(BadField(at)),
    }
}

/// A reading of a target; a blank says nothing.
fn tell(path: &'static str, target: &str, found: Found<impl Into<Value>>, emit: &mut Emit<'_>) {
    let instance = target.to_owned();
    match found {
        Found::Good(value) => emit.push(path, instance, value, Quality::Good),
        Found::Blank => {}
        Found::OutOfRange => emit.push(path, instance, Value::Absent, Quality::OutOfRange),
    }
}

fn state(fields: &Fields<'_>, at: usize) -> Found {
    fields.letter(at).and_then(|code| STATES.get(code)).map_or(Found::Blank, Found::Good)
}

fn name(fields: &Fields<'_>, at: usize) -> Found {
    match fields.get(at).trim_ascii() {
        [] => Found::Blank,
        text => Found::Good(Value::text(&String::from_utf8_lossy(text))),
    }
}

/// TTM: distance and bearing, speed and course, closest approach.
pub fn ttm(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let target = target(fields, 0)?;
    let (length_m, speed_m_s) = match fields.letter(9) {
        Some(b'K') => (1_000.0, KM_H_M_S),
        Some(b'S') => (1_609.344, KM_H_M_S * 1.609_344),
        // Old radars leave the unit off; the standard's first is nautical miles.
        Some(b'N') | None => (NAUTICAL_MILE_M, KNOT_M_S),
        Some(_) => return Err(BadField(9)),
    };
    let read = |at: usize, lowest: f64, highest: f64, scale: f64| {
        let raw = fields.number(at)?;
        Ok(scaled(raw, lowest, highest, scale).map(Value::Float))
    };
    let angle = |at: usize, names: [&'static str; 2]| {
        let name = if fields.letter(at + 1) == Some(b'R') { names[1] } else { names[0] };
        Ok((name, read(at, 0.0, 360.0, DEG_RAD)?))
    };
    let (bearing, towards) =
        angle(2, ["navigation.radarTargets.bearingTrue", "navigation.radarTargets.bearingRelative"])?;
    let (course, heads) = angle(5, ["navigation.radarTargets.courseTrue", "navigation.radarTargets.courseRelative"])?;
    let all = [
        ("navigation.radarTargets.state", state(fields, 11)),
        ("navigation.radarTargets.name", name(fields, 10)),
        ("navigation.radarTargets.distance", read(1, 0.0, DISTANCE_MAX, length_m)?),
        (bearing, towards),
        ("navigation.radarTargets.speed", read(4, 0.0, SPEED_MAX, speed_m_s)?),
        (course, heads),
        ("navigation.radarTargets.closestDistance", read(7, 0.0, DISTANCE_MAX, length_m)?),
        ("navigation.radarTargets.closestTime", read(8, -CLOSEST_MIN_MAX, CLOSEST_MIN_MAX, 60.0)?),
    ];
    all.into_iter().for_each(|(path, found)| tell(path, &target, found, emit));
    Ok(())
}

/// TLL: a target's position.
pub fn tll(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let target = target(fields, 0)?;
    tell("navigation.radarTargets.state", &target, state(fields, 7), emit);
    tell("navigation.radarTargets.name", &target, name(fields, 5), emit);
    tell("navigation.radarTargets.position", &target, position(fields, 1)?, emit);
    Ok(())
}

/// TLB: names of targets, in pairs.
pub fn tlb(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    for at in (0..fields.count()).step_by(2).filter(|at| !fields.get(*at).is_empty()) {
        tell("navigation.radarTargets.name", &target(fields, at)?, name(fields, at + 1), emit);
    }
    Ok(())
}

/// WPL: where a waypoint is.
pub fn wpl(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let name = special::word(fields.get(4), NAME_BYTES_MAX);
    tell("navigation.waypoints.position", &name, position(fields, 0)?, emit);
    Ok(())
}
