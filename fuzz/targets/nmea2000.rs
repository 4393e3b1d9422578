//! Any frames and messages of an NMEA 2000 bus, in any order and at any time; and each message as `--raw` prints it.

#![no_main]

use std::sync::OnceLock;

use hawser_fuzz::Seen;
use hawser_fuzz::frames::{Step, play, steps};
use hawser_fuzz::wire::nmea2000::{Decoder, raw_json, table};
use libfuzzer_sys::fuzz_target;

/// 128 fast packets (32 KiB), 64 long messages of 1,785 bytes (112 KiB), 504 devices with five texts, 128 alert texts,
/// and the readings of the longest message.
const HELD_BYTES_MAX: usize = 1 << 20;

/// What the decoder knows beside its table: the bus's own PGNs, its alerts, and the transport protocol.
const OTHERS: [u32; 7] = [60_928, 126_996, 126_998, 126_983, 126_985, 60_416, 60_160];

fn pgns() -> &'static [u32] {
    static PGNS: OnceLock<Vec<u32>> = OnceLock::new();
    PGNS.get_or_init(|| table().map(|row| row.pgn).chain(OTHERS).collect())
}

fuzz_target!(|input: &[u8]| {
    let mut seen = Seen::default();
    play(input, pgns(), &mut Decoder::new(), HELD_BYTES_MAX, &mut seen);
    // Four bytes for each satellite or alarm are the least that make readings again and again.
    seen.assert_bounded_by(input.len() + 8, 4);
    for (_, step) in steps(input, pgns()) {
        if let Step::Message(message) = step {
            drop(raw_json(&message));
        }
    }
});
