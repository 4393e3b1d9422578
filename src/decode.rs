//! `hawser decode`: the gateway's own decoders over a file, one JSON object a line out.
//!
//! It streams: memory does not grow with the file. It opens no file and prints no diagnostics; the caller does both.

use std::fmt;
use std::io::{self, Read, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::clock::Stamp;
use crate::reading::Quality;
use crate::wire::nmea0183::{ChecksumRule, Decoder, LineSplitter, Rejected, Sentence};
use crate::wire::{Decoded, Source, unit};

/// Bytes read at a time: a page of a file, far more than a line.
const CHUNK_BYTES: usize = 64 * 1_024;

/// What the input holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// NMEA 0183 (IEC 61162-1) sentences, AIS among them.
    #[default]
    Nmea0183,
}

/// How to decode.
#[derive(Clone, Copy, Debug)]
pub struct DecodeOptions {
    /// What the input holds.
    pub format: Format,
    /// Print sentences with their fields as text, not readings.
    pub raw: bool,
    /// Whether sentences must carry a checksum.
    pub checksum: ChecksumRule,
    /// Leave out lines that start with `#`, as logs have them. A bus has no comments.
    pub skip_comments: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { format: Format::Nmea0183, raw: false, checksum: ChecksumRule::IfPresent, skip_comments: true }
    }
}

/// What went by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that the splitter found.
    pub lines: u64,
    /// Sentences with a right form and checksum.
    pub sentences: u64,
    /// Readings printed.
    pub readings: u64,
    /// What was dropped, in the order of [`Rejected::NAMES`].
    pub rejected: [u64; Rejected::NAMES.len()],
    /// Sentences of formatters that are not decoded.
    pub unsupported_sentences: u64,
    /// Fragments of AIS messages that never became whole.
    pub ais_fragments_lost: u64,
    /// AIS messages of types that are not decoded.
    pub ais_messages_unread: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines, {} sentences, {} readings", self.lines, self.sentences, self.readings)?;
        let rejected = Rejected::NAMES.iter().zip(self.rejected);
        let others = [
            ("unsupported_sentence", self.unsupported_sentences),
            ("ais_fragment_lost", self.ais_fragments_lost),
            ("ais_message_unread", self.ais_messages_unread),
        ];
        for (name, count) in rejected.map(|(name, count)| (*name, count)).chain(others) {
            if count > 0 {
                write!(f, ", {name} {count}")?;
            }
        }
        Ok(())
    }
}

/// Why decoding stopped. Bad sentences never stop it.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The input cannot be read.
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Write(#[source] io::Error),
}

impl DecodeError {
    /// Whether the reader of the output went away (`hawser decode ... | head`), which is no fault.
    pub fn is_output_closed(&self) -> bool {
        matches!(self, Self::Write(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Decodes `input` to its end and writes one JSON object a line.
pub fn decode(options: &DecodeOptions, mut input: impl Read, output: impl Write) -> Result<Summary, DecodeError> {
    // A format more is a decoder more here.
    let Format::Nmea0183 = options.format;
    let mut run = Run::new(options, output);
    let mut splitter = LineSplitter::new();
    let mut comments = Comments { skip: options.skip_comments, line: Line::Start };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(DecodeError::Read(e)),
        };
        comments.strip(&chunk[..count], |bytes| splitter.push(bytes, |line| run.take(line)));
        run.check()?;
    }
    splitter.finish(|line| run.take(line));
    run.finish()
}

/// One run over one input.
struct Run<'a, W> {
    options: &'a DecodeOptions,
    decoder: Decoder,
    decoded: Vec<Decoded>,
    output: W,
    /// The first failure to write; nothing is written after it.
    failed: Option<io::Error>,
    summary: Summary,
}

impl<'a, W: Write> Run<'a, W> {
    fn new(options: &'a DecodeOptions, output: W) -> Self {
        let decoder = Decoder::with_rule(options.checksum);
        Self { options, decoder, decoded: Vec::new(), output, failed: None, summary: Summary::default() }
    }

    fn take(&mut self, line: Result<&[u8], Rejected>) {
        self.summary.lines += u64::from(line.is_ok());
        let done = line.and_then(|line| if self.options.raw { self.raw(line) } else { self.readings(line) });
        match done {
            Ok(()) => self.summary.sentences += 1,
            Err(rejected) => self.summary.rejected[rejected.index()] += 1,
        }
    }

    fn raw(&mut self, line: &[u8]) -> Result<(), Rejected> {
        let sentence = Sentence::parse(line, self.options.checksum)?;
        self.summary.unsupported_sentences += u64::from(sentence.spec.is_none());
        self.write(&RawLine(&sentence));
        Ok(())
    }

    fn readings(&mut self, line: &[u8]) -> Result<(), Rejected> {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let sentence = self.decoder.decode(line, &mut decoded);
        self.summary.readings += decoded.len() as u64;
        for reading in &decoded {
            self.write(&ReadingLine::new(reading));
        }
        self.decoded = decoded;
        sentence.map(|sentence| self.summary.unsupported_sentences += u64::from(sentence.spec.is_none()))
    }

    fn write(&mut self, line: &impl Serialize) {
        if self.failed.is_none() {
            let written = serde_json::to_writer(&mut self.output, line).map_err(io::Error::from);
            self.failed = written.and_then(|()| self.output.write_all(b"\n")).err();
        }
    }

    fn check(&mut self) -> Result<(), DecodeError> {
        self.failed.take().map_or(Ok(()), |e| Err(DecodeError::Write(e)))
    }

    fn finish(mut self) -> Result<Summary, DecodeError> {
        self.check()?;
        self.output.flush().map_err(DecodeError::Write)?;
        self.summary.ais_fragments_lost = self.decoder.ais_fragments_lost();
        self.summary.ais_messages_unread = self.decoder.ais_unread();
        Ok(self.summary)
    }
}

/// One reading as it is printed; the order of its keys is the order of this struct.
#[derive(Serialize)]
struct ReadingLine<'a> {
    #[serde(serialize_with = "as_text")]
    context: crate::reading::Context,
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

/// One sentence as it is printed with `--raw`.
struct RawLine<'a, 'b>(&'a Sentence<'b>);

impl Serialize for RawLine<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("talker", self.0.talker.as_str())?;
        map.serialize_entry("formatter", self.0.formatter.as_str())?;
        map.serialize_entry("fields", &RawFields(self.0))?;
        map.end()
    }
}

/// Its fields: by name where the table has the sentence, else in order.
struct RawFields<'a, 'b>(&'a Sentence<'b>);

impl Serialize for RawFields<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(spec) = self.0.spec else {
            let mut list = serializer.serialize_seq(None)?;
            for field in self.0.fields() {
                list.serialize_element(&String::from_utf8_lossy(field))?;
            }
            return list.end();
        };
        let mut map = serializer.serialize_map(None)?;
        for (at, field) in self.0.fields().enumerate() {
            map.serialize_entry(&spec.field_name(at), &String::from_utf8_lossy(field))?;
        }
        map.end()
    }
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    Inside,
    Comment,
}

/// Takes comment lines out of a stream.
struct Comments {
    skip: bool,
    line: Line,
}

impl Comments {
    fn strip(&mut self, bytes: &[u8], mut keep: impl FnMut(&[u8])) {
        if !self.skip {
            return keep(bytes);
        }
        let is_end = |b: &u8| matches!(b, b'\r' | b'\n');
        for line in bytes.split_inclusive(is_end) {
            if self.line == Line::Start {
                self.line = if line[0] == b'#' { Line::Comment } else { Line::Inside };
            }
            if self.line == Line::Inside {
                keep(line);
            }
            if line.last().is_some_and(is_end) {
                self.line = Line::Start;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time, so that every state crosses a read.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            (buffer[0], self.0) = (*first, rest);
            Ok(1)
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn run(options: DecodeOptions, input: &str) -> (String, Summary) {
        let mut output = Vec::new();
        let summary = decode(&options, Slow(input.as_bytes()), &mut output).unwrap();
        (String::from_utf8(output).unwrap(), summary)
    }

    #[test]
    fn readings_have_exactly_the_agreed_keys_in_order() {
        let (out, summary) = run(DecodeOptions::default(), "# a log! $GPX\r\n$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n");
        let expected = r#"{"context":"vessels.self","path":"environment.depth.belowTransducer","value":2.4,"unit":"m","#
            .to_owned()
            + r#""source":"SD","instance":"","quality":"good","observed_at":null}"# + "\n";
        assert_eq!(out, expected);
        assert_eq!(summary.to_string(), "1 lines, 1 sentences, 1 readings");
    }

    #[test]
    fn raw_names_the_fields_it_knows() {
        let raw = DecodeOptions { raw: true, ..DecodeOptions::default() };
        let (out, summary) = run(raw, "$HEROT,+000.05,A*35\n$GPXXX,1,,b\n$IIXDR,A,1,D,PTCH,A,2,D,ROLL\n$HEHDT,1,T,9\n");
        let lines: Vec<&str> = out.lines().collect();
        let rot = r#"{"talker":"HE","formatter":"ROT","fields":{"rate_of_turn_deg_min":"+000.05","status":"A"}}"#;
        assert_eq!(lines[0], rot);
        assert_eq!(lines[1], r#"{"talker":"GP","formatter":"XXX","fields":["1","","b"]}"#);
        assert!(lines[2].contains(r#""value":"1","#) && lines[2].contains(r#""value_2":"2","#), "{}", lines[2]);
        assert!(lines[3].contains(r#""field_3":"9""#), "{}", lines[3]);
        assert_eq!(summary.unsupported_sentences, 1);
    }

    #[test]
    fn what_is_dropped_is_counted_by_reason() {
        let input = "noise\n$HEROT,+000.05,A*AA\n$GPXXX,1\n$HEHDT,1e3,T\n!AIVDM,2,2,1,A,00,0\n$HEHDT,1";
        let (out, summary) = run(DecodeOptions::default(), input);
        assert_eq!(out, "");
        let text = summary.to_string();
        for part in ["not_a_sentence 1", "bad_checksum 1", "bad_field 1", "cut 1", "unsupported_sentence 1", "lost 1"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_told_apart() {
        let error = decode(&DecodeOptions::default(), &b"$HEHDT,1,T\n"[..], Full).unwrap_err();
        assert!(error.is_output_closed());
    }
}
