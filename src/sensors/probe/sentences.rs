//! The talkers of a wire and their formatters. Readings do not tell what sentence they come from, so lines are read
//! here once more, by the same splitter and the same rules.

use std::collections::BTreeMap;

use crate::wire::Word;
use crate::wire::nmea0183::{ChecksumRule, LineSplitter, Rejected, Sentence, Tag};

/// Talkers that are told apart; a ship has some ten, and garbage must not fill the page.
const TALKERS_MAX: usize = 64;

/// Formatters of one talker; the standard has some 100.
const FORMATTERS_MAX: usize = 128;

/// Who speaks: the source that a TAG block names, and the talker.
pub(super) type Speaker = (Option<Word>, Word);

/// Counts the sentences of one stream.
#[derive(Debug, Default)]
pub(super) struct Census {
    splitter: LineSplitter,
    counts: Counts,
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Sound sentences, decoded or not.
    pub sound: u64,
    /// What was none.
    pub broken: u64,
    /// Sentences by speaker and formatter.
    pub talkers: BTreeMap<Speaker, BTreeMap<Word, u64>>,
}

impl Census {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let Self { splitter, counts } = self;
        splitter.push(bytes, |line| counts.line(line));
    }

    /// The stream or the datagram ended.
    pub fn finish(&mut self) {
        let Self { splitter, counts } = self;
        splitter.finish(|line| counts.line(line));
    }

    /// What was counted so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Something came that is no sentence.
    pub const fn broken(&mut self) {
        self.counts.broken += 1;
    }
}

impl Counts {
    fn line(&mut self, line: Result<&[u8], Rejected>) {
        let read = line.and_then(|line| {
            let (tag, rest) = Tag::read(line)?;
            Sentence::parse(rest, ChecksumRule::IfPresent).map(|sentence| (tag.source, sentence))
        });
        let Ok((source, sentence)) = read else {
            self.broken += 1;
            return;
        };
        self.sound += 1;
        let speaker = (source, sentence.talker);
        if self.talkers.len() >= TALKERS_MAX && !self.talkers.contains_key(&speaker) {
            return;
        }
        let formatters = self.talkers.entry(speaker).or_default();
        if formatters.len() < FORMATTERS_MAX || formatters.contains_key(&sentence.formatter) {
            *formatters.entry(sentence.formatter).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn talkers_are_counted_by_formatter_and_by_the_source_of_their_tag() {
        let mut census = Census::default();
        census.push(b"noise\r\n$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n$SDDBT,7.8,f*0D\r\n$SD");
        census.push(b"XYZ,1\r\n\\s:SD0001*5F\\$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n$GPGLL,5000.0,N,00400.0,W,120000,A*3A");
        census.finish();
        let counts = census.counts();
        let plain = BTreeMap::from([(word("DBT"), 2), (word("XYZ"), 1)]);
        let by_tag = BTreeMap::from([(word("DBT"), 1)]);
        let expected = BTreeMap::from([
            ((None, word("SD")), plain),
            ((Some(word("SD0001")), word("SD")), by_tag),
            ((None, word("GP")), BTreeMap::from([(word("GLL"), 1)])),
        ]);
        assert_eq!((&counts.talkers, counts.sound, counts.broken), (&expected, 5, 2));
    }
}
