//! What engines and transmissions complain of (127489, 127493): a bit for each complaint, twice a second, to
//! notifications when one comes or goes.
//!
//! A bit that was never set is not told, so that a sound engine says nothing.

use canboat::{Database, Units};

use crate::reading::Quality;
use crate::wire::notification::{AlarmState, NOTIFICATIONS, Notification};
use crate::wire::{Emit, Source};

/// The status fields: PGN, first byte, bytes, canboat's names of the bits.
const FIELDS: [(u32, usize, usize, &str); 3] = [
    (127_489, 20, 2, "ENGINE_STATUS_1"),
    (127_489, 22, 2, "ENGINE_STATUS_2"),
    (127_493, 6, 1, "TRANSMISSION_STATUS_1"),
];

/// Fields whose bits are remembered: 8 engines with 3 each leave room for a device that was replaced. When full, a new
/// one is told and not remembered: its complaints are told again each time, and never withdrawn.
const REMEMBERED_MAX: usize = 64;

/// The complaints of one bus.
#[derive(Debug, Default)]
pub struct EngineAlarms(Vec<(Key, u64)>);

/// Who said it, of which engine, in which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(Source, u8, usize);

impl EngineAlarms {
    /// Takes one message; tells what came and what went.
    pub fn take(&mut self, pgn: u32, payload: &[u8], source: Source, emit: &mut Emit<'_>) {
        let Some(engine) = payload.first().copied().filter(|engine| *engine <= 252) else { return };
        for (nth, (_, at, bytes, names)) in FIELDS.into_iter().enumerate().filter(|(_, field)| field.0 == pgn) {
            let Some(raw) = payload.get(at..at + bytes) else { continue };
            // All ones: the engine does not tell.
            if raw.iter().all(|byte| *byte == 0xFF) {
                continue;
            }
            let now = raw.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            let changed = now ^ self.remember(Key(source, engine, nth), now);
            for bit in (0..16).filter(|bit| changed >> bit & 1 == 1) {
                tell(names, bit, engine, now >> bit & 1 == 1, emit);
            }
        }
    }

    /// Keeps the bits of now; those of before.
    fn remember(&mut self, key: Key, now: u64) -> u64 {
        if let Some((_, before)) = self.0.iter_mut().find(|(known, _)| *known == key) {
            return std::mem::replace(before, now);
        }
        if self.0.len() < REMEMBERED_MAX {
            self.0.push((key, now));
        }
        0
    }

    /// Bytes of memory that are held.
    pub const fn held_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Key, u64)>()
    }
}

fn tell(names: &str, bit: u8, engine: u8, set: bool, emit: &mut Emit<'_>) {
    let name = Database::embedded(Units::Si).bit_lookup(names).and_then(|table| table.get(bit)).map(|known| known.name);
    let Some(name) = name else { return };
    let state = if set { AlarmState::Alarm } else { AlarmState::Normal };
    let path = format!("{NOTIFICATIONS}propulsion.{engine}.{}", camel_case(name));
    emit.push(path, "", Notification::new(state, name).to_value(), Quality::Good);
}

/// `Low Oil Pressure` as `lowOilPressure`.
fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        let first = if out.is_empty() { first.to_ascii_lowercase() } else { first.to_ascii_uppercase() };
        out.push_str(&first);
        out.push_str(&rest.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(alarms: &mut EngineAlarms, bits: u16) -> Vec<(String, AlarmState)> {
        let mut out = Vec::new();
        let mut payload = [0; 26];
        payload[0] = 1;
        payload[20..22].copy_from_slice(&bits.to_le_bytes());
        alarms.take(127_489, &payload, Source::Address(3), &mut Emit::new(&mut out, Source::Address(3), None));
        let state = |value| Notification::from_value(value).unwrap().state;
        out.iter().map(|reading| (reading.path.to_string(), state(&reading.value))).collect()
    }

    #[test]
    fn a_complaint_is_told_when_it_comes_and_when_it_goes() {
        let mut alarms = EngineAlarms::default();
        let path = || "notifications.propulsion.1.lowOilPressure".to_owned();
        assert_eq!(told(&mut alarms, 0), []);
        assert_eq!(told(&mut alarms, 4), [(path(), AlarmState::Alarm)]);
        assert_eq!(told(&mut alarms, 4), []);
        assert_eq!(told(&mut alarms, 0xFFFF), [], "not available is no complaint");
        assert_eq!(told(&mut alarms, 0), [(path(), AlarmState::Normal)]);
    }
}
