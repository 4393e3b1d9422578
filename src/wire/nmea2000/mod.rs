//! NMEA 2000 (IEC 61162-3): frames of a CAN bus to readings.
//!
//! [`Decoder`] puts fast packets together, keeps who holds which address, and makes readings of the PGNs that its table
//! has. It only listens: it never asks a device for anything, so what is not sent by itself is not known. The fields of
//! each PGN, and which PGNs are fast packets, are facts of the crate `canboat`; [`raw_json`] shows a message with all
//! its fields, decoded by canboat itself.
//!
//! A source is the NAME that a device claims its address with, from the first claim on; until then its address. Devices
//! claim when they start and when another asks, so a gateway that starts late may know addresses for a while.
//!
//! ```
//! use hawser::wire::can::{Frame, FrameDecoder};
//! use hawser::wire::nmea2000::Decoder;
//! use hawser::wire::{Decoded, Sink};
//!
//! struct Print;
//! impl Sink for Print {
//!     fn message(&mut self, readings: &mut Vec<Decoded>) {
//!         for reading in readings.drain(..) {
//!             assert_eq!(reading.path, "environment.depth.belowTransducer");
//!         }
//!     }
//!     fn dropped(&mut self, reason: &'static str, _: u64, _: &dyn std::fmt::Display, _: &[u8]) {
//!         panic!("{reason}");
//!     }
//! }
//! // PGN 128267, water depth, from 35: 3.6 m.
//! let frame = Frame::extended(0x0DF5_0B23, &[0xFF, 0x68, 1, 0, 0, 0, 0, 0xFF]).expect("8 bytes");
//! Decoder::new().frame(&frame, 0, &mut Print);
//! ```
//!
//! # How to add a PGN
//!
//! 1. Add a row to a file of `rows/`: the PGN, and a rule for each value: the path, and how canboat's fields, by their
//!    names, become the value. `report` is for what the message is for: "not available" becomes a reading. `optional`
//!    is for what it carries beside that.
//! 2. A path that depends on an enumeration is `report_by` or `optional_by`. Where several devices are alike,
//!    `.instance(field)` puts their number in place of `*`, or into the reading's instance.
//! 3. Give each new path its unit in `wire/unit.rs`. Numbers come in SI from canboat; a test compares the units.
//! 4. Add cases to `tests.rs` with values worked out by hand.

mod alerts;
mod assembler;
mod decoder;
mod devices;
mod engine_alarms;
mod field;
mod plan;
mod raw;
mod rows;
mod table;

#[cfg(test)]
mod tests;

pub use assembler::Assembler;
pub use decoder::{
    Decoder, REASON_BAD_CLAIM, REASON_NO_INSTANCE, REASON_NO_STATION, REASON_SHORT, REASON_STANDARD_FRAME,
    REASON_UNSUPPORTED,
};
pub use devices::{function, manufacturer};
pub use raw::raw_json;
pub use rows::table;
pub use table::{About, Absent, Kind, Path, PgnSpec, Rule, Special, Take};
