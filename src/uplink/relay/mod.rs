//! The task of one broker: drives the pure parts, the store and the client. Every decision is elsewhere; here is only
//! the order of things. It refuses to end before its token is cancelled, whatever the broker or the store do.

mod flow;
mod inputs;
mod pull;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{MissedTickBehavior, Sleep};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::reading::Reading;
use crate::uplink::acks::Acks;
use crate::uplink::feed::{ConflictNotice, FeedError};
use crate::uplink::message::{self, Place, Qos};
use crate::uplink::metrics::Tally;
use crate::uplink::publisher::MqttClient;
use crate::uplink::reader::{Origin, Queued, Reader};
use crate::uplink::ring::{Limits, Ring};
use crate::uplink::session::Session;
use crate::uplink::subscriptions::Subscriptions;
use crate::uplink::telemetry::Thinner;
use crate::uplink::topics::Topics;
use crate::uplink::{Command, LOG, Timing, UplinkError, UplinkHealth, UplinkParts};

/// Between looks at what is due: live values, batches, stale messages, a store that failed. Also the shortest time
/// between two saves of the cursor under load, which costs the disk a sync each.
const TICK: Duration = Duration::from_secs(1);

/// Unclear refusals of one change before it is a dead letter (Z4).
const REFUSALS_MAX: u32 = 5;

/// Bytes that a packet has around topic and payload: fixed header 5, lengths 4, packet id 2, properties 1 (MQTT 5,
/// 3.3).
const PACKET_OVERHEAD_BYTES: usize = 12;

/// Waiting messages beyond which people are warned (Q11).
const QUEUE_ALERT_MESSAGES: u64 = 1_000;

/// A row of changes that is served as catch-up: those after the place where it stands, up to `to`.
#[derive(Clone, Copy, Debug)]
struct Run {
    after: u64,
    to: u64,
    place: Place,
}

impl Run {
    const fn new(after: u64, to: u64) -> Self {
        Self { after, to, place: Place { sequence: 1, total: to.saturating_sub(after) } }
    }
}

/// Where the refill of retained states stands.
#[derive(Clone, Copy, Debug)]
struct Refill {
    collection: usize,
    after: Option<uuid::Uuid>,
}

struct InFlight {
    origin: Origin,
    entity_type: &'static str,
    operation: &'static str,
    qos: Qos,
}

pub(crate) struct Relay<C> {
    client: C,
    reader: Reader,
    destination: String,
    session: Session,
    acks: Acks,
    saved: u64,
    ring: Ring<Queued>,
    in_flight: HashMap<u64, InFlight>,
    ticket: u64,
    writing_qos0: usize,
    packet_bytes_max: Option<u32>,
    catch_up: Option<Run>,
    repeat: Option<Run>,
    refill: Option<Refill>,
    refusals: HashMap<u64, u32>,
    rewind_due: bool,
    flushing: bool,
    alerted: bool,
    store_failed: bool,
    subscriptions: Subscriptions,
    thinner: Thinner,
    tally: Tally,
    health: watch::Sender<UplinkHealth>,
    last_error: String,
    retry: Option<Pin<Box<Sleep>>>,
    orders: mpsc::Receiver<Command>,
    telemetry: Option<broadcast::Receiver<Arc<Vec<Reading>>>>,
    head: watch::Receiver<u64>,
    conflicts: Option<watch::Receiver<Arc<Vec<ConflictNotice>>>>,
    clock: Clock,
    entropy: Entropy,
    stop: tokio_util::sync::CancellationToken,
    timing: Timing,
}

impl<C: MqttClient> Relay<C> {
    pub(crate) fn new(
        parts: UplinkParts,
        client: C,
        orders: mpsc::Receiver<Command>,
        health: watch::Sender<UplinkHealth>,
    ) -> Result<Self, UplinkError> {
        let config = &parts.config;
        let topics = Topics::new(config, &parts.vessel_id)
            .map_err(|cause| UplinkError::Topics { broker: config.name.clone(), cause })?;
        let limits = Limits {
            messages_max: config.queue_messages_max.max(1),
            bytes_max: config.queue_bytes_max,
            age_max_ms: config.queue_age_max_s.saturating_mul(1_000),
        };
        Ok(Self {
            client,
            destination: format!("mqtt:{}", config.name),
            session: Session::new(parts.timing.back_off),
            acks: Acks::new(0),
            saved: 0,
            ring: Ring::new(limits),
            in_flight: HashMap::new(),
            ticket: 0,
            writing_qos0: 0,
            packet_bytes_max: None,
            catch_up: None,
            repeat: None,
            refill: None,
            refusals: HashMap::new(),
            rewind_due: false,
            flushing: false,
            alerted: false,
            store_failed: false,
            subscriptions: Subscriptions::default(),
            thinner: Thinner::default(),
            tally: Tally::new(parts.metrics, &config.name),
            health,
            last_error: "not yet connected".to_owned(),
            retry: None,
            orders,
            telemetry: parts.telemetry,
            head: parts.feed.head(),
            conflicts: Some(parts.feed.conflicts()),
            reader: Reader { retain_crew: config.retain_crew, topics: Arc::new(topics), feed: parts.feed },
            clock: parts.clock,
            entropy: parts.entropy,
            stop: parts.stop,
            timing: parts.timing,
        })
    }

    pub(crate) async fn run(mut self) {
        if self.load_cursor().await {
            self.connect();
            self.serve().await;
        }
        self.close().await;
    }

    async fn serve(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.advance().await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                event = self.client.next() => self.on_client(event).await,
                () = elapsed(&mut self.retry) => self.connect(),
                taken = receive(&mut self.telemetry) => self.on_telemetry(taken),
                Some(order) = self.orders.recv() => self.on_order(order),
                moved = self.head.changed() => if moved.is_err() { self.wait_for_stop().await; return },
                open = changed(&mut self.conflicts) => self.on_conflicts(open),
                _ = tick.tick() => self.on_tick().await,
            }
        }
    }

    /// The store is gone, which only happens when all is going down.
    async fn wait_for_stop(&self) {
        self.stop.cancelled().await;
    }

    /// Reads the cursor, as often as it takes; false when stopped meanwhile.
    async fn load_cursor(&mut self) -> bool {
        loop {
            let destination = self.destination.clone();
            match self.read(move |reader| reader.feed.cursor(&destination)).await {
                Some(cursor) => {
                    let head = *self.head.borrow_and_update();
                    if cursor > head {
                        tracing::error!("{LOG} the log ends at {head}, before the cursor {cursor}: all is sent again");
                    }
                    self.saved = cursor;
                    self.acks = Acks::new(if cursor > head { 0 } else { cursor });
                    return true;
                }
                None => tokio::select! {
                    () = self.stop.cancelled() => return false,
                    () = tokio::time::sleep(TICK) => {}
                },
            }
        }
    }

    /// Runs `work` on the blocking pool; a failure of the store is logged once, and all is tried again at the next
    /// tick.
    async fn read<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Reader) -> Result<T, FeedError> + Send + 'static,
    ) -> Option<T> {
        let reader = self.reader.clone();
        let cause = match tokio::task::spawn_blocking(move || work(&reader)).await {
            Ok(Ok(value)) => {
                self.store_failed = false;
                return Some(value);
            }
            Ok(Err(error)) => error.to_string(),
            Err(panicked) => panicked.to_string(),
        };
        if !self.store_failed {
            tracing::error!("{LOG} the record store does not answer, trying again each second: {cause}");
        }
        self.store_failed = true;
        None
    }

    fn connect(&mut self) {
        self.retry = None;
        let attempt = self.session.trying();
        if attempt.again {
            self.tally.tried_again();
        }
        if attempt.logged {
            tracing::info!(try_number = attempt.number, queued = self.depth(), "{LOG} connecting to {}", self.place());
        }
        self.client.connect(message::status(&self.reader.topics, false, self.clock.now().wall));
    }

    fn place(&self) -> String {
        self.health.borrow().broker.clone()
    }

    /// Moves everything on as far as it goes without waiting for anybody but the store.
    async fn advance(&mut self) {
        if self.session.is_online() {
            if !self.store_failed {
                self.pull().await;
            }
            self.pump().await;
            if self.flushing && self.is_flushed() {
                self.flushing = false;
                self.tally.flushed();
                tracing::info!(event = "queue_flushed", cursor = self.acks.cursor(), "{LOG} all that waited is sent");
            }
        }
        if self.in_flight.is_empty() && !self.store_failed {
            self.save_cursor().await;
        }
        self.show();
    }

    fn is_flushed(&self) -> bool {
        self.ring.is_empty()
            && self.in_flight.is_empty()
            && self.refill.is_none()
            && self.repeat.is_none()
            && self.backlog() == 0
    }

    /// Changes in the log that were not yet read.
    fn backlog(&self) -> u64 {
        self.head.borrow().saturating_sub(self.acks.read())
    }

    fn depth(&self) -> u64 {
        self.ring.len() as u64 + self.backlog()
    }

    async fn save_cursor(&mut self) {
        let cursor = self.acks.cursor();
        if cursor == self.saved {
            return;
        }
        let destination = self.destination.clone();
        if self.read(move |reader| reader.feed.set_cursor(&destination, cursor)).await.is_some() {
            self.saved = cursor;
        }
    }

    fn show(&mut self) {
        let depth = self.depth();
        let bound = self.ring.limits().messages_max;
        let utilization_percent = (depth as f64 * 100.0 / bound as f64).min(100.0);
        let connected = self.session.is_online();
        self.tally.gauges(connected, depth, utilization_percent);
        if depth > QUEUE_ALERT_MESSAGES && !self.alerted {
            tracing::warn!(queued = depth, "{LOG} more than {QUEUE_ALERT_MESSAGES} messages wait for {}", self.place());
        }
        self.alerted = depth > QUEUE_ALERT_MESSAGES;
        self.health.send_if_modified(|health| {
            let before = health.clone();
            health.connected = connected;
            health.tries = self.session.tries();
            health.last_error.clone_from(&self.last_error);
            health.depth = depth;
            health.utilization_percent = utilization_percent;
            health.queue_bytes = self.ring.bytes();
            health.in_flight = self.in_flight.len();
            health.cursor = self.saved;
            health.head = *self.head.borrow();
            health.active_subscriptions = self.subscriptions.patterns().len();
            health.metrics = self.tally.counts().clone();
            *health != before
        });
    }
}

enum Taken {
    Batch(Arc<Vec<Reading>>),
    Lagged(u64),
    Closed,
}

async fn receive(telemetry: &mut Option<broadcast::Receiver<Arc<Vec<Reading>>>>) -> Taken {
    let Some(receiver) = telemetry else { return std::future::pending().await };
    match receiver.recv().await {
        Ok(batch) => Taken::Batch(batch),
        Err(broadcast::error::RecvError::Lagged(batches)) => Taken::Lagged(batches),
        Err(broadcast::error::RecvError::Closed) => Taken::Closed,
    }
}

async fn elapsed(sleep: &mut Option<Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The open conflicts when they changed; `None` when nobody tells of them any more.
async fn changed<T: Clone>(watched: &mut Option<watch::Receiver<T>>) -> Option<T> {
    let Some(receiver) = watched else { return std::future::pending().await };
    receiver.changed().await.ok()?;
    Some(receiver.borrow_and_update().clone())
}
