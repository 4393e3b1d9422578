//! The sink of all targets: keeps what a decoder made and checks each reading.

use std::collections::BTreeMap;
use std::fmt;

use crate::reading::{Quality, TEXT_BYTES_MAX, Value};
use crate::wire::{Decoded, Sink, unit};

/// The longest path or instance: the longest that a decoder builds itself has some 80 bytes, a map or a DBC may name
/// longer ones but no longer than its line.
const NAME_BYTES_MAX: usize = 4_096;

/// Everything a decoder said.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    /// Its readings, in their order.
    pub readings: Vec<Decoded>,
    /// Sound messages.
    pub messages: u64,
    /// What was dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

impl Sink for Seen {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        readings.iter().for_each(check);
        self.readings.append(readings);
    }

    fn dropped(&mut self, reason: &'static str, count: u64, why: &dyn fmt::Display, _near: &[u8]) {
        assert!(count > 0, "{reason}: nothing dropped");
        assert!(reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
        // Samples are printed for people: that must not fail either.
        drop(why.to_string());
        *self.dropped.entry(reason).or_default() += count;
    }
}

impl Seen {
    /// How often something was dropped for `reason`.
    pub fn count(&self, reason: &str) -> u64 {
        self.dropped.get(reason).copied().unwrap_or(0)
    }

    /// Asserts that an input of so many bytes made no more readings than `each` a byte.
    #[track_caller]
    pub fn assert_bounded_by(&self, bytes: usize, each: usize) {
        assert!(self.readings.len() <= bytes * each, "{} readings of {bytes} bytes", self.readings.len());
    }
}

/// What holds of every reading.
fn check(reading: &Decoded) {
    let Decoded { path, value, quality, instance, .. } = reading;
    assert!(!path.is_empty() && path.len() <= NAME_BYTES_MAX && instance.len() <= NAME_BYTES_MAX, "{reading:?}");
    assert_eq!(*quality == Quality::Good, *value != Value::Absent, "{reading:?}");
    match value {
        Value::Float(number) => assert!(number.is_finite(), "{reading:?}"),
        Value::Text(text) => assert!(text.len() <= TEXT_BYTES_MAX, "{reading:?}"),
        Value::Position { latitude, longitude } => {
            assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{reading:?}");
        }
        Value::Integer(_) | Value::Bool(_) | Value::Absent => {}
    }
    // The keys of a printed reading.
    drop((unit(path), reading.source.to_string(), reading.context.to_string(), value.to_json()));
}
