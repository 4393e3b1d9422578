//! Sentences about the vessel and what is around her: speeds, logs, wind, current, weather.

use super::{A_IS_VALID, SPEED_MAX};
use crate::wire::nmea0183::special::{self, CELSIUS_K};
use crate::wire::nmea0183::table::{
    DEG_RAD, FieldSpec, KM_H_M_S, KNOT_M_S, NAUTICAL_MILE_M, SentenceSpec, Special, Take, TimeRule, Valid, field,
    number, optional, report,
};

/// A log turns over at 999,999.99 nautical miles at the latest.
const LOG_NM_MAX: f64 = 1_000_000.0;
/// Water and air where ships go, degrees Celsius.
const WATER_C: (f64, f64) = (-50.0, 100.0);
const AIR_C: (f64, f64) = (-100.0, 100.0);

pub const VBW: SentenceSpec = SentenceSpec {
    formatter: "VBW",
    meaning: "dual ground and water speed",
    fields: &[
        field("water_longitudinal_kn", "knots, negative astern"),
        field("water_transverse_kn", "knots, negative to port"),
        field("water_status", "A valid, V not"),
        field("ground_longitudinal_kn", "knots, negative astern"),
        field("ground_transverse_kn", "knots, negative to port"),
        field("ground_status", "A valid, V not"),
        field("stern_water_transverse_kn", "knots, negative to port"),
        field("stern_water_status", "A valid, V not"),
        field("stern_ground_transverse_kn", "knots, negative to port"),
        field("stern_ground_status", "A valid, V not"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.speedThroughWaterLongitudinal", Take::Number(&[number(0, KNOT_M_S)], -SPEED_MAX, SPEED_MAX))
            .valid(Valid::Is(2, A_IS_VALID)),
        optional("navigation.speedThroughWaterTransverse", Take::Number(&[number(1, KNOT_M_S)], -SPEED_MAX, SPEED_MAX))
            .valid(Valid::Is(2, A_IS_VALID)),
        optional("navigation.speedOverGroundLongitudinal", Take::Number(&[number(3, KNOT_M_S)], -SPEED_MAX, SPEED_MAX))
            .valid(Valid::Is(5, A_IS_VALID)),
        optional("navigation.speedOverGroundTransverse", Take::Number(&[number(4, KNOT_M_S)], -SPEED_MAX, SPEED_MAX))
            .valid(Valid::Is(5, A_IS_VALID)),
        optional("navigation.speedThroughWaterTransverse", Take::Number(&[number(6, KNOT_M_S)], -SPEED_MAX, SPEED_MAX))
            .of("stern")
            .valid(Valid::Is(7, A_IS_VALID)),
        optional("navigation.speedOverGroundTransverse", Take::Number(&[number(8, KNOT_M_S)], -SPEED_MAX, SPEED_MAX))
            .of("stern")
            .valid(Valid::Is(9, A_IS_VALID)),
    ],
    special: Special::None,
};

pub const VLW: SentenceSpec = SentenceSpec {
    formatter: "VLW",
    meaning: "dual ground and water distance",
    fields: &[
        field("water_total_nm", "nautical miles"),
        field("water_total_unit", "N"),
        field("water_trip_nm", "since reset, nautical miles"),
        field("water_trip_unit", "N"),
        field("ground_total_nm", "nautical miles"),
        field("ground_total_unit", "N"),
        field("ground_trip_nm", "since reset, nautical miles"),
        field("ground_trip_unit", "N"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.log", Take::Number(&[number(0, NAUTICAL_MILE_M).fixed(1, b'N')], 0.0, LOG_NM_MAX)),
        optional("navigation.trip.log", Take::Number(&[number(2, NAUTICAL_MILE_M).fixed(3, b'N')], 0.0, LOG_NM_MAX)),
        optional("navigation.log", Take::Number(&[number(4, NAUTICAL_MILE_M).fixed(5, b'N')], 0.0, LOG_NM_MAX))
            .of("ground"),
        optional("navigation.trip.log", Take::Number(&[number(6, NAUTICAL_MILE_M).fixed(7, b'N')], 0.0, LOG_NM_MAX))
            .of("ground"),
    ],
    special: Special::None,
};

pub const VDR: SentenceSpec = SentenceSpec {
    formatter: "VDR",
    meaning: "set and drift",
    fields: &[
        field("set_true_deg", "degrees true"),
        field("set_true_unit", "T"),
        field("set_magnetic_deg", "degrees magnetic"),
        field("set_magnetic_unit", "M"),
        field("drift_kn", "knots"),
        field("drift_unit", "N"),
    ],
    time: TimeRule::None,
    readings: &[
        report("environment.current.setTrue", Take::Number(&[number(0, DEG_RAD).fixed(1, b'T')], 0.0, 360.0)),
        optional("environment.current.setMagnetic", Take::Number(&[number(2, DEG_RAD).fixed(3, b'M')], 0.0, 360.0)),
        report("environment.current.drift", Take::Number(&[number(4, KNOT_M_S).fixed(5, b'N')], 0.0, SPEED_MAX)),
    ],
    special: Special::None,
};

pub const VPW: SentenceSpec = SentenceSpec {
    formatter: "VPW",
    meaning: "speed measured parallel to the wind",
    fields: &[
        field("speed_kn", "knots, negative downwind"),
        field("speed_kn_unit", "N"),
        field("speed_m_s", "metres a second, negative downwind"),
        field("speed_m_s_unit", "M"),
    ],
    time: TimeRule::None,
    readings: &[report(
        "performance.velocityMadeGood",
        Take::Number(&[number(2, 1.0).fixed(3, b'M'), number(0, KNOT_M_S).fixed(1, b'N')], -SPEED_MAX, SPEED_MAX),
    )],
    special: Special::None,
};

const WIND_FIELDS: &[FieldSpec] = &[
    field("wind_angle_deg", "degrees from the bow, 0 to 180"),
    field("side", "L port, R starboard"),
    field("wind_speed_kn", "knots"),
    field("wind_speed_kn_unit", "N"),
    field("wind_speed_m_s", "metres a second"),
    field("wind_speed_m_s_unit", "M"),
    field("wind_speed_km_h", "kilometres an hour"),
    field("wind_speed_km_h_unit", "K"),
];
const WIND_ANGLE: Take = Take::Number(&[number(0, DEG_RAD).negative_if(1, b'L')], -180.0, 180.0);
const WIND_SPEED: Take = Take::Number(
    &[number(4, 1.0).fixed(5, b'M'), number(2, KNOT_M_S).fixed(3, b'N'), number(6, KM_H_M_S).fixed(7, b'K')],
    0.0,
    SPEED_MAX,
);

pub const VWR: SentenceSpec = SentenceSpec {
    formatter: "VWR",
    meaning: "relative (apparent) wind; not in IEC 61162-1 any more",
    fields: WIND_FIELDS,
    time: TimeRule::None,
    readings: &[
        report("environment.wind.angleApparent", WIND_ANGLE),
        report("environment.wind.speedApparent", WIND_SPEED),
    ],
    special: Special::None,
};

pub const VWT: SentenceSpec = SentenceSpec {
    formatter: "VWT",
    meaning: "true wind; not in IEC 61162-1 any more",
    fields: WIND_FIELDS,
    time: TimeRule::None,
    readings: &[
        report("environment.wind.angleTrueWater", WIND_ANGLE),
        report("environment.wind.speedTrue", WIND_SPEED),
    ],
    special: Special::None,
};

pub const THS: SentenceSpec = SentenceSpec {
    formatter: "THS",
    meaning: "true heading and status",
    fields: &[
        field("heading_true_deg", "degrees true"),
        field("mode", "A autonomous, E estimated, M manual, S simulated, V not valid"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.headingTrue", Take::Number(&[number(0, DEG_RAD)], 0.0, 360.0)).valid(Valid::IsNot(1, b'V'))
    ],
    special: Special::None,
};

pub const HEV: SentenceSpec = SentenceSpec {
    formatter: "HEV",
    meaning: "heave",
    fields: &[field("heave_m", "metres, positive up")],
    time: TimeRule::None,
    readings: &[report("environment.heave", Take::Number(&[number(0, 1.0)], -100.0, 100.0))],
    special: Special::None,
};

pub const OSD: SentenceSpec = SentenceSpec {
    formatter: "OSD",
    meaning: "own ship data, of a radar",
    fields: &[
        field("heading_true_deg", "degrees true"),
        field("heading_status", "A valid, V not"),
        field("course_true_deg", "degrees true"),
        field("course_reference", "B bottom, M manual, W water, R radar, P positioning"),
        field("speed", "in the unit of the last field"),
        field("speed_reference", "B bottom, M manual, W water, R radar, P positioning"),
        field("set_true_deg", "entered by hand, degrees true"),
        field("drift", "entered by hand, in the unit of the last field"),
        field("speed_unit", "K km/h, N knots, S statute miles an hour"),
    ],
    time: TimeRule::None,
    readings: &[report("navigation.headingTrue", Take::Number(&[number(0, DEG_RAD)], 0.0, 360.0))
        .valid(Valid::Is(1, A_IS_VALID))],
    special: Special::Fields(special::osd),
};

pub const MDA: SentenceSpec = SentenceSpec {
    formatter: "MDA",
    meaning: "meteorological composite; not in IEC 61162-1 any more, but weather stations still send it",
    fields: &[
        field("pressure_inhg", "inches of mercury"),
        field("pressure_inhg_unit", "I"),
        field("pressure_bar", "bar"),
        field("pressure_bar_unit", "B"),
        field("air_temperature_c", "degrees Celsius"),
        field("air_temperature_unit", "C"),
        field("water_temperature_c", "degrees Celsius"),
        field("water_temperature_unit", "C"),
        field("relative_humidity_percent", "percent"),
        field("absolute_humidity_percent", "percent"),
        field("dew_point_c", "degrees Celsius"),
        field("dew_point_unit", "C"),
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
        optional("environment.outside.temperature", celsius::<4>(AIR_C)),
        optional("environment.water.temperature", celsius::<6>(WATER_C)),
        optional("environment.outside.relativeHumidity", Take::Number(&[number(8, 0.01)], 0.0, 100.0)),
        optional("environment.outside.dewPointTemperature", celsius::<10>(AIR_C)),
        optional("environment.wind.directionTrue", Take::Number(&[number(12, DEG_RAD).fixed(13, b'T')], 0.0, 360.0)),
        optional(
            "environment.wind.directionMagnetic",
            Take::Number(&[number(14, DEG_RAD).fixed(15, b'M')], 0.0, 360.0),
        ),
        optional(
            "environment.wind.speedOverGround",
            Take::Number(&[number(18, 1.0).fixed(19, b'M'), number(16, KNOT_M_S).fixed(17, b'N')], 0.0, SPEED_MAX),
        ),
    ],
    special: Special::Fields(special::mda),
};

/// Degrees Celsius in field `AT`, the letter behind it.
const fn celsius<const AT: usize>(range: (f64, f64)) -> Take {
    Take::Number(const { &[number(AT, 1.0).fixed(AT + 1, b'C').plus(CELSIUS_K)] }, range.0, range.1)
}

pub const MMB: SentenceSpec = SentenceSpec {
    formatter: "MMB",
    meaning: "barometer; not in IEC 61162-1",
    fields: &[
        field("pressure_inhg", "inches of mercury"),
        field("pressure_inhg_unit", "I"),
        field("pressure_bar", "bar"),
        field("pressure_bar_unit", "B"),
    ],
    time: TimeRule::None,
    readings: &[],
    special: Special::Fields(special::mmb),
};

pub const MTA: SentenceSpec = SentenceSpec {
    formatter: "MTA",
    meaning: "air temperature; not in IEC 61162-1",
    fields: &[field("air_temperature_c", "degrees Celsius"), field("air_temperature_unit", "C")],
    time: TimeRule::None,
    readings: &[report("environment.outside.temperature", celsius::<0>(AIR_C))],
    special: Special::None,
};

pub const MHU: SentenceSpec = SentenceSpec {
    formatter: "MHU",
    meaning: "humidity; not in IEC 61162-1",
    fields: &[
        field("relative_humidity_percent", "percent"),
        field("absolute_humidity_percent", "percent"),
        field("dew_point_c", "degrees Celsius"),
        field("dew_point_unit", "C"),
    ],
    time: TimeRule::None,
    readings: &[
        report("environment.outside.relativeHumidity", Take::Number(&[number(0, 0.01)], 0.0, 100.0)),
        optional("environment.outside.dewPointTemperature", celsius::<2>(AIR_C)),
    ],
    special: Special::None,
};
