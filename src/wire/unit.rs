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
        return if path.ends_with(".revolutions") { "Hz" } else { unit_of_leaf(path) };
    }
    if path.starts_with("electrical.") {
        return electrical(path.rsplit_once('.').map_or("", |(_, quantity)| quantity));
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
        "environment.heave" | "navigation.log" | "navigation.trip.log" => "m",
        "navigation.leewayAngle"
        | "steering.rudderAngleTarget"
        | "steering.autopilot.target.headingTrue"
        | "steering.autopilot.target.headingMagnetic"
        | "environment.wind.angleTrueGround"
        | "environment.current.setTrue"
        | "environment.current.setMagnetic" => "rad",
        "navigation.speedThroughWaterLongitudinal"
        | "navigation.speedThroughWaterTransverse"
        | "navigation.speedOverGroundLongitudinal"
        | "navigation.speedOverGroundTransverse"
        | "environment.current.drift" => "m/s",
        "navigation.gnss.satellite.elevation" | "navigation.gnss.satellite.azimuth" => "rad",
        "navigation.gnss.satellite.signalToNoise" => "dB",
        "steering.trimTab.port" | "steering.trimTab.starboard" => "ratio",
        _ => match unit_of_bridge(path) {
            "" => unit_of_leaf(path),
            unit => unit,
        },
    }
}

/// The SI unit of what there are several of (engines, tanks, batteries, rooms, courses): the last part of the path
/// tells it.
fn unit_of_leaf(path: &str) -> &'static str {
    let (Some((group, _)), Some((_, leaf))) = (path.split_once('.'), path.rsplit_once('.')) else { return "" };
    match (group, leaf) {
        ("electrical", "current") => "A",
        ("electrical", "realPower") => "W",
        ("electrical", "reactivePower") => "VAR",
        ("electrical", "frequency") | ("propulsion", "revolutionsRated") => "Hz",
        ("electrical", "voltage" | "ripple" | "lineNeutralVoltage" | "lineLineVoltage")
        | ("propulsion", "alternatorVoltage") => "V",
        ("electrical", "stateOfCharge" | "stateOfHealth")
        | ("propulsion", "trimState" | "engineLoad" | "engineTorque")
        | ("tanks", "currentLevel")
        | ("environment", "relativeHumidity") => "ratio",
        ("electrical", "timeRemaining") | ("propulsion", "runTime") => "s",
        ("propulsion", "used") | ("tanks", "capacity") => "m3",
        ("propulsion", "rate" | "averageRate" | "economyRate") => "m3/s",
        ("propulsion" | "tanks" | "environment", "pressure")
        | ("propulsion", "oilPressure" | "boostPressure" | "coolantPressure")
        | ("environment", "altimeterSetting") => "Pa",
        ("navigation", "distance" | "crossTrackError") => "m",
        ("navigation", "bearingTrue" | "bearingMagnetic" | "bearingTrackTrue" | "bearingTrackMagnetic") => "rad",
        ("navigation", "velocityMadeGood") => "m/s",
        ("navigation", "position") => "deg",
        ("propulsion" | "tanks" | "environment" | "electrical", leaf)
            if leaf == "temperature" || leaf.ends_with("Temperature") =>
        {
            "K"
        }
        _ => "",
    }
}

/// The SI unit of an electrical quantity. Signal K gives reactive power in VAR; a power factor has no unit there, the
/// powers of a battery or a direct current bus and energies are ours.
fn electrical(quantity: &str) -> &'static str {
    match quantity {
        "voltage" | "lineNeutralVoltage" | "lineLineVoltage" | "panelVoltage" | "setpointVoltage" | "ripple" => "V",
        "current" | "panelCurrent" | "loadCurrent" | "setpointCurrent" => "A",
        "power" | "realPower" | "panelPower" => "W",
        "apparentPower" => "VA",
        "reactivePower" => "VAR",
        "powerFactor" | "stateOfCharge" | "stateOfHealth" => "ratio",
        "frequency" | "revolutions" => "Hz",
        "temperature" | "panelTemperature" | "regulatorTemperature" => "K",
        "energyImported" | "energyExported" | "energyCharged" | "energyDischarged" | "yieldToday" => "J",
        "nominal" | "remaining" | "actual" | "dischargeLimit" => "J",
        "dischargeSinceFull" | "lifetimeDischarge" | "lifetimeRecharge" => "C",
        "timeRemaining" => "s",
        _ => "",
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
