//! Captures: CAN frames to their protocol, sentences out of datagrams and TCP streams, Modbus as it was spoken.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv6Addr, SocketAddr};

use serde::Serialize;

use super::can::{Frames, LogClock};
use super::print::Printer;
use super::{DecodeError, DecodeOptions, Format, Reader, sentences};
use crate::clock::Stamp;
use crate::wire::can::Item;
use crate::wire::iec61162_450;
use crate::wire::modbus::capture::{Conversations, Message};
use crate::wire::pcap::{Capture, Contents, Endpoint, Flow, Piece, TcpStreams};
use crate::wire::{Sink as _, StreamDecoder as _};

/// Reason: bytes of a TCP stream that the capture missed.
const REASON_TCP_LOST: &str = "tcp_bytes_lost";

/// Reason: bytes that are no Modbus, or of a frame that was cut.
const REASON_MODBUS_SKIPPED: &str = "modbus_bytes_skipped";

/// Reason: a datagram in a capture of Modbus TCP.
const REASON_NOT_MODBUS: &str = "not_modbus";

/// Decodes a capture to its end.
pub(super) fn decode(options: &DecodeOptions, input: impl Read, out: &mut Printer<'_>) -> Result<(), DecodeError> {
    let mut capture = Capture::new(input).map_err(DecodeError::Capture)?;
    let mut contents = Packets::new(options);
    while let Some(packet) = capture.next_packet() {
        let packet = packet.map_err(DecodeError::Capture)?;
        contents.take(packet.contents, packet.at, out)?;
        out.check()?;
    }
    contents.end(out)
}

/// What packets are handed to.
struct Packets<'a> {
    frames: Frames,
    datagrams: Datagrams,
    tcp: TcpStreams,
    streams: Streams<'a>,
    clock: LogClock,
}

impl<'a> Packets<'a> {
    fn new(options: &'a DecodeOptions) -> Self {
        let modbus = (options.format == Format::ModbusPcap).then(Conversations::default);
        Self {
            frames: Frames::new(options),
            datagrams: Datagrams::new(options),
            tcp: TcpStreams::default(),
            streams: Streams { options, modbus, readers: HashMap::new() },
            clock: LogClock::default(),
        }
    }

    fn take(&mut self, contents: Contents<'_>, at: Option<Stamp>, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let mut done = Ok(());
        match contents {
            Contents::Frame(frame) => self.frames.take(Ok(Item::Frame(frame)), out),
            Contents::Datagram(_) if self.streams.modbus.is_some() => {
                out.dropped(REASON_NOT_MODBUS, 1, &"a datagram", b"");
            }
            Contents::Datagram(datagram) => done = self.datagrams.take(datagram.payload, self.clock.at(at), out),
            Contents::Segment(segment) => {
                self.tcp.take(&segment, |flow, piece| keep(&mut done, self.streams.take(flow, piece, at, out)));
            }
            Contents::Other(reason) => out.dropped(reason, 1, &"a packet", b""),
        }
        done
    }

    fn end(&mut self, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let mut done = Ok(());
        self.tcp.finish(|flow, piece| keep(&mut done, self.streams.take(flow, piece, None, out)));
        self.frames.end(out);
        let skipped = self.streams.modbus.as_ref().map_or(0, Conversations::skipped_bytes);
        if skipped > 0 {
            out.dropped(REASON_MODBUS_SKIPPED, skipped, &"bytes", b"");
        }
        done
    }
}

/// Keeps the first error.
fn keep(done: &mut Result<(), DecodeError>, next: Result<(), DecodeError>) {
    if done.is_ok() {
        *done = next;
    }
}

/// Sentences in datagrams, with the header of IEC 61162-450 or without.
struct Datagrams {
    /// Whether each must have the header.
    strict: bool,
    raw: bool,
    plain: Box<dyn Reader>,
    headed: iec61162_450::Stream,
}

impl Datagrams {
    fn new(options: &DecodeOptions) -> Self {
        let strict = options.format == Format::Iec61162_450;
        let (plain, headed) = (sentences::reader(options), iec61162_450::Stream::default());
        Self { strict, raw: options.raw, plain, headed }
    }

    fn take(&mut self, payload: &[u8], mono_ms: u64, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let sentences = match payload.strip_prefix(iec61162_450::SENTENCES) {
            Some(sentences) if self.raw => sentences,
            // A header is five letters and a zero.
            None if !self.strict && payload.get(5) != Some(&0) => payload,
            _ => {
                self.headed.push(payload, mono_ms, out);
                self.headed.end_of_datagram(mono_ms, out);
                return Ok(());
            }
        };
        self.plain.push(sentences, out)?;
        self.plain.end(out)
    }
}

/// A reader for each direction of a TCP connection; as many as [`TcpStreams`] follows.
struct Streams<'a> {
    options: &'a DecodeOptions,
    /// Where the streams are Modbus and not sentences.
    modbus: Option<Conversations>,
    readers: HashMap<Flow, Box<dyn Reader>>,
}

impl Streams<'_> {
    fn take(
        &mut self,
        flow: Flow,
        piece: Piece<'_>,
        at: Option<Stamp>,
        out: &mut Printer<'_>,
    ) -> Result<(), DecodeError> {
        if let Piece::Lost(count) = piece {
            out.dropped(REASON_TCP_LOST, u64::from(count), &"bytes", b"");
        }
        if let Some(modbus) = &mut self.modbus {
            let mut print =
                |flow: Flow, message| out.raw(&Spoken { at, from: name(flow.from), to: name(flow.to), message });
            modbus.piece(flow, piece, &mut print);
            return Ok(());
        }
        let reader = self.readers.entry(flow).or_insert_with(|| sentences::reader(self.options));
        match piece {
            Piece::Bytes(bytes) => reader.push(bytes, out),
            Piece::Lost(_) => reader.end(out),
            Piece::End => {
                reader.end(out)?;
                self.readers.remove(&flow);
                Ok(())
            }
        }
    }
}

/// A Modbus message as it is printed.
#[derive(Serialize)]
struct Spoken {
    at: Option<Stamp>,
    from: String,
    to: String,
    #[serde(flatten)]
    message: Message,
}

/// `address:port`.
fn name(end: Endpoint) -> String {
    SocketAddr::new(Ipv6Addr::from(end.address).to_canonical(), end.port).to_string()
}
