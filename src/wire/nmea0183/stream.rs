//! The byte stream of a bus that speaks NMEA 0183: splitter, decoder, and what was dropped on the way.

use super::{Decoder, LineSplitter, Rejected};
use crate::wire::{Decoded, Sink, StreamDecoder};

/// Reason: a sound sentence that the table has no row for. Nothing of it is kept.
pub const REASON_UNSUPPORTED: &str = "unsupported_sentence";

/// Reason: a fragment of an AIS message whose other fragments never came.
pub const REASON_AIS_FRAGMENT_LOST: &str = "ais_fragment_lost";

/// Reason: an AIS message of a type that makes no readings.
pub const REASON_AIS_UNREAD: &str = "ais_message_unread";

/// Makes readings of the bytes of one bus.
#[derive(Debug, Default)]
pub struct Stream {
    splitter: LineSplitter,
    lines: Lines,
}

impl Stream {
    /// A stream with a decoder of its own rules.
    pub fn with_decoder(decoder: Decoder) -> Self {
        Self { lines: Lines { decoder, ..Lines::default() }, ..Self::default() }
    }
}

/// What stands behind the splitter.
#[derive(Debug, Default)]
struct Lines {
    decoder: Decoder,
    decoded: Vec<Decoded>,
    /// AIS fragments lost and messages unread, as far as they were told.
    ais_told: [u64; 2],
}

impl StreamDecoder for Stream {
    fn push(&mut self, bytes: &[u8], _mono_ms: u64, sink: &mut dyn Sink) {
        let Self { splitter, lines } = self;
        splitter.push(bytes, |line| lines.line(line, bytes, sink));
        lines.tell_ais(sink);
    }

    fn end_of_datagram(&mut self, _mono_ms: u64, sink: &mut dyn Sink) {
        let Self { splitter, lines } = self;
        splitter.finish(|line| lines.line(line, b"", sink));
        lines.tell_ais(sink);
    }

    /// Forgets the talkers' dates too: one kept over an outage is yesterday's.
    fn end_of_stream(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        self.end_of_datagram(mono_ms, sink);
        self.lines.decoder = Decoder::new();
        self.lines.ais_told = [0; 2];
    }

    fn held_bytes(&self) -> usize {
        self.splitter.held_bytes() + self.lines.decoded.capacity() * size_of::<Decoded>()
    }
}

impl Lines {
    /// Handles one line, or the reason why there is none. `near` is a sample where the splitter kept nothing.
    fn line(&mut self, line: Result<&[u8], Rejected>, near: &[u8], sink: &mut dyn Sink) {
        let bytes = line.unwrap_or(near);
        match line.and_then(|line| self.decoder.decode(line, &mut self.decoded)) {
            Ok(sentence) => {
                if sentence.spec.is_none() {
                    sink.dropped(REASON_UNSUPPORTED, 1, &sentence.formatter, bytes);
                }
                sink.message(&mut self.decoded);
            }
            Err(rejected) => sink.dropped(rejected.name(), 1, &rejected, bytes),
        }
    }

    /// Tells what the decoder dropped without refusing a line: fragments whose rest never came, messages of types that
    /// are not read.
    fn tell_ais(&mut self, sink: &mut dyn Sink) {
        let now = [self.decoder.ais_fragments_lost(), self.decoder.ais_unread().iter().sum()];
        let reasons = [REASON_AIS_FRAGMENT_LOST, REASON_AIS_UNREAD];
        for ((reason, total), told) in reasons.into_iter().zip(now).zip(&mut self.ais_told) {
            if total > *told {
                sink.dropped(reason, total - *told, &"AIS", b"");
                *told = total;
            }
        }
    }
}
