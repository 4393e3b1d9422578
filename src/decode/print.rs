//! Where everything ends: lines of JSON, and what went by.

use std::fmt;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::DecodeError;
use crate::clock::Stamp;
use crate::reading::{Context, Quality};
use crate::wire::nmea0183::{REASON_AIS_FRAGMENT_LOST, REASON_AIS_UNREAD, REASON_UNSUPPORTED, Rejected};
use crate::wire::{Decoded, Sink, Source, unit};

/// What went by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines of sentences; `None` for what is not written in sentences.
    pub lines: Option<u64>,
    /// Sound messages: sentences with a right checksum, PGNs, frames.
    pub messages: u64,
    /// Readings printed.
    pub readings: u64,
    /// What was dropped, by reason.
    pub dropped: Vec<(&'static str, u64)>,
}

impl Summary {
    /// How much was dropped for one of `reasons`.
    pub fn dropped_for(&self, reasons: &[&str]) -> u64 {
        self.dropped.iter().filter(|(reason, _)| reasons.contains(reason)).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            Some(lines) => write!(f, "{lines} lines, {} sentences, {} readings", self.messages, self.readings)?,
            None => write!(f, "{} messages, {} readings", self.messages, self.readings)?,
        }
        for (name, count) in self.dropped.iter().filter(|(_, count)| *count > 0) {
            write!(f, ", {name} {count}")?;
        }
        Ok(())
    }
}

/// Writes readings and raw messages, and counts.
pub(super) struct Printer<'a> {
    output: &'a mut dyn Write,
    /// The first failure to write; nothing is written after it.
    failed: Option<io::Error>,
    summary: Summary,
}

impl<'a> Printer<'a> {
    /// The reasons of sentences come first, in an order that does not hang on the input.
    pub fn new(output: &'a mut dyn Write) -> Self {
        let of_sentences = [REASON_UNSUPPORTED, REASON_AIS_FRAGMENT_LOST, REASON_AIS_UNREAD];
        let dropped = Rejected::NAMES.into_iter().chain(of_sentences).map(|reason| (reason, 0)).collect();
        Self { output, failed: None, summary: Summary { dropped, ..Summary::default() } }
    }

    /// Prints one message that is no readings.
    pub fn raw(&mut self, message: &impl Serialize) {
        self.summary.messages += 1;
        self.write(message);
    }

    /// Prints one message that is JSON already.
    pub fn raw_json(&mut self, json: &str) {
        self.summary.messages += 1;
        if self.failed.is_none() {
            self.failed = writeln!(self.output, "{json}").err();
        }
    }

    /// Whether all could be written so far.
    pub fn check(&mut self) -> Result<(), DecodeError> {
        self.failed.take().map_or(Ok(()), |e| Err(DecodeError::Write(e)))
    }

    /// Writes what is buffered; the summary.
    pub fn finish(mut self, counts_lines: bool) -> Result<Summary, DecodeError> {
        self.check()?;
        self.output.flush().map_err(DecodeError::Write)?;
        if counts_lines {
            // What the splitter refuses was no line: noise, no end, broken off. Its reasons are the first three.
            let refused = self.summary.dropped_for(&Rejected::NAMES[3..]);
            self.summary.lines = Some(self.summary.messages + refused);
        }
        Ok(self.summary)
    }

    fn write(&mut self, line: &impl Serialize) {
        if self.failed.is_none() {
            let written = serde_json::to_writer(&mut self.output, line).map_err(io::Error::from);
            self.failed = written.and_then(|()| self.output.write_all(b"\n")).err();
        }
    }
}

impl Sink for Printer<'_> {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.summary.messages += 1;
        self.summary.readings += readings.len() as u64;
        for reading in readings.drain(..) {
            self.write(&ReadingLine::new(&reading));
        }
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _why: &dyn fmt::Display, _near: &[u8]) {
        match self.summary.dropped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, total)) => *total += count,
            None => self.summary.dropped.push((reason, count)),
        }
    }
}

/// One reading as it is printed; the order of its keys is the order of this struct.
#[derive(Serialize)]
struct ReadingLine<'a> {
    #[serde(serialize_with = "as_text")]
    context: Context,
    path: &'a str,
    value: serde_json::Value,
    unit: &'static str,
    #[serde(serialize_with = "as_text")]
    source: Source,
    instance: &'a str,
    quality: Quality,
    observed_at: Option<Stamp>,
}

impl<'a> ReadingLine<'a> {
    fn new(reading: &'a Decoded) -> Self {
        Self {
            context: reading.context,
            path: &reading.path,
            value: reading.value.to_json(),
            unit: reading.unit.unwrap_or_else(|| unit(&reading.path)),
            source: reading.source,
            instance: &reading.instance,
            quality: reading.quality,
            observed_at: reading.observed_at,
        }
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
