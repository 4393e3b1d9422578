//! What is asked of whom and when, for the units of one line; and what the answers say. Pure: time and chance are
//! handed in, and whoever does the talking tells how each question ended.
//!
//! One question at a time. Of those that are due the one that waited longest goes first, so that an overloaded line is
//! shared and polls that could not be made are counted, not piled up.
//!
//! # A late answer is never taken for the next
//!
//! A frame of a serial line does not say what it answers. After a question was lost, its answer may still come, and
//! has the form of the answer to any question of the same function and length. So the line remembers what each unit
//! *owes*, and asks it next for another length ([`Poller::next`]). Units answer in order: an answer of that other
//! length shows that what was owed will not come any more. A unit that has one length only waits [`OWED_MS`].
//! Over Modbus TCP the transaction id tells, and nothing is owed.

use std::borrow::Cow;
use std::fmt;

use super::breaker::Breaker;
use super::map::{DeviceMap, PollClass, decode};
use super::pdu::{Answer, Refusal, Request};
use super::plan::{Read, plan, plan_around};
use super::{Exception, Framing, rtu};
use crate::reading::Context;
use crate::wire::{Decoded, Sink, Source, SourceInfo};

/// How much less often slow values are asked for.
pub const SLOW_EVERY: u64 = 10;

/// When an answer that is still owed will not come: the slowest devices are given time-outs of 1 to 5 s by their
/// makers.
pub const OWED_MS: u64 = 10_000;

/// Lost questions that are remembered: within [`OWED_MS`] the breaker lets a unit ask three times. 247 units of three.
const OWED_MAX: usize = 741;

/// How soon a register that the device refused is asked for again: it may have been configured since.
pub const EXCLUDED_RETRY_MS: u64 = 600_000;

/// Reason: a register was left out because the device refuses it.
pub const REASON_EXCLUDED: &str = "modbus_register_excluded";

/// Reason: a poll was not made because the line was busy for longer than its interval.
pub const REASON_OVERRUN: &str = "modbus_poll_overrun";

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOptions {
    /// How requests and answers are framed on it.
    pub framing: Framing,
    /// Its bits a second, where that is known.
    pub baud: Option<u32>,
    /// How long a unit may think before it answers; the time on the line comes on top.
    pub timeout_ms: u64,
}

/// A unit on the line.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitOptions {
    /// Its id, 1 to 247.
    pub unit: u8,
    /// What its registers mean.
    pub map: DeviceMap,
    /// What stands in its paths for the instance.
    pub instance: String,
    /// How often its fast values are asked for.
    pub interval_ms: u64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask this, and tell [`Poller::done`] how it ended.
    Ask(Ask),
    /// Nothing is due before this time.
    Wait {
        /// By the clock that is handed in.
        until_ms: u64,
    },
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// To whom.
    pub unit: u8,
    /// What.
    pub request: Request,
    /// How long to wait for the end of the answer.
    pub timeout_ms: u64,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It was answered.
    Answer(Answer<'a>),
    /// Nothing that came was the answer.
    Refused(Refusal),
}

/// The units of one line.
#[derive(Debug)]
pub struct Poller {
    line: LineOptions,
    units: Vec<Unit>,
    owed: Vec<Owed>,
    asked: Option<Asked>,
    readings: Vec<Decoded>,
}

#[derive(Debug)]
struct Unit {
    options: UnitOptions,
    /// The paths of the map's values.
    paths: Vec<String>,
    reads: Vec<Planned>,
    breaker: Breaker,
    heard: bool,
}

#[derive(Clone, Debug)]
struct Planned {
    read: Read,
    due_ms: u64,
    excluded: bool,
}

/// An answer that may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owed {
    unit: u8,
    form: (u8, usize),
    until_ms: u64,
}

#[derive(Debug)]
struct Asked {
    unit: usize,
    /// The planned read; `None` for a question whose only purpose is its other length.
    planned: Option<usize>,
    read: Read,
    at_ms: u64,
}

/// A question that could be asked.
struct Candidate {
    unit: usize,
    planned: Option<usize>,
    due_ms: u64,
}

/// What tells one answer of a unit from another.
fn form(request: &Request) -> (u8, usize) {
    (request.table.function(), request.data_bytes())
}

impl Poller {
    /// A line of these units, all due at once.
    pub fn new(line: LineOptions, units: Vec<UnitOptions>, now_ms: u64) -> Self {
        let units = units.into_iter().map(|options| Unit::new(options, now_ms)).collect();
        Self { line, units, owed: Vec::new(), asked: None, readings: Vec::new() }
    }

    /// What to do now. A question that was not told [`Poller::done`] counts as never asked.
    pub fn next(&mut self, now_ms: u64) -> Action {
        self.owed.retain(|owed| owed.until_ms > now_ms);
        let candidates = (0..self.units.len()).filter_map(|unit| self.candidate(unit));
        let Some(first) = candidates.min_by_key(|candidate| candidate.due_ms) else {
            return Action::Wait { until_ms: u64::MAX };
        };
        if first.due_ms > now_ms {
            return Action::Wait { until_ms: first.due_ms };
        }
        let unit = &self.units[first.unit];
        let read = match first.planned {
            Some(planned) => unit.reads[planned].read.clone(),
            // `candidate` found one.
            None => match self.of_another_form(unit) {
                Some(read) => read,
                None => return Action::Wait { until_ms: now_ms + 1 },
            },
        };
        let request = read.request;
        let (unit, timeout_ms) = (unit.options.unit, self.line.timeout_ms + self.line_ms(&request));
        self.asked = Some(Asked { unit: first.unit, planned: first.planned, read, at_ms: now_ms });
        Action::Ask(Ask { unit, request, timeout_ms })
    }

    /// The next question for one unit, and when.
    fn candidate(&self, at: usize) -> Option<Candidate> {
        let unit = &self.units[at];
        let next = (0..unit.reads.len()).min_by_key(|read| unit.reads[*read].due_ms)?;
        let due_ms = unit.reads[next].due_ms.max(unit.breaker.not_before_ms());
        if !self.is_owed(unit, &unit.reads[next].read) {
            return Some(Candidate { unit: at, planned: Some(next), due_ms });
        }
        let other = (0..unit.reads.len())
            .find(|read| !unit.reads[*read].excluded && !self.is_owed(unit, &unit.reads[*read].read));
        if other.is_some() || self.of_another_form(unit).is_some() {
            return Some(Candidate { unit: at, planned: other, due_ms });
        }
        let until_ms = self.owed_by(unit).map(|owed| owed.until_ms).min().unwrap_or(0);
        Some(Candidate { unit: at, planned: Some(next), due_ms: due_ms.max(until_ms) })
    }

    fn owed_by(&self, unit: &Unit) -> impl Iterator<Item = &Owed> {
        let id = unit.options.unit;
        self.owed.iter().filter(move |owed| owed.unit == id)
    }

    fn is_owed(&self, unit: &Unit, read: &Read) -> bool {
        self.owed_by(unit).any(|owed| owed.form == form(&read.request))
    }

    /// A read of one value alone whose answer cannot be taken for one that is owed.
    fn of_another_form(&self, unit: &Unit) -> Option<Read> {
        let included = unit.reads.iter().filter(|planned| !planned.excluded);
        let values = included.flat_map(|planned| planned.read.values.iter().map(|value| (*value, planned.read.poll)));
        let mut reads = values.map(|(value, poll)| Read::of_one(&unit.options.map, value, poll));
        reads.find(|read| !self.is_owed(unit, read))
    }

    /// The time that a question and its answer take on the line, rounded up.
    fn line_ms(&self, request: &Request) -> u64 {
        let bytes = rtu::REQUEST_FRAME_BYTES + rtu::answer_frame_bytes(request);
        self.line.baud.map_or(0, |baud| rtu::transfer_micros(bytes, baud).div_ceil(1_000))
    }

    /// The question ended so at `now_ms`. Hands its readings to `sink`, or why there are none. `jitter`: 0 to 1.
    pub fn done(&mut self, now_ms: u64, jitter: f64, outcome: Outcome<'_>, sink: &mut dyn Sink) {
        let Some(asked) = self.asked.take() else { return };
        let id = self.units[asked.unit].options.unit;
        let cost_ms = now_ms.saturating_sub(asked.at_ms);
        match outcome {
            Outcome::Answer(Answer::Data(data)) => {
                self.owed.retain(|owed| owed.unit != id);
                let was_excluded = self.units[asked.unit].is_excluded(&asked);
                self.units[asked.unit].answered(&asked, now_ms, sink);
                if was_excluded {
                    self.units[asked.unit].plan_anew();
                }
                self.units[asked.unit].tell(&asked.read, data, &mut self.readings);
                sink.message(&mut self.readings);
            }
            Outcome::Answer(Answer::Exception(exception)) => {
                let why = Why { unit: id, request: asked.read.request, what: &exception };
                sink.dropped(exception.reason(), 1, &why, b"");
                // With something owed nobody knows which question it is about; then it is no answer to this one.
                let is_of_another = self.owed.iter().any(|owed| owed.unit == id);
                if is_of_another {
                    self.owe(id, &asked);
                }
                if is_of_another || exception.is_of_gateway() {
                    self.units[asked.unit].breaker.failed(now_ms, cost_ms, jitter);
                } else {
                    self.units[asked.unit].answered(&asked, now_ms, sink);
                    self.units[asked.unit].refused(&asked, exception, now_ms, sink);
                }
            }
            Outcome::Refused(refusal) => {
                let why = Why { unit: id, request: asked.read.request, what: &refusal };
                sink.dropped(refusal.reason(), 1, &why, b"");
                self.owe(id, &asked);
                self.units[asked.unit].breaker.failed(now_ms, cost_ms, jitter);
            }
        }
    }

    /// The line broke while a question was out. That says nothing of the unit, whose answer may still come.
    pub fn line_broke(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.owe(self.units[asked.unit].options.unit, &asked);
        }
    }

    fn owe(&mut self, unit: u8, asked: &Asked) {
        if self.line.framing == Framing::Rtu && self.owed.len() < OWED_MAX {
            self.owed.push(Owed { unit, form: form(&asked.read.request), until_ms: asked.at_ms + OWED_MS });
        }
    }

    /// The units that answered so far.
    pub fn sources(&self) -> Vec<SourceInfo> {
        let heard = self.units.iter().filter(|unit| unit.heard);
        let info = |unit: &Unit| SourceInfo {
            source: Source::Unit(unit.options.unit).to_string(),
            function: unit.options.map.function.clone(),
            manufacturer: unit.options.map.manufacturer.clone(),
            model: unit.options.map.model.clone(),
            ..SourceInfo::default()
        };
        heard.map(info).collect()
    }

    /// Bytes held between two questions, without the maps: what is planned and owed.
    pub fn held_bytes(&self) -> usize {
        let planned = self.units.iter().flat_map(|unit| &unit.reads);
        let reads: usize = planned.map(|read| size_of::<Planned>() + read.read.values.len() * size_of::<usize>()).sum();
        reads + self.owed.capacity() * size_of::<Owed>() + self.readings.capacity() * size_of::<Decoded>()
    }
}

impl Unit {
    fn new(options: UnitOptions, now_ms: u64) -> Self {
        let planned = |read| Planned { read, due_ms: now_ms, excluded: false };
        let reads = plan(&options.map).into_iter().map(planned).collect();
        let paths = options.map.values.iter().map(|value| value.path_of(&options.instance)).collect();
        Self { options, paths, reads, breaker: Breaker::default(), heard: false }
    }

    const fn interval_ms(&self, poll: PollClass) -> u64 {
        let fast = if self.options.interval_ms == 0 { 1 } else { self.options.interval_ms };
        match poll {
            PollClass::Fast => fast,
            PollClass::Slow => fast * SLOW_EVERY,
        }
    }

    /// It lives. The read that was asked for is due again after its interval; polls that the line had no time for are
    /// counted, but for those of an outage, which were counted as what they were.
    fn answered(&mut self, asked: &Asked, now_ms: u64, sink: &mut dyn Sink) {
        self.heard = true;
        if self.breaker.is_failing() {
            self.reads.iter_mut().for_each(|read| read.due_ms = read.due_ms.max(now_ms));
            self.breaker.succeeded();
        }
        let interval_ms = self.interval_ms(asked.read.poll);
        let Some(planned) = asked.planned.and_then(|planned| self.reads.get_mut(planned)) else { return };
        planned.excluded = false;
        let missed = asked.at_ms.saturating_sub(planned.due_ms) / interval_ms;
        planned.due_ms = planned.due_ms.saturating_add((missed + 1) * interval_ms);
        if missed > 0 {
            let why = Why { unit: self.options.unit, request: asked.read.request, what: &"the line is too slow" };
            sink.dropped(REASON_OVERRUN, missed, &why, b"");
        }
    }

    fn is_excluded(&self, asked: &Asked) -> bool {
        asked.planned.and_then(|at| self.reads.get(at)).is_some_and(|planned| planned.excluded)
    }

    /// The device has a register that it refused: what was halved to find it is read together again, but for what it
    /// still refuses. Each read is due when the one was that had its first value.
    fn plan_anew(&mut self) {
        let before = std::mem::take(&mut self.reads);
        let refused: Vec<&Read> =
            before.iter().filter(|planned| planned.excluded).map(|planned| &planned.read).collect();
        for read in plan_around(&self.options.map, &refused) {
            let had = before.iter().find(|planned| planned.read.values.contains(&read.values[0]));
            let due_ms = had.map_or(0, |planned| planned.due_ms);
            self.reads.push(Planned { read, due_ms, excluded: false });
        }
        self.reads.extend(before.into_iter().filter(|planned| planned.excluded));
    }

    /// What the device does not have is found by halving; a register alone is left out for a while.
    fn refused(&mut self, asked: &Asked, exception: Exception, now_ms: u64, sink: &mut dyn Sink) {
        let Some(at) = asked.planned.filter(|_| exception.refuses_registers()) else { return };
        if let Some((first, second)) = asked.read.split(&self.options.map.values) {
            let planned = |read| Planned { read, due_ms: now_ms, excluded: false };
            self.reads.splice(at..=at, [planned(first), planned(second)]);
            return;
        }
        let planned = &mut self.reads[at];
        planned.due_ms = now_ms.saturating_add(EXCLUDED_RETRY_MS);
        planned.excluded = true;
        let why = Why { unit: self.options.unit, request: asked.read.request, what: &"the device does not have it" };
        sink.dropped(REASON_EXCLUDED, asked.read.values.len() as u64, &why, b"");
    }

    /// The readings of one answer. A path is copied for each: at the ten thousand a second that a gateway plans for,
    /// that is a thousandth of a core, and a line carries a hundred.
    fn tell(&self, read: &Read, data: &[u8], readings: &mut Vec<Decoded>) {
        for at in &read.values {
            let spec = &self.options.map.values[*at];
            let mut bit = [0];
            let Some(bytes) = read.bytes_of(spec, data, &mut bit) else { continue };
            let (value, quality) = decode(spec, bytes);
            readings.push(Decoded {
                context: Context::OwnShip,
                path: Cow::Owned(self.paths[*at].clone()),
                source: Source::Unit(self.options.unit),
                instance: Cow::Borrowed(""),
                unit: Some(spec.si_unit()),
                value,
                quality,
                observed_at: None,
            });
        }
    }
}

/// A drop, for people.
struct Why<'a> {
    unit: u8,
    request: Request,
    what: &'a dyn fmt::Display,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unit {}, {}: {}", self.unit, self.request, self.what)
    }
}
