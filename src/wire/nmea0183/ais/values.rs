//! AIS messages to readings (ITU-R M.1371-5, annex 8). Codes for "not available" never become numbers.

use std::borrow::Cow;

use ais::messages::static_data_report::MessagePart;
use ais::messages::types::ShipType;
use ais::messages::{self, AisMessage};

use super::bits::Bits;
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};
use crate::wire::Emit;
use crate::wire::nmea0183::table::{DEG_RAD, KNOT_M_S, Words};
use crate::wire::nmea0183::time::{self, Day, TimeOfDay};

/// A payload that is too short for its type, or breaks its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Its values are out.
    Readings,
    /// Nothing here reads this type.
    Unread(u8),
}

/// Signal K's words for the navigational status, by its code.
static STATES: Words = Words::new(&[
    (0, "motoring"),
    (1, "anchored"),
    (2, "not under command"),
    (3, "restricted manouverability"),
    (4, "constrained by draft"),
    (5, "moored"),
    (6, "aground"),
    (7, "fishing"),
    (8, "sailing"),
    (9, "hazardous material high speed"),
    (10, "hazardous material wing in ground"),
    (11, "towing astern"),
    (12, "pushing ahead or towing alongside"),
    (14, "ais-sart"),
]);

static MANEUVERS: Words = Words::new(&[(1, "not engaged"), (2, "engaged")]);
static CLASSES: Words = Words::new(&[(b'A', "A"), (b'B', "B")]);

/// Makes the readings of one message.
pub fn read(bits: &Bits<'_>, own: bool, emit: Emit<'_>) -> Result<Read, Broken> {
    let kind = u8::try_from(bits.unsigned(0, 6)).map_err(|_| Broken)?;
    let Some(shortest) = shortest(kind) else { return Ok(Read::Unread(kind)) };
    if bits.count() < shortest {
        return Err(Broken);
    }
    let context = if own { Context::OwnShip } else { context(kind, bits.unsigned(8, 30))? };
    let mut emit = emit.about(context);
    match kind {
        1..=3 => class_a(bits, &mut emit),
        9 => aircraft(bits, &mut emit),
        18 => dynamics(bits, 46, &mut emit),
        27 => long_range(bits, &mut emit),
        _ => by_crate(bits, emit)?,
    }
    Ok(Read::Readings)
}

/// The fewest bits that hold all that is read of a type; `None` for types that are not read.
const fn shortest(kind: u8) -> Option<usize> {
    match kind {
        // 168 by the standard; the radio status at the end is not read, and senders are known to miscount it (163).
        1..=3 | 9 | 18 => Some(149),
        4 | 11 => Some(163),
        // Senders leave off the end of the destination.
        5 => Some(302),
        19 => Some(312),
        21 => Some(272),
        24 => Some(160),
        27 => Some(95),
        _ => None,
    }
}

/// Whom a message is about: by its type, else by the form of the MMSI (ITU-R M.585-9).
const fn context(kind: u8, mmsi: u32) -> Result<Context, Broken> {
    if mmsi > 999_999_999 {
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
        emit.good("navigation.rateOfTurn", Value::Float(turn));
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
            emit.good("navigation.headingTrue", Value::Float(f64::from(heading) * DEG_RAD));
        }
        _ => emit.absent("navigation.headingTrue", Quality::OutOfRange),
    }
}

/// 1023 is not available; 1022 is that or more, in the message's step.
fn speed(code: u32, step_kn: f64, emit: &mut Emit<'_>) {
    if code != 1_023 {
        emit.good("navigation.speedOverGround", Value::Float(f64::from(code) * step_kn * KNOT_M_S));
    }
}

/// `none` is not available; what lies above it cannot be.
fn course(code: u32, none: u32, parts: f64, emit: &mut Emit<'_>) {
    if code < none {
        emit.good("navigation.courseOverGroundTrue", Value::Float(f64::from(code) / parts * DEG_RAD));
    } else if code > none {
        emit.absent("navigation.courseOverGroundTrue", Quality::OutOfRange);
    }
}

/// Longitude of `width` bits and latitude of one less, in parts of a degree; 181 and 91 degrees are not available.
fn position(bits: &Bits<'_>, at: usize, width: usize, parts: f64, emit: &mut Emit<'_>) {
    let longitude = f64::from(bits.signed(at, width)) / parts;
    let latitude = f64::from(bits.signed(at + width, width - 1)) / parts;
    let none = |degrees: f64, code: f64| (degrees - code).abs() < 1e-9;
    if (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude) {
        emit.good("navigation.position", Value::Position { latitude, longitude });
    } else if none(longitude, 181.0) || none(latitude, 91.0) {
        emit.absent("navigation.position", Quality::NotAvailable);
    } else {
        emit.absent("navigation.position", Quality::OutOfRange);
    }
}

fn aircraft(bits: &Bits<'_>, emit: &mut Emit<'_>) {
    let altitude_m = bits.unsigned(38, 12);
    if altitude_m != 4_095 {
        emit.good("navigation.gnss.antennaAltitude", Value::Float(f64::from(altitude_m)));
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
        emit.good("navigation.speedOverGround", Value::Float(f64::from(knots) * KNOT_M_S));
    }
    course(bits.unsigned(85, 9), 511, 1.0, emit);
}

fn by_crate(bits: &Bits<'_>, mut emit: Emit<'_>) -> Result<(), Broken> {
    match messages::parse(bits.bytes()).map_err(|_| Broken)? {
        AisMessage::BaseStationReport(m) => {
            station(bits, [m.year.map(i64::from), m.month.map(i64::from), m.day.map(i64::from)], emit);
        }
        AisMessage::UtcDateResponse(m) => {
            station(bits, [m.year.map(i64::from), m.month.map(i64::from), m.day.map(i64::from)], emit);
        }
        AisMessage::StaticAndVoyageRelatedData(m) => voyage(&m, &mut emit),
        AisMessage::ExtendedClassBPositionReport(m) => {
            dynamics(bits, 46, &mut emit);
            text("name", &m.name, &mut emit);
            class(b'B', &mut emit);
            ship_type(m.type_of_ship_and_cargo, &mut emit);
            let across = [m.dimension_to_port, m.dimension_to_starboard];
            size([m.dimension_to_bow, m.dimension_to_stern], across, &mut emit);
        }
        AisMessage::AidToNavigationReport(m) => aid(bits, &m, &mut emit),
        AisMessage::StaticDataReport(m) => class_b_static(bits, &m.message_part, &mut emit),
        _ => return Err(Broken),
    }
    Ok(())
}

/// Types 4 and 11: a station's position and its clock.
fn station(bits: &Bits<'_>, [year, month, day]: [Option<i64>; 3], emit: Emit<'_>) {
    let day = year.zip(month).zip(day).and_then(|((year, month), day)| Day::new(year, month, day));
    let time = TimeOfDay::new(bits.unsigned(61, 5), bits.unsigned(66, 6), bits.unsigned(72, 6));
    let stamp: Option<Stamp> = day.zip(time).map(|(day, time)| day.at(time));
    let mut emit = emit.observed(stamp);
    if let Some(stamp) = stamp {
        emit.good("navigation.datetime", time::rfc3339(stamp));
    }
    position(bits, 79, 28, 600_000.0, &mut emit);
}

fn voyage(m: &messages::static_and_voyage_related_data::StaticAndVoyageRelatedData, emit: &mut Emit<'_>) {
    text("name", &m.vessel_name, emit);
    text("communication.callsignVhf", &m.callsign, emit);
    if m.imo_number != 0 {
        emit.good("registrations.imo", Value::text(&format!("IMO {}", m.imo_number)));
    }
    class(b'A', emit);
    ship_type(m.ship_type, emit);
    size([m.dimension_to_bow, m.dimension_to_stern], [m.dimension_to_port, m.dimension_to_starboard], emit);
    // The crate divides tenths of a metre into an f32; times ten they are whole again.
    let draught_dm = (f64::from(m.draught) * 10.0).round();
    if draught_dm > 0.0 {
        emit.good("design.draft.current", Value::Float(draught_dm / 10.0));
    }
    text("navigation.destination.commonName", &m.destination, emit);
    // No year is sent, so this is no date; `03-29T11:00Z` is what the crew typed in.
    if let (Some(month @ 1..=12), Some(day), hour @ 0..=23, Some(minute @ 0..=59)) =
        (m.eta_month_utc, m.eta_day_utc, m.eta_hour_utc, m.eta_minute_utc)
    {
        let eta = format!("{month:02}-{day:02}T{hour:02}:{minute:02}Z");
        emit.good("navigation.destination.eta", Value::text(&eta));
    }
}

fn aid(bits: &Bits<'_>, m: &messages::aid_to_navigation_report::AidToNavigationReport, emit: &mut Emit<'_>) {
    let name = unpadded(&m.name);
    let extension = if name.len() == 20 { sixbit_text(bits, 272) } else { String::new() };
    text("name", &format!("{name}{extension}"), emit);
    emit.good("atonType", Value::Integer(i64::from(bits.unsigned(38, 5))));
    position(bits, 164, 28, 600_000.0, emit);
    size([m.dimension_to_bow, m.dimension_to_stern], [m.dimension_to_port, m.dimension_to_starboard], emit);
    // Off position is said only with a second of measurement (ITU-R M.1371-5, table 73).
    if m.utc_second < 60 {
        emit.good("offPosition", Value::Bool(m.off_position));
    }
    emit.good("virtual", Value::Bool(m.virtual_aid));
}

/// Type 24: part A is the name, part B the rest.
fn class_b_static(bits: &Bits<'_>, part: &MessagePart, emit: &mut Emit<'_>) {
    match part {
        MessagePart::PartA { vessel_name } => text("name", vessel_name, emit),
        MessagePart::PartB {
            ship_type: kind,
            callsign,
            dimension_to_bow: bow,
            dimension_to_stern: stern,
            dimension_to_port: port,
            dimension_to_starboard: starboard,
            ..
        } => {
            class(b'B', emit);
            ship_type(*kind, emit);
            text("communication.callsignVhf", callsign, emit);
            // A craft of a mother ship (MMSI 98...) sends that ship's MMSI in place of its size.
            if bits.unsigned(8, 30) / 10_000_000 != 98 {
                size([*bow, *stern], [*port, *starboard], emit);
            }
        }
        MessagePart::Unknown(_) => {}
    }
}

fn class(class: u8, emit: &mut Emit<'_>) {
    if let Some(class) = CLASSES.get(class) {
        emit.good("sensors.ais.class", class);
    }
}

fn ship_type(kind: Option<ShipType>, emit: &mut Emit<'_>) {
    if let Some(kind) = kind {
        emit.good("design.aisShipType", Value::Integer(i64::from(u8::from(kind))));
    }
}

/// Distances from the antenna: to bow and stern, to port and starboard, metres. Zero is not available.
fn size([bow, stern]: [u16; 2], [port, starboard]: [u16; 2], emit: &mut Emit<'_>) {
    let [bow_m, stern_m, port_m, starboard_m] = [bow, stern, port, starboard].map(f64::from);
    if bow_m + stern_m > 0.0 {
        emit.good("design.length.overall", Value::Float(bow_m + stern_m));
    }
    if port_m + starboard_m > 0.0 {
        emit.good("design.beam", Value::Float(port_m + starboard_m));
    }
    // With no distance to bow and port only the size is meant (ITU-R M.1371-5, figure 41).
    if bow > 0 && port > 0 {
        emit.good("sensors.ais.fromBow", Value::Float(bow_m));
        emit.good("sensors.ais.fromCenter", Value::Float((port_m - starboard_m) / 2.0));
    }
}

fn text(path: &'static str, raw: &str, emit: &mut Emit<'_>) {
    let clean = unpadded(raw);
    if !clean.is_empty() {
        emit.push(Cow::Borrowed(path), Cow::Borrowed(""), Value::text(clean), Quality::Good);
    }
}

/// `@` ends a text (ITU-R M.1371-5, 3.3.7); the crate takes it off the very end only.
fn unpadded(raw: &str) -> &str {
    raw.split('@').next().unwrap_or("").trim()
}

/// Six-bit text from bit `at` to the end.
fn sixbit_text(bits: &Bits<'_>, at: usize) -> String {
    let codes = (at..).step_by(6).take_while(|at| at + 6 <= bits.count()).map(|at| bits.unsigned(at, 6));
    codes
        .take_while(|code| *code != 0)
        .filter_map(|code| char::from_u32(if code < 32 { code + 64 } else { code }))
        .collect()
}
