//! Configuration: typed, default < file < environment < flag, every error at once with file, line, key and value.

pub mod gateway;
pub mod shore;

pub use gateway::{BrokerConfig, BusConfig, GatewayConfig, Protocol};
pub use shore::{ConflictPolicy, ShoreConfig, ShoreVesselConfig};
