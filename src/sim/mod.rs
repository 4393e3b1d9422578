//! The simulated vessel: one seeded ship whose instruments agree, many devices for load, and sockets to speak on.
//!
//! `Vessel` and the devices are pure; only `serve` opens sockets. The simulator knows nothing of the gateway's
//! decoders: it counts the values it puts in, so that its count is a second opinion on what must be found at the far
//! end.

mod ais;
mod client;
mod device;
mod devices;
mod geo;
mod j1939;
mod nmea0183;
mod nmea2000;
mod payload;
mod sentence;
mod serve;
mod telegram;
mod vessel;
mod wander;

pub use devices::{DEVICES_MAX, RATE_MILLIHERTZ_MAX};
pub use geo::Place;
pub use sentence::Spoken;
pub use serve::{Output, SimError, SimHandle, SimOptions, run, serve};
pub use vessel::{Start, Vessel};
