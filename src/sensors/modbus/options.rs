//! What the configuration says of a Modbus bus, with the maps that it names read: built in, or files of the operator's.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::{BAUD, ModbusOptions, Transport};
use crate::config::address::Address;
use crate::config::gateway::{DeviceConfig, Format};
use crate::config::{BusConfig, ConfigError, Origin};
use crate::sensors::SensorsError;
use crate::wire::modbus::map::{BUILTIN, builtin};
use crate::wire::modbus::{DeviceMap, Framing, MapError, UnitOptions};

/// The largest map file: 512 values of 1 KiB, which is three times what a value takes with comments.
const MAP_FILE_BYTES_MAX: u64 = 512 << 10;

impl ModbusOptions {
    /// The bus with those of `devices` that are on it and enabled. Fails when a map cannot be read.
    pub(crate) fn new(bus: &BusConfig, address: Address, devices: &[DeviceConfig]) -> Result<Self, SensorsError> {
        let transport = match address {
            Address::Tcp { host, port } => Transport::Tcp { host, port },
            Address::Serial(path) => {
                let baud = if bus.baud == 0 { BAUD } else { bus.baud };
                Transport::Serial { path, baud, parity: bus.parity }
            }
            // The configuration's rules refuse these; said again for whoever builds one by hand.
            Address::Udp(_) | Address::Can(_) => {
                let problem = "Modbus goes over tcp:// or serial://".to_owned();
                return Err(SensorsError::File { bus: bus.name.clone(), path: bus.address.clone().into(), problem });
            }
        };
        let is_tcp = matches!(transport, Transport::Tcp { .. }) && bus.format != Format::Rtu;
        let framing = if is_tcp { Framing::Tcp } else { Framing::Rtu };
        let ours = devices.iter().filter(|device| device.bus == bus.name && device.enabled);
        let units = ours.map(|device| unit(bus, device)).collect::<Result<_, _>>()?;
        Ok(Self { transport, framing, units })
    }
}

fn unit(bus: &BusConfig, device: &DeviceConfig) -> Result<UnitOptions, SensorsError> {
    let map = load_map(&device.map).map_err(|errors| SensorsError::File {
        bus: bus.name.clone(),
        path: device.map.clone().into(),
        problem: errors.to_string(),
    })?;
    Ok(UnitOptions { unit: device.unit, map, instance: device.instance.clone(), interval_ms: device.poll_interval_ms })
}

/// The map called `name`: one that is built in, or else the file of that path.
fn load_map(name: &str) -> Result<DeviceMap, MapError> {
    match builtin(name) {
        Some(map) => map,
        None => map_file(Path::new(name)),
    }
}

/// The map in a file of the operator's, as a bus reads it. Errors name file, line, key and what would be accepted.
pub fn map_file(path: &Path) -> Result<DeviceMap, MapError> {
    DeviceMap::parse(&path.display().to_string(), &read(path)?)
}

fn read(path: &Path) -> Result<String, MapError> {
    let file = path.display().to_string();
    let wrong = |problem: String| {
        let known: Vec<_> = BUILTIN.iter().map(|(name, _)| *name).collect();
        let accepted = format!("a file of at most {MAP_FILE_BYTES_MAX} bytes, or one of {}", known.join(", "));
        MapError::from(ConfigError::new(Origin::File { file: file.as_str().into(), line: 0 }, "", problem, accepted))
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|opened| opened.take(MAP_FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(wrong(format!("cannot be read: {error}"))),
        Ok(_) if text.len() as u64 > MAP_FILE_BYTES_MAX => Err(wrong("too large".into())),
        Ok(_) => Ok(text),
    }
}
