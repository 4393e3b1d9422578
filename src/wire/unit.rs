//! The SI unit of each path that decoders make. A test holds it against Signal K's own list where that is at hand.
//!
//! It refuses to know the paths of device maps and DBC files: those carry their units themselves.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::nmea0183::unit_of_transducer;

/// Units and the paths that have them, after Signal K 1.7. `group.*.leaf` stands for what there are several of:
/// engines, tanks, batteries, courses, rooms. A whole path goes before these. Signal K gives reactive power in VAR and
/// a power factor no unit; energies, and the powers of direct current, are ours. The signal of a satellite is C/N0,
/// decibels of one hertz.
const UNITS: &[(&str, &[&str])] = &[
    ("deg", &["communication.ais.area", "environment.observed.position", "navigation.*.position"]),
    (
        "rad",
        &[
            "environment.current.setMagnetic",
            "environment.current.setTrue",
            "environment.water.swell.directionTrue",
            "environment.water.waves.directionTrue",
            "environment.wind.angleApparent",
            "environment.wind.angleTrueGround",
            "environment.wind.angleTrueWater",
            "environment.wind.directionMagnetic",
            "environment.wind.directionTrue",
            "environment.wind.gustDirectionTrue",
            "navigation.attitude.pitch",
            "navigation.attitude.roll",
            "navigation.attitude.yaw",
            "navigation.courseOverGroundMagnetic",
            "navigation.courseOverGroundTrue",
            "navigation.gnss.datumLatitudeOffset",
            "navigation.gnss.datumLongitudeOffset",
            "navigation.gnss.ellipseOrientation",
            "navigation.gnss.satellite.azimuth",
            "navigation.gnss.satellite.elevation",
            "navigation.headingCompass",
            "navigation.headingMagnetic",
            "navigation.headingTrue",
            "navigation.leewayAngle",
            "navigation.magneticDeviation",
            "navigation.magneticVariation",
            "navigation.radarTargets.bearingRelative",
            "navigation.radarTargets.courseRelative",
            "navigation.radarTargets.courseTrue",
            "steering.autopilot.target.headingMagnetic",
            "steering.autopilot.target.headingTrue",
            "steering.rudderAngle",
            "steering.rudderAngleTarget",
            "navigation.*.bearingTrue",
            "navigation.*.bearingMagnetic",
            "navigation.*.bearingTrackTrue",
            "navigation.*.bearingTrackMagnetic",
        ],
    ),
    ("rad/s", &["navigation.rateOfTurn"]),
    (
        "m",
        &[
            "communication.ais.transitionalZone",
            "design.beam",
            "design.draft.current",
            "design.length.overall",
            "environment.current.depth",
            "environment.depth.belowKeel",
            "environment.depth.belowSurface",
            "environment.depth.belowTransducer",
            "environment.depth.surfaceToTransducer",
            "environment.depth.transducerToKeel",
            "environment.heave",
            "environment.outside.horizontalVisibility",
            "environment.water.level",
            "environment.water.swell.height",
            "environment.water.waves.significantHeight",
            "navigation.courseRhumbline.nextPoint.arrivalCircle",
            "navigation.gnss.altitudeDeviation",
            "navigation.gnss.altitudeError",
            "navigation.gnss.antennaAltitude",
            "navigation.gnss.bias",
            "navigation.gnss.biasDeviation",
            "navigation.gnss.datumAltitudeOffset",
            "navigation.gnss.geoidalSeparation",
            "navigation.gnss.horizontalError",
            "navigation.gnss.latitudeDeviation",
            "navigation.gnss.latitudeError",
            "navigation.gnss.longitudeDeviation",
            "navigation.gnss.longitudeError",
            "navigation.gnss.positionError",
            "navigation.gnss.rangeDeviation",
            "navigation.gnss.rangeResidual",
            "navigation.gnss.semiMajorDeviation",
            "navigation.gnss.semiMinorDeviation",
            "navigation.gnss.verticalError",
            "navigation.log",
            "navigation.radarTargets.closestDistance",
            "navigation.trip.log",
            "navigation.*.distance",
            "navigation.*.crossTrackError",
        ],
    ),
    (
        "m/s",
        &[
            "environment.current.drift",
            "environment.wind.gust",
            "environment.wind.speedApparent",
            "environment.wind.speedOverGround",
            "environment.wind.speedTrue",
            "navigation.radarTargets.speed",
            "navigation.speedOverGround",
            "navigation.speedOverGroundLongitudinal",
            "navigation.speedOverGroundTransverse",
            "navigation.speedThroughWater",
            "navigation.speedThroughWaterLongitudinal",
            "navigation.speedThroughWaterTransverse",
            "performance.velocityMadeGood",
            "performance.velocityMadeGoodToWaypoint",
        ],
    ),
    ("m3", &["propulsion.*.used", "tanks.*.capacity"]),
    ("m3/s", &["propulsion.*.rate", "propulsion.*.averageRate", "propulsion.*.economyRate"]),
    (
        "s",
        &[
            "communication.ais.quietTime",
            "environment.water.swell.period",
            "environment.water.waves.period",
            "navigation.gnss.differentialAge",
            "navigation.radarTargets.closestTime",
            "electrical.*.timeRemaining",
            "propulsion.*.runTime",
        ],
    ),
    (
        "Hz",
        &[
            "electrical.*.frequency",
            "electrical.*.revolutions",
            "propulsion.*.revolutions",
            "propulsion.*.ratedRevolutions",
        ],
    ),
    (
        "K",
        &[
            "electrical.*.temperature",
            "electrical.*.panelTemperature",
            "electrical.*.regulatorTemperature",
            "propulsion.*.temperature",
            "propulsion.*.*Temperature",
            "tanks.*.temperature",
            "tanks.*.*Temperature",
            "environment.*.temperature",
            "environment.*.*Temperature",
        ],
    ),
    (
        "Pa",
        &[
            "propulsion.*.pressure",
            "propulsion.*.oilPressure",
            "propulsion.*.boostPressure",
            "propulsion.*.coolantPressure",
            "tanks.*.pressure",
            "environment.*.pressure",
            "environment.*.altimeterSetting",
        ],
    ),
    (
        "V",
        &[
            "electrical.*.voltage",
            "electrical.*.ripple",
            "electrical.*.lineNeutralVoltage",
            "electrical.*.lineLineVoltage",
            "electrical.*.panelVoltage",
            "electrical.*.setpointVoltage",
            "propulsion.*.alternatorVoltage",
        ],
    ),
    (
        "A",
        &[
            "electrical.*.current",
            "electrical.*.panelCurrent",
            "electrical.*.loadCurrent",
            "electrical.*.setpointCurrent",
        ],
    ),
    ("W", &["electrical.*.power", "electrical.*.realPower", "electrical.*.panelPower"]),
    ("VA", &["electrical.*.apparentPower"]),
    ("VAR", &["electrical.*.reactivePower"]),
    (
        "J",
        &[
            "electrical.*.energyImported",
            "electrical.*.energyExported",
            "electrical.*.energyCharged",
            "electrical.*.energyDischarged",
            "electrical.*.yieldToday",
            "electrical.*.nominal",
            "electrical.*.remaining",
            "electrical.*.actual",
            "electrical.*.dischargeLimit",
        ],
    ),
    ("C", &["electrical.*.dischargeSinceFull", "electrical.*.lifetimeDischarge", "electrical.*.lifetimeRecharge"]),
    (
        "ratio",
        &[
            "environment.water.salinity",
            "navigation.gnss.missedDetectionProbability",
            "steering.trimTab.port",
            "steering.trimTab.starboard",
            "electrical.*.stateOfCharge",
            "electrical.*.stateOfHealth",
            "propulsion.*.trimState",
            "propulsion.*.engineLoad",
            "propulsion.*.engineTorque",
            "tanks.*.currentLevel",
            "environment.*.relativeHumidity",
        ],
    ),
    ("dB", &["navigation.gnss.satellite.signalToNoise"]),
];

/// Between the group and the leaf of a pattern.
const ANY: &str = ".*.";

/// The SI unit of a path: `m`, `rad`, `m/s`, `K`, `Hz`, `deg` for positions; empty when it has none.
pub fn unit(path: &str) -> &'static str {
    if let Some(rest) = path.strip_prefix("sensors.") {
        return match rest.rsplit_once('.') {
            Some(("ais", "fromBow" | "fromCenter")) => "m",
            Some((_, quantity)) => unit_of_transducer(quantity),
            None => "",
        };
    }
    let tables = TABLES.get_or_init(Tables::new);
    tables.whole.get(path).copied().unwrap_or_else(|| tables.by_leaf(path))
}

/// The units, made to be looked up.
struct Tables {
    whole: HashMap<&'static str, &'static str>,
    /// Group, leaf (or `*` and how it ends), unit.
    patterns: Vec<(&'static str, &'static str, &'static str)>,
}

static TABLES: OnceLock<Tables> = OnceLock::new();

impl Tables {
    fn new() -> Self {
        let all = UNITS.iter().flat_map(|(unit, paths)| paths.iter().map(|path| (*path, *unit)));
        let (patterns, whole): (Vec<_>, Vec<_>) = all.partition(|(path, _)| path.contains(ANY));
        let split = |(path, unit): (&'static str, _)| path.split_once(ANY).map(|(group, leaf)| (group, leaf, unit));
        Self { whole: whole.into_iter().collect(), patterns: patterns.into_iter().filter_map(split).collect() }
    }

    fn by_leaf(&self, path: &str) -> &'static str {
        let (Some((group, _)), Some((_, leaf))) = (path.split_once('.'), path.rsplit_once('.')) else { return "" };
        let fits = |pattern: &str| pattern.strip_prefix('*').map_or(pattern == leaf, |end| leaf.ends_with(end));
        let found = self.patterns.iter().find(|(known, pattern, _)| *known == group && fits(pattern));
        found.map_or("", |(_, _, unit)| unit)
    }
}
