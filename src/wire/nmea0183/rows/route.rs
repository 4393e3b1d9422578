//! Sentences about the way ahead: waypoints, bearings, the cross-track error, what the autopilot steers.
//!
//! Signal K counts a vessel right of the track positive; the sentences say the direction to steer, so `R` is negative.

use super::{A_IS_VALID, SPEED_MAX};
use crate::wire::nmea0183::special;
use crate::wire::nmea0183::table::{
    DEG_RAD, FieldSpec, KNOT_M_S, NAUTICAL_MILE_M, ReadingSpec, SentenceSpec, Special, Take, TimeRule, Valid, field,
    number, optional, report,
};

/// Half the Earth's circumference, nautical miles: nothing is further off.
const RANGE_NM_MAX: f64 = 10_800.0;

const RHUMBLINE_ERROR: &str = "navigation.courseRhumbline.crossTrackError";

/// The cross-track error in field `at`, the direction to steer in the one behind it.
const fn track_error(at: &'static [crate::wire::nmea0183::table::Number], valid: Valid) -> ReadingSpec {
    report(RHUMBLINE_ERROR, Take::Number(at, -RANGE_NM_MAX, RANGE_NM_MAX)).valid(valid)
}

const STEER: &str = "direction to steer, L or R";

pub const RMB: SentenceSpec = SentenceSpec {
    formatter: "RMB",
    meaning: "recommended minimum navigation information",
    fields: &[
        field("status", "A valid, V not"),
        field("cross_track_error_nm", "nautical miles"),
        field("direction_to_steer", STEER),
        field("origin", "waypoint"),
        field("destination", "waypoint"),
        field("latitude", "of the destination, ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "of the destination, dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("range_nm", "to the destination, nautical miles; 999.9 means that or more"),
        field("bearing_true_deg", "to the destination, degrees true"),
        field("closing_velocity_kn", "to the destination, knots"),
        field("arrival", "A entered the circle or passed the perpendicular, V not"),
        field("mode", "A, D, E, F, M, N, P, R, S; as RMC"),
    ],
    time: TimeRule::None,
    readings: &[
        track_error(&[number(1, NAUTICAL_MILE_M).negative_if(2, b'R')], RMB_VALID),
        optional("navigation.courseRhumbline.previousPoint.name", Take::Text(3)),
        optional("navigation.courseRhumbline.nextPoint.name", Take::Text(4)),
        optional("navigation.courseRhumbline.nextPoint.position", Take::Position(5)).valid(RMB_VALID),
        optional(
            "navigation.courseRhumbline.nextPoint.distance",
            Take::Number(&[number(9, NAUTICAL_MILE_M)], 0.0, RANGE_NM_MAX),
        )
        .valid(RMB_VALID),
        optional("navigation.courseRhumbline.nextPoint.bearingTrue", Take::Number(&[number(10, DEG_RAD)], 0.0, 360.0))
            .valid(RMB_VALID),
        optional(
            "performance.velocityMadeGoodToWaypoint",
            Take::Number(&[number(11, KNOT_M_S)], -SPEED_MAX, SPEED_MAX),
        )
        .valid(RMB_VALID),
        optional("navigation.courseRhumbline.nextPoint.arrived", Take::Flag(12, b'A', b'V')).valid(RMB_VALID),
    ],
    special: Special::None,
};
const RMB_VALID: Valid = Valid::Is(0, A_IS_VALID);

pub const APB: SentenceSpec = SentenceSpec {
    formatter: "APB",
    meaning: "heading or track controller sentence B",
    fields: &[
        field("status", "A valid, V blink or signal lost"),
        field("cycle_lock", "A valid or not used, V warning"),
        field("cross_track_error_nm", "nautical miles"),
        field("direction_to_steer", STEER),
        field("cross_track_error_unit", "N"),
        field("arrival_circle", "A entered, V not"),
        field("perpendicular", "A passed, V not"),
        field("bearing_origin_to_destination_deg", "degrees"),
        field("bearing_origin_to_destination_reference", "T or M"),
        field("destination", "waypoint"),
        field("bearing_to_destination_deg", "from the present position, degrees"),
        field("bearing_to_destination_reference", "T or M"),
        field("heading_to_steer_deg", "degrees"),
        field("heading_to_steer_reference", "T or M"),
        field("mode", "A, D, E, F, M, N, P, R, S; as RMC"),
    ],
    time: TimeRule::None,
    readings: &[
        track_error(&[number(2, NAUTICAL_MILE_M).fixed(4, b'N').negative_if(3, b'R')], TRACK_VALID),
        optional("navigation.courseRhumbline.nextPoint.arrived", Take::Flag(5, b'A', b'V')).valid(TRACK_VALID),
        optional("navigation.courseRhumbline.nextPoint.perpendicularPassed", Take::Flag(6, b'A', b'V'))
            .valid(TRACK_VALID),
        bearing("navigation.courseRhumbline.bearingTrackTrue", &[number(7, DEG_RAD)]).when(8, b'T').valid(TRACK_VALID),
        bearing("navigation.courseRhumbline.bearingTrackMagnetic", &[number(7, DEG_RAD)])
            .when(8, b'M')
            .valid(TRACK_VALID),
        optional("navigation.courseRhumbline.nextPoint.name", Take::Text(9)),
        bearing("navigation.courseRhumbline.nextPoint.bearingTrue", &[number(10, DEG_RAD)])
            .when(11, b'T')
            .valid(TRACK_VALID),
        bearing("navigation.courseRhumbline.nextPoint.bearingMagnetic", &[number(10, DEG_RAD)])
            .when(11, b'M')
            .valid(TRACK_VALID),
        bearing("steering.autopilot.target.headingTrue", &[number(12, DEG_RAD)]).when(13, b'T').valid(TRACK_VALID),
        bearing("steering.autopilot.target.headingMagnetic", &[number(12, DEG_RAD)]).when(13, b'M').valid(TRACK_VALID),
    ],
    special: Special::None,
};

/// Two flags that must both be A: status and cycle lock.
const TRACK_VALID: Valid = Valid::Both(0, 1, A_IS_VALID);

const fn bearing(path: &'static str, from: &'static [crate::wire::nmea0183::table::Number]) -> ReadingSpec {
    optional(path, Take::Number(from, 0.0, 360.0))
}

pub const XTE: SentenceSpec = SentenceSpec {
    formatter: "XTE",
    meaning: "cross-track error, measured",
    fields: &[
        field("status", "A valid, V blink or signal lost"),
        field("cycle_lock", "A valid or not used, V warning"),
        field("cross_track_error_nm", "nautical miles"),
        field("direction_to_steer", STEER),
        field("cross_track_error_unit", "N"),
        field("mode", "A, D, E, M, N, S; as RMC"),
    ],
    time: TimeRule::None,
    readings: &[track_error(&[number(2, NAUTICAL_MILE_M).fixed(4, b'N').negative_if(3, b'R')], TRACK_VALID)],
    special: Special::None,
};

pub const XTR: SentenceSpec = SentenceSpec {
    formatter: "XTR",
    meaning: "cross-track error, dead reckoning",
    fields: &[
        field("cross_track_error_nm", "nautical miles"),
        field("direction_to_steer", STEER),
        field("cross_track_error_unit", "N"),
    ],
    time: TimeRule::None,
    readings: &[track_error(&[number(0, NAUTICAL_MILE_M).fixed(2, b'N').negative_if(1, b'R')], Valid::Always)],
    special: Special::None,
};

pub const BOD: SentenceSpec = SentenceSpec {
    formatter: "BOD",
    meaning: "bearing from origin to destination",
    fields: &[
        field("bearing_true_deg", "degrees true"),
        field("bearing_true_unit", "T"),
        field("bearing_magnetic_deg", "degrees magnetic"),
        field("bearing_magnetic_unit", "M"),
        field("destination", "waypoint"),
        field("origin", "waypoint"),
    ],
    time: TimeRule::None,
    readings: &[
        report(
            "navigation.courseGreatCircle.bearingTrackTrue",
            Take::Number(&[number(0, DEG_RAD).fixed(1, b'T')], 0.0, 360.0),
        ),
        bearing("navigation.courseGreatCircle.bearingTrackMagnetic", &[number(2, DEG_RAD).fixed(3, b'M')]),
        optional("navigation.courseGreatCircle.nextPoint.name", Take::Text(4)),
        optional("navigation.courseGreatCircle.previousPoint.name", Take::Text(5)),
    ],
    special: Special::None,
};

const POINT_FIELDS: &[FieldSpec] = &[
    field("utc", "hhmmss.ss"),
    field("latitude", "of the waypoint, ddmm.mmmm"),
    field("latitude_hemisphere", "N or S"),
    field("longitude", "of the waypoint, dddmm.mmmm"),
    field("longitude_hemisphere", "E or W"),
    field("bearing_true_deg", "degrees true"),
    field("bearing_true_unit", "T"),
    field("bearing_magnetic_deg", "degrees magnetic"),
    field("bearing_magnetic_unit", "M"),
    field("distance_nm", "nautical miles"),
    field("distance_unit", "N"),
    field("destination", "waypoint"),
    field("mode", "A, D, E, F, M, N, P, R, S; as RMC"),
];
const POINT_VALID: Valid = Valid::Unless(12, b'N');
const POINT_BEARING_TRUE: Take = Take::Number(&[number(5, DEG_RAD).fixed(6, b'T')], 0.0, 360.0);
const POINT_BEARING_MAGNETIC: Take = Take::Number(&[number(7, DEG_RAD).fixed(8, b'M')], 0.0, 360.0);
const POINT_DISTANCE: Take = Take::Number(&[number(9, NAUTICAL_MILE_M).fixed(10, b'N')], 0.0, RANGE_NM_MAX);

/// A row of the waypoint that a course leads to.
macro_rules! next_point {
    ($formatter:literal, $meaning:literal, $course:literal) => {
        SentenceSpec {
            formatter: $formatter,
            meaning: $meaning,
            fields: POINT_FIELDS,
            time: TimeRule::Utc(0, POINT_VALID),
            readings: &[
                optional(concat!($course, ".nextPoint.position"), Take::Position(1)).valid(POINT_VALID),
                report(concat!($course, ".nextPoint.bearingTrue"), POINT_BEARING_TRUE).valid(POINT_VALID),
                optional(concat!($course, ".nextPoint.bearingMagnetic"), POINT_BEARING_MAGNETIC).valid(POINT_VALID),
                report(concat!($course, ".nextPoint.distance"), POINT_DISTANCE).valid(POINT_VALID),
                optional(concat!($course, ".nextPoint.name"), Take::Text(11)),
            ],
            special: Special::None,
        }
    };
}

pub const BWC: SentenceSpec =
    next_point!("BWC", "bearing and distance to waypoint, great circle", "navigation.courseGreatCircle");

pub const BWR: SentenceSpec =
    next_point!("BWR", "bearing and distance to waypoint, rhumb line", "navigation.courseRhumbline");

pub const AAM: SentenceSpec = SentenceSpec {
    formatter: "AAM",
    meaning: "waypoint arrival alarm",
    fields: &[
        field("arrival_circle", "A entered, V not"),
        field("perpendicular", "A passed, V not"),
        field("arrival_circle_radius_nm", "nautical miles"),
        field("arrival_circle_radius_unit", "N"),
        field("destination", "waypoint"),
    ],
    time: TimeRule::None,
    readings: &[
        report("navigation.courseRhumbline.nextPoint.arrived", Take::Flag(0, b'A', b'V')),
        optional("navigation.courseRhumbline.nextPoint.perpendicularPassed", Take::Flag(1, b'A', b'V')),
        optional(
            "navigation.courseRhumbline.nextPoint.arrivalCircle",
            Take::Number(&[number(2, NAUTICAL_MILE_M).fixed(3, b'N')], 0.0, RANGE_NM_MAX),
        ),
        optional("navigation.courseRhumbline.nextPoint.name", Take::Text(4)),
    ],
    special: Special::None,
};

pub const WCV: SentenceSpec = SentenceSpec {
    formatter: "WCV",
    meaning: "waypoint closure velocity",
    fields: &[
        field("velocity_kn", "knots"),
        field("velocity_unit", "N"),
        field("destination", "waypoint"),
        field("mode", "A, D, E, F, M, N, P, R, S; as RMC"),
    ],
    time: TimeRule::None,
    readings: &[report(
        "performance.velocityMadeGoodToWaypoint",
        Take::Number(&[number(0, KNOT_M_S).fixed(1, b'N')], -SPEED_MAX, SPEED_MAX),
    )
    .valid(Valid::Unless(3, b'N'))],
    special: Special::None,
};

pub const RTE: SentenceSpec = SentenceSpec {
    formatter: "RTE",
    meaning: "routes; the waypoints follow, none is a measurement",
    fields: &[
        field("sentences", "that the route takes"),
        field("sentence", "which of them this is, from 1"),
        field("kind", "c complete, w working: the first waypoint was passed"),
        field("route", "its name"),
    ],
    time: TimeRule::None,
    readings: &[optional("navigation.courseRhumbline.activeRoute.name", Take::Text(3))],
    special: Special::None,
};

pub const HTC: SentenceSpec = SentenceSpec {
    formatter: "HTC",
    meaning: "heading and track control command",
    fields: CONTROL_FIELDS,
    time: TimeRule::None,
    readings: CONTROL,
    special: Special::None,
};

pub const HTD: SentenceSpec = SentenceSpec {
    formatter: "HTD",
    meaning: "heading and track control data",
    fields: CONTROL_FIELDS,
    time: TimeRule::None,
    readings: CONTROL,
    special: Special::Fields(special::htd),
};

const CONTROL_FIELDS: &[FieldSpec] = &[
    field("override", "A in use, V not"),
    field("rudder_angle_deg", "commanded, degrees"),
    field("rudder_direction", "L or R"),
    field("steering_mode", "M manual, S stand-alone heading, H heading, T track, R rudder"),
    field("turn_mode", "R radius, T rate of turn, N not controlled"),
    field("rudder_limit_deg", "degrees"),
    field("off_heading_limit_deg", "degrees"),
    field("turn_radius_nm", "commanded, nautical miles"),
    field("rate_of_turn_deg_min", "commanded, degrees a minute"),
    field("heading_deg", "commanded, degrees"),
    field("off_track_limit_nm", "nautical miles"),
    field("track_deg", "commanded, degrees"),
    field("heading_reference", "T or M"),
    field("rudder_status", "A within its limit, V reached or exceeded"),
    field("off_heading_status", "A within its limit, V reached or exceeded"),
    field("off_track_status", "A within its limit, V reached or exceeded"),
    field("vessel_heading_deg", "degrees"),
];
static STEERING_MODES: crate::wire::nmea0183::table::Words = crate::wire::nmea0183::table::Words::new(&[
    (b'M', "manual"),
    (b'S', "stand-alone heading control"),
    (b'H', "heading control"),
    (b'T', "track control"),
    (b'R', "rudder control"),
]);
const CONTROL: &[ReadingSpec] = &[
    optional("steering.rudderAngleTarget", Take::Number(&[number(1, DEG_RAD).negative_if(2, b'L')], -180.0, 180.0)),
    report("steering.autopilot.mode", Take::Word(3, &STEERING_MODES)),
    bearing("steering.autopilot.target.headingTrue", &[number(9, DEG_RAD)]).when(12, b'T'),
    bearing("steering.autopilot.target.headingMagnetic", &[number(9, DEG_RAD)]).when(12, b'M'),
];
