//! NMEA 0183 (IEC 61162-1): sentences to readings.
//!
//! `LineSplitter` cuts the byte stream of a bus into lines, `Decoder` makes readings of them. Both are plain structs: no
//! clock, no I/O, memory bounded whatever comes.

mod decoder;
mod emit;
mod number;
mod reject;
mod rules;
mod sentence;
mod split;
mod table;
mod time;
mod word;

pub use decoder::{Decoder, DecoderCounts, UNSUPPORTED_FORMATTERS_MAX};
pub use emit::Decoded;
pub use reject::Rejected;
pub use sentence::{ChecksumRule, FIELDS_MAX, Sentence, checksum};
pub use split::{LINE_BYTES_MAX, LineSplitter};
pub use table::{Absent, FieldSpec, SentenceSpec, TABLE};
pub use word::{Formatter, Talker, Word};

/// The SI unit of a path: `m`, `rad`, `m/s`, `K`, `Hz`, `deg` for positions; empty when it has none.
pub fn unit(path: &str) -> &'static str {
    match path {
        "navigation.position" => "deg",
        "navigation.speedOverGround" => "m/s",
        "navigation.courseOverGroundTrue" | "navigation.magneticVariation" => "rad",
        "environment.depth.belowTransducer" => "m",
        _ => "",
    }
}
