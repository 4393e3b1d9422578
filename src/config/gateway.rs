//! Every key of `gateway.toml`, with its default. `configs/gateway.toml` shows them all; a test keeps the two together.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shore::ConflictPolicy;
use super::update::UpdateConfig;

/// The configuration of `hawser gateway`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// Who this vessel is.
    pub vessel: VesselConfig,
    /// Where everything is kept.
    pub data: DataConfig,
    /// The pages and the API on board.
    pub http: HttpConfig,
    /// The sensor buses.
    pub bus: Vec<BusConfig>,
    /// The Modbus units on them.
    pub device: Vec<DeviceConfig>,
    /// When a series counts as stale.
    pub quality: QualityConfig,
    /// What is different for some series.
    pub series: Vec<SeriesConfig>,
    /// Which source is believed first.
    pub priority: Vec<PriorityConfig>,
    /// How readings are taken in.
    pub store: StoreConfig,
    /// How long and how much is kept.
    pub retention: RetentionConfig,
    /// MQTT brokers, on board or ashore.
    pub broker: Vec<BrokerConfig>,
    /// The shore.
    pub shore: ShoreLinkConfig,
    /// How conflicts are decided on board.
    pub sync: SyncConfig,
    /// Updates of the box.
    pub update: UpdateConfig,
}

/// Who this vessel is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VesselConfig {
    /// The vessel's name among the fleet: letters, digits, `-`, `_`. Empty: drawn at the first start and kept in the
    /// data directory.
    pub id: String,
    /// The name that people read.
    pub name: String,
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data directory.
    pub dir: PathBuf,
    /// A file of the system's below: where it exists at the start, its first line is an alarm. Empty: none.
    pub alarm_file: PathBuf,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("/var/lib/hawser"), alarm_file: PathBuf::new() }
    }
}

/// The pages and the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port. Loopback by default: nothing listens beyond it unless configured.
    pub listen: SocketAddr,
    /// Names by which people on board reach it, beyond those that nobody on the internet can have.
    pub names: Vec<String>,
}

/// Local port of the pages and the API on board (DESIGN.md, Names).
pub const GATEWAY_PORT: u16 = 8080;

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], GATEWAY_PORT)), names: Vec::new() }
    }
}

/// One sensor bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusConfig {
    /// The bus's name: first part of the source of its readings. Letters, digits, `-`, `_`; unique.
    pub name: String,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Where it is: `tcp://host:port` to connect to, `udp://address:port` to listen on, `serial:///dev/...`,
    /// `can://can0`.
    pub address: String,
    /// What carries the frames or requests, where the address leaves it open.
    #[serde(default)]
    pub format: Format,
    /// Bits a second of a serial port; 0: NMEA 0183 is found by listening, Modbus has 9,600, a gateway of CAN frames
    /// 115,200.
    #[serde(default)]
    pub baud: u32,
    /// Parity of a serial port.
    #[serde(default)]
    pub parity: Parity,
    /// The interfaces that a multicast group is joined on, by name or IPv4 address; empty: the system's choice.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// The DBC file of a `can` bus.
    #[serde(default)]
    pub dbc: PathBuf,
    /// Whether it is opened.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl BusConfig {
    /// A bus with nothing but its name, protocol and address.
    pub fn new(name: &str, protocol: Protocol, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            address: address.to_owned(),
            format: Format::Default,
            baud: 0,
            parity: Parity::None,
            interfaces: Vec::new(),
            dbc: PathBuf::new(),
            enabled: true,
        }
    }
}

const fn yes() -> bool {
    true
}

/// What is spoken on a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// NMEA 0183 sentences (IEC 61162-1).
    Nmea0183,
    /// NMEA 0183 sentences in datagrams (IEC 61162-450).
    #[serde(rename = "iec61162-450")]
    Iec61162_450,
    /// NMEA 2000 (IEC 61162-3).
    Nmea2000,
    /// SAE J1939.
    J1939,
    /// CAN frames of any kind, described by a DBC file.
    Can,
    /// Modbus; its units are in `[[device]]`.
    Modbus,
}

impl Protocol {
    /// As the configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nmea0183 => "nmea0183",
            Self::Iec61162_450 => "iec61162-450",
            Self::Nmea2000 => "nmea2000",
            Self::J1939 => "j1939",
            Self::Can => "can",
            Self::Modbus => "modbus",
        }
    }

    /// Whether it is spoken in CAN frames.
    pub const fn is_can(self) -> bool {
        matches!(self, Self::Nmea2000 | Self::J1939 | Self::Can)
    }
}

/// What carries CAN frames over TCP, UDP or a serial port, or Modbus requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// What the address says: Modbus TCP over `tcp://`, Modbus RTU over `serial://`, bare frames over `can://`.
    #[default]
    Default,
    /// Yacht Devices RAW text.
    Ydwg,
    /// Actisense NGT-1 binary.
    Actisense,
    /// The text of `candump -L`.
    Candump,
    /// Modbus TCP.
    Tcp,
    /// Modbus RTU, also over `tcp://`.
    Rtu,
}

/// Parity of a serial port. NMEA 0183 has none (IEC 61162-1, 5.2); Modbus RTU is even by its standard and often none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// No bit.
    #[default]
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

impl Parity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Even, Self::Odd];

    /// As the configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Even => "even",
            Self::Odd => "odd",
        }
    }
}

/// One Modbus unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The name of its bus.
    pub bus: String,
    /// Its unit id.
    pub unit: u8,
    /// Its register map: the name of one that is built in, or a file.
    pub map: String,
    /// What stands for `{instance}` in the paths of the map.
    #[serde(default = "default_instance")]
    pub instance: String,
    /// Milliseconds between two polls.
    #[serde(default = "default_poll_interval_ms")]
    pub poll_interval_ms: u64,
    /// Whether it is polled.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn default_instance() -> String {
    "0".to_owned()
}

const fn default_poll_interval_ms() -> u64 {
    1_000
}

/// When a series counts as stale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityConfig {
    /// Whether series go stale.
    pub stale: bool,
    /// Intervals of a series that may pass without a reading.
    pub stale_intervals: u32,
    /// Seconds below which no series goes stale.
    pub stale_min_s: u32,
    /// Seconds after which any series does.
    pub stale_max_s: u32,
}

impl Default for QualityConfig {
    /// Five intervals: one lost sentence is noise, five are a dead sensor. Half an hour: AIS static data come every six
    /// minutes.
    fn default() -> Self {
        Self { stale: true, stale_intervals: 5, stale_min_s: 10, stale_max_s: 1_800 }
    }
}

/// What is different for some series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesConfig {
    /// Which paths: one, or all that begin so (`electrical.*`).
    pub path: String,
    /// Which sources; empty: all.
    #[serde(default)]
    pub source: String,
    /// Seconds without a reading after which it is stale; 0: as `[quality]` says.
    #[serde(default)]
    pub stale_after_s: u32,
    /// A reading that differs less from the last one that was kept is not kept. SI units; 0: all are kept.
    #[serde(default)]
    pub dead_band: f64,
    /// Milliseconds between two readings that are kept; 0: all are.
    #[serde(default)]
    pub interval_min_ms: u64,
    /// Seconds after which a reading is kept all the same, however little it differs.
    #[serde(default = "default_keep_alive_s")]
    pub keep_alive_s: u64,
}

/// A minute: a page and a rollup still have a value for each minute.
const fn default_keep_alive_s() -> u64 {
    60
}

/// Which source of a path is believed first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityConfig {
    /// Which paths: one, or all that begin so (`navigation.*`).
    pub path: String,
    /// Sources, the best first: `gps.GP`, or all of a bus (`n2k.*`). Others come last.
    pub sources: Vec<String>,
    /// Seconds without a good reading of the better source before the next one takes over.
    #[serde(default = "default_failover_s")]
    pub failover_s: u32,
}

/// Five readings of a 1 Hz instrument.
const fn default_failover_s() -> u32 {
    5
}

/// How readings are taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Milliseconds between commits.
    pub commit_interval_ms: u64,
    /// Readings after which a commit does not wait for the interval.
    pub commit_readings_max: usize,
    /// Milliseconds between syncs of the telemetry to the disk: what a power cut may cost.
    pub sync_interval_ms: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { commit_interval_ms: 100, commit_readings_max: 1_000, sync_interval_ms: 1_000 }
    }
}

/// How long and how much is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days that raw telemetry is kept (B1, `TELEMETRY_RETENTION_DAYS`).
    pub telemetry_days: u32,
    /// Days that aggregates are kept (B2, `AGGREGATES_RETENTION_DAYS`). No effect yet.
    pub aggregates_days: u32,
    /// Days that data-quality metrics are kept (B3, `DATA_QUALITY_RETENTION_DAYS`). No effect yet.
    pub data_quality_days: u32,
    /// Bytes that raw telemetry may use; the oldest day goes first.
    pub telemetry_bytes_max: u64,
    /// Days that acknowledged changes are kept for the shore's backup window (Z30). No effect yet: all are kept.
    pub acknowledged_changes_days: u32,
    /// Hours between prunes; the first runs at the start (B4).
    pub interval_hours: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            telemetry_days: 90,
            aggregates_days: 365,
            data_quality_days: 180,
            telemetry_bytes_max: 4 << 30,
            acknowledged_changes_days: 35,
            interval_hours: 24,
        }
    }
}

/// One MQTT broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// The broker's name: names its cursor and its metrics. Unique.
    pub name: String,
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub url: String,
    /// User name, when the broker asks for one.
    #[serde(default)]
    pub username: String,
    /// Password; better in `MQTT_PASSWORD` than in a file.
    #[serde(default)]
    pub password: String,
    /// PEM file of the authorities that are believed; empty: the system's.
    #[serde(default)]
    pub ca_cert: PathBuf,
    /// PEM file of our certificate; empty: none.
    #[serde(default)]
    pub client_cert: PathBuf,
    /// PEM file of our key; empty: none.
    #[serde(default)]
    pub client_key: PathBuf,
    /// Whether a certificate that cannot be checked is refused. Turning it off is warned of at each start (Z20).
    #[serde(default = "yes")]
    pub tls_reject_unauthorized: bool,
    /// The second override without which an unchecked certificate is refused for a broker ashore (Z20).
    #[serde(default)]
    pub tls_unchecked_ashore: bool,
    /// First part of the sync topics; on a broker that vessels share it must hold `{vessel_id}` (Z7).
    #[serde(default = "default_sync_prefix")]
    pub sync_prefix: String,
    /// First part of the telemetry topics.
    #[serde(default = "default_telemetry_prefix")]
    pub telemetry_prefix: String,
    /// Whether several vessels use this broker.
    #[serde(default)]
    pub shared: bool,
    /// Whether crew records are retained one by one. Personal data: off.
    #[serde(default)]
    pub retain_crew: bool,
    /// Messages that wait in memory while the broker is away (J3, `MQTT_MAX_QUEUE_SIZE`).
    #[serde(default = "default_queue_messages_max")]
    pub queue_messages_max: usize,
    /// Bytes that wait in memory.
    #[serde(default = "default_queue_bytes_max")]
    pub queue_bytes_max: usize,
    /// Seconds after which a waiting live value is stale and dropped.
    #[serde(default = "default_queue_age_max_s")]
    pub queue_age_max_s: u64,
}

fn default_sync_prefix() -> String {
    "vessel/sync".to_owned()
}

fn default_telemetry_prefix() -> String {
    "vessel/telemetry".to_owned()
}

const fn default_queue_messages_max() -> usize {
    10_000
}

/// 10,000 messages of 500 bytes (J5), rounded up.
const fn default_queue_bytes_max() -> usize {
    8 << 20
}

/// A live value older than this tells nobody anything; history is served from the store.
const fn default_queue_age_max_s() -> u64 {
    300
}

impl BrokerConfig {
    /// A broker with nothing but its name and address.
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            username: String::new(),
            password: String::new(),
            ca_cert: PathBuf::new(),
            client_cert: PathBuf::new(),
            client_key: PathBuf::new(),
            tls_reject_unauthorized: true,
            tls_unchecked_ashore: false,
            sync_prefix: default_sync_prefix(),
            telemetry_prefix: default_telemetry_prefix(),
            shared: false,
            retain_crew: false,
            queue_messages_max: default_queue_messages_max(),
            queue_bytes_max: default_queue_bytes_max(),
            queue_age_max_s: default_queue_age_max_s(),
        }
    }
}

/// The way to the shore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShoreLinkConfig {
    /// `https://host:port` (or `http://` on loopback); empty: no shore (`SHORE_URL`).
    pub url: String,
    /// The vessel's token for the shore (`SHORE_TOKEN`).
    pub token: String,
    /// PEM file of the authorities that are believed; empty: the system's.
    pub ca_cert: PathBuf,
    /// Seconds between cycles when nothing changes (C2).
    pub interval_s: u64,
    /// Whether raw readings go ashore too.
    pub readings: bool,
    /// Bytes of the first batch; it doubles while batches take less than 10 s and halves on failure.
    pub batch_bytes_start: usize,
    /// Bytes of the largest batch.
    pub batch_bytes_max: usize,
}

impl Default for ShoreLinkConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            token: String::new(),
            ca_cert: PathBuf::new(),
            interval_s: 300,
            readings: true,
            batch_bytes_start: 16 << 10,
            batch_bytes_max: 256 << 10,
        }
    }
}

/// How conflicts are decided on board, between tablets. Between vessel and shore the shore's own policy decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncConfig {
    /// The policy of the deployment (F2, `CONFLICT_POLICY`). No effect yet.
    pub conflict_policy: ConflictPolicy,
}
