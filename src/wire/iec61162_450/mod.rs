//! IEC 61162-450: sentences in multicast datagrams on a ship's network.
//!
//! A datagram opens with `UdPbC` and a zero, then come lines, each a TAG block and a sentence of NMEA 0183. Binary
//! files (`RrUdP`, `RaUdP`, `RpUdP`) and PGNs (`NkPgN`) are counted and not read. What has no header is dropped, as the
//! standard asks: plain NMEA 0183 over UDP is a bus of its own protocol.
//!
//! A vessel with two networks hears every datagram twice; the second is counted as a duplicate.

mod duplicates;

use crate::wire::nmea0183::{LineSplitter, Lines, Rejected, Tag};
use crate::wire::{Sink, StreamDecoder};

use duplicates::Recent;

/// The longest datagram of UDP over IPv4 (RFC 768: 65,535 less both headers). The standard asks for 1,472 at most, one
/// Ethernet frame; a datagram in fragments is nobody's fault.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;

/// Reason: a datagram longer than UDP can carry.
pub const REASON_TOO_LONG: &str = "datagram_too_long";
/// Reason: a datagram that does not open with a header of the standard.
pub const REASON_NO_HEADER: &str = "no_header";
/// Reason: a line that came before, through another interface. Nothing is lost.
pub const REASON_DUPLICATE: &str = "duplicate";

/// The header of a datagram of sentences (IEC 61162-450, 7.1.2, table 4).
pub const SENTENCES: &[u8] = b"UdPbC\0";

/// Datagrams that are known and not read, and the reason that counts them.
const IGNORED: [(&[u8], &str); 4] = [
    (b"RrUdP\0", "rrudp_ignored"),
    (b"RaUdP\0", "raudp_ignored"),
    (b"RpUdP\0", "rpudp_ignored"),
    (b"NkPgN\0", "nkpgn_ignored"),
];

/// Makes readings of the datagrams of one bus.
#[derive(Debug, Default)]
pub struct Stream {
    /// The datagram so far.
    datagram: Vec<u8>,
    /// It grew past [`DATAGRAM_BYTES_MAX`].
    too_long: bool,
    lines: Lines,
    recent: Recent,
}

impl StreamDecoder for Stream {
    fn push(&mut self, bytes: &[u8], _mono_ms: u64, _sink: &mut dyn Sink) {
        self.too_long |= self.datagram.len() + bytes.len() > DATAGRAM_BYTES_MAX;
        if !self.too_long {
            self.datagram.extend_from_slice(bytes);
        }
    }

    fn end_of_datagram(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        let Self { datagram, too_long, lines, recent } = self;
        if *too_long {
            sink.dropped(REASON_TOO_LONG, 1, &"more bytes than UDP can carry", datagram);
        } else if let Some(sentences) = datagram.strip_prefix(SENTENCES) {
            let mut splitter = LineSplitter::new();
            let mut take = |line: Result<&[u8], Rejected>| match line {
                Ok(line) if recent.is_repeated(line, is_numbered(line), mono_ms) => {
                    sink.ignored(REASON_DUPLICATE, 1, &"it came before, through another interface", line);
                }
                line => lines.line(line, b"", sink),
            };
            splitter.push(sentences, &mut take);
            splitter.finish(&mut take);
        } else if let Some((_, reason)) = IGNORED.iter().find(|(header, _)| datagram.starts_with(header)) {
            sink.ignored(reason, 1, &"not sentences", datagram);
        } else if !datagram.is_empty() {
            sink.dropped(REASON_NO_HEADER, 1, &why_no_header(datagram), datagram);
        }
        lines.tell(sink);
        datagram.clear();
        // One long datagram must not cost its memory for ever.
        datagram.shrink_to(KEPT_BYTES);
        *too_long = false;
    }

    fn end_of_stream(&mut self, mono_ms: u64, sink: &mut dyn Sink) {
        self.end_of_datagram(mono_ms, sink);
        self.lines.end(sink);
        self.recent = Recent::default();
    }

    fn held_bytes(&self) -> usize {
        self.datagram.capacity() + self.lines.held_bytes() + Recent::BYTES
    }
}

/// What the buffer keeps between datagrams: one Ethernet frame, as the standard asks for.
const KEPT_BYTES: usize = 2_048;

/// Whether a TAG block gives the line a number that the next line of its source will not have.
fn is_numbered(line: &[u8]) -> bool {
    Tag::read(line).is_ok_and(|(tag, _)| tag.line.is_some() || tag.time.is_some())
}

fn why_no_header(datagram: &[u8]) -> &'static str {
    match datagram {
        [b'$' | b'!' | b'\\', ..] => "plain NMEA 0183; if this is wanted, the bus is one of protocol nmea0183",
        _ => "no header of IEC 61162-450",
    }
}

#[cfg(test)]
mod tests;
