//! From the bytes of one bus to readings: the decoder, times, series. No sockets, and the clock is handed in.
//!
//! The usual path takes no lock of the series registry and allocates nothing of its own: series are found in a table of
//! this bus. It refuses to keep what cannot be used; each is counted by its reason.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use crate::clock::{ClockQuality, EARLIEST_PLAUSIBLE, Now, Stamp};
use crate::reading::{Context, Reading, SERIES_MAX, Series, SeriesKey, SeriesRegistry};
use crate::wire::can::{Frame, FrameDecoder};
use crate::wire::{Decoded, Sink, Source, SourceInfo, StreamDecoder, unit};

use super::rejects::{RejectLog, Say, sample};
use super::stats::{BusStats, REASON_SERIES_LIMIT};

/// How far a message's own time may lie from ours: a day. A receiver that lost its date by a day or by 1,024 weeks is
/// wrong; our clock, once believed at all, is not that wrong.
const OBSERVED_APART_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// Series that one bus may have: half of all, so that one that invents sources leaves the others theirs. An AIS
/// receiver has room for some 600 targets of a dozen series.
const BUS_SERIES_MAX: usize = SERIES_MAX / 2;

/// The least time between two looks for series that were given up, on a bus that has all it may have.
const SWEEP_INTERVAL_MIN_MS: u64 = 1_000;

/// Makes readings of what a bus receives. `D` takes bytes, or frames.
#[derive(Debug)]
pub(crate) struct Intake<D: ?Sized> {
    maker: ReadingMaker,
    decoder: Box<D>,
}

impl<D: ?Sized> Intake<D> {
    pub(crate) fn new(stats: Arc<BusStats>, registry: SeriesRegistry, decoder: Box<D>) -> Self {
        Self { maker: ReadingMaker::new(stats, registry), decoder }
    }
}

impl Intake<dyn StreamDecoder> {
    /// Takes what one read gave, received at `now`, and appends the readings that it completes to `out`.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Now, out: &mut Vec<Reading>) {
        self.maker.stats.received(bytes.len(), now);
        self.decoder.push(bytes, now.mono_ms, &mut self.maker.at(now, out));
    }

    /// Bytes that are held between two reads: the open message, and room for what it decodes to.
    pub(crate) fn held_bytes(&self) -> usize {
        self.decoder.held_bytes()
    }

    /// A datagram ended, and with it its last message.
    pub(crate) fn end_of_datagram(&mut self, now: Now, out: &mut Vec<Reading>) {
        self.decoder.end_of_datagram(now.mono_ms, &mut self.maker.at(now, out));
    }

    /// The connection ended: the last message with it, and what the decoder remembers. Behind the next connection may
    /// stand another device.
    pub(crate) fn end_of_stream(&mut self, now: Now, out: &mut Vec<Reading>) {
        self.decoder.end_of_stream(now.mono_ms, &mut self.maker.at(now, out));
    }

    /// The devices heard so far.
    pub(crate) fn sources(&self) -> Vec<SourceInfo> {
        self.decoder.sources()
    }
}

impl Intake<dyn FrameDecoder> {
    /// Takes one frame, received at `now`, and appends the readings that it completes to `out`.
    pub(crate) fn take_frame(&mut self, frame: &Frame, now: Now, out: &mut Vec<Reading>) {
        self.maker.stats.received(frame.bytes().len(), now);
        self.decoder.frame(frame, now.mono_ms, &mut self.maker.at(now, out));
    }

    /// Bytes that are held between two frames.
    pub(crate) fn held_bytes(&self) -> usize {
        self.decoder.held_bytes()
    }

    /// Counts, and the first time tells, what came to nothing beside the decoder.
    pub(crate) fn reject(&mut self, reason: &'static str, count: u64, why: &'static str, now: Now) {
        self.maker.reject(reason, count, &why, b"", now);
    }

    /// The interface went away.
    pub(crate) fn end_of_frames(&mut self, now: Now, out: &mut Vec<Reading>) {
        self.decoder.end(now.mono_ms, &mut self.maker.at(now, out));
    }

    /// The devices heard so far.
    pub(crate) fn sources(&self) -> Vec<SourceInfo> {
        self.decoder.sources()
    }
}

/// Gives what was decoded its times and series, and counts what was dropped.
#[derive(Debug)]
pub(crate) struct ReadingMaker {
    stats: Arc<BusStats>,
    known: HashMap<SeriesId, Arc<Series>>,
    registry: SeriesRegistry,
    rejects: RejectLog,
    ignored: RejectLog,
    swept_ms: Option<u64>,
}

/// A series of this bus, in the decoder's words. Built by moving what was decoded: no allocation.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SeriesId {
    context: Context,
    path: Cow<'static, str>,
    source: Source,
    instance: Cow<'static, str>,
}

impl ReadingMaker {
    pub(crate) fn new(stats: Arc<BusStats>, registry: SeriesRegistry) -> Self {
        Self {
            stats,
            registry,
            known: HashMap::new(),
            rejects: RejectLog::default(),
            ignored: RejectLog::default(),
            swept_ms: None,
        }
    }

    /// The sink of what came at `now`; its readings are appended to `out`.
    pub(crate) const fn at<'a>(&'a mut self, now: Now, out: &'a mut Vec<Reading>) -> Taking<'a> {
        Taking { maker: self, now, out, messages: 0 }
    }

    fn series(&mut self, id: SeriesId, unit_of: Option<&'static str>, mono_ms: u64) -> Option<Arc<Series>> {
        if let Some(series) = self.known.get(&id).filter(|series| !series.is_retired()) {
            return Some(Arc::clone(series));
        }
        if !self.has_room(mono_ms) {
            return None;
        }
        let key = SeriesKey {
            context: id.context,
            path: id.path.clone(),
            source: format!("{}.{}", self.stats.name(), id.source).into(),
            instance: Arc::from(&*id.instance),
        };
        let series = self.registry.series_in(&key, unit_of.unwrap_or_else(|| unit(&id.path)))?;
        self.known.insert(id, Arc::clone(&series));
        Some(series)
    }

    /// Whether one more series may be had; what was given up leaves its place.
    fn has_room(&mut self, mono_ms: u64) -> bool {
        let is_due = self.swept_ms.is_none_or(|ms| mono_ms.saturating_sub(ms) >= SWEEP_INTERVAL_MIN_MS);
        if self.known.len() >= BUS_SERIES_MAX && is_due {
            self.swept_ms = Some(mono_ms);
            self.known.retain(|_, series| !series.is_retired());
        }
        self.known.len() < BUS_SERIES_MAX
    }

    fn ignore(&mut self, reason: &'static str, count: u64, what: &dyn Display, now: Now) {
        self.stats.ignored(reason, count);
        if self.ignored.note(reason, count, now.mono_ms) == Say::First {
            tracing::info!(bus = self.stats.name(), reason, %what, "passed over; more of it is only counted");
        }
    }

    fn reject(&mut self, reason: &'static str, count: u64, why: &dyn Display, near: &[u8], now: Now) {
        self.stats.rejected(reason, count);
        let bus = self.stats.name();
        match self.rejects.note(reason, count, now.mono_ms) {
            Say::First => {
                tracing::warn!(bus, reason, %why, sample = %sample(near), "dropped; more of it is only counted")
            }
            Say::Summary(count) => tracing::warn!(bus, count, last_reason = reason, "dropped since the last message"),
            Say::Nothing => {}
        }
    }
}

/// What one read brings. Sound messages are counted when it ends.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    maker: &'a mut ReadingMaker,
    now: Now,
    out: &'a mut Vec<Reading>,
    messages: u64,
}

impl Sink for Taking<'_> {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        let now = self.now;
        for Decoded { context, path, source, instance, unit, value, quality, observed_at } in readings.drain(..) {
            let Some(series) = self.maker.series(SeriesId { context, path, source, instance }, unit, now.mono_ms)
            else {
                self.maker.reject(REASON_SERIES_LIMIT, 1, &"no room for another series", b"", now);
                continue;
            };
            let observed_at = observed_at.map_or(now.wall, |said| {
                if is_plausible(said, now) {
                    return said;
                }
                self.maker.stats.implausible();
                now.wall
            });
            self.out.push(Reading { series, observed_at, received_at: now.wall, value, quality });
        }
    }

    fn dropped(&mut self, reason: &'static str, count: u64, why: &dyn Display, near: &[u8]) {
        self.maker.reject(reason, count, why, near, self.now);
    }

    fn ignored(&mut self, reason: &'static str, count: u64, what: &dyn Display, _near: &[u8]) {
        self.maker.ignore(reason, count, what, self.now);
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        if self.messages > 0 {
            self.maker.stats.understood(self.messages);
        }
    }
}

/// Whether a message's own time is believed. Before the firmware existed it never is (a receiver's week rollover).
/// Else it must lie within a day of our clock, unless our clock is not to be believed: then the sentence knows better.
fn is_plausible(said: Stamp, now: Now) -> bool {
    let near = said.millis_since(now.wall).saturating_abs() <= OBSERVED_APART_MS_MAX;
    said >= EARLIEST_PLAUSIBLE && (near || now.quality == ClockQuality::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Protocol;
    use crate::reading::Value;
    use crate::sensors::stats::BusState;
    use crate::wire::nmea0183::{REASON_AIS_FRAGMENT_LOST, REASON_UNSUPPORTED, Stream};

    const NOON: Stamp = Stamp::from_millis(1_795_262_400_000);

    fn intake(registry: &SeriesRegistry) -> Intake<dyn StreamDecoder> {
        let stats = BusStats::new("nav", Protocol::Nmea0183, "tcp://a:1", BusState::Open);
        Intake::new(Arc::new(stats), registry.clone(), Box::new(Stream::default()))
    }

    fn line(body: &str) -> Vec<u8> {
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n").into_bytes()
    }

    fn taken(intake: &mut Intake<dyn StreamDecoder>, bytes: &[u8], now: Now) -> Vec<Reading> {
        let mut out = Vec::new();
        intake.take(bytes, now, &mut out);
        out
    }

    fn rejected(intake: &Intake<dyn StreamDecoder>, reason: &str) -> u64 {
        let snapshot = intake.maker.stats.snapshot(Clock::manual(NOON).now());
        snapshot.rejected.get(reason).copied().unwrap_or(0)
    }

    #[test]
    fn a_depth_becomes_a_reading_of_its_source() {
        let registry = SeriesRegistry::default();
        let mut intake = intake(&registry);
        let now = Clock::manual(NOON).now();
        let readings = taken(&mut intake, &line("SDDBT,7.8,f,2.4,M,1.3,F"), now);
        assert_eq!(readings.len(), 1);
        assert_eq!(&*readings[0].series.key.source, "nav.SD");
        assert_eq!(readings[0].value, Value::Float(2.4));
        assert_eq!((readings[0].observed_at, readings[0].received_at), (NOON, NOON));
        let again = taken(&mut intake, &line("SDDBT,7.8,f,2.4,M,1.3,F"), now);
        assert!(Arc::ptr_eq(&again[0].series, &readings[0].series));
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn a_sentences_own_time_is_believed_within_a_day() {
        let rmc = |date: &str| line(&format!("GPRMC,115958.00,A,5200.0,N,00400.0,E,5.0,90.0,{date},,"));
        let mut intake = intake(&SeriesRegistry::default());
        let mut now = Clock::manual(NOON).now();
        let told = |readings: Vec<Reading>| readings[0].observed_at;
        assert_eq!(told(taken(&mut intake, &rmc("211126"), now)), NOON.plus_millis(-2_000));
        assert_eq!(told(taken(&mut intake, &rmc("211127"), now)), NOON, "a year ahead: not believed");
        assert_eq!(told(taken(&mut intake, &rmc("070407"), now)), NOON, "1,024 weeks back: not believed");
        now.quality = ClockQuality::None;
        assert_eq!(told(taken(&mut intake, &rmc("211127"), now)).utc_day(), "2027-11-21", "it knows better than we do");
        assert_eq!(told(taken(&mut intake, &rmc("070407"), now)), NOON, "but never a time before the firmware");
        assert!(intake.maker.stats.snapshot(now).observed_at_implausible >= 3);
    }

    #[test]
    fn ais_that_makes_no_reading_is_counted_and_a_new_connection_counts_on() {
        let mut intake = intake(&SeriesRegistry::default());
        let now = Clock::manual(NOON).now();
        // The first of two fragments, and then another first: the rest of the one before never came.
        let half = b"!AIVDM,2,1,3,A,53aDr>400001HCGCKS0Ti<<F222222222222220l1p4444000000000000000,0*0D\r\n";
        for _ in 0..2 {
            assert!(taken(&mut intake, half, now).is_empty());
            assert!(taken(&mut intake, half, now).is_empty());
            intake.end_of_stream(now, &mut Vec::new());
        }
        assert!(rejected(&intake, REASON_AIS_FRAGMENT_LOST) == 4, "{:?}", intake.maker.stats.snapshot(now).rejected);
    }

    #[test]
    fn series_over_the_limit_are_refused_and_counted_while_known_ones_live() {
        let registry = SeriesRegistry::with_limit(2);
        let mut intake = intake(&registry);
        let now = Clock::manual(NOON).now();
        let mut kept = 0;
        for first in b'A'..=b'Z' {
            for second in b'A'..=b'Z' {
                let talker = format!("{}{}", char::from(first), char::from(second));
                kept += taken(&mut intake, &line(&format!("{talker}DBT,7.8,f,2.4,M,1.3,F")), now).len();
            }
        }
        assert_eq!((registry.len(), intake.maker.known.len()), (2, 2));
        // `PA` to `PZ` are no talkers: `P` opens a proprietary sentence.
        let ignored = intake.maker.stats.snapshot(now).ignored;
        let dropped = rejected(&intake, REASON_SERIES_LIMIT) + ignored[REASON_UNSUPPORTED];
        assert_eq!(dropped + kept as u64, 26 * 26, "each is kept or counted");
        assert_eq!(taken(&mut intake, &line("AADBT,7.8,f,2.4,M,1.3,F"), now).len(), 1);
    }

    #[test]
    fn one_bus_has_half_of_all_series_and_those_given_up_make_room() {
        let registry = SeriesRegistry::default();
        let mut maker =
            ReadingMaker::new(Arc::new(BusStats::new("a", Protocol::Can, "can://a", BusState::Open)), registry);
        let id = |number: u32| SeriesId {
            context: Context::OwnShip,
            path: "a".into(),
            source: Source::Identifier(number),
            instance: "".into(),
        };
        let had: Vec<_> = (0..10_000).filter_map(|number| maker.series(id(number), None, 0)).collect();
        assert_eq!((had.len(), maker.known.len()), (BUS_SERIES_MAX, BUS_SERIES_MAX));
        had.iter().take(100).for_each(|series| maker.registry.retire(series));
        assert!(maker.series(id(20_000), None, 999).is_none(), "not looked for yet");
        let more = (0..200).filter_map(|number| maker.series(id(30_000 + number), None, 1_000)).count();
        assert_eq!(more, 100);
    }

    #[test]
    fn hostile_bytes_are_counted_and_harmless() {
        let mut intake = intake(&SeriesRegistry::default());
        let now = Clock::manual(NOON).now();
        for round in 0..200u32 {
            let noise: Vec<u8> = (0..4_096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> (round % 24)) as u8).collect();
            taken(&mut intake, &noise, now);
            taken(&mut intake, &vec![b'$'; 4_096], now);
            taken(&mut intake, &line(&format!("GP{}", ",".repeat(900))), now);
        }
        taken(&mut intake, b"\r\n", now);
        assert_eq!(taken(&mut intake, &line("SDDBT,7.8,f,2.4,M,1.3,F"), now).len(), 1);
        let snapshot = intake.maker.stats.snapshot(now);
        assert!(snapshot.rejected.values().sum::<u64>() > 0);
        assert!(snapshot.rejected.len() <= crate::sensors::stats::REASONS_MAX);
    }

    #[test]
    fn half_a_line_ends_with_its_connection() {
        let mut intake = intake(&SeriesRegistry::default());
        let now = Clock::manual(NOON).now();
        let mut out = taken(&mut intake, b"$SDDBT,7.8,f,2", now);
        intake.end_of_stream(now, &mut out);
        out.extend(taken(&mut intake, &line("SDDBT,7.8,f,2.4,M,1.3,F"), now));
        assert_eq!(out.len(), 1);
        assert_eq!(rejected(&intake, "cut"), 1);
    }
}
