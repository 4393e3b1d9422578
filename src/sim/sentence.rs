//! Writes NMEA 0183 sentences and counts the values put into each, so that the simulator knows, without asking a
//! decoder, how many readings a gateway must make of them. It refuses to know what the values mean.
//!
//! Source: IEC 61162-1 (checksum: XOR of the characters between `$` or `!` and `*`, two hexadecimal digits).

use std::fmt::{Display, Write as _};

/// One sentence as it goes onto the wire, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The whole sentence with its checksum, CR and LF.
    pub sentence: String,
    /// How many readings a gateway must make of it.
    pub readings: u32,
    /// How many it may make besides: of fields that a fault spoiled.
    pub maybe: u32,
    /// Which fields hold values: bit 1 is the first behind the address. Fields past the 63rd are not told.
    pub(crate) values: u64,
}

/// A sentence that is being written.
#[derive(Debug)]
pub(crate) struct Sentence {
    text: String,
    readings: u32,
    values: u64,
}

impl Sentence {
    /// A sentence with `$`, of this talker and formatter.
    pub(crate) fn new(talker: &str, formatter: &str) -> Self {
        Self { text: format!("${talker}{formatter}"), readings: 0, values: 0 }
    }

    /// An encapsulation sentence with `!`.
    pub(crate) fn encapsulated(talker: &str, formatter: &str) -> Self {
        Self { text: format!("!{talker}{formatter}"), readings: 0, values: 0 }
    }

    /// A field that is part of a value, or a unit, or a flag: no reading of its own.
    pub(crate) fn part(mut self, field: impl Display) -> Self {
        // Writing into a String cannot fail.
        let _ = write!(self.text, ",{field}");
        self
    }

    /// A field that must become one reading.
    pub(crate) fn value(self, field: impl Display) -> Self {
        self.holds(1).again(field)
    }

    /// A value that another field has in another unit already: no reading of its own.
    pub(crate) fn again(mut self, field: impl Display) -> Self {
        let index = 1 + self.text.bytes().filter(|byte| *byte == b',').count();
        self.values |= 1u64.checked_shl(index as u32).unwrap_or(0);
        self.part(field)
    }

    /// Values that the fields hold in another form (an AIS payload).
    pub(crate) fn holds(mut self, readings: u32) -> Self {
        self.readings += readings;
        self
    }

    /// The finished sentence.
    pub(crate) fn end(self) -> Spoken {
        let checksum = self.text.bytes().skip(1).fold(0, |sum, byte| sum ^ byte);
        Spoken {
            sentence: format!("{}*{checksum:02X}\r\n", self.text),
            readings: self.readings,
            maybe: 0,
            values: self.values,
        }
    }
}

/// `hhmmss.ss` of a second of the day and its hundredths.
pub(crate) fn time_of_day(ms_of_day: i64) -> String {
    let (seconds, hundredths) = (ms_of_day / 1_000, ms_of_day % 1_000 / 10);
    format!("{:02}{:02}{:02}.{hundredths:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Latitude as its two fields, `ddmm.mmmmm,N`.
pub(crate) fn latitude(degrees: f64) -> String {
    let hemisphere = if degrees < 0.0 { 'S' } else { 'N' };
    format!("{},{hemisphere}", degrees_minutes(degrees, 2))
}

/// Longitude as its two fields, `dddmm.mmmmm,E`.
pub(crate) fn longitude(degrees: f64) -> String {
    let hemisphere = if degrees < 0.0 { 'W' } else { 'E' };
    format!("{},{hemisphere}", degrees_minutes(degrees, 3))
}

/// Hundred-thousandths of a minute in a degree: the rounding happens once, so that minutes never print as 60.00000.
const MINUTE_PARTS_PER_DEGREE: f64 = 6_000_000.0;

fn degrees_minutes(degrees: f64, digits: usize) -> String {
    let parts = (degrees.abs() * MINUTE_PARTS_PER_DEGREE).round() as u64;
    let (whole, rest) = (parts / 6_000_000, parts % 6_000_000);
    format!("{whole:0digits$}{:02}.{:05}", rest / 100_000, rest % 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standards_own_example() {
        // The GLL example that receivers' manuals share.
        let spoken = Sentence::new("GP", "GLL").part("4916.45,N").part("12311.12,W").part("225444").part("A").end();
        assert_eq!(spoken.sentence, "$GPGLL,4916.45,N,12311.12,W,225444,A*31\r\n");
    }

    #[test]
    fn values_are_counted_and_parts_are_not() {
        let spoken = Sentence::new("SD", "DPT").value(4.2).part("").value(0.5).end();
        assert_eq!((spoken.readings, spoken.values), (2, 0b1010));
    }

    #[test]
    fn minutes_never_round_to_sixty() {
        assert_eq!(latitude(51.999_999_999_9), "5200.00000,N");
        assert_eq!(longitude(-4.5), "00430.00000,W");
        assert_eq!(time_of_day(86_399_999), "235959.99");
    }
}
