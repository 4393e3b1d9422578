//! The bounded ring of messages that wait for a broker: by count, bytes and age, in classes. Pure.
//!
//! When it is full the oldest of the lowest class goes first, and is counted. Changes of records and alerts are never
//! dropped: an offer that does not fit is refused, and the change stays in the log, which is their queue (Z13).

use std::collections::VecDeque;

use crate::record::Class;

/// What the ring may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages (J3, `MQTT_MAX_QUEUE_SIZE`).
    pub messages_max: usize,
    /// Bytes of topic and payload.
    pub bytes_max: usize,
    /// Milliseconds after which telemetry is stale.
    pub age_max_ms: u64,
}

/// Something that waits, of known size.
pub trait Weigh {
    /// Bytes it takes.
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    queued_at_ms: u64,
}

/// The ring.
#[derive(Debug)]
pub struct Ring<T> {
    lanes: [VecDeque<Entry<T>>; CLASSES.len()],
    limits: Limits,
    messages: usize,
    bytes: usize,
    change_bytes: usize,
}

/// The lanes, in the order in which they are served.
const CLASSES: [Class; 4] = [Class::Alert, Class::Record, Class::Aggregate, Class::Raw];

/// Whether a class may be dropped: telemetry may, it is in the store; changes may not.
const fn droppable(class: Class) -> bool {
    matches!(class, Class::Aggregate | Class::Raw)
}

impl<T: Weigh> Ring<T> {
    /// An empty ring.
    pub fn new(limits: Limits) -> Self {
        Self { lanes: Default::default(), limits, messages: 0, bytes: 0, change_bytes: 0 }
    }

    /// Takes `items` in, all or none, dropping lower classes for them. Gives how many messages were dropped for it.
    ///
    /// # Errors
    /// The items again, when they are changes and there is no room: they stay in the log. A change larger than the ring
    /// is taken when no other change waits, for it would never fit.
    pub fn offer(&mut self, class: Class, items: Vec<T>, now_ms: u64) -> Result<u64, Vec<T>> {
        let bytes: usize = items.iter().map(Weigh::bytes).sum();
        // Asked before anything is dropped for it: telemetry must not go for a change that does not fit either way.
        if !droppable(class) && self.changes() > 0 && !self.fits_beside_changes(items.len(), bytes) {
            return Err(items);
        }
        let mut dropped = 0;
        while !self.fits(items.len(), bytes) {
            if self.drop_one(class) {
                dropped += 1;
            } else if droppable(class) {
                return Ok(dropped + items.len() as u64);
            } else {
                break;
            }
        }
        for item in items {
            self.entered(class, item.bytes());
            self.lanes[usize::from(class.number())].push_back(Entry { item, queued_at_ms: now_ms });
        }
        Ok(dropped)
    }

    fn fits_beside_changes(&self, messages: usize, bytes: usize) -> bool {
        self.changes() + messages <= self.limits.messages_max && self.change_bytes + bytes <= self.limits.bytes_max
    }

    fn fits(&self, messages: usize, bytes: usize) -> bool {
        self.messages + messages <= self.limits.messages_max && self.bytes + bytes <= self.limits.bytes_max
    }

    /// Drops the oldest of the lowest class that is not above `class`.
    fn drop_one(&mut self, class: Class) -> bool {
        let victim = CLASSES
            .into_iter()
            .rev()
            .find(|lowest| droppable(*lowest) && lowest.number() >= class.number() && !self.lane(*lowest).is_empty());
        victim.is_some_and(|lowest| self.take(lowest).is_some())
    }

    fn lane(&self, class: Class) -> &VecDeque<Entry<T>> {
        &self.lanes[usize::from(class.number())]
    }

    const fn entered(&mut self, class: Class, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
        if !droppable(class) {
            self.change_bytes += bytes;
        }
    }

    fn take(&mut self, class: Class) -> Option<T> {
        let entry = self.lanes[usize::from(class.number())].pop_front()?;
        self.messages -= 1;
        self.bytes -= entry.item.bytes();
        if !droppable(class) {
            self.change_bytes -= entry.item.bytes();
        }
        Some(entry.item)
    }

    /// The next message of the highest class that `may_go`.
    pub fn pop(&mut self, may_go: impl Fn(Class) -> bool) -> Option<(Class, T)> {
        let class = CLASSES.into_iter().find(|class| may_go(*class) && !self.lane(*class).is_empty())?;
        self.take(class).map(|item| (class, item))
    }

    /// Puts a message back to the front, when the client did not take it (J4). It is let in even if the ring is full:
    /// it was in it a moment ago.
    pub fn put_back(&mut self, class: Class, item: T, now_ms: u64) {
        self.entered(class, item.bytes());
        self.lanes[usize::from(class.number())].push_front(Entry { item, queued_at_ms: now_ms });
    }

    /// Drops stale telemetry; gives how many.
    pub fn expire(&mut self, now_ms: u64) -> u64 {
        let mut dropped = 0;
        for class in CLASSES.into_iter().filter(|class| droppable(*class)) {
            while self
                .lane(class)
                .front()
                .is_some_and(|entry| now_ms.saturating_sub(entry.queued_at_ms) > self.limits.age_max_ms)
            {
                self.take(class);
                dropped += 1;
            }
        }
        dropped
    }

    /// Forgets the changes: they are read from the log again.
    pub fn clear_changes(&mut self) {
        for class in CLASSES.into_iter().filter(|class| !droppable(*class)) {
            while self.take(class).is_some() {}
        }
    }

    /// Drops the telemetry; gives how many.
    pub fn clear_telemetry(&mut self) -> u64 {
        let before = self.messages;
        for class in CLASSES.into_iter().filter(|class| droppable(*class)) {
            while self.take(class).is_some() {}
        }
        (before - self.messages) as u64
    }

    /// Changes that wait.
    pub fn changes(&self) -> usize {
        CLASSES.into_iter().filter(|class| !droppable(*class)).map(|class| self.lane(class).len()).sum()
    }

    /// Messages that changes may still add: what telemetry holds makes way for them.
    pub fn room_for_changes(&self) -> usize {
        self.limits.messages_max.saturating_sub(self.changes())
    }

    /// Messages that wait.
    pub const fn len(&self) -> usize {
        self.messages
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Bytes that wait.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it may hold.
    pub const fn limits(&self) -> Limits {
        self.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Weigh for (u32, usize) {
        fn bytes(&self) -> usize {
            self.1
        }
    }

    fn ring(messages_max: usize, bytes_max: usize) -> Ring<(u32, usize)> {
        Ring::new(Limits { messages_max, bytes_max, age_max_ms: 1_000 })
    }

    fn all(ring: &mut Ring<(u32, usize)>) -> Vec<u32> {
        std::iter::from_fn(|| ring.pop(|_| true)).map(|(_, (id, _))| id).collect()
    }

    #[test]
    fn a_full_ring_drops_the_oldest_of_the_lowest_class_first() {
        let mut ring = ring(3, 1_000);
        for (id, class) in [(1, Class::Aggregate), (2, Class::Raw), (3, Class::Raw)] {
            assert_eq!(ring.offer(class, vec![(id, 1)], 0), Ok(0));
        }
        assert_eq!(ring.offer(Class::Alert, vec![(4, 1)], 0), Ok(1), "raw 2 goes");
        assert_eq!(ring.offer(Class::Aggregate, vec![(5, 1)], 0), Ok(1), "raw 3 goes");
        assert_eq!(ring.offer(Class::Raw, vec![(6, 1)], 0), Ok(1), "6 itself goes, all others are above it");
        assert_eq!(all(&mut ring), [4, 1, 5]);
        assert_eq!((ring.len(), ring.bytes()), (0, 0));
    }

    #[test]
    fn changes_are_refused_not_dropped() {
        let mut ring = ring(3, 1_000);
        assert_eq!(ring.offer(Class::Record, vec![(1, 1), (2, 1)], 0), Ok(0));
        assert_eq!(ring.offer(Class::Alert, vec![(3, 1), (4, 1)], 0), Err(vec![(3, 1), (4, 1)]));
        assert_eq!(ring.offer(Class::Raw, vec![(5, 1)], 0), Ok(0));
        assert_eq!(ring.offer(Class::Alert, vec![(3, 1)], 0), Ok(1), "telemetry makes way");
        assert_eq!(ring.room_for_changes(), 0);
        assert_eq!(all(&mut ring), [3, 1, 2], "alerts first");
    }

    #[test]
    fn bytes_bind_too_and_a_giant_change_still_gets_through() {
        let mut ring = ring(10, 100);
        assert_eq!(ring.offer(Class::Raw, vec![(1, 60)], 0), Ok(0));
        assert_eq!(ring.offer(Class::Raw, vec![(2, 60)], 0), Ok(1));
        assert_eq!(ring.offer(Class::Record, vec![(3, 500)], 0), Ok(1));
        assert!(ring.offer(Class::Record, vec![(4, 1)], 0).is_err());
        assert_eq!(all(&mut ring), [3]);
    }

    #[test]
    fn only_telemetry_grows_stale() {
        let mut ring = ring(10, 100);
        for class in CLASSES {
            ring.offer(class, vec![(u32::from(class.number()), 1)], 0).unwrap();
        }
        assert_eq!(ring.expire(1_000), 0);
        assert_eq!(ring.expire(1_001), 2);
        assert_eq!(all(&mut ring), [0, 1]);
    }

    #[test]
    fn what_was_put_back_goes_first() {
        let mut ring = ring(2, 100);
        ring.offer(Class::Record, vec![(1, 1), (2, 1)], 0).unwrap();
        let (class, item) = ring.pop(|class| class == Class::Record).unwrap();
        assert!(ring.pop(|class| class == Class::Alert).is_none());
        ring.put_back(class, item, 0);
        assert_eq!(all(&mut ring), [1, 2]);
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_every_message_is_accounted_for(
            offers in prop::collection::vec((0u8..4, 1usize..40), 0..200),
        ) {
            let mut ring = ring(8, 120);
            let (mut dropped, mut refused, mut changes_in) = (0, 0, Vec::new());
            for (id, (class, bytes)) in offers.iter().enumerate() {
                let class = CLASSES[usize::from(*class)];
                let id = u32::try_from(id).unwrap();
                match ring.offer(class, vec![(id, *bytes)], 0) {
                    Ok(count) => {
                        dropped += count;
                        if !droppable(class) { changes_in.push(id); }
                    }
                    Err(items) => refused += items.len() as u64,
                }
                prop_assert!(ring.len() <= 8 && ring.bytes() <= 120);
            }
            let left = all(&mut ring);
            prop_assert_eq!(left.len() as u64 + dropped + refused, offers.len() as u64);
            prop_assert!(changes_in.iter().all(|id| left.contains(id)), "no change is dropped");
        }
    }
}
