//! The sentences, as a table: what each field is called, and which readings a sentence makes.
//!
//! To add a sentence, add a row; see the module's head. Field names and meanings follow IEC 61162-1:2016, section 8.3.

use std::f64::consts::PI;

use super::emit::Emit;
use super::number::Malformed;
use super::sentence::Fields;
use super::word::{Formatter, Talker};

/// Knots in m/s: 1852 m an hour.
pub const KNOT_M_S: f64 = 1852.0 / 3600.0;
/// Kilometres an hour in m/s.
pub const KM_H_M_S: f64 = 1.0 / 3.6;
/// Degrees in radians.
pub const DEG_RAD: f64 = PI / 180.0;
/// International foot in metres.
pub const FOOT_M: f64 = 0.3048;
/// Fathom in metres: six feet.
pub const FATHOM_M: f64 = 6.0 * FOOT_M;

/// One row of the table.
#[derive(Debug)]
pub struct SentenceSpec {
    /// Three letters.
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
    /// Latitude, N or S, longitude, E or W, from this field on.
    Position(usize),
    /// A count.
    Whole(usize, u32),
    /// One letter or digit that stands for a word.
    Word(usize, &'static [(u8, &'static str)]),
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
    /// A function of the fields.
    Fields(fn(&Fields<'_>, &mut Emit<'_>) -> Result<(), BadField>),
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

impl SentenceSpec {
    /// The name of field `at`; groups that repeat (XDR) repeat their names.
    pub fn field_name(&self, at: usize) -> Option<&'static str> {
        self.fields.get(at).map(|f| f.name)
    }
}

const fn field(name: &'static str, meaning: &'static str) -> FieldSpec {
    FieldSpec { name, meaning }
}

const fn number(field: usize, scale: f64) -> Number {
    Number { field, scale, offset: 0.0, unit: Unit::Implied, negative_if: None }
}

impl Number {
    const fn fixed(self, field: usize, letter: u8) -> Self {
        Self { unit: Unit::Fixed(field, letter), ..self }
    }
    const fn negative_if(self, field: usize, letter: u8) -> Self {
        Self { negative_if: Some((field, letter)), ..self }
    }
}

const fn report(path: &'static str, take: Take) -> ReadingSpec {
    ReadingSpec { path, instance: "", take, valid: Valid::Always, when: None, absent: Absent::Report }
}

const fn optional(path: &'static str, take: Take) -> ReadingSpec {
    ReadingSpec { path, instance: "", take, valid: Valid::Always, when: None, absent: Absent::Skip }
}

impl ReadingSpec {
    const fn valid(self, valid: Valid) -> Self {
        Self { valid, ..self }
    }
}

/// Depths beyond the deepest trench (10,935 m) are no depths.
const DEPTH_M_MAX: f64 = 11_000.0;
/// No ship and no wind is faster: 1,000 knots.
const SPEED_KN_MAX: f64 = 1_000.0;

const RMC: SentenceSpec = SentenceSpec {
    formatter: "RMC",
    meaning: "recommended minimum specific GNSS data",
    fields: &[
        field("utc", "time of position, hhmmss.ss"),
        field("status", "A valid, V navigation receiver warning"),
        field("latitude", "ddmm.mmmm"),
        field("latitude_hemisphere", "N or S"),
        field("longitude", "dddmm.mmmm"),
        field("longitude_hemisphere", "E or W"),
        field("speed_over_ground_kn", "knots"),
        field("course_over_ground_true_deg", "degrees true"),
        field("date", "ddmmyy"),
        field("magnetic_variation_deg", "degrees"),
        field("magnetic_variation_direction", "E or W"),
        field("mode", "A autonomous, D differential, E estimated, F float RTK, M manual, N no fix, P, R, S"),
        field("navigational_status", "S safe, C caution, U unsafe, V not valid"),
    ],
    time: TimeRule::UtcAndDate(0, 8, Valid::Is(1, b'A')),
    readings: &[
        report("navigation.position", Take::Position(2)).valid(Valid::Is(1, b'A')),
        optional("navigation.speedOverGround", Take::Number(&[number(6, KNOT_M_S)], 0.0, SPEED_KN_MAX))
            .valid(Valid::Is(1, b'A')),
        optional("navigation.courseOverGroundTrue", Take::Number(&[number(7, DEG_RAD)], 0.0, 360.0))
            .valid(Valid::Is(1, b'A')),
        optional(
            "navigation.magneticVariation",
            Take::Number(&[number(9, DEG_RAD).negative_if(10, b'W')], -180.0, 180.0),
        )
        .valid(Valid::Is(1, b'A')),
    ],
    special: Special::None,
};

const DBT: SentenceSpec = SentenceSpec {
    formatter: "DBT",
    meaning: "depth below transducer",
    fields: &[
        field("depth_ft", "feet"),
        field("depth_ft_unit", "f"),
        field("depth_m", "metres"),
        field("depth_m_unit", "M"),
        field("depth_fathoms", "fathoms"),
        field("depth_fathoms_unit", "F"),
    ],
    time: TimeRule::None,
    readings: &[report(
        "environment.depth.belowTransducer",
        Take::Number(
            &[number(2, 1.0).fixed(3, b'M'), number(0, FOOT_M).fixed(1, b'f'), number(4, FATHOM_M).fixed(5, b'F')],
            0.0,
            DEPTH_M_MAX,
        ),
    )],
    special: Special::None,
};

/// The table.
pub static TABLE: [SentenceSpec; 2] = [RMC, DBT];

/// The row of a formatter; proprietary sentences have none yet.
pub fn find(talker: Talker, formatter: Formatter) -> Option<&'static SentenceSpec> {
    if talker.as_str().len() != 2 {
        return None;
    }
    TABLE.iter().find(|spec| spec.formatter == formatter.as_str())
}
