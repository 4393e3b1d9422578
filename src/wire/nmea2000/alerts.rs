//! Alerts that devices tell (126983), with the words that they tell apart from them (126985).
//!
//! An alert is known by its device, system, sub-system and id. Its words come once, or when somebody asks; they are
//! kept until then. An alert whose words were not heard is told with its numbers.
//!
//! One that does not say which alert it is, or not in which state, is dropped: a state that is missing is no end.
//!
//! The path is that of alerts in sentences, `notifications.alert`; the instance is `system.sub-system.id`.

use std::collections::VecDeque;

use canboat::{Database, DecodedPgn, Frame, Units};

use crate::reading::Quality;
use crate::wire::notification::{AlarmState, NOTIFICATIONS, Notification};
use crate::wire::{Emit, Source};

/// Alert.
pub const ALERT: u32 = 126_983;
/// Alert text.
pub const ALERT_TEXT: u32 = 126_985;

/// Reason: an alert without its id or state, or the words of one without its id.
pub const REASON_INCOMPLETE: &str = "incomplete_alert";

/// What stands for a system or sub-system that is not available: its own code for that.
const NOT_AVAILABLE: i64 = 255;

/// Texts that are kept, the newest: a plotter has some 30 alerts. One is at most 250 bytes, so all are 32 KiB.
const TEXTS_MAX: usize = 128;

/// The words of the alerts of one bus.
#[derive(Debug, Default)]
pub struct Alerts(VecDeque<(Key, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: Source,
    system: i64,
    sub_system: i64,
    id: i64,
}

fn number(told: &DecodedPgn, name: &str) -> Option<i64> {
    told.field_by_name(name).and_then(|field| field.value.as_i64())
}

fn key(told: &DecodedPgn, source: Source) -> Option<Key> {
    let part = |name| number(told, name).unwrap_or(NOT_AVAILABLE);
    let (system, sub_system) = (part("Alert System"), part("Alert Sub-System"));
    Some(Key { source, system, sub_system, id: number(told, "Alert ID")? })
}

impl Alerts {
    /// Takes one of the two PGNs; `None` when it is incomplete.
    pub fn take(&mut self, pgn: u32, payload: &[u8], emit: &mut Emit<'_>) -> Option<()> {
        let frame = Frame::new(None, 2, pgn, 0, 255, payload.iter().copied());
        let told = Database::embedded(Units::Si).decode(&frame).ok()?;
        let key = key(&told, emit.source())?;
        if pgn == ALERT_TEXT {
            self.remember(key, &told);
        } else {
            let value = self.notification(key, &told)?.to_value();
            let Key { system, sub_system, id, .. } = key;
            let (path, instance) = (format!("{NOTIFICATIONS}alert"), format!("{system}.{sub_system}.{id}"));
            emit.push(path, instance, value, Quality::Good);
        }
        Some(())
    }

    fn remember(&mut self, key: Key, told: &DecodedPgn) {
        let text = |name| told.field_by_name(name).and_then(|field| field.value.as_str()).map_or("", str::trim);
        let both = [text("Alert Text Description"), text("Alert Location Text Description")];
        let text = both.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        self.0.retain(|(known, _)| *known != key);
        if self.0.len() >= TEXTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((key, text));
    }

    fn notification(&self, key: Key, told: &DecodedPgn) -> Option<Notification> {
        let text = self.0.iter().find(|(known, text)| *known == key && !text.is_empty());
        let message = text.map_or_else(
            || format!("alert {} of system {}.{}", key.id, key.system, key.sub_system),
            |(_, text)| text.clone(),
        );
        // canboat's ALERT_STATE: 0 disabled, 1 normal, 4 acknowledged. ALERT_TYPE: 1, 2, 5 and 8, from bad to less bad.
        let state = number(told, "Alert State")?;
        let how_bad = match (state, number(told, "Alert Type")) {
            (0 | 1, _) => AlarmState::Normal,
            (_, Some(1)) => AlarmState::Emergency,
            (_, Some(2)) => AlarmState::Alarm,
            (_, Some(5)) => AlarmState::Warn,
            _ => AlarmState::Alert,
        };
        Some(Notification { acknowledged: Some(state == 4), ..Notification::new(how_bad, &message) })
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len() + size_of::<(Key, String)>()).sum()
    }
}
