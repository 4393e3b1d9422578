//! Alerts that devices tell (126983), with the words that they tell apart from them (126985).
//!
//! An alert is known by its device, system, sub-system and id. Its words come once, or when somebody asks; they are
//! kept until then. An alert whose words were not heard is told with its numbers.
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

fn number(told: &DecodedPgn, name: &str) -> i64 {
    told.field_by_name(name).and_then(|field| field.value.as_i64()).unwrap_or(0)
}

impl Alerts {
    /// Takes one of the two PGNs.
    pub fn take(&mut self, pgn: u32, payload: &[u8], source: Source, emit: &mut Emit<'_>) {
        let Ok(told) = Database::embedded(Units::Si).decode(&Frame::new(None, 2, pgn, 0, 255, payload.iter().copied()))
        else {
            return;
        };
        let [system, sub_system, id] =
            ["Alert System", "Alert Sub-System", "Alert ID"].map(|field| number(&told, field));
        let key = Key { source, system, sub_system, id };
        if pgn == ALERT_TEXT {
            self.remember(key, &told);
        } else {
            let value = self.notification(key, &told).to_value();
            let (path, instance) = (format!("{NOTIFICATIONS}alert"), format!("{system}.{sub_system}.{id}"));
            emit.push(path, instance, value, Quality::Good);
        }
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

    fn notification(&self, key: Key, told: &DecodedPgn) -> Notification {
        let text = self.0.iter().find(|(known, text)| *known == key && !text.is_empty());
        let message = text.map_or_else(
            || format!("alert {} of system {}.{}", key.id, key.system, key.sub_system),
            |(_, text)| text.clone(),
        );
        // canboat's ALERT_STATE: 0 disabled, 1 normal, 4 acknowledged. ALERT_TYPE: 1, 2, 5 and 8, from bad to less bad.
        let state = number(told, "Alert State");
        let how_bad = match (state, number(told, "Alert Type")) {
            (0 | 1, _) => AlarmState::Normal,
            (_, 1) => AlarmState::Emergency,
            (_, 2) => AlarmState::Alarm,
            (_, 5) => AlarmState::Warn,
            _ => AlarmState::Alert,
        };
        Notification { acknowledged: Some(state == 4), ..Notification::new(how_bad, &message) }
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len() + size_of::<(Key, String)>()).sum()
    }
}
