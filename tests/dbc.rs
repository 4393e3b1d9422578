//! Every DBC under `configs/dbc` compiles, and `hawser decode` reads frames by one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hawser::decode::{DecodeOptions, Format, Protocol, decode};
use hawser::wire::dbc::{Map, text_of};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/dbc")
}

fn map(path: &Path) -> Map {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Map::parse(&text_of(&bytes)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_sample_compiles() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let samples: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "dbc")).collect();
    assert!(!samples.is_empty());
    for sample in samples {
        let (messages, signals) = map(&sample).counts();
        assert!(messages > 0 && signals > 0, "{}", sample.display());
    }
}

const LOG: &str = "(1795243200.000000) can0 305#40059CFFA0411200\n(1795243200.100000) can0 7FF#00\n";

fn run(raw: bool) -> (String, String) {
    let protocol = Protocol::Dbc(Arc::new(map(&folder().join("battery-monitor.dbc"))));
    let options = DecodeOptions { format: Format::Candump, protocol, raw, ..DecodeOptions::default() };
    let mut output = Vec::new();
    let summary = decode(&options, LOG.as_bytes(), &mut output).unwrap();
    (String::from_utf8(output).unwrap(), summary.to_string())
}

#[test]
fn frames_are_decoded_by_a_dbc() {
    let (lines, summary) = run(false);
    assert_eq!(summary, "1 messages, 6 readings, unknown_identifier 1");
    let first = lines.lines().next().unwrap();
    let expected = r#"{"context":"vessels.self","path":"electrical.batteries.house.voltage","value":13.44,"unit":"V","#
        .to_owned()
        + r#""source":"id305","instance":"","quality":"good","observed_at":"2026-11-21T06:40:00.000Z"}"#;
    assert_eq!(first, expected);
}

#[test]
fn raw_names_the_message_and_its_signals() {
    let (lines, summary) = run(true);
    assert_eq!(summary, "1 messages, 0 readings, unknown_identifier 1");
    let json: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!((&json["id"], &json["message"]), (&serde_json::json!("305"), &serde_json::json!("Battery")));
    let state = serde_json::json!({"value": "discharging", "unit": "", "quality": "good"});
    assert_eq!(json["signals"]["State"], state);
}
