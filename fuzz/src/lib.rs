//! What the fuzz targets share: the decoders themselves, compiled here with coverage counters, and the harness around
//! them.
//!
//! A target is one small file under `targets/`: bytes in, a decoder fed with them in cuts and at times that the bytes
//! choose, and what must hold whatever they are: it returns (invariant 1 of `src/lib.rs`), holds a bounded amount
//! (invariant 6), makes no more readings than its input can carry, and says the same wherever the input was cut.
//!
//! The modules below are the gateway's own files. They stand to the left of its tokio, HTTP and SQLite
//! (`tests/tidy/layers.rs` holds them there), so two fifths of its dependencies serve, and nothing is compiled with
//! counters that no target calls.

// What the gateway uses of its own modules and the targets do not.
#![allow(dead_code)]

#[path = "../../src/clock.rs"]
pub mod clock;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/decode/mod.rs"]
pub mod decode;
#[path = "../../src/entropy.rs"]
pub mod entropy;
#[path = "../../src/reading.rs"]
pub mod reading;
#[path = "../../src/record.rs"]
pub mod record;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

pub mod frames;
pub mod script;
pub mod sink;

pub use script::Script;
pub use sink::Seen;
