//! Frames to whole messages: single frames as they are, fast packets put together.

use canboat::FramePacketType;
use canboat::codec::fastpacket::packet_type;

use crate::wire::can::fast_packet::FastPackets;
use crate::wire::can::{Frame, Identifier, Message};

/// Puts together the messages of one bus. Bounded.
#[derive(Debug, Default)]
pub struct Assembler {
    fast: FastPackets,
}

impl Assembler {
    /// Takes one frame; the message that it completes.
    pub fn frame<'a>(&'a mut self, frame: &'a Frame, mono_ms: u64) -> Option<Message<'a>> {
        let identifier = Identifier::parse(frame.id);
        let payload = match packet_type(identifier.pgn) {
            FramePacketType::Fast => self.fast.push(identifier, frame.bytes(), mono_ms)?,
            _ => frame.bytes(),
        };
        Some(Message { identifier, payload, at: frame.at })
    }

    /// Another device took the address: what was half heard from it goes.
    pub fn forget(&mut self, address: u8) {
        self.fast.forget(address);
    }

    /// The connection ended, and with it all that is open.
    pub fn clear(&mut self) {
        self.fast.clear();
    }

    /// Tells what was lost since this was called last: the reason, and how often.
    pub fn take_lost(&mut self, mut tell: impl FnMut(&'static str, u64)) {
        for (reason, count) in self.fast.take_lost().reasons() {
            if count > 0 {
                tell(reason, count);
            }
        }
    }

    /// Bytes of memory that are held.
    pub const fn held_bytes(&self) -> usize {
        self.fast.held_bytes()
    }
}
