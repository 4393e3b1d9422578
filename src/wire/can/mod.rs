//! CAN: frames, and what carries them.
//!
//! [`Frame`] is what a CAN controller received, [`Message`] a PGN's whole payload, as gateways that put fast packets
//! together themselves hand it out. A [`FrameDecoder`] makes readings of either.

pub mod fast_packet;
mod frame;
pub mod names;

use std::fmt;

pub use frame::{Frame, Identifier, Message, PAYLOAD_BYTES_MAX};

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
