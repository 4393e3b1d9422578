//! J1939 captures against what canboat's analyzer prints of them: every value that both know.
//!
//! Set `HAWSER_CORPUS` to the folder of captures; without it this test has nothing to do. Where the oracle is wrong
//! its field is not compared, with the reason.

use std::path::PathBuf;

use hawser::decode::{DecodeOptions, Format, Protocol, decode};
use hawser::reading::Quality;
use hawser::wire::can::{Format as CanFormat, FrameDecoder, Framing, Item};
use hawser::wire::j1939::Decoder;
use hawser::wire::{Decoded, Sink};

fn corpus(file: &str) -> Option<PathBuf> {
    std::env::var_os("HAWSER_CORPUS").map(|root| PathBuf::from(root).join("j1939").join(file))
}

/// The readings of one frame after the other.
#[derive(Default)]
struct Messages(Vec<Vec<Decoded>>, Vec<&'static str>);

impl Sink for Messages {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.0.push(std::mem::take(readings));
    }
    fn dropped(&mut self, reason: &'static str, _: u64, _: &dyn std::fmt::Display, _: &[u8]) {
        self.1.push(reason);
    }
}

fn messages(bytes: &[u8]) -> Messages {
    let (mut framing, mut decoder, mut sink) = (Framing::new(CanFormat::Candump), Decoder::new(), Messages::default());
    framing.push(bytes, &mut |item| match item {
        Ok(Item::Frame(frame)) => decoder.frame(&frame, 0, &mut sink),
        other => panic!("{other:?}"),
    });
    sink
}

/// canboat's field, our path, and what turns our SI value into canboat's unit: scale, offset, half of its last digit.
const FIELDS: &[(&str, &str, f64, f64, f64)] = &[
    ("Engine RPM", "propulsion.0.revolutions", 60.0, 0.0, 0.05),
    ("Accelerator Pedal Position 1", "propulsion.0.throttle", 100.0, 0.0, 0.05),
    ("Engine Percent Load At Current Speed", "propulsion.0.engineLoad", 100.0, 0.0, 0.5),
    ("Intake Manifold Temp", "propulsion.0.intakeManifoldTemperature", 1.0, -273.15, 0.5),
    ("Air Inlet Pressure", "propulsion.0.airInletPressure", 1e-5, 0.0, 0.0005),
    ("Boost Pressure", "propulsion.0.boostPressure", 1e-5, 0.0, 0.0005),
    ("Exhaust Gas Temperature", "propulsion.0.exhaustTemperature", 1.0, -273.15, 0.05),
    ("Engine Coolant Temp", "propulsion.0.coolantTemperature", 1.0, -273.15, 0.5),
    ("Engine Oil Temp 1", "propulsion.0.oilTemperature", 1.0, -273.15, 0.05),
    ("Fuel Rate", "propulsion.0.fuel.rate", 3.6e6, 0.0, 0.005),
    ("Throttle Position", "propulsion.0.throttleValve", 100.0, 0.0, 0.05),
    ("Barometric Pressure", "propulsion.0.barometricPressure", 1e-5, 0.0, 0.0005),
    ("Battery Voltage", "electrical.batteries.engine0.voltage", 1.0, 0.0, 0.005),
    // Not compared: the torques of EEC1. SPN 512, 513 and 2432 are unsigned with an offset of -125 % and FF for "not
    // available" (J1939-71); canboat reads them as signed and makes -1 % of FF.
];

/// Compares one message with its line; gives how many values are good on both sides, and how many on neither.
fn compare(line: &str, readings: &[Decoded]) -> (usize, usize) {
    let (mut good, mut neither) = (0, 0);
    let fields = line.split_once(":  ").map_or("", |(_, fields)| fields);
    for (name, told) in fields.split("; ").filter_map(|field| field.split_once(" = ")) {
        let Some((_, path, scale, offset, half)) = FIELDS.iter().find(|field| field.0 == name) else { continue };
        let ours = readings.iter().find(|reading| reading.path == *path);
        let ours = ours.filter(|reading| reading.quality == Quality::Good).map(|reading| &reading.value);
        match (told.split(' ').next().and_then(|number| number.parse::<f64>().ok()), ours) {
            (None, None) => neither += 1,
            (Some(told), Some(hawser::reading::Value::Float(value))) => {
                let ours = value * scale + offset;
                assert!((ours - told).abs() <= half + 1e-9, "{name}: {ours} and {told} in {line}");
                good += 1;
            }
            (told, ours) => panic!("{name}: {told:?} and {ours:?} in {line}"),
        }
    }
    (good, neither)
}

#[test]
fn an_engines_capture_has_canboats_values() {
    let Some(input) = corpus("canboat/j1939-pgn-test.in") else { return };
    let oracle = std::fs::read_to_string(input.with_extension("out")).unwrap();
    let sink = messages(&std::fs::read(input).unwrap());
    assert_eq!((sink.0.len(), oracle.lines().count(), sink.1.len()), (853, 853, 0));
    let compared = oracle.lines().zip(&sink.0).map(|(line, readings)| compare(line, readings));
    let (good, neither) = compared.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    println!("# j1939-pgn-test: 853 messages, {good} values equal, {neither} absent on both sides, 0 different");
    assert_eq!((good, neither), (862, 347));
}

#[test]
fn small_captures_are_understood_to_the_last_frame() {
    let Some(log) = corpus("pretty_j1939/candump.log") else { return };
    // EEC1: 649.0 rpm in canboat's decoding. VD: 854,934 km of 0.125. EEC6 makes no readings.
    let sink = messages(&std::fs::read(log).unwrap());
    assert_eq!(sink.1, ["unsupported_pgn"]);
    let float = |path: &str| {
        let found = sink.0.iter().flatten().find(|reading| reading.path == path).unwrap_or_else(|| panic!("{path}"));
        found.value.to_json().as_f64().unwrap()
    };
    assert!((float("propulsion.0.revolutions") * 60.0 - 649.0).abs() < 1e-9);
    assert_eq!(float("navigation.log"), f64::from(0x0068_5CB0) * 125.0);
    let request = messages(&std::fs::read(corpus("pretty_j1939/test_requests.log").unwrap()).unwrap());
    assert_eq!((request.0.len(), request.1.len()), (1, 0));
    let priorities = messages(&std::fs::read(corpus("pretty_j1939/test_priority.log").unwrap()).unwrap());
    assert_eq!(priorities.0.len(), 3);
}

/// Raw messages, those of the transport protocol whole: canboat's own print has the first 8 of the 9 bytes.
#[test]
fn long_messages_are_whole() {
    let Some(log) = corpus("pretty_j1939/test_tp_frames.txt") else { return };
    let protocol = Protocol::J1939;
    let options = DecodeOptions { format: Format::Candump, protocol, raw: true, ..DecodeOptions::default() };
    let mut output = Vec::new();
    let summary = decode(&options, std::fs::File::open(log).unwrap(), &mut output).unwrap();
    assert_eq!(summary.to_string(), "1 messages, 0 readings");
    let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!((&json["pgn"], &json["src"]), (&serde_json::json!(0), &serde_json::json!(0)));
    assert!(json["fields"]["Data"].as_str().is_some_and(|data| data.starts_with("01 02 03 04 05 06 07 01")), "{json}");
}
