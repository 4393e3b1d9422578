//! The byte stream of a bus that speaks NMEA 0183: splitter, decoder, and what was dropped on the way.

use super::{Decoder, LineSplitter, Rejected};
use crate::wire::{Decoded, Sink, StreamDecoder};

/// Reason: a sound sentence that the table has no row for. Nothing of it is kept.
pub const REASON_UNSUPPORTED: &str = "unsupported_sentence";

/// Reason: a fragment of an AIS message whose other fragments never came.
pub const REASON_AIS_FRAGMENT_LOST: &str = "ais_fragment_lost";

/// Reason: an AIS message of a reserved type.
pub const REASON_AIS_UNREAD: &str = "ais_message_unread";

/// Reason: a line that a TAG block's number says was sent, and that never came.
pub const REASON_TAG_LINE_GAP: &str = "tag_line_gap";

/// Reason: a line of a TAG block's group that never came.
pub const REASON_TAG_GROUP_GAP: &str = "tag_group_gap";

/// Reason: a parameter of a TAG block that is malformed; its sentence is read.
pub const REASON_TAG_PARAMETER: &str = "bad_tag_parameter";

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
pub(in crate::wire) struct Lines {
    decoder: Decoder,
    decoded: Vec<Decoded>,
    /// What the decoder counted without refusing a line, as far as it was told.
    told: [u64; 5],
}

impl StreamDecoder for Stream {
    fn push(&mut self, bytes: &[u8], _mono_ms: u64, sink: &mut dyn Sink) {
        let Self { splitter, lines } = self;
        splitter.push(bytes, |line| lines.line(line, bytes, sink));
        lines.tell(sink);
    }

    fn end_of_datagram(&mut self, _mono_ms: u64, sink: &mut dyn Sink) {
        let Self { splitter, lines } = self;
        splitter.finish(|line| lines.line(line, b"", sink));
        lines.tell(sink);
    }

    fn end_of_stream(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        self.end_of_datagram(mono_ms, sink);
        self.lines.end(sink);
    }

    fn held_bytes(&self) -> usize {
        self.splitter.held_bytes() + self.lines.held_bytes()
    }
}

impl Lines {
    /// Handles one line, or the reason why there is none. `near` is a sample where the splitter kept nothing.
    pub fn line(&mut self, line: Result<&[u8], Rejected>, near: &[u8], sink: &mut dyn Sink) {
        let bytes = line.unwrap_or(near);
        match line.and_then(|line| self.decoder.decode(line, &mut self.decoded)) {
            Ok(sentence) => {
                if sentence.spec.is_none() {
                    sink.ignored(REASON_UNSUPPORTED, 1, &sentence.formatter, bytes);
                }
                sink.message(&mut self.decoded);
            }
            Err(rejected) => sink.dropped(rejected.name(), 1, &rejected, bytes),
        }
    }

    /// Tells what the decoder counted without refusing a line: what never came, and what nobody reads.
    pub fn tell(&mut self, sink: &mut dyn Sink) {
        let tags = self.decoder.tags();
        let counts = [
            (REASON_AIS_FRAGMENT_LOST, self.decoder.ais_fragments_lost()),
            (REASON_AIS_UNREAD, self.decoder.ais_unread()),
            (REASON_TAG_LINE_GAP, tags.lines_missing),
            (REASON_TAG_GROUP_GAP, tags.group_lines_missing),
            (REASON_TAG_PARAMETER, tags.bad_parameters),
        ];
        for ((reason, total), told) in counts.into_iter().zip(&mut self.told) {
            if total > *told {
                sink.dropped(reason, total - *told, &"counted by the decoder", b"");
                *told = total;
            }
        }
    }

    /// The connection ended: tells what waits and what never came, and forgets it. Behind the next one may stand
    /// another device.
    pub fn end(&mut self, sink: &mut dyn Sink) {
        self.decoder.end(&mut self.decoded);
        if !self.decoded.is_empty() {
            sink.message(&mut self.decoded);
        }
        self.tell(sink);
    }

    /// Bytes of memory that are held between two lines.
    pub fn held_bytes(&self) -> usize {
        self.decoder.held_bytes() + self.decoded.capacity() * size_of::<Decoded>()
    }
}
