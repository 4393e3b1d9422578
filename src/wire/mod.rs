//! Pure decoders: bytes in, values out. No tokio, no SQLite, no clock; given any bytes they return (invariant 1).

pub mod nmea0183;
