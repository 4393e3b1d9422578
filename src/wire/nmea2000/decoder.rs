//! The decoder of one NMEA 2000 bus: frames and messages in, readings out.

use std::fmt;

use super::alerts::{ALERT, ALERT_TEXT, Alerts, REASON_INCOMPLETE};
use super::assembler::Assembler;
use super::devices::Devices;
use super::engine_alarms::{EngineAlarms, is_status};
use super::plan::{Known, Plan, Refused, plan};
use crate::wire::can::names::{ADDRESS_CLAIM, Claim, Names};
use crate::wire::can::{Frame, FrameDecoder, Identifier, Message};
use crate::wire::{Decoded, Emit, Sink, Source, SourceInfo};

/// Reason: a sound message of a PGN that makes no readings here. Nothing of it is kept.
pub const REASON_UNSUPPORTED: &str = "unsupported_pgn";

/// Reason: a frame with an 11-bit identifier; NMEA 2000 has none.
pub const REASON_STANDARD_FRAME: &str = "standard_frame";

/// Reason: a message that does not say which engine, tank or battery it means.
pub const REASON_NO_INSTANCE: &str = "no_instance";

/// Reason: an AIS message without an MMSI.
pub const REASON_NO_STATION: &str = "no_mmsi";

/// Reason: a message that ends before what it is for.
pub const REASON_SHORT: &str = "short_message";

/// Reason: an address claim of fewer than 8 bytes.
pub const REASON_BAD_CLAIM: &str = "bad_address_claim";

const PRODUCT_INFORMATION: u32 = 126_996;
const CONFIGURATION_INFORMATION: u32 = 126_998;

const fn reason(refused: Refused) -> &'static str {
    match refused {
        Refused::NoInstance => REASON_NO_INSTANCE,
        Refused::NoStation => REASON_NO_STATION,
        Refused::TooShort => REASON_SHORT,
    }
}

/// Decodes one bus. It remembers who is there, and what is half said; both are bounded.
#[derive(Debug)]
pub struct Decoder {
    assembler: Assembler,
    messages: Messages,
}

/// What stands behind the assembly of messages.
#[derive(Debug)]
struct Messages {
    plan: &'static Plan,
    devices: Devices,
    alerts: Alerts,
    engine_alarms: EngineAlarms,
    readings: Vec<Decoded>,
}

/// A PGN, for the sample of a drop.
struct Pgn(Identifier);

impl fmt::Display for Pgn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PGN {} from {}", self.0.pgn, self.0.source)
    }
}

impl Default for Decoder {
    fn default() -> Self {
        let messages = Messages {
            plan: plan(),
            devices: Devices::default(),
            alerts: Alerts::default(),
            engine_alarms: EngineAlarms::default(),
            readings: Vec::new(),
        };
        Self { assembler: Assembler::default(), messages }
    }
}

impl Decoder {
    /// A decoder that heard nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl FrameDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, mono_ms: u64, sink: &mut dyn Sink) {
        if !frame.extended {
            sink.dropped(REASON_STANDARD_FRAME, 1, &format_args!("identifier {:x}", frame.id), frame.bytes());
            return;
        }
        let Self { assembler, messages } = self;
        let message = assembler.frame(frame, mono_ms, sink);
        if let Some(address) = message.and_then(|message| messages.take(&message, mono_ms, sink)) {
            assembler.forget(address, sink);
        }
    }

    fn message(&mut self, message: &Message<'_>, mono_ms: u64, sink: &mut dyn Sink) {
        if let Some(address) = self.messages.take(message, mono_ms, sink) {
            self.assembler.forget(address, sink);
        }
    }

    /// Devices and alarms stay known: behind the next connection is the same bus, whose devices claim their addresses
    /// once, when they are switched on.
    fn end(&mut self, _mono_ms: u64, sink: &mut dyn Sink) {
        self.assembler.end(sink);
    }

    fn held_bytes(&self) -> usize {
        let Messages { devices, alerts, engine_alarms, readings, .. } = &self.messages;
        let readings = readings.capacity() * size_of::<Decoded>();
        self.assembler.held_bytes() + devices.held_bytes() + alerts.held_bytes() + engine_alarms.held_bytes() + readings
    }

    fn sources(&self) -> Vec<SourceInfo> {
        self.messages.devices.infos()
    }
}

impl Messages {
    /// Makes the readings of one message. Returns an address that another device holds from now on.
    fn take(&mut self, message: &Message<'_>, mono_ms: u64, sink: &mut dyn Sink) -> Option<u8> {
        let Message { identifier, payload, at } = *message;
        let mut changed = None;
        if identifier.pgn == ADDRESS_CLAIM {
            let Some(name) = Names::of_claim(payload) else {
                sink.dropped(REASON_BAD_CLAIM, 1, &Pgn(identifier), payload);
                return None;
            };
            let claim = self.devices.claim(identifier.source, name);
            if let Claim::NewHolder { before, .. } = claim {
                changed = Some(identifier.source);
                let unnamed = Source::Address(identifier.source);
                // A device that lost its address tells its alarms again as soon as it has another.
                for gone in [unnamed].into_iter().chain(before.map(Source::Name)) {
                    let mut emit = Emit::new(&mut self.readings, gone, at);
                    self.engine_alarms.forget(&mut emit);
                    self.alerts.forget(&mut emit);
                }
                self.alerts.rename(unnamed, Source::Name(name));
            }
        }
        let source = self.devices.source(identifier.source);
        let mut emit = Emit::new(&mut self.readings, source, at);
        match self.plan.find(identifier.pgn) {
            Known::Row(row) => match row.readings(payload, emit) {
                Ok(()) if is_status(identifier.pgn) => {
                    let mut emit = Emit::new(&mut self.readings, source, at);
                    self.engine_alarms.take(identifier.pgn, payload, mono_ms, &mut emit);
                }
                Ok(()) => {}
                Err(refused) => sink.dropped(reason(refused), 1, &Pgn(identifier), payload),
            },
            Known::Network => self.network(identifier.pgn, source, payload),
            Known::Unknown if matches!(identifier.pgn, ALERT | ALERT_TEXT) => {
                if self.alerts.take(identifier.pgn, payload, &mut emit).is_none() {
                    sink.dropped(REASON_INCOMPLETE, 1, &Pgn(identifier), payload);
                }
            }
            Known::Unknown => sink.ignored(REASON_UNSUPPORTED, 1, &Pgn(identifier), payload),
        }
        sink.message(&mut self.readings);
        // A sink that leaves some behind must not make them another message's.
        self.readings.clear();
        changed
    }

    fn network(&mut self, pgn: u32, source: Source, payload: &[u8]) {
        match pgn {
            PRODUCT_INFORMATION => self.devices.product(source, payload),
            CONFIGURATION_INFORMATION => self.devices.configuration(source, payload),
            _ => {}
        }
    }
}
