//! Engines, transmissions, and what is in the tanks.

use crate::wire::nmea2000::table::{PgnSpec, Take, optional, optional_by, report, report_by, row};

pub const ROWS: &[PgnSpec] = &[
    // Engine parameters, rapid update.
    row(
        127_488,
        &[
            report("propulsion.*.revolutions", Take::Number("Speed")),
            optional("propulsion.*.boostPressure", Take::Number("Boost Pressure")),
            optional("propulsion.*.drive.trimState", Take::Number("Tilt/Trim")),
        ],
    )
    .instance("Instance"),
    // Engine parameters, dynamic.
    row(
        127_489,
        &[
            report("propulsion.*.oilPressure", Take::Number("Oil pressure")),
            optional("propulsion.*.oilTemperature", Take::Number("Oil temperature")),
            report("propulsion.*.coolantTemperature", Take::Number("Temperature")),
            optional("propulsion.*.alternatorVoltage", Take::Number("Alternator Potential")),
            optional("propulsion.*.fuel.rate", Take::Number("Fuel Rate")),
            optional("propulsion.*.runTime", Take::Number("Total Engine hours")),
            optional("propulsion.*.coolantPressure", Take::Number("Coolant Pressure")),
            optional("propulsion.*.fuel.pressure", Take::Number("Fuel Pressure")),
            optional("propulsion.*.engineLoad", Take::Number("Engine Load")),
            optional("propulsion.*.engineTorque", Take::Number("Engine Torque")),
        ],
    )
    .instance("Instance"),
    // Transmission parameters, dynamic.
    row(
        127_493,
        &[
            report(
                "propulsion.*.transmission.gear",
                Take::Word("Transmission Gear", &[(0, "Forward"), (1, "Neutral"), (2, "Reverse")]),
            ),
            optional("propulsion.*.transmission.oilPressure", Take::Number("Oil pressure")),
            optional("propulsion.*.transmission.oilTemperature", Take::Number("Oil temperature")),
        ],
    )
    .instance("Instance"),
    // Trip parameters, engine.
    row(
        127_497,
        &[
            report("propulsion.*.fuel.used", Take::Number("Trip Fuel Used")),
            optional("propulsion.*.fuel.averageRate", Take::Number("Fuel Rate, Average")),
            optional("propulsion.*.fuel.economyRate", Take::Number("Fuel Rate, Economy")),
        ],
    )
    .instance("Instance"),
    // Engine parameters, static.
    row(
        127_498,
        &[
            optional("propulsion.*.ratedRevolutions", Take::Number("Rated Engine Speed")),
            optional("propulsion.*.label", Take::Text("VIN")),
        ],
    )
    .instance("Instance"),
    // Fluid level.
    row(
        127_505,
        &[report_by("Type", LEVEL, Take::Number("Level")), optional_by("Type", CAPACITY, Take::Number("Capacity"))],
    )
    .instance("Instance"),
];

const LEVEL: &[(u64, &str)] = &[
    (0, "tanks.fuel.*.currentLevel"),
    (1, "tanks.freshWater.*.currentLevel"),
    (2, "tanks.wasteWater.*.currentLevel"),
    (3, "tanks.liveWell.*.currentLevel"),
    (4, "tanks.lubrication.*.currentLevel"),
    (5, "tanks.blackWater.*.currentLevel"),
];

const CAPACITY: &[(u64, &str)] = &[
    (0, "tanks.fuel.*.capacity"),
    (1, "tanks.freshWater.*.capacity"),
    (2, "tanks.wasteWater.*.capacity"),
    (3, "tanks.liveWell.*.capacity"),
    (4, "tanks.lubrication.*.capacity"),
    (5, "tanks.blackWater.*.capacity"),
];
