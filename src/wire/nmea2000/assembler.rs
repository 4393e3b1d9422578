//! Frames to whole messages: single frames as they are, fast packets and the transport protocol put together.

use canboat::FramePacketType;
use canboat::codec::fastpacket::packet_type;

use crate::wire::Sink;
use crate::wire::can::fast_packet::FastPackets;
use crate::wire::can::{Frame, Identifier, LongMessage, Message, TransportProtocol};

/// Puts together the messages of one bus. Bounded.
#[derive(Debug, Default)]
pub struct Assembler {
    fast: FastPackets,
    transport: TransportProtocol,
    long: Option<LongMessage>,
}

impl Assembler {
    /// Takes one frame with a 29-bit identifier; the message that it completes. What is dropped is told to `sink`.
    pub fn frame<'a>(&'a mut self, frame: &'a Frame, mono_ms: u64, sink: &mut dyn Sink) -> Option<Message<'a>> {
        let identifier = Identifier::parse(frame.id);
        if packet_type(identifier.pgn) == FramePacketType::Fast {
            let whole = self.fast.push(identifier, frame.bytes(), mono_ms);
            self.tell_lost(frame.bytes(), sink);
            return whole.then(|| Message { identifier, payload: self.fast.payload(), at: frame.at });
        }
        if TransportProtocol::carries(identifier.pgn) {
            self.long = self.transport.take(frame, identifier, mono_ms, sink);
            return self.long.as_ref().map(LongMessage::message);
        }
        Some(Message { identifier, payload: frame.bytes(), at: frame.at })
    }

    /// Another device took the address: what was half heard from it goes.
    pub fn forget(&mut self, address: u8, sink: &mut dyn Sink) {
        self.fast.forget(address);
        self.tell_lost(b"", sink);
        self.transport.forget(address, sink);
    }

    /// The connection ended, and with it all that is open.
    pub fn end(&mut self, sink: &mut dyn Sink) {
        self.fast.clear();
        self.tell_lost(b"", sink);
        self.transport.end(sink);
    }

    fn tell_lost(&mut self, near: &[u8], sink: &mut dyn Sink) {
        let Some(lost) = self.fast.take_lost() else { return };
        for (reason, count) in lost.reasons().into_iter().filter(|(_, count)| *count > 0) {
            sink.dropped(reason, count, &"a fast packet", near);
        }
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        self.fast.held_bytes() + self.transport.held_bytes()
    }
}
