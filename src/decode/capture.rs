//! Captures: CAN frames to their protocol, sentences out of datagrams and TCP streams.

use std::collections::HashMap;
use std::io::Read;

use super::can::Frames;
use super::print::Printer;
use super::{DecodeError, DecodeOptions, Reader, sentences};
use crate::wire::Sink as _;
use crate::wire::can::Item;
use crate::wire::pcap::{Capture, Contents, Flow, Piece, TcpStreams};

/// Reason: bytes of a TCP stream that the capture missed.
const REASON_TCP_LOST: &str = "tcp_bytes_lost";

/// Decodes a capture to its end.
pub(super) fn decode(options: &DecodeOptions, input: impl Read, out: &mut Printer<'_>) -> Result<(), DecodeError> {
    let mut capture = Capture::new(input).map_err(DecodeError::Capture)?;
    let mut frames = Frames::new(options);
    let mut datagrams = sentences::reader(options);
    let mut tcp = TcpStreams::default();
    let mut streams = Streams { options, readers: HashMap::new() };
    while let Some(packet) = capture.next_packet() {
        match packet.map_err(DecodeError::Capture)?.contents {
            Contents::Frame(frame) => frames.take(Ok(Item::Frame(frame)), out),
            Contents::Datagram(datagram) => {
                datagrams.push(datagram.payload, out)?;
                datagrams.end(out)?;
            }
            Contents::Segment(segment) => {
                let mut done = Ok(());
                tcp.take(&segment, |flow, piece| keep(&mut done, streams.take(flow, piece, out)));
                done?;
            }
            Contents::Other(reason) => out.dropped(reason, 1, &"a packet", b""),
        }
        out.check()?;
    }
    let mut done = Ok(());
    tcp.finish(|flow, piece| keep(&mut done, streams.take(flow, piece, out)));
    frames.end(out);
    done
}

/// Keeps the first error.
fn keep(done: &mut Result<(), DecodeError>, next: Result<(), DecodeError>) {
    if done.is_ok() {
        *done = next;
    }
}

/// A reader for each direction of a TCP connection; as many as [`TcpStreams`] follows.
struct Streams<'a> {
    options: &'a DecodeOptions,
    readers: HashMap<Flow, Box<dyn Reader>>,
}

impl Streams<'_> {
    fn take(&mut self, flow: Flow, piece: Piece<'_>, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let reader = self.readers.entry(flow).or_insert_with(|| sentences::reader(self.options));
        match piece {
            Piece::Bytes(bytes) => reader.push(bytes, out),
            Piece::Lost(count) => {
                out.dropped(REASON_TCP_LOST, u64::from(count), &"bytes", b"");
                reader.end(out)
            }
            Piece::End => {
                reader.end(out)?;
                self.readers.remove(&flow);
                Ok(())
            }
        }
    }
}
