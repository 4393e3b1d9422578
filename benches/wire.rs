//! Sentences a second on one core, beside the crates `nmea` and `ais`.
//!
//! Both sides get the sentences of the simulated vessel. Hawser is handed the bytes as a socket gives them, 4 KiB at a
//! time, and does all that a bus needs: it cuts lines, checks the checksum, looks up the formatter's row and makes SI
//! readings with path, quality and time. The peer is handed lines that are cut already, checks the checksum and fills
//! its own struct, in the units of the wire. What a side does not know costs it little, hence the share that it parses.

use std::hint::black_box;

use hawser::clock::Stamp;
use hawser::sim::{Start, Vessel};
use hawser::wire::nmea0183::{Decoder, LineSplitter};

use super::runner::{Better, Figure, Spent, measure, median_spent};

/// Sentences in one repeat, about.
const SENTENCES: usize = 200_000;

/// Odd, for the median.
const REPEATS: usize = 7;

/// What one read of a socket gives.
const READ_BYTES: usize = 4_096;

/// 2026-11-21T06:41:00Z.
const START: Stamp = Stamp::from_millis(1_795_243_260_000);

/// What a vessel said.
struct Corpus {
    bytes: Vec<u8>,
    lines: Vec<String>,
}

impl Corpus {
    /// Seconds of a voyage, of those sentences that begin with one of these, until there are enough.
    fn spoken(first: &[char]) -> Self {
        let mut vessel = Vessel::new(1, Start::default());
        let mut corpus = Self { bytes: Vec::new(), lines: Vec::new() };
        for second in 0.. {
            if corpus.lines.len() >= SENTENCES {
                break;
            }
            for spoken in vessel.step(START.plus_millis(second * 1_000)) {
                if spoken.sentence.starts_with(first) {
                    corpus.bytes.extend_from_slice(spoken.sentence.as_bytes());
                    corpus.lines.push(spoken.sentence.trim_end().to_owned());
                }
            }
        }
        corpus
    }

    /// Sentences that Hawser knows, and the readings that it makes of them.
    fn hawser(&self) -> (usize, usize) {
        let (mut splitter, mut decoder, mut readings) = (LineSplitter::new(), Decoder::new(), Vec::new());
        let (mut known, mut made) = (0, 0);
        for chunk in self.bytes.chunks(READ_BYTES) {
            splitter.push(chunk, |line| {
                let sentence = line.and_then(|line| decoder.decode(line, &mut readings));
                known += usize::from(sentence.is_ok_and(|sentence| sentence.spec.is_some()));
            });
            made += black_box(&readings).len();
            readings.clear();
        }
        (known, made)
    }

    /// Sentences that `nmea` parses.
    fn nmea(&self) -> usize {
        let parsed = |line: &&String| match black_box(nmea::parse_str(line)) {
            Ok(parsed) => !matches!(parsed, nmea::ParseResult::Unsupported(_)),
            Err(_) => false,
        };
        self.lines.iter().filter(parsed).count()
    }

    /// Sentences that `ais` parses, parts of messages too.
    fn ais(&self) -> usize {
        let mut parser = ais::AisParser::new();
        self.lines.iter().filter(|line| black_box(parser.parse(line.as_bytes(), true)).is_ok()).count()
    }

    fn figure(&self, name: &'static str, peer_name: &'static str, peer: impl Fn(&Self) -> usize) -> Figure {
        let (mut ours, mut theirs): (Vec<Spent>, Vec<Spent>) = Default::default();
        let (mut known, mut made, mut parsed) = (0, 0, 0);
        for _ in 0..REPEATS {
            let (spent, result) = measure(|| self.hawser());
            ours.push(spent);
            (known, made) = result;
            let (spent, result) = measure(|| peer(self));
            theirs.push(spent);
            parsed = result;
        }
        let count = self.lines.len() as f64;
        let (ours, theirs) = (median_spent(&ours), median_spent(&theirs));
        let share = |part: usize| part as f64 / count * 100.0;
        let note = format!(
            "of {count} sentences Hawser knows {:.1} % ({made} readings), {peer_name} {:.1} %; wall {:.0}, {:.0} k/s",
            share(known),
            share(parsed),
            count / ours.wall_s / 1e3,
            count / theirs.wall_s / 1e3,
        );
        let mut figure = Figure::new(name, count / ours.cpu_s, "sentences/s", Better::Higher, note)
            .beside(peer_name, Some(count / theirs.cpu_s));
        if known < self.lines.len() {
            figure.failed = Some(format!("{} sentences were not understood", self.lines.len() - known));
        }
        figure
    }
}

/// The vessel's own instruments and AIS targets, interleaved as on a multiplexer. The peer takes AIS for an unknown
/// sentence and is done with it.
pub fn nmea0183() -> Vec<Figure> {
    vec![Corpus::spoken(&['$', '!']).figure("wire.nmea0183_sentences_per_s", "nmea 0.8", Corpus::nmea).goal(10e6)]
}

/// AIS targets. Hawser holds the number of open fragments to a limit and makes SI readings.
pub fn ais() -> Vec<Figure> {
    vec![Corpus::spoken(&['!']).figure("wire.ais_sentences_per_s", "ais 0.12", Corpus::ais)]
}
