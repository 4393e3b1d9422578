//! Alerts in sentences (IEC 61162-1, 8.3: ALR, ALF, ALC, ACN, ARC, ACK, HBT; IEC 62923-1) to notifications.
//!
//! A path for each kind of sentence, an instance for each alert: `notifications.alert` of `XYZ512.2`. It answers
//! nothing: ACN and ACK are what others said to each other. The list of alerts (ALC) makes no readings: each of them
//! has its own ALF, which also says how bad it is.

use std::borrow::Cow;

use super::number;
use super::rules::unescaped;
use super::sentence::Fields;
use super::table::BadField;
use crate::reading::Quality;
use crate::wire::notification::{AlarmState, Notification};
use crate::wire::{Decoded, Emit, Source};

/// Alerts whose second sentence is awaited. It follows at once; for one more the oldest is given up whose first was
/// told alone already. If there is none, eight talkers are in the middle of an alert, and the ninth is told at once.
/// One takes 300 bytes.
const AWAITED_MAX: usize = 8;

/// The highest number of an alarm in ALR and ACK: three digits.
const ALARM_MAX: u32 = 999;

/// Alerts in one ALC: three digits.
const LISTED_MAX: u32 = 999;

/// The longest name of an alert kept: three letters, seven digits, a dot and six digits.
const NAME_BYTES_MAX: usize = 24;

/// The first sentences of alerts of two.
#[derive(Debug, Default)]
pub struct Alerts {
    awaited: Vec<First>,
    /// How many of them are not told.
    untold: usize,
}

#[derive(Debug)]
struct First {
    source: Source,
    sequence: Option<u8>,
    name: String,
    notification: Notification,
    /// Told alone, because the second did not come next.
    told: bool,
}

impl First {
    fn is(&self, source: Source, sequence: Option<u8>, name: &str) -> bool {
        self.source == source && self.sequence == sequence && self.name == name
    }
}

impl Alerts {
    /// ALF: the first sentence is the alert, the second a longer text for it. Of two, the first waits for the second:
    /// the words of a repeated alert do not change to and fro. If that is not the talker's next it is told alone, by
    /// [`Self::overdue`].
    pub fn alf(&mut self, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
        let source = emit.source();
        let (total, nth) = (whole(fields, 0, 9)?, whole(fields, 1, 9)?);
        let (name, sequence, said) = (name(fields, 7), fields.letter(2), text(fields, 12));
        if nth > 1 {
            let awaited = self.awaited.iter().position(|first| first.is(source, sequence, &name));
            let awaited = awaited.map(|at| self.take(at));
            self.overdue(emit);
            // Without the first there is no state, and nothing to tell.
            let Some(First { notification, .. }) = awaited else { return Ok(()) };
            let message = format!("{}: {said}", notification.message);
            let longer = Notification { acknowledged: notification.acknowledged, ..new(notification.state, &message) };
            notify("notifications.alert", name, &longer, emit);
            return Ok(());
        }
        let (state, acknowledged) = alert_state(fields.letter(5), fields.letter(6)).ok_or(BadField(6))?;
        let notification = Notification { acknowledged, ..new(state, &said) };
        self.overdue(emit);
        if total > 1 {
            self.wait(First { source, sequence, name, notification, told: false }, emit);
        } else {
            notify("notifications.alert", name, &notification, emit);
        }
        Ok(())
    }

    /// Whether an alert is not told yet, for it waits for its second sentence.
    pub const fn is_waiting(&self) -> bool {
        self.untold > 0
    }

    /// Tells what waits for a second sentence of this talker, who says something else now.
    pub fn overdue(&mut self, emit: &mut Emit<'_>) {
        let source = emit.source();
        for first in self.awaited.iter_mut().filter(|first| first.source == source && !first.told) {
            first.told = true;
            self.untold -= 1;
            notify("notifications.alert", first.name.clone(), &first.notification, emit);
        }
    }

    /// The connection ended: tells all that wait, and awaits nothing more.
    pub fn end(&mut self, out: &mut Vec<Decoded>) {
        for First { source, name, notification, told, .. } in self.awaited.drain(..) {
            if !told {
                notify("notifications.alert", name, &notification, &mut Emit::new(out, source, None));
            }
        }
        self.untold = 0;
    }

    fn wait(&mut self, first: First, emit: &mut Emit<'_>) {
        let known = self.awaited.iter().position(|known| known.is(first.source, first.sequence, &first.name));
        if let Some(at) = known {
            self.take(at);
        }
        if self.awaited.len() >= AWAITED_MAX {
            let Some(oldest) = self.awaited.iter().position(|known| known.told) else {
                return notify("notifications.alert", first.name, &first.notification, emit);
            };
            self.take(oldest);
        }
        self.untold += 1;
        self.awaited.push(first);
    }

    fn take(&mut self, at: usize) -> First {
        let first = self.awaited.remove(at);
        self.untold -= usize::from(!first.told);
        first
    }

    /// Bytes of memory that are held.
    pub fn held_bytes(&self) -> usize {
        let texts = self.awaited.iter().map(|first| first.name.capacity() + first.notification.message.capacity());
        self.awaited.capacity() * size_of::<First>() + texts.sum::<usize>()
    }
}

/// ALC: which alerts are not normal, each half minute (IEC 62923-1).
pub fn alc(fields: &Fields<'_>, _: &mut Emit<'_>) -> Result<(), BadField> {
    whole(fields, 3, LISTED_MAX).map(|_| ())
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
    unescaped(fields.get(at)).into_owned()
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
