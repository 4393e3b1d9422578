//! The table of sentences, one row each: what its fields are called and which readings it makes.
//!
//! Names and meanings follow IEC 61162-1:2016, section 8.3, paths Signal K 1.7. How to add a row: see [`super`].

mod bridge;
pub(super) mod gnss;
mod proprietary;
mod route;
mod vessel;

pub use proprietary::PROPRIETARY;

use super::special;
use super::table::{
    Absent, DEG_RAD, FATHOM_M, FOOT_M, FieldSpec, KM_H_M_S, KNOT_M_S, SentenceSpec, Special, Take, TimeRule, Valid,
    Words, field, number, optional, report,
};

/// Depths beyond the deepest trench (10,935 m) are no depths.
const DEPTH_M_MAX: f64 = 11_000.0;
/// No ship and no wind is faster: 1,000 knots, and as much in the other units.
const SPEED_MAX: f64 = 1_000.0;
/// Heights of an antenna: the Dead Sea to a search aircraft.
const ALTITUDE_M_RANGE: (f64, f64) = (-500.0, 20_000.0);
/// What ROT can say of a ship, degrees a minute.
const TURN_DEG_MIN_MAX: f64 = 10_000.0;

const A_IS_VALID: u8 = b'A';
const RMC_VALID: Valid = Valid::Is(1, A_IS_VALID);
const GLL_VALID: Valid = Valid::Unless(5, b'V');
const GGA_VALID: Valid = Valid::IsNot(5, b'0');
const VTG_VALID: Valid = Valid::Unless(8, b'N');

/// Signal K's words for the quality of a fix (GGA field 6).
static METHOD_QUALITY: Words = Words::new(&[
    (b'0', "no GPS"),
    (b'1', "GNSS Fix"),
    (b'2', "DGNSS fix"),
    (b'3', "Precise GNSS"),
    (b'4', "RTK fixed integer"),
    (b'5', "RTK float"),
    (b'6', "Estimated (DR) mode"),
    (b'7', "Manual input"),
    (b'8', "Simulator mode"),
]);

/// The table.
pub static TABLE: [SentenceSpec; 72] = [
    RMC,
    GGA,
    GLL,
    VTG,
    ZDA,
    HDT,
    HDG,
    HDM,
    ROT,
    VHW,
    DPT,
    DBT,
    MTW,
    MWV,
    MWD,
    RSA,
    RPM,
    XDR,
    vdm("VDM", "AIS message of another station", false),
    vdm("VDO", "AIS message of the own station", true),
    gnss::GNS,
    gnss::GSA,
    gnss::GSV,
    gnss::GBS,
    gnss::GST,
    gnss::GRS,
    gnss::DTM,
    vessel::VBW,
    vessel::VLW,
    vessel::VDR,
    vessel::VPW,
    vessel::VWR,
    vessel::VWT,
    vessel::THS,
    vessel::HEV,
    vessel::OSD,
    vessel::MDA,
    vessel::MMB,
    vessel::MTA,
    vessel::MHU,
    route::RMB,
    route::APB,
    route::XTE,
    route::XTR,
    route::BOD,
    route::BWC,
    route::BWR,
    route::AAM,
    route::WCV,
    route::RTE,
    route::HTC,
    route::HTD,
    bridge::TTM,
    bridge::TLL,
    bridge::TLB,
    bridge::WPL,
    bridge::ALR,
    bridge::ALF,
    bridge::ALC,
    bridge::ACN,
    bridge::ARC,
    bridge::ACK,
    bridge::HBT,
    bridge::TXT,
    bridge::NRX,
    bridge::SMB,
    bridge::EPV,
    bridge::SPW,
    bridge::SM3,
    bridge::NRM,
    bridge::GEN,
    bridge::GLC,
];

const RMC: SentenceSpec = SentenceSpec {
    formatter: "RMC",
    meaning: "recommended minimum specific GNSS data",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("status", "A valid, V navigation receiver warning"),
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("speed_over_ground_kn", "knots"),
        field("course_over_ground_true_deg", "degrees true"),
        field("date", "ddmmyy"),
        field("magnetic_variation_deg", "degrees"),
        field("magnetic_variation_direction", "E or W"),
        field("mode", "A autonomous, D differential, E estimated, F float RTK, M manual, N no fix, P, R, S"),
        field("navigational_status", "S safe, C caution, U unsafe, V not valid"),
    ],
    time: TimeRule::UtcAndDate(0, 8, RMC_VALID),
    readings: &[
        report("navigation.position", Take::Position(2)).valid(RMC_VALID),
        optional("navigation.speedOverGround", Take::Number(&[number(6, KNOT_M_S)], 0.0, SPEED_MAX)).valid(RMC_VALID),
        optional("navigation.courseOverGroundTrue", Take::Number(&[number(7, DEG_RAD)], 0.0, 360.0)).valid(RMC_VALID),
        optional(
            "navigation.magneticVariation",
            Take::Number(&[number(9, DEG_RAD).negative_if(10, b'W')], -180.0, 180.0),
        )
        .valid(RMC_VALID),
    ],
    special: Special::DateTime(Absent::Skip),
};

const GGA: SentenceSpec = SentenceSpec {
    formatter: "GGA",
    meaning: "global positioning system fix data",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field(
            "quality",
            "0 no fix, 1 fix, 2 differential, 3 precise, 4 RTK, 5 float RTK, 6 estimated, 7 manual, 8 simulated",
        ),
        field("satellites", "satellites in use"),
        field("horizontal_dilution", "horizontal dilution of precision"),
        field("antenna_altitude_m", "metres above mean sea level"),
        field("antenna_altitude_unit", "M"),
        field("geoidal_separation_m", "metres, mean sea level above the WGS 84 ellipsoid"),
        field("geoidal_separation_unit", "M"),
        field("differential_age_s", "seconds"),
        field("differential_station", "station number"),
    ],
    time: TimeRule::Utc(0, GGA_VALID),
    readings: &[
        report("navigation.position", Take::Position(1)).valid(GGA_VALID),
        report("navigation.gnss.methodQuality", Take::Word(5, &METHOD_QUALITY)),
        optional("navigation.gnss.satellites", Take::Whole(6, 99)),
        optional("navigation.gnss.horizontalDilution", Take::Number(&[number(7, 1.0)], 0.0, 999.0)).valid(GGA_VALID),
        optional(
            "navigation.gnss.antennaAltitude",
            Take::Number(&[number(8, 1.0).fixed(9, b'M')], ALTITUDE_M_RANGE.0, ALTITUDE_M_RANGE.1),
        )
        .valid(GGA_VALID),
        optional("navigation.gnss.geoidalSeparation", Take::Number(&[number(10, 1.0).fixed(11, b'M')], -200.0, 200.0))
            .valid(GGA_VALID),
        optional("navigation.gnss.differentialAge", Take::Number(&[number(12, 1.0)], 0.0, 86_400.0)).valid(GGA_VALID),
        optional("navigation.gnss.differentialReference", Take::Whole(13, 9_999)).valid(GGA_VALID),
    ],
    special: Special::None,
};

const GLL: SentenceSpec = SentenceSpec {
    formatter: "GLL",
    meaning: "geographic position, latitude and longitude",
    fields: &[
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("utc", "time of position, hhmmss.ss"),
        field("status", "A valid, V not; missing before NMEA 0183 2.0"),
        field("mode", "A autonomous, D differential, E estimated, M manual, N no fix, S simulated"),
    ],
    time: TimeRule::Utc(4, GLL_VALID),
    readings: &[report("navigation.position", Take::Position(0)).valid(GLL_VALID)],
    special: Special::None,
};

const VTG: SentenceSpec = SentenceSpec {
    formatter: "VTG",
    meaning: "course over ground and ground speed",
    fields: &[
        field("course_over_ground_true_deg", "degrees true"),
        field("course_over_ground_true_unit", "T"),
        field("course_over_ground_magnetic_deg", "degrees magnetic"),
        field("course_over_ground_magnetic_unit", "M"),
        field("speed_over_ground_kn", "knots"),
        field("speed_over_ground_kn_unit", "N"),
        field("speed_over_ground_km_h", "kilometres an hour"),
        field("speed_over_ground_km_h_unit", "K"),
        field("mode", "A autonomous, D differential, E estimated, N no fix; missing before NMEA 0183 2.3"),
    ],
    time: TimeRule::None,
    readings: &[
        optional("navigation.courseOverGroundTrue", Take::Number(&[number(0, DEG_RAD).fixed(1, b'T')], 0.0, 360.0))
            .valid(VTG_VALID),
        optional("navigation.courseOverGroundMagnetic", Take::Number(&[number(2, DEG_RAD).fixed(3, b'M')], 0.0, 360.0))
            .valid(VTG_VALID),
        report(
            "navigation.speedOverGround",
            Take::Number(&[number(4, KNOT_M_S).fixed(5, b'N'), number(6, KM_H_M_S).fixed(7, b'K')], 0.0, SPEED_MAX),
        )
        .valid(VTG_VALID),
    ],
    special: Special::None,
};

const ZDA: SentenceSpec = SentenceSpec {
    formatter: "ZDA",
    meaning: "time and date",
    fields: &[
        field("utc", "hhmmss.ss"),
        field("day", "01 to 31, UTC"),
        field("month", "01 to 12, UTC"),
        field("year", "four digits, UTC"),
        field("zone_hours", "local zone, -13 to 13"),
        field("zone_minutes", "local zone, 00 to 59"),
    ],
    time: TimeRule::UtcDayMonthYear(0),
    readings: &[],
    special: Special::DateTime(Absent::Report),
};

const HDT: SentenceSpec = SentenceSpec {
    formatter: "HDT",
    meaning: "heading, true",
    fields: &[field("heading_true_deg", "degrees true"), field("heading_true_unit", "T")],
    time: TimeRule::None,
    readings: &[report("navigation.headingTrue", Take::Number(&[number(0, DEG_RAD).fixed(1, b'T')], 0.0, 360.0))],
    special: Special::None,
};

const HDG: SentenceSpec = SentenceSpec {
    formatter: "HDG",
    meaning: "heading, deviation and variation",
    fields: &[
        field("heading_compass_deg", "degrees, as the compass has it"),
        field("magnetic_deviation_deg", "degrees"),
        field("magnetic_deviation_direction", "E or W"),
        field("magnetic_variation_deg", "degrees"),
        field("magnetic_variation_direction", "E or W"),
    ],
    time: TimeRule::None,
    readings: &[
        optional(
            "navigation.magneticDeviation",
            Take::Number(&[number(1, DEG_RAD).negative_if(2, b'W')], -180.0, 180.0),
        ),
        optional(
            "navigation.magneticVariation",
            Take::Number(&[number(3, DEG_RAD).negative_if(4, b'W')], -180.0, 180.0),
        ),
    ],
    special: Special::Fields(special::hdg),
};

const HDM: SentenceSpec = SentenceSpec {
    formatter: "HDM",
    meaning: "heading, magnetic; not in IEC 61162-1 any more, but compasses still send it",
    fields: &[field("heading_magnetic_deg", "degrees magnetic"), field("heading_magnetic_unit", "M")],
    time: TimeRule::None,
    readings: &[report("navigation.headingMagnetic", Take::Number(&[number(0, DEG_RAD).fixed(1, b'M')], 0.0, 360.0))],
    special: Special::None,
};

const ROT: SentenceSpec = SentenceSpec {
    formatter: "ROT",
    meaning: "rate of turn",
    fields: &[field("rate_of_turn_deg_min", "degrees a minute, negative to port"), field("status", "A valid, V not")],
    time: TimeRule::None,
    readings: &[report(
        "navigation.rateOfTurn",
        Take::Number(&[number(0, DEG_RAD / 60.0)], -TURN_DEG_MIN_MAX, TURN_DEG_MIN_MAX),
    )
    .valid(Valid::Is(1, A_IS_VALID))],
    special: Special::None,
};

const VHW: SentenceSpec = SentenceSpec {
    formatter: "VHW",
    meaning: "water speed and heading",
    fields: &[
        field("heading_true_deg", "degrees true"),
        field("heading_true_unit", "T"),
        field("heading_magnetic_deg", "degrees magnetic"),
        field("heading_magnetic_unit", "M"),
        field("speed_through_water_kn", "knots, negative astern"),
        field("speed_through_water_kn_unit", "N"),
        field("speed_through_water_km_h", "kilometres an hour"),
        field("speed_through_water_km_h_unit", "K"),
    ],
    time: TimeRule::None,
    readings: &[
        optional("navigation.headingTrue", Take::Number(&[number(0, DEG_RAD).fixed(1, b'T')], 0.0, 360.0)),
        optional("navigation.headingMagnetic", Take::Number(&[number(2, DEG_RAD).fixed(3, b'M')], 0.0, 360.0)),
        report(
            "navigation.speedThroughWater",
            Take::Number(
                &[number(4, KNOT_M_S).fixed(5, b'N'), number(6, KM_H_M_S).fixed(7, b'K')],
                -SPEED_MAX,
                SPEED_MAX,
            ),
        ),
    ],
    special: Special::None,
};

const DPT: SentenceSpec = SentenceSpec {
    formatter: "DPT",
    meaning: "depth",
    fields: &[
        field("depth_m", "metres below the transducer"),
        field("offset_m", "metres, positive from transducer to water line, negative from transducer to keel"),
        field("range_m_max", "metres, the scale in use"),
    ],
    time: TimeRule::None,
    readings: &[report("environment.depth.belowTransducer", Take::Number(&[number(0, 1.0)], 0.0, DEPTH_M_MAX))],
    special: Special::Fields(special::dpt),
};

const DBT: SentenceSpec = SentenceSpec {
    formatter: "DBT",
    meaning: "depth below transducer",
    fields: &[
        field("depth_ft", "feet"),
        field("depth_ft_unit", "f"),
        field("depth_m", "metres"),
        field("depth_m_unit", "M"),
        field("depth_fathoms", "fathoms"),
        field("depth_fathoms_unit", "F"),
    ],
    time: TimeRule::None,
    readings: &[report(
        "environment.depth.belowTransducer",
        Take::Number(
            &[number(2, 1.0).fixed(3, b'M'), number(0, FOOT_M).fixed(1, b'f'), number(4, FATHOM_M).fixed(5, b'F')],
            0.0,
            DEPTH_M_MAX / FOOT_M,
        ),
    )],
    special: Special::None,
};

const MTW: SentenceSpec = SentenceSpec {
    formatter: "MTW",
    meaning: "water temperature",
    fields: &[field("temperature_c", "degrees Celsius"), field("temperature_unit", "C")],
    time: TimeRule::None,
    readings: &[report(
        "environment.water.temperature",
        Take::Number(&[number(0, 1.0).fixed(1, b'C').plus(special::CELSIUS_K)], -50.0, 100.0),
    )],
    special: Special::None,
};

const MWV_VALID: Valid = Valid::Is(4, A_IS_VALID);
const MWV_SPEED: Take = Take::Number(
    &[
        number(2, KNOT_M_S).chosen(3, b'N'),
        number(2, 1.0).chosen(3, b'M'),
        number(2, KM_H_M_S).chosen(3, b'K'),
        number(2, KM_H_M_S * 1.609_344).chosen(3, b'S'),
    ],
    0.0,
    SPEED_MAX,
);

const MWV: SentenceSpec = SentenceSpec {
    formatter: "MWV",
    meaning: "wind speed and angle",
    fields: &[
        field("wind_angle_deg", "degrees from the bow, 0 to 359"),
        field("reference", "R relative (apparent), T theoretical (true)"),
        field("wind_speed", "in the unit that follows"),
        field("wind_speed_unit", "K km/h, M m/s, N knots, S statute miles an hour"),
        field("status", "A valid, V not"),
    ],
    time: TimeRule::None,
    readings: &[
        report("environment.wind.angleApparent", Take::PortAngle(0)).valid(MWV_VALID).when(1, b'R'),
        report("environment.wind.speedApparent", MWV_SPEED).valid(MWV_VALID).when(1, b'R'),
        report("environment.wind.angleTrueWater", Take::PortAngle(0)).valid(MWV_VALID).when(1, b'T'),
        report("environment.wind.speedTrue", MWV_SPEED).valid(MWV_VALID).when(1, b'T'),
    ],
    special: Special::None,
};

const MWD: SentenceSpec = SentenceSpec {
    formatter: "MWD",
    meaning: "wind direction and speed over ground",
    fields: &[
        field("wind_direction_true_deg", "degrees true"),
        field("wind_direction_true_unit", "T"),
        field("wind_direction_magnetic_deg", "degrees magnetic"),
        field("wind_direction_magnetic_unit", "M"),
        field("wind_speed_kn", "knots"),
        field("wind_speed_kn_unit", "N"),
        field("wind_speed_m_s", "metres a second"),
        field("wind_speed_m_s_unit", "M"),
    ],
    time: TimeRule::None,
    readings: &[
        report("environment.wind.directionTrue", Take::Number(&[number(0, DEG_RAD).fixed(1, b'T')], 0.0, 360.0)),
        optional("environment.wind.directionMagnetic", Take::Number(&[number(2, DEG_RAD).fixed(3, b'M')], 0.0, 360.0)),
        report(
            "environment.wind.speedOverGround",
            Take::Number(&[number(6, 1.0).fixed(7, b'M'), number(4, KNOT_M_S).fixed(5, b'N')], 0.0, SPEED_MAX),
        ),
    ],
    special: Special::None,
};

const RSA: SentenceSpec = SentenceSpec {
    formatter: "RSA",
    meaning: "rudder sensor angle",
    fields: &[
        field("starboard_angle_deg", "starboard or only rudder, degrees, negative to port"),
        field("starboard_status", "A valid, V not"),
        field("port_angle_deg", "port rudder, degrees"),
        field("port_status", "A valid, V not"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Fields(special::rsa),
};

const RPM: SentenceSpec = SentenceSpec {
    formatter: "RPM",
    meaning: "revolutions",
    fields: &[
        field("source", "S shaft, E engine"),
        field("number", "from the centre line: 0 single or centre, odd starboard, even port"),
        field("speed_rpm", "revolutions a minute, negative counter-clockwise"),
        field("propeller_pitch_percent", "percent of the maximum, negative astern"),
        field("status", "A valid, V not"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Fields(special::rpm),
};

const XDR: SentenceSpec = SentenceSpec {
    formatter: "XDR",
    meaning: "transducer measurements; the four fields repeat for each transducer",
    fields: &[
        field("transducer_type", "A angle, C temperature, P pressure, ..."),
        field("value", "in the unit that follows"),
        field("unit", "its meaning depends on the type"),
        field("name", "the transducer's own"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Groups(super::xdr::xdr),
};

const AIS_FIELDS: &[FieldSpec] = &[
    field("fragments", "sentences that the message takes"),
    field("fragment", "which of them this is, from 1"),
    field("sequence", "0 to 9, the same in all sentences of a message"),
    field("channel", "A or B, the radio channel"),
    field("payload", "six bits a character"),
    field("fill_bits", "bits of the last character that are filling"),
];

const fn vdm(formatter: &'static str, meaning: &'static str, own: bool) -> SentenceSpec {
    let (fields, special) = (AIS_FIELDS, Special::Ais(own));
    SentenceSpec { formatter, meaning, fields, time: TimeRule::None, readings: &[], special }
}
