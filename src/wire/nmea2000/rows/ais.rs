//! AIS targets. Paths and words are those that AIS in NMEA 0183 gives.

use crate::clock::Stamp;
use crate::reading::Value;
use crate::wire::Emit;
use crate::wire::ais::{MANEUVERS, STATES};
use crate::wire::nmea2000::table::{Kind, PgnSpec, Rule, Take, optional, report, row};

pub const ROWS: &[PgnSpec] = &[
    // Class A position report.
    row(
        129_038,
        &[
            POSITION,
            SOG,
            COG,
            optional("navigation.headingTrue", Take::Number("Heading")),
            optional("navigation.rateOfTurn", Take::Number("Rate of Turn")),
            optional("navigation.state", Take::Word("Nav Status", STATES)),
            optional("navigation.maneuver", Take::Word("Special Maneuver Indicator", MANEUVERS)),
        ],
    )
    .station("User ID", Kind::Vessel),
    // Class B position report.
    row(129_039, &[POSITION, SOG, COG, optional("navigation.headingTrue", Take::Number("Heading")), CLASS_B])
        .station("User ID", Kind::Vessel),
    // Class B extended position report.
    row(
        129_040,
        &[POSITION, SOG, COG, optional("navigation.headingTrue", Take::Number("True Heading")), CLASS_B, NAME],
    )
    .station("User ID", Kind::Vessel)
    .special(HULL, hull),
    // Aids to navigation report.
    row(
        129_041,
        &[
            POSITION,
            optional("name", Take::Text("AtoN Name")),
            optional("atonType", Take::Whole("AtoN Type")),
            optional("offPosition", Take::Switch("Off Position Indicator")),
            optional("virtual", Take::Switch("Virtual AtoN Flag")),
            optional("design.length.overall", Take::Number("Length/Diameter")),
            optional("design.beam", Take::Number("Beam/Diameter")),
        ],
    )
    .station("User ID", Kind::Aid),
    // UTC and date report.
    row(129_793, &[POSITION, optional("navigation.datetime", Take::DateTime("Position Date", "Position Time"))])
        .station("User ID", Kind::Shore)
        .observed("Position Date", "Position Time"),
    // Class A static and voyage related data.
    row(
        129_794,
        &[
            NAME,
            CALLSIGN,
            optional("sensors.ais.class", Take::Always("A")),
            optional("navigation.destination.commonName", Take::Text("Destination")),
        ],
    )
    .station("User ID", Kind::Vessel)
    .special(VOYAGE, voyage),
    // SAR aircraft position report.
    row(129_798, &[POSITION, SOG, COG, optional("navigation.gnss.antennaAltitude", Take::Number("Altitude"))])
        .station("User ID", Kind::Aircraft),
    // Safety related broadcast message.
    row(129_802, &[optional("communication.ais.safetyText", Take::Text("Safety Related Text"))])
        .station("Source ID", Kind::Vessel),
    // Class B static data, part A.
    row(129_809, &[NAME, CLASS_B]).station("User ID", Kind::Vessel),
    // Class B static data, part B.
    row(129_810, &[CALLSIGN, CLASS_B]).station("User ID", Kind::Vessel).special(HULL, hull),
];

const POSITION: Rule = report("navigation.position", Take::Position("Latitude", "Longitude"));
const SOG: Rule = optional("navigation.speedOverGround", Take::Number("SOG"));
const COG: Rule = optional("navigation.courseOverGroundTrue", Take::Number("COG"));
const NAME: Rule = optional("name", Take::Text("Name"));
const CALLSIGN: Rule = optional("communication.callsignVhf", Take::Text("Callsign"));
const CLASS_B: Rule = optional("sensors.ais.class", Take::Always("B"));
const HULL: &[&str] =
    &["Type of ship", "Length", "Beam", "Position reference from Starboard", "Position reference from Bow"];
const VOYAGE: &[&str] = &[
    "Type of ship",
    "Length",
    "Beam",
    "Position reference from Starboard",
    "Position reference from Bow",
    "Draft",
    "IMO number",
    "ETA Date",
    "ETA Time",
];

/// What the hull is like. Zero is "not available" in all of these (ITU-R M.1371-5, tables 47 and 53). Without a
/// distance to bow and side only the size is meant (figure 41).
fn hull(numbers: &[Option<f64>], emit: &mut Emit<'_>) {
    let told = |at: usize| numbers.get(at).copied().flatten().filter(|number| *number > 0.0);
    if let Some(kind) = told(0) {
        emit.good("design.aisShipType", Value::Integer(kind as i64));
    }
    if let Some(length) = told(1) {
        emit.good("design.length.overall", Value::Float(length));
    }
    if let Some(beam) = told(2) {
        emit.good("design.beam", Value::Float(beam));
    }
    if let (Some(beam), Some(&Some(starboard)), Some(bow)) = (told(2), numbers.get(3), told(4))
        && beam > starboard
    {
        emit.good("sensors.ais.fromBow", Value::Float(bow));
        emit.good("sensors.ais.fromCenter", Value::Float((beam - 2.0 * starboard) / 2.0));
    }
}

fn voyage(numbers: &[Option<f64>], emit: &mut Emit<'_>) {
    hull(numbers, emit);
    let told = |at: usize| numbers.get(at).copied().flatten().filter(|number| *number > 0.0);
    if let Some(draft) = told(5) {
        emit.good("design.draft.current", Value::Float(draft));
    }
    if let Some(imo) = told(6) {
        emit.good("registrations.imo", Value::text(&format!("IMO {imo}")));
    }
    // AIS sends no year; the one that stands here is the receiver's guess.
    if let (Some(&Some(days)), Some(&Some(seconds))) = (numbers.get(7), numbers.get(8)) {
        let eta = Stamp(((days * 86_400.0 + seconds) * 1e6) as i64).to_string();
        if let Some(eta) = eta.get("2026-".len().."2026-03-29T11:00".len()) {
            emit.good("navigation.destination.eta", Value::text(&format!("{eta}Z")));
        }
    }
}
