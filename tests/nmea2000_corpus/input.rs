//! Captures to frames and messages, by the formats that the gateway reads.

use hawser::wire::can::{Format, Frame, Framing, Identifier, Item, Rejected};
use pcap_file::pcap::PcapReader;

/// One line of a log, or one packet of a capture.
pub enum Heard {
    /// As it was on the bus.
    Frame(Frame),
    /// Put together by a gateway.
    Whole(Identifier, Vec<u8>),
}

/// Everything in a log, its format found by looking.
pub fn log(bytes: &[u8]) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut framing = Framing::new(Format::detect(bytes).expect("a capture of the corpus has a known format"));
    let mut take = |item: Result<Item<'_>, Rejected<'_>>| {
        heard.extend(item.ok().map(|item| match item {
            Item::Frame(frame) => Heard::Frame(frame),
            Item::Message(message) => Heard::Whole(message.identifier, message.payload.to_vec()),
        }));
    };
    framing.push(bytes, &mut take);
    framing.finish(&mut take);
    heard
}

/// Everything in a capture of a SocketCAN interface: identifier with flags, length, three bytes, data.
pub fn pcap(bytes: &[u8]) -> Vec<Heard> {
    let mut packets = PcapReader::new(bytes).expect("a capture");
    let mut heard = Vec::new();
    while let Some(packet) = packets.next_packet() {
        let packet = packet.expect("a sound capture").data;
        let id = u32::from_be_bytes(*packet.first_chunk().expect("an identifier")) & 0x1FFF_FFFF;
        let length = usize::from(packet[4]);
        heard.extend(Frame::extended(id, &packet[8..8 + length]).map(Heard::Frame));
    }
    heard
}
