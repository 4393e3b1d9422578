//! The rows: parameter groups in ascending order, each parameter by its SPN.
//!
//! Places, scales and offsets are those of SAE J1939-71 (J1939-75 for generators), turned to SI; percentages are
//! ratios. The torques are shares of the engine's reference torque. Paths are Signal K's where it has one, the rest
//! follow its spelling.

use super::table::{Group, Kind, Parameter};

/// 0 degrees Celsius in K.
const ZERO_CELSIUS_K: f64 = 273.15;

const fn number(bytes: usize, scale: f64, offset: f64) -> Kind {
    Kind::Number { bytes, scale, offset }
}

const fn celsius(bytes: usize, scale: f64, offset: f64) -> Kind {
    Kind::Number { bytes, scale, offset: offset + ZERO_CELSIUS_K }
}

type Text = &'static str;

/// A parameter of an engine: its path stands below `propulsion.<instance>.`.
const fn engine(spn: u32, name: Text, path: Text, unit: Text, byte: usize, kind: Kind) -> Parameter {
    Parameter { is_engines: true, ..other(spn, name, path, unit, byte, kind) }
}

/// Any other; `*` in its path stands for the instance.
const fn other(spn: u32, name: Text, path: Text, unit: Text, byte: usize, kind: Kind) -> Parameter {
    Parameter { spn, name, path, is_engines: false, unit, byte, kind, is_main: false }
}

/// The group of a PGN, by its place in [`GROUPS`].
pub(super) fn group(pgn: u32) -> Option<usize> {
    GROUPS.binary_search_by_key(&pgn, |group| group.pgn).ok()
}

/// The group that says the same in finer steps: both distances in 5 m (VDHR) and not 125 m (VD).
pub(super) const fn finer(pgn: u32) -> Option<u32> {
    match pgn {
        65_248 => Some(65_217),
        _ => None,
    }
}

/// What a suspect parameter number is, where the table has it.
pub fn parameter_name(spn: u32) -> Option<&'static str> {
    let mut all = GROUPS.iter().flat_map(|group| group.parameters);
    all.find(|parameter| parameter.spn == spn).map(|parameter| parameter.name)
}

/// In ascending order of their PGNs.
pub(super) const GROUPS: &[Group] = &[
    // ETC1, J1939-71 5.3.5.
    Group {
        pgn: 61_442,
        parameters: &[
            engine(
                191,
                "transmission output shaft speed",
                "transmission.outputRevolutions",
                "Hz",
                2,
                number(2, 0.125 / 60.0, 0.0),
            ),
            engine(522, "clutch slip", "transmission.clutchSlip", "ratio", 4, number(1, 0.004, 0.0)),
            engine(
                161,
                "transmission input shaft speed",
                "transmission.inputRevolutions",
                "Hz",
                6,
                number(2, 0.125 / 60.0, 0.0),
            ),
        ],
    },
    // EEC2, J1939-71 5.3.6.
    Group {
        pgn: 61_443,
        parameters: &[
            engine(91, "accelerator pedal position 1", "throttle", "ratio", 2, number(1, 0.004, 0.0)),
            engine(92, "engine load at current speed", "engineLoad", "ratio", 3, number(1, 0.01, 0.0)).main(),
            engine(974, "remote accelerator position", "remoteThrottle", "ratio", 4, number(1, 0.004, 0.0)),
            engine(3_357, "maximum available torque", "engineTorqueAvailable", "ratio", 7, number(1, 0.004, 0.0)),
        ],
    },
    // EEC1, J1939-71 5.3.7.
    Group {
        pgn: 61_444,
        parameters: &[
            engine(
                512,
                "torque demanded by the driver",
                "engineTorqueDemandDriver",
                "ratio",
                2,
                number(1, 0.01, -1.25),
            ),
            engine(513, "actual engine torque", "engineTorque", "ratio", 3, number(1, 0.01, -1.25)),
            engine(190, "engine speed", "revolutions", "Hz", 4, number(2, 0.125 / 60.0, 0.0)).main(),
            engine(2_432, "torque demanded by the engine", "engineTorqueDemand", "ratio", 8, number(1, 0.01, -1.25)),
        ],
    },
    // ETC2, J1939-71 5.3.8.
    Group {
        pgn: 61_445,
        parameters: &[
            engine(526, "actual gear ratio", "transmission.gearRatio", "ratio", 2, number(2, 0.001, 0.0)),
            engine(523, "current gear", "transmission.gear", "", 4, Kind::Gear).main(),
        ],
    },
    // EGF1, J1939-71.
    Group {
        pgn: 61_450,
        parameters: &[
            engine(
                2_659,
                "exhaust gas recirculation mass flow",
                "exhaustRecirculationFlow",
                "kg/s",
                1,
                number(2, 0.05 / 3_600.0, 0.0),
            ),
            engine(132, "intake air mass flow", "intakeAirFlow", "kg/s", 3, number(2, 0.05 / 3_600.0, 0.0)),
        ],
    },
    // GTACP, generator total AC power, J1939-75.
    Group {
        pgn: 65_029,
        parameters: &[
            other(2_452, "generator real power", "electrical.generators.*.realPower", "W", 1, number(4, 1.0, -2.0e9))
                .main(),
            other(
                2_460,
                "generator apparent power",
                "electrical.generators.*.apparentPower",
                "VA",
                5,
                number(4, 1.0, -2.0e9),
            ),
        ],
    },
    // GAAC, generator average AC quantities, J1939-75.
    Group {
        pgn: 65_030,
        parameters: &[
            other(
                2_440,
                "generator voltage, line to line",
                "electrical.generators.*.lineLineVoltage",
                "V",
                1,
                number(2, 1.0, 0.0),
            )
            .main(),
            other(
                2_444,
                "generator voltage, line to neutral",
                "electrical.generators.*.lineNeutralVoltage",
                "V",
                3,
                number(2, 1.0, 0.0),
            ),
            other(
                2_436,
                "generator frequency",
                "electrical.generators.*.frequency",
                "Hz",
                5,
                number(2, 1.0 / 128.0, 0.0),
            ),
            other(2_448, "generator current", "electrical.generators.*.current", "A", 7, number(2, 1.0, 0.0)),
        ],
    },
    // ET, exhaust temperature, J1939-71.
    Group {
        pgn: 65_031,
        parameters: &[
            engine(
                2_433,
                "exhaust temperature, bank 2",
                "exhaustTemperatureBank2",
                "K",
                1,
                celsius(2, 0.03125, -273.0),
            ),
            engine(
                2_434,
                "exhaust temperature, bank 1",
                "exhaustTemperatureBank1",
                "K",
                3,
                celsius(2, 0.03125, -273.0),
            ),
        ],
    },
    // EAC, auxiliary coolant, J1939-71.
    Group {
        pgn: 65_172,
        parameters: &[
            engine(1_203, "auxiliary coolant pressure", "auxiliaryCoolantPressure", "Pa", 1, number(1, 4_000.0, 0.0)),
            engine(
                1_212,
                "auxiliary coolant temperature",
                "auxiliaryCoolantTemperature",
                "K",
                2,
                celsius(1, 1.0, -40.0),
            ),
            engine(2_435, "sea water pump outlet pressure", "seaWaterPressure", "Pa", 3, number(1, 2_000.0, 0.0)),
        ],
    },
    // ET2, J1939-71.
    Group {
        pgn: 65_188,
        parameters: &[
            engine(1_135, "engine oil temperature 2", "oilTemperature2", "K", 1, celsius(2, 0.03125, -273.0)),
            engine(1_136, "engine ECU temperature", "controllerTemperature", "K", 3, celsius(2, 0.03125, -273.0)),
        ],
    },
    // IMI1, intake manifold information, J1939-71.
    Group {
        pgn: 65_190,
        parameters: &[
            engine(1_127, "turbocharger 1 boost pressure", "turbo1BoostPressure", "Pa", 1, number(2, 125.0, 0.0)),
            engine(1_128, "turbocharger 2 boost pressure", "turbo2BoostPressure", "Pa", 3, number(2, 125.0, 0.0)),
        ],
    },
    // EEC4, J1939-71.
    Group {
        pgn: 65_214,
        parameters: &[
            engine(166, "rated power", "ratedPower", "W", 1, number(2, 500.0, 0.0)),
            engine(189, "rated speed", "ratedRevolutions", "Hz", 3, number(2, 0.125 / 60.0, 0.0)),
        ],
    },
    // VDHR, J1939-71.
    Group {
        pgn: 65_217,
        parameters: &[
            other(917, "total distance, high resolution", "navigation.log", "m", 1, number(4, 5.0, 0.0)),
            other(918, "trip distance, high resolution", "navigation.trip.log", "m", 5, number(4, 5.0, 0.0)),
        ],
    },
    // EFL/P2, J1939-71.
    Group {
        pgn: 65_243,
        parameters: &[
            engine(164, "injection control pressure", "fuel.injectionPressure", "Pa", 1, number(2, 1.0e6 / 256.0, 0.0)),
            engine(157, "injector metering rail pressure", "fuel.railPressure", "Pa", 3, number(2, 1.0e6 / 256.0, 0.0)),
        ],
    },
    // IO, idle operation, J1939-71.
    Group {
        pgn: 65_244,
        parameters: &[
            engine(236, "fuel used at idle", "fuel.usedAtIdle", "m3", 1, number(4, 0.0005, 0.0)),
            engine(235, "hours at idle", "idleTime", "s", 5, number(4, 180.0, 0.0)),
        ],
    },
    // TC, turbocharger, J1939-71.
    Group {
        pgn: 65_245,
        parameters: &[
            engine(104, "turbocharger lubrication oil pressure", "turboOilPressure", "Pa", 1, number(1, 4_000.0, 0.0)),
            engine(103, "turbocharger speed", "turboRevolutions", "Hz", 2, number(2, 4.0 / 60.0, 0.0)),
        ],
    },
    // EEC3, J1939-71.
    Group {
        pgn: 65_247,
        parameters: &[
            engine(514, "nominal friction torque", "frictionTorque", "ratio", 1, number(1, 0.01, -1.25)),
            engine(515, "desired operating speed", "desiredRevolutions", "Hz", 2, number(2, 0.125 / 60.0, 0.0)),
            engine(2_978, "estimated parasitic losses", "parasiticTorque", "ratio", 5, number(1, 0.01, -1.25)),
        ],
    },
    // VD, J1939-71.
    Group {
        pgn: 65_248,
        parameters: &[
            other(244, "trip distance", "navigation.trip.log", "m", 1, number(4, 125.0, 0.0)),
            other(245, "total distance", "navigation.log", "m", 5, number(4, 125.0, 0.0)),
        ],
    },
    // SHUTDN, J1939-71.
    Group {
        pgn: 65_252,
        parameters: &[
            engine(
                1_110,
                "engine protection shut the engine down",
                "protectionShutdown",
                "",
                5,
                Kind::Switch { bit: 1 },
            ),
            engine(
                1_109,
                "engine protection about to shut down",
                "protectionShutdownNear",
                "",
                5,
                Kind::Switch { bit: 3 },
            ),
        ],
    },
    // HOURS, J1939-71 5.3.19.
    Group {
        pgn: 65_253,
        parameters: &[
            engine(247, "engine total hours", "runTime", "s", 1, number(4, 180.0, 0.0)).main(),
            engine(249, "engine total revolutions", "totalRevolutions", "", 5, number(4, 1_000.0, 0.0)),
        ],
    },
    // LFC, J1939-71.
    Group {
        pgn: 65_257,
        parameters: &[
            engine(182, "trip fuel", "fuel.used", "m3", 1, number(4, 0.0005, 0.0)).main(),
            engine(250, "total fuel used", "fuel.totalUsed", "m3", 5, number(4, 0.0005, 0.0)),
        ],
    },
    // ET1, J1939-71 5.3.28.
    Group {
        pgn: 65_262,
        parameters: &[
            engine(110, "engine coolant temperature", "coolantTemperature", "K", 1, celsius(1, 1.0, -40.0)).main(),
            engine(174, "fuel temperature", "fuel.temperature", "K", 2, celsius(1, 1.0, -40.0)),
            engine(175, "engine oil temperature", "oilTemperature", "K", 3, celsius(2, 0.03125, -273.0)).main(),
            engine(176, "turbocharger oil temperature", "turboOilTemperature", "K", 5, celsius(2, 0.03125, -273.0)),
            engine(52, "intercooler temperature", "intercoolerTemperature", "K", 7, celsius(1, 1.0, -40.0)),
        ],
    },
    // EFL/P1, J1939-71 5.3.29.
    Group {
        pgn: 65_263,
        parameters: &[
            engine(94, "fuel delivery pressure", "fuel.pressure", "Pa", 1, number(1, 4_000.0, 0.0)),
            engine(22, "extended crankcase blow-by pressure", "crankcaseBlowbyPressure", "Pa", 2, number(1, 50.0, 0.0)),
            engine(98, "engine oil level", "oilLevel", "ratio", 3, number(1, 0.004, 0.0)),
            engine(100, "engine oil pressure", "oilPressure", "Pa", 4, number(1, 4_000.0, 0.0)).main(),
            engine(101, "crankcase pressure", "crankcasePressure", "Pa", 5, number(2, 1_000.0 / 128.0, -250_000.0)),
            engine(109, "coolant pressure", "coolantPressure", "Pa", 7, number(1, 2_000.0, 0.0)),
            engine(111, "coolant level", "coolantLevel", "ratio", 8, number(1, 0.004, 0.0)),
        ],
    },
    // CCVS, J1939-71 5.3.31.
    Group {
        pgn: 65_265,
        parameters: &[engine(84, "wheel-based speed", "wheelSpeed", "m/s", 2, number(2, 1.0 / 256.0 / 3.6, 0.0))],
    },
    // LFE, J1939-71 5.3.32.
    Group {
        pgn: 65_266,
        parameters: &[
            engine(183, "fuel rate", "fuel.rate", "m3/s", 1, number(2, 0.05e-3 / 3_600.0, 0.0)).main(),
            engine(184, "instantaneous fuel economy", "fuel.economy", "m/m3", 3, number(2, 1.0e6 / 512.0, 0.0)),
            engine(185, "average fuel economy", "fuel.averageEconomy", "m/m3", 5, number(2, 1.0e6 / 512.0, 0.0)),
            engine(51, "throttle position", "throttleValve", "ratio", 7, number(1, 0.004, 0.0)),
        ],
    },
    // AMB, J1939-71 5.3.35: what the ECU's own sensors meet, which is an engine room's air and not the weather.
    Group {
        pgn: 65_269,
        parameters: &[
            engine(108, "barometric pressure", "barometricPressure", "Pa", 1, number(1, 500.0, 0.0)).main(),
            engine(171, "ambient air temperature", "ambientTemperature", "K", 4, celsius(2, 0.03125, -273.0)).main(),
            engine(172, "engine air inlet temperature", "airInletTemperature", "K", 6, celsius(1, 1.0, -40.0)),
        ],
    },
    // IC1, J1939-71 5.3.36.
    Group {
        pgn: 65_270,
        parameters: &[
            engine(81, "particulate trap inlet pressure", "particulateTrapPressure", "Pa", 1, number(1, 500.0, 0.0)),
            engine(102, "boost pressure", "boostPressure", "Pa", 2, number(1, 2_000.0, 0.0)).main(),
            engine(105, "intake manifold temperature", "intakeManifoldTemperature", "K", 3, celsius(1, 1.0, -40.0))
                .main(),
            engine(106, "air inlet pressure", "airInletPressure", "Pa", 4, number(1, 2_000.0, 0.0)),
            engine(
                107,
                "air filter differential pressure",
                "airFilterDifferentialPressure",
                "Pa",
                5,
                number(1, 50.0, 0.0),
            ),
            engine(173, "exhaust gas temperature", "exhaustTemperature", "K", 6, celsius(2, 0.03125, -273.0)),
            engine(
                112,
                "coolant filter differential pressure",
                "coolantFilterDifferentialPressure",
                "Pa",
                8,
                number(1, 500.0, 0.0),
            ),
        ],
    },
    // VEP1, J1939-71 5.3.37. The battery is the engine's own: NMEA 2000 counts those of the ship.
    Group {
        pgn: 65_271,
        parameters: &[
            other(114, "net battery current", "electrical.batteries.engine*.current", "A", 1, number(1, 1.0, -125.0)),
            other(115, "alternator current", "electrical.alternators.*.current", "A", 2, number(1, 1.0, 0.0)),
            engine(167, "alternator voltage", "alternatorVoltage", "V", 3, number(2, 0.05, 0.0)),
            other(168, "battery voltage", "electrical.batteries.engine*.voltage", "V", 5, number(2, 0.05, 0.0)).main(),
            engine(158, "key switch battery voltage", "keySwitchVoltage", "V", 7, number(2, 0.05, 0.0)),
        ],
    },
    // TRF1, J1939-71 5.3.38.
    Group {
        pgn: 65_272,
        parameters: &[
            engine(123, "clutch pressure", "transmission.clutchPressure", "Pa", 1, number(1, 16_000.0, 0.0)),
            engine(124, "transmission oil level", "transmission.oilLevel", "ratio", 2, number(1, 0.004, 0.0)),
            engine(
                126,
                "transmission filter differential pressure",
                "transmission.filterDifferentialPressure",
                "Pa",
                3,
                number(1, 2_000.0, 0.0),
            ),
            engine(127, "transmission oil pressure", "transmission.oilPressure", "Pa", 4, number(1, 16_000.0, 0.0))
                .main(),
            engine(
                177,
                "transmission oil temperature",
                "transmission.oilTemperature",
                "K",
                5,
                celsius(2, 0.03125, -273.0),
            )
            .main(),
        ],
    },
    // DD, J1939-71 5.3.41.
    Group {
        pgn: 65_276,
        parameters: &[
            other(96, "fuel level 1", "tanks.fuel.0.currentLevel", "ratio", 2, number(1, 0.004, 0.0)).main(),
            engine(
                95,
                "fuel filter differential pressure",
                "fuel.filterDifferentialPressure",
                "Pa",
                3,
                number(1, 2_000.0, 0.0),
            ),
            engine(
                99,
                "oil filter differential pressure",
                "oilFilterDifferentialPressure",
                "Pa",
                4,
                number(1, 500.0, 0.0),
            ),
            other(38, "fuel level 2", "tanks.fuel.1.currentLevel", "ratio", 7, number(1, 0.004, 0.0)),
        ],
    },
    // WFI, J1939-71.
    Group {
        pgn: 65_279,
        parameters: &[engine(97, "water in fuel", "waterInFuel", "", 1, Kind::Switch { bit: 1 }).main()],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_in_order_and_whole() {
        assert!(GROUPS.is_sorted_by(|a, b| a.pgn < b.pgn));
        assert!(GROUPS.iter().all(|group| group.parameters.len() <= 8), "a byte of bits each");
        let parameters: Vec<_> = GROUPS.iter().flat_map(|group| group.parameters).collect();
        assert!(GROUPS.len() >= 20 && parameters.len() >= 40, "{} {}", GROUPS.len(), parameters.len());
        for parameter in parameters {
            assert!((1..=8).contains(&parameter.byte), "{parameter:?}");
            if let Kind::Number { bytes, .. } = parameter.kind {
                assert!(parameter.byte + bytes <= 9, "{parameter:?}");
            }
        }
    }
}
