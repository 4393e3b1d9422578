//! The SI unit of each path that decoders make. A test holds it against Signal K's own list where that is at hand.

use super::nmea0183::unit_of_transducer;

/// The SI unit of a path: `m`, `rad`, `m/s`, `K`, `Hz`, `deg` for positions; empty when it has none.
pub fn unit(path: &str) -> &'static str {
    if let Some(rest) = path.strip_prefix("sensors.") {
        return match rest.rsplit_once('.') {
            Some(("ais", "fromBow" | "fromCenter")) => "m",
            Some((_, quantity)) => unit_of_transducer(quantity),
            None => "",
        };
    }
    if path.starts_with("propulsion.") {
        return if path.ends_with(".revolutions") { "Hz" } else { "" };
    }
    match path {
        "navigation.position" => "deg",
        "navigation.speedOverGround"
        | "navigation.speedThroughWater"
        | "environment.wind.speedApparent"
        | "environment.wind.speedTrue"
        | "environment.wind.speedOverGround" => "m/s",
        "navigation.courseOverGroundTrue"
        | "navigation.courseOverGroundMagnetic"
        | "navigation.headingTrue"
        | "navigation.headingMagnetic"
        | "navigation.headingCompass"
        | "navigation.magneticVariation"
        | "navigation.magneticDeviation"
        | "navigation.attitude.pitch"
        | "navigation.attitude.roll"
        | "navigation.attitude.yaw"
        | "steering.rudderAngle"
        | "environment.wind.angleApparent"
        | "environment.wind.angleTrueWater"
        | "environment.wind.directionTrue"
        | "environment.wind.directionMagnetic" => "rad",
        "navigation.rateOfTurn" => "rad/s",
        "environment.depth.belowTransducer"
        | "environment.depth.belowSurface"
        | "environment.depth.belowKeel"
        | "environment.depth.surfaceToTransducer"
        | "environment.depth.transducerToKeel"
        | "navigation.gnss.antennaAltitude"
        | "navigation.gnss.geoidalSeparation"
        | "design.length.overall"
        | "design.beam"
        | "design.draft.current" => "m",
        "navigation.gnss.differentialAge" => "s",
        "environment.water.temperature" | "environment.outside.temperature" => "K",
        "environment.outside.pressure" => "Pa",
        "environment.outside.relativeHumidity" => "ratio",
        _ => unit_of_bridge(path),
    }
}

/// Paths of routes, radar targets, satellite receivers, weather broadcasts and the AIS service, by their unit. The
/// signal of a satellite is C/N0, decibels of one hertz.
const UNITS_OF_BRIDGE: [(&str, &[&str]); 8] = [
    (
        "deg",
        &[
            "navigation.courseRhumbline.nextPoint.position",
            "navigation.courseGreatCircle.nextPoint.position",
            "navigation.radarTargets.position",
            "navigation.waypoints.position",
            "communication.ais.area",
        ],
    ),
    (
        "m",
        &[
            "navigation.courseRhumbline.crossTrackError",
            "navigation.courseRhumbline.nextPoint.distance",
            "navigation.courseRhumbline.nextPoint.arrivalCircle",
            "navigation.courseGreatCircle.nextPoint.distance",
            "navigation.log",
            "navigation.trip.log",
            "navigation.heave",
            "navigation.radarTargets.distance",
            "navigation.radarTargets.closestDistance",
            "navigation.gnss.latitudeError",
            "navigation.gnss.longitudeError",
            "navigation.gnss.altitudeError",
            "navigation.gnss.horizontalError",
            "navigation.gnss.verticalError",
            "navigation.gnss.positionError",
            "navigation.gnss.bias",
            "navigation.gnss.biasDeviation",
            "navigation.gnss.rangeDeviation",
            "navigation.gnss.semiMajorDeviation",
            "navigation.gnss.semiMinorDeviation",
            "navigation.gnss.latitudeDeviation",
            "navigation.gnss.longitudeDeviation",
            "navigation.gnss.altitudeDeviation",
            "navigation.gnss.rangeResidual",
            "navigation.gnss.datumAltitudeOffset",
            "environment.outside.horizontalVisibility",
            "environment.water.level",
            "environment.water.waves.significantHeight",
            "environment.water.swell.height",
            "environment.current.depth",
            "communication.ais.transitionalZone",
        ],
    ),
    (
        "m/s",
        &[
            "navigation.courseRhumbline.nextPoint.velocityMadeGood",
            "navigation.speedThroughWaterLongitudinal",
            "navigation.speedThroughWaterTransverse",
            "navigation.speedOverGroundLongitudinal",
            "navigation.speedOverGroundTransverse",
            "navigation.radarTargets.speed",
            "performance.velocityMadeGood",
            "performance.velocityMadeGoodToWaypoint",
            "environment.wind.gust",
            "environment.current.drift",
        ],
    ),
    (
        "rad",
        &[
            "navigation.courseRhumbline.bearingTrackTrue",
            "navigation.courseRhumbline.bearingTrackMagnetic",
            "navigation.courseRhumbline.nextPoint.bearingTrue",
            "navigation.courseRhumbline.nextPoint.bearingMagnetic",
            "navigation.courseGreatCircle.bearingTrackTrue",
            "navigation.courseGreatCircle.bearingTrackMagnetic",
            "navigation.courseGreatCircle.nextPoint.bearingTrue",
            "navigation.courseGreatCircle.nextPoint.bearingMagnetic",
            "navigation.gnss.ellipseOrientation",
            "navigation.gnss.datumLatitudeOffset",
            "navigation.gnss.datumLongitudeOffset",
            "navigation.gnss.satellite.elevation",
            "navigation.gnss.satellite.azimuth",
            "navigation.radarTargets.bearingTrue",
            "navigation.radarTargets.bearingRelative",
            "navigation.radarTargets.courseTrue",
            "navigation.radarTargets.courseRelative",
            "steering.rudderAngleTarget",
            "steering.autopilot.target.headingTrue",
            "steering.autopilot.target.headingMagnetic",
            "environment.wind.gustDirectionTrue",
            "environment.current.setTrue",
            "environment.current.setMagnetic",
            "environment.water.waves.directionTrue",
            "environment.water.swell.directionTrue",
        ],
    ),
    (
        "s",
        &[
            "navigation.radarTargets.closestTime",
            "environment.water.waves.period",
            "environment.water.swell.period",
            "communication.ais.quietTime",
        ],
    ),
    ("dB", &["navigation.gnss.satellite.signalToNoise"]),
    ("K", &["environment.outside.dewPointTemperature"]),
    ("ratio", &["environment.water.salinity", "navigation.gnss.missedDetectionProbability"]),
];

fn unit_of_bridge(path: &str) -> &'static str {
    UNITS_OF_BRIDGE.iter().find(|(_, paths)| paths.contains(&path)).map_or("", |(unit, _)| unit)
}
