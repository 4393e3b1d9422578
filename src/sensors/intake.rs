//! From the bytes of one bus to readings: splitter, decoder, times, series. No sockets, and the clock is handed in.
//!
//! The usual path takes no lock of the series registry and allocates nothing of its own: series are found in a table of
//! this bus. It refuses to keep a line that cannot be used; each is counted by its reason.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::{ClockQuality, EARLIEST_PLAUSIBLE, Now, Stamp};
use crate::reading::{Context, Reading, Series, SeriesKey, SeriesRegistry};
use crate::wire::nmea0183::{Decoded, Decoder, LineSplitter, Rejected, Talker};

use super::rejects::{RejectLog, Say, sample};
use super::stats::{BusStats, REASON_AIS_FRAGMENT_LOST, REASON_AIS_UNREAD, REASON_SERIES_LIMIT, REASON_UNSUPPORTED};

/// How far a sentence's own time may lie from ours: a day. A receiver that lost its date by a day or by 1,024 weeks is
/// wrong; our clock, once believed at all, is not that wrong.
const OBSERVED_APART_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// Makes readings of what a bus receives.
#[derive(Debug)]
pub(crate) struct Intake {
    splitter: LineSplitter,
    lines: Lines,
}

/// What stands behind the splitter.
#[derive(Debug)]
struct Lines {
    stats: Arc<BusStats>,
    decoder: Decoder,
    decoded: Vec<Decoded>,
    known: HashMap<SeriesId, Arc<Series>>,
    registry: SeriesRegistry,
    rejects: RejectLog,
    /// AIS fragments lost and messages unread, as far as they are in the statistics.
    ais_told: [u64; 2],
}

/// A series of this bus, in the decoder's words. Built by moving what was decoded: no allocation.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SeriesId {
    context: Context,
    path: Cow<'static, str>,
    talker: Talker,
    instance: Cow<'static, str>,
}

impl Intake {
    pub(crate) fn new(stats: Arc<BusStats>, registry: SeriesRegistry) -> Self {
        let lines = Lines {
            stats,
            registry,
            decoder: Decoder::new(),
            decoded: Vec::new(),
            known: HashMap::new(),
            rejects: RejectLog::default(),
            ais_told: [0; 2],
        };
        Self { splitter: LineSplitter::new(), lines }
    }

    /// Takes what one read gave, received at `now`, and appends the readings that it completes to `out`.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Now, out: &mut Vec<Reading>) {
        self.lines.stats.received(bytes.len(), now);
        let Self { splitter, lines } = self;
        let mut sentences = 0;
        splitter.push(bytes, |line| sentences += lines.line(line, bytes, now, out));
        lines.stats.understood(sentences);
        lines.tell_ais();
    }

    /// Bytes that are held between two reads: the open line, and room for what a line decodes to.
    pub(crate) fn held_bytes(&self) -> usize {
        self.splitter.held_bytes() + self.lines.decoded.capacity() * size_of::<Decoded>()
    }

    /// A datagram ended, and with it its last line.
    pub(crate) fn end_of_datagram(&mut self, now: Now, out: &mut Vec<Reading>) {
        let Self { splitter, lines } = self;
        let mut sentences = 0;
        splitter.finish(|line| sentences += lines.line(line, b"", now, out));
        lines.stats.understood(sentences);
    }

    /// The connection ended: the last line with it, and what the decoder remembers. Behind the next connection may
    /// stand another talker, and a date kept over an outage is yesterday's.
    pub(crate) fn end_of_stream(&mut self, now: Now, out: &mut Vec<Reading>) {
        self.end_of_datagram(now, out);
        self.lines.tell_ais();
        self.lines.decoder = Decoder::new();
        self.lines.ais_told = [0; 2];
    }
}

impl Lines {
    /// Handles one line, or the reason why there is none; returns 1 for a sound sentence. `near` is a sample for the
    /// log where the splitter kept nothing.
    fn line(&mut self, line: Result<&[u8], Rejected>, near: &[u8], now: Now, out: &mut Vec<Reading>) -> u64 {
        let bytes = line.unwrap_or(near);
        match line.and_then(|line| self.decoder.decode(line, &mut self.decoded)) {
            Ok(sentence) if sentence.spec.is_none() => {
                self.reject(REASON_UNSUPPORTED, &sentence.formatter, bytes, now);
                1
            }
            Ok(_) => {
                self.date_and_name(bytes, now, out);
                1
            }
            Err(rejected) => {
                self.reject(rejected.name(), &rejected, bytes, now);
                0
            }
        }
    }

    /// Gives what was decoded its times and series.
    fn date_and_name(&mut self, line: &[u8], now: Now, out: &mut Vec<Reading>) {
        let mut decoded = std::mem::take(&mut self.decoded);
        for Decoded { context, path, talker, instance, value, quality, observed_at } in decoded.drain(..) {
            let Some(series) = self.series(SeriesId { context, path, talker, instance }) else {
                self.reject(REASON_SERIES_LIMIT, &"no room for another series", line, now);
                continue;
            };
            let observed_at = observed_at.map_or(now.wall, |said| {
                if is_plausible(said, now) {
                    return said;
                }
                self.stats.implausible();
                now.wall
            });
            out.push(Reading { series, observed_at, received_at: now.wall, value, quality });
        }
        // The capacity is kept: the next line needs it.
        self.decoded = decoded;
    }

    fn series(&mut self, id: SeriesId) -> Option<Arc<Series>> {
        if let Some(series) = self.known.get(&id) {
            return Some(Arc::clone(series));
        }
        let key = SeriesKey {
            context: id.context,
            path: id.path.clone(),
            source: format!("{}.{}", self.stats.name(), id.talker).into(),
            instance: Arc::from(&*id.instance),
        };
        let series = self.registry.series(&key)?;
        // No more than the registry has: what it refused is not kept.
        self.known.insert(id, Arc::clone(&series));
        Some(series)
    }

    /// Counts what the decoder dropped without refusing a line: fragments whose rest never came, messages of types that
    /// are not read.
    fn tell_ais(&mut self) {
        let now = [self.decoder.ais_fragments_lost(), self.decoder.ais_unread().iter().sum()];
        for ((reason, total), told) in
            [REASON_AIS_FRAGMENT_LOST, REASON_AIS_UNREAD].into_iter().zip(now).zip(&mut self.ais_told)
        {
            if total > *told {
                self.stats.rejected(reason, total - *told);
                *told = total;
            }
        }
    }

    fn reject(&mut self, reason: &'static str, why: &dyn std::fmt::Display, line: &[u8], now: Now) {
        self.stats.rejected(reason, 1);
        let bus = self.stats.name();
        match self.rejects.note(reason, 1, now.mono_ms) {
            Say::First => {
                tracing::warn!(bus, reason, %why, sample = %sample(line), "dropped; more of it is only counted")
            }
            Say::Summary(count) => tracing::warn!(bus, count, last_reason = reason, "dropped since the last message"),
            Say::Nothing => {}
        }
    }
}

/// Whether a sentence's own time is believed. Before the firmware existed it never is (a receiver's week rollover).
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

    const NOON: Stamp = Stamp::from_millis(1_795_262_400_000);

    fn intake(registry: &SeriesRegistry) -> Intake {
        let stats = BusStats::new("nav", Protocol::Nmea0183, "tcp://a:1", BusState::Open);
        Intake::new(Arc::new(stats), registry.clone())
    }

    fn line(body: &str) -> Vec<u8> {
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n").into_bytes()
    }

    fn taken(intake: &mut Intake, bytes: &[u8], now: Now) -> Vec<Reading> {
        let mut out = Vec::new();
        intake.take(bytes, now, &mut out);
        out
    }

    fn rejected(intake: &Intake, reason: &str) -> u64 {
        let snapshot = intake.lines.stats.snapshot(Clock::manual(NOON).now());
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
        assert!(intake.lines.stats.snapshot(now).observed_at_implausible >= 3);
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
        assert!(rejected(&intake, REASON_AIS_FRAGMENT_LOST) >= 2, "{:?}", intake.lines.stats.snapshot(now).rejected);
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
        assert_eq!((registry.len(), intake.lines.known.len()), (2, 2));
        // `PA` to `PZ` are no talkers: `P` opens a proprietary sentence.
        let dropped = rejected(&intake, REASON_SERIES_LIMIT) + rejected(&intake, REASON_UNSUPPORTED);
        assert_eq!(dropped + kept as u64, 26 * 26, "each is kept or counted");
        assert_eq!(taken(&mut intake, &line("AADBT,7.8,f,2.4,M,1.3,F"), now).len(), 1);
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
        let snapshot = intake.lines.stats.snapshot(now);
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
