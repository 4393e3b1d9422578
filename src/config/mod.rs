//! Configuration: typed, default < file < environment < flag, every error at once with file, line, key and value.

pub mod address;
pub mod gateway;
pub mod shore;

pub use address::{Address, AddressError};
pub use gateway::{BrokerConfig, BusConfig, GatewayConfig, Protocol};
pub use shore::{ConflictPolicy, ShoreConfig, ShoreVesselConfig};
