//! Carries out the rules of the table: fields in, readings out.

use std::borrow::Cow;

use super::number;
use super::sentence::Fields;
use super::table::{Absent, BadField, DEG_RAD, Number, ReadingSpec, Take, Unit, Valid, Words};
use crate::reading::Value;
use crate::wire::Emit;

/// What a field turned out to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T = Value> {
    /// A value.
    Good(T),
    /// A blank, or a status that says so.
    Blank,
    /// A number that the field cannot mean.
    OutOfRange,
}

impl<T> Found<T> {
    /// The same with another form of its value.
    #[inline]
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::Good(value) => Found::Good(form(value)),
            Self::Blank => Found::Blank,
            Self::OutOfRange => Found::OutOfRange,
        }
    }
}

impl Valid {
    /// Whether the sentence says that the value holds.
    #[inline]
    pub fn holds(self, fields: &Fields<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Is(at, letter) => fields.letter(at) == Some(letter),
            Self::IsNot(at, letter) => !fields.get(at).is_empty() && fields.letter(at) != Some(letter),
            Self::Unless(at, letter) => fields.letter(at) != Some(letter),
            Self::Both(at, other, letter) => fields.letter(at) == Some(letter) && fields.letter(other) == Some(letter),
            Self::NotAll(at, letter) => fields.get(at).iter().any(|other| *other != letter),
        }
    }
}

/// Makes the reading of one rule, if there is one.
///
/// Each kind of value goes its own way to the end: a `Value` that is handed from function to function is copied by its
/// parts, tag and padding apart, and to read it back stalls the processor. That was 5 ns of each reading.
pub fn apply(rule: &'static ReadingSpec, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    if rule.when.is_some_and(|(at, letter)| fields.letter(at) != Some(letter)) {
        return Ok(());
    }
    if !rule.valid.holds(fields) {
        rule.tell(Found::<f64>::Blank, emit);
        return Ok(());
    }
    match &rule.take {
        Take::Number(numbers, lowest, highest) => {
            rule.tell(first_number(numbers, *lowest, *highest, fields)?, emit);
        }
        Take::PortAngle(at) => rule.tell(port_angle(fields, *at)?, emit),
        Take::Position(at) => rule.tell(position(fields, *at)?, emit),
        Take::Whole(at, highest) => rule.tell(whole(fields, *at, *highest)?, emit),
        Take::Word(at, words) => rule.tell(word(fields, *at, words), emit),
        Take::Text(at) => rule.tell(text(fields, *at), emit),
        Take::Flag(at, yes, no) => rule.tell(flag(fields, *at, *yes, *no), emit),
    }
    Ok(())
}

impl ReadingSpec {
    #[inline]
    fn tell(&'static self, found: Found<impl Into<Value>>, emit: &mut Emit<'_>) {
        if self.absent == Absent::Report || !matches!(found, Found::Blank) {
            emit.found(self.path, self.instance, found);
        }
    }
}

fn first_number(numbers: &[Number], lowest: f64, highest: f64, fields: &Fields<'_>) -> Result<Found<f64>, BadField> {
    for number in numbers {
        if let Some(raw) = number.raw(fields)? {
            return Ok(if (lowest..=highest).contains(&raw) {
                Found::Good(raw * number.scale + number.offset)
            } else {
                Found::OutOfRange
            });
        }
    }
    Ok(Found::Blank)
}

fn whole(fields: &Fields<'_>, at: usize, highest: u32) -> Result<Found<i64>, BadField> {
    Ok(match number::whole(fields.get(at)).map_err(BadField::at(at))? {
        None => Found::Blank,
        Some(count) if count > highest => Found::OutOfRange,
        Some(count) => Found::Good(i64::from(count)),
    })
}

fn word(fields: &Fields<'_>, at: usize, words: &Words) -> Found {
    match fields.letter(at) {
        None if fields.get(at).is_empty() => Found::Blank,
        letter => letter.and_then(|code| words.get(code)).map_or(Found::OutOfRange, Found::Good),
    }
}

fn text(fields: &Fields<'_>, at: usize) -> Found {
    match fields.get(at).trim_ascii() {
        [] => Found::Blank,
        text => Found::Good(Value::text(&unescaped(text))),
    }
}

/// A text without the blanks around it. `^hh` in it stands for a character that a sentence keeps to itself (IEC
/// 61162-1, reserved characters).
pub fn unescaped(text: &[u8]) -> Cow<'_, str> {
    let mut rest = text.trim_ascii();
    if !rest.contains(&b'^') {
        return String::from_utf8_lossy(rest);
    }
    let mut plain = String::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        let code = if *first == b'^' { tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()) } else { None };
        let escaped = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(char::from(escaped.unwrap_or(*first)));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(plain.trim().to_owned())
}

fn flag(fields: &Fields<'_>, at: usize, yes: u8, no: u8) -> Found<bool> {
    match fields.letter(at) {
        Some(letter) if letter == yes => Found::Good(true),
        Some(letter) if letter == no => Found::Good(false),
        _ if fields.get(at).is_empty() => Found::Blank,
        _ => Found::OutOfRange,
    }
}

impl Number {
    /// The number as the sentence has it, with its sign; `None` when blank or in another unit.
    #[inline]
    pub fn raw(&self, fields: &Fields<'_>) -> Result<Option<f64>, BadField> {
        let Some(size) = fields.number(self.field)? else {
            return Ok(None);
        };
        match self.unit {
            Unit::Fixed(at, letter) if !fields.get(at).is_empty() && fields.letter(at) != Some(letter) => {
                return Err(BadField(at));
            }
            Unit::Chosen(at, letter) if fields.letter(at) != Some(letter) => return Ok(None),
            _ => {}
        }
        let negative = self.negative_if.is_some_and(|(at, letter)| fields.letter(at) == Some(letter));
        Ok(Some(if negative { -size } else { size }))
    }
}

fn port_angle(fields: &Fields<'_>, at: usize) -> Result<Found<f64>, BadField> {
    let raw = fields.number(at)?;
    Ok(match raw {
        None => Found::Blank,
        Some(deg) if (0.0..=180.0).contains(&deg) => Found::Good(deg * DEG_RAD),
        Some(deg) if (0.0..=360.0).contains(&deg) => Found::Good((deg - 360.0) * DEG_RAD),
        Some(_) => Found::OutOfRange,
    })
}

/// A place on the globe, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// North.
    pub latitude: f64,
    /// East.
    pub longitude: f64,
}

impl From<Place> for Value {
    fn from(Place { latitude, longitude }: Place) -> Self {
        Self::Position { latitude, longitude }
    }
}

/// Latitude, hemisphere, longitude, hemisphere from field `at` on.
pub fn position(fields: &Fields<'_>, at: usize) -> Result<Found<Place>, BadField> {
    let latitude = half(fields, at, b'N', b'S')?;
    let longitude = half(fields, at + 2, b'E', b'W')?;
    let (Some(latitude), Some(longitude)) = (latitude, longitude) else { return Ok(Found::Blank) };
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Ok(Found::OutOfRange);
    }
    Ok(Found::Good(Place { latitude, longitude }))
}

fn half(fields: &Fields<'_>, at: usize, positive: u8, negative: u8) -> Result<Option<f64>, BadField> {
    let Some(size) = fields.degrees(at)? else { return Ok(None) };
    match fields.letter(at + 1) {
        Some(letter) if letter == positive => Ok(Some(size)),
        Some(letter) if letter == negative => Ok(Some(-size)),
        _ => Err(BadField(at + 1)),
    }
}
