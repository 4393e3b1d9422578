//! CAN: frames, and what carries them.
//!
//! [`Frame`] is what a CAN controller received, [`Message`] a PGN's whole payload, as gateways that put fast packets
//! together themselves hand it out. A [`FrameDecoder`] makes readings of either. [`Format`] is how a gateway or a log
//! writes them, [`CanStream`] such a gateway with a decoder behind it, [`TransportProtocol`] what puts long messages
//! together for J1939 and NMEA 2000 alike.

pub mod fast_packet;
mod format;
mod frame;
pub mod names;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub mod transport_protocol;

use std::fmt;

pub use format::{Format, Framing, Item, Reason, Rejected};
pub use frame::{Frame, Identifier, Message, PAYLOAD_BYTES_MAX};
pub use stream::CanStream;
pub use transport_protocol::{LongMessage, TransportProtocol};

use super::Sink;
use super::source::SourceInfo;

/// Frames of one CAN bus in, readings out: NMEA 2000, J1939, or a DBC. Listens only.
pub trait FrameDecoder: fmt::Debug + Send {
    /// Takes one frame.
    fn frame(&mut self, frame: &Frame, mono_ms: u64, sink: &mut dyn Sink);

    /// Takes one message that was put together elsewhere.
    fn message(&mut self, message: &Message<'_>, mono_ms: u64, sink: &mut dyn Sink);

    /// The connection ended: what was half put together is dropped, and counted.
    fn end(&mut self, mono_ms: u64, sink: &mut dyn Sink);

    /// Bytes of memory that are held between two frames.
    fn held_bytes(&self) -> usize;

    /// The devices heard so far, bounded.
    fn sources(&self) -> Vec<SourceInfo> {
        Vec::new()
    }
}
