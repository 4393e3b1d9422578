//! A gateway's sensors with one Modbus bus, and what comes out of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use hawser::bus::Bus;
use hawser::clock::Clock;
use hawser::config::gateway::{DeviceConfig, Format};
use hawser::config::{BusConfig, GatewayConfig, Protocol};
use hawser::entropy::Entropy;
use hawser::reading::{Reading, SeriesRegistry, Value};
use hawser::sensors::{BusSnapshot, Sensors, SensorsContext, Tuning};
use hawser::wire::modbus::DeviceMap;
use tokio_util::sync::CancellationToken;

/// Ends a test that hangs; no assertion depends on it.
const HANG: Duration = Duration::from_secs(120);

/// Between two polls: as fast as the line can.
pub const INTERVAL_MS: u64 = 20;

/// One bus under test.
pub struct Rig {
    context: SensorsContext,
    sensors: Sensors,
    taken: Mutex<Vec<Reading>>,
}

impl Rig {
    /// Starts a bus at `address` with these devices: unit id and map.
    pub fn new(address: &str, format: Format, devices: &[(u8, &str)], answer_timeout: Duration) -> Self {
        let context = SensorsContext {
            clock: Clock::system(),
            entropy: Entropy::seeded(1),
            registry: SeriesRegistry::default(),
            bus: Bus::default(),
            shutdown: CancellationToken::new(),
            data_dir: None,
            tuning: Tuning {
                backoff_min: Duration::from_millis(5),
                backoff_max: Duration::from_millis(20),
                backoff_max_nearby: Duration::from_millis(20),
                answer_timeout,
                ..Tuning::default()
            },
        };
        let bus = BusConfig { format, ..BusConfig::new("power", Protocol::Modbus, address) };
        let device = |(unit, map): &(u8, &str)| DeviceConfig {
            bus: "power".into(),
            unit: *unit,
            map: (*map).into(),
            instance: format!("u{unit}"),
            poll_interval_ms: INTERVAL_MS,
            enabled: true,
        };
        let device = devices.iter().map(device).collect();
        let config = GatewayConfig { bus: vec![bus], device, ..GatewayConfig::default() };
        let sensors = Sensors::spawn(&config, &context).expect("the configuration is sound");
        Self { context, sensors, taken: Mutex::default() }
    }

    /// The bus's counters.
    pub fn bus(&self) -> BusSnapshot {
        self.sensors.stats()[0].snapshot(self.context.clock.now())
    }

    /// How often something was dropped for `reason`.
    pub fn rejected(&self, reason: &str) -> u64 {
        self.bus().rejected.get(reason).copied().unwrap_or(0)
    }

    /// All readings so far.
    pub fn readings(&self) -> Vec<Reading> {
        let mut taken = self.taken.lock().expect("no panic inside");
        self.context.bus.drain_into(&mut taken, usize::MAX);
        taken.clone()
    }

    /// The last value of each series, by source and path.
    pub fn last(&self) -> BTreeMap<(String, String), Value> {
        let key = |reading: &Reading| (reading.series.key.source.to_string(), reading.series.key.path.to_string());
        self.readings().iter().map(|reading| (key(reading), reading.value.clone())).collect()
    }

    /// Waits until `condition` holds.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(HANG, waiting).await.is_err() {
            panic!("never: {what}; {:#?}", self.bus());
        }
    }

    /// Stops the bus in order and gives all that it read.
    pub async fn stop(self) -> Vec<Reading> {
        self.context.shutdown.cancel();
        self.sensors.stopped().await;
        let mut all = self.taken.into_inner().expect("no panic inside");
        self.context.bus.drain_into(&mut all, usize::MAX);
        all
    }
}

/// A map as a file, whose values say their own address: `test.<instance>.r40` is 1040. Kept while the value lives.
pub struct MapFile {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl MapFile {
    /// A map of these holding registers, each `address type`.
    pub fn of(registers: &[(u16, &str)]) -> Self {
        let value = |(address, kind): &(u16, &str)| {
            format!(
                "[[value]]\ntable = \"holding\"\naddress = {address}\ntype = \"{kind}\"\n\
                 path = \"test.{{instance}}.r{address}\"\n"
            )
        };
        Self::with(&registers.iter().map(value).collect::<String>())
    }

    /// A map of these values, as they stand in a file. Inline tables under `value` come before any other table.
    pub fn with(values: &str) -> Self {
        Self::with_head("", values)
    }

    /// The same with something before the tables.
    pub fn with_head(before: &str, values: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("map.toml");
        let head = "[device]\nmanufacturer = \"Test\"\nmodel = \"Device\"\nfunction = \"test\"\n\
                    [document]\ntitle = \"none\"\nedition = \"1\"\npage = \"1\"\n";
        std::fs::write(&path, format!("{before}{head}{values}")).expect("written");
        Self { _dir: dir, path }
    }

    /// Its path, as a configuration names it.
    pub fn name(&self) -> &str {
        self.path.to_str().expect("plain")
    }

    /// What it says.
    pub fn map(&self) -> DeviceMap {
        DeviceMap::parse("map", &std::fs::read_to_string(Path::new(&self.path)).expect("there")).expect("sound")
    }
}

/// What the register of a path holds, by [`MapFile::of`].
pub fn of_address(path: &str) -> Value {
    let address = path.rsplit_once(".r").and_then(|(_, address)| address.parse::<i64>().ok());
    Value::Integer(1_000 + address.expect("the path ends in its address"))
}

/// Asserts that no reading says anything but its own address.
pub fn assert_none_is_wrong(readings: &[Reading]) {
    for reading in readings {
        assert_eq!(reading.value, of_address(&reading.series.key.path), "{reading:?}");
    }
}
