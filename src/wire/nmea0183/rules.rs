//! Carries out the rules of the table: fields in, readings out.

use std::borrow::Cow;

use super::number;
use super::sentence::Fields;
use super::table::{Absent, BadField, DEG_RAD, Number, ReadingSpec, Take, Unit, Valid};
use crate::reading::{Quality, Value};
use crate::wire::Emit;

/// What a field turned out to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A value.
    Good(Value),
    /// A blank, or a status that says so.
    Blank,
    /// A number that the field cannot mean.
    OutOfRange,
}

impl Valid {
    /// Whether the sentence says that the value holds.
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
pub fn apply(rule: &'static ReadingSpec, fields: &Fields<'_>, emit: &mut Emit<'_>) -> Result<(), BadField> {
    if rule.when.is_some_and(|(at, letter)| fields.letter(at) != Some(letter)) {
        return Ok(());
    }
    let found = if rule.valid.holds(fields) { rule.take.find(fields)? } else { Found::Blank };
    let (value, quality) = match found {
        Found::Good(value) => (value, Quality::Good),
        Found::Blank if rule.absent == Absent::Skip => return Ok(()),
        Found::Blank => (Value::Absent, Quality::NotAvailable),
        Found::OutOfRange => (Value::Absent, Quality::OutOfRange),
    };
    emit.push(Cow::Borrowed(rule.path), Cow::Borrowed(rule.instance), value, quality);
    Ok(())
}

impl Take {
    fn find(&self, fields: &Fields<'_>) -> Result<Found, BadField> {
        match self {
            Self::Number(numbers, lowest, highest) => first_number(numbers, *lowest, *highest, fields),
            Self::PortAngle(at) => port_angle(fields, *at),
            Self::Position(at) => position(fields, *at),
            Self::Whole(at, highest) => Ok(match number::whole(fields.get(*at)).map_err(BadField::at(*at))? {
                None => Found::Blank,
                Some(count) if count > *highest => Found::OutOfRange,
                Some(count) => Found::Good(Value::Integer(i64::from(count))),
            }),
            Self::Word(at, words) => Ok(match fields.letter(*at) {
                None if fields.get(*at).is_empty() => Found::Blank,
                letter => letter.and_then(|code| words.get(code)).map_or(Found::OutOfRange, Found::Good),
            }),
            Self::Text(at) => Ok(match fields.get(*at).trim_ascii() {
                [] => Found::Blank,
                text => Found::Good(Value::text(&String::from_utf8_lossy(text))),
            }),
            Self::Flag(at, yes, no) => Ok(match fields.letter(*at) {
                Some(letter) if letter == *yes => Found::Good(Value::Bool(true)),
                Some(letter) if letter == *no => Found::Good(Value::Bool(false)),
                _ if fields.get(*at).is_empty() => Found::Blank,
                _ => Found::OutOfRange,
            }),
        }
    }
}

fn first_number(numbers: &[Number], lowest: f64, highest: f64, fields: &Fields<'_>) -> Result<Found, BadField> {
    for number in numbers {
        if let Some(raw) = number.raw(fields)? {
            return Ok(if (lowest..=highest).contains(&raw) {
                Found::Good(Value::Float(raw * number.scale + number.offset))
            } else {
                Found::OutOfRange
            });
        }
    }
    Ok(Found::Blank)
}

impl Number {
    /// The number as the sentence has it, with its sign; `None` when blank or in another unit.
    pub fn raw(&self, fields: &Fields<'_>) -> Result<Option<f64>, BadField> {
        let Some(size) = number::number(fields.get(self.field)).map_err(BadField::at(self.field))? else {
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

fn port_angle(fields: &Fields<'_>, at: usize) -> Result<Found, BadField> {
    let raw = number::number(fields.get(at)).map_err(BadField::at(at))?;
    Ok(match raw {
        None => Found::Blank,
        Some(deg) if (0.0..=180.0).contains(&deg) => Found::Good(Value::Float(deg * DEG_RAD)),
        Some(deg) if (0.0..=360.0).contains(&deg) => Found::Good(Value::Float((deg - 360.0) * DEG_RAD)),
        Some(_) => Found::OutOfRange,
    })
}

/// Latitude, hemisphere, longitude, hemisphere from field `at` on.
pub fn position(fields: &Fields<'_>, at: usize) -> Result<Found, BadField> {
    let latitude = half(fields, at, b'N', b'S')?;
    let longitude = half(fields, at + 2, b'E', b'W')?;
    let (Some(latitude), Some(longitude)) = (latitude, longitude) else { return Ok(Found::Blank) };
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Ok(Found::OutOfRange);
    }
    Ok(Found::Good(Value::Position { latitude, longitude }))
}

fn half(fields: &Fields<'_>, at: usize, positive: u8, negative: u8) -> Result<Option<f64>, BadField> {
    let Some(size) = number::degrees(fields.get(at)).map_err(BadField::at(at))? else { return Ok(None) };
    match fields.letter(at + 1) {
        Some(letter) if letter == positive => Ok(Some(size)),
        Some(letter) if letter == negative => Ok(Some(-size)),
        _ => Err(BadField(at + 1)),
    }
}
