//! Who is asked when, in simulated time: the rate beside a dead unit, late answers, refused registers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::map_of;
use crate::reading::Value;
use crate::wire::modbus::poller::{EXCLUDED_RETRY_MS, OWED_MS};
use crate::wire::modbus::{
    Action, Answer, Ask, Exception, Framing, LineOptions, Outcome, Poller, REASON_EXCLUDED, REASON_OVERRUN, Refusal,
    Request, UnitOptions,
};
use crate::wire::{Decoded, Sink, Source};
use proptest::prelude::*;

const TIMEOUT_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;

#[derive(Debug, Default)]
struct Told {
    readings: Vec<Decoded>,
    dropped: BTreeMap<&'static str, u64>,
}

impl Sink for Told {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.readings.append(readings);
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _: &dyn fmt::Display, _: &[u8]) {
        *self.dropped.entry(reason).or_default() += count;
    }
}

impl Told {
    fn count(&self, reason: &str) -> u64 {
        self.dropped.get(reason).copied().unwrap_or(0)
    }
}

fn unit(id: u8, values: &str) -> UnitOptions {
    UnitOptions { unit: id, map: map_of("", values), instance: "x".into(), interval_ms: 1_000 }
}

const fn line(framing: Framing, baud: Option<u32>) -> LineOptions {
    LineOptions { framing, baud, timeout_ms: TIMEOUT_MS }
}

fn zeros(request: &Request) -> Vec<u8> {
    vec![0; request.data_bytes()]
}

/// Times each unit was asked within `ms` and what the dead ones took of it, in milliseconds. A good unit takes
/// `answer_ms` of the line.
fn rates(poller: &mut Poller, dead: &[u8], answer_ms: u64, from_ms: u64, ms: u64) -> (BTreeMap<u8, u64>, u64) {
    let (mut asked, mut lost_ms, mut now_ms) = (BTreeMap::new(), 0, from_ms);
    let mut told = Told::default();
    let mut jitter = 0.0;
    while now_ms < from_ms + ms {
        match poller.next(now_ms) {
            Action::Wait { until_ms } => now_ms = until_ms.min(from_ms + ms),
            Action::Ask(Ask { unit, request, timeout_ms }) => {
                *asked.entry(unit).or_default() += 1;
                jitter = (jitter + 0.37) % 1.0;
                if dead.contains(&unit) {
                    now_ms += timeout_ms;
                    lost_ms += timeout_ms;
                    poller.done(now_ms, jitter, Outcome::Refused(Refusal::Timeout), &mut told);
                } else {
                    now_ms += answer_ms;
                    let data = zeros(&request);
                    poller.done(now_ms, jitter, Outcome::Answer(Answer::Data(&data)), &mut told);
                }
            }
        }
    }
    (asked, lost_ms)
}

#[test]
fn a_dead_unit_takes_less_than_a_fiftieth_of_the_line_and_the_others_keep_their_rate() {
    for framing in [Framing::Rtu, Framing::Tcp] {
        let units = || (1..=5).map(|id| unit(id, "holding 0 u16 V a.b -\nholding 40 u32 V a.c -")).collect();
        let mut alive = Poller::new(line(framing, Some(9_600)), units(), 0);
        let (all, _) = rates(&mut alive, &[], 40, 0, HOUR_MS);
        let mut poller = Poller::new(line(framing, Some(9_600)), units(), 0);
        let (opening, _) = rates(&mut poller, &[3], 40, 0, 60_000);
        assert!(opening[&3] <= 4, "{framing}: {} questions before the breaker opens", opening[&3]);
        let (asked, lost_ms) = rates(&mut poller, &[3], 40, 60_000, HOUR_MS);
        assert!(lost_ms * 50 < HOUR_MS, "{framing}: {lost_ms} ms of an hour");
        for id in [1, 2, 4, 5] {
            // Each probe may delay each good unit by one poll, which is then counted.
            assert!(asked[&id] + 2 * asked[&3] >= all[&id], "{framing}: unit {id}: {} of {}", asked[&id], all[&id]);
            assert!(asked[&id] * 100 >= all[&id] * 98, "{framing}: unit {id}: {} of {}", asked[&id], all[&id]);
        }
        let (back, _) = rates(&mut poller, &[], 40, 60_000 + HOUR_MS, HOUR_MS);
        assert!(back[&3] * 100 >= all[&3] * 96, "{framing}: it returned and has its rate: {} of {}", back[&3], all[&3]);
    }
}

#[test]
fn a_line_that_is_too_slow_is_shared_and_says_so() {
    let units = (1..=4).map(|id| unit(id, "holding 0 u16 V a.b -")).collect();
    let mut poller = Poller::new(line(Framing::Rtu, None), units, 0);
    let (asked, _) = rates(&mut poller, &[], 1_000, 0, 400_000);
    assert!(asked.values().all(|count| (99..=101).contains(count)), "{asked:?}");
    let Action::Ask(ask) = poller.next(400_000) else { panic!("it is always late") };
    let mut told = Told::default();
    poller.done(400_000, 0.0, Outcome::Answer(Answer::Data(&zeros(&ask.request))), &mut told);
    assert!(told.count(REASON_OVERRUN) >= 2, "{told:?}");
}

#[test]
fn readings_say_who_what_and_in_which_unit() {
    let mut poller =
        Poller::new(line(Framing::Tcp, None), vec![unit(7, "holding 4 u16 V el.{instance}.b scale = 0.1")], 0);
    assert!(poller.sources().is_empty());
    let Action::Ask(ask) = poller.next(0) else { panic!("due at once") };
    assert_eq!((ask.unit, ask.request.address, ask.request.count, ask.timeout_ms), (7, 4, 1, TIMEOUT_MS));
    let mut told = Told::default();
    poller.done(5, 0.0, Outcome::Answer(Answer::Data(&[0, 240])), &mut told);
    let reading = &told.readings[0];
    assert_eq!((&*reading.path, reading.source, reading.unit), ("el.x.b", Source::Unit(7), Some("V")));
    assert_eq!(reading.value, Value::Float(24.0));
    assert_eq!(poller.next(5), Action::Wait { until_ms: 1_000 });
    let source = &poller.sources()[0];
    assert_eq!((&*source.source, &*source.manufacturer, &*source.model), ("unit7", "M", "D"));
}

#[test]
fn a_slow_line_gives_its_answers_time() {
    let values: String = (0..125).map(|at| format!("holding {at} u16 V a.v{at} -\n")).collect();
    let mut poller = Poller::new(line(Framing::Rtu, Some(1_200)), vec![unit(1, &values)], 0);
    let Action::Ask(ask) = poller.next(0) else { panic!("due at once") };
    // 8 + 255 bytes of 11 bits at 1,200 a second: 2,411 ms.
    assert_eq!(ask.timeout_ms, TIMEOUT_MS + 2_411);
}

/// A device without register 5 in a map of 0 to 11.
#[test]
fn a_refused_register_is_found_left_out_and_tried_again_later() {
    let values: String = (0..12).map(|at| format!("holding {at} u16 - a.v{at} -\n")).collect();
    let mut poller = Poller::new(line(Framing::Rtu, Some(9_600)), vec![unit(1, &values)], 0);
    let (mut now_ms, mut told, mut asked) = (0, Told::default(), 0);
    let mut later = 0;
    while now_ms < EXCLUDED_RETRY_MS + 60_000 {
        match poller.next(now_ms) {
            Action::Wait { until_ms } => now_ms = until_ms,
            Action::Ask(Ask { request, .. }) => {
                asked += 1;
                now_ms += 20;
                let hit = (request.address..request.address + request.count).contains(&5);
                later += u64::from(hit && now_ms > EXCLUDED_RETRY_MS);
                let data = zeros(&request);
                let no = Answer::Exception(Exception(2));
                let answer = if hit { no } else { Answer::Data(&data) };
                poller.done(now_ms, 0.0, Outcome::Answer(answer), &mut told);
            }
        }
        if now_ms < 1_000 {
            continue;
        }
        assert_eq!(told.readings.iter().filter(|reading| reading.path == "a.v5").count(), 0);
    }
    assert_eq!(told.count(REASON_EXCLUDED), 2, "once, and once again when it was tried later: {:?}", told.dropped);
    assert_eq!(later, 1);
    let finding = told.count("modbus_exception_illegal_data_address");
    assert!((3..=6).contains(&finding), "{finding} refusals to find one register of twelve, and one later");
    let good = told.readings.iter().filter(|reading| reading.path == "a.v6").count() as u64;
    assert!(good >= 655, "the others keep their rate: {good} in 660 s, {asked} questions");
}

/// A device that refuses everything while it starts, and register 5 for ever.
#[test]
fn a_passing_refusal_leaves_the_reads_together_again() {
    let values: String = (0..12).map(|at| format!("holding {at} u16 - a.v{at} -\n")).collect();
    let mut poller = Poller::new(line(Framing::Rtu, Some(9_600)), vec![unit(1, &values)], 0);
    let (mut now_ms, mut told, mut last) = (0, Told::default(), Vec::new());
    while now_ms < EXCLUDED_RETRY_MS + 60_000 {
        match poller.next(now_ms) {
            Action::Wait { until_ms } => now_ms = until_ms,
            Action::Ask(Ask { request, .. }) => {
                let is_refused = now_ms < 5_000 || (request.address..request.address + request.count).contains(&5);
                if (EXCLUDED_RETRY_MS + 58_500..EXCLUDED_RETRY_MS + 59_500).contains(&now_ms) {
                    last.push((request.address, request.count));
                }
                now_ms += 20;
                let data = zeros(&request);
                let answer = if is_refused { Answer::Exception(Exception(2)) } else { Answer::Data(&data) };
                poller.done(now_ms, 0.0, Outcome::Answer(answer), &mut told);
            }
        }
    }
    last.sort_unstable();
    assert_eq!(last, [(0, 5), (6, 6)], "around the one that is still refused");
    assert_eq!(told.count(REASON_EXCLUDED), 13, "twelve, and one again: {:?}", told.dropped);
}

#[test]
fn a_gateway_that_answers_for_a_dead_unit_is_not_taken_for_the_unit() {
    let mut poller = Poller::new(line(Framing::Tcp, None), vec![unit(1, "holding 0 u16 V a.b -")], 0);
    let (mut now_ms, mut asked, mut told) = (0, 0, Told::default());
    while now_ms < HOUR_MS {
        match poller.next(now_ms) {
            Action::Wait { until_ms } => now_ms = until_ms,
            Action::Ask(_) => {
                asked += 1;
                now_ms += 500;
                poller.done(now_ms, 0.0, Outcome::Answer(Answer::Exception(Exception(11))), &mut told);
            }
        }
    }
    assert_eq!(told.count("modbus_exception_gateway_target_device_failed_to_respond"), asked);
    assert!(asked * 500 * 50 < HOUR_MS + 3 * 500 * 50, "{asked} times half a second of an hour");
    assert!(poller.sources().is_empty(), "nobody was heard");
}

#[test]
fn after_a_lost_question_the_next_has_another_length() {
    let values = "holding 0 u32 V a.a -\nholding 2 u32 V a.b -";
    let mut poller = Poller::new(line(Framing::Rtu, None), vec![unit(1, values)], 0);
    let mut told = Told::default();
    let Action::Ask(first) = poller.next(0) else { panic!("due at once") };
    assert_eq!(first.request.count, 4);
    poller.done(1_000, 0.0, Outcome::Refused(Refusal::Timeout), &mut told);
    let Action::Wait { until_ms } = poller.next(1_000) else { panic!("it backs off") };
    let Action::Ask(second) = poller.next(until_ms) else { panic!("due now") };
    assert_eq!(second.request.count, 2, "one value alone");
    poller.done(until_ms + 10, 0.0, Outcome::Refused(Refusal::Timeout), &mut told);
    let Action::Wait { until_ms } = poller.next(until_ms + 10) else { panic!("it backs off") };
    assert_eq!(until_ms, OWED_MS, "no third length: the first is owed until here");
    let Action::Ask(third) = poller.next(until_ms) else { panic!("due now") };
    assert_eq!(third.request.count, 4);
    poller.done(until_ms + 10, 0.0, Outcome::Answer(Answer::Data(&zeros(&third.request))), &mut told);
    assert_eq!(told.readings.len(), 2);
}

/// A serial device that answers every question in order, each after a while, however late.
struct LateDevice {
    on_the_line: VecDeque<(u64, Request)>,
}

impl LateDevice {
    /// What the client sees of a question asked at `now_ms`, and when: what came before is drained.
    fn ask(&mut self, request: Request, now_ms: u64, delay_ms: u64) -> (u64, Option<Request>) {
        let busy_until = self.on_the_line.back().map_or(0, |(at, _)| *at);
        self.on_the_line.push_back((busy_until.max(now_ms) + delay_ms, request));
        while self.on_the_line.front().is_some_and(|(at, _)| *at < now_ms) {
            self.on_the_line.pop_front();
        }
        match self.on_the_line.front() {
            Some((at, said)) if *at <= now_ms + TIMEOUT_MS => {
                let seen = (*at, Some(*said));
                self.on_the_line.pop_front();
                seen
            }
            _ => (now_ms + TIMEOUT_MS, None),
        }
    }
}

proptest! {
    /// The rule itself: whatever a device's delays, no answer is taken for another question than its own.
    #[test]
    fn a_late_answer_is_never_taken_for_the_next(
        delays in proptest::collection::vec(prop_oneof![Just(5u64), 0u64..3_000, 900u64..1_100], 1..200),
    ) {
        let values = "holding 0 u16 - a.a -\nholding 1 u16 - a.b -\nholding 20 u32 - a.c -\nholding 40 u64 - a.d -
            holding 60 u16 - a.e -\nholding 80 u16 - a.f -";
        let mut poller = Poller::new(line(Framing::Rtu, None), vec![unit(1, values)], 0);
        let mut device = LateDevice { on_the_line: VecDeque::new() };
        let (mut now_ms, mut told) = (0, Told::default());
        for delay_ms in delays {
            let ask = loop {
                match poller.next(now_ms) {
                    Action::Ask(ask) => break ask,
                    Action::Wait { until_ms } => now_ms = until_ms,
                }
            };
            let (at, said) = device.ask(ask.request, now_ms, delay_ms);
            now_ms = at + 100;
            let Some(said) = said else {
                poller.done(now_ms, 0.5, Outcome::Refused(Refusal::Timeout), &mut told);
                continue;
            };
            if said.data_bytes() == ask.request.data_bytes() {
                prop_assert_eq!(said, ask.request, "another question's answer was taken");
                poller.done(now_ms, 0.5, Outcome::Answer(Answer::Data(&zeros(&said))), &mut told);
            } else {
                let refusal = Refusal::Length { expected: ask.request.data_bytes(), got: said.data_bytes() };
                poller.done(now_ms, 0.5, Outcome::Refused(refusal), &mut told);
            }
        }
    }
}
