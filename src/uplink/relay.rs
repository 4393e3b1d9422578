//! The task of one broker: drives the pure parts, the store and the client. Every decision is elsewhere; here is only the
//! order of things. It refuses to end before its token is cancelled, whatever the broker or the store do.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{MissedTickBehavior, Sleep};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::reading::Reading;
use crate::record::{Class, Collection};
use crate::uplink::acks::Acks;
use crate::uplink::feed::{ConflictNotice, FeedError};
use crate::uplink::message::{self, Message, Place, Qos, Unserialisable};
use crate::uplink::metrics::Tally;
use crate::uplink::publisher::{ClientEvent, MqttClient, Outcome, QOS0_WRITING_MAX, RECEIVE_MAXIMUM};
use crate::uplink::reader::{Mode, Origin, Outgoing, PAGE_MAX, Queued, Reader};
use crate::uplink::ring::{Limits, Ring};
use crate::uplink::session::{Answer, REPEATED_AFTER_LOSS_MAX, Session};
use crate::uplink::subscriptions::Subscriptions;
use crate::uplink::telemetry::{BATCH_READINGS_MAX, Thinner};
use crate::uplink::topics::Topics;
use crate::uplink::{Command, LOG, Timing, UplinkError, UplinkHealth, UplinkParts};

/// Between looks at what is due: live values, batches, stale messages, a store that failed. Also the shortest time between
/// two saves of the cursor under load, which costs the disk a sync each.
const TICK: Duration = Duration::from_secs(1);

/// Unclear refusals of one change before it is a dead letter (Z4).
const REFUSALS_MAX: u32 = 5;

/// Bytes that a packet has around topic and payload: fixed header 5, lengths 4, packet id 2, properties 1 (MQTT 5, 3.3).
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

    /// Runs `work` on the blocking pool; a failure of the store is logged once, and all is tried again at the next tick.
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

/// From the store into the ring.
impl<C: MqttClient> Relay<C> {
    async fn pull(&mut self) {
        if let Some(run) = self.repeat {
            self.repeat = self.pull_repeat(run).await;
        } else {
            self.pull_changes().await;
        }
        if let Some(refill) = self.refill
            && self.ring.changes() <= self.ring.limits().messages_max.min(PAGE_MAX) / 2
        {
            self.refill = self.pull_states(refill).await;
        }
    }

    /// Changes that surely fit: each makes two messages at most. One goes even into the smallest ring.
    fn page(&self) -> usize {
        let room = (self.ring.room_for_changes() / 2).min(PAGE_MAX);
        if self.ring.changes() == 0 { room.max(1) } else { room }
    }

    async fn pull_changes(&mut self) {
        let head = *self.head.borrow_and_update();
        let after = self.acks.read();
        if self.catch_up.is_some_and(|run| after >= run.to) {
            self.catch_up = None;
        }
        if self.catch_up.is_none() && head.saturating_sub(after) > self.ring.limits().messages_max as u64 {
            tracing::info!("{LOG} {} changes wait, more than the queue holds: catching up from the log", head - after);
            self.catch_up = Some(Run::new(after, head));
        }
        let mut limit = self.page();
        let mode = match self.catch_up {
            Some(run) => {
                limit = limit.min(usize::try_from(run.to - after).unwrap_or(limit));
                Mode::CatchUp(run.place)
            }
            None => Mode::Live,
        };
        if limit == 0 || head <= after {
            return;
        }
        if let Some(page) = self.read(move |reader| reader.changes(after, limit, mode)).await {
            self.queue_changes(page).await;
        }
    }

    async fn queue_changes(&mut self, page: Vec<Outgoing>) {
        for outgoing in page {
            let version = outgoing.version;
            match outgoing.messages {
                Ok(messages) => {
                    let count = messages.len();
                    if !self.offer(outgoing.class, messages) {
                        return;
                    }
                    self.acks.opened(version, count);
                }
                Err(unserialisable) => {
                    self.acks.opened(version, 1);
                    self.dead_letter(version, &unserialisable.to_string()).await;
                }
            }
            if let Some(run) = &mut self.catch_up {
                run.place.sequence += 1;
                self.tally.caught_up();
            }
        }
    }

    async fn pull_repeat(&mut self, run: Run) -> Option<Run> {
        let limit = self.page().min(usize::try_from(run.to.saturating_sub(run.after)).unwrap_or(PAGE_MAX));
        if run.after >= run.to {
            return None;
        }
        if limit == 0 {
            return Some(run);
        }
        let Some(page) = self.read(move |reader| reader.changes(run.after, limit, Mode::Repeat(run.place))).await
        else {
            return Some(run);
        };
        let mut run = run;
        let ended = page.is_empty();
        for outgoing in page.into_iter().take_while(|outgoing| outgoing.version <= run.to) {
            if let Ok(messages) = outgoing.messages
                && !self.offer(outgoing.class, messages)
            {
                return Some(run);
            }
            run.after = outgoing.version;
            run.place.sequence += 1;
            self.tally.caught_up();
        }
        (!ended && run.after < run.to).then_some(run)
    }

    async fn pull_states(&mut self, refill: Refill) -> Option<Refill> {
        let collection = *Collection::ALL.get(refill.collection)?;
        let limit = self.ring.room_for_changes().min(PAGE_MAX);
        let Some(states) = self.read(move |reader| reader.states(collection, refill.after, limit)).await else {
            return Some(refill);
        };
        if states.is_empty() {
            return Some(Refill { collection: refill.collection + 1, after: None });
        }
        let mut refill = refill;
        for (id, state) in states {
            match state {
                Ok(state) => {
                    if !self.offer(collection.class(), vec![state]) {
                        break;
                    }
                }
                Err(error) => self.fail(&error),
            }
            refill.after = Some(id);
        }
        Some(refill)
    }

    /// Into the ring; false when changes found no room and stay in the log.
    fn offer(&mut self, class: Class, messages: Vec<Queued>) -> bool {
        let count = messages.len() as u64;
        match self.ring.offer(class, messages, self.clock.now().mono_ms) {
            Ok(dropped) => {
                self.tally.queued(count);
                self.drop_counted(dropped);
                true
            }
            Err(_) => false,
        }
    }

    fn drop_counted(&mut self, messages: u64) {
        if messages > 0 {
            if self.tally.counts().messages_dropped == 0 {
                tracing::warn!("{LOG} the queue for {} is full or stale: live values are dropped", self.place());
            }
            self.tally.dropped(messages);
        }
    }
}

/// From the ring to the broker and back.
impl<C: MqttClient> Relay<C> {
    async fn pump(&mut self) {
        loop {
            let acknowledged_room = self.in_flight.len() - self.writing_qos0 < usize::from(RECEIVE_MAXIMUM);
            let raw_room = self.writing_qos0 < QOS0_WRITING_MAX;
            let may_go = |class| if class == Class::Raw { raw_room } else { acknowledged_room };
            let Some((class, queued)) = self.ring.pop(may_go) else { return };
            if self.is_too_large(&queued.message) {
                let reason = format!("{} bytes are more than the broker takes", queued.message.bytes());
                self.give_up(queued.origin, &reason).await;
            } else if let Err(queued) = self.send(queued) {
                self.ring.put_back(class, queued, self.clock.now().mono_ms);
                return;
            }
        }
    }

    fn is_too_large(&self, message: &Message) -> bool {
        self.packet_bytes_max
            .is_some_and(|max| message.bytes() + PACKET_OVERHEAD_BYTES > usize::try_from(max).unwrap_or(usize::MAX))
    }

    fn send(&mut self, queued: Queued) -> Result<(), Queued> {
        self.ticket += 1;
        if self.client.publish(self.ticket, &queued.message).is_err() {
            return Err(queued);
        }
        let Queued { message, origin, entity_type, operation } = queued;
        if message.qos == Qos::AtMostOnce {
            self.writing_qos0 += 1;
        }
        self.in_flight.insert(self.ticket, InFlight { origin, entity_type, operation, qos: message.qos });
        Ok(())
    }

    async fn on_client(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connected { answer, packet_bytes_max } => self.on_connected(answer, packet_bytes_max),
            ClientEvent::Disconnected { reason } => self.on_disconnected(reason),
            ClientEvent::Settled { ticket, outcome } => self.on_settled(ticket, outcome).await,
            ClientEvent::Subscribed { pattern, refused: Some(reason) } => {
                tracing::error!("{LOG} the broker refused to deliver `{pattern}`: {reason}");
                self.subscriptions.refused(&pattern, &reason);
            }
            ClientEvent::Subscribed { .. } => {}
            ClientEvent::Incoming(incoming) => {
                for _ in 0..self.subscriptions.deliver(&incoming) {
                    self.tally.incoming_dropped();
                }
            }
        }
    }

    fn on_connected(&mut self, answer: Answer, packet_bytes_max: Option<u32>) {
        let todo = self.session.connected(self.clock.now().mono_ms, answer);
        self.packet_bytes_max = packet_bytes_max;
        self.last_error.clear();
        self.flushing = true;
        tracing::info!(
            event = "connected",
            session_present = answer.session_present,
            queued = self.depth(),
            "{LOG} connected to {}",
            self.place()
        );
        if todo.rewind {
            self.rewind();
        }
        if todo.repeat && self.acks.cursor() > 0 {
            let cursor = self.acks.cursor();
            self.repeat = Some(Run::new(cursor.saturating_sub(REPEATED_AFTER_LOSS_MAX), cursor));
        }
        if todo.refill {
            self.refill = Some(Refill { collection: 0, after: None });
        }
        let online = message::status(&self.reader.topics, true, self.clock.now().wall);
        self.say(online, "status", "update");
        for pattern in self.subscriptions.patterns() {
            self.ask_for(&pattern);
        }
        let open = self.conflicts.as_mut().map(|conflicts| Arc::clone(&conflicts.borrow_and_update()));
        self.on_conflicts(open);
    }

    /// What is on the way is no more: the log is read again from the cursor.
    fn rewind(&mut self) {
        self.rewind_due = false;
        let live = self.in_flight.values().filter(|sent| sent.origin == Origin::Telemetry).count();
        self.drop_counted(live as u64);
        self.client.forget();
        self.in_flight.clear();
        self.writing_qos0 = 0;
        self.ring.clear_changes();
        self.acks.rewind();
        self.catch_up = None;
        // States and repeats that were on the way are not known to have arrived: they start over.
        self.refill = self.refill.map(|_| Refill { collection: 0, after: None });
        self.repeat = self.repeat.map(|run| Run::new(run.to.saturating_sub(run.place.total), run.to));
    }

    fn on_disconnected(&mut self, reason: String) {
        let was_online = self.session.is_online();
        let wait_ms = self.session.disconnected(self.clock.now().mono_ms, self.entropy.unit());
        if was_online {
            tracing::warn!(event = "disconnected", queued = self.depth(), "{LOG} {} is away: {reason}", self.place());
        } else if self.last_error != reason {
            tracing::warn!(event = "error", queued = self.depth(), "{LOG} {} does not answer: {reason}", self.place());
        }
        self.last_error = reason;
        self.retry = Some(Box::pin(tokio::time::sleep(Duration::from_millis(wait_ms))));
    }

    async fn on_settled(&mut self, ticket: u64, outcome: Outcome) {
        let Some(sent) = self.in_flight.remove(&ticket) else { return };
        if sent.qos == Qos::AtMostOnce {
            self.writing_qos0 -= 1;
        }
        match outcome {
            Outcome::Acknowledged => {
                self.tally.published(sent.entity_type, sent.operation, sent.qos);
                if let Origin::Change { version } = sent.origin {
                    self.refusals.remove(&version);
                    self.acks.settled(version);
                }
            }
            Outcome::Refused { reason, clear: true } => self.give_up(sent.origin, &reason).await,
            Outcome::Refused { reason, clear: false } => self.on_unclear(sent.origin, &reason).await,
            Outcome::Lost => match sent.origin {
                Origin::Telemetry => self.drop_counted(1),
                Origin::Notice => {}
                Origin::Change { .. } | Origin::Again => self.rewind_due = true,
            },
        }
    }

    /// The broker said no, and may say yes later: again from the log at the next tick, a few times.
    async fn on_unclear(&mut self, origin: Origin, reason: &str) {
        let Origin::Change { version } = origin else { return self.give_up(origin, reason).await };
        let refusals = self.refusals.entry(version).or_default();
        *refusals += 1;
        if *refusals >= REFUSALS_MAX {
            self.give_up(origin, reason).await;
        } else {
            self.tally.failed();
            tracing::warn!(version, "{LOG} the broker refused a change, trying again: {reason}");
            self.rewind_due = true;
        }
    }

    /// The broker will never take it (Z4, L3).
    async fn give_up(&mut self, origin: Origin, reason: &str) {
        match origin {
            Origin::Change { version } => self.dead_letter(version, reason).await,
            Origin::Again | Origin::Telemetry | Origin::Notice => {
                self.tally.failed();
                tracing::error!("{LOG} {} refused a message: {reason}", self.place());
            }
        }
    }

    async fn dead_letter(&mut self, version: u64, reason: &str) {
        self.tally.failed();
        tracing::error!(version, "{LOG} {} can never take a change, a dead letter: {reason}", self.place());
        let (destination, text) = (self.destination.clone(), reason.to_owned());
        let kept = self.read(move |reader| reader.feed.dead_letter(&destination, version, &text)).await;
        if kept.is_some() {
            self.tally.dead_letter();
            self.refusals.remove(&version);
            self.acks.settled(version);
        } else {
            // It may not vanish: it is sent, refused and kept once more when the store answers.
            self.rewind_due = true;
        }
    }

    /// Says something that is no change: at once, ahead of the queue.
    fn say(&mut self, message: Message, entity_type: &'static str, operation: &'static str) {
        if self.send(Queued { message, origin: Origin::Notice, entity_type, operation }).is_err() {
            self.tally.failed();
        }
    }

    fn ask_for(&mut self, pattern: &str) {
        if self.client.subscribe(pattern).is_err() {
            self.subscriptions.refused(pattern, "the client takes no more at the moment");
        }
    }
}

/// Telemetry, orders, conflicts, the tick and the end.
impl<C: MqttClient> Relay<C> {
    fn on_telemetry(&mut self, taken: Taken) {
        match taken {
            Taken::Batch(batch) => {
                let now_ms = self.clock.now().mono_ms;
                for reading in batch.iter() {
                    if let Some(reading) = self.thinner.take(reading, now_ms) {
                        self.queue_telemetry(Class::Raw, message::live(&self.reader.topics, &reading), "live");
                    }
                }
            }
            Taken::Lagged(batches) => self.tally.lagged(batches),
            Taken::Closed => self.telemetry = None,
        }
    }

    fn queue_telemetry(&mut self, class: Class, message: Result<Message, Unserialisable>, operation: &'static str) {
        match message {
            Ok(message) => {
                let queued = Queued { message, origin: Origin::Telemetry, entity_type: "telemetry", operation };
                self.offer(class, vec![queued]);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &Unserialisable) {
        self.tally.failed();
        tracing::error!("{LOG} {error}");
    }

    fn on_order(&mut self, order: Command) {
        match order {
            Command::Subscribe { pattern, taker } => match self.subscriptions.add(pattern.clone(), taker) {
                Ok(true) if self.session.is_online() => self.ask_for(&pattern),
                Ok(_) => {}
                Err(reason) => tracing::error!("{LOG} `{pattern}` is not subscribed: {reason}"),
            },
            Command::Unsubscribe { pattern } => {
                // Offline there is nothing to take back: the broker is asked only for what is known at connect. A session
                // that it kept may still deliver; nobody takes that.
                if self.subscriptions.remove(&pattern) && self.session.is_online() {
                    _ = self.client.unsubscribe(&pattern);
                }
            }
            Command::CatchUp { after } => {
                let cursor = self.acks.cursor();
                let after = self.repeat.map_or(after, |run| run.after.min(after));
                self.repeat = (after < cursor).then(|| Run::new(after, cursor)).or(self.repeat);
            }
        }
    }

    fn on_conflicts(&mut self, open: Option<Arc<Vec<ConflictNotice>>>) {
        let Some(open) = open else {
            self.conflicts = None;
            return;
        };
        if self.session.is_online() {
            match message::conflicts(&self.reader.topics, &open, self.clock.now().wall) {
                Ok(message) => self.say(message, "conflicts", "update"),
                Err(error) => self.fail(&error),
            }
        }
    }

    async fn on_tick(&mut self) {
        // A store that failed is asked again.
        self.store_failed = false;
        if self.rewind_due {
            self.rewind();
        }
        let now_ms = self.clock.now().mono_ms;
        let stale = self.ring.expire(now_ms);
        self.drop_counted(stale);
        for reading in self.thinner.due(now_ms) {
            self.queue_telemetry(Class::Raw, message::live(&self.reader.topics, &reading), "live");
        }
        for readings in self.thinner.batch().chunks(BATCH_READINGS_MAX) {
            self.queue_telemetry(Class::Aggregate, message::batch(&self.reader.topics, readings), "batch");
        }
        self.save_cursor().await;
    }

    /// Flushes what waits, says that we are offline and leaves; all within the deadline (I10).
    async fn close(&mut self) {
        let deadline = tokio::time::sleep(self.timing.flush_max);
        tokio::pin!(deadline);
        let live = self.ring.clear_telemetry();
        self.drop_counted(live);
        self.refill = None;
        self.repeat = None;
        let mut said = false;
        while self.session.is_online() {
            self.advance().await;
            if self.is_flushed() {
                if said {
                    break;
                }
                said = true;
                let offline = message::status(&self.reader.topics, false, self.clock.now().wall);
                self.say(offline, "status", "update");
            }
            tokio::select! {
                () = &mut deadline => break,
                event = self.client.next() => self.on_client(event).await,
            }
        }
        self.save_cursor().await;
        self.leave(said).await;
        self.show();
    }

    async fn leave(&mut self, said: bool) {
        if !self.session.is_online() {
            return;
        }
        if !said {
            let offline = message::status(&self.reader.topics, false, self.clock.now().wall);
            self.say(offline, "status", "update");
        }
        self.client.disconnect();
        let gone = async {
            loop {
                if let ClientEvent::Disconnected { reason } = self.client.next().await {
                    return reason;
                }
            }
        };
        // A link that hangs is dropped; the broker then publishes our will.
        if let Ok(reason) = tokio::time::timeout(TICK, gone).await {
            self.on_disconnected(reason);
        }
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
