//! Dates and times of day in sentences. There is no clock here: a time is what a talker said, or nothing.

use super::lanes;
use crate::clock::Stamp;
use crate::reading::Value;
use crate::wire::Source;

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
    /// Reads `hhmmss` with any number of decimals; `None` when blank or no time of day: a receiver whose clock broke
    /// may still have a position. A leap second, 60, counts as the start of the next minute, as Unix time has it.
    pub fn read(field: &[u8]) -> Option<Self> {
        let (clock, decimals) = match field.trim_ascii() {
            text @ [_, _, _, _, _, _] => (text, &[][..]),
            text @ [_, _, _, _, _, _, b'.', decimals @ ..] => (&text[..6], decimals),
            _ => return None,
        };
        let [hour, minute, second] = pairs(clock)?;
        let (mut micros, mut weight) = (0, SECOND_US / 10);
        for digit in decimals {
            if !digit.is_ascii_digit() {
                return None;
            }
            micros += i64::from(digit - b'0') * weight;
            weight /= 10;
        }
        Self::new(hour, minute, second).map(|Self(whole)| Self(whole + micros))
    }

    /// A whole second of a day; `None` when there is no such second.
    pub fn new(hour: u32, minute: u32, second: u32) -> Option<Self> {
        let possible = hour <= 23 && minute <= 59 && second <= 60;
        possible.then(|| Self(i64::from(hour * 3_600 + minute * 60 + second) * SECOND_US))
    }
}

/// Three pairs of digits as numbers.
fn pairs(text: &[u8]) -> Option<[u32; 3]> {
    let [a, b, c, d, e, f] = *text.first_chunk().filter(|_| text.len() == 6)?;
    let all = lanes::decimal(u64::from_le_bytes([b'0', b'0', a, b, c, d, e, f]))?;
    Some([all / 10_000, all / 100 % 100, all % 100])
}

impl Day {
    /// Reads `ddmmyy`; 80 to 99 are the 1980s and 1990s, for there was no GPS before. `None` when blank or no date.
    pub fn read(field: &[u8]) -> Option<Self> {
        let [day, month, year] = pairs(field.trim_ascii())?.map(i64::from);
        Self::new(if year >= 80 { 1900 + year } else { 2000 + year }, month, day)
    }

    /// A day of the Gregorian calendar from 1900 to 2199; `None` when there is no such day.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1900..2200).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) {
            return None;
        }
        Some(Self(days_from_civil(year, month, day)))
    }

    /// This day at `time`.
    pub const fn at(self, time: TimeOfDay) -> Stamp {
        Stamp(self.0 * DAY_US + time.0)
    }
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counting years from March so that the leap day comes last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    // 719,468 days from 0000-03-01 to 1970-01-01.
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// A time as RFC 3339 in UTC, with milliseconds: what `Stamp` prints, at a third of the cost. RMC says it every second.
pub fn rfc3339(stamp: Stamp) -> Value {
    let (days, micros) = (stamp.0.div_euclid(DAY_US), stamp.0.rem_euclid(DAY_US));
    let (year, month, day) = civil_from_days(days);
    let (seconds, millis) = (micros / SECOND_US, micros % SECOND_US / 1_000);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let date = [(0, year / 100), (2, year % 100), (5, month), (8, day)];
    let clock = [(11, seconds / 3_600), (14, seconds / 60 % 60), (17, seconds % 60), (20, millis / 10)];
    for (at, pair) in date.into_iter().chain(clock) {
        text[at] = digit(pair / 10);
        text[at + 1] = digit(pair % 10);
    }
    text[22] = digit(millis % 10);
    Value::text(std::str::from_utf8(&text).unwrap_or(""))
}

fn digit(value: i64) -> u8 {
    b'0' + u8::try_from(value.rem_euclid(10)).unwrap_or(0)
}

/// The last time that was told as a text: several sentences of a second say the same.
#[derive(Debug, Default)]
pub struct TimeText(Option<(Stamp, Value)>);

impl TimeText {
    /// The text of `stamp`, made anew only when it is another than the last.
    pub fn of(&mut self, stamp: Stamp) -> Value {
        match &self.0 {
            Some((last, text)) if *last == stamp => text.clone(),
            _ => {
                let text = rfc3339(stamp);
                self.0 = Some((stamp, text.clone()));
                text
            }
        }
    }
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01, in eras of 400 years of 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// What a talker's last date was, and what time it had then.
#[derive(Clone, Copy, Debug)]
struct Dated {
    source: Source,
    day: Day,
    time: TimeOfDay,
    /// Whether midnight passed since the talker said the date. Once only: after a second one the date is a guess.
    crossed: bool,
}

/// The dates of talkers, bounded by [`TALKERS_MAX`]; the one that was told longest ago gives way. It is the first.
#[derive(Debug, Default)]
pub struct Dates {
    known: Vec<Dated>,
}

impl Dates {
    /// A talker says its date and time.
    pub fn set(&mut self, source: Source, day: Day, time: TimeOfDay) -> Stamp {
        let dated = Dated { source, day, time, crossed: false };
        if let Some(at) = self.known.iter().position(|d| d.source == source) {
            self.known.remove(at);
        } else if self.known.len() >= TALKERS_MAX {
            self.known.remove(0);
        }
        self.known.push(dated);
        day.at(time)
    }

    /// A talker says a time of day: when that was, if its date is known and not too old.
    pub fn stamp(&mut self, source: Source, time: TimeOfDay) -> Option<Stamp> {
        let at = self.known.iter().position(|d| d.source == source)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Word;

    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::read(text.as_bytes()).unwrap()
    }

    fn talker(name: &str) -> Source {
        Source::Talker(Word::new(name.as_bytes()).unwrap())
    }

    #[test]
    fn times_of_day_are_read_or_refused() {
        assert_eq!(time("235959.999999"), TimeOfDay(DAY_US - 1));
        assert_eq!(time("000000.5"), TimeOfDay(SECOND_US / 2));
        assert_eq!(time("235960"), TimeOfDay(DAY_US), "a leap second");
        for bad in ["", "246000", "256100", "126100", "120061", "12000", "1200000", "12000a", "120000.x", "-12000"] {
            assert_eq!(TimeOfDay::read(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn dates_are_read_or_refused() {
        let day = |text: &str| Day::read(text.as_bytes()).map(|d| d.at(TimeOfDay(0)).utc_day());
        assert_eq!(day("230394").as_deref(), Some("1994-03-23"));
        assert_eq!(day("010180").as_deref(), Some("1980-01-01"));
        assert_eq!(day("311279").as_deref(), Some("2079-12-31"));
        assert_eq!(day("290224").as_deref(), Some("2024-02-29"));
        for bad in ["", "290223", "300224", "310424", "000124", "011324", "0104-1", "0101", "01012024"] {
            assert_eq!(day(bad), None, "{bad}");
        }
        assert_eq!(Day::new(1900, 2, 29), None);
        assert_eq!(Day::new(2000, 2, 29).map(|d| d.at(TimeOfDay(0)).utc_day()).as_deref(), Some("2000-02-29"));
    }

    #[test]
    fn every_day_of_three_centuries_follows_the_last() {
        let mut last = None;
        for year in 1900..2200 {
            for (month, day) in (1..=12).flat_map(|m| (1..=31).map(move |d| (m, d))) {
                let Some(Day(days)) = Day::new(year, month, day) else { continue };
                assert!(last.is_none_or(|l| l + 1 == days), "{year}-{month}-{day}");
                last = Some(days);
            }
        }
        assert_eq!(last, Some(Day::new(2199, 12, 31).unwrap().0));
    }

    proptest::proptest! {
        #[test]
        fn a_time_is_told_as_a_stamp_prints_it(micros in -2_208_988_800_000_000..7_258_118_400_000_000_i64) {
            let stamp = Stamp(micros);
            proptest::prop_assert_eq!(rfc3339(stamp), Value::text(&stamp.to_string()));
        }
    }

    #[test]
    fn a_date_holds_across_one_midnight_and_no_further() {
        let mut dates = Dates::default();
        let gp = talker("GP");
        assert_eq!(dates.stamp(gp, time("120000")), None, "no date is known yet");
        let day = Day::read(b"311226").unwrap();
        assert_eq!(dates.set(gp, day, time("235959")).to_string(), "2026-12-31T23:59:59.000Z");
        let after = dates.stamp(gp, time("000001")).unwrap();
        assert_eq!(after.to_string(), "2027-01-01T00:00:01.000Z");
        let late = dates.stamp(gp, time("235958")).unwrap();
        assert_eq!(late.to_string(), "2026-12-31T23:59:58.000Z", "a sentence from before midnight that comes late");
        assert!(dates.stamp(gp, time("110000")).is_some());
        assert!(dates.stamp(gp, time("220000")).is_some());
        assert_eq!(dates.stamp(gp, time("000001")), None, "the second midnight without a date");
        assert_eq!(dates.stamp(talker("GN"), time("120000")), None, "another talker's date is its own");
    }

    #[test]
    fn talkers_are_bounded() {
        let mut dates = Dates::default();
        for n in 0..100_u8 {
            let name = format!("{}{}", char::from(b'A' + n / 26), char::from(b'A' + n % 26));
            dates.set(talker("GP"), Day(0), TimeOfDay(0));
            dates.set(talker(&name), Day(0), TimeOfDay(0));
            let known = |dated: &&Dated| dated.source == talker("GP");
            assert_eq!(dates.known.iter().filter(known).count(), 1, "it tells its date");
        }
        assert_eq!(dates.known.len(), TALKERS_MAX);
    }
}
