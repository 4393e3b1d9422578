//! Map files and what values they make: golden bytes, every error by its line, and the maps that come built in.

use super::{map_of, text_of};
use crate::reading::{Quality, Value};
use crate::wire::modbus::DeviceMap;
use crate::wire::modbus::map::{BUILTIN, PollClass, builtin, decode};
use crate::wire::unit;

/// What the bytes of the only value of a map say.
fn said(value: &str, bytes: &[u8]) -> (Value, Quality) {
    decode(&map_of("", value).values[0], bytes)
}

fn good(value: &str, bytes: &[u8]) -> Value {
    let (value, quality) = said(value, bytes);
    assert_eq!(quality, Quality::Good);
    value
}

#[test]
fn numbers_by_type_and_order() {
    let pi = [0x40, 0x49, 0x0F, 0xDB];
    let float = |extra: &str, bytes: &[u8]| good(&format!("input 0 f32 V a.b {extra}"), bytes);
    let expected = Value::Float(f64::from(std::f32::consts::PI));
    assert_eq!(float("-", &pi), expected);
    assert_eq!(float("word_order = \"little\"", &[0x0F, 0xDB, 0x40, 0x49]), expected);
    assert_eq!(float("byte_order = \"little\"", &[0x49, 0x40, 0xDB, 0x0F]), expected);
    assert_eq!(float("word_order = \"little\"; byte_order = \"little\"", &[0xDB, 0x0F, 0x49, 0x40]), expected);
    for (kind, bytes, number) in [
        ("u16", vec![0xFF, 0xFE], 65_534),
        ("i16", vec![0xFF, 0xFE], -2),
        ("u32", vec![0x00, 0x01, 0x00, 0x02], 65_538),
        ("i32", vec![0xFF, 0xFF, 0xFF, 0xFD], -3),
        ("u64", vec![0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296),
        ("i64", vec![0xFF; 8], -1),
    ] {
        assert_eq!(good(&format!("holding 0 {kind} - a.b -"), &bytes), Value::Integer(number), "{kind}");
    }
    let e = 2.5f64.to_be_bytes();
    assert_eq!(good("holding 0 f64 V a.b -", &e), Value::Float(2.5));
    let words: Vec<u8> = e.chunks(2).rev().flatten().copied().collect();
    assert_eq!(good("holding 0 f64 V a.b word_order = \"little\"", &words), Value::Float(2.5));
    assert_eq!(said("holding 0 u64 - a.b -", &[0xFF; 8]).1, Quality::OutOfRange, "more than an Integer holds");
}

#[test]
fn quantities_become_si() {
    assert_eq!(good("holding 0 u16 V a.b scale = 0.01", &[0x09, 0xC4]), Value::Float(25.0));
    assert_eq!(good("holding 0 i16 degC a.b scale = 0.1", &[0xFF, 0x9C]), Value::Float(263.15));
    assert_eq!(good("holding 0 u16 kPa a.b scale = 2.0; offset = -10.0", &[0, 100]), Value::Float(190_000.0));
    assert_eq!(good("holding 0 u16 rpm a.b -", &[0x07, 0x08]), Value::Float(30.0));
}

#[test]
fn absence_is_a_value() {
    let spec = "holding 0 i16 V a.b not_available = [0x8000, 0x7FFF]; min = -5.0; max = 5.0";
    assert_eq!(said(spec, &[0x80, 0x00]), (Value::Absent, Quality::NotAvailable));
    assert_eq!(said(spec, &[0x7F, 0xFF]), (Value::Absent, Quality::NotAvailable));
    assert_eq!(said(spec, &[0x00, 0x06]), (Value::Absent, Quality::OutOfRange));
    assert_eq!(said(spec, &[0xFF, 0xFB]), (Value::Float(-5.0), Quality::Good));
    assert_eq!(said("holding 0 i16 V a.b not_available = [-32768]", &[0x80, 0]).1, Quality::NotAvailable);
    assert_eq!(said("holding 0 u64 - a.b not_available = [-1]", &[0xFF; 8]).1, Quality::NotAvailable);
    assert_eq!(said("holding 0 f32 V a.b -", &[0x7F, 0xC0, 0, 0]).1, Quality::NotAvailable, "NaN");
    assert_eq!(said("holding 0 f32 V a.b -", &[0x7F, 0x80, 0, 0]).1, Quality::OutOfRange, "infinite");
    assert_eq!(said("holding 0 u16 V a.b -", &[1]).1, Quality::NotAvailable, "half a register");
}

#[test]
fn bits_words_flags_and_texts() {
    assert_eq!(good("holding 0 u16 - a.b bit = 9", &[0x02, 0x00]), Value::Bool(true));
    assert_eq!(good("holding 0 u16 - a.b bit = 8", &[0x02, 0x00]), Value::Bool(false));
    assert_eq!(good("coil 0 bool - a.b -", &[1]), Value::Bool(true));
    let words = "holding 0 u16 - a.b words = { 0 = \"off\", 252 = \"on\" }";
    assert_eq!(good(words, &[0, 252]), Value::text("on"));
    assert_eq!(said(words, &[0, 7]).1, Quality::OutOfRange, "a code that the document does not have");
    let flags = "holding 0 u16 - a.b flags = { 0 = \"oil\", 3 = \"heat\" }";
    assert_eq!(good(flags, &[0, 0b1001]), Value::text("oil,heat"));
    assert_eq!(good(flags, &[0, 0b0110]), Value::text(""), "bits without a name");
    let text = "holding 0 string - a.b registers = 4; word_order = \"little\"";
    assert_eq!(good(text, b"GX-50 \0\0"), Value::text("GX-50"));
    assert_eq!(good("holding 0 string - a.b registers = 2; byte_order = \"little\"", b"XG05"), Value::text("GX50"));
    assert_eq!(said(text, &[0; 8]).1, Quality::NotAvailable);
    assert_eq!(said(text, &[0xFF; 8]).1, Quality::OutOfRange);
}

#[test]
fn every_error_names_its_line_and_what_would_be_accepted() {
    // Values begin on line 10: nine lines of device and document.
    for (values, line, parts) in [
        ("holding 70000 u16 V a.b -", 12, &["address", "u16"][..]),
        ("hold 0 u16 V a.b -", 11, &["table", "`coil`, `discrete`, `holding`, `input`"]),
        ("holding 0 u17 V a.b -", 13, &["type", "`u16`"]),
        ("holding 0 u16 V a.b sclae = 1.0", 16, &["sclae", "unknown field", "`scale`"]),
        ("holding 0 u16 Volt a.b -", 10, &["value[0].unit", "`Volt`", "V, mV, kV"]),
        ("holding 0 f32 - a.b -", 10, &["value[0].unit", "is missing"]),
        ("holding 0 u16 V voltage -", 10, &["value[0].path", "`voltage`", "electrical.batteries.{instance}.voltage"]),
        ("holding 0 u16 V a.{other}.b -", 10, &["value[0].path"]),
        ("holding 65535 u32 V a.b -", 10, &["value[0].address", "65535 with 2 registers"]),
        ("coil 0 u16 V a.b -", 10, &["value[0].type", "does not fit the table"]),
        ("holding 0 bool - a.b -", 10, &["value[0].type", "bit = 0 to 15"]),
        ("holding 0 u16 - a.b bit = 16", 10, &["value[0].bit", "0 to 15"]),
        ("holding 0 f32 - a.b bit = 1", 10, &["value[0].type", "whole number"]),
        ("holding 0 u16 V a.b bit = 1", 10, &["value[0].bit", "more than one meaning"]),
        ("holding 0 u16 V a.b scale = 0.0", 10, &["value[0].scale", "not 0"]),
        ("holding 0 u16 V a.b min = 2.0; max = 1.0", 10, &["value[0].min", "2 to 1"]),
        ("holding 0 u16 V a.b not_available = [65536]", 10, &["value[0].not_available", "16 bits"]),
        ("holding 0 u16 - a.b words = { x = \"a\" }", 10, &["value[0].words", "x = \"a\""]),
        ("holding 0 u16 - a.b flags = { 16 = \"a\" }", 10, &["value[0].flags", "0 to 15"]),
        ("holding 0 string - a.b -", 10, &["value[0].registers", "1 to 32"]),
        ("holding 0 string - a.b registers = 33", 10, &["value[0].registers", "1 to 32"]),
        ("holding 0 u16 V a.b registers = 2", 10, &["value[0].registers", "the type has 1"]),
        ("holding 0 u16 V a.b -\nholding 1 u16 V a.b -", 16, &["value[1].path", "stands twice"]),
    ] {
        let errors = DeviceMap::parse("x.toml", &text_of("", values)).expect_err(values);
        let told = errors.errors[0].to_string();
        assert!(told.starts_with(&format!("x.toml:{line}: ")), "{values}: {told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{values}: {told}");
    }
    let errors = DeviceMap::parse("x.toml", &text_of("registers_max = 126", "")).expect_err("two errors");
    assert_eq!(errors.errors.len(), 2, "{errors:?}");
}

#[test]
fn the_built_in_maps_are_sound_and_their_units_are_those_of_their_paths() {
    assert!(builtin("nothing").is_none());
    for (name, _) in BUILTIN {
        let map = builtin(name).expect("listed").unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        assert!(map.values.len() >= 10 && !map.document.is_empty(), "{name}");
        for value in &map.values {
            let path = value.path_of("main");
            assert_eq!(value.si_unit(), unit(&path), "{name}: {path}");
            assert!(!path.contains('{'), "{name}: {path}");
        }
    }
}

/// Registers as a meter and a battery monitor would have them, worked out by hand from the documents.
#[test]
fn the_built_in_maps_read_by_hand() {
    let value = |name: &str, path: &str, bytes: &[u8]| {
        let map = builtin(name).expect("listed").expect("sound");
        let spec = map.values.iter().find(|value| value.path_of("x") == path).unwrap_or_else(|| panic!("{path}"));
        (spec.address, decode(spec, bytes))
    };
    // 30001: 230.2 V is 43 66 33 33 in the document's example of a float.
    let (address, (volts, _)) =
        value("eastron-sdm630", "electrical.ac.x.phase.A.lineNeutralVoltage", &[0x43, 0x66, 0x33, 0x33]);
    assert_eq!((address, volts), (0, Value::Float(f64::from(230.2f32))));
    let (address, (joules, _)) = value("eastron-sdm630", "electrical.ac.x.total.energyImported", &1.5f32.to_be_bytes());
    assert_eq!((address, joules), (72, Value::Float(5_400_000.0)));
    let battery = |path: &str, raw: u16| value("victron-gx-battery", path, &raw.to_be_bytes());
    assert_eq!(battery("electrical.batteries.x.voltage", 2_612), (259, (Value::Float(26.12), Quality::Good)));
    assert_eq!(battery("electrical.batteries.x.voltage", 0), (259, (Value::Absent, Quality::NotAvailable)));
    assert_eq!(battery("electrical.batteries.x.current", 0xFF9C), (261, (Value::Float(-10.0), Quality::Good)));
    let charge = "electrical.batteries.x.capacity.dischargeSinceFull";
    assert_eq!(battery(charge, 125), (265, (Value::Float(45_000.0), Quality::Good)));
    let low = "electrical.batteries.x.alarms.lowVoltage";
    assert_eq!(battery(low, 2), (268, (Value::text("alarm"), Quality::Good)));
}

#[test]
fn slow_values_are_few_and_named() {
    let map = map_of("", "holding 0 u16 V a.b poll = \"slow\"\nholding 1 u16 V a.c -");
    assert_eq!([map.values[0].poll, map.values[1].poll], [PollClass::Slow, PollClass::Fast]);
}
