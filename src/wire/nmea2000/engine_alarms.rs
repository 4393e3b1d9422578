//! What engines and transmissions complain of (127489, 127493): a bit for each complaint, twice a second, to
//! notifications when one comes or goes, and again each minute while it lasts.
//!
//! When a status is heard for the first time all its bits are told, also those that are not set: a complaint that ended
//! while nobody listened is over.

use crate::reading::Quality;
use crate::wire::notification::{AlarmState, NOTIFICATIONS, Notification};
use crate::wire::{Emit, Source};

use AlarmState::{Alarm, Alert, Normal, Warn};

/// What the bits of a status say, from the lowest, and how bad it is; normal for what is no complaint.
type Bits = &'static [(&'static str, AlarmState)];

/// A status field: PGN, first byte, bytes, what stands between the engine and the complaint in the path, bits.
type Field = (u32, usize, usize, &'static str, Bits);

const FIELDS: [Field; 3] = [
    (127_489, 20, 2, "", ENGINE_STATUS_1),
    (127_489, 22, 2, "", ENGINE_STATUS_2),
    (127_493, 6, 1, "transmission.", TRANSMISSION_STATUS_1),
];

/// Alarms are what ruins an engine in minutes; warnings want attention soon; alerts are for the log.
const ENGINE_STATUS_1: Bits = &[
    ("Check Engine", Warn),
    ("Over Temperature", Alarm),
    ("Low Oil Pressure", Alarm),
    ("Low Oil Level", Warn),
    ("Low Fuel Pressure", Warn),
    ("Low System Voltage", Warn),
    ("Low Coolant Level", Warn),
    ("Water Flow", Alarm),
    ("Water In Fuel", Warn),
    ("Charge Indicator", Warn),
    // A diesel that is started when cold.
    ("Preheat Indicator", Normal),
    ("High Boost Pressure", Warn),
    ("Rev Limit Exceeded", Warn),
    ("EGR System", Alert),
    ("Throttle Position Sensor", Warn),
    ("Emergency Stop", Alarm),
];
const ENGINE_STATUS_2: Bits = &[
    ("Warning Level 1", Warn),
    ("Warning Level 2", Alarm),
    ("Power Reduction", Warn),
    ("Maintenance Needed", Alert),
    ("Engine Comm Error", Warn),
    ("Sub or Secondary Throttle", Alert),
    ("Neutral Start Protect", Alert),
    ("Engine Shutting Down", Alarm),
];
const TRANSMISSION_STATUS_1: Bits = &[
    ("Check Transmission", Warn),
    ("Over Temperature", Alarm),
    ("Low Oil Pressure", Alarm),
    ("Low Oil Level", Warn),
    // Sea water in it.
    ("Sail Drive", Alarm),
];

/// Whether a PGN has complaints.
pub const fn is_status(pgn: u32) -> bool {
    matches!(pgn, 127_489 | 127_493)
}

/// How often a complaint that lasts is told again.
const REPEAT_MS: u64 = 60_000;

/// Status fields that are remembered: 8 engines with 3 each leave room for a device that was replaced. When full the
/// one that was not heard for longest is forgotten: if it is heard again it is told whole, as at first.
const REMEMBERED_MAX: usize = 64;

/// The complaints of one bus.
#[derive(Debug, Default)]
pub struct EngineAlarms(Vec<Status>);

/// What was last told of one status field of one engine.
#[derive(Debug)]
struct Status {
    key: Key,
    bits: u64,
    told_ms: u64,
    heard_ms: u64,
}

/// Who said it, of which engine, in which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(Source, u8, usize);

impl EngineAlarms {
    /// Takes one message; tells what came and what went.
    pub fn take(&mut self, pgn: u32, payload: &[u8], mono_ms: u64, emit: &mut Emit<'_>) {
        let Some(engine) = payload.first().copied().filter(|engine| *engine <= 252) else { return };
        for (nth, (_, at, bytes, ..)) in FIELDS.into_iter().enumerate().filter(|(_, field)| field.0 == pgn) {
            let Some(raw) = payload.get(at..at + bytes) else { continue };
            // All ones: the engine does not tell.
            if raw.iter().all(|byte| *byte == 0xFF) {
                continue;
            }
            let now = raw.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            let key = Key(emit.source(), engine, nth);
            tell(key, self.untold(key, now, mono_ms), now, emit);
        }
    }

    /// A source is called by another name from now on, or is gone; what it told as `emit`'s ends, and begins anew.
    pub fn forget(&mut self, emit: &mut Emit<'_>) {
        self.0.retain(|status| {
            let stays = status.key.0 != emit.source();
            if !stays {
                tell(status.key, status.bits, 0, emit);
            }
            stays
        });
    }

    /// Keeps the bits of now; those of which something is to be told.
    fn untold(&mut self, key: Key, now: u64, mono_ms: u64) -> u64 {
        if let Some(status) = self.0.iter_mut().find(|status| status.key == key) {
            let is_due = mono_ms.saturating_sub(status.told_ms) >= REPEAT_MS;
            let changed = now ^ status.bits;
            (status.bits, status.heard_ms) = (now, mono_ms);
            if is_due {
                status.told_ms = mono_ms;
            }
            return if is_due { changed | now } else { changed };
        }
        if self.0.len() >= REMEMBERED_MAX
            && let Some((oldest, _)) = self.0.iter().enumerate().min_by_key(|(_, status)| status.heard_ms)
        {
            self.0.swap_remove(oldest);
        }
        self.0.push(Status { key, bits: now, told_ms: mono_ms, heard_ms: mono_ms });
        u64::MAX
    }

    /// Bytes of memory that are held.
    pub const fn held_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Status>()
    }
}

/// Tells the bits of `mask` as they are in `now`.
fn tell(Key(_, engine, nth): Key, mask: u64, now: u64, emit: &mut Emit<'_>) {
    let (_, _, _, part, bits) = FIELDS[nth];
    for (bit, (name, how_bad)) in bits.iter().enumerate().filter(|(_, (_, how_bad))| *how_bad != Normal) {
        if mask >> bit & 1 == 1 {
            let state = if now >> bit & 1 == 1 { *how_bad } else { Normal };
            let path = format!("{NOTIFICATIONS}propulsion.{engine}.{part}{}", camel_case(name));
            emit.push(path, "", Notification::new(state, name).to_value(), Quality::Good);
        }
    }
}

/// `Low Oil Pressure` as `lowOilPressure`.
fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(' ').filter(|word| !word.is_empty()) {
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
    use canboat::{Database, Units};

    const OIL: u64 = 1 << 2;
    const OIL_PATH: &str = "notifications.propulsion.1.lowOilPressure";

    /// Engine 1 says `bits` in its first status, and nothing in its second.
    fn engine(alarms: &mut EngineAlarms, from: u8, ms: u64, bits: u64) -> Vec<(String, AlarmState)> {
        let mut payload = [0xFF; 26];
        payload[0] = 1;
        payload[20..22].copy_from_slice(&bits.to_le_bytes()[..2]);
        told(from, |emit| alarms.take(127_489, &payload, ms, emit))
    }

    fn told(from: u8, tell: impl FnOnce(&mut Emit<'_>)) -> Vec<(String, AlarmState)> {
        let mut out = Vec::new();
        tell(&mut Emit::new(&mut out, Source::Address(from), None));
        let state = |value| Notification::from_value(value).unwrap().state;
        out.iter().map(|reading| (reading.path.to_string(), state(&reading.value))).collect()
    }

    #[test]
    fn a_complaint_is_told_when_it_comes_each_minute_and_when_it_goes() {
        let mut alarms = EngineAlarms::default();
        let first = engine(&mut alarms, 3, 0, 0);
        assert_eq!(first.len(), 15, "all but the preheating, for what ended unheard");
        assert!(first.contains(&(OIL_PATH.to_owned(), Normal)) && first.iter().all(|(_, state)| *state == Normal));
        assert_eq!(engine(&mut alarms, 3, 500, OIL), [(OIL_PATH.to_owned(), Alarm)]);
        assert_eq!(engine(&mut alarms, 3, 59_999, OIL), []);
        assert_eq!(engine(&mut alarms, 3, 60_000, OIL), [(OIL_PATH.to_owned(), Alarm)]);
        assert_eq!(engine(&mut alarms, 3, 60_500, 0xFFFF), [], "not available is no complaint");
        assert_eq!(engine(&mut alarms, 3, 61_000, 0), [(OIL_PATH.to_owned(), Normal)]);
        assert_eq!(engine(&mut alarms, 3, 200_000, 0), []);
    }

    #[test]
    fn each_bit_is_as_bad_as_it_is_and_preheating_is_no_complaint() {
        let mut alarms = EngineAlarms::default();
        engine(&mut alarms, 3, 0, 0);
        assert_eq!(engine(&mut alarms, 3, 1, 1 << 10), []);
        let told = engine(&mut alarms, 3, 2, 1 << 10 | 1 << 12 | 1 << 1);
        let path = |name: &str| format!("notifications.propulsion.1.{name}");
        assert_eq!(told, [(path("overTemperature"), Alarm), (path("revLimitExceeded"), Warn)]);
    }

    #[test]
    fn a_gearbox_is_not_its_engine() {
        let mut alarms = EngineAlarms::default();
        engine(&mut alarms, 3, 0, OIL);
        let gearbox = told(3, |emit| alarms.take(127_493, &[1, 0, 0, 0, 0, 0, 4, 0xFF], 0, emit));
        assert!(gearbox.contains(&("notifications.propulsion.1.transmission.lowOilPressure".to_owned(), Alarm)));
        assert_eq!(gearbox.len(), 5);
        assert_eq!(engine(&mut alarms, 3, 1, 0), [(OIL_PATH.to_owned(), Normal)]);
    }

    #[test]
    fn a_source_that_is_forgotten_ends_what_it_told() {
        let mut alarms = EngineAlarms::default();
        engine(&mut alarms, 3, 0, OIL);
        engine(&mut alarms, 4, 0, OIL);
        assert_eq!(told(3, |emit| alarms.forget(emit)), [(OIL_PATH.to_owned(), Normal)]);
        assert_eq!(engine(&mut alarms, 4, 1, OIL), [], "another's stays");
        assert_eq!(engine(&mut alarms, 3, 1, OIL).len(), 15, "told as at first");
    }

    #[test]
    fn when_full_the_one_unheard_for_longest_gives_way() {
        let mut alarms = EngineAlarms::default();
        for from in 0..=64 {
            engine(&mut alarms, from, from.into(), OIL);
        }
        assert_eq!(alarms.0.len(), REMEMBERED_MAX);
        assert_eq!(engine(&mut alarms, 64, 65, 0).len(), 1, "remembered");
        assert_eq!(engine(&mut alarms, 0, 66, 0).len(), 15, "forgotten, and told whole");
    }

    #[test]
    fn the_bits_are_those_of_canboat() {
        let names = ["ENGINE_STATUS_1", "ENGINE_STATUS_2", "TRANSMISSION_STATUS_1"];
        for ((.., bits), names) in FIELDS.into_iter().zip(names) {
            let table = Database::embedded(Units::Si).bit_lookup(names).unwrap();
            let name = |bit: u8| table.get(bit).map(|known| known.name);
            let ours = |bit: u8| bits.get(usize::from(bit)).map(|(name, _)| *name);
            assert!(
                (0..16).all(|bit| name(bit).is_none_or(|name| ours(bit).is_some_and(|ours| name.starts_with(ours))))
            );
        }
    }
}
