//! Any datagrams of IEC 61162-450, at any time: one that is handed over in parts says the same.

#![no_main]

use hawser_fuzz::wire::StreamDecoder;
use hawser_fuzz::wire::iec61162_450::{SENTENCES, Stream};
use hawser_fuzz::{Script, Seen};
use libfuzzer_sys::fuzz_target;

/// What one datagram of an input holds, the readings of a sentence, and the table of duplicates (24 KiB).
const HELD_BYTES_MAX: usize = 192 * 1_024;

/// Between datagrams; no sentence holds it.
const SEPARATOR: u8 = 0xFF;

fuzz_target!(|input: &[u8]| {
    let Some((script, bytes)) = Script::split(input) else { return };
    let mut times = script.pieces(bytes).map(|(mono_ms, _)| mono_ms);
    let (mut whole, mut cut) = ((Seen::default(), Stream::default()), (Seen::default(), Stream::default()));
    let mut mono_ms = 0;
    for datagram in bytes.split(|byte| *byte == SEPARATOR) {
        mono_ms = times.next().unwrap_or(mono_ms);
        // Most have a header: the fuzzer need not find six bytes first.
        let header = if datagram.get(5) == Some(&0) { &b""[..] } else { SENTENCES };
        let (first, second) = datagram.split_at(datagram.len() / 2);
        whole.1.push(&[header, datagram].concat(), mono_ms, &mut whole.0);
        whole.1.end_of_datagram(mono_ms, &mut whole.0);
        for part in [header, first, second] {
            cut.1.push(part, mono_ms, &mut cut.0);
        }
        cut.1.end_of_datagram(mono_ms, &mut cut.0);
        assert!(cut.1.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", cut.1.held_bytes());
    }
    whole.1.end_of_stream(mono_ms, &mut whole.0);
    cut.1.end_of_stream(mono_ms, &mut cut.0);
    assert_eq!(whole.0, cut.0, "the cuts matter");
    whole.0.assert_bounded_by(bytes.len(), 4);
});
