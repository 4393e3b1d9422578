//! Who told a value: the second part of a reading's source, behind the bus's name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::word::Word;

/// Who told a value, by what it is and not by where it is plugged in, as far as its wire tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// NMEA 0183: a talker ID such as `GP`, a maker's such as `PGRM`.
    Talker(Word),
    /// IEC 61162-450: a system function ID such as `GP0001`.
    Function(Word),
    /// NMEA 2000 and J1939: the 64-bit NAME that a device claims its address with. Outlives a change of address.
    Name(u64),
    /// NMEA 2000 and J1939: the address of a device whose NAME was not heard yet.
    Address(u8),
    /// CAN by DBC: the frame's identifier, 11 or 29 bits.
    Identifier(u32),
    /// Modbus: a unit id.
    Unit(u8),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Talker(word) | Self::Function(word) => word.fmt(f),
            Self::Name(name) => write!(f, "{name:016x}"),
            Self::Address(address) => write!(f, "address{address}"),
            Self::Identifier(identifier) => write!(f, "id{identifier:x}"),
            Self::Unit(unit) => write!(f, "unit{unit}"),
        }
    }
}

/// What is known of a source, for people who look for a device. Texts are empty where nothing was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// As it stands in readings, behind the bus's name: talker, NAME, unit.
    pub source: String,
    /// The address on a CAN bus now.
    pub address: Option<u8>,
    /// What it is: its function or class.
    pub function: String,
    /// Who made it.
    pub manufacturer: String,
    /// The model.
    pub model: String,
    /// The software's version.
    pub software: String,
    /// The serial number.
    pub serial: String,
}
