//! The table: a row for each PGN that makes readings. See the module above for how to add one.

mod ais;
mod electrical;
mod engine;
mod environment;
mod navigation;

use super::table::PgnSpec;

/// All rows.
pub fn table() -> impl Iterator<Item = &'static PgnSpec> {
    [navigation::ROWS, engine::ROWS, electrical::ROWS, environment::ROWS, ais::ROWS].into_iter().flatten()
}

/// How devices find each other and talk about themselves: understood, and no readings.
pub const NETWORK: [u32; 13] = [
    59_392,  // ISO acknowledgement
    59_904,  // ISO request
    60_160,  // ISO transport protocol, data transfer
    60_416,  // ISO transport protocol, connection management
    60_928,  // ISO address claim
    65_240,  // ISO commanded address
    126_208, // group function: request, command, acknowledge
    126_464, // PGN list
    126_993, // heartbeat
    126_996, // product information
    126_998, // configuration information
    126_988, // alert value: what raised an alert that 126983 tells
    129_027, // position delta: a step from 129025, which devices send beside it
];
