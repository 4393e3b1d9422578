//! A CAN bus behind a byte stream: a gateway on TCP, UDP or a serial line.

use super::FrameDecoder;
use super::format::{Format, Framing, Item, Reason, Rejected};
use crate::wire::{Sink, SourceInfo, StreamDecoder};

/// A framing with a decoder behind it: NMEA 2000, J1939 or a DBC over any gateway.
#[derive(Debug)]
pub struct CanStream {
    framing: Framing,
    decoder: Box<dyn FrameDecoder>,
}

impl CanStream {
    /// Frames as `format` writes them, for `decoder`.
    pub fn new(format: Format, decoder: Box<dyn FrameDecoder>) -> Self {
        Self { framing: Framing::new(format), decoder }
    }
}

/// Hands one item to the decoder, or counts why there is none.
fn hand_over(item: Result<Item<'_>, Rejected<'_>>, decoder: &mut dyn FrameDecoder, mono_ms: u64, sink: &mut dyn Sink) {
    match item {
        Ok(Item::Frame(frame)) => decoder.frame(&frame, mono_ms, sink),
        Ok(Item::Message(message)) => decoder.message(&message, mono_ms, sink),
        Err(Rejected { reason: reason @ Reason::Gateway, near }) => sink.ignored(reason.name(), 1, &reason, near),
        Err(Rejected { reason, near }) => sink.dropped(reason.name(), 1, &reason, near),
    }
}

impl StreamDecoder for CanStream {
    fn push(&mut self, bytes: &[u8], mono_ms: u64, sink: &mut dyn Sink) {
        let Self { framing, decoder } = self;
        framing.push(bytes, &mut |item| hand_over(item, &mut **decoder, mono_ms, sink));
    }

    /// Ends the open line alone: a message of many frames goes on in the next datagram.
    fn end_of_datagram(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        let Self { framing, decoder } = self;
        framing.finish(&mut |item| hand_over(item, &mut **decoder, mono_ms, sink));
    }

    fn end_of_stream(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        self.end_of_datagram(mono_ms, sink);
        self.decoder.end(mono_ms, sink);
    }

    fn held_bytes(&self) -> usize {
        self.framing.held_bytes() + self.decoder.held_bytes()
    }

    fn sources(&self) -> Vec<SourceInfo> {
        self.decoder.sources()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::can::testing::PassedOver;

    #[test]
    fn what_a_gateway_says_of_itself_is_passed_over() {
        let mut stream = CanStream::new(Format::ActisenseBinary, Box::new(crate::wire::j1939::Decoder::new()));
        let mut sink = PassedOver::default();
        // DLE STX, command A0 of one byte, the checksum that makes all of it zero, DLE ETX.
        stream.push(&[0x10, 2, 0xA0, 1, 0x41, 0x1E, 0x10, 3], 0, &mut sink);
        assert_eq!(sink.0, ["gateway_message"]);
    }
}
