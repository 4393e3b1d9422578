//! The decoder of one CAN bus whose frames a DBC describes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Map;
use crate::clock::Stamp;
use crate::reading::Context;
use crate::wire::can::{Frame, FrameDecoder, Identifier, Message, TransportProtocol};
use crate::wire::{Decoded, Sink, Source, SourceInfo};

/// Reason: a frame whose identifier the DBC does not have.
pub const REASON_UNKNOWN: &str = "unknown_identifier";

/// Reason: a message shorter than the DBC says; the signals that are whole are read.
pub const REASON_SHORT: &str = "short_message";

/// Identifiers that are listed as sources. A DBC has some hundred; by PGN each of 254 addresses may send each.
const SOURCES_MAX: usize = 512;

/// Decodes one bus by a DBC. A source is an identifier.
#[derive(Debug)]
pub struct Decoder {
    map: Arc<Map>,
    transport: TransportProtocol,
    heard: BTreeSet<(bool, u32)>,
    decoded: Vec<Decoded>,
}

impl Decoder {
    /// A decoder by this map; several buses may share one.
    pub fn new(map: Arc<Map>) -> Self {
        Self { map, transport: TransportProtocol::default(), heard: BTreeSet::new(), decoded: Vec::new() }
    }

    fn take(&mut self, id: u32, extended: bool, payload: &[u8], at: Option<Stamp>, sink: &mut dyn Sink) {
        let Some(plan) = self.map.message(id, extended) else {
            return sink.ignored(REASON_UNKNOWN, 1, &format_args!("identifier {id:x}"), payload);
        };
        if self.heard.len() < SOURCES_MAX {
            self.heard.insert((extended, id));
        }
        let mut is_short = false;
        for signal in &plan.signals {
            let (value, quality) = match signal.read(payload) {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(_) => {
                    is_short = true;
                    continue;
                }
            };
            self.decoded.push(Decoded {
                context: Context::OwnShip,
                path: signal.path.clone().into(),
                source: Source::Identifier(id),
                instance: "".into(),
                unit: Some(signal.si.unit),
                value,
                quality,
                observed_at: at,
            });
        }
        if is_short {
            sink.dropped(REASON_SHORT, 1, &format_args!("message {}", plan.name), payload);
        }
        sink.message(&mut self.decoded);
    }
}

impl FrameDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, mono_ms: u64, sink: &mut dyn Sink) {
        let identifier = Identifier::parse(frame.id);
        if self.map.by_pgn() && frame.extended && TransportProtocol::carries(identifier.pgn) {
            if let Some(long) = self.transport.take(frame, identifier, mono_ms, sink) {
                self.message(&long.message(), mono_ms, sink);
            }
            return;
        }
        self.take(frame.id, frame.extended, frame.bytes(), frame.at, sink);
    }

    fn message(&mut self, message: &Message<'_>, _mono_ms: u64, sink: &mut dyn Sink) {
        self.take(message.identifier.encode(), true, message.payload, message.at, sink);
    }

    fn end(&mut self, _mono_ms: u64, sink: &mut dyn Sink) {
        self.transport.end(sink);
    }

    fn held_bytes(&self) -> usize {
        let heard = self.heard.len() * size_of::<(bool, u32)>();
        self.transport.held_bytes() + heard + self.decoded.capacity() * size_of::<Decoded>()
    }

    /// The identifiers heard; what they do is the message's name.
    fn sources(&self) -> Vec<SourceInfo> {
        let info = |(extended, id): &(bool, u32)| SourceInfo {
            source: Source::Identifier(*id).to_string(),
            function: self.map.message(*id, *extended).map_or_else(String::new, |plan| plan.name.clone()),
            ..SourceInfo::default()
        };
        self.heard.iter().map(info).collect()
    }
}
