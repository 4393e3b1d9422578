//! The words that the table of sentences is written in: fields, rules, validity, absence. The rows stand in
//! [`super::rows`]; [`super::rules`] carries them out. There is no logic here beyond finding a row.

use std::borrow::Cow;
use std::f64::consts::PI;
use std::sync::{Arc, OnceLock};

use super::number::Malformed;
use super::rows::{PROPRIETARY, TABLE};
use super::sentence::Fields;
use crate::reading::Value;
use crate::wire::{Emit, Talker};

/// Knots in m/s: 1852 m an hour.
pub const KNOT_M_S: f64 = 1852.0 / 3600.0;
/// Kilometres an hour in m/s.
pub const KM_H_M_S: f64 = 1.0 / 3.6;
/// Degrees in radians.
pub const DEG_RAD: f64 = PI / 180.0;
/// International foot in metres.
pub const FOOT_M: f64 = 0.3048;
/// International nautical mile in metres.
pub const NAUTICAL_MILE_M: f64 = 1_852.0;
/// Conventional inch of mercury in pascals.
pub const INCH_OF_MERCURY_PA: f64 = 3_386.389;
/// Fathom in metres: six feet.
pub const FATHOM_M: f64 = 6.0 * FOOT_M;

/// One row of the table.
#[derive(Debug)]
pub struct SentenceSpec {
    /// Three letters; the whole address of a proprietary sentence.
    pub formatter: &'static str,
    /// What the standard calls it.
    pub meaning: &'static str,
    /// Its fields in order.
    pub fields: &'static [FieldSpec],
    /// Where its time of day stands.
    pub time: TimeRule,
    /// The readings that a rule can make.
    pub readings: &'static [ReadingSpec],
    /// The readings that need more than a rule.
    pub special: Special,
}

/// One field.
#[derive(Debug)]
pub struct FieldSpec {
    /// Name in `--raw` output and in errors, snake case, unit last.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// Where a sentence's time of day stands, and when it may be believed.
#[derive(Clone, Copy, Debug)]
pub enum TimeRule {
    /// It has none: the reading is dated by its arrival.
    None,
    /// `hhmmss.ss` in this field; the date is the talker's last.
    Utc(usize, Valid),
    /// `hhmmss.ss` and `ddmmyy`.
    UtcAndDate(usize, usize, Valid),
    /// `hhmmss.ss`, day, month and year in this field and the three after it.
    UtcDayMonthYear(usize),
}

/// When a sentence says that its values hold.
#[derive(Clone, Copy, Debug)]
pub enum Valid {
    /// It has no say.
    Always,
    /// When this field is this letter.
    Is(usize, u8),
    /// When this field is neither blank nor this letter.
    IsNot(usize, u8),
    /// Unless this field is this letter; talkers of older editions leave the field off.
    Unless(usize, u8),
    /// When both fields are this letter.
    Both(usize, usize, u8),
    /// When this field is not blank and has another letter than this one somewhere (GNS: a mode for each system).
    NotAll(usize, u8),
}

/// One reading that a rule can make.
#[derive(Debug)]
pub struct ReadingSpec {
    /// Signal K path.
    pub path: &'static str,
    /// Which of several alike.
    pub instance: &'static str,
    /// Where the value comes from.
    pub take: Take,
    /// When the sentence says that it holds.
    pub valid: Valid,
    /// Only in the form of the sentence where this field is this letter.
    pub when: Option<(usize, u8)>,
    /// What becomes of a blank.
    pub absent: Absent,
}

/// What becomes of a blank or invalid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is the purpose of the sentence: its absence is a reading.
    Report,
    /// It is optional: nothing is said.
    Skip,
}

/// Where a value comes from.
#[derive(Debug)]
pub enum Take {
    /// The first of these that is not blank, in `lowest..=highest` as the sentence writes it.
    Number(&'static [Number], f64, f64),
    /// The same, an angle of 0 to 360 degrees made negative to port, as Signal K has wind angles.
    PortAngle(usize),
    /// Latitude, N or S, longitude, E or W, from this field on.
    Position(usize),
    /// A count.
    Whole(usize, u32),
    /// One letter or digit that stands for a word.
    Word(usize, &'static Words),
    /// A name or text.
    Text(usize),
    /// A letter for true and one for false.
    Flag(usize, u8, u8),
}

/// A number and how it becomes SI: `value * scale + offset`.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// Which field.
    pub field: usize,
    /// Factor to SI.
    pub scale: f64,
    /// Added after scaling.
    pub offset: f64,
    /// Its unit's letter.
    pub unit: Unit,
    /// The field and letter that make it negative (`W` of a variation).
    pub negative_if: Option<(usize, u8)>,
}

/// The letter of a unit.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// None stands there.
    Implied,
    /// The standard allows this letter only; a blank is let pass.
    Fixed(usize, u8),
    /// The letter chooses among several numbers.
    Chosen(usize, u8),
}

/// What needs more than a rule.
#[derive(Clone, Copy, Debug)]
pub enum Special {
    /// Nothing.
    None,
    /// `navigation.datetime` out of the sentence's own time and date.
    DateTime(Absent),
    /// A function of the fields.
    Fields(fn(&Fields<'_>, &mut Emit<'_>) -> Result<(), BadField>),
    /// The same, where it matters who speaks, whatever source a TAG block names: satellites of one system or several.
    Talker(fn(Talker, &Fields<'_>, &mut Emit<'_>) -> Result<(), BadField>),
    /// A function of the fields, where they repeat as a group (XDR).
    Groups(fn(&Fields<'_>, &mut Emit<'_>) -> Result<(), BadField>),
    /// An alert in one sentence or two (ALF): the decoder remembers the first.
    Alert,
    /// An AIS payload; `true` when it is the own ship's (VDO).
    Ais(bool),
}

/// The number of the field that is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadField(pub usize);

impl BadField {
    /// Makes a field's error out of its text's.
    pub fn at(field: usize) -> impl Fn(Malformed) -> Self {
        move |Malformed| Self(field)
    }
}

/// Words that letters or numbers stand for. The texts are made once, so that a reading of one costs no allocation.
#[derive(Debug)]
pub struct Words {
    words: &'static [(u8, &'static str)],
    texts: OnceLock<Vec<Arc<str>>>,
}

impl Words {
    /// Words by their code.
    pub const fn new(words: &'static [(u8, &'static str)]) -> Self {
        Self { words, texts: OnceLock::new() }
    }

    /// The word of `code`.
    pub fn get(&self, code: u8) -> Option<Value> {
        let at = self.words.iter().position(|(known, _)| *known == code)?;
        let texts = self.texts.get_or_init(|| self.words.iter().map(|(_, word)| Arc::from(*word)).collect());
        Some(Value::Text(Arc::clone(&texts[at])))
    }
}

impl SentenceSpec {
    /// The name of field `at`, from 0. Groups that repeat number theirs: `value`, `value_2`; a field beyond the table
    /// is `field_7`, counted from 1 as the standard does.
    pub fn field_name(&self, at: usize) -> Cow<'static, str> {
        let count = self.fields.len();
        let repeats = matches!(self.special, Special::Groups(_));
        match self.fields.get(if repeats { at % count } else { at }) {
            Some(field) if at >= count => Cow::Owned(format!("{}_{}", field.name, at / count + 1)),
            Some(field) => Cow::Borrowed(field.name),
            None => Cow::Owned(format!("field_{}", at + 1)),
        }
    }
}

pub(super) const fn field(name: &'static str, meaning: &'static str) -> FieldSpec {
    FieldSpec { name, meaning }
}

pub(super) const fn number(field: usize, scale: f64) -> Number {
    Number { field, scale, offset: 0.0, unit: Unit::Implied, negative_if: None }
}

impl Number {
    pub(super) const fn fixed(self, field: usize, letter: u8) -> Self {
        Self { unit: Unit::Fixed(field, letter), ..self }
    }
    pub(super) const fn chosen(self, field: usize, letter: u8) -> Self {
        Self { unit: Unit::Chosen(field, letter), ..self }
    }
    pub(super) const fn plus(self, offset: f64) -> Self {
        Self { offset, ..self }
    }
    pub(super) const fn negative_if(self, field: usize, letter: u8) -> Self {
        Self { negative_if: Some((field, letter)), ..self }
    }
}

pub(super) const fn report(path: &'static str, take: Take) -> ReadingSpec {
    ReadingSpec { path, instance: "", take, valid: Valid::Always, when: None, absent: Absent::Report }
}

pub(super) const fn optional(path: &'static str, take: Take) -> ReadingSpec {
    ReadingSpec { path, instance: "", take, valid: Valid::Always, when: None, absent: Absent::Skip }
}

impl ReadingSpec {
    pub(super) const fn valid(self, valid: Valid) -> Self {
        Self { valid, ..self }
    }
    pub(super) const fn when(self, field: usize, letter: u8) -> Self {
        Self { when: Some((field, letter)), ..self }
    }
    pub(super) const fn of(self, instance: &'static str) -> Self {
        Self { instance, ..self }
    }
}

/// Slots of the hash table below: three times the rows, so that most formatters are found at the first look.
const SLOTS: usize = 256;

/// A formatter as a number, and its row.
type Slot = (u32, Option<&'static SentenceSpec>);

/// Rows by a hash of their three letters; a row whose slot is taken stands in the next.
static ROWS: [Slot; SLOTS] = rows();

const fn rows() -> [Slot; SLOTS] {
    assert!(TABLE.len() * 2 < SLOTS);
    let mut rows = [(0, None); SLOTS];
    let mut row = 0;
    while row < TABLE.len() {
        let [a, b, c] = *TABLE[row].formatter.as_bytes() else { panic!("a formatter has three letters") };
        let key = key(a, b, c);
        let mut at = slot(key);
        while rows[at].1.is_some() {
            at = (at + 1) % SLOTS;
        }
        rows[at] = (key, Some(&TABLE[row]));
        row += 1;
    }
    rows
}

const fn key(a: u8, b: u8, c: u8) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

/// The highest 8 bits of a multiplication by 2^32 over the golden ratio.
const fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9E37_79B9) >> 24) as usize
}

/// The row of an address: by its formatter, or as a whole where it is proprietary.
pub fn find(address: &[u8]) -> Option<&'static SentenceSpec> {
    match *address {
        [b'P', ..] => PROPRIETARY.iter().find(|row| row.formatter.as_bytes() == address),
        [_, _, a, b, c] => {
            let key = key(a, b, c);
            let mut at = slot(key);
            // There are free slots, so this ends.
            while ROWS[at].0 != key && ROWS[at].1.is_some() {
                at = (at + 1) % SLOTS;
            }
            ROWS[at].1
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_and_names_its_fields_once() {
        for row in TABLE.iter().chain(&PROPRIETARY) {
            let address =
                if row.formatter.len() == 3 { format!("GP{}", row.formatter) } else { row.formatter.to_owned() };
            assert_eq!(find(address.as_bytes()).map(|r| r.formatter), Some(row.formatter));
            let mut names: Vec<_> = row.fields.iter().map(|f| f.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), row.fields.len(), "{}: a field's name stands twice", row.formatter);
        }
        for unknown in ["GPXXX", "PRMC", "PGRMCE", "PXXXX", "GP", ""] {
            assert!(find(unknown.as_bytes()).is_none(), "{unknown}");
        }
    }
}
