//! Any byte stream of NMEA 0183: it says the same wherever the stream is cut.

#![no_main]

use hawser_fuzz::wire::StreamDecoder;
use hawser_fuzz::wire::nmea0183::Stream;
use hawser_fuzz::{Script, Seen};
use libfuzzer_sys::fuzz_target;

/// Twice the longest line, and the readings of one sentence: an XDR of the longest line has 250 of some 130 bytes,
/// which a growing list doubles.
const HELD_BYTES_MAX: usize = 128 * 1_024;

fuzz_target!(|input: &[u8]| {
    let Some((script, bytes)) = Script::split(input) else { return };
    let (mut cut, mut stream) = (Seen::default(), Stream::default());
    for (mono_ms, piece) in script.pieces(bytes) {
        stream.push(piece, mono_ms, &mut cut);
        assert!(stream.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", stream.held_bytes());
    }
    stream.end_of_stream(0, &mut cut);
    // No field makes more than one reading, and AIS no more than four of a character.
    cut.assert_bounded_by(bytes.len(), 4);

    let (mut whole, mut stream) = (Seen::default(), Stream::default());
    stream.push(bytes, 0, &mut whole);
    stream.end_of_stream(0, &mut whole);
    assert_eq!(cut, whole, "the cuts matter");
});
