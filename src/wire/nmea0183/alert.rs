//! Alerts in sentences (IEC 61162-1, 8.3: ALR, ALF, ALC, ACN, ARC, ACK, HBT; IEC 62923-1) to notifications.
//!
//! A path for each kind of sentence, an instance for each alert: `notifications.alert` of `XYZ512.2`. It answers
//! nothing: ACN and ACK are what others said to each other.

use std::borrow::Cow;

use super::number;
use super::sentence::Fields;
use super::table::BadField;
use crate::reading::Quality;
use crate::wire::notification::{AlarmState, Notification};
use crate::wire::{Emit, Source};

/// Alerts whose second sentence is awaited. It follows at once; a talker more, or garbage, gives up the oldest, whose
/// first sentence has told the alert already.
const AWAITED_MAX: usize = 8;

/// The highest number of an alarm in ALR and ACK: three digits.
const ALARM_MAX: u32 = 999;

/// Entries of one ALC sentence: as many as 82 characters hold, and more.
const LISTED_MAX: usize = 32;

/// The longest name of an alert kept: three letters, seven digits, a dot and six digits.
const NAME_BYTES_MAX: usize = 24;

/// The first sentences of alerts of two.
#[derive(Debug, Default)]
pub struct Alerts {
    awaited: Vec<First>,
}

#[derive(Debug)]
struct First {
    source: Source,
    sequence: Option<u8>,
    name: String,
    notification: Notification,
}

impl Alerts {
    /// ALF: the first sentence is the alert, the second a longer text for it.
    pub fn alf(&mut self, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
        let source = emit.source();
        let (total, nth) = (whole(fields, 0, 9)?, whole(fields, 1, 9)?);
        let (name, sequence, said) = (name(fields, 7), fields.letter(2), text(fields, 12));
        let same = |first: &First| first.source == source && first.sequence == sequence && first.name == name;
        let awaited = self.awaited.iter().position(same).map(|at| self.awaited.remove(at));
        if nth > 1 {
            // Without the first there is no state, and nothing to tell.
            let Some(First { notification, .. }) = awaited else { return Ok(()) };
            let message = format!("{}: {said}", notification.message);
            let longer = Notification { acknowledged: notification.acknowledged, ..new(notification.state, &message) };
            notify("notifications.alert", name, &longer, emit);
            return Ok(());
        }
        let (state, acknowledged) = alert_state(fields.letter(5), fields.letter(6)).ok_or(BadField(6))?;
        let notification = Notification { acknowledged, ..new(state, &said) };
        notify("notifications.alert", name.clone(), &notification, emit);
        if total > 1 {
            if self.awaited.len() >= AWAITED_MAX {
                self.awaited.remove(0);
            }
            self.awaited.push(First { source, sequence, name, notification });
        }
        Ok(())
    }
}

/// Priority and state of an alert (IEC 62923-1, table of alert states).
fn alert_state(priority: Option<u8>, state: Option<u8>) -> Option<(AlarmState, Option<bool>)> {
    let active = match priority? {
        b'E' => AlarmState::Emergency,
        b'A' => AlarmState::Alarm,
        b'W' => AlarmState::Warn,
        b'C' => AlarmState::Alert,
        _ => return None,
    };
    Some(match state? {
        b'V' => (active, Some(true)),
        b'A' | b'S' => (active, Some(false)),
        // Somebody else answers for it now.
        b'O' => (active, None),
        b'U' => (AlarmState::Normal, Some(false)),
        b'N' => (AlarmState::Normal, None),
        _ => return None,
    })
}

/// ALR: an alarm by its number.
pub fn alr(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let number = whole(fields, 1, ALARM_MAX)?;
    let state = match fields.letter(2) {
        Some(b'A') => AlarmState::Alarm,
        Some(b'V') => AlarmState::Normal,
        _ => return Err(BadField(2)),
    };
    let acknowledged = Some(fields.letter(3) == Some(b'A'));
    let notification = Notification { acknowledged, ..new(state, &text(fields, 4)) };
    notify("notifications.alarm", number.to_string(), &notification, emit);
    Ok(())
}

/// ALC: which alerts are not normal. It names them and does not say how bad they are: their own ALF does.
pub fn alc(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let (nth, count) = (whole(fields, 1, 99)?, whole(fields, 3, 999)?);
    let entries = (4..fields.count()).step_by(4).take(LISTED_MAX);
    let names: Vec<String> = entries.map(|at| name(fields, at)).collect();
    let state = if count == 0 { AlarmState::Normal } else { AlarmState::Alert };
    notify("notifications.alertList", nth.to_string(), &new(state, &names.join(" ")), emit);
    Ok(())
}

/// ACN: what a bridge tells the source of an alert to do.
pub fn acn(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    command("notifications.alertCommand", fields, emit)
}

/// ARC: the source of an alert refuses a command.
pub fn arc(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    command("notifications.alertCommandRefused", fields, emit)
}

fn command(path: &'static str, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let message = match fields.letter(4) {
        Some(b'A') => "acknowledge",
        Some(b'Q') => "request or repeat",
        Some(b'O') => "transfer responsibility",
        Some(b'S') => "silence",
        _ => return Err(BadField(4)),
    };
    notify(path, name(fields, 1), &new(AlarmState::Normal, message), emit);
    Ok(())
}

/// ACK: somebody acknowledged the alarm of this number.
pub fn ack(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let number = whole(fields, 0, ALARM_MAX)?;
    notify("notifications.alarmAcknowledged", number.to_string(), &new(AlarmState::Normal, "acknowledged"), emit);
    Ok(())
}

/// HBT: a system is well, or says that it is not.
pub fn hbt(fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    let (state, message) = match fields.letter(1) {
        Some(b'A') => (AlarmState::Normal, "normal operation"),
        Some(b'V') => (AlarmState::Alarm, "the system is not in normal operation"),
        _ => return Err(BadField(1)),
    };
    notify("notifications.heartbeat", String::new(), &new(state, message), emit);
    Ok(())
}

fn new(state: AlarmState, message: &str) -> Notification {
    Notification::new(state, message)
}

fn notify(path: &'static str, instance: String, notification: &Notification, emit: &mut Emit<'_>) {
    emit.push(Cow::Borrowed(path), Cow::Owned(instance), notification.to_value(), Quality::Good);
}

fn whole(fields: &Fields<'_>, at: usize, highest: u32) -> Result<u32, BadField> {
    let value = number::whole(fields.get(at)).map_err(BadField::at(at))?.unwrap_or(0);
    if value <= highest { Ok(value) } else { Err(BadField(at)) }
}

fn text(fields: &Fields<'_>, at: usize) -> String {
    String::from_utf8_lossy(fields.get(at).trim_ascii()).into_owned()
}

/// Manufacturer, identifier and instance of an alert from field `at` on, as `XYZ512.2`. Leading zeros say nothing.
fn name(fields: &Fields<'_>, at: usize) -> String {
    let word = |at: usize| {
        let clean = fields.get(at).iter().filter(|b| b.is_ascii_alphanumeric()).take(NAME_BYTES_MAX / 3);
        clean.map(|b| char::from(*b)).collect::<String>()
    };
    let number = |at: usize| word(at).trim_start_matches('0').to_owned();
    let instance = number(at + 2);
    let dot = if instance.is_empty() { "" } else { "." };
    format!("{}{}{dot}{instance}", word(at), number(at + 1))
}
