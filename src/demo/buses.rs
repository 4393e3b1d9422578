//! The buses of a demo: one vessel, heard on every kind of bus that needs no hardware.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use super::{DemoError, data_error};
use crate::clock::Clock;
use crate::config::{BusConfig, DeviceConfig, Format, GatewayConfig, Protocol};
use crate::gateway::RunningGateway;
use crate::sensors::{BusSnapshot, BusState};
use crate::sim::{self, Channel, ChannelError, MODBUS_UNITS, SimHandle, SimOptions};

/// A transmission group of IEC 61162-450 (table 3: MISC), heard on loopback alone.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 0, 1);

/// What describes the frames of the battery monitor, and its name in the demo's directory.
const DBC: &str = include_str!("../../configs/dbc/battery-monitor.dbc");
const DBC_FILE: &str = "battery-monitor.dbc";

/// How long the gateway gets to open its buses before the vessel speaks all the same.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Milliseconds between polls of a Modbus unit.
const POLL_INTERVAL_MS: u64 = 1_000;

/// Where the gateway finds the vessel.
pub(super) struct Buses {
    bus: Vec<BusConfig>,
    device: Vec<DeviceConfig>,
}

/// Starts the vessel on all buses, silent until [`SimHandle::begin`].
pub(super) async fn serve(seed: u64, dir: &Path, clock: &Clock) -> Result<(SimHandle, Buses), DemoError> {
    // A serial port is named by its whole path.
    let whole = std::path::absolute(dir).map_err(data_error(dir))?;
    let (port, dbc) = (whole.join("serial-port"), whole.join(DBC_FILE));
    std::fs::write(&dbc, DBC).map_err(data_error(&dbc))?;
    let group = format!("{GROUP}:{}", free_udp_port().map_err(data_error(dir))?);
    let outputs = [
        "nmea0183=tcp://127.0.0.1:0".to_owned(),
        "nmea2000+ydwg=tcp://127.0.0.1:0".to_owned(),
        "modbus=tcp://127.0.0.1:0".to_owned(),
        "can+candump=tcp://127.0.0.1:0".to_owned(),
        format!("iec61162-450=udp://{group}@127.0.0.1"),
        format!("j1939+actisense=pty:{}", port.display()),
    ];
    let channels = outputs.iter().map(|text| text.parse::<Channel>()).collect::<Result<Vec<_>, ChannelError>>();
    let channels = channels.map_err(sim::SimError::from)?;
    let first = channels[0].clone();
    let options = SimOptions { outputs: channels, held: true, ..SimOptions::vessel(seed, first) };
    let sim = sim::serve(options, clock.clone()).await?;
    let [bridge, backbone, power, battery] = [0, 1, 2, 3].map(|place| format!("tcp://{}", sim.addresses()[place]));
    let with = |format, bus: BusConfig| BusConfig { format, ..bus };
    let interfaces = vec![Ipv4Addr::LOCALHOST.to_string()];
    let bus = vec![
        BusConfig::new("bridge", Protocol::Nmea0183, &bridge),
        with(Format::Ydwg, BusConfig::new("backbone", Protocol::Nmea2000, &backbone)),
        with(Format::Actisense, BusConfig::new("engine", Protocol::J1939, &format!("serial://{}", port.display()))),
        BusConfig { interfaces, ..BusConfig::new("network", Protocol::Iec61162_450, &format!("udp://{group}")) },
        BusConfig::new("power", Protocol::Modbus, &power),
        with(Format::Candump, BusConfig { dbc, ..BusConfig::new("battery", Protocol::Can, &battery) }),
    ];
    let device = |(unit, map, instance): (u8, &str, &str)| DeviceConfig {
        bus: "power".to_owned(),
        unit,
        map: map.to_owned(),
        instance: instance.to_owned(),
        poll_interval_ms: POLL_INTERVAL_MS,
        enabled: true,
    };
    Ok((sim, Buses { bus, device: MODBUS_UNITS.map(device).into() }))
}

impl Buses {
    /// Adds them to what the gateway is told.
    pub(super) fn into_config(self, config: &mut GatewayConfig) {
        config.bus = self.bus;
        config.device = self.device;
    }
}

/// Waits until all buses are open, so that the first word is heard too; bounded.
pub(super) async fn wait_until_open(gateway: &RunningGateway) {
    let open = async {
        while gateway.buses().iter().any(|bus| bus.state != BusState::Open) {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(OPEN_WAIT_MAX, open).await.is_err() {
        tracing::warn!("not all buses are open; the vessel speaks all the same");
    }
}

/// Readings that nobody told unasked: answers of Modbus units, and those that say that a series fell silent.
pub(super) fn made_on_board(bus: &BusSnapshot) -> u64 {
    if bus.protocol == Protocol::Modbus { bus.readings } else { bus.stale_readings }
}

fn free_udp_port() -> std::io::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
