//! From the ring to the broker, and what the broker says about it. Reads nothing of the store but dead letters.

use std::sync::Arc;
use std::time::Duration;

use super::{InFlight, PACKET_OVERHEAD_BYTES, REFUSALS_MAX, Refill, Relay, Run};
use crate::record::Class;
use crate::uplink::LOG;
use crate::uplink::message::{self, Message, Qos};
use crate::uplink::publisher::{ClientEvent, MqttClient, Outcome, QOS0_WRITING_MAX, RECEIVE_MAXIMUM};
use crate::uplink::reader::{Origin, Queued};
use crate::uplink::session::{Answer, REPEATED_AFTER_LOSS_MAX};

impl<C: MqttClient> Relay<C> {
    pub(super) async fn pump(&mut self) {
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

    pub(super) fn is_too_large(&self, message: &Message) -> bool {
        self.packet_bytes_max
            .is_some_and(|max| message.bytes() + PACKET_OVERHEAD_BYTES > usize::try_from(max).unwrap_or(usize::MAX))
    }

    pub(super) fn send(&mut self, queued: Queued) -> Result<(), Queued> {
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

    pub(super) async fn on_client(&mut self, event: ClientEvent) {
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

    pub(super) fn on_connected(&mut self, answer: Answer, packet_bytes_max: Option<u32>) {
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
    pub(super) fn rewind(&mut self) {
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

    pub(super) fn on_disconnected(&mut self, reason: String) {
        let was_online = self.session.is_online();
        let wait_ms = self.session.disconnected(self.clock.now().mono_ms, self.entropy.unit());
        if was_online && self.stop.is_cancelled() {
            tracing::info!(event = "disconnected", "{LOG} {} is left in order", self.place());
        } else if was_online {
            tracing::warn!(event = "disconnected", queued = self.depth(), "{LOG} {} is away: {reason}", self.place());
        } else if self.last_error != reason {
            tracing::warn!(event = "error", queued = self.depth(), "{LOG} {} does not answer: {reason}", self.place());
        }
        self.last_error = reason;
        self.retry = Some(Box::pin(tokio::time::sleep(Duration::from_millis(wait_ms))));
    }

    pub(super) async fn on_settled(&mut self, ticket: u64, outcome: Outcome) {
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
    pub(super) async fn on_unclear(&mut self, origin: Origin, reason: &str) {
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
    pub(super) async fn give_up(&mut self, origin: Origin, reason: &str) {
        match origin {
            Origin::Change { version } => self.dead_letter(version, reason).await,
            Origin::Again | Origin::Telemetry | Origin::Notice => {
                self.tally.failed();
                tracing::error!("{LOG} {} refused a message: {reason}", self.place());
            }
        }
    }

    pub(super) async fn dead_letter(&mut self, version: u64, reason: &str) {
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
    pub(super) fn say(&mut self, message: Message, entity_type: &'static str, operation: &'static str) {
        if self.send(Queued { message, origin: Origin::Notice, entity_type, operation }).is_err() {
            self.tally.failed();
        }
    }

    pub(super) fn ask_for(&mut self, pattern: &str) {
        if self.client.subscribe(pattern).is_err() {
            self.subscriptions.refused(pattern, "the client takes no more at the moment");
        }
    }
}
