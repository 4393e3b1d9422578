//! Framing: any byte stream in, whole lines out. Memory is one line; whatever is no sentence is reported once and
//! dropped.
//!
//! A line opens at `$`, `!` or the `\` of a TAG block, and closes at CR, LF, any byte that IEC 61162-1 does not allow
//! in a sentence, or the next opening. A line that was not closed by CR or LF counts only with a checksum: half a depth
//! is a wrong depth. The splitter refuses to look inside: checksums are compared by the decoder.

use super::lanes;
use super::reject::Rejected;

/// The longest line kept. IEC 61162-1 allows 82 characters and a TAG block of 80 before them; devices in the field
/// exceed both (proprietary sentences past 200, two TAG blocks on one line). Six times the standard, and one page at
/// most.
pub const LINE_BYTES_MAX: usize = 1_024;

/// Where in a line the next byte falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between sentences.
    #[default]
    Outside,
    /// Inside a TAG block.
    Tag,
    /// Behind a closed TAG block: the sentence, or one more TAG block, must follow.
    AfterTag,
    /// Inside a sentence.
    Sentence,
}

/// Cuts a byte stream into lines, whatever the sizes in which it arrives.
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// The part of the open line that came in earlier pushes.
    held: Vec<u8>,
    place: Place,
    /// Whether the noise that runs now was reported.
    noise_told: bool,
}

impl LineSplitter {
    /// A splitter at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory that the open line takes; never more than twice [`LINE_BYTES_MAX`].
    pub fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Takes the next bytes and hands each line that they complete to `line`, without its end; and each reason for
    /// which something was dropped. What it hands out does not depend on how the stream was cut into pushes.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(Result<&[u8], Rejected>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.place == Place::Outside
                && let Some((whole, behind)) = plain_line(rest)
            {
                self.noise_told = false;
                line(Ok(whole));
                rest = behind;
                continue;
            }
            rest = match self.place {
                Place::Outside => self.seek(rest, &mut line),
                _ => self.follow(rest, &mut line),
            };
        }
    }

    /// Ends the stream: a half line is handed out when its checksum is there, else reported as cut.
    pub fn finish(&mut self, mut line: impl FnMut(Result<&[u8], Rejected>)) {
        if self.place != Place::Outside {
            line(closed_early(&self.held));
        }
        *self = Self::default();
    }

    /// Skips to the opening of a sentence, telling of noise once a run.
    fn seek<'a>(&mut self, bytes: &'a [u8], line: &mut impl FnMut(Result<&[u8], Rejected>)) -> &'a [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                // Behind what was skipped a plain line may stand; here none does.
                b'$' | b'!' | b'\\' if at > 0 => return &bytes[at..],
                b'$' | b'!' | b'\\' => {
                    self.open(*byte);
                    return bytes;
                }
                b'\r' | b'\n' => self.noise_told = false,
                // Padding of serial servers and blank log columns: nothing was lost.
                0 | b' ' => {}
                _ if self.noise_told => {}
                _ => {
                    self.noise_told = true;
                    line(Err(Rejected::NotASentence));
                }
            }
        }
        &[]
    }

    fn open(&mut self, byte: u8) {
        self.held.clear();
        self.noise_told = false;
        self.place = if byte == b'\\' { Place::Tag } else { Place::Sentence };
    }

    /// Follows an open line to its end, or holds what there is of it.
    fn follow<'a>(&mut self, bytes: &'a [u8], line: &mut impl FnMut(Result<&[u8], Rejected>)) -> &'a [u8] {
        // The opening byte was seen by `seek` but not taken; held is empty then and only then.
        let mut from = usize::from(self.held.is_empty());
        loop {
            let Some(at) = lanes::position(&bytes[from..], lanes::special).map(|n| n + from) else {
                return self.hold(bytes, line);
            };
            self.place = match (self.place, bytes[at]) {
                (Place::Tag, b'\\') => Place::AfterTag,
                (Place::AfterTag, b'\\') => Place::Tag,
                (Place::AfterTag, b'$' | b'!') => Place::Sentence,
                _ => return self.close(bytes, at, line),
            };
            from = at + 1;
        }
    }

    fn hold<'a>(&mut self, bytes: &'a [u8], line: &mut impl FnMut(Result<&[u8], Rejected>)) -> &'a [u8] {
        if self.held.len() + bytes.len() > LINE_BYTES_MAX {
            self.place = Place::Outside;
            self.noise_told = true;
            line(Err(Rejected::TooLong));
        } else {
            self.held.extend_from_slice(bytes);
        }
        &[]
    }

    /// Ends the line before `bytes[at]`; that byte is left to [`LineSplitter::seek`].
    fn close<'a>(&mut self, bytes: &'a [u8], at: usize, line: &mut impl FnMut(Result<&[u8], Rejected>)) -> &'a [u8] {
        self.place = Place::Outside;
        let too_long = self.held.len() + at > LINE_BYTES_MAX;
        let whole = if self.held.is_empty() || too_long {
            &bytes[..at]
        } else {
            self.held.extend_from_slice(&bytes[..at]);
            &self.held[..]
        };
        // The byte that broke the line is noise that goes with it, not one more.
        self.noise_told = true;
        match bytes[at] {
            _ if too_long => line(Err(Rejected::TooLong)),
            b'\r' | b'\n' => line(Ok(whole)),
            _ => line(closed_early(whole)),
        }
        &bytes[at..]
    }
}

/// The usual case at full speed: a sentence with nothing before it and its end at hand, and what is behind them. What
/// it takes is what [`LineSplitter::seek`] and [`LineSplitter::follow`] would have made of it.
fn plain_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'$' | b'!', opened @ ..] = bytes else { return None };
    let at = 1 + lanes::position(opened, lanes::special)?;
    let behind = match &bytes[at..] {
        [b'\r', b'\n', behind @ ..] | [b'\r' | b'\n', behind @ ..] => behind,
        _ => return None,
    };
    (at <= LINE_BYTES_MAX).then(|| (&bytes[..at], behind))
}

/// A line without CR or LF counts only if its checksum is there.
fn closed_early(line: &[u8]) -> Result<&[u8], Rejected> {
    let star = line.iter().rposition(|b| *b == b'*').ok_or(Rejected::Cut)?;
    let sentence = line.iter().rposition(|b| matches!(b, b'$' | b'!')).ok_or(Rejected::Cut)?;
    let whole = star > sentence && line[star + 1..].iter().take_while(|b| b.is_ascii_hexdigit()).count() >= 2;
    if whole { Ok(line) } else { Err(Rejected::Cut) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::new();
        let mut seen = Vec::new();
        let mut take = |line: Result<&[u8], Rejected>| {
            seen.push(line.map_or_else(|e| e.name().to_owned(), |l| String::from_utf8_lossy(l).into_owned()));
        };
        chunks.iter().for_each(|chunk| splitter.push(chunk, &mut take));
        splitter.finish(&mut take);
        assert!(splitter.held.capacity() <= LINE_BYTES_MAX * 2);
        seen
    }

    #[test]
    fn every_line_end_ends_a_line() {
        assert_eq!(split(&[b"$A,1\r\n$B,2\n$C,3\r$D,4\r\n\r\n"]), ["$A,1", "$B,2", "$C,3", "$D,4"]);
    }

    #[test]
    fn sentences_run_together_are_parted_and_halves_dropped() {
        assert_eq!(
            split(&[b"$A,1*00$B,2*11!C,3*22\\s:x*33\\$D,4*44\n"]),
            ["$A,1*00", "$B,2*11", "!C,3*22", "\\s:x*33\\$D,4*44"]
        );
        assert_eq!(split(&[b"$SDDBT,7.8,f,2$SDDBT,7.8,f,2.4,M,1.3,F\n"]), ["cut", "$SDDBT,7.8,f,2.4,M,1.3,F"]);
        assert_eq!(split(&[b"$SDDBT,7.8,f,2.4,M\x00\x00\n"]), ["cut"]);
        assert_eq!(split(&[b"$SDDBT,7.8,f,2.4"]), ["cut"]);
        assert_eq!(split(&[b"$A,1*0"]), ["cut"]);
        assert_eq!(split(&[b"$A,1*00"]), ["$A,1*00"]);
    }

    #[test]
    fn noise_is_told_once_a_run() {
        assert_eq!(split(&[b"# comment\n12:00 $A,1\n\0\0  \n"]), ["not_a_sentence", "not_a_sentence", "$A,1"]);
        assert_eq!(split(&[b"\xB5\x62\x01\x07\xD3\x00$A,1*00\xB5\x62\x01"]), ["not_a_sentence", "$A,1*00"]);
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_found() {
        let long = [b"$GPXXX,".as_slice(), &[b'9'; 5_000], b"\n$A,1\n"].concat();
        assert_eq!(split(&[&long]), ["too_long", "$A,1"]);
        let many: Vec<&[u8]> = long.chunks(700).collect();
        assert_eq!(split(&many), ["too_long", "$A,1"]);
    }

    #[test]
    fn two_tag_blocks_may_stand_before_a_sentence() {
        assert_eq!(split(&[b"\\g:1-2-3*00\\\\s:a*00\\!X,1\n"]), ["\\g:1-2-3*00\\\\s:a*00\\!X,1"]);
    }

    /// Bytes that mean something to the splitter, and any others.
    fn any_telling_byte() -> impl Strategy<Value = u8> {
        prop_oneof![Just(b'$'), Just(b'!'), Just(b'\\'), Just(b'\n'), Just(b'*'), Just(b'0'), any::<u8>()]
    }

    proptest! {
        #[test]
        fn the_cut_of_the_stream_does_not_matter(
            bytes in proptest::collection::vec(any_telling_byte(), 0..3000),
            sizes in proptest::collection::vec(1usize..1500, 1..50),
        ) {
            let mut chunks = Vec::new();
            let mut rest = &bytes[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, more) = rest.split_at((*size).min(rest.len()));
                chunks.push(chunk);
                rest = more;
            }
            prop_assert_eq!(split(&chunks), split(&[&bytes]));
        }
    }
}
