//! Sentences: readings by the gateway's decoder, or with `--raw` their fields by name.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::print::Printer;
use super::{DecodeError, DecodeOptions, Reader};
use crate::wire::nmea0183::{ChecksumRule, Decoder, LineSplitter, REASON_UNSUPPORTED, Rejected, Sentence, Stream};
use crate::wire::{Sink as _, StreamDecoder as _};

/// The reader of sentences.
pub(super) fn reader(options: &DecodeOptions) -> Box<dyn Reader> {
    let comments = Comments { skip: options.skip_comments, line: Line::Start };
    if options.raw {
        return Box::new(Raw { splitter: LineSplitter::new(), rule: options.checksum, comments });
    }
    Box::new(Readings { stream: Stream::with_decoder(Decoder::with_rule(options.checksum)), comments })
}

/// Prints readings.
#[derive(Debug)]
struct Readings {
    stream: Stream,
    comments: Comments,
}

impl Reader for Readings {
    fn push(&mut self, bytes: &[u8], out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let Self { stream, comments } = self;
        comments.strip(bytes, |bytes| stream.push(bytes, 0, out));
        Ok(())
    }

    fn end(&mut self, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        self.stream.end_of_stream(0, out);
        Ok(())
    }
}

/// Prints sentences.
#[derive(Debug)]
struct Raw {
    splitter: LineSplitter,
    rule: ChecksumRule,
    comments: Comments,
}

impl Reader for Raw {
    fn push(&mut self, bytes: &[u8], out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let Self { splitter, rule, comments } = self;
        comments.strip(bytes, |bytes| splitter.push(bytes, |line| print(line, *rule, out)));
        Ok(())
    }

    fn end(&mut self, out: &mut Printer<'_>) -> Result<(), DecodeError> {
        let Self { splitter, rule, .. } = self;
        splitter.finish(|line| print(line, *rule, out));
        Ok(())
    }
}

fn print(line: Result<&[u8], Rejected>, rule: ChecksumRule, out: &mut Printer<'_>) {
    match line.and_then(|line| Sentence::parse(line, rule)) {
        Ok(sentence) => {
            if sentence.spec.is_none() {
                out.ignored(REASON_UNSUPPORTED, 1, &sentence.formatter, b"");
            }
            out.raw(&RawLine(&sentence));
        }
        Err(rejected) => out.dropped(rejected.name(), 1, &rejected, b""),
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Start,
    Inside,
    Comment,
}

/// Takes comment lines out of a stream.
#[derive(Debug)]
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
