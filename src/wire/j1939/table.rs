//! The shape of the table: a parameter group and its parameters, and how a parameter is read.

use std::borrow::Cow;

use crate::reading::{Quality, Value};

/// A parameter group that makes readings.
#[derive(Debug)]
pub(super) struct Group {
    /// Parameter group number.
    pub pgn: u32,
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

/// A parameter of a group: where it stands, what it means.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Suspect parameter number.
    pub spn: u32,
    /// What it is, for people.
    pub name: &'static str,
    /// Signal K path; `*` stands for the instance.
    pub path: &'static str,
    /// Whether the path stands below `propulsion.<instance>.`.
    pub is_engines: bool,
    /// SI unit; empty for none.
    pub unit: &'static str,
    /// Its first byte, from 1, as J1939-71 counts.
    pub byte: usize,
    /// How its bits are read.
    pub kind: Kind,
    /// Whether "not available" is a reading though no value was ever heard. For the others it says that the ECU has no
    /// such sensor: an EEC1 comes up to 100 times a second, and most ECUs fill half of it up.
    pub is_main: bool,
}

/// How a parameter's bits become a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One to four bytes, the least significant first: `raw * scale + offset`, in SI.
    Number { bytes: usize, scale: f64, offset: f64 },
    /// Two bits from this one on, from 1: off, on, error, not available.
    Switch { bit: u32 },
    /// One byte, 125 for neutral: `Reverse`, `Neutral`, `Forward`, `Park`.
    Gear,
}

/// The highest value of a parameter's most significant byte that is data; above it are its indicators (J1939-71, 5.1.4,
/// table 1). FF is "not available", FE an error, FB to FD are the parameter's own or reserved.
const DATA_MAX: u8 = 0xFA;

/// The most significant byte of a parameter that is not available.
const NOT_AVAILABLE: u8 = 0xFF;

/// The gears of SPN 523 and 524: forward above, reverse below (J1939-71).
const NEUTRAL: u8 = 125;
/// Park, of the same.
const PARK: u8 = 251;

impl Parameter {
    /// The same as what its group is for.
    pub const fn main(self) -> Self {
        Self { is_main: true, ..self }
    }

    /// The path for this instance.
    pub fn path(&self, instance: u8) -> Cow<'static, str> {
        match self.path.split_once('*') {
            _ if self.is_engines => format!("propulsion.{instance}.{}", self.path).into(),
            Some((before, after)) => format!("{before}{instance}{after}").into(),
            None => self.path.into(),
        }
    }

    /// Reads the parameter out of a payload; `None` where the payload ends before it.
    pub fn read(&self, payload: &[u8]) -> Option<(Value, Quality)> {
        let from = self.byte.checked_sub(1)?;
        Some(match self.kind {
            Kind::Number { bytes, scale, offset } => {
                let raw = payload.get(from..from.checked_add(bytes)?)?;
                match *raw.last()? {
                    NOT_AVAILABLE => (Value::Absent, Quality::NotAvailable),
                    byte if byte > DATA_MAX => (Value::Absent, Quality::OutOfRange),
                    _ => {
                        let raw = raw.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
                        (Value::Float(f64::from(raw).mul_add(scale, offset)), Quality::Good)
                    }
                }
            }
            Kind::Switch { bit } => match payload.get(from)?.checked_shr(bit.checked_sub(1)?)? & 3 {
                0 => (Value::Bool(false), Quality::Good),
                1 => (Value::Bool(true), Quality::Good),
                2 => (Value::Absent, Quality::OutOfRange),
                _ => (Value::Absent, Quality::NotAvailable),
            },
            Kind::Gear => match *payload.get(from)? {
                NOT_AVAILABLE => (Value::Absent, Quality::NotAvailable),
                PARK => (Value::text("Park"), Quality::Good),
                byte if byte > DATA_MAX => (Value::Absent, Quality::OutOfRange),
                byte if byte > NEUTRAL => (Value::text("Forward"), Quality::Good),
                NEUTRAL => (Value::text("Neutral"), Quality::Good),
                _ => (Value::text("Reverse"), Quality::Good),
            },
        })
    }
}
