//! NMEA 0183 (IEC 61162-1): sentences to readings.
//!
//! [`LineSplitter`] cuts the byte stream of a bus into lines, [`Decoder`] makes readings of them. Both are plain
//! structs: no clock, no I/O, memory bounded whatever comes. A line that gives nothing gives a reason ([`Rejected`]),
//! never a panic.
//!
//! ```
//! use hawser::wire::nmea0183::{Decoder, LineSplitter};
//!
//! let (mut splitter, mut decoder, mut readings) = (LineSplitter::new(), Decoder::new(), Vec::new());
//! splitter.push(b"$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n", |line| {
//!     let decoded = line.and_then(|line| decoder.decode(line, &mut readings).map(|_| ()));
//!     assert_eq!(decoded, Ok(()));
//! });
//! assert_eq!(readings[0].path, "environment.depth.belowTransducer");
//! ```
//!
//! # How to add a sentence
//!
//! 1. Add a row to `rows.rs`: the formatter, what the standard calls it, its fields in order (name with the unit last,
//!    and what it says), where its time stands, and one `ReadingSpec` for each value. `report` is for what the sentence
//!    is for: a blank becomes a reading that says "not available". `optional` is for what it carries beside that: a
//!    blank says nothing. `.valid(...)` names the status field, `.when(...)` the letter that chooses between forms.
//! 2. Put the row into `TABLE`. A formatter that is not there is counted as `unsupported_sentence`, not rejected.
//! 3. A value that needs two fields, or a path that depends on one, is a function in `special.rs`; try a rule first.
//! 4. Give each new path its unit in `wire/unit.rs`. A test holds paths and units against Signal K's list.
//! 5. Add cases to `tests.rs` with values worked out by hand from the standard: good, blank, void, out of range.

mod ais;
mod alert;
mod decoder;
mod lanes;
mod number;
mod reject;
mod rows;
mod rules;
mod sentence;
mod special;
mod split;
mod stream;
mod table;
mod tag;
mod target;
mod time;
mod xdr;

#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use reject::Rejected;
pub use rows::{PROPRIETARY, TABLE};
pub use sentence::{ChecksumRule, FIELDS_MAX, Sentence, checksum};
pub use split::{LINE_BYTES_MAX, LineSplitter};
pub(in crate::wire) use stream::Lines;
pub use stream::{
    REASON_AIS_FRAGMENT_LOST, REASON_AIS_UNREAD, REASON_TAG_GROUP_GAP, REASON_TAG_LINE_GAP, REASON_TAG_PARAMETER,
    REASON_UNSUPPORTED, Stream,
};
pub use table::{Absent, FieldSpec, SentenceSpec};
pub use tag::{Group, Tag, TagCounts};
pub use xdr::unit_of_quantity as unit_of_transducer;
