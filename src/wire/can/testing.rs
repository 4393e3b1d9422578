//! What the tests of CAN decoders share: a sink that keeps what it is told.

use std::fmt;

use crate::wire::{Decoded, Sink};

/// Keeps readings, and drops by reason.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub readings: Vec<Decoded>,
    pub messages: usize,
    pub dropped: Vec<(&'static str, u64)>,
}

impl Counting {
    /// How much was dropped for `reason`.
    pub fn count(&self, reason: &str) -> u64 {
        self.dropped.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count)
    }
}

/// Counts what is passed over, and takes it ill when anything is dropped.
#[derive(Debug, Default)]
pub(crate) struct PassedOver(pub Vec<&'static str>);

impl Sink for PassedOver {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        readings.clear();
    }

    fn dropped(&mut self, reason: &'static str, _: u64, why: &dyn fmt::Display, _: &[u8]) {
        panic!("{reason}: {why}");
    }

    fn ignored(&mut self, reason: &'static str, _: u64, _: &dyn fmt::Display, _: &[u8]) {
        self.0.push(reason);
    }
}

impl Sink for Counting {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        self.readings.append(readings);
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _: &dyn fmt::Display, _: &[u8]) {
        match self.dropped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, total)) => *total += count,
            None => self.dropped.push((reason, count)),
        }
    }
}
