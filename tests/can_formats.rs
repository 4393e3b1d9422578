//! Logs of CAN in every format, as `hawser decode` reads them: how many messages each gives, and which drops.
//!
//! The captures are those of HAWSER_CORPUS (canboat's samples and tests); without it only the formats' own small cases
//! run, beside the code. A number that changes fails, for the better too.

use std::path::PathBuf;

use hawser::decode::{DecodeError, DecodeOptions, Format, decode};
use rstest::rstest;

fn corpus(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HAWSER_CORPUS")?;
    Some(PathBuf::from(root).join(file))
}

/// Decodes a capture as raw messages and gives the lines and the summary.
fn raw(format: Format, file: &str) -> Option<(Vec<String>, String)> {
    let path = corpus(file)?;
    let input = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let options = DecodeOptions { format, raw: true, ..DecodeOptions::default() };
    let mut output = Vec::new();
    let summary = decode(&options, input, &mut output).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let text = String::from_utf8(output).expect("JSON is UTF-8");
    Some((text.lines().map(str::to_owned).collect(), summary.to_string()))
}

#[rstest]
#[case::candump(Format::Candump, "canboat-samples/candumpSample1.txt", "2378 messages, 0 readings, not_a_frame 1")]
#[case::candump_2(Format::Candump, "canboat-samples/candumpSample2.txt", "267 messages, 0 readings")]
#[case::candump_log(Format::Candump, "canboat-samples/actisense-522.candump.log", "14 messages, 0 readings")]
#[case::candump_cr(
    Format::Candump,
    "canboat-samples/candump-fast-cr.txt",
    "5 messages, 0 readings, fast_packet_incomplete 1"
)]
#[case::ydwg(Format::Ydwg, "canboat-samples/sample-YDWG02.txt", "23 messages, 0 readings")]
#[case::ascii(Format::Actisense, "canboat-tests/pgn-test-actisense.in", "22 messages, 0 readings")]
#[case::ebl(Format::Actisense, "other-formats/actisense1.ebl", "14 messages, 0 readings")]
#[case::pcan(Format::PcanView, "canboat-tests/pcan-view.in", "7 messages, 0 readings, fast_packet_incomplete 1")]
#[case::fast(Format::Canboat, "canboat-samples/maretron-alm100-alert.raw", "1 messages, 0 readings")]
#[case::iso_tp(
    Format::Canboat,
    "canboat-tests/iso-tp-test.in",
    "1 messages, 0 readings, transport_aborted 1, transport_no_session 1"
)]
#[case::pcap(
    Format::Pcap,
    "pcap/can0-1.pcap",
    "24427 messages, 0 readings, fast_packet_without_start 11, fast_packet_timeout 2"
)]
fn a_capture_gives_its_messages(#[case] format: Format, #[case] file: &str, #[case] expected: &str) {
    let Some((lines, summary)) = raw(format, &format!("nmea2000/{file}")) else { return };
    for line in &lines {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    assert_eq!(summary, expected, "{file}");
}

/// The EBL log and the candump log hold the same messages, four minutes apart. In the EBL they stand as a host wrote
/// them, with 99 as their destination and 255 as their source.
#[test]
fn the_same_messages_in_two_formats() {
    let Some((binary, _)) = raw(Format::Actisense, "nmea2000/other-formats/actisense1.ebl") else { return };
    let (text, _) = raw(Format::Candump, "nmea2000/canboat-samples/actisense-522.candump.log").expect("as above");
    let pgns = |lines: &[String]| -> Vec<serde_json::Value> {
        lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["pgn"].take()).collect()
    };
    assert_eq!(pgns(&binary), pgns(&text));
}

#[rstest]
#[case(Format::Ydwg, "(1436509053.762905) can0 123#00\n", "the input is candump, not ydwg; say --format candump")]
#[case(Format::Candump, "# x\n21:55:35.425 R 15FD0723 FF\n", "is Yacht Devices RAW, not candump; say --format ydwg")]
#[case(Format::Canboat, "\u{10}\u{2}x", "is Actisense binary, not canboat; say --format actisense")]
#[case(Format::Actisense, "2011-11-24-22:42:04.388,2,127251,36,255,1,7d\n", "say --format canboat")]
fn another_format_than_was_said_is_an_error(#[case] format: Format, #[case] input: &str, #[case] expected: &str) {
    let options = DecodeOptions { format, ..DecodeOptions::default() };
    let error = decode(&options, input.as_bytes(), std::io::sink()).unwrap_err();
    assert!(matches!(error, DecodeError::WrongFormat { .. }) && error.to_string().ends_with(expected), "{error}");
}

#[test]
fn what_no_format_understands_is_counted() {
    let options = DecodeOptions { format: Format::Candump, ..DecodeOptions::default() };
    let summary = decode(&options, &b"$GPGLL,5000.0,N\r\nrubbish\r\n"[..], std::io::sink()).unwrap();
    assert_eq!(summary.to_string(), "0 messages, 0 readings, not_a_frame 2");
}

#[rstest]
#[case("iec-61162-450-nmea.pcap", Format::Iec61162_450, "1 messages")]
#[case("iec-61162-450-nmea.pcap", Format::Pcap, "1 messages")]
#[case("nmea-0183.pcap", Format::Pcap, "1 messages")]
#[case("nmea-0183.pcap", Format::Iec61162_450, "no_header 1")]
#[case("nmea-0183-wrong-chcksm.pcap", Format::Pcap, "bad_checksum 1")]
#[case("iec-61162-450-nmea-wrong-tag-chcksm.pcap", Format::Iec61162_450, "bad_tag_block 1")]
#[case("iec-61162-450-binary-type1.pcap", Format::Iec61162_450, "rrudp_ignored")]
fn sentences_in_datagrams(#[case] file: &str, #[case] format: Format, #[case] expected: &str) {
    let Some(path) = corpus(&format!("iec61162-450/{file}")) else { return };
    let options = DecodeOptions { format, ..DecodeOptions::default() };
    let summary = decode(&options, std::fs::File::open(path).unwrap(), std::io::sink()).unwrap().to_string();
    assert!(summary.contains(expected), "{summary}");
}

#[test]
fn modbus_as_it_was_spoken() {
    let Some((lines, summary)) = raw(Format::ModbusPcap, "modbus/zeek/modbusSmall.pcap") else { return };
    let first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert!(lines.len() > 20 && summary.contains("not_modbus"), "{summary}");
    assert!(first["from"].as_str().is_some_and(|from| from.contains(':')) && first["function"].is_u64(), "{first}");
}
