//! Devices on a CAN bus: their NAMEs, addresses and product information, and the rows of what they tell.
//!
//! Source: SAE J1939-81 (NAME, address claim); NMEA 2000 product information (PGN 126996) as canboat documents it.

use std::collections::HashMap;

use super::payload::Payload;
use super::telegram::{Telegram, Transport};
use super::vessel::Vessel;
use crate::clock::Stamp;

/// Address claimed: J1939-81, 4.2.2.
const PGN_ADDRESS_CLAIM: u32 = 60_928;

/// Product information.
const PGN_PRODUCT: u32 = 126_996;

/// The first address above those that devices of this simulator start with, for those that move; and how many there are
/// before it begins again. Below 248: J1939-81 keeps that from there on.
const FIRST_FREE_ADDRESS: u8 = 64;
const FREE_ADDRESSES: u64 = 128;

/// Marine, in a NAME: J1939-81, industry group 4. 0 is global.
pub(crate) const INDUSTRY_MARINE: u64 = 4;

/// A device as it is sold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// As the list of NMEA 2000 manufacturers has it.
    pub(crate) manufacturer: u64,
    pub(crate) function: u64,
    pub(crate) class: u64,
    pub(crate) industry: u64,
    pub(crate) address: u8,
    /// Invented, as are version and serial number.
    pub(crate) name: &'static str,
    pub(crate) product_code: u64,
}

/// What a device tells: one row a PGN.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Which device of the bus.
    pub(crate) device: usize,
    pub(crate) pgn: u32,
    pub(crate) priority: u8,
    pub(crate) transport: Transport,
    /// Told in one of so many rounds.
    pub(crate) every: u64,
    /// The payloads, one for each instance.
    pub(crate) make: fn(&Telling<'_>) -> Vec<Payload>,
}

/// What a row is told from.
pub(crate) struct Telling<'a> {
    pub(crate) vessel: &'a Vessel,
    /// The time that the vessel's receiver believes.
    pub(crate) at: Stamp,
    /// Ties what was measured at once together (SID).
    pub(crate) sid: u64,
}

/// A device with its address.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    model: &'static Model,
    identity: u64,
    pub(crate) address: u8,
    /// How often each PGN went out: the sequence numbers of fast packets.
    sent: HashMap<u32, u8>,
}

impl Device {
    /// The device of a model; `identity` is its number of 21 bits.
    pub(crate) fn new(model: &'static Model, identity: u64) -> Self {
        Self { model, identity: identity & 0x1F_FFFF, address: model.address, sent: HashMap::new() }
    }

    /// The NAME: J1939-81, 4.1.1, table 1. Instances are 0; the address can be chosen at will.
    pub(crate) const fn name(&self) -> u64 {
        let Model { manufacturer, function, class, industry, .. } = *self.model;
        self.identity | manufacturer << 21 | function << 40 | class << 49 | industry << 60 | 1 << 63
    }

    /// Claims another address, with the same NAME.
    pub(crate) fn move_to(&mut self, drawn: u64) {
        self.address = FIRST_FREE_ADDRESS + (drawn % FREE_ADDRESSES) as u8;
    }

    pub(crate) fn claim(&self) -> Telegram {
        let payload = Payload::default().part(self.name(), 64);
        Telegram::new(PGN_ADDRESS_CLAIM, 6, self.address, Transport::Single, payload)
    }

    /// Version 2.1 of NMEA 2000, certification level 1, load 1 (50 mA).
    pub(crate) fn product(&mut self) -> Telegram {
        let Model { name, product_code, .. } = *self.model;
        let payload = Payload::default()
            .part(2_100, 16)
            .part(product_code, 16)
            .text(name, 32, 0xFF)
            .text("1.4.2", 32, 0xFF)
            .text("A", 32, 0xFF)
            .text(&format!("SIM{:07}", self.identity), 32, 0xFF)
            .part(1, 8)
            .part(1, 8);
        self.tell(PGN_PRODUCT, 6, Transport::Fast, payload)
    }

    /// A telegram of this device, with the next sequence number of its PGN.
    pub(crate) fn tell(&mut self, pgn: u32, priority: u8, transport: Transport, payload: Payload) -> Telegram {
        let sent = self.sent.entry(pgn).or_default();
        let sequence = *sent;
        *sent = (*sent + 1) % 8;
        Telegram { sequence, ..Telegram::new(pgn, priority, self.address, transport, payload) }
    }
}

/// The devices of one bus, and how far they are.
#[derive(Clone, Debug)]
pub(crate) struct Backbone {
    devices: Vec<Device>,
    rows: &'static [Row],
    round: u64,
    /// Whether product information is told.
    products: bool,
}

/// Rounds between two address claims of all, as if somebody asked for them: once a minute at one round a second.
const CLAIM_ROUNDS: u64 = 60;

impl Backbone {
    pub(crate) fn new(models: &'static [Model], rows: &'static [Row], products: bool, seed: u64) -> Self {
        let first = seed.wrapping_mul(977).wrapping_add(1_001);
        let devices = (0u64..).zip(models).map(|(n, model)| Device::new(model, first.wrapping_add(n * 31)));
        Self { devices: devices.collect(), rows, round: 0, products }
    }

    /// One round: claims when they are due, then every row that is due.
    pub(crate) fn round(&mut self, vessel: &Vessel, at: Stamp) -> Vec<Telegram> {
        let mut told = Vec::new();
        if self.round.is_multiple_of(CLAIM_ROUNDS) {
            told.extend(self.devices.iter().map(Device::claim));
            if self.products {
                told.extend(self.devices.iter_mut().map(Device::product));
            }
        }
        // 0 to 252: the values above have meanings of their own.
        let telling = Telling { vessel, at, sid: self.round % 253 };
        for row in self.rows.iter().filter(|row| self.round.is_multiple_of(row.every)) {
            for payload in (row.make)(&telling) {
                // A single payload of more than 8 bytes (several trouble codes) goes as a broadcast.
                let long = row.transport == Transport::Single && payload.len() > 8;
                let transport = if long { Transport::Broadcast } else { row.transport };
                told.push(self.devices[row.device].tell(row.pgn, row.priority, transport, payload));
            }
        }
        self.round += 1;
        told
    }

    /// One of the devices claims another address; others keep theirs.
    pub(crate) fn churn(&mut self, drawn: u64) -> Option<Telegram> {
        let index = (drawn >> 32) as usize % self.devices.len().max(1);
        let taken: Vec<u8> = self.devices.iter().map(|device| device.address).collect();
        let device = self.devices.get_mut(index)?;
        device.move_to(drawn);
        while taken.contains(&device.address) {
            device.move_to(u64::from(device.address - FIRST_FREE_ADDRESS) + 1);
        }
        Some(device.claim())
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("pgn", &self.pgn).finish_non_exhaustive()
    }
}
