//! Pure decoders: bytes in, values out. No tokio, no SQLite, no clock; given any bytes they return (invariant 1).
//!
//! What they share stands here: [`Decoded`] is a value on its way to a reading, [`Source`] who told it, [`unit()`] the
//! SI unit of a path, [`Sink`] where a decoder puts what it makes, [`StreamDecoder`] and [`can::FrameDecoder`] what a
//! bus hands its bytes and frames to. One folder a wire.

mod ais;
pub mod can;
pub mod dbc;
mod decoded;
pub mod iec61162_450;
pub mod j1939;
pub mod modbus;
pub mod nmea0183;
pub mod nmea2000;
pub mod notification;
pub mod pcap;
mod satellite;
mod source;
mod stream;
mod unit;
mod word;

pub use decoded::{Decoded, Emit};
pub use source::{Source, SourceInfo};
pub use stream::{Sink, StreamDecoder};
pub use unit::unit;
pub use word::{Formatter, Talker, WORD_BYTES_MAX, Word};
