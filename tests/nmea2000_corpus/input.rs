//! Captures to frames and messages, by canboat's own line parsers: what is tested here begins at the frame.

use std::path::Path;

use canboat::codec::line::{Framing, InputFormat, detect, parse};
use hawser::wire::can::{Frame, Identifier};
use pcap_file::pcap::PcapReader;

/// One line of a log, or one packet of a capture.
pub enum Heard {
    /// As it was on the bus.
    Frame(Frame),
    /// Put together by a gateway.
    Whole(Identifier, Vec<u8>),
}

/// Everything in a text log.
pub fn text(log: &str) -> Vec<Heard> {
    let mut coalesced = log.contains("format=FAST") && !log.contains("format=PLAIN_MIX_FAST");
    let mixed = log.contains("format=PLAIN_MIX_FAST") || log.contains("PLAIN_MIX_FAST format");
    let mut format = None;
    let mut heard = Vec::new();
    for line in log.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let format = *format.get_or_insert_with(|| detect(line).unwrap_or(InputFormat::Plain));
        let Ok(Some(parsed)) = parse(format, line) else { continue };
        let identifier =
            Identifier { priority: parsed.prio, pgn: parsed.pgn, source: parsed.src, destination: parsed.dst };
        coalesced |= parsed.data.len() > 8 && !mixed;
        let whole = match format.framing() {
            Framing::Single => false,
            Framing::Coalesced => true,
            _ => coalesced || parsed.data.len() != 8,
        };
        let frame = Frame::extended(identifier.encode(), &parsed.data);
        match frame.filter(|_| !whole && parsed.pgn < 1 << 18) {
            Some(frame) => heard.push(Heard::Frame(frame)),
            None => heard.push(Heard::Whole(identifier, parsed.data.to_vec())),
        }
    }
    heard
}

/// Everything in a capture of a SocketCAN interface: identifier with flags, length, three bytes, data.
pub fn pcap(path: &Path) -> Vec<Heard> {
    let mut packets = PcapReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut heard = Vec::new();
    while let Some(packet) = packets.next_packet() {
        let packet = packet.unwrap();
        let id = u32::from_be_bytes(*packet.data.first_chunk().unwrap()) & 0x1FFF_FFFF;
        let length = usize::from(packet.data[4]);
        heard.extend(Frame::extended(id, &packet.data[8..8 + length]).map(Heard::Frame));
    }
    heard
}
