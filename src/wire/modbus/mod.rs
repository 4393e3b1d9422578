//! Modbus: questions and answers, register maps, what to ask next, and what others were heard to say.
//!
//! Only the reading functions 1 to 4 can be asked: [`Request`] knows no other (invariant 10). [`rtu`] and [`tcp`] frame
//! them; [`map`] says what a device's registers mean; [`plan`] joins neighbours into one read; [`Poller`] decides what
//! is asked when; [`capture`] reads along with strangers. Source: MODBUS Application Protocol V1.1b3, MODBUS over
//! Serial Line V1.02, MODBUS Messaging on TCP/IP V1.0b.

mod breaker;
pub mod capture;
mod exception;
pub mod map;
pub mod pdu;
pub mod plan;
mod poller;
pub mod rtu;
pub mod tcp;

use std::fmt;

pub use exception::Exception;
pub use map::{DeviceMap, MapError};
pub use pdu::{Answer, Refusal, Request, Table};
pub use poller::{Action, Ask, LineOptions, Outcome, Poller, REASON_EXCLUDED, REASON_OVERRUN, UnitOptions};

/// The least unit id of a device. 0 is broadcast, which nobody answers (Serial Line, 2.2).
pub const UNIT_ID_MIN: u8 = 1;

/// The largest unit id of a device; 248 to 255 are reserved (Serial Line, 2.2).
pub const UNIT_ID_MAX: u8 = 247;

/// How requests and answers are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// With a transaction id, over TCP.
    Tcp,
    /// With a checksum, over a serial line or over TCP to a plain serial server.
    Rtu,
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Rtu => "rtu",
        })
    }
}

#[cfg(test)]
mod tests;
