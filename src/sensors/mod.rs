//! The sensor buses: I/O, reconnection, hand-over. Never sees the store (invariant 2).
//!
//! Each `[[bus]]` has a task of its own under a supervisor. All that a bus holds is bounded: one read buffer, one line,
//! the series that the registry admits, a lane. When one bus dies, floods, or sends garbage, the others notice nothing.
//! Nothing is ever written to a bus but Modbus questions that read (invariant 10).

mod address_book;
mod arbiter;
mod backoff;
mod can_port;
mod condition;
mod context;
mod intake;
mod metrics;
mod modbus;
mod pattern;
mod plan;
pub mod probe;
mod rate;
mod rejects;
mod serial;
mod socketcan;
mod stats;
mod stream;
mod supervisor;
mod tcp;
mod udp;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::clock::Clock;
use crate::config::address::AddressError;
use crate::config::{BusConfig, GatewayConfig};
use crate::entropy::Entropy;
use crate::reading::SeriesRegistry;

use arbiter::Arbiter;
use condition::Conditioner;
use context::BusContext;
use plan::Plan;

pub use metrics::SensorMetrics;
pub use modbus::map_file as modbus_map;
pub use stats::{BusSnapshot, BusState, BusStats, REASON_BUS_FULL, REASON_SERIES_LIMIT};

/// How long a connection may take to open: a satellite hop and a sleepy serial server, several times over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a TCP bus may be silent before it is closed and opened again, and a multicast group before it is joined
/// anew. Instruments speak every second, an AIS receiver out at sea may be quiet for minutes; opening it again costs
/// one handshake, and what is said during that moment alone.
const READ_IDLE_MAX: Duration = Duration::from_secs(60);

/// How long a Modbus unit may think before it answers, beside the time on the line: MODBUS over Serial Line V1.02,
/// 2.4.1, has 1 s at 9,600 baud as usual.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The first wait after a failure.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest wait: a bus that returns is heard again within a minute.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The longest wait for a port of this machine: somebody stands beside it with the plug in his hand.
const BACKOFF_MAX_NEARBY: Duration = Duration::from_secs(3);

/// How long a bus rests after a read that left nothing waiting. Instruments that speak 1,000 times a second would else
/// wake the gateway 1,000 times, at some 10 us each in the kernel alone; so it is 50 times. The kernel holds what comes
/// meanwhile: 12 kB at the planned load of 600 kB/s, of 200 kB that a socket holds; of CAN 40 frames, of some 444.
const READ_PACE: Duration = Duration::from_millis(20);

/// How often the devices that were heard are told to those who look at a bus.
const TELL_SOURCES_INTERVAL_MS: u64 = 5_000;

/// How often is looked for series that fell silent; the shortest time-out is ten times as long.
const SILENCE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a connection must last for the waits to begin short again.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// The times that a bus keeps. The defaults are for ships; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long a bus rests after a read that left nothing waiting.
    pub read_pace: Duration,
    /// How long a TCP bus or a multicast group may be silent.
    pub read_idle_max: Duration,
    /// The first wait after a failure, at most (full jitter).
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// The longest wait for a port of this machine.
    pub backoff_max_nearby: Duration,
    /// How long a connection must last for the waits to begin short again.
    pub stable_after: Duration,
    /// How long a Modbus unit may think before it answers.
    pub answer_timeout: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            read_pace: READ_PACE,
            read_idle_max: READ_IDLE_MAX,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
            backoff_max_nearby: BACKOFF_MAX_NEARBY,
            stable_after: STABLE_AFTER,
            answer_timeout: ANSWER_TIMEOUT,
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
    /// A multicast group cannot be joined.
    #[error("cannot join {group} on `{interface}`: {source}; is that the name or IPv4 address of an interface here?")]
    CannotJoin {
        /// The group.
        group: Ipv4Addr,
        /// The interface.
        interface: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A serial port cannot be opened.
    #[error("cannot open {}: {source}; is it plugged in, and may we read it (group dialout)?", .path.display())]
    Port {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A CAN interface cannot be opened.
    #[error("cannot listen on {interface}: {source}; {}", hint(interface, source))]
    Interface {
        /// Which.
        interface: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes come, and no sense.
    #[error("bytes came for {seconds} s and no sound message; is it the right protocol, and the right rate?")]
    Garbage {
        /// The limit.
        seconds: u64,
    },
    /// A file that a bus needs cannot be used.
    #[error("bus `{bus}`: {}: {problem}", .path.display())]
    File {
        /// The bus.
        bus: String,
        /// Which file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The far end closed in order, or the port was pulled out.
    #[error("the far end closed the connection")]
    Ended,
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

/// What to do about an interface that does not open.
fn hint(interface: &str, source: &std::io::Error) -> String {
    if source.kind() == std::io::ErrorKind::NetworkDown {
        format!("bring it up: `ip link set {interface} up type can bitrate 250000`")
    } else {
        "is its adapter plugged in (`ip link`)?".to_owned()
    }
}

impl SensorsError {
    /// Whether trying again may help: always, but for what must be written anew.
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Address { .. } | Self::File { .. })
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
    /// Where it is kept which devices were heard; `None`: nowhere.
    pub data_dir: Option<PathBuf>,
}

/// The running buses.
#[derive(Debug)]
pub struct Sensors {
    stats: Vec<Arc<BusStats>>,
    tasks: Vec<JoinHandle<()>>,
    clock: Clock,
}

impl Sensors {
    /// Starts a task for each enabled bus that has something to do. Fails, having started none, when one of them cannot
    /// be set up as it is configured.
    pub fn spawn(config: &GatewayConfig, context: &SensorsContext) -> Result<Self, SensorsError> {
        let plan = |bus: &BusConfig| {
            let plan = bus.enabled.then(|| Plan::new(bus, config)).transpose()?;
            Ok(plan.filter(|plan| !plan.is_idle()))
        };
        let plans = config.bus.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
        let mut sensors = Self { stats: Vec::new(), tasks: Vec::new(), clock: context.clock.clone() };
        let arbiter = Arc::new(Mutex::new(Arbiter::new(config.priority.clone())));
        let rules: Arc<[_]> = config.series.clone().into();
        let mut contexts = Vec::new();
        for (bus, plan) in config.bus.iter().zip(plans) {
            let state = if plan.is_some() { BusState::Connecting } else { BusState::Disabled };
            let stats = Arc::new(BusStats::new(&bus.name, bus.protocol, &bus.address, state));
            sensors.stats.push(Arc::clone(&stats));
            if let Some(plan) = plan {
                let conditioner = Conditioner::new(config.quality.clone(), Arc::clone(&rules));
                let context = BusContext::new(context, stats, conditioner, Arc::clone(&arbiter));
                contexts.push(context.clone());
                sensors.tasks.push(tokio::spawn(keep_alive(plan, context)));
            }
        }
        if !contexts.is_empty() {
            sensors.tasks.push(tokio::spawn(watch_silence(contexts, context.shutdown.clone())));
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

/// Supervises one bus.
async fn keep_alive(plan: Plan, context: BusContext) {
    let (stats, clock, tuning) = (context.stats.clone(), context.clock.clone(), context.tuning);
    let (backoff, shutdown) = (context.backoff(), context.shutdown.clone());
    let start = move || plan.clone().run(context.clone());
    supervisor::supervise(stats, clock, tuning, backoff, shutdown, start).await;
}

/// Looks each second for series that fell silent. Apart from the buses: one that hangs or breaks falls silent too.
async fn watch_silence(buses: Vec<BusContext>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(SILENCE_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            _ = tick.tick() => buses.iter().for_each(BusContext::mark_stale),
        }
    }
}
