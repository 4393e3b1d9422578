//! The decoder of one J1939 bus: frames in, readings and notifications out.

use std::collections::BTreeMap;

use super::diagnostics::{Diagnostics, REASON_DIAGNOSTICS_FULL, Sender};
use super::identity::{Identity, Name, instance};
use super::rows::{self, GROUPS, finer};
use crate::reading::{Context, Quality};
use crate::wire::can::names::{Claim, Names};
use crate::wire::can::{Frame, FrameDecoder, Identifier, Message, TransportProtocol};
use crate::wire::{Decoded, Sink, Source, SourceInfo};

/// Reason: a sound message of a PGN that makes no readings.
pub const REASON_UNSUPPORTED: &str = "unsupported_pgn";

/// Reason: a claim or a diagnostic message that ends before its first field does, or a group that ends before its last
/// parameter. Of the latter what is whole is read.
pub const REASON_SHORT: &str = "short_pgn";

/// Reason: a frame with an identifier of 11 bits, which J1939 does not use.
pub const REASON_NOT_J1939: &str = "not_j1939";

const PGN_ACKNOWLEDGEMENT: u32 = 59_392;
const PGN_REQUEST: u32 = 59_904;
const PGN_ADDRESS_CLAIM: u32 = 60_928;
const PGN_DM1: u32 = 65_226;
const PGN_DM2: u32 = 65_227;
const PGN_SOFTWARE: u32 = 65_242;
const PGN_COMPONENT: u32 = 65_259;

/// The least bytes that a message must have to be believed: a claim is a whole NAME; a DM1 that ends before its first
/// code would clear all codes (J1939-73: at least one, zeros for none).
const fn bytes_min(pgn: u32) -> usize {
    match pgn {
        PGN_ADDRESS_CLAIM => 8,
        PGN_DM1 | PGN_DM2 => 6,
        _ => 0,
    }
}

/// Decodes one J1939 bus. It listens only: it claims no address and requests nothing.
#[derive(Debug, Default)]
pub struct Decoder {
    names: Names,
    transport: TransportProtocol,
    diagnostics: Diagnostics,
    /// What each address said of itself: at most 256 of four short texts.
    identities: BTreeMap<u8, Identity>,
    heard: Heard,
    decoded: Vec<Decoded>,
}

impl Decoder {
    /// A decoder that has heard nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one whole message.
    fn whole(&mut self, message: &Message<'_>, mono_ms: u64, sink: &mut dyn Sink) {
        let Message { identifier: Identifier { pgn, source: address, .. }, payload, .. } = *message;
        if payload.len() < bytes_min(pgn) {
            return sink.dropped(REASON_SHORT, 1, &format_args!("PGN {pgn}"), payload);
        }
        let sender = self.sender(address, mono_ms);
        let mut refused = 0;
        match pgn {
            PGN_ADDRESS_CLAIM => self.claim(address, payload, sink),
            PGN_DM1 => refused = self.diagnostics.active(payload, sender, &mut self.decoded),
            PGN_DM2 => self.diagnostics.previous(payload, sender, &mut self.decoded),
            PGN_SOFTWARE => self.identities.entry(address).or_default().software(payload),
            PGN_COMPONENT => self.identities.entry(address).or_default().component(payload),
            // The bus's own business; nothing is lost with it.
            PGN_REQUEST | PGN_ACKNOWLEDGEMENT => {}
            _ => match rows::group(pgn) {
                Some(group) => {
                    if !self.heard.readings(group, payload, address, sender, &mut self.decoded) {
                        sink.dropped(REASON_SHORT, 1, &format_args!("PGN {pgn}"), payload);
                    }
                }
                None => sink.ignored(REASON_UNSUPPORTED, 1, &format_args!("PGN {pgn}"), payload),
            },
        }
        if refused > 0 {
            sink.dropped(REASON_DIAGNOSTICS_FULL, refused, &"too many active trouble codes", payload);
        }
        for decoded in &mut self.decoded {
            decoded.observed_at = message.at;
        }
        sink.message(&mut self.decoded);
    }

    /// Whom an address stands for now.
    fn sender(&self, address: u8, mono_ms: u64) -> Sender {
        let name = self.names.name(address);
        let source = name.map_or(Source::Address(address), Source::Name);
        Sender { source, instance: instance(name.map(Name), address), mono_ms }
    }

    fn claim(&mut self, address: u8, payload: &[u8], sink: &mut dyn Sink) {
        let Some(name) = Names::of_claim(payload) else { return };
        if let Claim::NewHolder { before, moved_from } = self.names.claim(address, name) {
            // The device takes along what it said of itself; who was here before does not leave it behind. A first
            // claim by a device that was nowhere else is of the one that spoke from here all the time.
            let identity = moved_from.and_then(|from| self.identities.remove(&from));
            if before.is_some() || moved_from.is_some() {
                self.identities.remove(&address);
            }
            self.identities.extend(identity.map(|identity| (address, identity)));
            self.heard.0[usize::from(address)] = [0; GROUPS.len()];
            // Who lost the address tells its codes again as soon as it has another.
            for source in [Source::Address(address)].into_iter().chain(before.map(Source::Name)) {
                self.diagnostics.forget(source, &mut self.decoded);
            }
            self.transport.forget(address, sink);
        }
    }
}

impl FrameDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, mono_ms: u64, sink: &mut dyn Sink) {
        if !frame.extended {
            return sink.dropped(REASON_NOT_J1939, 1, &"an identifier of 11 bits", frame.bytes());
        }
        let identifier = Identifier::parse(frame.id);
        if TransportProtocol::carries(identifier.pgn) {
            if let Some(long) = self.transport.take(frame, identifier, mono_ms, sink) {
                self.whole(&long.message(), mono_ms, sink);
            }
            return;
        }
        self.whole(&Message { identifier, payload: frame.bytes(), at: frame.at }, mono_ms, sink);
    }

    fn message(&mut self, message: &Message<'_>, mono_ms: u64, sink: &mut dyn Sink) {
        self.whole(message, mono_ms, sink);
    }

    /// Keeps who holds which address, and the active trouble codes: an ECU that was replaced meanwhile claims its
    /// address when it starts, and a code that is gone must still be told as normal.
    fn end(&mut self, _mono_ms: u64, sink: &mut dyn Sink) {
        self.transport.end(sink);
    }

    fn held_bytes(&self) -> usize {
        let identities = self.identities.len() * Identity::BYTES_MAX;
        let decoded = self.decoded.capacity() * size_of::<Decoded>();
        let heard = size_of_val(&*self.heard.0);
        self.transport.held_bytes() + self.diagnostics.held_bytes() + identities + heard + decoded
    }

    fn sources(&self) -> Vec<SourceInfo> {
        let known = |address: &u8| self.names.name(*address).is_some() || self.identities.contains_key(address);
        let info = |address: u8| {
            let identity = self.identities.get(&address).cloned().unwrap_or_default();
            let source = self.sender(address, 0).source.to_string();
            identity.info(source, address, self.names.name(address).map(Name))
        };
        (0..=u8::MAX).filter(known).map(info).collect()
    }
}

/// Of which parameters an address ever gave a value: a bit each, eight at most in a group. 256 addresses take 8 KiB.
#[derive(Debug)]
struct Heard(Box<[[u8; GROUPS.len()]; 256]>);

impl Default for Heard {
    fn default() -> Self {
        Self(Box::new([[0; GROUPS.len()]; 256]))
    }
}

impl Heard {
    /// Makes the readings of one group, as its place in [`GROUPS`]. Whether the payload has all of its parameters.
    fn readings(&mut self, group: usize, payload: &[u8], address: u8, sender: Sender, out: &mut Vec<Decoded>) -> bool {
        let heard = &mut self.0[usize::from(address)];
        // Two resolutions would make one series jump to and fro.
        if finer(GROUPS[group].pgn).and_then(rows::group).is_some_and(|finer| heard[finer] != 0) {
            return true;
        }
        let heard = &mut heard[group];
        let mut is_whole = true;
        for (at, parameter) in GROUPS[group].parameters.iter().enumerate() {
            let Some((value, quality)) = parameter.read(payload) else {
                is_whole = false;
                continue;
            };
            let bit = 1 << at;
            match quality {
                Quality::NotAvailable if !parameter.is_main && *heard & bit == 0 => continue,
                Quality::Good => *heard |= bit,
                _ => {}
            }
            let path = parameter.path(sender.instance);
            let unit = (!parameter.unit.is_empty()).then_some(parameter.unit);
            let (context, source, instance) = (Context::OwnShip, sender.source, "".into());
            out.push(Decoded { context, path, source, instance, unit, value, quality, observed_at: None });
        }
        is_whole
    }
}
