//! TAG blocks before sentences (NMEA 0183 4.10, section 7; IEC 61162-450, section 7): who says it, when, as which line.
//!
//! `\s:GP0001,n:12*hh\$GPRMC,...`. Several blocks may stand before one sentence. A block with a wrong checksum takes
//! its sentence with it; a parameter that is malformed is left out and counted: senders disagree on all but `s`. It
//! refuses to act on `d`: a gateway that only listens hears what was meant for others.

use super::reject::Rejected;
use super::sentence::{ChecksumRule, checked};
use crate::clock::Stamp;
use crate::wire::Word;

/// Groups that may be open at once. A group is two or three lines, one after the other; a multiplexer puts few between.
const GROUPS_MAX: usize = 16;

/// Lines of a group: two digits, far more than the longest message takes. What says more is no group; each of its lines
/// would be counted as missing.
const GROUP_LINES_MAX: u32 = 99;

/// Sources whose line numbers are remembered; a network has some tens. The one heard of longest ago gives way.
const SOURCES_MAX: usize = 64;

/// Line numbers run from 1 to this and start again (IEC 61162-450, parameter `n`).
const LINE_MAX: u32 = 999;

/// Times of more digits than seconds will have for thousands of years are milliseconds.
const SECONDS_MAX: u64 = 99_999_999_999;

/// What TAG blocks say of the sentence behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// `s`: who says it. IEC 61162-450 has two letters and four digits; longer names of others are not kept.
    pub source: Option<Word>,
    /// `c`: when, in seconds or milliseconds of Unix time.
    pub time: Option<Stamp>,
    /// `g`: which line of a group.
    pub group: Option<Group>,
    /// `n`: a number that rises with each line of a source.
    pub line: Option<u32>,
    /// Parameters that were malformed.
    pub bad_parameters: u32,
}

/// A line of a group of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// This line, from 1.
    pub line: u32,
    /// Lines of the group.
    pub total: u32,
    /// The same in all lines.
    pub code: u32,
}

impl Tag {
    /// The blocks before a sentence, and the sentence. Each must have a right checksum.
    pub fn read(line: &[u8]) -> Result<(Self, &[u8]), Rejected> {
        let (mut tag, mut rest) = (Self::default(), line);
        while let [b'\\', block @ ..] = rest {
            let close = memchr::memchr(b'\\', block).ok_or(Rejected::BadTagBlock)?;
            let content = checked(&block[..close], ChecksumRule::Required).map_err(|_| Rejected::BadTagBlock)?;
            content.split(|b| *b == b',').for_each(|parameter| tag.take(parameter));
            rest = &block[close + 1..];
            if rest.is_empty() {
                return Err(Rejected::BadTagBlock);
            }
        }
        Ok((tag, rest))
    }

    fn take(&mut self, parameter: &[u8]) {
        let [code, b':', value @ ..] = parameter else {
            self.bad_parameters += 1;
            return;
        };
        let good = match code {
            // A longer or lower-case name is a name, too; the talker speaks for it.
            b's' => {
                self.source = Word::new(value).filter(|_| !value.is_empty());
                !value.is_empty()
            }
            b'c' => {
                self.time = digits(value).and_then(unix_time);
                self.time.is_some()
            }
            b'g' => {
                self.group = group(value);
                self.group.is_some()
            }
            b'n' => {
                self.line = digits(value).and_then(|n| u32::try_from(n).ok());
                self.line.is_some()
            }
            // Destination, text, and what other editions define.
            _ => true,
        };
        self.bad_parameters += u32::from(!good);
    }
}

fn digits(value: &[u8]) -> Option<u64> {
    const DIGITS_MAX: usize = 18;
    let good = (1..=DIGITS_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    good.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn unix_time(value: u64) -> Option<Stamp> {
    let millis = if value > SECONDS_MAX { value } else { value * 1_000 };
    i64::try_from(millis).ok().map(Stamp::from_millis)
}

/// `line-total-code`.
fn group(value: &[u8]) -> Option<Group> {
    let mut parts = value.split(|b| *b == b'-').map(|part| digits(part).and_then(|n| u32::try_from(n).ok()));
    let (line, total, code) = (parts.next()??, parts.next()??, parts.next()??);
    let possible = parts.next().is_none() && (1..=total).contains(&line) && total <= GROUP_LINES_MAX;
    possible.then_some(Group { line, total, code })
}

/// What TAG blocks said before: a group's first line speaks for all, a source's line numbers have no gaps.
#[derive(Debug, Default)]
pub struct Tags {
    groups: Vec<(Group, Option<Word>, Option<Stamp>)>,
    lines: Vec<(Word, u32)>,
    counts: TagCounts,
}

/// What was missing, beside what came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagCounts {
    /// Lines that a source numbered and that never came.
    pub lines_missing: u64,
    /// Lines of groups that never came.
    pub group_lines_missing: u64,
    /// Parameters that were malformed.
    pub bad_parameters: u64,
}

impl Tags {
    /// What was counted so far.
    pub const fn counts(&self) -> TagCounts {
        self.counts
    }

    /// Completes what a tag leaves to its group, and follows the numbers.
    pub fn follow(&mut self, mut tag: Tag) -> Tag {
        self.counts.bad_parameters += u64::from(tag.bad_parameters);
        if let Some(group) = tag.group {
            self.join(group, &mut tag);
        }
        if let (Some(source), Some(line)) = (tag.source, tag.line) {
            self.number(source, line);
        }
        tag
    }

    fn join(&mut self, group: Group, tag: &mut Tag) {
        let known = self.groups.iter().position(|(open, ..)| (open.code, open.total) == (group.code, group.total));
        let (last, source, time) = match known.map(|at| self.groups.remove(at)) {
            Some((open, source, time)) if open.line < group.line => (open.line, source, time),
            // The first line once more: another group of the same code.
            Some((open, ..)) if group.line == 1 => {
                self.counts.group_lines_missing += u64::from(open.total - open.line);
                (0, None, None)
            }
            Some((open, source, time)) => (open.line, source, time),
            None => (0, None, None),
        };
        self.counts.group_lines_missing += u64::from(group.line.saturating_sub(last + 1));
        tag.source = tag.source.or(source);
        tag.time = tag.time.or(time);
        if group.line < group.total {
            if self.groups.len() >= GROUPS_MAX {
                let (open, ..) = self.groups.remove(0);
                self.counts.group_lines_missing += u64::from(open.total - open.line);
            }
            self.groups.push((group, tag.source, tag.time));
        }
    }

    /// The connection ended: the rest of each open group never came, and numbers begin anew.
    pub fn end(&mut self) {
        let rest = self.groups.drain(..).map(|(open, ..)| u64::from(open.total - open.line));
        self.counts.group_lines_missing += rest.sum::<u64>();
        self.lines.clear();
    }

    /// Bytes of memory that are held.
    pub const fn held_bytes(&self) -> usize {
        let groups = self.groups.capacity() * size_of::<(Group, Option<Word>, Option<Stamp>)>();
        groups + self.lines.capacity() * size_of::<(Word, u32)>()
    }

    /// A number that is the last again came through a second interface; one that is behind came late. Neither is a gap.
    fn number(&mut self, source: Word, line: u32) {
        let Some(at) = self.lines.iter().position(|(known, _)| *known == source) else {
            if self.lines.len() >= SOURCES_MAX {
                self.lines.remove(0);
            }
            return self.lines.push((source, line));
        };
        let (_, last) = self.lines.remove(at);
        let wrapped = last <= LINE_MAX && line <= LINE_MAX && line < last;
        let ahead = if wrapped { line + LINE_MAX - last } else { line.saturating_sub(last) };
        // Beyond half of the numbers it is behind, or the source began anew.
        if ahead <= LINE_MAX / 2 {
            self.counts.lines_missing += u64::from(ahead.saturating_sub(1));
        }
        let late = wrapped && ahead > LINE_MAX / 2 && line + LINE_MAX / 2 > last;
        self.lines.push((source, if late { last } else { line }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::nmea0183::checksum;

    fn block(content: &str) -> Vec<u8> {
        format!("\\{content}*{:02X}\\", checksum(content.as_bytes())).into_bytes()
    }

    fn tag(contents: &[&str]) -> Tag {
        let line: Vec<u8> = contents.iter().flat_map(|c| block(c)).chain(*b"$X").collect();
        let (tag, rest) = Tag::read(&line).unwrap();
        assert_eq!(rest, b"$X");
        tag
    }

    #[test]
    fn parameters_of_all_blocks_are_read() {
        let found = tag(&["d:HE0002,t:a text", "s:GP0001,n:7,g:1-2-34,c:1241544035"]);
        assert_eq!(found.source, Word::new(b"GP0001"));
        assert_eq!(found.time, Some(Stamp::from_millis(1_241_544_035_000)));
        assert_eq!(found.group, Some(Group { line: 1, total: 2, code: 34 }));
        assert_eq!((found.line, found.bad_parameters), (Some(7), 0));
        assert_eq!(tag(&["c:1241544035123"]).time, Some(Stamp::from_millis(1_241_544_035_123)));
        assert_eq!(tag(&["s:r003669945,n:157036"]), Tag { line: Some(157_036), ..Tag::default() });
    }

    #[test]
    fn a_malformed_parameter_is_left_out_and_a_broken_block_refused() {
        let found = tag(&["s:,c:12x,g:3-2-1,g:1-2,n:-1,sGP,n:99999999999999999999"]);
        assert_eq!(found, Tag { bad_parameters: 7, ..Tag::default() });
        for bad in [&b"\\s:GP0001*00\\$X"[..], b"\\s:GP0001\\$X", b"\\s:GP0001*4F", b"\\s:GP0001*4F\\", b"\\"] {
            assert_eq!(Tag::read(bad).map(|_| ()), Err(Rejected::BadTagBlock), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_group_shares_its_source_and_its_gaps_are_counted() {
        let mut tags = Tags::default();
        tags.follow(tag(&["g:1-3-7,s:AI0001,c:100"]));
        let second = tags.follow(tag(&["g:2-3-7"]));
        assert_eq!((second.source, second.time), (Word::new(b"AI0001"), Some(Stamp::from_millis(100_000))));
        tags.follow(tag(&["g:3-3-7"]));
        assert_eq!(tags.counts().group_lines_missing, 0);
        tags.follow(tag(&["g:1-3-8,s:AI0001"]));
        assert_eq!(tags.follow(tag(&["g:3-3-8"])).source, Word::new(b"AI0001"));
        assert_eq!(tags.counts().group_lines_missing, 1);
        assert_eq!(tags.follow(tag(&["g:3-3-9"])).source, None);
        assert_eq!(tags.counts().group_lines_missing, 3);
        for code in 0..100 {
            tags.follow(tag(&[&format!("g:1-2-{code}")]));
        }
        assert_eq!(tags.groups.len(), GROUPS_MAX);
        let missing = tags.counts().group_lines_missing;
        tags.end();
        assert_eq!((tags.counts().group_lines_missing, tags.groups.len()), (missing + 16, 0));
        let huge = tags.follow(tag(&["g:4000000000-4000000001-1"]));
        assert_eq!(
            (huge.group, tags.counts().group_lines_missing, tags.counts().bad_parameters),
            (None, missing + 16, 1)
        );
        assert_eq!(tag(&["g:99-99-1"]).group, Some(Group { line: 99, total: 99, code: 1 }));
    }

    #[test]
    fn line_numbers_wrap_and_their_gaps_are_counted() {
        let mut tags = Tags::default();
        let mut missing = |lines: &[u32]| {
            let before = tags.counts().lines_missing;
            for n in lines {
                tags.follow(tag(&[&format!("s:GP0001,n:{n}")]));
            }
            tags.counts().lines_missing - before
        };
        assert_eq!(missing(&[997, 998, 999, 1, 2]), 0);
        assert_eq!(missing(&[2, 2, 3]), 0, "the same through two interfaces");
        assert_eq!(missing(&[6]), 2);
        assert_eq!(missing(&[5, 7]), 0, "one came late");
        assert_eq!(missing(&[996, 2]), 4, "997, 998, 999 and 1");
        for n in 0..200 {
            tags.follow(tag(&[&format!("s:G{n},n:1")]));
        }
        assert_eq!(tags.lines.len(), SOURCES_MAX);
    }
}
