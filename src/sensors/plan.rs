//! What a bus of the configuration comes to: which decoder behind which transport. Made once, before any bus starts, so
//! that what can never work is told at the start.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::address::Address;
use crate::config::{BusConfig, Format, GatewayConfig, Parity, Protocol};
use crate::wire::can::{self, CanStream, FrameDecoder};
use crate::wire::{StreamDecoder, dbc, iec61162_450, j1939, nmea0183, nmea2000};

use super::context::BusContext;
use super::intake::Intake;
use super::modbus::{self, ModbusOptions};
use super::{SensorsError, serial, socketcan, tcp, udp};

/// Bits a second of a serial port that carries CAN frames, where none is configured: what the gateways of Actisense and
/// Yacht Devices are delivered with.
const CAN_GATEWAY_BAUD: u32 = 115_200;

/// The largest DBC file that is read: the largest of cars have 2 MB.
const DBC_FILE_BYTES_MAX: u64 = 8 << 20;

/// A bus that can be started, and started again.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Whoever is there talks; we listen.
    Listen(Transport, Decoding),
    /// Nobody talks unasked.
    Poll(ModbusOptions),
}

/// Where the bytes or frames come from.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    Tcp { host: String, port: u16 },
    Udp { address: SocketAddr, interfaces: Vec<String> },
    Serial { path: PathBuf, baud: u32, parity: Parity },
    Can { interface: String },
}

/// What makes the decoder of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Decoding {
    Nmea0183,
    Iec61162_450,
    Can(CanProtocol, can::Format),
}

/// What the frames of a CAN bus mean.
#[derive(Clone, Debug)]
pub(crate) enum CanProtocol {
    Nmea2000,
    J1939,
    Dbc(Arc<dbc::Map>),
}

impl CanProtocol {
    fn decoder(&self, context: &BusContext) -> Box<dyn FrameDecoder> {
        let mut decoder: Box<dyn FrameDecoder> = match self {
            Self::Nmea2000 => Box::new(nmea2000::Decoder::new()),
            Self::J1939 => Box::new(j1939::Decoder::new()),
            Self::Dbc(map) => return Box::new(dbc::Decoder::new(Arc::clone(map))),
        };
        context.recall(&mut *decoder);
        decoder
    }
}

impl Decoding {
    fn new(bus: &BusConfig) -> Result<Self, SensorsError> {
        let protocol = match bus.protocol {
            Protocol::Iec61162_450 => return Ok(Self::Iec61162_450),
            Protocol::Nmea2000 => CanProtocol::Nmea2000,
            Protocol::J1939 => CanProtocol::J1939,
            Protocol::Can => CanProtocol::Dbc(Arc::new(read_dbc(&bus.name, &bus.dbc)?)),
            Protocol::Nmea0183 | Protocol::Modbus => return Ok(Self::Nmea0183),
        };
        Ok(Self::Can(protocol, carrier(bus.format)))
    }

    fn decoder(&self, context: &BusContext) -> Box<dyn StreamDecoder> {
        match self {
            Self::Nmea0183 => Box::new(nmea0183::Stream::default()),
            Self::Iec61162_450 => Box::new(iec61162_450::Stream::default()),
            Self::Can(protocol, format) => Box::new(CanStream::new(*format, protocol.decoder(context))),
        }
    }
}

/// What a gateway writes frames in.
const fn carrier(format: Format) -> can::Format {
    match format {
        Format::Actisense => can::Format::ActisenseBinary,
        Format::Ydwg => can::Format::YachtDevices,
        // Bare frames have none; the rules of the configuration let nothing else through.
        Format::Candump | Format::Default | Format::Tcp | Format::Rtu => can::Format::Candump,
    }
}

fn read_dbc(bus: &str, path: &Path) -> Result<dbc::Map, SensorsError> {
    let refused = |problem| SensorsError::File { bus: bus.to_owned(), path: path.to_owned(), problem };
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(DBC_FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| refused(error.to_string()))?;
    if bytes.len() as u64 > DBC_FILE_BYTES_MAX {
        return Err(refused(format!("more than {DBC_FILE_BYTES_MAX} bytes")));
    }
    dbc::Map::parse(&dbc::text_of(&bytes)).map_err(|error| refused(error.to_string()))
}

impl Plan {
    /// The plan of one bus of `config`.
    pub(crate) fn new(bus: &BusConfig, config: &GatewayConfig) -> Result<Self, SensorsError> {
        let address = bus.address.parse::<Address>();
        let address = address.map_err(|source| SensorsError::Address { bus: bus.name.clone(), source })?;
        Ok(match bus.protocol {
            Protocol::Modbus => Self::Poll(ModbusOptions::new(bus, address, &config.device)?),
            _ => Self::Listen(transport(address, bus), Decoding::new(bus)?),
        })
    }

    /// Whether there is nobody to ask: such a connection would say nothing for ever.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Poll(options) if options.units.is_empty())
    }

    /// Runs the bus until shutdown.
    pub(crate) async fn run(self, context: BusContext) {
        match self {
            Self::Listen(transport, decoding) => listen(context, transport, decoding).await,
            Self::Poll(options) => modbus::run(context, options).await,
        }
    }
}

async fn listen(context: BusContext, transport: Transport, decoding: Decoding) {
    let intake = |decoder| Intake::new(context.stats.clone(), context.registry.clone(), decoder);
    match (transport, decoding) {
        (Transport::Can { interface }, Decoding::Can(protocol, _)) => {
            let decoder = protocol.decoder(&context);
            let intake = Intake::new(context.stats.clone(), context.registry.clone(), decoder);
            socketcan::run(context, interface, intake).await;
        }
        (Transport::Can { .. }, _) => {
            tracing::error!(bus = context.stats.name(), "nothing but frames comes from can://")
        }
        (Transport::Tcp { host, port }, decoding) => {
            let intake = intake(decoding.decoder(&context));
            tcp::run(context, host, port, intake).await;
        }
        (Transport::Udp { address, interfaces }, decoding) => {
            let intake = intake(decoding.decoder(&context));
            udp::run(context, address, interfaces, intake).await;
        }
        (Transport::Serial { path, baud, parity }, decoding) => {
            let intake = intake(decoding.decoder(&context));
            let searching = context.clone();
            serial::run(context, (path, baud, parity), move || decoding.decoder(&searching), intake).await;
        }
    }
}

fn transport(address: Address, bus: &BusConfig) -> Transport {
    match address {
        Address::Tcp { host, port } => Transport::Tcp { host, port },
        Address::Udp(address) => Transport::Udp { address, interfaces: bus.interfaces.clone() },
        Address::Serial(path) => {
            let baud = if bus.baud == 0 && bus.protocol.is_can() { CAN_GATEWAY_BAUD } else { bus.baud };
            Transport::Serial { path, baud, parity: bus.parity }
        }
        Address::Can(interface) => Transport::Can { interface },
    }
}
