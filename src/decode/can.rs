//! CAN: a framing, and behind it a protocol's decoder, or with `--raw` whole messages with their fields.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::print::Printer;
use super::{DecodeError, DecodeOptions, Format, Protocol, Reader};
use crate::clock::Stamp;
use crate::wire::Sink as _;
use crate::wire::can::{self, Frame, FrameDecoder, Framing, Identifier, Item, Message, Rejected, TransportProtocol};
use crate::wire::{dbc, j1939, nmea2000};

/// Bytes at the top of the input in which a sound line is looked for.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Reads a stream in one of the formats of a gateway or a log.
#[derive(Debug)]
pub(super) struct Stream {
    told: Format,
    /// Until the format is known.
    head: Vec<u8>,
    framing: Option<Framing>,
    frames: Frames,
}

impl Stream {
    pub fn new(options: &DecodeOptions) -> Self {
        Self { told: options.format, head: Vec::new(), framing: None, frames: Frames::new(options) }
    }

    /// The framing, by the first sound line or packet; an error when that is another format than was said. `whole` once
    /// no more comes.
    fn find(&mut self, whole: bool) -> Result<Option<Framing>, DecodeError> {
        let is_binary = self.head.first().is_some_and(|byte| matches!(byte, 0x10 | 0x1B));
        let lines = self.head.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
        let sound = if whole || is_binary { self.head.len() } else { lines };
        let found = can::Format::detect(&self.head[..sound]);
        match found {
            Some(found) if Format::of(found) == self.told => Ok(Some(Framing::new(found))),
            Some(found) => Err(DecodeError::WrongFormat { told: self.told, found }),
            None if whole || self.head.len() >= HEAD_BYTES_MAX => Ok(Some(Framing::new(usual(self.told)))),
            None => Ok(None),
        }
    }

    fn start(&mut self, whole: bool, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        if let Some(mut framing) = self.find(whole)? {
            let head = std::mem::take(&mut self.head);
            framing.push(&head, &mut |item| self.frames.take(item, out));
            self.framing = Some(framing);
        }
        Ok(())
    }
}

/// The framing where no line is sound, so that what comes is counted.
const fn usual(told: Format) -> can::Format {
    match told {
        Format::Canboat => can::Format::Canboat,
        Format::Ydwg => can::Format::YachtDevices,
        Format::Actisense => can::Format::ActisenseBinary,
        Format::PcanView => can::Format::PcanView,
        _ => can::Format::Candump,
    }
}

impl Reader for Stream {
    fn push(&mut self, bytes: &[u8], out: &mut Printer<'_>) -> Result<(), DecodeError> {
        if let Some(framing) = &mut self.framing {
            framing.push(bytes, &mut |item| self.frames.take(item, out));
            return Ok(());
        }
        self.head.extend_from_slice(bytes);
        self.start(false, out)
    }

    fn end(&mut self, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        if self.framing.is_none() {
            self.start(true, out)?;
        }
        if let Some(framing) = &mut self.framing {
            framing.finish(&mut |item| self.frames.take(item, out));
        }
        self.frames.end(out);
        Ok(())
    }
}

/// What frames and messages are handed to, with a clock made of their times.
#[derive(Debug)]
pub(super) struct Frames {
    protocol: Box<dyn Take>,
    clock: LogClock,
}

/// A clock made of the times that a log tells.
#[derive(Debug, Default)]
pub(super) struct LogClock {
    first: Option<Stamp>,
    mono_ms: u64,
}

impl LogClock {
    /// Milliseconds since the first time that was told; they never step back. A log without times never times out.
    pub fn at(&mut self, at: Option<Stamp>) -> u64 {
        if let Some(at) = at {
            let first = *self.first.get_or_insert(at);
            self.mono_ms = self.mono_ms.max(u64::try_from(at.millis_since(first)).unwrap_or(0));
        }
        self.mono_ms
    }
}

impl Frames {
    pub fn new(options: &DecodeOptions) -> Self {
        let protocol: Box<dyn Take> = match (&options.protocol, options.raw) {
            (Protocol::Nmea2000, false) => Box::new(Readings(Box::new(nmea2000::Decoder::new()))),
            (Protocol::J1939, false) => Box::new(Readings(Box::new(j1939::Decoder::new()))),
            (Protocol::Dbc(map), false) => Box::new(Readings(Box::new(dbc::Decoder::new(Arc::clone(map))))),
            (Protocol::Nmea2000, true) => Box::new(Raw::Nmea2000(Box::default())),
            (Protocol::J1939, true) => Box::new(Raw::J1939(TransportProtocol::default())),
            (Protocol::Dbc(map), true) => Box::new(Raw::Dbc(Arc::clone(map), TransportProtocol::default())),
        };
        Self { protocol, clock: LogClock::default() }
    }

    pub fn take(&mut self, item: Result<Item<'_>, Rejected<'_>>, out: &mut Printer<'_>) {
        match item {
            Ok(Item::Frame(frame)) => {
                let now = self.clock.at(frame.at);
                self.protocol.frame(&frame, now, out);
            }
            Ok(Item::Message(message)) => {
                let now = self.clock.at(message.at);
                self.protocol.message(&message, now, out);
            }
            Err(Rejected { reason, near }) => out.dropped(reason.name(), 1, &reason, near),
        }
    }

    pub fn end(&mut self, out: &mut Printer<'_>) {
        self.protocol.end(self.clock.mono_ms, out);
    }
}

/// Takes what a framing found.
trait Take: fmt::Debug {
    fn frame(&mut self, frame: &Frame, mono_ms: u64, out: &mut Printer<'_>);
    fn message(&mut self, message: &Message<'_>, mono_ms: u64, out: &mut Printer<'_>);
    fn end(&mut self, mono_ms: u64, out: &mut Printer<'_>);
}

/// Prints readings.
#[derive(Debug)]
struct Readings(Box<dyn FrameDecoder>);

impl Take for Readings {
    fn frame(&mut self, frame: &Frame, mono_ms: u64, out: &mut Printer<'_>) {
        self.0.frame(frame, mono_ms, out);
    }

    fn message(&mut self, message: &Message<'_>, mono_ms: u64, out: &mut Printer<'_>) {
        self.0.message(message, mono_ms, out);
    }

    fn end(&mut self, mono_ms: u64, out: &mut Printer<'_>) {
        self.0.end(mono_ms, out);
    }
}

/// Prints whole messages, each protocol with what puts them together.
#[derive(Debug)]
enum Raw {
    Nmea2000(Box<nmea2000::Assembler>),
    J1939(TransportProtocol),
    Dbc(Arc<dbc::Map>, TransportProtocol),
}

impl Take for Raw {
    fn frame(&mut self, frame: &Frame, mono_ms: u64, out: &mut Printer<'_>) {
        let identifier = Identifier::parse(frame.id);
        let is_long = frame.extended && TransportProtocol::carries(identifier.pgn);
        match self {
            Self::Dbc(map, transport) if is_long && map.by_pgn() => {
                if let Some(long) = transport.take(frame, identifier, mono_ms, out) {
                    self.message(&long.message(), mono_ms, out);
                }
            }
            Self::Dbc(map, _) => print_signals(map, frame.id, frame.extended, frame.bytes(), out),
            _ if !frame.extended => {
                out.dropped(nmea2000::REASON_STANDARD_FRAME, 1, &"an identifier of 11 bits", frame.bytes());
            }
            Self::J1939(transport) if is_long => {
                if let Some(long) = transport.take(frame, identifier, mono_ms, out) {
                    self.message(&long.message(), mono_ms, out);
                }
            }
            Self::J1939(_) => {
                let message = Message { identifier, payload: frame.bytes(), at: frame.at };
                print_message(j1939::raw_json(&message), &message, out);
            }
            Self::Nmea2000(assembler) => {
                if let Some(message) = assembler.frame(frame, mono_ms, out) {
                    print_message(nmea2000::raw_json(&message), &message, out);
                }
            }
        }
    }

    fn message(&mut self, message: &Message<'_>, _mono_ms: u64, out: &mut Printer<'_>) {
        match self {
            Self::Nmea2000(_) => print_message(nmea2000::raw_json(message), message, out),
            Self::J1939(_) => print_message(j1939::raw_json(message), message, out),
            Self::Dbc(map, _) => print_signals(map, message.identifier.encode(), true, message.payload, out),
        }
    }

    fn end(&mut self, _mono_ms: u64, out: &mut Printer<'_>) {
        match self {
            Self::Nmea2000(assembler) => assembler.end(out),
            Self::J1939(transport) | Self::Dbc(_, transport) => transport.end(out),
        }
    }
}

/// Prints a message as canboat does; one that canboat does not know with its bytes.
fn print_message(json: Option<String>, message: &Message<'_>, out: &mut Printer<'_>) {
    match json {
        Some(json) => out.raw_json(json.trim_end()),
        None => {
            let Identifier { priority, pgn, source, destination } = message.identifier;
            let data = hex(message.payload);
            out.raw(&Unknown { timestamp: message.at, prio: priority, src: source, dst: destination, pgn, data });
        }
    }
}

/// A message of a PGN that nobody knows.
#[derive(Serialize)]
struct Unknown {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Stamp>,
    prio: u8,
    src: u8,
    dst: u8,
    pgn: u32,
    data: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().enumerate().fold(String::new(), |mut text, (at, byte)| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{}{byte:02X}", if at > 0 { " " } else { "" });
        text
    })
}

fn print_signals(map: &dbc::Map, id: u32, extended: bool, payload: &[u8], out: &mut Printer<'_>) {
    match map.message(id, extended) {
        Some(plan) => {
            out.raw(&Described { id: format!("{id:x}"), message: plan.name(), signals: Signals(plan, payload) })
        }
        None => out.ignored(dbc::REASON_UNKNOWN, 1, &format_args!("identifier {id:x}"), payload),
    }
}

/// A message that the DBC describes, its values in SI.
#[derive(Serialize)]
struct Described<'a> {
    id: String,
    message: &'a str,
    signals: Signals<'a>,
}

struct Signals<'a>(&'a dbc::MessagePlan, &'a [u8]);

#[derive(Serialize)]
struct Signal {
    value: serde_json::Value,
    unit: &'static str,
    quality: crate::reading::Quality,
}

impl Serialize for Signals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (signal, value, quality) in self.0.read(self.1) {
            map.serialize_entry(signal.name(), &Signal { value: value.to_json(), unit: signal.unit(), quality })?;
        }
        map.end()
    }
}
