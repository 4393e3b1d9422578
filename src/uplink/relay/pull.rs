//! From the store into the ring: repeats, changes, states, as far as there is room. Sends nothing.

use super::{Refill, Relay, Run};
use crate::record::{Class, Collection};
use crate::uplink::LOG;
use crate::uplink::publisher::MqttClient;
use crate::uplink::reader::{Mode, Outgoing, PAGE_MAX, Queued};

impl<C: MqttClient> Relay<C> {
    pub(super) async fn pull(&mut self) {
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
    pub(super) fn page(&self) -> usize {
        let room = (self.ring.room_for_changes() / 2).min(PAGE_MAX);
        if self.ring.changes() == 0 { room.max(1) } else { room }
    }

    pub(super) async fn pull_changes(&mut self) {
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

    pub(super) async fn queue_changes(&mut self, page: Vec<Outgoing>) {
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

    pub(super) async fn pull_repeat(&mut self, run: Run) -> Option<Run> {
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

    pub(super) async fn pull_states(&mut self, refill: Refill) -> Option<Refill> {
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
    pub(super) fn offer(&mut self, class: Class, messages: Vec<Queued>) -> bool {
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

    pub(super) fn drop_counted(&mut self, messages: u64) {
        if messages > 0 {
            if self.tally.counts().messages_dropped == 0 {
                tracing::warn!("{LOG} the queue for {} is full or stale: live values are dropped", self.place());
            }
            self.tally.dropped(messages);
        }
    }
}
