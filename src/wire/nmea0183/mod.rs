//! NMEA 0183 (IEC 61162-1): sentences to readings.
//!
//! `LineSplitter` cuts the byte stream of a bus into lines, `Decoder` makes readings of them. Both are plain structs: no
//! clock, no I/O, memory bounded whatever comes.

mod ais;
mod decoder;
mod emit;
mod number;
mod reject;
mod rows;
mod rules;
mod sentence;
mod special;
mod split;
mod table;
mod time;
mod unit;
mod word;
mod xdr;

pub use decoder::{Decoder, DecoderCounts, UNSUPPORTED_FORMATTERS_MAX};
pub use emit::Decoded;
pub use reject::Rejected;
pub use rows::TABLE;
pub use sentence::{ChecksumRule, FIELDS_MAX, Sentence, checksum};
pub use split::{LINE_BYTES_MAX, LineSplitter};
pub use table::{Absent, FieldSpec, SentenceSpec};
pub use unit::unit;
pub use word::{Formatter, Talker, Word};
