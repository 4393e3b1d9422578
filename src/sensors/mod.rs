//! The sensor buses: I/O, reconnection, hand-over. Never sees the store (invariant 2).
//!
//! Each `[[bus]]` has a task of its own under a supervisor. All that a bus holds is bounded: one read buffer, one line,
//! the series that the registry admits, a lane. When one bus dies, floods, or sends garbage, the others notice nothing.
//! Nothing is ever written to a bus (invariant 11).

mod backoff;
mod intake;
mod metrics;
pub mod modbus;
mod rejects;
mod stats;
mod supervisor;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, Lane};
use crate::clock::Clock;
use crate::config::address::{Address, AddressError};
use crate::config::{BusConfig, Protocol};
use crate::entropy::Entropy;
use crate::reading::SeriesRegistry;
use crate::wire::StreamDecoder;

use backoff::Backoff;
use intake::Intake;

pub use metrics::SensorMetrics;
pub use stats::{BusSnapshot, BusState, BusStats, REASON_BUS_FULL, REASON_SERIES_LIMIT};

/// How long a connection may take to open: a satellite hop and a sleepy serial server, several times over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a TCP bus may be silent before it is closed and opened again. Instruments speak every second, an AIS
/// receiver out at sea may be quiet for minutes; opening it again costs one handshake and loses nothing.
const READ_IDLE_MAX: Duration = Duration::from_secs(60);

/// The first wait after a failure.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest wait: a bus that returns is heard again within a minute.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How long a connection must last for the waits to begin short again.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// The times that a bus keeps. The defaults are for ships; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long a TCP bus may be silent.
    pub read_idle_max: Duration,
    /// The first wait after a failure, at most (full jitter).
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// How long a connection must last for the waits to begin short again.
    pub stable_after: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            read_idle_max: READ_IDLE_MAX,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
            stable_after: STABLE_AFTER,
        }
    }
}

/// What went wrong with a bus. All but an address heal by themselves or by a hand on the cable.
#[derive(Debug, thiserror::Error)]
pub enum SensorsError {
    /// The address of a bus is none.
    #[error("bus `{bus}`: {source}")]
    Address {
        /// The bus.
        bus: String,
        /// Why.
        source: AddressError,
    },
    /// No connection came about.
    #[error("cannot connect to {target}: {source}; is it switched on, and is the port right?")]
    Unreachable {
        /// Host and port.
        target: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody answered in time.
    #[error("{target} did not answer within {seconds} s; is it on this network?")]
    ConnectTimeout {
        /// Host and port.
        target: String,
        /// The limit.
        seconds: u64,
    },
    /// The port cannot be taken.
    #[error("cannot listen on {address}: {source}; is another program using the port, or is the address not ours?")]
    CannotListen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The far end closed in order.
    #[error("the server closed the connection")]
    ClosedByServer,
    /// The line broke.
    #[error("the connection broke: {source}")]
    Broken {
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing came for too long.
    #[error("nothing came for {seconds} s; the connection is taken as dead")]
    Silent {
        /// The limit.
        seconds: u64,
    },
}

impl SensorsError {
    /// Whether trying again may help: always, but for an address that must be written anew.
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Address { .. })
    }
}

/// What all buses share.
#[derive(Clone, Debug)]
pub struct SensorsContext {
    /// The time.
    pub clock: Clock,
    /// For the jitter of the waits.
    pub entropy: Entropy,
    /// All live series.
    pub registry: SeriesRegistry,
    /// Where readings go.
    pub bus: Bus,
    /// Ends all buses.
    pub shutdown: CancellationToken,
    /// The times that buses keep.
    pub tuning: Tuning,
}

/// The running buses.
#[derive(Debug)]
pub struct Sensors {
    stats: Vec<Arc<BusStats>>,
    tasks: Vec<JoinHandle<()>>,
    clock: Clock,
}

impl Sensors {
    /// Starts a task for each enabled bus. Fails, having started none, when an address is none.
    pub fn spawn(configs: &[BusConfig], context: &SensorsContext) -> Result<Self, SensorsError> {
        let parse = |config: &BusConfig| {
            let address = config.address.parse::<Address>();
            address.map_err(|source| SensorsError::Address { bus: config.name.clone(), source })
        };
        let addresses = configs.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let mut sensors = Self { stats: Vec::new(), tasks: Vec::new(), clock: context.clock.clone() };
        for (config, address) in configs.iter().zip(addresses) {
            let state = if config.enabled { BusState::Connecting } else { BusState::Disabled };
            let stats = Arc::new(BusStats::new(&config.name, config.protocol, &config.address, state));
            sensors.stats.push(Arc::clone(&stats));
            if config.enabled {
                sensors.tasks.push(tokio::spawn(keep_alive(config.protocol, address, BusContext::new(context, stats))));
            }
        }
        Ok(sensors)
    }

    /// The counters of every bus, the disabled too, in the order of the configuration.
    pub fn stats(&self) -> &[Arc<BusStats>] {
        &self.stats
    }

    /// The metrics of every bus.
    pub fn metrics(&self) -> SensorMetrics {
        SensorMetrics::new(self.stats.clone(), self.clock.clone())
    }

    /// Waits until every bus has ended, after `shutdown` was cancelled: what was decoded is in the lanes then.
    pub async fn stopped(self) {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "the supervisor of a bus broke");
            }
        }
    }
}

/// What one bus works with.
#[derive(Clone, Debug)]
pub(crate) struct BusContext {
    stats: Arc<BusStats>,
    clock: Clock,
    entropy: Entropy,
    registry: SeriesRegistry,
    lane: Lane,
    shutdown: CancellationToken,
    tuning: Tuning,
}

impl BusContext {
    fn new(shared: &SensorsContext, stats: Arc<BusStats>) -> Self {
        Self {
            stats,
            clock: shared.clock.clone(),
            entropy: shared.entropy.clone(),
            registry: shared.registry.clone(),
            lane: shared.bus.lane(),
            shutdown: shared.shutdown.clone(),
            tuning: shared.tuning,
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.entropy.clone(), self.tuning.backoff_min, self.tuning.backoff_max)
    }

    fn opened(&self, listening_on: Option<SocketAddr>) {
        tracing::info!(bus = self.stats.name(), "the bus is open");
        self.stats.opened(listening_on.map(|address| address.to_string()));
    }

    /// Notes why the bus is not open and waits; `false` when the gateway stops meanwhile. One warning an outage:
    /// attempts that fail after the first are told at debug level.
    async fn wait_after(&self, lost: &SensorsError, wait: Duration) -> bool {
        let (bus, wait_ms) = (self.stats.name(), wait.as_millis() as u64);
        if self.stats.state() == BusState::Open || self.stats.never_failed() {
            tracing::warn!(bus, wait_ms, "the bus is away: {lost}");
        } else {
            tracing::debug!(bus, wait_ms, "the bus is still away: {lost}");
        }
        self.stats.failed(lost);
        self.stats.set_state(BusState::Connecting);
        tokio::select! {
            () = self.shutdown.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    fn count(&self, kept: u64, refused: u64, reason: &'static str) {
        if kept > 0 {
            self.stats.handed_over(kept, self.clock.now());
        }
        if refused > 0 {
            self.stats.rejected(reason, refused);
        }
    }
}

async fn keep_alive(protocol: Protocol, address: Address, context: BusContext) {
    let Protocol::Nmea0183 = protocol;
    let (stats, clock, tuning) = (context.stats.clone(), context.clock.clone(), context.tuning);
    let (backoff, shutdown) = (context.backoff(), context.shutdown.clone());
    let start = move || run(address.clone(), context.clone());
    supervisor::supervise(stats, clock, tuning, backoff, shutdown, start).await;
}

async fn run(address: Address, context: BusContext) {
    let decoder: Box<dyn StreamDecoder> = Box::new(crate::wire::nmea0183::Stream::default());
    let intake = Intake::new(context.stats.clone(), context.registry.clone(), decoder);
    match address {
        Address::Tcp { host, port } => tcp::run(context, host, port, intake).await,
        Address::Udp(address) => udp::run(context, address, intake).await,
    }
}
