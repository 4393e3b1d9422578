//! What a bus hands its bytes to, whatever is spoken on it.

use std::fmt;

use super::Decoded;
use super::source::SourceInfo;

/// Where a decoder puts what it makes.
pub trait Sink {
    /// One sound message (a sentence, a PGN, an answer) and its readings, which may be none. Takes all of `readings`.
    fn message(&mut self, readings: &mut Vec<Decoded>);

    /// `count` things were dropped for `reason`, a fixed name as metrics label it. `why` is for people, `near` a sample
    /// of the bytes, as far as they are still at hand.
    fn dropped(&mut self, reason: &'static str, count: u64, why: &dyn fmt::Display, near: &[u8]);

    /// `count` sound things were passed over on purpose: a copy through a second network, a sentence or PGN that no
    /// table has. No fault of anybody's; whoever does not tell it apart counts it as dropped.
    fn ignored(&mut self, reason: &'static str, count: u64, what: &dyn fmt::Display, near: &[u8]) {
        self.dropped(reason, count, what, near);
    }
}

/// Bytes of one bus in, readings out. Holds a bounded amount whatever comes. Time is handed in, in milliseconds of a
/// clock that never steps back.
pub trait StreamDecoder: fmt::Debug + Send {
    /// Takes the next bytes, cut anywhere.
    fn push(&mut self, bytes: &[u8], mono_ms: u64, sink: &mut dyn Sink);

    /// A datagram ended, and with it what it left open.
    fn end_of_datagram(&mut self, mono_ms: u64, sink: &mut dyn Sink);

    /// The connection ended: the last message with it, and what is remembered. Behind the next one may stand another
    /// device.
    fn end_of_stream(&mut self, mono_ms: u64, sink: &mut dyn Sink);

    /// Bytes of memory that are held between two pushes.
    fn held_bytes(&self) -> usize;

    /// The devices heard so far, bounded.
    fn sources(&self) -> Vec<SourceInfo> {
        Vec::new()
    }
}
