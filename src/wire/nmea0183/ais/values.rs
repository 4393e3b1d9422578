//! AIS messages to readings (ITU-R M.1371-5, annex 8): which type is what, and how stations move. Codes for
//! "not available" never become numbers.

use super::bits::Bits;
use super::{items, service, statics};
use crate::clock::Stamp;
use crate::reading::{Context, Quality};
use crate::wire::nmea0183::table::{DEG_RAD, KNOT_M_S, Words};
use crate::wire::nmea0183::time::{self, Day, TimeOfDay};
use crate::wire::{Emit, ais};

/// A payload that is too short for its type, or breaks its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Its values are out.
    Readings,
    /// Its type is reserved.
    Reserved,
}

static STATES: Words = Words::new(ais::STATES);

static MANEUVERS: Words = Words::new(ais::MANEUVERS);

/// Makes the readings of one message.
pub fn read(bits: &Bits<'_>, own: bool, emit: Emit<'_>) -> Result<Read, Broken> {
    let kind = u8::try_from(bits.unsigned(0, 6)).map_err(|_| Broken)?;
    let Some(shortest) = shortest(kind) else { return Ok(Read::Reserved) };
    if bits.count() < shortest {
        return Err(Broken);
    }
    let context = if own { Context::OwnShip } else { context(kind, bits.unsigned(8, 30))? };
    let mut emit = emit.about(context);
    match kind {
        1..=3 => class_a(bits, &mut emit),
        4 | 11 => station(bits, emit),
        5 => statics::voyage(bits, &mut emit),
        9 => aircraft(bits, &mut emit),
        18 => dynamics(bits, 46, &mut emit),
        19 => {
            dynamics(bits, 46, &mut emit);
            statics::class_b_extended(bits, &mut emit);
        }
        21 => {
            position(bits, 164, 28, 600_000.0, &mut emit);
            statics::aid(bits, &mut emit);
        }
        24 => statics::class_b(bits, &mut emit),
        27 => long_range(bits, &mut emit),
        _ => service::service(kind, bits, &mut emit),
    }
    Ok(Read::Readings)
}

/// The fewest bits that hold all that is read of a type; `None` for types that are reserved.
const fn shortest(kind: u8) -> Option<usize> {
    Some(match kind {
        // 168 by the standard; the radio status at the end is not read, and senders are known to miscount it (163).
        1..=3 | 9 | 18 => 149,
        4 | 11 => 163,
        // Senders leave off the end of the destination.
        5 => 302,
        6 => 88,
        7 | 10 | 13 => 70,
        8 => 56,
        12 => 72,
        14 | 25 | 26 => 40,
        15 => 76,
        16 => 92,
        17 => 75,
        19 => 312,
        20 => 70,
        21 => 272,
        22 => 145,
        23 => 154,
        24 => 160,
        27 => 95,
        _ => return None,
    })
}

/// Whom a message is about: by its type, else by the form of the MMSI (ITU-R M.585-9). Zero is what a transponder
/// sends that was never given one.
const fn context(kind: u8, mmsi: u32) -> Result<Context, Broken> {
    if mmsi == 0 || mmsi > 999_999_999 {
        return Err(Broken);
    }
    Ok(match (kind, mmsi / 1_000_000) {
        (4, _) => Context::ShoreStation(mmsi),
        (9, _) => Context::Aircraft(mmsi),
        (21, _) => Context::AidToNavigation(mmsi),
        (_, 111) => Context::Aircraft(mmsi),
        (_, 990..=999) => Context::AidToNavigation(mmsi),
        (_, 2..=7) => Context::ShoreStation(mmsi),
        _ => Context::Vessel(mmsi),
    })
}

fn class_a(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    if let Some(state) = u8::try_from(bits.unsigned(38, 4)).ok().and_then(|code| STATES.get(code)) {
        emit.good("navigation.state", state);
    }
    if let Some(turn) = rate_of_turn(bits.signed(42, 8)) {
        emit.good("navigation.rateOfTurn", turn);
    }
    dynamics(bits, 50, emit);
    if let Some(maneuver) = u8::try_from(bits.unsigned(143, 2)).ok().and_then(|code| MANEUVERS.get(code)) {
        emit.good("navigation.maneuver", maneuver);
    }
}

/// Radians a second. The code is 4.733 times the root of the turn in degrees a minute; -128 is not available and 127
/// either way says only that it turns faster than 5 degrees in 30 s, which is no number.
fn rate_of_turn(code: i32) -> Option<f64> {
    let size = (f64::from(code) / 4.733).powi(2);
    let turn = if code < 0 { -size } else { size };
    (-126..=126).contains(&code).then_some(turn * DEG_RAD / 60.0)
}

/// Speed, position, course and heading, which types 1 to 3, 18 and 19 have in one order from bit `at` on.
fn dynamics(bits: &Bits<'_>, at: usize, emit: &mut Emit<'_>) {
    speed(bits.unsigned(at, 10), 0.1, emit);
    position(bits, at + 11, 28, 600_000.0, emit);
    course(bits.unsigned(at + 66, 12), 3_600, 10.0, emit);
    match bits.unsigned(at + 78, 9) {
        511 => {}
        heading if heading < 360 => {
            emit.good("navigation.headingTrue", f64::from(heading) * DEG_RAD);
        }
        _ => emit.absent("navigation.headingTrue", Quality::OutOfRange),
    }
}

/// 1023 is not available; 1022 is that or more, in the message's step.
fn speed(code: u32, step_kn: f64, emit: &mut Emit<'_>) {
    if code != 1_023 {
        emit.good("navigation.speedOverGround", f64::from(code) * step_kn * KNOT_M_S);
    }
}

/// `none` is not available; what lies above it cannot be.
fn course(code: u32, none: u32, parts: f64, emit: &mut Emit<'_>) {
    if code < none {
        emit.good("navigation.courseOverGroundTrue", f64::from(code) / parts * DEG_RAD);
    } else if code > none {
        emit.absent("navigation.courseOverGroundTrue", Quality::OutOfRange);
    }
}

/// Longitude of `width` bits and latitude of one less, in parts of a degree; 181 and 91 degrees are not available.
fn position(bits: &Bits<'_>, at: usize, width: usize, parts: f64, emit: &mut Emit<'_>) {
    if let Some(place) = items::place(bits, at, width, parts) {
        return emit.good("navigation.position", place);
    }
    let longitude = f64::from(bits.signed(at, width)) / parts;
    let latitude = f64::from(bits.signed(at + width, width - 1)) / parts;
    let none = |degrees: f64, code: f64| (degrees - code).abs() < 1e-9;
    let not_available = none(longitude, 181.0) || none(latitude, 91.0);
    let quality = if not_available { Quality::NotAvailable } else { Quality::OutOfRange };
    emit.absent("navigation.position", quality);
}

fn aircraft(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    let altitude_m = bits.unsigned(38, 12);
    if altitude_m != 4_095 {
        emit.good("navigation.gnss.antennaAltitude", f64::from(altitude_m));
    }
    speed(bits.unsigned(50, 10), 1.0, emit);
    position(bits, 61, 28, 600_000.0, emit);
    course(bits.unsigned(116, 12), 3_600, 10.0, emit);
}

/// Type 27: tenths of a minute, whole knots and degrees.
fn long_range(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    if let Some(state) = u8::try_from(bits.unsigned(40, 4)).ok().and_then(|code| STATES.get(code)) {
        emit.good("navigation.state", state);
    }
    position(bits, 44, 18, 600.0, emit);
    let knots = bits.unsigned(79, 6);
    if knots != 63 {
        emit.good("navigation.speedOverGround", f64::from(knots) * KNOT_M_S);
    }
    course(bits.unsigned(85, 9), 511, 1.0, emit);
}

/// Types 4 and 11: a station's position and its clock.
fn station(bits: &Bits<'_>, emit: Emit<'_>) {
    let part = |at: usize, width: usize| i64::from(bits.unsigned(at, width));
    let day = Day::new(part(38, 14), part(52, 4), part(56, 5));
    let time = TimeOfDay::new(bits.unsigned(61, 5), bits.unsigned(66, 6), bits.unsigned(72, 6));
    let stamp: Option<Stamp> = day.zip(time).map(|(day, time)| day.at(time));
    let mut emit = emit.observed(stamp);
    if let Some(stamp) = stamp {
        emit.good("navigation.datetime", time::rfc3339(stamp));
    }
    position(bits, 79, 28, 600_000.0, &mut emit);
}
