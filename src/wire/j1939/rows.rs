//! The rows: parameter groups in ascending order, each parameter by its SPN.
//!
//! Places, scales and offsets are those of SAE J1939-71 (J1939-75 for generators), turned to SI; percentages are ratios.
//! The torques are shares of the engine's reference torque. Paths are Signal K's where it has one; the rest follow its
//! spelling.

use super::table::{Group, Kind, Parameter};

/// 0 degrees Celsius in K.
const ZERO_CELSIUS_K: f64 = 273.15;

const fn number(bytes: usize, scale: f64, offset: f64) -> Kind {
    Kind::Number { bytes, scale, offset }
}

const fn celsius(bytes: usize, scale: f64, offset: f64) -> Kind {
    Kind::Number { bytes, scale, offset: offset + ZERO_CELSIUS_K }
}

const fn p(spn: u32, name: &'static str, path: &'static str, unit: &'static str, byte: usize, kind: Kind) -> Parameter {
    Parameter { spn, name, path, unit, byte, kind, is_main: false }
}

/// What its group is for: "not available" is a reading from the first on.
const fn main(
    spn: u32,
    name: &'static str,
    path: &'static str,
    unit: &'static str,
    byte: usize,
    kind: Kind,
) -> Parameter {
    Parameter { is_main: true, ..p(spn, name, path, unit, byte, kind) }
}

/// The group of a PGN, by its place in [`GROUPS`].
pub(super) fn group(pgn: u32) -> Option<usize> {
    GROUPS.binary_search_by_key(&pgn, |group| group.pgn).ok()
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
            p(
                191,
                "transmission output shaft speed",
                "propulsion.*.transmission.outputRevolutions",
                "Hz",
                2,
                number(2, 0.125 / 60.0, 0.0),
            ),
            p(522, "clutch slip", "propulsion.*.transmission.clutchSlip", "ratio", 4, number(1, 0.004, 0.0)),
            p(
                161,
                "transmission input shaft speed",
                "propulsion.*.transmission.inputRevolutions",
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
            p(91, "accelerator pedal position 1", "propulsion.*.throttle", "ratio", 2, number(1, 0.004, 0.0)),
            main(92, "engine load at current speed", "propulsion.*.engineLoad", "ratio", 3, number(1, 0.01, 0.0)),
            p(974, "remote accelerator position", "propulsion.*.remoteThrottle", "ratio", 4, number(1, 0.004, 0.0)),
            p(
                3_357,
                "maximum available torque",
                "propulsion.*.engineTorqueAvailable",
                "ratio",
                7,
                number(1, 0.004, 0.0),
            ),
        ],
    },
    // EEC1, J1939-71 5.3.7.
    Group {
        pgn: 61_444,
        parameters: &[
            p(
                512,
                "torque demanded by the driver",
                "propulsion.*.engineTorqueDemandDriver",
                "ratio",
                2,
                number(1, 0.01, -1.25),
            ),
            p(513, "actual engine torque", "propulsion.*.engineTorque", "ratio", 3, number(1, 0.01, -1.25)),
            main(190, "engine speed", "propulsion.*.revolutions", "Hz", 4, number(2, 0.125 / 60.0, 0.0)),
            p(
                2_432,
                "torque demanded by the engine",
                "propulsion.*.engineTorqueDemand",
                "ratio",
                8,
                number(1, 0.01, -1.25),
            ),
        ],
    },
    // ETC2, J1939-71 5.3.8.
    Group {
        pgn: 61_445,
        parameters: &[
            p(526, "actual gear ratio", "propulsion.*.transmission.gearRatio", "ratio", 2, number(2, 0.001, 0.0)),
            main(523, "current gear", "propulsion.*.transmission.gear", "", 4, Kind::Gear),
        ],
    },
    // EGF1, J1939-71.
    Group {
        pgn: 61_450,
        parameters: &[
            p(
                2_659,
                "exhaust gas recirculation mass flow",
                "propulsion.*.exhaustRecirculationFlow",
                "kg/s",
                1,
                number(2, 0.05 / 3_600.0, 0.0),
            ),
            p(132, "intake air mass flow", "propulsion.*.intakeAirFlow", "kg/s", 3, number(2, 0.05 / 3_600.0, 0.0)),
        ],
    },
    // GTACP, generator total AC power, J1939-75.
    Group {
        pgn: 65_029,
        parameters: &[
            main(2_452, "generator real power", "electrical.generators.*.realPower", "W", 1, number(4, 1.0, -2.0e9)),
            p(
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
            main(
                2_440,
                "generator voltage, line to line",
                "electrical.generators.*.lineLineVoltage",
                "V",
                1,
                number(2, 1.0, 0.0),
            ),
            p(
                2_444,
                "generator voltage, line to neutral",
                "electrical.generators.*.lineNeutralVoltage",
                "V",
                3,
                number(2, 1.0, 0.0),
            ),
            p(2_436, "generator frequency", "electrical.generators.*.frequency", "Hz", 5, number(2, 1.0 / 128.0, 0.0)),
            p(2_448, "generator current", "electrical.generators.*.current", "A", 7, number(2, 1.0, 0.0)),
        ],
    },
    // ET, exhaust temperature, J1939-71.
    Group {
        pgn: 65_031,
        parameters: &[
            p(
                2_433,
                "exhaust temperature, bank 2",
                "propulsion.*.exhaustTemperatureBank2",
                "K",
                1,
                celsius(2, 0.03125, -273.0),
            ),
            p(
                2_434,
                "exhaust temperature, bank 1",
                "propulsion.*.exhaustTemperatureBank1",
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
            p(
                1_203,
                "auxiliary coolant pressure",
                "propulsion.*.auxiliaryCoolantPressure",
                "Pa",
                1,
                number(1, 4_000.0, 0.0),
            ),
            p(
                1_212,
                "auxiliary coolant temperature",
                "propulsion.*.auxiliaryCoolantTemperature",
                "K",
                2,
                celsius(1, 1.0, -40.0),
            ),
            p(
                2_435,
                "sea water pump outlet pressure",
                "propulsion.*.seaWaterPressure",
                "Pa",
                3,
                number(1, 2_000.0, 0.0),
            ),
        ],
    },
    // ET2, J1939-71.
    Group {
        pgn: 65_188,
        parameters: &[
            p(1_135, "engine oil temperature 2", "propulsion.*.oilTemperature2", "K", 1, celsius(2, 0.03125, -273.0)),
            p(
                1_136,
                "engine ECU temperature",
                "propulsion.*.controllerTemperature",
                "K",
                3,
                celsius(2, 0.03125, -273.0),
            ),
        ],
    },
    // IMI1, intake manifold information, J1939-71.
    Group {
        pgn: 65_190,
        parameters: &[
            p(
                1_127,
                "turbocharger 1 boost pressure",
                "propulsion.*.turbo1BoostPressure",
                "Pa",
                1,
                number(2, 125.0, 0.0),
            ),
            p(
                1_128,
                "turbocharger 2 boost pressure",
                "propulsion.*.turbo2BoostPressure",
                "Pa",
                3,
                number(2, 125.0, 0.0),
            ),
        ],
    },
    // EEC4, J1939-71.
    Group {
        pgn: 65_214,
        parameters: &[
            p(166, "rated power", "propulsion.*.ratedPower", "W", 1, number(2, 500.0, 0.0)),
            p(189, "rated speed", "propulsion.*.ratedRevolutions", "Hz", 3, number(2, 0.125 / 60.0, 0.0)),
        ],
    },
    // VDHR, J1939-71.
    Group {
        pgn: 65_217,
        parameters: &[
            p(917, "total distance, high resolution", "navigation.log", "m", 1, number(4, 5.0, 0.0)),
            p(918, "trip distance, high resolution", "navigation.trip.log", "m", 5, number(4, 5.0, 0.0)),
        ],
    },
    // EFL/P2, J1939-71.
    Group {
        pgn: 65_243,
        parameters: &[
            p(
                164,
                "injection control pressure",
                "propulsion.*.fuel.injectionPressure",
                "Pa",
                1,
                number(2, 1.0e6 / 256.0, 0.0),
            ),
            p(
                157,
                "injector metering rail pressure",
                "propulsion.*.fuel.railPressure",
                "Pa",
                3,
                number(2, 1.0e6 / 256.0, 0.0),
            ),
        ],
    },
    // IO, idle operation, J1939-71.
    Group {
        pgn: 65_244,
        parameters: &[
            p(236, "fuel used at idle", "propulsion.*.fuel.usedAtIdle", "m3", 1, number(4, 0.0005, 0.0)),
            p(235, "hours at idle", "propulsion.*.idleTime", "s", 5, number(4, 180.0, 0.0)),
        ],
    },
    // TC, turbocharger, J1939-71.
    Group {
        pgn: 65_245,
        parameters: &[
            p(
                104,
                "turbocharger lubrication oil pressure",
                "propulsion.*.turboOilPressure",
                "Pa",
                1,
                number(1, 4_000.0, 0.0),
            ),
            p(103, "turbocharger speed", "propulsion.*.turboRevolutions", "Hz", 2, number(2, 4.0 / 60.0, 0.0)),
        ],
    },
    // EEC3, J1939-71.
    Group {
        pgn: 65_247,
        parameters: &[
            p(514, "nominal friction torque", "propulsion.*.frictionTorque", "ratio", 1, number(1, 0.01, -1.25)),
            p(515, "desired operating speed", "propulsion.*.desiredRevolutions", "Hz", 2, number(2, 0.125 / 60.0, 0.0)),
            p(2_978, "estimated parasitic losses", "propulsion.*.parasiticTorque", "ratio", 5, number(1, 0.01, -1.25)),
        ],
    },
    // VD, J1939-71.
    Group {
        pgn: 65_248,
        parameters: &[
            p(244, "trip distance", "navigation.trip.log", "m", 1, number(4, 125.0, 0.0)),
            p(245, "total distance", "navigation.log", "m", 5, number(4, 125.0, 0.0)),
        ],
    },
    // SHUTDN, J1939-71.
    Group {
        pgn: 65_252,
        parameters: &[
            p(
                1_110,
                "engine protection shut the engine down",
                "propulsion.*.protectionShutdown",
                "",
                5,
                Kind::Switch { bit: 1 },
            ),
            p(
                1_109,
                "engine protection about to shut down",
                "propulsion.*.protectionShutdownNear",
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
            main(247, "engine total hours", "propulsion.*.runTime", "s", 1, number(4, 180.0, 0.0)),
            p(249, "engine total revolutions", "propulsion.*.totalRevolutions", "", 5, number(4, 1_000.0, 0.0)),
        ],
    },
    // LFC, J1939-71.
    Group {
        pgn: 65_257,
        parameters: &[
            main(182, "trip fuel", "propulsion.*.fuel.used", "m3", 1, number(4, 0.0005, 0.0)),
            p(250, "total fuel used", "propulsion.*.fuel.totalUsed", "m3", 5, number(4, 0.0005, 0.0)),
        ],
    },
    // ET1, J1939-71 5.3.28.
    Group {
        pgn: 65_262,
        parameters: &[
            main(110, "engine coolant temperature", "propulsion.*.coolantTemperature", "K", 1, celsius(1, 1.0, -40.0)),
            p(174, "fuel temperature", "propulsion.*.fuel.temperature", "K", 2, celsius(1, 1.0, -40.0)),
            main(175, "engine oil temperature", "propulsion.*.oilTemperature", "K", 3, celsius(2, 0.03125, -273.0)),
            p(
                176,
                "turbocharger oil temperature",
                "propulsion.*.turboOilTemperature",
                "K",
                5,
                celsius(2, 0.03125, -273.0),
            ),
            p(52, "intercooler temperature", "propulsion.*.intercoolerTemperature", "K", 7, celsius(1, 1.0, -40.0)),
        ],
    },
    // EFL/P1, J1939-71 5.3.29.
    Group {
        pgn: 65_263,
        parameters: &[
            p(94, "fuel delivery pressure", "propulsion.*.fuel.pressure", "Pa", 1, number(1, 4_000.0, 0.0)),
            p(
                22,
                "extended crankcase blow-by pressure",
                "propulsion.*.crankcaseBlowbyPressure",
                "Pa",
                2,
                number(1, 50.0, 0.0),
            ),
            p(98, "engine oil level", "propulsion.*.oilLevel", "ratio", 3, number(1, 0.004, 0.0)),
            main(100, "engine oil pressure", "propulsion.*.oilPressure", "Pa", 4, number(1, 4_000.0, 0.0)),
            p(
                101,
                "crankcase pressure",
                "propulsion.*.crankcasePressure",
                "Pa",
                5,
                number(2, 1_000.0 / 128.0, -250_000.0),
            ),
            p(109, "coolant pressure", "propulsion.*.coolantPressure", "Pa", 7, number(1, 2_000.0, 0.0)),
            p(111, "coolant level", "propulsion.*.coolantLevel", "ratio", 8, number(1, 0.004, 0.0)),
        ],
    },
    // CCVS, J1939-71 5.3.31.
    Group {
        pgn: 65_265,
        parameters: &[p(
            84,
            "wheel-based speed",
            "propulsion.*.wheelSpeed",
            "m/s",
            2,
            number(2, 1.0 / 256.0 / 3.6, 0.0),
        )],
    },
    // LFE, J1939-71 5.3.32.
    Group {
        pgn: 65_266,
        parameters: &[
            main(183, "fuel rate", "propulsion.*.fuel.rate", "m3/s", 1, number(2, 0.05e-3 / 3_600.0, 0.0)),
            p(184, "instantaneous fuel economy", "propulsion.*.fuel.economy", "m/m3", 3, number(2, 1.0e6 / 512.0, 0.0)),
            p(
                185,
                "average fuel economy",
                "propulsion.*.fuel.averageEconomy",
                "m/m3",
                5,
                number(2, 1.0e6 / 512.0, 0.0),
            ),
            p(51, "throttle position", "propulsion.*.throttleValve", "ratio", 7, number(1, 0.004, 0.0)),
        ],
    },
    // AMB, J1939-71 5.3.35.
    Group {
        pgn: 65_269,
        parameters: &[
            main(108, "barometric pressure", "environment.outside.pressure", "Pa", 1, number(1, 500.0, 0.0)),
            main(
                171,
                "ambient air temperature",
                "environment.outside.temperature",
                "K",
                4,
                celsius(2, 0.03125, -273.0),
            ),
            p(172, "engine air inlet temperature", "propulsion.*.airInletTemperature", "K", 6, celsius(1, 1.0, -40.0)),
        ],
    },
    // IC1, J1939-71 5.3.36.
    Group {
        pgn: 65_270,
        parameters: &[
            p(
                81,
                "particulate trap inlet pressure",
                "propulsion.*.particulateTrapPressure",
                "Pa",
                1,
                number(1, 500.0, 0.0),
            ),
            main(102, "boost pressure", "propulsion.*.boostPressure", "Pa", 2, number(1, 2_000.0, 0.0)),
            main(
                105,
                "intake manifold temperature",
                "propulsion.*.intakeManifoldTemperature",
                "K",
                3,
                celsius(1, 1.0, -40.0),
            ),
            p(106, "air inlet pressure", "propulsion.*.airInletPressure", "Pa", 4, number(1, 2_000.0, 0.0)),
            p(
                107,
                "air filter differential pressure",
                "propulsion.*.airFilterDifferentialPressure",
                "Pa",
                5,
                number(1, 50.0, 0.0),
            ),
            p(173, "exhaust gas temperature", "propulsion.*.exhaustTemperature", "K", 6, celsius(2, 0.03125, -273.0)),
            p(
                112,
                "coolant filter differential pressure",
                "propulsion.*.coolantFilterDifferentialPressure",
                "Pa",
                8,
                number(1, 500.0, 0.0),
            ),
        ],
    },
    // VEP1, J1939-71 5.3.37.
    Group {
        pgn: 65_271,
        parameters: &[
            p(114, "net battery current", "electrical.batteries.*.current", "A", 1, number(1, 1.0, -125.0)),
            p(115, "alternator current", "electrical.alternators.*.current", "A", 2, number(1, 1.0, 0.0)),
            p(167, "alternator voltage", "propulsion.*.alternatorVoltage", "V", 3, number(2, 0.05, 0.0)),
            main(168, "battery voltage", "electrical.batteries.*.voltage", "V", 5, number(2, 0.05, 0.0)),
            p(158, "key switch battery voltage", "propulsion.*.keySwitchVoltage", "V", 7, number(2, 0.05, 0.0)),
        ],
    },
    // TRF1, J1939-71 5.3.38.
    Group {
        pgn: 65_272,
        parameters: &[
            p(123, "clutch pressure", "propulsion.*.transmission.clutchPressure", "Pa", 1, number(1, 16_000.0, 0.0)),
            p(124, "transmission oil level", "propulsion.*.transmission.oilLevel", "ratio", 2, number(1, 0.004, 0.0)),
            p(
                126,
                "transmission filter differential pressure",
                "propulsion.*.transmission.filterDifferentialPressure",
                "Pa",
                3,
                number(1, 2_000.0, 0.0),
            ),
            main(
                127,
                "transmission oil pressure",
                "propulsion.*.transmission.oilPressure",
                "Pa",
                4,
                number(1, 16_000.0, 0.0),
            ),
            main(
                177,
                "transmission oil temperature",
                "propulsion.*.transmission.oilTemperature",
                "K",
                5,
                celsius(2, 0.03125, -273.0),
            ),
        ],
    },
    // DD, J1939-71 5.3.41.
    Group {
        pgn: 65_276,
        parameters: &[
            main(96, "fuel level 1", "tanks.fuel.0.currentLevel", "ratio", 2, number(1, 0.004, 0.0)),
            p(
                95,
                "fuel filter differential pressure",
                "propulsion.*.fuel.filterDifferentialPressure",
                "Pa",
                3,
                number(1, 2_000.0, 0.0),
            ),
            p(
                99,
                "oil filter differential pressure",
                "propulsion.*.oilFilterDifferentialPressure",
                "Pa",
                4,
                number(1, 500.0, 0.0),
            ),
            p(38, "fuel level 2", "tanks.fuel.1.currentLevel", "ratio", 7, number(1, 0.004, 0.0)),
        ],
    },
    // WFI, J1939-71.
    Group {
        pgn: 65_279,
        parameters: &[main(97, "water in fuel", "propulsion.*.waterInFuel", "", 1, Kind::Switch { bit: 1 })],
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
