//! Sentences of satellite receivers beside position and speed: accuracy, satellites, datum.

use super::{ALTITUDE_M_RANGE, METHOD_QUALITY};
use crate::wire::nmea0183::special;
use crate::wire::nmea0183::table::{
    DEG_RAD, SentenceSpec, Special, Take, TimeRule, Valid, Words, field, number, optional, report,
};

/// Errors beyond this are no measurement; receivers without a fix send 9999.9.
const ERROR_M_MAX: f64 = 9_999.0;
/// Receivers send 99.99 or 999.0 for a dilution that they have not.
pub const DILUTION_MAX: f64 = 99.0;

const GNS_VALID: Valid = Valid::NotAll(5, b'N');

pub const GNS: SentenceSpec = SentenceSpec {
    formatter: "GNS",
    meaning: "GNSS fix data",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("mode", "a letter each for GPS, GLONASS, Galileo, ...: A, D, E, F, M, N, P, R, S"),
        field("satellites", "satellites in use"),
        field("horizontal_dilution", "horizontal dilution of precision"),
        field("antenna_altitude_m", "metres above mean sea level"),
        field("geoidal_separation_m", "metres, mean sea level above the WGS 84 ellipsoid"),
        field("differential_age_s", "seconds"),
        field("differential_station", "station number"),
        field("navigational_status", "S safe, C caution, U unsafe, V not valid"),
    ],
    time: TimeRule::Utc(0, GNS_VALID),
    readings: &[
        report("navigation.position", Take::Position(1)).valid(GNS_VALID),
        optional("navigation.gnss.satellites", Take::Whole(6, 99)),
        optional("navigation.gnss.horizontalDilution", Take::Number(&[number(7, 1.0)], 0.0, DILUTION_MAX))
            .valid(GNS_VALID),
        optional(
            "navigation.gnss.antennaAltitude",
            Take::Number(&[number(8, 1.0)], ALTITUDE_M_RANGE.0, ALTITUDE_M_RANGE.1),
        )
        .valid(GNS_VALID),
        optional("navigation.gnss.geoidalSeparation", Take::Number(&[number(9, 1.0)], -200.0, 200.0)).valid(GNS_VALID),
        optional("navigation.gnss.differentialAge", Take::Number(&[number(10, 1.0)], 0.0, 86_400.0)).valid(GNS_VALID),
        optional("navigation.gnss.differentialReference", Take::Whole(11, 9_999)).valid(GNS_VALID),
    ],
    special: Special::Fields(special::gns),
};

/// The letters of GNS in the words of GGA's digits, best first.
pub static GNS_MODES: [(u8, u8); 8] =
    [(b'R', b'4'), (b'F', b'5'), (b'P', b'3'), (b'D', b'2'), (b'A', b'1'), (b'E', b'6'), (b'M', b'7'), (b'S', b'8')];

/// The word of GGA's digit.
pub fn method_quality(digit: u8) -> Option<crate::reading::Value> {
    METHOD_QUALITY.get(digit)
}

static FIX_MODES: Words = Words::new(&[(b'1', "no fix"), (b'2', "2D"), (b'3', "3D")]);

pub const GSA: SentenceSpec = SentenceSpec {
    formatter: "GSA",
    meaning: "GNSS dilution of precision and active satellites",
    fields: &[
        field("selection", "M manual, A automatic"),
        field("fix", "1 none, 2 two dimensions, 3 three"),
        field("satellite_1", "number"),
        field("satellite_2", "number"),
        field("satellite_3", "number"),
        field("satellite_4", "number"),
        field("satellite_5", "number"),
        field("satellite_6", "number"),
        field("satellite_7", "number"),
        field("satellite_8", "number"),
        field("satellite_9", "number"),
        field("satellite_10", "number"),
        field("satellite_11", "number"),
        field("satellite_12", "number"),
        field("position_dilution", "dilution of precision"),
        field("horizontal_dilution", "dilution of precision"),
        field("vertical_dilution", "dilution of precision"),
        field("system", "1 GPS, 2 GLONASS, 3 Galileo, 4 BeiDou, 5 QZSS, 6 NavIC; since NMEA 0183 4.10"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.gnss.fixMode", Take::Word(1, &FIX_MODES)),
        optional("navigation.gnss.positionDilution", Take::Number(&[number(14, 1.0)], 0.0, DILUTION_MAX))
            .valid(GSA_VALID),
        optional("navigation.gnss.horizontalDilution", Take::Number(&[number(15, 1.0)], 0.0, DILUTION_MAX))
            .valid(GSA_VALID),
        optional("navigation.gnss.verticalDilution", Take::Number(&[number(16, 1.0)], 0.0, DILUTION_MAX))
            .valid(GSA_VALID),
    ],
    special: Special::Talker(special::gsa),
};
const GSA_VALID: Valid = Valid::IsNot(1, b'1');

pub const GSV: SentenceSpec = SentenceSpec {
    formatter: "GSV",
    meaning: "GNSS satellites in view; each sentence of a group stands for itself, four fields for each satellite",
    fields: &[
        field("sentences", "that the list takes"),
        field("sentence", "which of them this is, from 1"),
        field("satellites_in_view", "in all sentences"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Talker(special::gsv),
};

pub const GBS: SentenceSpec = SentenceSpec {
    formatter: "GBS",
    meaning: "GNSS satellite fault detection",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("latitude_error_m", "expected, metres"),
        field("longitude_error_m", "expected, metres"),
        field("altitude_error_m", "expected, metres"),
        field("failed_satellite", "most likely failed, number"),
        field("missed_detection_probability", "0 to 1"),
        field("bias_m", "estimate on the failed satellite, metres"),
        field("bias_deviation_m", "standard deviation, metres"),
        field("system", "1 GPS, 2 GLONASS, 3 Galileo, 4 BeiDou; since NMEA 0183 4.10"),
        field("signal", "hexadecimal; since NMEA 0183 4.10"),
    ],
    time: TimeRule::Utc(0, Valid::Always),
    readings: &[
        report("navigation.gnss.latitudeError", Take::Number(&[number(1, 1.0)], 0.0, ERROR_M_MAX)),
        report("navigation.gnss.longitudeError", Take::Number(&[number(2, 1.0)], 0.0, ERROR_M_MAX)),
        optional("navigation.gnss.altitudeError", Take::Number(&[number(3, 1.0)], 0.0, ERROR_M_MAX)),
        optional("navigation.gnss.missedDetectionProbability", Take::Number(&[number(5, 1.0)], 0.0, 1.0)),
        optional("navigation.gnss.bias", Take::Number(&[number(6, 1.0)], -1e9, 1e9)),
        optional("navigation.gnss.biasDeviation", Take::Number(&[number(7, 1.0)], 0.0, 1e9)),
    ],
    special: Special::Talker(special::gbs),
};

pub const GST: SentenceSpec = SentenceSpec {
    formatter: "GST",
    meaning: "GNSS pseudorange error statistics",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("range_deviation_m", "root mean square of the ranges' standard deviations, metres"),
        field("semi_major_deviation_m", "of the error ellipse, metres"),
        field("semi_minor_deviation_m", "of the error ellipse, metres"),
        field("ellipse_orientation_deg", "degrees from true north"),
        field("latitude_deviation_m", "standard deviation, metres"),
        field("longitude_deviation_m", "standard deviation, metres"),
        field("altitude_deviation_m", "standard deviation, metres"),
    ],
    time: TimeRule::Utc(0, Valid::Always),
    readings: &[
        optional("navigation.gnss.rangeDeviation", Take::Number(&[number(1, 1.0)], 0.0, 1e9)),
        optional("navigation.gnss.semiMajorDeviation", Take::Number(&[number(2, 1.0)], 0.0, 1e9)),
        optional("navigation.gnss.semiMinorDeviation", Take::Number(&[number(3, 1.0)], 0.0, 1e9)),
        optional("navigation.gnss.ellipseOrientation", Take::Number(&[number(4, DEG_RAD)], 0.0, 360.0)),
        report("navigation.gnss.latitudeDeviation", Take::Number(&[number(5, 1.0)], 0.0, 1e9)),
        report("navigation.gnss.longitudeDeviation", Take::Number(&[number(6, 1.0)], 0.0, 1e9)),
        optional("navigation.gnss.altitudeDeviation", Take::Number(&[number(7, 1.0)], 0.0, 1e9)),
    ],
    special: Special::None,
};

pub const GRS: SentenceSpec = SentenceSpec {
    formatter: "GRS",
    meaning: "GNSS range residuals, in the order of the satellites in GSA",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("mode", "0 used for the fix, 1 worked out after"),
        field("residual_1", "metres"),
        field("residual_2", "metres"),
        field("residual_3", "metres"),
        field("residual_4", "metres"),
        field("residual_5", "metres"),
        field("residual_6", "metres"),
        field("residual_7", "metres"),
        field("residual_8", "metres"),
        field("residual_9", "metres"),
        field("residual_10", "metres"),
        field("residual_11", "metres"),
        field("residual_12", "metres"),
        field("system", "1 GPS, 2 GLONASS, 3 Galileo, 4 BeiDou, 5 QZSS, 6 NavIC; since NMEA 0183 4.10"),
        field("signal", "hexadecimal; since NMEA 0183 4.10"),
    ],
    time: TimeRule::Utc(0, Valid::Always),
    readings: &[],
    special: Special::Talker(special::grs),
};

pub const DTM: SentenceSpec = SentenceSpec {
    formatter: "DTM",
    meaning: "datum reference",
    fields: &[
        field("datum", "W84 WGS 84, W72, S85, P90, 999 of the user"),
        field("subdivision", "of the datum"),
        field("latitude_offset_min", "minutes"),
        field("latitude_offset_hemisphere", "N or S"),
        field("longitude_offset_min", "minutes"),
        field("longitude_offset_hemisphere", "E or W"),
        field("altitude_offset_m", "metres"),
        field("reference_datum", "W84, W72, S85, P90"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.gnss.datum", Take::Text(0)),
        optional(
            "navigation.gnss.datumLatitudeOffset",
            Take::Number(&[number(2, DEG_RAD / 60.0).negative_if(3, b'S')], -60.0, 60.0),
        ),
        optional(
            "navigation.gnss.datumLongitudeOffset",
            Take::Number(&[number(4, DEG_RAD / 60.0).negative_if(5, b'W')], -60.0, 60.0),
        ),
        optional("navigation.gnss.datumAltitudeOffset", Take::Number(&[number(6, 1.0)], -ERROR_M_MAX, ERROR_M_MAX)),
    ],
    special: Special::None,
};
