//! Time, heading, position, course, and the way to the next waypoint.

use std::f64::consts::TAU;

use crate::reading::{Quality, Value};
use crate::wire::nmea2000::table::{PgnSpec, Rule, Take, optional, optional_by, report, report_by, row};
use crate::wire::{Emit, satellite};

pub const ROWS: &[PgnSpec] = &[
    // System time.
    row(126_992, &[report("navigation.datetime", Take::DateTime("Date", "Time"))]).observed("Date", "Time"),
    // Time & date.
    row(129_033, &[report("navigation.datetime", Take::DateTime("Date", "Time"))]).observed("Date", "Time"),
    // Heading/track control.
    row(
        127_237,
        &[
            optional_by("Heading Reference", AUTOPILOT_HEADING, Take::Number("Heading-To-Steer (Course)")),
            optional("steering.rudderAngleTarget", Take::Number("Commanded Rudder Angle")),
        ],
    ),
    // Rudder.
    row(
        127_245,
        &[
            report("steering.rudderAngle", Take::Number("Position")),
            optional("steering.rudderAngleTarget", Take::Number("Angle Order")),
        ],
    )
    .instance("Instance"),
    // Vessel heading.
    row(
        127_250,
        &[
            report_by("Reference", &[(0, "navigation.headingTrue")], Take::Number("Heading")),
            optional("navigation.magneticDeviation", Take::Number("Deviation")),
            optional("navigation.magneticVariation", Take::Number("Variation")),
        ],
    )
    .special(&["Reference", "Heading", "Deviation"], magnetic),
    // Rate of turn.
    row(127_251, &[report("navigation.rateOfTurn", Take::Number("Rate"))]),
    // Heave.
    row(127_252, &[report("environment.heave", Take::Number("Heave"))]),
    // Attitude.
    row(
        127_257,
        &[
            optional("navigation.attitude.yaw", Take::Number("Yaw")),
            report("navigation.attitude.pitch", Take::Number("Pitch")),
            report("navigation.attitude.roll", Take::Number("Roll")),
        ],
    ),
    // Magnetic variation.
    row(127_258, &[report("navigation.magneticVariation", Take::Number("Variation"))]),
    // Leeway angle.
    row(128_000, &[report("navigation.leewayAngle", Take::Number("Leeway Angle"))]),
    // Speed, water referenced.
    row(
        128_259,
        &[
            report("navigation.speedThroughWater", Take::Number("Speed Water Referenced")),
            optional("navigation.speedOverGround", Take::Number("Speed Ground Referenced")),
        ],
    ),
    // Water depth.
    row(128_267, &[report("environment.depth.belowTransducer", Take::Number("Depth"))])
        .special(&["Depth", "Offset"], below),
    // Distance log.
    row(
        128_275,
        &[report("navigation.log", Take::Number("Log")), optional("navigation.trip.log", Take::Number("Trip Log"))],
    )
    .observed("Date", "Time"),
    // Position, rapid update.
    row(129_025, &[report("navigation.position", Take::Position("Latitude", "Longitude"))]),
    // COG & SOG, rapid update.
    row(129_026, COURSE),
    // GNSS position data.
    row(129_029, GNSS).observed("Date", "Time"),
    // Cross track error.
    row(129_283, &[report("navigation.courseRhumbline.crossTrackError", Take::Number("XTE"))]),
    // Navigation data.
    row(129_284, TO_WAYPOINT),
    // GNSS DOPs.
    row(
        129_539,
        &[
            report("navigation.gnss.horizontalDilution", Take::Number("HDOP")),
            optional("navigation.gnss.verticalDilution", Take::Number("VDOP")),
            optional("navigation.gnss.timeDilution", Take::Number("TDOP")),
        ],
    ),
    // GNSS satellites in view.
    row(129_540, SATELLITES)
        .lines("Sats in View", 96)
        .each("PRN", |prn| satellite::instance(None, prn))
        .special(&["Sats in View"], in_view),
    // Small craft status.
    row(
        130_576,
        &[
            optional("steering.trimTab.port", Take::Number("Port trim tab")),
            optional("steering.trimTab.starboard", Take::Number("Starboard trim tab")),
        ],
    ),
    // Direction data.
    row(
        130_577,
        &[
            report_by("COG Reference", COG, Take::Number("COG")),
            report("navigation.speedOverGround", Take::Number("SOG")),
            optional_by("COG Reference", HEADING, Take::Number("Heading")),
            optional("navigation.speedThroughWater", Take::Number("Speed through Water")),
            optional_by("COG Reference", SET, Take::Number("Set")),
            optional("environment.current.drift", Take::Number("Drift")),
        ],
    ),
    // Vessel speed components.
    row(
        130_578,
        &[
            report("navigation.speedThroughWaterLongitudinal", Take::Number("Longitudinal Speed, Water-referenced")),
            optional("navigation.speedThroughWaterTransverse", Take::Number("Transverse Speed, Water-referenced")),
            optional("navigation.speedOverGroundLongitudinal", Take::Number("Longitudinal Speed, Ground-referenced")),
            optional("navigation.speedOverGroundTransverse", Take::Number("Transverse Speed, Ground-referenced")),
        ],
    ),
];

const HEADING: &[(u64, &str)] = &[(0, "navigation.headingTrue"), (1, "navigation.headingMagnetic")];
const COG: &[(u64, &str)] = &[(0, "navigation.courseOverGroundTrue"), (1, "navigation.courseOverGroundMagnetic")];
const SET: &[(u64, &str)] = &[(0, "environment.current.setTrue"), (1, "environment.current.setMagnetic")];
const AUTOPILOT_HEADING: &[(u64, &str)] =
    &[(0, "steering.autopilot.target.headingTrue"), (1, "steering.autopilot.target.headingMagnetic")];

const COURSE: &[Rule] =
    &[report_by("COG Reference", COG, Take::Number("COG")), report("navigation.speedOverGround", Take::Number("SOG"))];

const GNSS: &[Rule] = &[
    report("navigation.datetime", Take::DateTime("Date", "Time")),
    report("navigation.position", Take::Position("Latitude", "Longitude")),
    optional("navigation.gnss.antennaAltitude", Take::Number("Altitude")),
    optional("navigation.gnss.type", Take::Name("GNSS type")),
    report("navigation.gnss.methodQuality", Take::Word("Method", METHOD_QUALITY)),
    optional("navigation.gnss.integrity", Take::Name("Integrity")),
    optional("navigation.gnss.satellites", Take::Whole("Number of SVs")),
    optional("navigation.gnss.horizontalDilution", Take::Number("HDOP")),
    optional("navigation.gnss.positionDilution", Take::Number("PDOP")),
    optional("navigation.gnss.geoidalSeparation", Take::Number("Geoidal Separation")),
    optional("navigation.gnss.differentialReference", Take::Whole("Reference Station ID")),
    optional("navigation.gnss.differentialAge", Take::Number("Age of DGNSS Corrections")),
];

/// Of each satellite, 96 bits.
const SATELLITES: &[Rule] = &[
    optional("navigation.gnss.satellite.elevation", Take::Number("Elevation")),
    optional("navigation.gnss.satellite.azimuth", Take::Number("Azimuth")),
    optional("navigation.gnss.satellite.signalToNoise", Take::Number("SNR")),
];

/// Of all systems together; NMEA 0183 counts each by itself, with the system as the instance.
fn in_view(numbers: &[Option<f64>], emit: &mut Emit<'_>) {
    match numbers {
        [Some(count)] => emit.good("navigation.gnss.satellitesInView", Value::Integer(*count as i64)),
        _ => emit.absent("navigation.gnss.satellitesInView", Quality::NotAvailable),
    }
}

/// Signal K's words; NMEA 0183's GGA gives the same.
const METHOD_QUALITY: &[(u8, &str)] = &[
    (0, "no GPS"),
    (1, "GNSS Fix"),
    (2, "DGNSS fix"),
    (3, "Precise GNSS"),
    (4, "RTK fixed integer"),
    (5, "RTK float"),
    (6, "Estimated (DR) mode"),
    (7, "Manual input"),
    (8, "Simulator mode"),
];

/// Paths by the calculation type: 0 is the great circle, 1 the rhumb line.
macro_rules! course {
    ($leaf:literal) => {
        &[(0, concat!("navigation.courseGreatCircle.", $leaf)), (1, concat!("navigation.courseRhumbline.", $leaf))]
    };
}

const TYPE: &str = "Calculation Type";
const REFERENCE: &str = "Course/Bearing reference";
const TO: &str = "Bearing, Position to Destination Waypoint";
const TRACK: &str = "Bearing, Origin to Destination Waypoint";

const TO_WAYPOINT: &[Rule] = &[
    report_by(TYPE, course!("nextPoint.distance"), Take::Number("Distance to Waypoint")),
    report_by(TYPE, course!("nextPoint.bearingTrue"), Take::Number(TO)).when(REFERENCE, 0),
    report_by(TYPE, course!("nextPoint.bearingMagnetic"), Take::Number(TO)).when(REFERENCE, 1),
    optional_by(TYPE, course!("bearingTrackTrue"), Take::Number(TRACK)).when(REFERENCE, 0),
    optional_by(TYPE, course!("bearingTrackMagnetic"), Take::Number(TRACK)).when(REFERENCE, 1),
    optional_by(TYPE, course!("activeRoute.estimatedTimeOfArrival"), Take::DateTime("ETA Date", "ETA Time")),
    optional_by(TYPE, course!("nextPoint.position"), Take::Position("Destination Latitude", "Destination Longitude")),
    optional("performance.velocityMadeGoodToWaypoint", Take::Number("Waypoint Closing Velocity")),
    optional_by(TYPE, course!("nextPoint.arrived"), Take::Switch("Arrival Circle Entered")),
    optional_by(TYPE, course!("nextPoint.perpendicularPassed"), Take::Switch("Perpendicular Crossed")),
];

/// With a deviation, a magnetic heading is the sensor's own and is corrected by it; without one the sensor is taken at
/// its word. NMEA 0183's HDG says the same.
fn magnetic(numbers: &[Option<f64>], emit: &mut Emit<'_>) {
    let &[Some(1.0), heading, deviation] = numbers else { return };
    let mut tell = |path: &'static str, heading: Option<f64>| match heading {
        Some(heading) => emit.good(path, Value::Float(heading)),
        None => emit.absent(path, Quality::NotAvailable),
    };
    if deviation.is_some() {
        tell("navigation.headingCompass", heading);
    }
    let corrected = |heading: f64, east: f64| (heading + east).rem_euclid(TAU);
    tell(
        "navigation.headingMagnetic",
        heading.map(|heading| deviation.map_or(heading, |east| corrected(heading, east))),
    );
}

/// The offset's sign says what it is: positive to the water line, negative to the keel. Zero says nothing: most
/// sounders send it unset.
fn below(numbers: &[Option<f64>], emit: &mut Emit<'_>) {
    let &[depth, Some(offset)] = numbers else { return };
    let (from, below, size) = match offset {
        up if up > 0.0 => ("environment.depth.surfaceToTransducer", "environment.depth.belowSurface", up),
        down if down < 0.0 => ("environment.depth.transducerToKeel", "environment.depth.belowKeel", -down),
        _ => return,
    };
    emit.good(from, Value::Float(size));
    if let Some(depth) = depth {
        emit.good(below, Value::Float(depth + offset));
    }
}
