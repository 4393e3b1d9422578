//! Modbus in the compressed week: the gateway's poller asks the simulator's meters on a serial line. Each question ends
//! as an answer or under a reason, and each kind of fault under its own.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawser::clock::Stamp;
use hawser::entropy::Entropy;
use hawser::sim::FaultKind::{self, *};
use hawser::sim::modbus::ModbusDevices;
use hawser::sim::{Fault, Faults, MODBUS_UNITS, Start, Vessel, modbus_devices};
use hawser::wire::modbus::map::builtin;
use hawser::wire::modbus::{Action, Ask, Framing, LineOptions, Outcome, Poller, Refusal, UnitOptions, rtu};
use hawser::wire::{Decoded, Sink};

use super::{ALONE, LESSON_ROUNDS, PROBABILITY, ROUND_MS, ROUNDS, START, variable};

/// How long a unit takes to answer, and may take.
const ANSWER_MS: u64 = 40;
const TIMEOUT_MS: u64 = 1_000;

/// Bytes that the poller may hold: three maps of some 30 values, planned as reads, and 741 questions that are owed.
const HELD_BYTES_MAX: usize = 64 << 10;

const WRONG_UNIT: &str = "modbus_wrong_unit";
const SHORT: &str = "modbus_short_answer";
const TIMEOUT: &str = "modbus_timeout";

/// The kinds that an answer can have, and the reasons of each. Random bytes are wrong in any way.
const KINDS: [(FaultKind, &[&str]); 7] = [
    (Garbage, &[WRONG_UNIT, SHORT, "modbus_wrong_function", "modbus_wrong_length", "modbus_trailing_bytes"]),
    (Half, &[SHORT]),
    (Flood, &[WRONG_UNIT]),
    (Reorder, &[TIMEOUT]),
    (NotAvailable, &["modbus_exception_server_device_failure"]),
    (AddressChurn, &[WRONG_UNIT, TIMEOUT]),
    (Unplug, &[TIMEOUT]),
];

#[derive(Debug, Default)]
struct Heard {
    answers: u64,
    readings: u64,
    dropped: BTreeMap<&'static str, u64>,
}

impl Sink for Heard {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.answers += 1;
        self.readings += readings.drain(..).count() as u64;
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _: &dyn Display, _: &[u8]) {
        *self.dropped.entry(reason).or_default() += count;
    }
}

/// A line with the vessel's meters, and who asks them.
struct Line {
    vessel: Arc<Mutex<Vessel>>,
    devices: Arc<ModbusDevices>,
    poller: Poller,
    chance: Entropy,
    now_ms: u64,
    asked: u64,
    /// Questions that ended without an answer.
    failed: u64,
    heard: Heard,
    held_bytes: usize,
}

impl Line {
    fn new(seed: u64, faults: &[Fault]) -> Self {
        let vessel = Arc::new(Mutex::new(Vessel::new(seed, Start::default())));
        let options = LineOptions { framing: Framing::Rtu, baud: Some(9_600), timeout_ms: TIMEOUT_MS };
        let unit = |(unit, map, instance): (u8, &str, &str)| UnitOptions {
            unit,
            map: builtin(map).expect("it is built in").expect("it is sound"),
            instance: instance.to_owned(),
            interval_ms: ROUND_MS as u64,
        };
        Self {
            devices: modbus_devices(&vessel, Faults::new(seed, faults)),
            vessel,
            poller: Poller::new(options, MODBUS_UNITS.map(unit).into(), 0),
            chance: Entropy::seeded(seed),
            now_ms: 0,
            asked: 0,
            failed: 0,
            heard: Heard::default(),
            held_bytes: 0,
        }
    }

    /// All questions that are due up to `at`.
    fn round(&mut self, at: Stamp) {
        self.vessel.lock().expect("no panic inside").advance(at);
        let end_ms = at.millis_since(START) as u64 + ROUND_MS as u64;
        loop {
            match self.poller.next(self.now_ms) {
                Action::Wait { until_ms } if until_ms < end_ms => self.now_ms = until_ms,
                Action::Wait { .. } => break,
                Action::Ask(ask) => self.ask(&ask),
            }
        }
        self.now_ms = self.now_ms.max(end_ms);
        self.held_bytes = self.held_bytes.max(self.poller.held_bytes());
    }

    fn ask(&mut self, ask: &Ask) {
        let mut question = rtu::frame(ask.unit, &ask.request).to_vec();
        let mut bytes = Vec::new();
        for (wait, frame) in self.devices.answers(&mut question, false) {
            // What comes later goes by while the line waits for silence.
            if wait < Duration::from_millis(ask.timeout_ms) {
                bytes.extend(frame);
            }
        }
        let mut rest = bytes.as_slice();
        let judged = loop {
            match rtu::judge(ask.unit, &ask.request, rest) {
                Some(Err(refusal @ (Refusal::Unit { .. } | Refusal::Function { .. } | Refusal::Length { .. }))) => {
                    match rtu::end_of_frame(rest) {
                        Some(Some(end)) => {
                            self.heard.dropped(refusal.reason(), 1, &refusal, rest);
                            rest = &rest[end..];
                        }
                        Some(None) => break Err(refusal),
                        None => break Err(Refusal::Short { got: rest.len() }),
                    }
                }
                Some(judged) => break judged,
                None if rest.is_empty() => break Err(Refusal::Timeout),
                None => break Err(Refusal::Short { got: rest.len() }),
            }
        };
        self.asked += 1;
        self.now_ms += if judged.is_ok() { ANSWER_MS } else { ask.timeout_ms };
        let before = self.heard.answers;
        let outcome = judged.map_or_else(Outcome::Refused, Outcome::Answer);
        self.poller.done(self.now_ms, self.chance.unit(), outcome, &mut self.heard);
        self.failed += u64::from(self.heard.answers == before);
    }

    fn injected(&self, kind: FaultKind) -> u64 {
        self.devices.drawn_so_far().get(kind.name()).copied().unwrap_or(0)
    }

    /// No question is lost but by a fault that was drawn, and nothing is counted under another reason.
    fn is_whole(&self, reasons: &[&str]) {
        let (heard, drawn) = (&self.heard, self.devices.drawn_so_far());
        let failing: u64 = drawn.iter().filter(|(kind, _)| **kind != Flood.name()).map(|(_, count)| count).sum();
        assert_eq!((self.failed, heard.answers), (failing, self.asked - failing), "{heard:?}, of {drawn:?}");
        let other: Vec<_> = heard.dropped.keys().filter(|reason| !reasons.contains(*reason)).collect();
        assert!(other.is_empty(), "{other:?}: {heard:?}, of {drawn:?}");
    }
}

#[test]
fn each_kind_of_fault_of_an_answer_shows_under_its_reasons() {
    let play = |faults: &[Fault]| {
        let mut line = Line::new(3, faults);
        (0..LESSON_ROUNDS).for_each(|round| line.round(START.plus_millis(round * ROUND_MS)));
        line
    };
    let healthy = play(&[]);
    healthy.is_whole(&[]);
    assert!(healthy.heard.readings > LESSON_ROUNDS as u64 * 30, "{:?}", healthy.heard);
    for (kind, reasons) in KINDS {
        let line = play(&[Fault { kind, probability: 0.2 }]);
        line.is_whole(reasons);
        let shown: u64 = reasons.iter().filter_map(|reason| line.heard.dropped.get(reason)).sum();
        assert!(line.injected(kind) > 10 && shown >= line.injected(kind), "{kind:?}: {:?}", line.heard);
    }
}

#[test]
fn a_week_of_questions_loses_none_but_by_its_faults() {
    let _alone = ALONE.lock();
    let rounds = variable("HAWSER_WEEK_ROUNDS").unwrap_or(ROUNDS);
    let seed = variable("HAWSER_WEEK_SEED").unwrap_or(1) as u64;
    let faults = FaultKind::ALL.map(|kind| Fault { kind, probability: PROBABILITY });
    let mut line = Line::new(seed, &faults);
    // Without the nights between: a poller makes up for them.
    (0..7 * rounds).for_each(|round| line.round(START.plus_millis(round * ROUND_MS)));
    println!("modbus: seed {seed}, {} questions; {:?}; {} bytes held", line.asked, line.heard, line.held_bytes);
    line.is_whole(&[KINDS.map(|(_, reasons)| reasons).concat(), vec!["modbus_poll_overrun"]].concat());
    assert!(line.held_bytes <= HELD_BYTES_MAX, "{} bytes held", line.held_bytes);
}
