//! Batteries, chargers, inverters, shore power and switches.
//!
//! The charge that is left (127506, ampere-hours) makes no reading: Signal K has joules, and the voltage is not told.

use crate::wire::nmea2000::table::{PgnSpec, Rule, Take, optional, optional_by, report, report_by, row};

pub const ROWS: &[PgnSpec] = &[
    // Binary switch bank status.
    row(127_501, SWITCHES).instance("Instance"),
    // AC input status: 144 bits a line.
    row(127_503, INPUT).instance("Instance").lines("Number of Lines", 144),
    // AC output status.
    row(127_504, OUTPUT).instance("Instance").lines("Number of Lines", 144),
    // DC detailed status.
    row(
        127_506,
        &[
            report_by(
                "DC Type",
                &[(0, "electrical.batteries.*.capacity.stateOfCharge")],
                Take::Number("State of Charge"),
            ),
            optional_by(
                "DC Type",
                &[(0, "electrical.batteries.*.capacity.stateOfHealth")],
                Take::Number("State of Health"),
            ),
            optional_by(
                "DC Type",
                &[(0, "electrical.batteries.*.capacity.timeRemaining")],
                Take::Number("Time Remaining"),
            ),
            optional_by("DC Type", RIPPLE, Take::Number("Ripple Voltage")),
        ],
    )
    .instance("Instance"),
    // Charger status.
    row(
        127_507,
        &[
            report("electrical.chargers.*.chargingMode", Take::Word("Operating State", CHARGING)),
            optional("electrical.chargers.*.chargerRole", Take::Word("Charge Mode", ROLES)),
            optional("electrical.chargers.*.enabled", Take::Switch("Enabled")),
        ],
    )
    .instance("Instance"),
    // Battery status.
    row(
        127_508,
        &[
            report("electrical.batteries.*.voltage", Take::Number("Voltage")),
            optional("electrical.batteries.*.current", Take::Number("Current")),
            optional("electrical.batteries.*.temperature", Take::Number("Temperature")),
        ],
    )
    .instance("Instance"),
    // Inverter status.
    row(
        127_509,
        &[
            report("electrical.inverters.*.inverterMode", Take::Name("Operating State")),
            optional("electrical.inverters.*.enabled", Take::Switch("Inverter Enable")),
        ],
    )
    .instance("Instance"),
    // AC power and current, phase A.
    row(
        127_744,
        &[
            report("electrical.ac.*.phase.A.current", Take::Number("AC RMS Current")),
            optional("electrical.ac.*.phase.A.realPower", Take::Number("Power")),
        ],
    )
    .instance("Connection Number"),
    // AC power and current, phase B.
    row(
        127_745,
        &[
            report("electrical.ac.*.phase.B.current", Take::Number("AC RMS Current")),
            optional("electrical.ac.*.phase.B.realPower", Take::Number("Power")),
        ],
    )
    .instance("Connection Number"),
    // AC power and current, phase C.
    row(
        127_746,
        &[
            report("electrical.ac.*.phase.C.current", Take::Number("AC RMS Current")),
            optional("electrical.ac.*.phase.C.realPower", Take::Number("Power")),
        ],
    )
    .instance("Connection Number"),
    // AC voltage and frequency, phase A.
    row(
        127_747,
        &[
            report("electrical.ac.*.phase.A.lineNeutralVoltage", Take::Number("AC Voltage Line to Neutral")),
            optional("electrical.ac.*.phase.A.lineLineVoltage", Take::Number("AC Voltage Line to Line")),
            optional("electrical.ac.*.phase.A.frequency", Take::Number("Frequency")),
        ],
    )
    .instance("Connection Number"),
    // AC voltage and frequency, phase B.
    row(
        127_748,
        &[
            report("electrical.ac.*.phase.B.lineNeutralVoltage", Take::Number("AC Voltage Line to Neutral")),
            optional("electrical.ac.*.phase.B.lineLineVoltage", Take::Number("AC Voltage Line to Line")),
            optional("electrical.ac.*.phase.B.frequency", Take::Number("Frequency")),
        ],
    )
    .instance("Connection Number"),
    // AC voltage and frequency, phase C.
    row(
        127_749,
        &[
            report("electrical.ac.*.phase.C.lineNeutralVoltage", Take::Number("AC Voltage Line to Neutral")),
            optional("electrical.ac.*.phase.C.lineLineVoltage", Take::Number("AC Voltage Line to Line")),
            optional("electrical.ac.*.phase.C.frequency", Take::Number("Frequency")),
        ],
    )
    .instance("Connection Number"),
    // Converter status: a charger and inverter in one.
    row(127_750, &[report("electrical.inverters.*.inverterMode", Take::Name("Operating State"))])
        .instance("Connection Number"),
];

const RIPPLE: &[(u64, &str)] = &[
    (0, "electrical.batteries.*.voltage.ripple"),
    (1, "electrical.alternators.*.voltage.ripple"),
    (2, "electrical.chargers.*.voltage.ripple"),
    (3, "electrical.solar.*.voltage.ripple"),
];

const CHARGING: &[(u8, &str)] = &[
    (0, "not charging"),
    (1, "bulk"),
    (2, "absorption"),
    (3, "overcharge"),
    (4, "equalise"),
    (5, "float"),
    (6, "no float"),
    (7, "constant VI"),
    (8, "disabled"),
    (9, "fault"),
];

const ROLES: &[(u8, &str)] = &[(0, "standalone"), (1, "master"), (2, "slave"), (3, "echo")];

/// Paths by the line: three phases.
macro_rules! phases {
    ($side:literal, $leaf:literal) => {
        &[
            (0, concat!("electrical.ac.", $side, "*.phase.A.", $leaf)),
            (1, concat!("electrical.ac.", $side, "*.phase.B.", $leaf)),
            (2, concat!("electrical.ac.", $side, "*.phase.C.", $leaf)),
        ]
    };
}

/// What is measured of each line.
macro_rules! ac {
    ($side:literal) => {
        &[
            report_by("Line", phases!($side, "lineNeutralVoltage"), Take::Number("Voltage")),
            optional_by("Line", phases!($side, "current"), Take::Number("Current")),
            optional_by("Line", phases!($side, "frequency"), Take::Number("Frequency")),
            optional_by("Line", phases!($side, "realPower"), Take::Number("Real Power")),
            optional_by("Line", phases!($side, "reactivePower"), Take::Number("Reactive Power")),
            optional_by("Line", phases!($side, "powerFactor"), Take::Number("Power factor")),
        ]
    };
}

const INPUT: &[Rule] = ac!("input");
const OUTPUT: &[Rule] = ac!("output");

/// One switch of a bank; banks have up to 28, and what is not there is not available.
macro_rules! switches {
    ($($number:literal),*) => {
        &[$(optional(
            concat!("electrical.switches.bank.*.", $number, ".state"),
            Take::Switch(concat!("Indicator", $number)),
        )),*]
    };
}

const SWITCHES: &[Rule] =
    switches!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
