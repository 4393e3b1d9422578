//! Any frames into the two ways to put long messages together, at any time: bounded, and a payload that is whole.

#![no_main]

use hawser_fuzz::Seen;
use hawser_fuzz::frames::{Step, steps};
use hawser_fuzz::wire::can::fast_packet::{FAST_PACKET_BYTES_MAX, FastPackets};
use hawser_fuzz::wire::can::{Identifier, PAYLOAD_BYTES_MAX, TransportProtocol};
use libfuzzer_sys::fuzz_target;

/// 64 long messages of 1,785 bytes, twice for a list that grew, and their heads.
const TRANSPORT_BYTES_MAX: usize = 256 * 1_024;

/// 128 fast packets of 248 bytes, twice for a list that grew.
const FAST_BYTES_MAX: usize = 96 * 1_024;

/// Connection management, data, and some that are neither.
const PGNS: [u32; 4] = [60_416, 60_160, 129_029, 130_820];

fuzz_target!(|input: &[u8]| {
    let (mut transport, mut fast, mut seen) = (TransportProtocol::default(), FastPackets::default(), Seen::default());
    let (mut frames, mut whole) = (0, 0);
    for (mono_ms, step) in steps(input, &PGNS) {
        let frame = match step {
            Step::Frame(frame) => frame,
            Step::End => {
                transport.end(&mut seen);
                fast.clear();
                continue;
            }
            Step::Message(message) => {
                fast.forget(message.identifier.source);
                continue;
            }
        };
        let identifier = Identifier::parse(frame.id);
        frames += 1;
        if TransportProtocol::carries(identifier.pgn) {
            if let Some(long) = transport.take(&frame, identifier, mono_ms, &mut seen) {
                assert!((1..=PAYLOAD_BYTES_MAX).contains(&long.payload.len()), "{long:?}");
                whole += 1;
            }
        } else if fast.push(identifier, frame.bytes(), mono_ms) {
            assert!((1..=FAST_PACKET_BYTES_MAX).contains(&fast.payload().len()));
            whole += 1;
        }
        assert!(transport.held_bytes() <= TRANSPORT_BYTES_MAX, "{} bytes held", transport.held_bytes());
        assert!(fast.held_bytes() <= FAST_BYTES_MAX, "{} bytes held", fast.held_bytes());
    }
    assert!(whole <= frames, "{whole} messages of {frames} frames");
    let _ = fast.take_lost();
});
