//! One question and what may pass for its answer, whatever frames them.
//!
//! An answer is taken only when its function and its length are those that were asked for; all else is a [`Refusal`].

use std::fmt;

use super::Exception;

/// The longest protocol data unit: 256 bytes of a serial frame less unit id and checksum (Application Protocol, 4.1).
pub const PDU_BYTES_MAX: usize = 253;

/// The most registers of one read (Application Protocol, 6.3): 250 bytes.
pub const REGISTERS_MAX: u16 = 125;

/// The most coils of one read (Application Protocol, 6.1): 250 bytes.
pub const COILS_MAX: u16 = 2_000;

/// Bytes of the PDU of every request that we make: function, address, quantity.
pub const REQUEST_BYTES: usize = 5;

/// Set in the function code of an exception (Application Protocol, 4.1).
pub const EXCEPTION_BIT: u8 = 0x80;

/// The four tables of a device; each has addresses 0 to 65,535 of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Bits that can be written; function 1.
    Coil,
    /// Bits that can only be read; function 2.
    Discrete,
    /// Registers that can be written; function 3.
    Holding,
    /// Registers that can only be read; function 4.
    Input,
}

impl Table {
    /// The function that reads it.
    pub const fn function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }

    /// Whether it holds bits, not registers.
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// The most of one read.
    pub const fn count_max(self) -> u16 {
        if self.is_bits() { COILS_MAX } else { REGISTERS_MAX }
    }

    /// Bytes of data that `count` of them take in an answer.
    pub const fn data_bytes(self, count: u16) -> usize {
        if self.is_bits() { count.div_ceil(8) as usize } else { 2 * count as usize }
    }
}

/// A read of neighbours in one table. There is no request that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Where.
    pub table: Table,
    /// The first, counted from 0.
    pub address: u16,
    /// How many, 1 to [`Table::count_max`].
    pub count: u16,
}

impl Request {
    /// The request as it stands on the wire.
    pub fn pdu(&self) -> [u8; REQUEST_BYTES] {
        let [address_high, address_low] = self.address.to_be_bytes();
        let [count_high, count_low] = self.count.to_be_bytes();
        [self.table.function(), address_high, address_low, count_high, count_low]
    }

    /// Bytes of data in its answer, which may be at most 250 and so fit the answer's own count.
    pub const fn data_bytes(&self) -> usize {
        self.table.data_bytes(self.count)
    }

    /// Judges `pdu`, the whole of an answer.
    pub fn judge<'a>(&self, pdu: &'a [u8]) -> Result<Answer<'a>, Refusal> {
        let (asked, expected) = (self.table.function(), self.data_bytes());
        match pdu {
            [] => Err(Refusal::Length { expected, got: 0 }),
            [got, rest @ ..] if *got == asked | EXCEPTION_BIT => match rest {
                [code] => Ok(Answer::Exception(Exception(*code))),
                _ => Err(Refusal::Length { expected: 1, got: rest.len() }),
            },
            [got, ..] if *got != asked => Err(Refusal::Function { asked, got: *got }),
            [_, count, data @ ..] if usize::from(*count) == expected && data.len() == expected => {
                Ok(Answer::Data(data))
            }
            [_, rest @ ..] => Err(Refusal::Length { expected, got: rest.len().saturating_sub(1) }),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {} address {} count {}", self.table.function(), self.address, self.count)
    }
}

/// What a server said to a question, in the right form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The data, as many bytes as were asked for.
    Data(&'a [u8]),
    /// No.
    Exception(Exception),
}

/// Why bytes are not the answer to what was asked. After any of these the line is not trusted until it was silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing came in time.
    #[error("no answer")]
    Timeout,
    /// It began and did not end in time.
    #[error("the answer broke off after {got} bytes")]
    Short {
        /// Bytes that came.
        got: usize,
    },
    /// Another unit answered.
    #[error("unit {asked} was asked, unit {got} answered")]
    Unit {
        /// The unit asked.
        asked: u8,
        /// The unit that answered.
        got: u8,
    },
    /// The answer is to another function.
    #[error("function {asked} was asked, function {got} answered")]
    Function {
        /// The function asked.
        asked: u8,
        /// The function answered.
        got: u8,
    },
    /// The answer holds another number of bytes.
    #[error("{expected} bytes were asked for, {got} came")]
    Length {
        /// Bytes of data asked for.
        expected: usize,
        /// Bytes of data that came.
        got: usize,
    },
    /// The checksum does not fit.
    #[error("checksum {said:04x} does not fit, {sum:04x} would")]
    Checksum {
        /// What the frame says.
        said: u16,
        /// What its bytes give.
        sum: u16,
    },
    /// More followed than one answer.
    #[error("{bytes} bytes more than the answer")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// The header is none of Modbus TCP.
    #[error("not a Modbus TCP header")]
    Header,
}

impl Refusal {
    /// The reason that metrics count it under.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "modbus_timeout",
            Self::Short { .. } => "modbus_short_answer",
            Self::Unit { .. } => "modbus_wrong_unit",
            Self::Function { .. } => "modbus_wrong_function",
            Self::Length { .. } => "modbus_wrong_length",
            Self::Checksum { .. } => "modbus_checksum",
            Self::Trailing { .. } => "modbus_trailing_bytes",
            Self::Header => "modbus_header",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Request = Request { table: Table::Holding, address: 0x006B, count: 3 };

    /// The example of Application Protocol V1.1b3, section 6.3.
    #[test]
    fn the_documents_example() {
        assert_eq!(ASKED.pdu(), [0x03, 0x00, 0x6B, 0x00, 0x03]);
        let answer = [0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64];
        assert_eq!(ASKED.judge(&answer), Ok(Answer::Data(&answer[2..])));
        assert_eq!(ASKED.judge(&[0x83, 0x02]), Ok(Answer::Exception(Exception(2))));
    }

    #[test]
    fn what_was_not_asked_is_refused() {
        assert_eq!(ASKED.judge(&[]), Err(Refusal::Length { expected: 6, got: 0 }));
        assert_eq!(ASKED.judge(&[3]), Err(Refusal::Length { expected: 6, got: 0 }));
        assert_eq!(ASKED.judge(&[4, 6, 0, 0, 0, 0, 0, 0]), Err(Refusal::Function { asked: 3, got: 4 }));
        assert_eq!(ASKED.judge(&[0x84, 2]), Err(Refusal::Function { asked: 3, got: 0x84 }));
        assert_eq!(ASKED.judge(&[3, 4, 0, 0, 0, 0]), Err(Refusal::Length { expected: 6, got: 4 }));
        assert_eq!(ASKED.judge(&[3, 6, 0, 0, 0, 0]), Err(Refusal::Length { expected: 6, got: 4 }));
        assert_eq!(ASKED.judge(&[3, 6, 0, 0, 0, 0, 0, 0, 0]), Err(Refusal::Length { expected: 6, got: 7 }));
        assert_eq!(ASKED.judge(&[0x83]), Err(Refusal::Length { expected: 1, got: 0 }));
    }

    #[test]
    fn every_answer_fits_its_frame() {
        for table in [Table::Coil, Table::Discrete, Table::Holding, Table::Input] {
            assert!(2 + table.data_bytes(table.count_max()) <= PDU_BYTES_MAX);
        }
    }
}
