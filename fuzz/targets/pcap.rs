//! Any bytes as a capture; and any segments of TCP, in any order.

#![no_main]

use hawser_fuzz::wire::modbus::capture::Conversations;
use hawser_fuzz::wire::pcap::{Capture, Endpoint, HELD_BYTES_MAX, Piece, Segment, TcpStreams};
use libfuzzer_sys::fuzz_target;

/// Endpoints that speak in an input of segments.
const ENDS: u8 = 4;

fn capture(bytes: &[u8]) {
    let mut capture = match Capture::new(bytes) {
        Ok(capture) => capture,
        Err(error) => return drop(error.to_string()),
    };
    let (mut packets, mut tcp) = (0, TcpStreams::default());
    while let Some(packet) = capture.next_packet() {
        match packet {
            Ok(packet) => {
                if let hawser_fuzz::wire::pcap::Contents::Segment(segment) = packet.contents {
                    tcp.take(&segment, |_, _| {});
                }
                packets += 1;
            }
            Err(error) => drop(error.to_string()),
        }
    }
    assert!(packets <= bytes.len(), "{packets} packets of {} bytes", bytes.len());
    assert!(capture.next_packet().is_none(), "a packet behind the end");
}

/// A segment is eight bytes and its payload: ends, flags, four of the sequence, two of the length.
fn segments(mut bytes: &[u8]) {
    let (mut tcp, mut conversations, mut handed_out, mut came) =
        (TcpStreams::default(), Conversations::default(), 0, 0);
    let end = |number: u8| Endpoint { address: [number % ENDS; 16], port: 500 + u16::from(number % ENDS) };
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let [ends, flags, s0, s1, s2, s3, low, high] = *head;
        let length = usize::from(u16::from_le_bytes([low, high & 0xF]));
        let (payload, behind) = rest.split_at(length.min(rest.len()));
        bytes = behind;
        came += payload.len();
        let segment = Segment {
            from: end(ends >> 4),
            to: end(ends),
            sequence: u32::from_le_bytes([s0, s1, s2, s3]),
            syn: flags & 2 != 0,
            fin: flags & 1 != 0,
            rst: flags & 4 != 0,
            payload,
        };
        tcp.take(&segment, |flow, piece| {
            handed_out += if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 };
            conversations.piece(flow, piece, |_, _| {});
        });
        assert!(tcp.held_bytes() <= usize::from(ENDS).pow(2) * HELD_BYTES_MAX, "{} bytes held", tcp.held_bytes());
    }
    tcp.finish(|flow, piece| {
        handed_out += if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 };
        conversations.piece(flow, piece, |_, _| {});
    });
    assert_eq!(tcp.held_bytes(), 0, "held behind the end");
    assert!(handed_out <= came, "{handed_out} bytes handed out of {came}");
    assert!(conversations.skipped_bytes() <= handed_out as u64);
}

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((0, bytes)) => segments(bytes),
        Some((_, bytes)) => capture(bytes),
        None => {}
    }
});
