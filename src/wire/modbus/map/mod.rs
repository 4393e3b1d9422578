//! What the registers of a type of device mean: a map, read from a file of facts.
//!
//! Addresses are those of the protocol, counted from 0. Documents often count from 1 and put the table in front: 30053
//! or 3x0053 is input register 52, 40003 holding register 2, 10001 discrete input 0, 00001 coil 0. A map is wrong by
//! one far more often than by anything else, so each file says which its document uses.

mod builtin;
mod file;
mod units;
mod value;

use super::pdu::Table;
use crate::config::ConfigErrors;

pub use builtin::{BUILTIN, builtin};
pub use units::{UNITS, Unit};
pub use value::decode;

/// The most values of one map: the longest public list (a generator controller of 900 registers) has fewer that anybody
/// watches, and a serial line at 9,600 baud reads 512 registers a second at best.
pub const VALUES_MAX: usize = 512;

/// The longest text of a device in registers: 32 characters, as the longest that public lists have (Victron, SunSpec).
pub const TEXT_REGISTERS_MAX: u16 = 32;

/// Stands in a path where the device's instance comes.
pub const INSTANCE: &str = "{instance}";

/// Why a map cannot be used: file, line, key, and what would be accepted.
pub type MapError = ConfigErrors;

/// A type of device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceMap {
    /// Who makes it.
    pub manufacturer: String,
    /// What it is called.
    pub model: String,
    /// What it is: an energy meter, a gateway.
    pub function: String,
    /// The document that the facts come from: title, edition, page.
    pub document: String,
    /// The most registers that it gives at once.
    pub registers_max: u16,
    /// Whether a read may not touch registers that the map does not name.
    pub no_gaps: bool,
    /// The values, in the order of table and address.
    pub values: Vec<ValueSpec>,
}

/// One value of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueSpec {
    /// Signal K path; may hold [`INSTANCE`].
    pub path: String,
    /// Where it is.
    pub table: Table,
    /// Its first register or bit, counted from 0.
    pub address: u16,
    /// How its bytes are laid out.
    pub layout: Layout,
    /// What its number means.
    pub meaning: Meaning,
    /// Raw numbers that say "no value", as unsigned numbers of the value's width. NaN always does.
    pub not_available: Vec<u64>,
    /// How often it is asked for.
    pub poll: PollClass,
}

/// How the bytes of a value are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What they make.
    pub kind: Kind,
    /// Registers, or 1 for a bit.
    pub count: u16,
    /// Whether the least significant register comes first ("swapped words"). Modbus does not say.
    pub words_swapped: bool,
    /// Whether the least significant byte of each register comes first, against the specification.
    pub bytes_swapped: bool,
}

/// What the bytes of a value make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One bit: a coil or a discrete input.
    Bool,
    /// Unsigned, 16 bits.
    U16,
    /// Two's complement, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Two's complement, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Two's complement, 64 bits.
    I64,
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 64 bits.
    F64,
    /// Characters, two a register.
    String,
}

impl Kind {
    /// Registers that it takes; a string says it itself.
    pub const fn registers(self) -> Option<u16> {
        match self {
            Self::Bool | Self::U16 | Self::I16 => Some(1),
            Self::U32 | Self::I32 | Self::F32 => Some(2),
            Self::U64 | Self::I64 | Self::F64 => Some(4),
            Self::String => None,
        }
    }

    /// Whether it is a whole number.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::U16 | Self::I16 | Self::U32 | Self::I32 | Self::U64 | Self::I64)
    }
}

/// What the number of a value means.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A quantity: number x scale + offset in the device's unit, then SI.
    Quantity {
        /// By what the number is multiplied.
        scale: f64,
        /// What is added then.
        offset: f64,
        /// The least that the device can mean, in its unit.
        min: f64,
        /// The most.
        max: f64,
        /// The device's unit.
        unit: &'static Unit,
    },
    /// A count: the whole number as it is.
    Count,
    /// One bit of it is a state of two.
    Bit(u8),
    /// Each number has a name.
    Words(Vec<(u64, String)>),
    /// Each bit has a name; the names of those that are set, with commas between.
    Flags(Vec<(u8, String)>),
    /// Characters as they are.
    Text,
}

/// How often a value is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollClass {
    /// At the device's interval.
    #[default]
    Fast,
    /// A tenth as often: counters, states of health, names.
    Slow,
}

impl DeviceMap {
    /// Reads `text`, called `file` in messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, MapError> {
        file::parse(file, text)
    }
}

impl ValueSpec {
    /// The path for a device called `instance`.
    pub fn path_of(&self, instance: &str) -> String {
        self.path.replace(INSTANCE, instance)
    }

    /// The SI unit; empty when it has none.
    pub const fn si_unit(&self) -> &'static str {
        match self.meaning {
            Meaning::Quantity { unit, .. } => unit.si,
            _ => "",
        }
    }

    /// The address behind its last register or bit; at most 65,536.
    pub const fn end(&self) -> u32 {
        self.address as u32 + self.layout.count as u32
    }
}
