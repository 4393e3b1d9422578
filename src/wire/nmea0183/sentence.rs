//! The form of a sentence (IEC 61162-1, section 7): TAG block, address, fields, checksum. No allocation.
//!
//! It refuses to know what a field means: that is [`super::table`].

use super::lanes;
use super::number;
use super::reject::Rejected;
use super::table::{self, BadField, SentenceSpec};
use super::tag::Tag;
use crate::wire::{Formatter, Talker, Word};

/// The most fields a decoded sentence may have. 82 characters hold 38 at most; XDR of long lines reaches 48.
pub const FIELDS_MAX: usize = 64;

/// Whether a sentence must carry a checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumRule {
    /// A sentence without one is rejected, as IEC 61162-1 asks.
    Required,
    /// A checksum that is there must be right. NMEA 0183 made it optional before version 2, and old sounders and
    /// handheld receivers send none.
    #[default]
    IfPresent,
}

/// One sentence of a line, checked but not interpreted. Borrows the line.
#[derive(Clone, Copy, Debug)]
pub struct Sentence<'a> {
    /// Who spoke.
    pub talker: Talker,
    /// What was said.
    pub formatter: Formatter,
    /// How its fields read; `None` when no such formatter is in the table.
    pub spec: Option<&'static SentenceSpec>,
    body: &'a [u8],
}

impl<'a> Sentence<'a> {
    /// Reads one line as the splitter hands it out: perhaps TAG blocks, `$` or `!`, address, fields, perhaps a
    /// checksum. What stands behind the checksum (receivers' own stamps) is not looked at.
    pub fn parse(line: &'a [u8], rule: ChecksumRule) -> Result<Self, Rejected> {
        let mut line = line.trim_ascii_end();
        if let [b'\\', ..] = line {
            line = Tag::read(line)?.1;
        }
        let [b'$' | b'!', rest @ ..] = line else { return Err(Rejected::NotASentence) };
        let content = checked(rest, rule)?;
        let (address, body) = match content.iter().position(|b| *b == b',') {
            Some(comma) => (&content[..comma], &content[comma + 1..]),
            None => (content, &content[content.len()..]),
        };
        let (talker, formatter) = address_words(address).ok_or(Rejected::BadAddress)?;
        Ok(Self { talker, formatter, spec: table::find(address), body })
    }

    /// The fields in order, each as it stands.
    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.body.split(|b| *b == b',')
    }

    /// The fields with their starts found once. More than [`FIELDS_MAX`] are told by [`Fields::are_too_many`].
    ///
    /// The starts are the caller's: a value of their size would be copied on return, at 9 ns.
    #[inline]
    pub(super) fn index<'b>(&self, starts: &'b mut Starts) -> Fields<'b>
    where
        'a: 'b,
    {
        let mut count = 1;
        lanes::each(self.body, b',', |comma| {
            // A line is shorter than 65,536 bytes: the splitter sees to it.
            starts[count.min(FIELDS_MAX)] = comma as u16 + 1;
            count += 1;
        });
        starts[count.min(FIELDS_MAX)] = self.body.len() as u16 + 1;
        Fields { body: self.body, starts, count }
    }
}

/// Where fields start, the first at zero. Behind the last stands where one more would start.
pub(super) type Starts = [u16; FIELDS_MAX + 1];

/// The fields of one sentence by number. A field beyond the end reads as blank: talkers leave off trailing fields, and
/// later editions of the standard add some.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    body: &'a [u8],
    starts: &'a Starts,
    count: usize,
}

impl<'a> Fields<'a> {
    /// Whether there are more than have a place: then none may be asked for.
    pub const fn are_too_many(&self) -> bool {
        self.count > FIELDS_MAX
    }

    /// The text of field `at`, from 0.
    #[inline]
    pub fn get(&self, at: usize) -> &'a [u8] {
        if at >= self.count {
            return &[];
        }
        &self.body[usize::from(self.starts[at])..usize::from(self.starts[at + 1]) - 1]
    }

    /// The number in field `at`; `None` when it is blank.
    pub fn number(&self, at: usize) -> Result<Option<f64>, BadField> {
        let text = self.get(at);
        if text.is_empty() {
            return Ok(None);
        }
        match self.word(at, 0).and_then(|word| number::short(word, text.len())) {
            Some(number) => Ok(Some(number)),
            None => number::number(text).map_err(BadField::at(at)),
        }
    }

    /// The degrees in field `at`, which has them as `dddmm.mmmm`; `None` when it is blank.
    #[inline]
    pub fn degrees(&self, at: usize) -> Result<Option<f64>, BadField> {
        let text = self.get(at);
        match number::usual_degrees(text.len(), |from| self.word(at, from)) {
            Some(degrees) => Ok(Some(degrees)),
            None => number::degrees(text).map_err(BadField::at(at)),
        }
    }

    /// The eight characters of the sentence from character `from` of field `at` on, if there are so many. Those of the
    /// next fields are the reader's to cut off.
    #[inline]
    fn word(&self, at: usize, from: usize) -> Option<u64> {
        let rest = self.body.get(usize::from(*self.starts.get(at)?) + from..)?;
        Some(u64::from_le_bytes(*rest.first_chunk()?))
    }

    /// The field's only character, if it is one.
    #[inline]
    pub fn letter(&self, at: usize) -> Option<u8> {
        match self.get(at) {
            [letter] => Some(*letter),
            _ => None,
        }
    }

    /// How many fields there are.
    pub const fn count(&self) -> usize {
        self.count
    }
}

/// What stands before `*hh`, when `hh` is the exclusive or of its characters (IEC 61162-1, 7.2.6).
pub(super) fn checked(rest: &[u8], rule: ChecksumRule) -> Result<&[u8], Rejected> {
    let usual = rest.len().checked_sub(3).filter(|at| rest[*at] == b'*');
    let Some(star) = usual.or_else(|| rest.iter().position(|b| *b == b'*')) else {
        return if rule == ChecksumRule::Required { Err(Rejected::NoChecksum) } else { Ok(rest) };
    };
    let (content, tail) = rest.split_at(star);
    let made = checksum(content);
    // Compared as text: to read the digits takes two branches that nobody can predict.
    if let [_, high, low, ..] = tail
        && (*high == DIGITS[usize::from(made >> 4)]) & (*low == DIGITS[usize::from(made & 0xF)])
    {
        return Ok(content);
    }
    let said = match tail {
        [_, high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    };
    let said = said.ok_or(Rejected::BrokenChecksum)?;
    if said == made { Ok(content) } else { Err(Rejected::BadChecksum { said, made }) }
}

/// Hexadecimal digits as talkers write them.
const DIGITS: [u8; 16] = *b"0123456789ABCDEF";

/// The exclusive or of all characters, as IEC 61162-1 makes its checksum.
pub fn checksum(content: &[u8]) -> u8 {
    lanes::checksum(content)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Parts an address: two characters and three, or `P`, the maker's three and whatever follows.
fn address_words(address: &[u8]) -> Option<(Talker, Formatter)> {
    match address {
        [b'P', _, _, _, ..] => {
            let (talker, rest) = address.split_at(4);
            // The rest is the maker's own: kept as far as it is a word, never a reason to reject.
            let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            let word = rest.iter().take(crate::wire::WORD_BYTES_MAX).take_while(|b| upper(b)).count();
            Some((Word::new(talker)?, Word::new(&rest[..word])?))
        }
        [t, u, a, b, c] => Some((Word::new(&[*t, *u])?, Word::new(&[*a, *b, *c])?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<(String, String, usize), Rejected> {
        let sentence = Sentence::parse(line.as_bytes(), ChecksumRule::IfPresent)?;
        Ok((sentence.talker.to_string(), sentence.formatter.to_string(), sentence.fields().count()))
    }

    #[test]
    fn addresses_are_parted() {
        assert_eq!(parse("$HEROT,+000.05,A*35").unwrap(), ("HE".into(), "ROT".into(), 2));
        assert_eq!(parse("$PGRME,15.0,M,45.0,M,25.0,M").unwrap(), ("PGRM".into(), "E".into(), 6));
        assert_eq!(parse("$PFEC,GPint,tim").unwrap(), ("PFEC".into(), String::new(), 2));
        for bad in ["$GGA,1", "$,1", "$GPGGAX,1", "$gpgga,1", "$&bTXT,1", "$"] {
            assert_eq!(parse(bad), Err(Rejected::BadAddress), "{bad}");
        }
        assert_eq!(parse("GPGGA,1"), Err(Rejected::NotASentence));
        assert_eq!(parse(""), Err(Rejected::NotASentence));
    }

    #[test]
    fn checksums_are_held_to_the_rule() {
        assert_eq!(parse("$HEROT,+000.05,A*AA"), Err(Rejected::BadChecksum { said: 0xAA, made: 0x35 }));
        assert_eq!(parse("$HEROT,+000.05,A*3"), Err(Rejected::BrokenChecksum));
        assert_eq!(parse("$HEROT,+000.05,A*"), Err(Rejected::BrokenChecksum));
        assert_eq!(parse("$HEROT,+000.05,A*G5"), Err(Rejected::BrokenChecksum));
        assert!(parse("$HEROT,+000.05,A").is_ok());
        assert!(parse("$HEROT,+000.05,A*35,r003669930,1310000000").is_ok());
        let required = Sentence::parse(b"$HEROT,+000.05,A", ChecksumRule::Required);
        assert_eq!(required.map(|_| ()), Err(Rejected::NoChecksum));
    }

    #[test]
    fn tag_blocks_are_checked_and_skipped() {
        assert!(parse("\\s:HE0001*45\\$HEROT,+000.05,A*35").is_ok());
        assert!(parse("\\d:HE0002*51\\\\s:HE0001*45\\$HEROT,+000.05,A*35").is_ok());
        for bad in ["\\s:HE0001*AA\\$HEROT,+000.05,A*35", "\\s:HE0001\\$HEROT,+000.05,A*35", "\\s:HE0001*45\\", "\\"] {
            assert_eq!(parse(bad), Err(Rejected::BadTagBlock), "{bad}");
        }
    }

    #[test]
    fn fields_beyond_the_end_are_blank_and_too_many_are_refused() {
        let sentence = Sentence::parse(b"$SDDBT,,f,2.4", ChecksumRule::IfPresent).unwrap();
        let mut starts = [0; FIELDS_MAX + 1];
        let fields = sentence.index(&mut starts);
        assert_eq!((fields.get(0), fields.get(2), fields.get(3)), (&b""[..], &b"2.4"[..], &b""[..]));
        assert_eq!(fields.letter(1), Some(b'f'));
        let many = format!("$GPGSV{}", ",".repeat(FIELDS_MAX + 1));
        let sentence = Sentence::parse(many.as_bytes(), ChecksumRule::IfPresent).unwrap();
        assert!(sentence.index(&mut [0; FIELDS_MAX + 1]).are_too_many());
    }

    proptest! {
        #[test]
        fn any_single_change_of_a_checked_sentence_is_seen(at in 1usize..60, bit in 0u32..7) {
            let line = b"$GPRMC,102929.00,A,5327.04024,N,00214.41560,W,0.273,,070321,,,A*62";
            let mut changed = line.to_vec();
            changed[at] ^= 1 << bit;
            let parsed = Sentence::parse(&changed, ChecksumRule::Required);
            prop_assert!(parsed.is_err(), "{:?}", String::from_utf8_lossy(&changed));
        }
    }
}
