//! Any text as a DBC, and any frames decoded by what it says.

#![no_main]

use std::sync::Arc;

use hawser_fuzz::Seen;
use hawser_fuzz::frames::play;
use hawser_fuzz::script::text_and_rest;
use hawser_fuzz::wire::dbc::{Decoder, Map, text_of};
use libfuzzer_sys::fuzz_target;

/// 64 long messages of 1,785 bytes (112 KiB), 512 sources, and the readings of one message: as many as it has signals,
/// of some 130 bytes, in a list that doubles. A signal takes at least 30 characters of an input of 4 KiB.
const HELD_BYTES_MAX: usize = 256 * 1_024;

fuzz_target!(|input: &[u8]| {
    let Some((text, frames)) = text_and_rest(input) else { return };
    let text = text_of(text);
    let map = match Map::parse(&text) {
        Ok(map) => Arc::new(map),
        Err(error) => return drop(error.to_string()),
    };
    let (messages, signals) = map.counts();
    assert!(messages + signals <= text.len());
    let mut seen = Seen::default();
    play(frames, &[60_416, 60_160, 61_444], &mut Decoder::new(map), HELD_BYTES_MAX, &mut seen);
    seen.assert_bounded_by(frames.len(), signals);
});
