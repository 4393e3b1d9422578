//! Any file into `hawser decode`, with any of its options: whatever it prints is a line of JSON.

#![no_main]

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use hawser_fuzz::Script;
use hawser_fuzz::decode::{DecodeOptions, Format, Protocol, decode};
use hawser_fuzz::wire::dbc::Map;
use hawser_fuzz::wire::nmea0183::ChecksumRule;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const FORMATS: [Format; 9] = [
    Format::Nmea0183,
    Format::Candump,
    Format::Canboat,
    Format::Ydwg,
    Format::Actisense,
    Format::PcanView,
    Format::Pcap,
    Format::Iec61162_450,
    Format::ModbusPcap,
];

/// Hands a file out in the pieces of a script.
struct Pieces<I>(I);

impl<'a, I: Iterator<Item = &'a [u8]>> Read for Pieces<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.next() else { return Ok(0) };
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        Ok(count)
    }
}

fn protocol(choice: u8) -> Protocol {
    static MAP: OnceLock<Arc<Map>> = OnceLock::new();
    let map = || Map::parse(include_str!("../../configs/dbc/battery-monitor.dbc")).expect("ours");
    match choice % 3 {
        0 => Protocol::Nmea2000,
        1 => Protocol::J1939,
        _ => Protocol::Dbc(MAP.get_or_init(|| Arc::new(map())).clone()),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(([format, choice], input)) = input.split_first_chunk() else { return };
    let Some((script, bytes)) = Script::split(input) else { return };
    let options = DecodeOptions {
        format: FORMATS[usize::from(*format) % FORMATS.len()],
        protocol: protocol(choice >> 3),
        raw: choice & 1 != 0,
        checksum: if choice & 2 == 0 { ChecksumRule::IfPresent } else { ChecksumRule::Required },
        skip_comments: choice & 4 == 0,
    };
    let mut output = Vec::new();
    match decode(&options, Pieces(script.pieces(bytes).map(|(_, piece)| piece)), &mut output) {
        Ok(summary) => drop(summary.to_string()),
        Err(error) => drop(error.to_string()),
    }
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        assert!(line.ends_with(b"\n"), "half a line");
        serde_json::from_slice::<IgnoredAny>(line).expect("a line is JSON");
    }
});
