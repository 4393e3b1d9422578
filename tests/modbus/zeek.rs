//! Zeek's log of a capture against what reading along makes of it, event by event.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use hawser::wire::modbus::capture::{Body, Conversations, Direction, Message};
use hawser::wire::pcap::{Capture, Contents, Flow, TcpStreams};

/// The folder of captures; without it these tests say that they skipped.
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("HAWSER_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
    }
    folder
}

/// Each message of a capture, with its flow; and bytes that were no Modbus.
fn messages(capture: &[u8]) -> (Vec<(Flow, Message)>, u64) {
    let mut capture = Capture::new(capture).expect("a capture");
    let (mut streams, mut conversations, mut all) = (TcpStreams::default(), Conversations::default(), Vec::new());
    while let Some(packet) = capture.next_packet() {
        let Ok(packet) = packet else { break };
        if let Contents::Segment(segment) = packet.contents {
            streams.take(&segment, |flow, piece| {
                conversations.piece(flow, piece, |flow, message| all.push((flow, message)));
            });
        }
    }
    streams.finish(|flow, piece| conversations.piece(flow, piece, |flow, message| all.push((flow, message))));
    (all, conversations.skipped_bytes())
}

/// The start of every event of a flow, as Zeek writes it.
fn head(flow: &Flow, message: &Message) -> String {
    let (client, server) =
        if message.direction == Direction::Request { (flow.from, flow.to) } else { (flow.to, flow.from) };
    let ip = |address: [u8; 16]| {
        let address = Ipv6Addr::from(address);
        address.to_ipv4_mapped().map_or_else(|| address.to_string(), |four| four.to_string())
    };
    let exception = if matches!(message.body, Body::Exception { .. }) { 0x80 } else { 0 };
    format!(
        "[orig_h={}, orig_p={}/tcp, resp_h={}, resp_p={}/tcp, proto=6, ctx=[]], \
         [tid={}, pid=0, uid={}, function_code={}, len={}]",
        ip(client.address),
        client.port,
        ip(server.address),
        server.port,
        message.transaction,
        message.unit,
        message.function | exception,
        message.length
    )
}

/// The events that Zeek raises for a message: `modbus_message`, and its function's own.
fn events(flow: &Flow, message: &Message) -> Vec<String> {
    let (head, is_request) = (head(flow, message), message.direction == Direction::Request);
    let bits = |bits: &[bool]| {
        let all: Vec<_> = bits.iter().map(|bit| if *bit { "T" } else { "F" }).collect();
        format!("[{}]", all.join(", "))
    };
    let side = if is_request { "request" } else { "response" };
    let own = match (&message.body, message.function) {
        (Body::Range { address, count }, 1) => format!("modbus_read_coils_{side}, {head}, {address}, {count}"),
        (Body::Bits { bits: read }, 1) => format!("modbus_read_coils_{side}, {head}, {}", bits(read)),
        (Body::WriteBits { address, bits: set }, 15) => {
            format!("modbus_write_multiple_coils_{side}, {head}, {address}, {}", bits(set))
        }
        (Body::Range { address, count }, 15) => {
            format!("modbus_write_multiple_coils_{side}, {head}, {address}, {count}")
        }
        other => panic!("not in this capture: {other:?}"),
    };
    vec![format!("modbus_message, {head}, {}", if is_request { "T" } else { "F" }), own]
}

/// Zeek gives a read's answer with the padding of its last byte, since it does not remember the question; we cut it.
fn without_padding(line: &str) -> String {
    match line.strip_prefix("modbus_read_coils_response, ").and_then(|rest| rest.rsplit_once(", [")) {
        Some((head, bits)) => {
            let asked: Vec<_> = bits.trim_end_matches(']').split(", ").take(3).collect();
            format!("modbus_read_coils_response, {head}, [{}]", asked.join(", "))
        }
        None => line.to_owned(),
    }
}

#[test]
fn every_event_of_zeeks_log_is_found() {
    let Some(folder) = corpus() else { return };
    let folder = folder.join("modbus/zeek");
    let (found, skipped) = messages(&std::fs::read(folder.join("modbusSmall.pcap")).expect("the capture"));
    let log = std::fs::read_to_string(folder.join("coil_parsing_small.output")).expect("the log");
    // Each line is its count and the event.
    let lines = log.lines().filter(|line| !line.starts_with('#'));
    let expected = lines.map(|line| line.split_once(' ').expect("count and event")).fold(
        BTreeMap::new(),
        |mut all: BTreeMap<String, u64>, (count, event)| {
            *all.entry(without_padding(event)).or_default() += count.parse::<u64>().expect("a count");
            all
        },
    );
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for (flow, message) in &found {
        for event in events(flow, message) {
            *told.entry(event).or_default() += 1;
        }
    }
    let equal = expected.iter().filter(|(event, count)| told.get(*event) == Some(*count)).count();
    println!("zeek: {} messages, {} events, {equal} equal, skipped {skipped} bytes", found.len(), expected.len());
    assert_eq!(told, expected);
    assert_eq!((expected.values().sum::<u64>(), skipped), (64, 0));
}

#[test]
fn a_malformed_capture_is_read_to_its_end() {
    let Some(folder) = corpus() else { return };
    let (found, skipped) = messages(&std::fs::read(folder.join("modbus/zeek/fuzz-72.pcap")).expect("the capture"));
    assert_eq!((found.len(), skipped), (25, 49));
}
