//! A CAN frame, its identifier, and a message of many frames.

use crate::clock::Stamp;

/// The longest payload of a PGN: transport protocol, 255 packets of 7 bytes (SAE J1939-21, 5.10).
pub const PAYLOAD_BYTES_MAX: usize = 1_785;

/// A PGN whose second byte is below this is addressed: the byte is the destination (J1939-21, PDU1).
const PDU2_MIN: u8 = 240;

/// The address that means everybody.
const GLOBAL: u8 = 255;

/// One classic CAN data frame. Remote and error frames are not frames of data; whoever reads the bus counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// 11 or 29 bits.
    pub id: u32,
    /// Whether the identifier has 29 bits.
    pub extended: bool,
    /// Bytes that count of `data`: 0 to 8.
    pub length: u8,
    /// The data, zeros behind `length`.
    pub data: [u8; 8],
    /// When it was on the bus, where a log tells.
    pub at: Option<Stamp>,
}

impl Frame {
    /// A frame with a 29-bit identifier; `None` for more than 8 bytes or an identifier too large.
    pub fn extended(id: u32, data: &[u8]) -> Option<Self> {
        Self::new(id, true, data)
    }

    /// A frame with an 11-bit identifier; `None` for more than 8 bytes or an identifier too large.
    pub fn standard(id: u32, data: &[u8]) -> Option<Self> {
        Self::new(id, false, data)
    }

    fn new(id: u32, extended: bool, bytes: &[u8]) -> Option<Self> {
        let length = u8::try_from(bytes.len()).ok().filter(|n| *n <= 8)?;
        if id >= 1 << if extended { 29 } else { 11 } {
            return None;
        }
        let mut data = [0; 8];
        data[..bytes.len()].copy_from_slice(bytes);
        Some(Self { id, extended, length, data, at: None })
    }

    /// The bytes that count.
    pub fn bytes(&self) -> &[u8] {
        &self.data[..usize::from(self.length).min(8)]
    }
}

/// A 29-bit identifier, taken apart as J1939-21 and NMEA 2000 do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// 0, most urgent, to 7.
    pub priority: u8,
    /// Parameter group number, the destination's byte zero where it is addressed.
    pub pgn: u32,
    /// Who sent it.
    pub source: u8,
    /// For whom; 255 for everybody.
    pub destination: u8,
}

impl Identifier {
    /// The parts of a 29-bit identifier.
    pub const fn parse(id: u32) -> Self {
        let [high, format, specific, source] = id.to_be_bytes();
        let page = (high & 3) as u32;
        let (pgn, destination) = if format < PDU2_MIN {
            (page << 16 | (format as u32) << 8, specific)
        } else {
            (page << 16 | (format as u32) << 8 | specific as u32, GLOBAL)
        };
        Self { priority: high >> 2 & 7, pgn, source, destination }
    }

    /// The identifier of these parts.
    pub const fn encode(self) -> u32 {
        let addressed = (self.pgn >> 8 & 0xFF) < PDU2_MIN as u32;
        let low = if addressed { self.destination as u32 } else { self.pgn & 0xFF };
        (self.priority as u32 & 7) << 26 | (self.pgn & 0x3_FF00) << 8 | low << 8 | self.source as u32
    }
}

/// A PGN's whole payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who sent what to whom.
    pub identifier: Identifier,
    /// At most [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: &'a [u8],
    /// When it was on the bus, where a log tells.
    pub at: Option<Stamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_come_apart_and_together() {
        // PGN 127251 (rate of turn), priority 2, from 1, to all.
        let rate_of_turn = Identifier { priority: 2, pgn: 127_251, source: 1, destination: 255 };
        assert_eq!(Identifier::parse(0x09F1_1301), rate_of_turn);
        assert_eq!(rate_of_turn.encode(), 0x09F1_1301);
        // PGN 59904 (request), priority 6, from 0x23, to 0x17.
        let request = Identifier { priority: 6, pgn: 59_904, source: 0x23, destination: 0x17 };
        assert_eq!(Identifier::parse(0x18EA_1723), request);
        assert_eq!(request.encode(), 0x18EA_1723);
    }

    #[test]
    fn a_frame_has_at_most_eight_bytes_and_an_identifier_that_fits() {
        assert_eq!(Frame::standard(0x7FF, &[1, 2]).unwrap().bytes(), [1, 2]);
        assert_eq!(Frame::standard(0x800, &[]), None);
        assert_eq!(Frame::extended(1 << 29, &[]), None);
        assert_eq!(Frame::extended(0, &[0; 9]), None);
    }
}
