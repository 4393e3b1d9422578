//! Alerts that devices tell (126983), with the words that they tell apart from them (126985).
//!
//! An alert is known by its device, system, sub-system and id. Its words come once, or when somebody asks; they are
//! kept until then. An alert whose words were not heard is told with its numbers.
//!
//! One that does not say which alert it is, or not in which state, is dropped: a state that is missing is no end.
//!
//! An alert is repeated while it lasts. When its device gets another name, or another device its address, what it told
//! until then is told as normal.
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

/// Alerts that are known to be active, the newest. When full that of longest ago is forgotten, and not ended if its
/// device gets another name.
const ACTIVE_MAX: usize = 128;

/// The alerts of one bus: their words, and which are active.
#[derive(Debug, Default)]
pub struct Alerts {
    texts: VecDeque<(Key, String)>,
    active: VecDeque<Key>,
}

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

impl Key {
    fn tell(self, told: &Notification, emit: &mut Emit<'_>) {
        let Self { system, sub_system, id, .. } = self;
        let (path, instance) = (format!("{NOTIFICATIONS}alert"), format!("{system}.{sub_system}.{id}"));
        emit.push(path, instance, told.to_value(), Quality::Good);
    }
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
            let notification = self.notification(key, &told)?;
            self.note(key, notification.state != AlarmState::Normal);
            key.tell(&notification, emit);
        }
        Some(())
    }

    /// A device is called by another name from now on; its words are the same.
    pub fn rename(&mut self, before: Source, now: Source) {
        for (key, _) in self.texts.iter_mut().filter(|(key, _)| key.source == before) {
            key.source = now;
        }
    }

    /// A source is called by another name from now on, or is gone; what it told as `emit`'s ends, and begins anew.
    pub fn forget(&mut self, emit: &mut Emit<'_>) {
        let gone = emit.source();
        for key in self.active.iter().filter(|key| key.source == gone) {
            key.tell(&Notification::new(AlarmState::Normal, &self.message(*key)), emit);
        }
        self.active.retain(|key| key.source != gone);
    }

    fn note(&mut self, key: Key, is_active: bool) {
        self.active.retain(|known| *known != key);
        if is_active {
            if self.active.len() >= ACTIVE_MAX {
                self.active.pop_front();
            }
            self.active.push_back(key);
        }
    }

    fn remember(&mut self, key: Key, told: &DecodedPgn) {
        let text = |name| told.field_by_name(name).and_then(|field| field.value.as_str()).map_or("", str::trim);
        let both = [text("Alert Text Description"), text("Alert Location Text Description")];
        let text = both.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        self.texts.retain(|(known, _)| *known != key);
        if self.texts.len() >= TEXTS_MAX {
            self.texts.pop_front();
        }
        self.texts.push_back((key, text));
    }

    fn message(&self, key: Key) -> String {
        let text = self.texts.iter().find(|(known, text)| *known == key && !text.is_empty());
        text.map_or_else(
            || format!("alert {} of system {}.{}", key.id, key.system, key.sub_system),
            |(_, text)| text.clone(),
        )
    }

    fn notification(&self, key: Key, told: &DecodedPgn) -> Option<Notification> {
        // canboat's ALERT_STATE: 0 disabled, 1 normal, 4 acknowledged. ALERT_TYPE: 1, 2, 5 and 8, from bad to less bad.
        let state = number(told, "Alert State")?;
        let how_bad = match (state, number(told, "Alert Type")) {
            (0 | 1, _) => AlarmState::Normal,
            (_, Some(1)) => AlarmState::Emergency,
            (_, Some(2)) => AlarmState::Alarm,
            (_, Some(5)) => AlarmState::Warn,
            _ => AlarmState::Alert,
        };
        Some(Notification { acknowledged: Some(state == 4), ..Notification::new(how_bad, &self.message(key)) })
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        let texts = self.texts.capacity() * size_of::<(Key, String)>() + self.active.capacity() * size_of::<Key>();
        texts + self.texts.iter().map(|(_, text)| text.capacity()).sum::<usize>()
    }
}
