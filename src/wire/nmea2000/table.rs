//! What the rows of the table are made of: how the fields of a PGN become readings. See the module for how to add one.

use crate::wire::Emit;

/// One PGN and the readings that it makes.
#[derive(Debug)]
pub struct PgnSpec {
    /// Parameter group number.
    pub pgn: u32,
    /// The field that tells several alike apart. Its number takes the place of `*` in a path, else it is the reading's
    /// instance, where 0 is the empty one.
    pub instance: Option<&'static str>,
    /// The fields of the date and time of measurement.
    pub observed: Option<(&'static str, &'static str)>,
    /// Whom it is about.
    pub about: About,
    /// Values that repeat: the field that counts them, bits of one. The rules are those of one.
    pub lines: Option<(&'static str, u32)>,
    /// The field that tells those that repeat apart, in place of the message's instance, and the instance of a number.
    pub each: Option<Each>,
    /// Each makes a reading, or none.
    pub rules: &'static [Rule],
    /// Numbers that make readings together: their fields, in SI, `None` where not available.
    pub special: Option<Special>,
}

/// The field, and what makes an instance of its number.
pub type Each = (&'static str, fn(u32) -> String);

/// The fields, and what makes readings of them.
pub type Special = (&'static [&'static str], fn(&[Option<f64>], &mut Emit<'_>));

/// Whom a PGN is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The vessel that carries the bus.
    OwnShip,
    /// An AIS station, by the field of its MMSI. What the own transceiver sends is left out: the own ship's values come
    /// from its instruments.
    Station(&'static str, Kind),
}

/// What kind of AIS station sends a PGN, where its MMSI does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A vessel.
    Vessel,
    /// A base station.
    Shore,
    /// A search-and-rescue aircraft.
    Aircraft,
    /// An aid to navigation.
    Aid,
}

/// One reading.
#[derive(Debug)]
pub struct Rule {
    /// Where it goes.
    pub path: Path,
    /// What it is.
    pub take: Take,
    /// What a field that is not available makes.
    pub absent: Absent,
    /// Only if this field has this code.
    pub when: Option<(&'static str, u64)>,
}

/// Signal K path; `*` stands for the instance.
#[derive(Clone, Copy, Debug)]
pub enum Path {
    /// Always this.
    Fixed(&'static str),
    /// The field's code chooses; none for codes that are not here.
    By(&'static str, &'static [(u64, &'static str)]),
}

/// Whether a value that is not available is a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is what the message is for: its absence is told.
    Report,
    /// The message carries it beside its purpose: nothing is told.
    Skip,
}

/// How fields, named as in canboat's database, become a value.
#[derive(Clone, Copy, Debug)]
pub enum Take {
    /// A number in SI, as canboat scales it.
    Number(&'static str),
    /// An angle of 0 to 2 pi, made -pi to pi: to port is negative.
    Turn(&'static str),
    /// A count or code.
    Whole(&'static str),
    /// 0 is off, 1 is on.
    Switch(&'static str),
    /// The word of a code; a code without one is not available.
    Word(&'static str, &'static [(u8, &'static str)]),
    /// canboat's own name of a code, where Signal K has no words.
    Name(&'static str),
    /// A text.
    Text(&'static str),
    /// A word that the PGN itself says.
    Always(&'static str),
    /// Latitude and longitude.
    Position(&'static str, &'static str),
    /// A date and a time, as RFC 3339.
    DateTime(&'static str, &'static str),
}

impl Take {
    /// The fields that it reads.
    pub fn fields(&self) -> Vec<&'static str> {
        match self {
            Self::Always(_) => Vec::new(),
            Self::Position(one, two) | Self::DateTime(one, two) => vec![one, two],
            Self::Number(one) | Self::Turn(one) | Self::Whole(one) | Self::Switch(one) => vec![one],
            Self::Word(one, _) | Self::Name(one) | Self::Text(one) => vec![one],
        }
    }
}

pub(super) const fn row(pgn: u32, rules: &'static [Rule]) -> PgnSpec {
    PgnSpec {
        pgn,
        instance: None,
        observed: None,
        about: About::OwnShip,
        lines: None,
        each: None,
        rules,
        special: None,
    }
}

impl PgnSpec {
    pub(super) const fn instance(self, field: &'static str) -> Self {
        Self { instance: Some(field), ..self }
    }
    pub(super) const fn observed(self, date: &'static str, time: &'static str) -> Self {
        Self { observed: Some((date, time)), ..self }
    }
    pub(super) const fn station(self, field: &'static str, kind: Kind) -> Self {
        Self { about: About::Station(field, kind), ..self }
    }
    pub(super) const fn lines(self, count: &'static str, bits: u32) -> Self {
        Self { lines: Some((count, bits)), ..self }
    }
    pub(super) const fn each(self, field: &'static str, instance: fn(u32) -> String) -> Self {
        Self { each: Some((field, instance)), ..self }
    }
    pub(super) const fn special(self, fields: &'static [&'static str], f: fn(&[Option<f64>], &mut Emit<'_>)) -> Self {
        Self { special: Some((fields, f)), ..self }
    }
}

const fn rule(path: Path, take: Take, absent: Absent) -> Rule {
    Rule { path, take, absent, when: None }
}

pub(super) const fn report(path: &'static str, take: Take) -> Rule {
    rule(Path::Fixed(path), take, Absent::Report)
}

pub(super) const fn optional(path: &'static str, take: Take) -> Rule {
    rule(Path::Fixed(path), take, Absent::Skip)
}

pub(super) const fn report_by(field: &'static str, paths: &'static [(u64, &'static str)], take: Take) -> Rule {
    rule(Path::By(field, paths), take, Absent::Report)
}

pub(super) const fn optional_by(field: &'static str, paths: &'static [(u64, &'static str)], take: Take) -> Rule {
    rule(Path::By(field, paths), take, Absent::Skip)
}

impl Rule {
    pub(super) const fn when(self, field: &'static str, code: u64) -> Self {
        Self { when: Some((field, code)), ..self }
    }
}
