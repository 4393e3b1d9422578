//! Units as DBC files write them, to SI.

use std::sync::Mutex;

/// A unit text that is kept as it is: at most this long. Texts of units have 1 to 8 characters.
const UNIT_BYTES_MAX: usize = 24;

/// Unit texts that are kept, of all DBC files of this process together. A series keeps its unit for as long as the
/// process lives, so they are never given back: at most 256 of 24 bytes.
const UNITS_MAX: usize = 256;

/// What a value in a unit must be multiplied with, and what then added, to be SI.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Si {
    pub unit: &'static str,
    pub scale: f64,
    pub offset: f64,
}

/// 0 degrees Celsius in K.
const ZERO_CELSIUS_K: f64 = 273.15;
const RAD: f64 = std::f64::consts::PI / 180.0;

/// Spellings, in lower case and without blanks; their SI unit, scale, offset. The lower case of the ohm sign is U+03C9.
const UNITS: &[(&[&str], &str, f64, f64)] = &[
    (&["rpm", "1/min", "min-1", "r/min", "u/min", "rev/min"], "Hz", 1.0 / 60.0, 0.0),
    (&["hz", "1/s"], "Hz", 1.0, 0.0),
    (&["khz"], "Hz", 1e3, 0.0),
    (&["degc", "\u{b0}c", "celsius", "degreec", "gradc"], "K", 1.0, ZERO_CELSIUS_K),
    (&["degf", "\u{b0}f", "fahrenheit"], "K", 5.0 / 9.0, ZERO_CELSIUS_K - 160.0 / 9.0),
    (&["kelvin"], "K", 1.0, 0.0),
    (&["km/h", "kmh", "kph"], "m/s", 1.0 / 3.6, 0.0),
    (&["m/s"], "m/s", 1.0, 0.0),
    (&["kt", "kts", "knots"], "m/s", 1_852.0 / 3_600.0, 0.0),
    (&["mph"], "m/s", 0.447_04, 0.0),
    (&["m/s2", "m/s^2", "m/s\u{b2}"], "m/s2", 1.0, 0.0),
    (&["pa"], "Pa", 1.0, 0.0),
    (&["kpa"], "Pa", 1e3, 0.0),
    (&["mpa"], "Pa", 1e6, 0.0),
    (&["hpa", "mbar"], "Pa", 1e2, 0.0),
    (&["bar"], "Pa", 1e5, 0.0),
    (&["psi"], "Pa", 6_894.757, 0.0),
    (&["%", "percent"], "ratio", 0.01, 0.0),
    (&["kv"], "V", 1e3, 0.0),
    (&["kw"], "W", 1e3, 0.0),
    (&["va"], "VA", 1.0, 0.0),
    (&["kva"], "VA", 1e3, 0.0),
    (&["wh"], "J", 3.6e3, 0.0),
    (&["kwh"], "J", 3.6e6, 0.0),
    (&["ah"], "C", 3.6e3, 0.0),
    (&["ohm", "\u{3c9}"], "ohm", 1.0, 0.0),
    (&["kohm", "k\u{3c9}"], "ohm", 1e3, 0.0),
    (&["l/h"], "m3/s", 1e-3 / 3_600.0, 0.0),
    (&["l/min"], "m3/s", 1e-3 / 60.0, 0.0),
    (&["m3/h", "m\u{b3}/h"], "m3/s", 1.0 / 3_600.0, 0.0),
    (&["liter", "litre"], "m3", 1e-3, 0.0),
    (&["ml"], "m3", 1e-6, 0.0),
    (&["m3", "m\u{b3}"], "m3", 1.0, 0.0),
    (&["kg/h"], "kg/s", 1.0 / 3_600.0, 0.0),
    (&["kg"], "kg", 1.0, 0.0),
    (&["deg", "\u{b0}", "degree", "degrees"], "rad", RAD, 0.0),
    (&["rad"], "rad", 1.0, 0.0),
    (&["deg/s", "\u{b0}/s"], "rad/s", RAD, 0.0),
    (&["rad/s"], "rad/s", 1.0, 0.0),
    (&["nm", "n.m", "n*m"], "Nm", 1.0, 0.0),
    (&["sec", "seconds"], "s", 1.0, 0.0),
    (&["ms", "msec"], "s", 1e-3, 0.0),
    (&["us", "\u{b5}s", "\u{3bc}s"], "s", 1e-6, 0.0),
    (&["min", "minutes"], "s", 60.0, 0.0),
    (&["hr", "hour", "hours"], "s", 3_600.0, 0.0),
    (&["meter", "metre"], "m", 1.0, 0.0),
    (&["mm"], "m", 1e-3, 0.0),
    (&["cm"], "m", 1e-2, 0.0),
    (&["km"], "m", 1e3, 0.0),
    (&["nmi"], "m", 1_852.0, 0.0),
];

/// Those of which only the case of a letter tells them apart from another: seconds from siemens, knots from
/// kilonewtons; looked at first. `g` is missing, for it may be grams or the acceleration of free fall, and `F`, which
/// may be farad.
const BY_CASE: &[(&str, &str, f64, f64)] = &[
    ("A", "A", 1.0, 0.0),
    ("mA", "A", 1e-3, 0.0),
    ("C", "K", 1.0, ZERO_CELSIUS_K),
    ("h", "s", 3_600.0, 0.0),
    ("J", "J", 1.0, 0.0),
    ("K", "K", 1.0, 0.0),
    ("kn", "m/s", 1_852.0 / 3_600.0, 0.0),
    ("l", "m3", 1e-3, 0.0),
    ("L", "m3", 1e-3, 0.0),
    ("m", "m", 1.0, 0.0),
    ("N", "N", 1.0, 0.0),
    ("kN", "N", 1e3, 0.0),
    ("NM", "m", 1_852.0, 0.0),
    ("mPa", "Pa", 1e-3, 0.0),
    ("s", "s", 1.0, 0.0),
    ("t", "kg", 1e3, 0.0),
    ("V", "V", 1.0, 0.0),
    ("mV", "V", 1e-3, 0.0),
    ("MV", "V", 1e6, 0.0),
    ("W", "W", 1.0, 0.0),
    ("mW", "W", 1e-3, 0.0),
    ("MW", "W", 1e6, 0.0),
];

/// How a unit of a DBC becomes SI. One that is not known stays as it is written.
pub(super) fn si(text: &str) -> Si {
    let text = text.trim();
    if let Some((_, unit, scale, offset)) = BY_CASE.iter().find(|(spelling, ..)| *spelling == text) {
        return Si { unit, scale: *scale, offset: *offset };
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    match UNITS.iter().find(|(spellings, ..)| spellings.contains(&plain.as_str())) {
        Some((_, unit, scale, offset)) => Si { unit, scale: *scale, offset: *offset },
        None => Si { unit: intern(text), scale: 1.0, offset: 0.0 },
    }
}

/// The same text for as long as the process lives; empty when it is too long or there are too many.
fn intern(text: &str) -> &'static str {
    static KEPT: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    if text.is_empty() || text.len() > UNIT_BYTES_MAX {
        return "";
    }
    let mut kept = KEPT.lock().expect("no panic while it is held");
    if let Some(known) = kept.iter().find(|known| **known == text) {
        return known;
    }
    if kept.len() >= UNITS_MAX {
        return "";
    }
    let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
    kept.push(leaked);
    leaked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_become_si_whatever_their_spelling() {
        let cases = [
            ("rpm", 1_800.0, "Hz", 30.0),
            ("\u{b0}C", 20.0, "K", 293.15),
            ("deg C", 20.0, "K", 293.15),
            ("degF", 68.0, "K", 293.15),
            ("km/h", 36.0, "m/s", 10.0),
            ("%", 50.0, "ratio", 0.5),
            ("L/h", 3_600.0, "m3/s", 1e-3),
            ("MPa", 1.0, "Pa", 1e6),
            ("kN", 2.0, "N", 2_000.0),
            ("kn", 3_600.0, "m/s", 1_852.0),
            ("\u{3a9}", 5.0, "ohm", 5.0),
            ("k\u{2126}", 5.0, "ohm", 5_000.0),
            ("MV", 2.0, "V", 2e6),
            ("mV", 2.0, "V", 2e-3),
            ("C", 20.0, "K", 293.15),
            ("h", 2.0, "s", 7_200.0),
        ];
        for (text, value, unit, expected) in cases {
            let si = si(text);
            let got = value * si.scale + si.offset;
            assert!(si.unit == unit && (got - expected).abs() < 1e-9, "{text}: {got} {}", si.unit);
        }
    }

    #[test]
    fn other_units_stay_as_they_are_and_are_kept_once() {
        let first = si("furlong/fortnight").unit;
        assert_eq!(first, "furlong/fortnight");
        assert!(std::ptr::eq(first, si("furlong/fortnight").unit));
        assert_eq!(si(&"x".repeat(25)).unit, "");
        // Acceleration or mass, siemens, farad, henry, kilonewtons or knots.
        for text in ["g", "S", "F", "H", "KN"] {
            assert_eq!(si(text), Si { unit: intern(text), scale: 1.0, offset: 0.0 });
        }
    }
}
