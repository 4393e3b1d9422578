//! What a bus of the configuration comes to: which decoder behind which transport. Made once, before any bus starts, so
//! that what can never work is told at the start.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::address::Address;
use crate::config::{BusConfig, GatewayConfig, Protocol};
use crate::wire::can::FrameDecoder;
use crate::wire::{StreamDecoder, nmea0183};

use super::context::BusContext;
use super::intake::Intake;
use super::modbus::{self, ModbusOptions};
use super::{SensorsError, serial, socketcan, tcp, udp};

/// Bits a second of a serial port that carries CAN frames, where none is configured: what the gateways of Actisense and
/// Yacht Devices are delivered with.
const CAN_GATEWAY_BAUD: u32 = 115_200;

/// A bus that can be started, and started again.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    transport: Transport,
    decoding: Decoding,
}

#[derive(Clone, Debug)]
enum Transport {
    Tcp { host: String, port: u16 },
    Udp { address: SocketAddr, interfaces: Vec<String> },
    Serial { path: PathBuf, baud: u32 },
    Can { interface: String },
    Modbus(ModbusOptions),
}

/// What makes the decoder of a connection.
#[derive(Clone, Debug)]
enum Decoding {
    Nmea0183,
}

impl Decoding {
    /// A decoder for bytes.
    fn of_bytes(&self) -> Box<dyn StreamDecoder> {
        match self {
            Self::Nmea0183 => Box::new(nmea0183::Stream::default()),
        }
    }

    /// A decoder for frames.
    fn of_frames(&self) -> Box<dyn FrameDecoder> {
        match self {
            Self::Nmea0183 => todo!(),
        }
    }
}

impl Plan {
    /// The plan of one bus of `config`.
    pub(crate) fn new(bus: &BusConfig, config: &GatewayConfig) -> Result<Self, SensorsError> {
        let address = bus.address.parse::<Address>();
        let address = address.map_err(|source| SensorsError::Address { bus: bus.name.clone(), source })?;
        let transport = match bus.protocol {
            Protocol::Modbus => Transport::Modbus(ModbusOptions::new(bus, address, &config.device)?),
            _ => transport(address, bus),
        };
        Ok(Self { transport, decoding: Decoding::Nmea0183 })
    }

    /// Runs the bus until shutdown.
    pub(crate) async fn run(self, context: BusContext) {
        let Self { transport, decoding } = self;
        let bytes = || Intake::new(context.stats.clone(), context.registry.clone(), decoding.of_bytes());
        match transport {
            Transport::Tcp { host, port } => {
                let intake = bytes();
                tcp::run(context, host, port, intake).await;
            }
            Transport::Udp { address, interfaces } => {
                let intake = bytes();
                udp::run(context, address, interfaces, intake).await;
            }
            Transport::Serial { path, baud } => {
                let intake = bytes();
                serial::run(context, path, baud, || decoding.of_bytes(), intake).await;
            }
            Transport::Modbus(options) => modbus::run(context, options).await,
            Transport::Can { interface } => {
                let intake = Intake::new(context.stats.clone(), context.registry.clone(), decoding.of_frames());
                socketcan::run(context, interface, intake).await;
            }
        }
    }
}

fn transport(address: Address, bus: &BusConfig) -> Transport {
    match address {
        Address::Tcp { host, port } => Transport::Tcp { host, port },
        Address::Udp(address) => Transport::Udp { address, interfaces: bus.interfaces.clone() },
        Address::Serial(path) => {
            let baud = if bus.baud == 0 && bus.protocol.is_can() { CAN_GATEWAY_BAUD } else { bus.baud };
            Transport::Serial { path, baud }
        }
        Address::Can(interface) => Transport::Can { interface },
    }
}
