//! A PGN as it goes onto a CAN bus: its identifier, its payload, and the frames that carry it.
//!
//! Source: SAE J1939-21, 5.10 (transport protocol, BAM); NMEA 2000 fast packets as canboat documents them: 3 bits of
//! sequence and 5 of frame counter, the length in the first frame. Independent of the gateway's reassembly on purpose.

use crate::wire::can::{Frame, Identifier};

use super::packet::Count;
use super::payload::{Field, Payload};

/// Everybody.
pub(crate) const GLOBAL: u8 = 255;

/// Transport protocol, connection management: J1939-21, 5.10.2.
const PGN_TP_CM: u32 = 60_416;

/// Transport protocol, data transfer.
const PGN_TP_DT: u32 = 60_160;

/// Control byte of a broadcast announce message.
const BAM: u8 = 32;

/// Priority of transport protocol frames: J1939-21, 5.10.
const TRANSPORT_PRIORITY: u8 = 7;

/// Bytes of data in the first frame of a fast packet, and in each that follows.
const FAST_FIRST_BYTES: usize = 6;
const FAST_NEXT_BYTES: usize = 7;

/// Bytes of data in a frame of the transport protocol.
const TRANSPORT_BYTES: usize = 7;

/// How a payload is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// One frame; 8 bytes at most.
    Single,
    /// NMEA 2000's fast packet: up to 223 bytes.
    Fast,
    /// J1939's broadcast announce message: up to 1,785 bytes.
    Broadcast,
    /// One frame with an identifier of 11 bits, which stands where others have their PGN; 8 bytes at most.
    Standard,
}

/// A PGN with its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telegram {
    /// Who sends what to whom.
    pub identifier: Identifier,
    /// How it is carried.
    pub transport: Transport,
    /// The payload.
    pub payload: Vec<u8>,
    /// Sequence number of a fast packet, 0 to 7: how often this device sent this PGN before.
    pub sequence: u8,
    /// How many readings a gateway must make of it.
    pub count: Count,
    /// Where the values stand.
    pub(crate) fields: Vec<Field>,
}

impl Telegram {
    /// A telegram to all.
    pub(crate) fn new(pgn: u32, priority: u8, source: u8, transport: Transport, payload: Payload) -> Self {
        let (payload, count, fields) = payload.end();
        let identifier = Identifier { priority, pgn, source, destination: GLOBAL };
        Self { identifier, transport, payload, sequence: 0, count, fields }
    }

    /// A telegram that is this one frame.
    pub(crate) fn of_frame(frame: &Frame) -> Self {
        let payload = frame.bytes().iter().fold(Payload::default(), |payload, byte| payload.part((*byte).into(), 8));
        let Identifier { pgn, priority, source, .. } = Identifier::parse(frame.id);
        Self::new(pgn, priority, source, Transport::Single, payload)
    }

    /// The frames that carry it.
    pub fn frames(&self) -> Vec<Frame> {
        match self.transport {
            Transport::Single => vec![frame(self.identifier, &self.payload)],
            Transport::Fast => self.fast_packet(),
            Transport::Broadcast => self.broadcast(),
            Transport::Standard => {
                let frame = Frame::standard(self.identifier.pgn, &self.payload);
                vec![frame.expect("the simulator's own identifiers and payloads fit")]
            }
        }
    }

    fn fast_packet(&self) -> Vec<Frame> {
        let (first, rest) = self.payload.split_at(self.payload.len().min(FAST_FIRST_BYTES));
        let head = self.sequence << 5;
        let mut all = vec![frame(self.identifier, &filled(&[head, self.payload.len() as u8], first))];
        for (number, bytes) in (1..32u8).zip(rest.chunks(FAST_NEXT_BYTES)) {
            all.push(frame(self.identifier, &filled(&[head | number], bytes)));
        }
        all
    }

    fn broadcast(&self) -> Vec<Frame> {
        let Identifier { pgn, source, .. } = self.identifier;
        let transport = |pgn| Identifier { priority: TRANSPORT_PRIORITY, pgn, source, destination: GLOBAL };
        let (length, packets) = (self.payload.len() as u16, self.payload.len().div_ceil(TRANSPORT_BYTES) as u8);
        let ([low, high], [p0, p1, p2, _]) = (length.to_le_bytes(), pgn.to_le_bytes());
        let mut all = vec![frame(transport(PGN_TP_CM), &[BAM, low, high, packets, 0xFF, p0, p1, p2])];
        for (number, bytes) in (1..=255u8).zip(self.payload.chunks(TRANSPORT_BYTES)) {
            all.push(frame(transport(PGN_TP_DT), &filled(&[number], bytes)));
        }
        all
    }
}

/// `head` and `bytes`, filled to 8 with ones.
fn filled(head: &[u8], bytes: &[u8]) -> [u8; 8] {
    let mut data = [0xFF; 8];
    for (slot, byte) in data.iter_mut().zip(head.iter().chain(bytes)) {
        *slot = *byte;
    }
    data
}

fn frame(identifier: Identifier, data: &[u8]) -> Frame {
    let end = data.len().min(8);
    Frame::extended(identifier.encode(), &data[..end]).expect("8 bytes at most, and encode gives 29 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telegram(transport: Transport, payload: &[u8]) -> Telegram {
        let payload = payload.iter().fold(Payload::default(), |p, byte| p.part(u64::from(*byte), 8));
        Telegram { sequence: 5, ..Telegram::new(129_029, 3, 0x12, transport, payload) }
    }

    #[test]
    fn a_fast_packet_has_its_length_first_and_counts_its_frames() {
        let bytes: Vec<u8> = (0..20).collect();
        let frames = telegram(Transport::Fast, &bytes).frames();
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[0].data, [0xA0, 20, 0, 1, 2, 3, 4, 5]);
        assert_eq!(frames[1].data, [0xA1, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(frames[2].data, [0xA2, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(frames[0].id, 0x0DF8_0512, "129029 with priority 3 from 12 hex");
    }

    #[test]
    fn a_broadcast_is_announced_with_its_length_its_packets_and_its_pgn() {
        // J1939-21, figure B1, by hand: 10 bytes of DM1 from address 0.
        let payload: Vec<u8> = (0..10).collect();
        let dm1 = Telegram::new(65_226, 6, 0, Transport::Broadcast, Payload::default());
        let frames = Telegram { payload, ..dm1 }.frames();
        assert_eq!((frames[0].id, frames[0].data), (0x1CEC_FF00, [32, 10, 0, 2, 0xFF, 0xCA, 0xFE, 0]));
        assert_eq!((frames[1].id, frames[1].data), (0x1CEB_FF00, [1, 0, 1, 2, 3, 4, 5, 6]));
        assert_eq!(frames[2].data, [2, 7, 8, 9, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
}
