//! Diagnostic messages (SAE J1939-73): trouble codes as notifications.
//!
//! An ECU repeats its active codes (DM1) every second. That is a state and no event: a notification is told when it
//! changes. The first DM1 of an ECU and then one a minute is told whole, with the end of the list behind it: who joined
//! late knows what is active and what is no more. What is not repeated is no loss and is not counted. A code that is
//! gone from the next DM1 of its ECU is told as normal, once.
//!
//! An ECU that falls silent tells nothing: J1939-73 has it send one more DM1 when a code goes, so silence is no end,
//! and what it said last stands. It ends when another ECU claims the address, or when its room is needed.

use crate::reading::Quality;
use crate::wire::notification::{AlarmState, CODE, LIST_END, NOTIFICATIONS, Notification};
use crate::wire::{Decoded, Source};

use super::rows::parameter_name;

/// Codes that are active at once, of all ECUs of a bus: 30 ECUs with 8 each. A DM1 can carry 445. When full the ECU
/// that is silent for longest gives way if it is so for [`SILENT_MS`]: its codes are told as normal, for nobody else
/// would.
const ACTIVE_MAX: usize = 256;

/// How often the codes of an ECU are told whole, also those that did not change.
const REPEAT_MS: u64 = 60_000;

/// When an ECU with active codes is silent: after ten times the second at which it repeats them (J1939-73, DM1). Two
/// ECUs that are both there must not take each other's room at every DM1.
const SILENT_MS: u64 = 10_000;

/// ECUs that are remembered: the addresses of a bus. When full the one not heard for longest is forgotten, and its next
/// DM1 told whole.
const ECUS_MAX: usize = 256;

/// Reason: a trouble code beyond the 256 that are kept active.
pub const REASON_DIAGNOSTICS_FULL: &str = "diagnostics_full";

/// Bytes of the lamps before the trouble codes.
const LAMP_BYTES: usize = 2;

/// Bytes of a trouble code.
const CODE_BYTES: usize = 4;

/// A suspect parameter number with all bits set stands for no code.
const SPN_NONE: u32 = 0x7_FFFF;

/// An occurrence count that is not available.
const COUNT_NOT_AVAILABLE: u8 = 127;

/// What a failure mode identifier means, in the words of J1939-73, appendix A, shortened. 22 to 30 are reserved.
const FAILURE_MODES: [&str; 22] = [
    "above normal, most severe",
    "below normal, most severe",
    "erratic",
    "voltage above normal or shorted high",
    "voltage below normal or shorted low",
    "current below normal or open circuit",
    "current above normal or grounded",
    "mechanical system does not respond",
    "abnormal frequency",
    "abnormal update rate",
    "abnormal rate of change",
    "root cause not known",
    "bad device or component",
    "out of calibration",
    "special instructions",
    "above normal, least severe",
    "above normal, moderately severe",
    "below normal, least severe",
    "below normal, moderately severe",
    "received data in error",
    "drifted high",
    "drifted low",
];

/// A diagnostic trouble code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Code {
    spn: u32,
    fmi: u8,
    count: Option<u32>,
    /// Whether the SPN is converted by one of the methods before version 4, which put its bits in another order and do
    /// not say which.
    old_conversion: bool,
}

impl Code {
    /// The code in four bytes; `None` for the fillers that stand for none.
    fn parse(bytes: [u8; CODE_BYTES]) -> Option<Self> {
        let [low, middle, high, count] = bytes;
        let spn = u32::from_le_bytes([low, middle, high >> 5, 0]);
        let occurrences = count & 0x7F;
        if (spn == 0 && high & 0x1F == 0) || spn == SPN_NONE {
            return None;
        }
        Some(Self {
            spn,
            fmi: high & 0x1F,
            count: (occurrences != COUNT_NOT_AVAILABLE).then_some(u32::from(occurrences)),
            old_conversion: count & 0x80 != 0,
        })
    }

    fn message(self) -> String {
        let what = parameter_name(self.spn).map_or_else(|| format!("SPN {}", self.spn), str::to_owned);
        let mode = match self.fmi {
            31 => "condition exists",
            fmi => FAILURE_MODES.get(usize::from(fmi)).copied().unwrap_or("unknown failure mode"),
        };
        let doubt = if self.old_conversion { " (SPN conversion method 1: the number may be another)" } else { "" };
        format!("{what}: {mode}{doubt}")
    }

    fn notification(self, state: AlarmState) -> Notification {
        let told = Notification::new(state, &self.message());
        Notification { spn: Some(self.spn), fmi: Some(self.fmi), count: self.count, ..told }
    }
}

/// How bad the lamps say it is; they stand for all codes of their ECU. Two bits each: 01 is on.
fn state_of(lamps: u8) -> AlarmState {
    let is_on = |shift: u32| lamps >> shift & 3 == 1;
    match () {
        () if is_on(4) => AlarmState::Alarm,
        () if is_on(2) || is_on(0) => AlarmState::Warn,
        // The malfunction indicator is about emissions; no lamp at all is a code for the workshop.
        () => AlarmState::Alert,
    }
}

#[derive(Debug)]
struct Active {
    source: Source,
    instance: u8,
    code: Code,
    state: AlarmState,
    /// Whether the DM1 at hand has it.
    seen: bool,
}

/// Whose diagnostic message it is, and when it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub source: Source,
    pub instance: u8,
    pub mono_ms: u64,
}

/// When an ECU's codes were last heard, and last told whole.
#[derive(Debug)]
struct Ecu {
    source: Source,
    heard_ms: u64,
    listed_ms: u64,
}

/// The active trouble codes of one bus, at most [`ACTIVE_MAX`].
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    active: Vec<Active>,
    /// At most [`ECUS_MAX`].
    ecus: Vec<Ecu>,
}

impl Diagnostics {
    /// DM1: the active codes of one ECU, all of them. Gives the number of codes for which there was no room.
    pub fn active(&mut self, payload: &[u8], sender: Sender, out: &mut Vec<Decoded>) -> u64 {
        let Sender { source, instance, .. } = sender;
        let state = payload.first().map_or(AlarmState::Alert, |lamps| state_of(*lamps));
        let is_whole = self.is_to_be_listed(sender);
        let (mut refused, mut listed) = (0, 0);
        for code in codes(payload) {
            let known = self
                .active
                .iter_mut()
                .find(|a| (a.source, a.instance, a.code.spn, a.code.fmi) == (source, instance, code.spn, code.fmi));
            if let Some(known) = known {
                known.seen = true;
                if is_whole || (known.code, known.state) != (code, state) {
                    (known.code, known.state) = (code, state);
                    out.push(reading(source, instance, code, state));
                }
            } else if self.active.len() < ACTIVE_MAX || self.give_way(sender, out) {
                self.active.push(Active { source, instance, code, state, seen: true });
                out.push(reading(source, instance, code, state));
            } else {
                refused += 1;
            }
            listed += 1;
        }
        self.active.retain_mut(|active| {
            let stays = active.source != source || std::mem::take(&mut active.seen);
            if !stays {
                out.push(reading(source, active.instance, active.code, AlarmState::Normal));
            }
            stays
        });
        // A list with gaps has no end: what it lacks is not over.
        if is_whole && refused == 0 {
            out.push(list_end(source, instance, listed));
        }
        refused
    }

    /// Whether an ECU's codes are to be told whole now; notes that they are, and that it was heard.
    fn is_to_be_listed(&mut self, Sender { source, mono_ms, .. }: Sender) -> bool {
        if let Some(ecu) = self.ecus.iter_mut().find(|ecu| ecu.source == source) {
            let is_due = mono_ms.saturating_sub(ecu.listed_ms) >= REPEAT_MS;
            ecu.heard_ms = mono_ms;
            if is_due {
                ecu.listed_ms = mono_ms;
            }
            return is_due;
        }
        if self.ecus.len() >= ECUS_MAX
            && let Some((oldest, _)) = self.ecus.iter().enumerate().min_by_key(|(_, ecu)| ecu.heard_ms)
        {
            self.ecus.swap_remove(oldest);
        }
        self.ecus.push(Ecu { source, heard_ms: mono_ms, listed_ms: mono_ms });
        true
    }

    /// Ends the codes of the ECU that is silent for longest; whether there was one. One that is not remembered any more
    /// is silent for longer than all that are.
    fn give_way(&mut self, sender: Sender, out: &mut Vec<Decoded>) -> bool {
        let heard_ms = |active: &Active| {
            let ecu = self.ecus.iter().find(|ecu| ecu.source == active.source);
            (ecu.map(|ecu| ecu.heard_ms), active.source)
        };
        let oldest = self.active.iter().map(heard_ms).min();
        let is_silent = |ms: u64| sender.mono_ms.saturating_sub(ms) >= SILENT_MS;
        let silent = oldest.filter(|(heard_ms, _)| heard_ms.is_none_or(is_silent));
        silent.inspect(|(_, source)| self.forget(*source, out)).is_some()
    }

    /// DM2: codes that were active before and are not now. ECUs send it when asked, so it is told as it comes.
    pub fn previous(&self, payload: &[u8], sender: Sender, out: &mut Vec<Decoded>) {
        let Sender { source, instance, .. } = sender;
        let is_active = |code: &Code| {
            let same = |a: &Active| (a.source, a.code.spn, a.code.fmi) == (source, code.spn, code.fmi);
            self.active.iter().any(same)
        };
        let gone = codes(payload).filter(|code| !is_active(code));
        out.extend(gone.map(|code| reading(source, instance, code, AlarmState::Normal)));
    }

    /// A source is called by another name from now on, or is gone; what it told as `source` ends, and begins anew with
    /// its next DM1.
    pub fn forget(&mut self, source: Source, out: &mut Vec<Decoded>) {
        self.ecus.retain(|ecu| ecu.source != source);
        self.active.retain(|active| {
            if active.source == source {
                out.push(reading(source, active.instance, active.code, AlarmState::Normal));
            }
            active.source != source
        });
    }

    pub fn held_bytes(&self) -> usize {
        self.active.capacity() * size_of::<Active>() + self.ecus.capacity() * size_of::<Ecu>()
    }
}

fn codes(payload: &[u8]) -> impl Iterator<Item = Code> {
    let (codes, _) = payload.get(LAMP_BYTES..).unwrap_or_default().as_chunks::<CODE_BYTES>();
    codes.iter().filter_map(|bytes| Code::parse(*bytes))
}

fn reading(source: Source, instance: u8, code: Code, state: AlarmState) -> Decoded {
    let path = format!("{NOTIFICATIONS}propulsion.{instance}{CODE}{}.fmi{}", code.spn, code.fmi);
    decoded(source, path, &code.notification(state))
}

/// Behind the last of `listed` codes.
fn list_end(source: Source, instance: u8, listed: u32) -> Decoded {
    let end = Notification::new(AlarmState::Normal, "active trouble codes");
    let path = format!("{NOTIFICATIONS}propulsion.{instance}{LIST_END}");
    decoded(source, path, &Notification { count: Some(listed), ..end })
}

fn decoded(source: Source, path: String, told: &Notification) -> Decoded {
    Decoded {
        context: crate::reading::Context::OwnShip,
        path: path.into(),
        source,
        instance: "".into(),
        unit: None,
        value: told.to_value(),
        quality: Quality::Good,
        observed_at: None,
    }
}
