//! MQTT: live events and the change log to any number of brokers. Sees rows, not sensors (invariant 2).
//!
//! One task per broker ([`spawn`]). The change log is the outbox (Z13, Z23): a cursor per broker moves over it only on
//! the broker's acknowledgement, so that whatever is lost in memory is read again from the disk. The parts that decide
//! hold no I/O and no clock: [`session`] (when to try, what to do at connect), [`acks`] (which changes are safe),
//! [`ring`] (what waits, what is dropped), [`topics`] and [`message`] (what is said), [`policy`] (to whom). `relay`
//! drives them, [`publisher`] speaks.
//!
//! Delivery is at least once and in order for each record; `messageId` is the change's id, so that consumers drop
//! repeats. A message that a broker acknowledged and lost in a crash, before its subscribers had it, is sent again as
//! catch-up. It refuses to store anything itself, and a broker that is away is never an error.

pub mod acks;
pub mod feed;
pub mod message;
pub mod metrics;
pub mod policy;
pub mod publisher;
pub mod reader;
mod relay;
pub mod ring;
pub mod session;
pub mod subscriptions;
pub mod telemetry;
mod tls;
pub mod topics;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::BrokerConfig;
use crate::entropy::Entropy;
use crate::reading::Reading;

pub use feed::{ChangeFeed, ConflictNotice, FeedError, LoggedChange};
pub use metrics::{MqttHealth, UplinkCounts, UplinkHealth, UplinkMetrics};
pub use policy::policy_check;
pub use subscriptions::SubscriptionEvent;

/// How long a stop may take to flush what waits and to say good-bye.
pub const SHUTDOWN_FLUSH_MAX: Duration = Duration::from_secs(5);

/// Orders that wait for the task of a broker.
const COMMANDS_MAX: usize = 32;

/// Why an uplink cannot be started: always the configuration, never the broker (I7, L5).
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The broker may not be spoken to like this.
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    /// A prefix or the vessel's id cannot be used in topics.
    #[error("broker `{broker}`: {cause}")]
    Topics {
        /// The broker's name.
        broker: String,
        /// What is wrong with it.
        cause: topics::TopicError,
    },
    /// A file for TLS cannot be used.
    #[error("broker `{broker}`: TLS cannot be set up with `{}`: {cause}", path.display())]
    Tls {
        /// The broker's name.
        broker: String,
        /// The file; empty for the system's authorities.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// The client refused its options.
    #[error("broker `{broker}`: the MQTT client refused its options: {cause}")]
    Client {
        /// The broker's name.
        broker: String,
        /// Why.
        cause: String,
    },
}

impl UplinkError {
    /// Never: the configuration must change first.
    pub const fn is_transient(&self) -> bool {
        false
    }
}

/// A request to a running uplink could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The pattern is no pattern.
    #[error(transparent)]
    Pattern(#[from] topics::TopicError),
    /// The uplink has stopped or is flooded with orders.
    #[error("the uplink takes no orders at the moment")]
    NotTaken,
}

/// What an uplink is built from.
pub struct UplinkParts {
    /// Which broker.
    pub config: BrokerConfig,
    /// The vessel's name among the fleet.
    pub vessel_id: String,
    /// The record store.
    pub feed: Arc<dyn ChangeFeed>,
    /// Committed batches of readings; `None` for a broker that gets none.
    pub telemetry: Option<broadcast::Receiver<Arc<Vec<Reading>>>>,
    /// The time.
    pub clock: Clock,
    /// Randomness, for the jitter.
    pub entropy: Entropy,
    /// Where it counts.
    pub metrics: UplinkMetrics,
    /// Stops it.
    pub stop: CancellationToken,
    /// How long it waits.
    pub timing: Timing,
}

/// How long an uplink waits for what. The default is the documents'; tests are in more of a hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between tries.
    pub back_off: session::BackOff,
    /// For a connect, CONNACK included.
    pub connect_timeout: Duration,
    /// For the flush at the stop.
    pub flush_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            back_off: session::BackOff::default(),
            connect_timeout: publisher::CONNECT_TIMEOUT,
            flush_max: SHUTDOWN_FLUSH_MAX,
        }
    }
}

/// Orders to the task of a broker.
pub(crate) enum Command {
    Subscribe { pattern: String, taker: mpsc::Sender<SubscriptionEvent> },
    Unsubscribe { pattern: String },
    CatchUp { after: u64 },
}

/// A running uplink. Dropping it does not stop the uplink; its token does.
#[derive(Debug)]
pub struct UplinkHandle {
    commands: mpsc::Sender<Command>,
    health: watch::Receiver<UplinkHealth>,
    task: JoinHandle<()>,
}

impl UplinkHandle {
    /// The state now.
    pub fn health(&self) -> UplinkHealth {
        self.health.borrow().clone()
    }

    /// The state as it changes, for the api and for tests.
    pub fn watch(&self) -> watch::Receiver<UplinkHealth> {
        self.health.clone()
    }

    /// Asks for messages that match `pattern` (H8, H10). Remembered while offline; asked of the broker once however
    /// often it is called (I9). The receiver ends at the unsubscription; a refusal comes through it.
    ///
    /// # Errors
    /// The pattern is no pattern, or the uplink takes no orders.
    pub fn subscribe(&self, pattern: &str) -> Result<mpsc::Receiver<SubscriptionEvent>, RequestError> {
        topics::check_pattern(pattern)?;
        let (taker, events) = mpsc::channel(subscriptions::INCOMING_WAITING_MAX);
        self.order(Command::Subscribe { pattern: pattern.to_owned(), taker })?;
        Ok(events)
    }

    /// Asks no more; an unknown pattern is a no-op (I9).
    ///
    /// # Errors
    /// The uplink takes no orders.
    pub fn unsubscribe(&self, pattern: &str) -> Result<(), RequestError> {
        self.order(Command::Unsubscribe { pattern: pattern.to_owned() })
    }

    /// Sends the acknowledged changes after version `after` again, as catch-up (K1: explicit request).
    ///
    /// # Errors
    /// The uplink takes no orders.
    pub fn request_catchup(&self, after: u64) -> Result<(), RequestError> {
        self.order(Command::CatchUp { after })
    }

    fn order(&self, command: Command) -> Result<(), RequestError> {
        self.commands.try_send(command).map_err(|_| RequestError::NotTaken)
    }

    /// Waits until it has stopped, after its token was cancelled.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!("{LOG} the task of a broker ended badly: {error}");
        }
    }
}

/// Start of the lines in the log (Q10).
pub(crate) const LOG: &str = "[MQTT Reliable Sync]";

/// Starts the uplink to one broker, inside a tokio runtime. Returns at once: the broker need not be there (I7).
///
/// # Errors
/// The configuration cannot or may not be used.
pub fn spawn(parts: UplinkParts) -> Result<UplinkHandle, UplinkError> {
    let warnings = policy_check(&parts.config)?;
    let address = policy::address(&parts.config)?;
    for warning in &warnings {
        tracing::warn!("{LOG} broker `{}` at {address}: {warning}", parts.config.name);
    }
    tracing::info!(
        broker = parts.config.name,
        queue_messages_max = parts.config.queue_messages_max,
        "{LOG} starting: {address}, TLS {}, QoS 1 (alerts 2)",
        if address.tls { "on" } else { "off" },
    );
    let client = publisher::RumqttClient::new(&parts.config, &parts.vessel_id, parts.timing.connect_timeout)?;
    let (commands, orders) = mpsc::channel(COMMANDS_MAX);
    let start = UplinkHealth {
        name: parts.config.name.clone(),
        broker: address.to_string(),
        queue_messages_max: parts.config.queue_messages_max,
        warnings: warnings.iter().map(ToString::to_string).collect(),
        ..UplinkHealth::default()
    };
    let (health_in, health) = watch::channel(start);
    let relay = relay::Relay::new(parts, client, orders, health_in)?;
    Ok(UplinkHandle { commands, health, task: tokio::spawn(relay.run()) })
}
