//! Any frames and messages of a J1939 bus, in any order and at any time.

#![no_main]

use hawser_fuzz::Seen;
use hawser_fuzz::frames::{Step, play, steps};
use hawser_fuzz::wire::j1939::{Decoder, raw_json};
use libfuzzer_sys::fuzz_target;

/// 64 long messages of 1,785 bytes (112 KiB), 256 identities of four texts (256 KiB), 256 trouble codes, and the
/// readings of the longest DM1.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Engines, gear boxes, diagnostics, the bus's own, and the transport protocol; the seeds bring others.
const PGNS: [u32; 24] = [
    61_443, 61_444, 61_445, 65_170, 65_226, 65_227, 65_242, 65_243, 65_244, 65_253, 65_257, 65_259, 65_262, 65_263,
    65_265, 65_266, 65_269, 65_270, 65_271, 65_272, 65_276, 60_928, 60_416, 60_160,
];

/// One DM1 of four bytes may end as many notifications as are active.
const ENDED_MAX: usize = 256;

fuzz_target!(|input: &[u8]| {
    let mut seen = Seen::default();
    play(input, &PGNS, &mut Decoder::new(), HELD_BYTES_MAX, &mut seen);
    seen.assert_bounded_by(input.len() + ENDED_MAX, 4);
    for (_, step) in steps(input, &PGNS) {
        if let Step::Message(message) = step {
            drop(raw_json(&message));
        }
    }
});
