//! Hawser: the firmware of a vessel's edge gateway.

pub mod api;
pub mod bus;
pub mod clock;
pub mod config;
pub mod decode;
pub mod demo;
pub mod entropy;
pub mod gateway;
pub mod reading;
pub mod record;
pub mod replay;
pub mod sensors;
pub mod shore;
pub mod sim;
pub mod store;
pub mod sync;
pub mod uplink;
pub mod wire;
