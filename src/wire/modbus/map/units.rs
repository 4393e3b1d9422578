//! The units that devices use, and how each becomes SI: SI = number x factor + offset.

/// A unit of a device.
#[derive(Debug, PartialEq)]
pub struct Unit {
    /// As a map names it.
    pub name: &'static str,
    /// The unit inside, in Signal K's spelling.
    pub si: &'static str,
    /// By what a number is multiplied.
    pub factor: f64,
    /// What is added then.
    pub offset: f64,
}

const fn unit(name: &'static str, si: &'static str, factor: f64) -> Unit {
    Unit { name, si, factor, offset: 0.0 }
}

/// Pascals of a pound-force a square inch (NIST SP 811, appendix B.8).
const PSI_PASCALS: f64 = 6_894.757_293_168;

/// Metres a second of a knot: 1,852 m an hour (BIPM, SI Brochure, 8th edition, table 8).
const KNOT_METRES_PER_SECOND: f64 = 1_852.0 / 3_600.0;

/// Kelvins at 0 degrees Celsius (SI Brochure, 9th edition, 2.3.1).
const CELSIUS_OFFSET: f64 = 273.15;

/// Every unit that a map may name. Reactive energy has none: Signal K knows no path for it.
pub const UNITS: &[Unit] = &[
    unit("1", "", 1.0),
    unit("ratio", "ratio", 1.0),
    unit("%", "ratio", 0.01),
    unit("V", "V", 1.0),
    unit("mV", "V", 1e-3),
    unit("kV", "V", 1e3),
    unit("A", "A", 1.0),
    unit("mA", "A", 1e-3),
    unit("W", "W", 1.0),
    unit("kW", "W", 1e3),
    unit("MW", "W", 1e6),
    unit("VA", "VA", 1.0),
    unit("kVA", "VA", 1e3),
    unit("var", "VAR", 1.0),
    unit("kvar", "VAR", 1e3),
    unit("Hz", "Hz", 1.0),
    unit("rpm", "Hz", 1.0 / 60.0),
    unit("Wh", "J", 3_600.0),
    unit("kWh", "J", 3.6e6),
    unit("MWh", "J", 3.6e9),
    unit("J", "J", 1.0),
    unit("Ah", "C", 3_600.0),
    unit("C", "C", 1.0),
    unit("K", "K", 1.0),
    Unit { name: "degC", si: "K", factor: 1.0, offset: CELSIUS_OFFSET },
    Unit { name: "degF", si: "K", factor: 5.0 / 9.0, offset: CELSIUS_OFFSET - 32.0 * 5.0 / 9.0 },
    unit("Pa", "Pa", 1.0),
    unit("kPa", "Pa", 1e3),
    unit("mbar", "Pa", 100.0),
    unit("bar", "Pa", 1e5),
    unit("psi", "Pa", PSI_PASCALS),
    unit("s", "s", 1.0),
    unit("min", "s", 60.0),
    unit("h", "s", 3_600.0),
    unit("l", "m3", 1e-3),
    unit("m3", "m3", 1.0),
    unit("l/h", "m3/s", 1e-3 / 3_600.0),
    unit("m3/h", "m3/s", 1.0 / 3_600.0),
    unit("mm", "m", 1e-3),
    unit("m", "m", 1.0),
    unit("m/s", "m/s", 1.0),
    unit("kn", "m/s", KNOT_METRES_PER_SECOND),
    unit("deg", "rad", std::f64::consts::PI / 180.0),
    unit("rad", "rad", 1.0),
];

impl Unit {
    /// The unit called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        UNITS.iter().find(|unit| unit.name == name)
    }

    /// A number of this unit in SI.
    pub fn to_si(&self, number: f64) -> f64 {
        number.mul_add(self.factor, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_known_by_heart() {
        for (name, number, si) in [
            ("%", 55.0, 0.55),
            ("kWh", 2.0, 7_200_000.0),
            ("rpm", 1_800.0, 30.0),
            ("degC", -273.15, 0.0),
            ("degF", 212.0, 373.15),
            ("psi", 14.503_773_773, 100_000.0),
            ("l/h", 3_600.0, 0.001),
            ("kn", 3_600.0, 1_852.0),
            ("deg", 180.0, std::f64::consts::PI),
        ] {
            let got = Unit::named(name).expect(name).to_si(number);
            assert!((got - si).abs() <= 1e-9 * si.abs().max(1.0), "{name}: {got}, not {si}");
        }
    }

    #[test]
    fn names_are_unique() {
        for (at, unit) in UNITS.iter().enumerate() {
            assert!(UNITS[..at].iter().all(|other| other.name != unit.name), "{}", unit.name);
        }
    }
}
