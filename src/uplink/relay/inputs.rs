//! What comes from the gateway: telemetry, orders, conflicts, the tick, and the end. Knows nothing of acknowledgements.

use std::sync::Arc;

use super::{Relay, Run, TICK, Taken};
use crate::record::Class;
use crate::uplink::feed::ConflictNotice;
use crate::uplink::message::{self, Message, Unserialisable};
use crate::uplink::publisher::{ClientEvent, MqttClient};
use crate::uplink::reader::{Origin, Queued};
use crate::uplink::telemetry::BATCH_READINGS_MAX;
use crate::uplink::{Command, LOG};

impl<C: MqttClient> Relay<C> {
    pub(super) fn on_telemetry(&mut self, taken: Taken) {
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

    pub(super) fn queue_telemetry(
        &mut self,
        class: Class,
        message: Result<Message, Unserialisable>,
        operation: &'static str,
    ) {
        match message {
            Ok(message) => {
                let queued = Queued { message, origin: Origin::Telemetry, entity_type: "telemetry", operation };
                self.offer(class, vec![queued]);
            }
            Err(error) => self.fail(&error),
        }
    }

    pub(super) fn fail(&mut self, error: &Unserialisable) {
        self.tally.failed();
        tracing::error!("{LOG} {error}");
    }

    pub(super) fn on_order(&mut self, order: Command) {
        match order {
            Command::Subscribe { pattern, taker } => match self.subscriptions.add(pattern.clone(), taker) {
                Ok(true) if self.session.is_online() => self.ask_for(&pattern),
                Ok(_) => {}
                Err(reason) => tracing::error!("{LOG} `{pattern}` is not subscribed: {reason}"),
            },
            Command::Unsubscribe { pattern } => {
                // Offline there is nothing to take back: the broker is asked only for what is known at connect. A
                // session that it kept may still deliver; nobody takes that.
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

    pub(super) fn on_conflicts(&mut self, open: Option<Arc<Vec<ConflictNotice>>>) {
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

    pub(super) async fn on_tick(&mut self) {
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
    pub(super) async fn close(&mut self) {
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

    pub(super) async fn leave(&mut self, said: bool) {
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
