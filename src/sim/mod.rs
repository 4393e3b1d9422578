//! The simulated vessel: one seeded ship whose instruments agree, many devices for load, and sockets to speak on.
//!
//! `Vessel` and the devices are pure; only `serve` opens sockets. The simulator knows nothing of the gateway's
//! decoders: it counts the values it puts in, so that its count is a second opinion on what must be found at the far
//! end.

mod ais;
mod batch;
mod channel;
mod client;
mod dbc;
mod device;
mod devices;
mod director;
mod faults;
mod format;
mod geo;
mod iec61162_450;
mod j1939;
pub mod modbus;
mod nmea0183;
mod nmea2000;
mod outputs;
mod packet;
mod payload;
mod ports;
mod sentence;
mod serve;
mod telegram;
mod units;
mod vessel;
mod voice;
mod wander;

pub use batch::Taken;
pub use channel::{Channel, ChannelError, Output};
pub use devices::{DEVICES_MAX, RATE_MILLIHERTZ_MAX};
pub use faults::{Fault, FaultError, FaultKind, Faults};
pub use format::Format;
pub use geo::Place;
pub use packet::{Body, Count, Packet};
pub use sentence::Spoken;
pub use serve::{SimError, SimHandle, SimOptions, run, serve};
pub use units::{MODBUS_UNITS, modbus_devices};
pub use vessel::{Start, Vessel};
pub use voice::{Protocol, Round, Voice};
