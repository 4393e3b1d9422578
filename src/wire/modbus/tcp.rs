//! Frames of Modbus TCP: transaction id, protocol 0, length, unit id, PDU. Source: Messaging on TCP/IP V1.0b, 3.1.3.

use super::pdu::{Answer, PDU_BYTES_MAX, REQUEST_BYTES, Refusal, Request};

/// Bytes of the header, the unit id included.
pub const HEADER_BYTES: usize = 7;

/// The longest frame: header and PDU.
pub const FRAME_BYTES_MAX: usize = HEADER_BYTES + PDU_BYTES_MAX;

/// Bytes of the header that its own length does not count: transaction, protocol, length.
const UNCOUNTED_BYTES: usize = 6;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The client's number for the request, given back in the answer.
    pub transaction: u16,
    /// 0 for Modbus.
    pub protocol: u16,
    /// Bytes that follow, the unit id included.
    pub length: u16,
    /// The unit asked, or answering.
    pub unit: u8,
}

impl Header {
    /// Reads a header, whatever it says; `None` when there are too few bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Some(Self { transaction: word(0), protocol: word(2), length: word(4), unit: bytes[6] })
    }

    /// Whether it can be the header of a Modbus frame: the protocol is 0, and there is a unit id and a function.
    pub const fn is_modbus(&self) -> bool {
        self.protocol == 0 && 2 <= self.length && self.length as usize <= 1 + PDU_BYTES_MAX
    }

    /// Bytes of the whole frame.
    pub const fn frame_bytes(&self) -> usize {
        UNCOUNTED_BYTES + self.length as usize
    }
}

/// Bytes of a request's frame.
pub const REQUEST_FRAME_BYTES: usize = HEADER_BYTES + REQUEST_BYTES;

/// A request's frame.
pub fn frame(transaction: u16, unit: u8, request: &Request) -> [u8; REQUEST_FRAME_BYTES] {
    let mut frame = [0; REQUEST_FRAME_BYTES];
    frame[..2].copy_from_slice(&transaction.to_be_bytes());
    // A unit id and five bytes: fits the low byte of the length.
    frame[5] = 1 + REQUEST_BYTES as u8;
    frame[6] = unit;
    frame[HEADER_BYTES..].copy_from_slice(&request.pdu());
    frame
}

/// Judges a whole frame whose transaction id is the request's.
pub fn judge<'a>(unit: u8, request: &Request, frame: &'a [u8]) -> Result<Answer<'a>, Refusal> {
    let header = Header::read(frame).filter(|header| header.is_modbus() && header.frame_bytes() == frame.len());
    let header = header.ok_or(Refusal::Header)?;
    if header.unit != unit {
        return Err(Refusal::Unit { asked: unit, got: header.unit });
    }
    request.judge(&frame[HEADER_BYTES..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::modbus::Table;

    const ASKED: Request = Request { table: Table::Input, address: 0x0102, count: 2 };

    #[test]
    fn a_request_and_its_answer() {
        assert_eq!(frame(0x1234, 9, &ASKED), [0x12, 0x34, 0, 0, 0, 6, 9, 4, 1, 2, 0, 2]);
        let answer = [0x12, 0x34, 0, 0, 0, 7, 9, 4, 4, 1, 2, 3, 4];
        assert_eq!(judge(9, &ASKED, &answer), Ok(Answer::Data(&[1, 2, 3, 4])));
        assert_eq!(judge(8, &ASKED, &answer), Err(Refusal::Unit { asked: 8, got: 9 }));
        assert_eq!(judge(9, &ASKED, &answer[..12]), Err(Refusal::Header));
    }

    #[test]
    fn headers_that_are_none() {
        let header = |protocol, length| Header { transaction: 1, protocol, length, unit: 1 }.is_modbus();
        assert!(header(0, 2) && header(0, 254));
        assert!(!header(1, 6) && !header(0, 0) && !header(0, 1) && !header(0, 255));
        assert_eq!(Header::read(&[0; 6]), None);
    }
}
