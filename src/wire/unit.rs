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
