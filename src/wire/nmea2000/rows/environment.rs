//! Wind, temperatures, humidity and pressures, by what they are measured of.

use crate::wire::nmea2000::table::{PgnSpec, Take, optional, optional_by, report, report_by, row};

pub const ROWS: &[PgnSpec] = &[
    // Wind data. Against the ground a wind has a direction; against the ship an angle, to port negative.
    row(
        130_306,
        &[
            report_by(
                "Reference",
                &[
                    (0, "environment.wind.speedOverGround"),
                    (1, "environment.wind.speedOverGround"),
                    (2, "environment.wind.speedApparent"),
                    (3, "environment.wind.speedOverGround"),
                    (4, "environment.wind.speedTrue"),
                ],
                Take::Number("Wind Speed"),
            ),
            report_by(
                "Reference",
                &[(0, "environment.wind.directionTrue"), (1, "environment.wind.directionMagnetic")],
                Take::Number("Wind Angle"),
            ),
            report_by(
                "Reference",
                &[
                    (2, "environment.wind.angleApparent"),
                    (3, "environment.wind.angleTrueGround"),
                    (4, "environment.wind.angleTrueWater"),
                ],
                Take::Turn("Wind Angle"),
            ),
        ],
    ),
    // Environmental parameters (obsolete).
    row(
        130_310,
        &[
            report("environment.water.temperature", Take::Number("Water Temperature")),
            optional("environment.outside.temperature", Take::Number("Outside Ambient Air Temperature")),
            optional("environment.outside.pressure", Take::Number("Atmospheric Pressure")),
        ],
    ),
    // Environmental parameters.
    row(
        130_311,
        &[
            report_by("Temperature Source", TEMPERATURES, Take::Number("Temperature")),
            optional_by("Humidity Source", HUMIDITIES, Take::Number("Humidity")),
            optional("environment.outside.pressure", Take::Number("Atmospheric Pressure")),
        ],
    ),
    // Temperature.
    row(130_312, &[report_by("Source", TEMPERATURES, Take::Number("Actual Temperature"))]).instance("Instance"),
    // Humidity.
    row(130_313, &[report_by("Source", HUMIDITIES, Take::Number("Actual Humidity"))]).instance("Instance"),
    // Actual pressure.
    row(130_314, &[report_by("Source", PRESSURES, Take::Number("Pressure"))]).instance("Instance"),
    // Temperature, extended range.
    row(130_316, &[report_by("Source", TEMPERATURES, Take::Number("Temperature"))]).instance("Instance"),
];

/// By canboat's `TEMPERATURE_SOURCE`.
const TEMPERATURES: &[(u64, &str)] = &[
    (0, "environment.water.temperature"),
    (1, "environment.outside.temperature"),
    (2, "environment.inside.temperature"),
    (3, "environment.inside.engineRoom.temperature"),
    (4, "environment.inside.mainCabin.temperature"),
    (5, "tanks.liveWell.*.temperature"),
    (6, "tanks.baitWell.*.temperature"),
    (7, "environment.inside.refrigerator.temperature"),
    (8, "environment.inside.heating.temperature"),
    (9, "environment.outside.dewPointTemperature"),
    (10, "environment.outside.apparentWindChillTemperature"),
    (11, "environment.outside.theoreticalWindChillTemperature"),
    (12, "environment.outside.heatIndexTemperature"),
    (13, "environment.inside.freezer.temperature"),
    (14, "propulsion.*.exhaustTemperature"),
    (15, "propulsion.*.shaftSealTemperature"),
];

/// By canboat's `HUMIDITY_SOURCE`.
const HUMIDITIES: &[(u64, &str)] =
    &[(0, "environment.inside.relativeHumidity"), (1, "environment.outside.relativeHumidity")];

/// By canboat's `PRESSURE_SOURCE`.
const PRESSURES: &[(u64, &str)] = &[
    (0, "environment.outside.pressure"),
    (1, "environment.water.pressure"),
    (2, "sensors.steam*.pressure"),
    (3, "tanks.gas.*.pressure"),
    (4, "sensors.hydraulic*.pressure"),
    (5, "sensors.filter*.pressure"),
    (6, "environment.outside.altimeterSetting"),
    (7, "propulsion.*.oilPressure"),
    (8, "propulsion.*.fuel.pressure"),
];
