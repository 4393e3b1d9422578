//! CAN of any kind, described by a DBC file: signals of frames as readings.
//!
//! [`Map::parse`] compiles the text once to a plan for each message; [`Decoder`] runs the plans. Intel and Motorola
//! byte order, signed and unsigned numbers, IEEE floats (`SIG_VALTYPE_`), multiplexing (`M`, `m0`, `SG_MUL_VAL_`),
//! ranges and value tables are read. It refuses to guess: what a DBC says wrong is an error with its line, not a wrong
//! value.
//!
//! # Paths and units
//!
//! A signal becomes `sensors.<message>.<signal>`, unless its attribute `SignalKPath` names another path:
//!
//! ```text
//! BA_DEF_ SG_ "SignalKPath" STRING ;
//! BA_DEF_DEF_ "SignalKPath" "";
//! BA_ "SignalKPath" SG_ 2566844926 EngineSpeed "propulsion.1.revolutions";
//! ```
//!
//! or [`Options::paths`] does. Units that `units` knows become SI; others stay as the DBC writes them.
//!
//! # J1939
//!
//! A DBC for J1939 writes an identifier with some source address in it. With [`Options::by_pgn`], or when the DBC says
//! `BA_ "ProtocolType" "J1939"`, frames are found by their PGN, from whatever source, and long messages are put
//! together.

mod compile;
mod decoder;
mod error;
mod plan;
mod units;

use std::collections::{BTreeMap, HashMap};

use crate::wire::can::Identifier;
pub use decoder::{Decoder, REASON_SHORT, REASON_UNKNOWN};
pub use error::DbcError;
pub use plan::{MessagePlan, SignalPlan};

/// The longest DBC taken. The one of all J1939 has about 4 MB; this bounds what a wrong file costs.
pub const DBC_BYTES_MAX: usize = 16 << 20;

/// What a DBC does not say itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Find messages by their PGN, as J1939 does; `None`: as the DBC's attribute `ProtocolType` says.
    pub by_pgn: Option<bool>,
    /// Paths of signals, each by `message.signal`, before any attribute.
    pub paths: BTreeMap<String, String>,
}

/// How a frame finds its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Standard(u32),
    Extended(u32),
    Pgn(u32),
}

/// A DBC, compiled.
#[derive(Debug)]
pub struct Map {
    messages: HashMap<Key, MessagePlan>,
    by_pgn: bool,
}

impl Map {
    /// Compiles a DBC.
    pub fn parse(text: &str) -> Result<Self, DbcError> {
        Self::parse_with(text, &Options::default())
    }

    /// Compiles a DBC, with what it does not say.
    pub fn parse_with(text: &str, options: &Options) -> Result<Self, DbcError> {
        compile::compile(text, options)
    }

    /// The message of an identifier.
    pub fn message(&self, id: u32, extended: bool) -> Option<&MessagePlan> {
        self.messages.get(&self.key(id, extended))
    }

    /// Whether messages are found by their PGN.
    pub const fn by_pgn(&self) -> bool {
        self.by_pgn
    }

    /// How many messages and signals it has.
    pub fn counts(&self) -> (usize, usize) {
        (self.messages.len(), self.messages.values().map(|message| message.signals.len()).sum())
    }

    const fn key(&self, id: u32, extended: bool) -> Key {
        match extended {
            false => Key::Standard(id),
            true if self.by_pgn => Key::Pgn(Identifier::parse(id).pgn),
            true => Key::Extended(id),
        }
    }
}

/// The text of a DBC file: UTF-8, or else Latin-1, in which most of them write the degree sign.
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{FEFF}').to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests;
