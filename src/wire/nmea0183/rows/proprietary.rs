//! Sentences of makers, by their whole address. From the makers' published interface descriptions.

use super::ALTITUDE_M_RANGE;
use super::gnss::{GSA, GSV};
use crate::wire::nmea0183::special;
use crate::wire::nmea0183::table::{
    DEG_RAD, FOOT_M, SentenceSpec, Special, Take, TimeRule, Valid, field, number, optional, report,
};

/// Metres; receivers without a fix send more.
const ERROR_M_MAX: f64 = 9_999.0;

/// The table, `formatter` being the whole address.
pub static PROPRIETARY: [SentenceSpec; 9] = [
    PGRME,
    PGRMZ,
    PGRMM,
    PUBX,
    PFEC,
    PASHR,
    PRDID,
    // Quectel's modems say of Galileo and BeiDou what the standard's sentences say of others.
    SentenceSpec { formatter: "PQGSA", ..GSA },
    SentenceSpec { formatter: "PQGSV", ..GSV },
];

const PGRME: SentenceSpec = SentenceSpec {
    formatter: "PGRME",
    meaning: "Garmin: estimated error",
    fields: &[
        field("horizontal_error_m", "metres"),
        field("horizontal_error_unit", "M"),
        field("vertical_error_m", "metres"),
        field("vertical_error_unit", "M"),
        field("position_error_m", "metres"),
        field("position_error_unit", "M"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.gnss.horizontalError", Take::Number(&[number(0, 1.0).fixed(1, b'M')], 0.0, ERROR_M_MAX)),
        optional("navigation.gnss.verticalError", Take::Number(&[number(2, 1.0).fixed(3, b'M')], 0.0, ERROR_M_MAX)),
        optional("navigation.gnss.positionError", Take::Number(&[number(4, 1.0).fixed(5, b'M')], 0.0, ERROR_M_MAX)),
    ],
    special: Special::None,
};

const PGRMZ: SentenceSpec = SentenceSpec {
    formatter: "PGRMZ",
    meaning: "Garmin: altitude",
    fields: &[
        field("altitude_ft", "feet"),
        field("altitude_unit", "f"),
        field("fix", "1 none, 2 user altitude, 3 GPS"),
    ],
    time: TimeRule::None,
    readings: &[report(
        "navigation.gnss.antennaAltitude",
        Take::Number(&[number(0, FOOT_M).fixed(1, b'f')], ALTITUDE_M_RANGE.0 / FOOT_M, ALTITUDE_M_RANGE.1 / FOOT_M),
    )
    .valid(Valid::Is(2, b'3'))],
    special: Special::None,
};

const PGRMM: SentenceSpec = SentenceSpec {
    formatter: "PGRMM",
    meaning: "Garmin: map datum",
    fields: &[field("datum", "its name")],
    time: TimeRule::None,
    readings: &[optional("navigation.gnss.datum", Take::Text(0))],
    special: Special::None,
};

const PUBX: SentenceSpec = SentenceSpec {
    formatter: "PUBX",
    meaning: "u-blox: message 00 is the position; others are counted",
    fields: &[
        field("message", "00 position, 03 satellites, 04 time"),
        field("utc", "hhmmss.ss"),
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("ellipsoid_altitude_m", "metres above the ellipsoid"),
        field("fix", "NF none, DR dead reckoning, G2, G3, D2, D3, RK, TT time only"),
        field("horizontal_error_m", "metres"),
        field("vertical_error_m", "metres"),
        field("speed_over_ground_km_h", "kilometres an hour"),
        field("course_over_ground_true_deg", "degrees true"),
        field("vertical_speed_m_s", "metres a second, positive down"),
        field("differential_age_s", "seconds"),
        field("horizontal_dilution", "dilution of precision"),
        field("vertical_dilution", "dilution of precision"),
        field("time_dilution", "dilution of precision"),
        field("satellites", "in use"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Fields(special::pubx),
};

const PFEC: SentenceSpec = SentenceSpec {
    formatter: "PFEC",
    meaning: "Furuno: GPatt is the attitude, GPhve the heave; others are counted",
    fields: &[
        field("message", "GPatt, GPhve, ..."),
        field("value_1", "heading true in degrees, or heave in metres"),
        field("value_2", "pitch in degrees, or status"),
        field("value_3", "roll in degrees"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Fields(special::pfec),
};

const PASHR: SentenceSpec = SentenceSpec {
    formatter: "PASHR",
    meaning: "Ashtech and others: attitude",
    fields: &[
        field("utc", "hhmmss.sss"),
        field("heading_true_deg", "degrees true"),
        field("heading_unit", "T"),
        field("roll_deg", "degrees, positive to starboard"),
        field("pitch_deg", "degrees, positive bow up"),
        field("heave_m", "metres, positive up"),
        field("roll_deviation_deg", "degrees"),
        field("pitch_deviation_deg", "degrees"),
        field("heading_deviation_deg", "degrees"),
        field("position_fix", "0 none"),
        field("inertial_status", "0 good"),
    ],
    time: TimeRule::Utc(0, PASHR_VALID),
    readings: &[
        report("navigation.headingTrue", Take::Number(&[number(1, DEG_RAD)], 0.0, 360.0)).when(2, b'T'),
        optional("navigation.attitude.roll", Take::Number(&[number(3, DEG_RAD)], -180.0, 180.0)).when(2, b'T'),
        optional("navigation.attitude.pitch", Take::Number(&[number(4, DEG_RAD)], -90.0, 90.0)).when(2, b'T'),
        optional("environment.heave", Take::Number(&[number(5, 1.0)], -100.0, 100.0)).when(2, b'T'),
    ],
    special: Special::None,
};
const PASHR_VALID: Valid = Valid::Is(2, b'T');

const PRDID: SentenceSpec = SentenceSpec {
    formatter: "PRDID",
    meaning: "RD Instruments and others: attitude",
    fields: &[field("pitch_deg", "degrees"), field("roll_deg", "degrees"), field("heading_true_deg", "degrees true")],
    time: TimeRule::None,
    readings: &[
        optional("navigation.attitude.pitch", Take::Number(&[number(0, DEG_RAD)], -90.0, 90.0)),
        optional("navigation.attitude.roll", Take::Number(&[number(1, DEG_RAD)], -180.0, 180.0)),
        report("navigation.headingTrue", Take::Number(&[number(2, DEG_RAD)], 0.0, 360.0)),
    ],
    special: Special::None,
};
