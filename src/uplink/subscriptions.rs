//! What the rest of the gateway wants to hear from a broker (H10, I9): patterns and who takes their messages. No I/O.
//!
//! A subscription is remembered while offline. A pattern asked for twice is subscribed once. Who does not take a
//! message in time loses it, and that is counted: a slow reader must not stop the uplink.

use tokio::sync::mpsc;

use crate::uplink::publisher::Incoming;
use crate::uplink::topics;

/// Messages that wait for one subscriber.
pub const INCOMING_WAITING_MAX: usize = 256;

/// Patterns at one broker: a gateway listens to a handful of commands.
pub const SUBSCRIPTIONS_MAX: usize = 64;

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionEvent {
    /// A message.
    Incoming(Incoming),
    /// The broker will not deliver this pattern.
    Refused {
        /// Why.
        reason: String,
    },
}

/// All subscriptions of one broker.
#[derive(Debug, Default)]
pub struct Subscriptions {
    all: Vec<(String, mpsc::Sender<SubscriptionEvent>)>,
}

impl Subscriptions {
    /// Adds a taker. Gives whether the broker must be asked: the pattern is new.
    ///
    /// # Errors
    /// [`SUBSCRIPTIONS_MAX`] is reached; the taker is gone, which closes its channel.
    pub fn add(&mut self, pattern: String, taker: mpsc::Sender<SubscriptionEvent>) -> Result<bool, String> {
        self.all.retain(|(_, taker)| !taker.is_closed());
        if self.all.len() >= SUBSCRIPTIONS_MAX {
            return Err(format!("there are {SUBSCRIPTIONS_MAX} subscriptions already"));
        }
        let new = !self.all.iter().any(|(known, _)| *known == pattern);
        self.all.push((pattern, taker));
        Ok(new)
    }

    /// Removes a pattern with all its takers. Gives whether it was known.
    pub fn remove(&mut self, pattern: &str) -> bool {
        let before = self.all.len();
        self.all.retain(|(known, _)| known != pattern);
        before != self.all.len()
    }

    /// The patterns, each once.
    pub fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = self.all.iter().map(|(pattern, _)| pattern.clone()).collect();
        patterns.sort();
        patterns.dedup();
        patterns
    }

    /// Hands a message to all who asked for it; gives how many did not take it.
    pub fn deliver(&self, incoming: &Incoming) -> u64 {
        let takers = self.all.iter().filter(|(pattern, _)| topics::matches(pattern, &incoming.topic));
        let lost = takers.filter(|(_, taker)| {
            matches!(
                taker.try_send(SubscriptionEvent::Incoming(incoming.clone())),
                Err(mpsc::error::TrySendError::Full(_))
            )
        });
        lost.count() as u64
    }

    /// Tells the takers of `pattern` that the broker refused it.
    pub fn refused(&self, pattern: &str, reason: &str) {
        for (_, taker) in self.all.iter().filter(|(known, _)| known == pattern) {
            // A taker whose queue is full learns of it from the log.
            _ = taker.try_send(SubscriptionEvent::Refused { reason: reason.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(topic: &str) -> Incoming {
        Incoming { topic: topic.to_owned(), payload: vec![1], retained: false }
    }

    #[test]
    fn a_pattern_is_subscribed_once_and_delivered_to_all() {
        let mut subscriptions = Subscriptions::default();
        let (a, mut from_a) = mpsc::channel(1);
        let (b, mut from_b) = mpsc::channel(1);
        assert_eq!(subscriptions.add("a/#".to_owned(), a), Ok(true));
        assert_eq!(subscriptions.add("a/#".to_owned(), b), Ok(false));
        assert_eq!(subscriptions.patterns(), ["a/#"]);
        assert_eq!(subscriptions.deliver(&incoming("a/b")), 0);
        assert_eq!(subscriptions.deliver(&incoming("b")), 0, "nobody asked, nobody lost");
        assert!(from_a.try_recv().is_ok() && from_b.try_recv().is_ok());
        assert!(subscriptions.remove("a/#"));
        assert!(!subscriptions.remove("a/#"), "unknown is a no-op");
    }

    #[test]
    fn a_slow_taker_loses_and_a_gone_one_does_not_count() {
        let mut subscriptions = Subscriptions::default();
        let (slow, _keep) = mpsc::channel(1);
        let (gone, dropped) = mpsc::channel(1);
        drop(dropped);
        subscriptions.add("#".to_owned(), slow).unwrap();
        subscriptions.add("#".to_owned(), gone).unwrap();
        assert_eq!(subscriptions.deliver(&incoming("x")), 0);
        assert_eq!(subscriptions.deliver(&incoming("x")), 1);
    }
}
