//! Frames of a serial line: unit id, PDU, checksum. Pure: silence between frames is the caller's to keep.
//!
//! The answer's length is known from the question, so an answer ends when it is whole and not when a gap is noticed: a
//! gap is lost in USB adapters and serial servers. Written here and not taken from a library because a late answer must
//! never be taken for the next: the count that was asked for, and what follows the answer, are checked too.

use super::pdu::{Answer, EXCEPTION_BIT, PDU_BYTES_MAX, REQUEST_BYTES, Refusal, Request};

/// The longest frame (Serial Line V1.02, 2.5.1).
pub const FRAME_BYTES_MAX: usize = 1 + PDU_BYTES_MAX + CHECKSUM_BYTES;

const CHECKSUM_BYTES: usize = 2;

/// Bytes of a frame with an exception: unit id, function, code, checksum.
const EXCEPTION_FRAME_BYTES: usize = 3 + CHECKSUM_BYTES;

/// Bits of one character: start, 8 data, parity or a second stop, stop (Serial Line V1.02, 2.5.1).
const CHARACTER_BITS: u64 = 11;

/// The rate above which the silence is no longer counted in characters (Serial Line V1.02, 2.5.1.1).
const FIXED_SILENCE_ABOVE_BAUD: u32 = 19_200;

/// The silence above that rate: 1.750 ms.
const FIXED_SILENCE_MICROS: u64 = 1_750;

/// The CRC-16 of the serial line: polynomial 0xA001 reflected, all ones to begin with (Serial Line V1.02, 6.2.2).
pub fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| TABLE[usize::from((sum as u8) ^ byte)] ^ (sum >> 8))
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u16, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

/// Microseconds that `characters` half-characters take: halves, so that 3.5 characters are 7.
const fn half_characters_micros(halves: u64, baud: u32) -> u64 {
    let baud = if baud == 0 { 1 } else { baud as u64 };
    (halves * CHARACTER_BITS * 1_000_000).div_ceil(2 * baud)
}

/// The silence that ends a frame: 3.5 characters, 1.750 ms above 19,200 baud.
pub const fn silence_micros(baud: u32) -> u64 {
    if baud > FIXED_SILENCE_ABOVE_BAUD { FIXED_SILENCE_MICROS } else { half_characters_micros(7, baud) }
}

/// How long `bytes` take on the line.
pub const fn transfer_micros(bytes: usize, baud: u32) -> u64 {
    half_characters_micros(2 * bytes as u64, baud)
}

/// Bytes of a request's frame.
pub const REQUEST_FRAME_BYTES: usize = 1 + REQUEST_BYTES + CHECKSUM_BYTES;

/// A request's frame.
pub fn frame(unit: u8, request: &Request) -> [u8; REQUEST_FRAME_BYTES] {
    let mut frame = [0; REQUEST_FRAME_BYTES];
    frame[0] = unit;
    frame[1..=REQUEST_BYTES].copy_from_slice(&request.pdu());
    let sum = checksum(&frame[..=REQUEST_BYTES]).to_le_bytes();
    frame[REQUEST_BYTES + 1..].copy_from_slice(&sum);
    frame
}

/// Bytes of the frame that answers `request` with data.
pub const fn answer_frame_bytes(request: &Request) -> usize {
    3 + request.data_bytes() + CHECKSUM_BYTES
}

/// Judges what came since `request` went out to `unit`. `None`: it may yet become the answer. Whatever is refused is
/// refused at the first byte that cannot be right.
pub fn judge<'a>(unit: u8, request: &Request, bytes: &'a [u8]) -> Option<Result<Answer<'a>, Refusal>> {
    let asked = request.table.function();
    match bytes {
        [] => return None,
        [got, ..] if *got != unit => return Some(Err(Refusal::Unit { asked: unit, got: *got })),
        [_, got, ..] if *got & !EXCEPTION_BIT != asked => {
            return Some(Err(Refusal::Function { asked, got: *got }));
        }
        [_, got, count, ..] if *got == asked && usize::from(*count) != request.data_bytes() => {
            return Some(Err(Refusal::Length { expected: request.data_bytes(), got: usize::from(*count) }));
        }
        [_] => return None,
        _ => {}
    }
    let is_exception = bytes[1] & EXCEPTION_BIT != 0;
    let length = if is_exception { EXCEPTION_FRAME_BYTES } else { answer_frame_bytes(request) };
    if bytes.len() < length {
        return None;
    }
    if bytes.len() > length {
        return Some(Err(Refusal::Trailing { bytes: bytes.len() - length }));
    }
    let (body, said) = bytes.split_at(length - CHECKSUM_BYTES);
    let (said, sum) = (u16::from_le_bytes([said[0], said[1]]), checksum(body));
    Some(if said == sum { request.judge(&body[1..]) } else { Err(Refusal::Checksum { said, sum }) })
}

/// Where the frame at the front of `bytes` ends, an answer to a reading function by whatever unit: `None` while more of
/// it must come, `Some(None)` when there is no such frame, or its checksum does not fit.
pub fn end_of_frame(bytes: &[u8]) -> Option<Option<usize>> {
    let length = match bytes {
        [] | [_] => return None,
        [_, function, ..] if function & EXCEPTION_BIT != 0 => EXCEPTION_FRAME_BYTES,
        [_, 1..=4] => return None,
        [_, 1..=4, count, ..] => 3 + usize::from(*count) + CHECKSUM_BYTES,
        _ => return Some(None),
    };
    let (body, said) = bytes.get(..length)?.split_at(length - CHECKSUM_BYTES);
    Some((checksum(body).to_le_bytes() == said).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::modbus::{Exception, Table};

    const ASKED: Request = Request { table: Table::Holding, address: 1, count: 1 };

    fn framed(body: &[u8]) -> Vec<u8> {
        [body, &checksum(body).to_le_bytes()].concat()
    }

    #[test]
    fn checksums_of_the_documents() {
        // Serial Line V1.02, 6.2.2: unit 2, function 7 gives 0x1241, sent low byte first: 41 12.
        assert_eq!(checksum(&[0x02, 0x07]), 0x1241);
        // The check value that catalogues of CRCs give for "123456789".
        assert_eq!(checksum(b"123456789"), 0x4B37);
        assert_eq!(frame(1, &ASKED), [0x01, 0x03, 0x00, 0x01, 0x00, 0x01, 0xD5, 0xCA]);
    }

    #[test]
    fn silence_by_rate() {
        assert_eq!(silence_micros(9_600), 4_011);
        assert_eq!(silence_micros(19_200), 2_006);
        assert_eq!(silence_micros(115_200), 1_750);
        assert_eq!(transfer_micros(8, 9_600), 9_167);
        assert!(silence_micros(0) > 0, "a rate of nothing divides nothing");
    }

    #[test]
    fn an_answer_is_whole_only_with_its_last_byte() {
        let answer = framed(&[1, 3, 2, 0xAB, 0xCD]);
        for cut in 0..answer.len() {
            assert_eq!(judge(1, &ASKED, &answer[..cut]), None, "{cut} bytes");
        }
        assert_eq!(judge(1, &ASKED, &answer), Some(Ok(Answer::Data(&[0xAB, 0xCD]))));
        let refused = framed(&[1, 0x83, 2]);
        assert_eq!(judge(1, &ASKED, &refused), Some(Ok(Answer::Exception(Exception(2)))));
    }

    #[test]
    fn the_end_of_anybodys_answer() {
        let answer = framed(&[9, 4, 2, 0xAB, 0xCD]);
        for cut in 0..answer.len() {
            assert_eq!(end_of_frame(&answer[..cut]), None, "{cut} bytes");
        }
        assert_eq!(end_of_frame(&[&answer[..], &[1, 3]].concat()), Some(Some(7)));
        assert_eq!(end_of_frame(&framed(&[9, 0x84, 2])), Some(Some(5)));
        assert_eq!(end_of_frame(&framed(&[9, 6, 0, 1, 0, 1])), Some(None), "somebody writes");
        assert_eq!(end_of_frame(&[9, 4, 2, 0, 0, 0, 0]), Some(None));
    }

    #[test]
    fn what_is_not_the_answer_is_refused() {
        let whole = framed(&[1, 3, 2, 0xAB, 0xCD]);
        let refused = |bytes: &[u8]| judge(1, &ASKED, bytes).expect("judged").expect_err("refused").reason();
        assert_eq!(refused(&framed(&[2, 3, 2, 0, 0])), "modbus_wrong_unit");
        assert_eq!(refused(&framed(&[1, 4, 2, 0, 0])), "modbus_wrong_function");
        assert_eq!(refused(&framed(&[1, 3, 4, 0, 0, 0, 0])), "modbus_wrong_length");
        assert_eq!(refused(&[whole.clone(), vec![0]].concat()), "modbus_trailing_bytes");
        for at in 3..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0x10;
            assert_eq!(refused(&bent), "modbus_checksum", "bit of byte {at}");
        }
    }
}
