//! Dates and times of day in sentences. There is no clock here: a time is what a talker said, or nothing.

use super::number::Malformed;
use super::word::Talker;
use crate::clock::Stamp;

/// Microseconds a second.
const SECOND_US: i64 = 1_000_000;
/// Microseconds a day.
const DAY_US: i64 = 86_400 * SECOND_US;
/// Half a day: a time of day that leaps by more has crossed midnight.
const HALF_DAY_US: i64 = DAY_US / 2;
/// Talkers whose dates are remembered. A bus carries one or two receivers of time; garbage talkers must not grow it.
const TALKERS_MAX: usize = 8;

/// A time of day, microseconds since midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(i64);

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(i64);

impl TimeOfDay {
    /// Reads `hhmmss` with any number of decimals; `None` when blank or no time of day. A leap second, 60, counts as the
    /// start of the next minute, as Unix time has it.
    pub fn read(field: &[u8]) -> Result<Option<Self>, Malformed> {
        const DECIMALS_MAX: usize = 6;
        let text = field.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        let (clock, decimals) = match text {
            [clock @ ..] if clock.len() == 6 => (clock, &[][..]),
            [_, _, _, _, _, _, b'.', decimals @ ..] => (&text[..6], decimals),
            _ => return Err(Malformed),
        };
        let (Some([hour, minute, second]), true) = (pairs(clock), decimals.iter().all(u8::is_ascii_digit)) else {
            return Err(Malformed);
        };
        if hour > 23 || minute > 59 || second > 60 {
            return Ok(None);
        }
        let scale = |value: i64, digit: &u8| value * 10 + i64::from(digit - b'0');
        let kept = &decimals[..decimals.len().min(DECIMALS_MAX)];
        let unit = 10_i64.pow(u32::try_from(DECIMALS_MAX - kept.len()).unwrap_or(0));
        let micros = kept.iter().fold(0, scale) * unit;
        Ok(Some(Self((hour * 3_600 + minute * 60 + second) * SECOND_US + micros)))
    }
}

/// Three pairs of digits as numbers.
fn pairs(text: &[u8]) -> Option<[i64; 3]> {
    let &[a, b, c, d, e, f] = text else { return None };
    let all = [a, b, c, d, e, f];
    all.iter().all(u8::is_ascii_digit).then(|| {
        let pair = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        [pair(a, b), pair(c, d), pair(e, f)]
    })
}

impl Day {
    /// Reads `ddmmyy`; 80 to 99 are the 1980s and 1990s, for there was no GPS before. `None` when blank or no date.
    pub fn read(field: &[u8]) -> Result<Option<Self>, Malformed> {
        let text = field.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        let [day, month, year] = pairs(text).ok_or(Malformed)?;
        Ok(Self::new(if year >= 80 { 1900 + year } else { 2000 + year }, month, day))
    }

    /// A day of the Gregorian calendar; `None` when there is no such day.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let date = jiff::civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        date.since(epoch).ok().map(|span| Self(i64::from(span.get_days())))
    }

    /// This day at `time`.
    pub const fn at(self, time: TimeOfDay) -> Stamp {
        Stamp(self.0 * DAY_US + time.0)
    }
}

/// What a talker's last date was, and what time it had then.
#[derive(Clone, Copy, Debug)]
struct Dated {
    talker: Talker,
    day: Day,
    time: TimeOfDay,
    /// Whether midnight passed since the talker said the date. Once only: after a second one the date is a guess.
    crossed: bool,
}

/// The dates of talkers, bounded by [`TALKERS_MAX`]; the one heard of longest ago gives way.
#[derive(Debug, Default)]
pub struct Dates {
    known: Vec<Dated>,
}

impl Dates {
    /// A talker says its date and time.
    pub fn set(&mut self, talker: Talker, day: Day, time: TimeOfDay) -> Stamp {
        let dated = Dated { talker, day, time, crossed: false };
        match self.known.iter().position(|d| d.talker == talker) {
            Some(at) => self.known[at] = dated,
            None => {
                if self.known.len() >= TALKERS_MAX {
                    self.known.remove(0);
                }
                self.known.push(dated);
            }
        }
        day.at(time)
    }

    /// A talker says a time of day: when that was, if its date is known and not too old.
    pub fn stamp(&mut self, talker: Talker, time: TimeOfDay) -> Option<Stamp> {
        let at = self.known.iter().position(|d| d.talker == talker)?;
        let dated = &mut self.known[at];
        let leap = time.0 - dated.time.0;
        if leap > HALF_DAY_US {
            // A sentence from before midnight that comes late.
            return Some(Day(dated.day.0 - 1).at(time));
        }
        if leap < -HALF_DAY_US {
            if dated.crossed {
                self.known.remove(at);
                return None;
            }
            dated.day.0 += 1;
            dated.crossed = true;
        }
        dated.time = time;
        Some(dated.day.at(time))
    }
}
