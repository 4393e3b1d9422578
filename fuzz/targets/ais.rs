//! Any payloads of AIS, in sentences with a right checksum: armoured, in one to nine fragments, of ours and of others.

#![no_main]

use hawser_fuzz::Seen;
use hawser_fuzz::wire::StreamDecoder;
use hawser_fuzz::wire::nmea0183::{Stream, checksum};
use libfuzzer_sys::fuzz_target;

/// As of any stream of NMEA 0183.
const HELD_BYTES_MAX: usize = 128 * 1_024;

/// Characters of payload in one sentence; the standard has room for 62.
const PAYLOAD_CHARACTERS: usize = 60;

/// Between messages: no six bits are that.
const SEPARATOR: u8 = 0xFF;

/// The character of six bits (IEC 61162-1, table of six-bit fields).
const fn armour(six: u8) -> u8 {
    let six = six & 0x3F;
    if six < 40 { six + 48 } else { six + 56 }
}

/// The sentences of one message. Its first byte says who sent it, the filling bits, and the fragment that goes missing.
fn sentences(message: &[u8], out: &mut Vec<u8>) {
    let Some((head, sixes)) = message.split_first() else { return };
    let payload: Vec<u8> = sixes.iter().copied().map(armour).collect();
    let count = payload.len().div_ceil(PAYLOAD_CHARACTERS).clamp(1, 9);
    let (formatter, fill, lost) = (if head & 1 == 0 { "VDM" } else { "VDO" }, head >> 1 & 7, usize::from(head >> 4));
    for (at, part) in payload.chunks(PAYLOAD_CHARACTERS).take(count).enumerate() {
        if at + 1 == lost && count > 1 {
            continue;
        }
        let fill = if at + 1 == count { fill } else { 0 };
        let group = if count > 1 { "3" } else { "" };
        let part = String::from_utf8_lossy(part);
        let body = format!("AI{formatter},{count},{},{group},A,{part},{fill}", at + 1);
        out.extend_from_slice(format!("!{body}*{:02X}\r\n", checksum(body.as_bytes())).as_bytes());
    }
}

fuzz_target!(|input: &[u8]| {
    let (mut seen, mut stream, mut lines) = (Seen::default(), Stream::default(), Vec::new());
    for message in input.split(|byte| *byte == SEPARATOR) {
        lines.clear();
        sentences(message, &mut lines);
        stream.push(&lines, 0, &mut seen);
        assert!(stream.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", stream.held_bytes());
    }
    stream.end_of_stream(0, &mut seen);
    // The densest, a weather report, has a reading of each six bits at most; an empty payload a few.
    seen.assert_bounded_by(input.len() + 8, 2);
    assert_eq!(seen.count("bad_checksum"), 0);
});
