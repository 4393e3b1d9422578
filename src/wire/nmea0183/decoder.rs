//! The decoder of one bus: lines in, readings out. It remembers dates and AIS fragments, both bounded, and asks no
//! clock.

use super::ais::Ais;
use super::alert::Alerts;
use super::number;
use super::reject::Rejected;
use super::rules;
use super::sentence::{ChecksumRule, FIELDS_MAX, Fields, Sentence};
use super::table::{Absent, BadField, SentenceSpec, Special, TimeRule, Valid};
use super::tag::{Tag, TagCounts, Tags};
use super::time::{Dates, Day, TimeOfDay, TimeText};
use crate::clock::Stamp;
use crate::reading::Quality;
use crate::wire::{Decoded, Emit, Source, Talker};

/// Decodes the lines of one bus.
#[derive(Debug, Default)]
pub struct Decoder {
    rule: ChecksumRule,
    dates: Dates,
    time_text: TimeText,
    ais: Ais,
    alerts: Alerts,
    tags: Tags,
}

impl Decoder {
    /// A decoder that lets sentences without a checksum pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder with this rule on checksums.
    pub fn with_rule(rule: ChecksumRule) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Fragments of AIS messages that never became whole, for the counter `ais_fragment_lost`.
    pub const fn ais_fragments_lost(&self) -> u64 {
        self.ais.fragments_lost()
    }

    /// What TAG blocks said was missing.
    pub const fn tags(&self) -> TagCounts {
        self.tags.counts()
    }

    /// AIS messages of reserved types, for the counter `ais_message_unread`.
    pub const fn ais_unread(&self) -> u64 {
        self.ais.unread()
    }

    /// Decodes one line and appends its readings to `out`; on `Err` nothing is appended. A formatter that the table
    /// does not have is no error: the sentence comes back without a `spec`.
    pub fn decode<'a>(&mut self, line: &'a [u8], out: &mut Vec<Decoded>) -> Result<Sentence<'a>, Rejected> {
        let (tag, line) = match line {
            [b'\\', ..] => {
                let (tag, line) = Tag::read(line)?;
                (self.tags.follow(tag), line)
            }
            _ => (Tag::default(), line),
        };
        let sentence = Sentence::parse(line, self.rule)?;
        let source = tag.source.map_or(Source::Talker(sentence.talker), Source::Function);
        let Some(spec) = sentence.spec else {
            self.overdue_alerts(source, tag, out);
            return Ok(sentence);
        };
        let before = out.len();
        let mut starts = [0; FIELDS_MAX + 1];
        let fields = sentence.index(&mut starts);
        if fields.are_too_many() {
            return Err(Rejected::TooManyFields);
        }
        let done = match spec.special {
            Special::Ais(own) => self.ais.take(&fields, own, Emit::new(out, source, tag.time)),
            _ => self.readings(spec, &fields, sentence.talker, Emit::new(out, source, tag.time)).map(Ok),
        };
        let done = done.unwrap_or_else(|BadField(at)| {
            let field = spec.fields.get(at).map_or("extra", |f| f.name);
            Err(Rejected::BadField { formatter: sentence.formatter, field })
        });
        match done {
            Ok(()) if !matches!(spec.special, Special::Alert) => self.overdue_alerts(source, tag, out),
            Ok(()) => {}
            Err(_) => out.truncate(before),
        }
        done.map(|()| sentence)
    }

    /// Tells the alerts of a talker that said something else than their second sentence.
    #[inline]
    fn overdue_alerts(&mut self, source: Source, tag: Tag, out: &mut Vec<Decoded>) {
        if self.alerts.is_waiting() {
            self.alerts.overdue(&mut Emit::new(out, source, tag.time));
        }
    }

    /// The connection ended: alerts that wait for a second sentence are told, what never became whole is counted, and
    /// the talkers' dates are forgotten: one kept over an outage is yesterday's. Counts and the rule on checksums stay.
    pub fn end(&mut self, out: &mut Vec<Decoded>) {
        self.alerts.end(out);
        self.ais.end();
        self.tags.end();
        self.dates = Dates::default();
    }

    /// Bytes of memory that are held between two lines. The dates are of a fixed number.
    pub fn held_bytes(&self) -> usize {
        self.alerts.held_bytes() + self.ais.held_bytes() + self.tags.held_bytes()
    }

    fn readings(
        &mut self,
        spec: &'static SentenceSpec,
        fields: &Fields<'_>,
        talker: Talker,
        emit: Emit<'_>,
    ) -> Result<(), BadField> {
        // The instrument's own time is nearer to the measurement than the network's.
        let observed_at = self.observed_at(spec.time, fields, emit.source()).or(emit.observed_at());
        let mut emit = emit.observed(observed_at);
        for rule in spec.readings {
            rules::apply(rule, fields, &mut emit)?;
        }
        match spec.special {
            Special::None | Special::Ais(_) => Ok(()),
            Special::DateTime(absent) => {
                self.date_time(absent, &mut emit);
                Ok(())
            }
            Special::Fields(special) | Special::Groups(special) => special(fields, &mut emit),
            Special::Talker(special) => special(talker, fields, &mut emit),
            Special::Alert => self.alerts.alf(fields, &mut emit),
        }
    }

    /// RMC and ZDA tell the date and time as a reading of its own.
    fn date_time(&mut self, absent: Absent, emit: &mut Emit<'_>) {
        match emit.observed_at() {
            Some(stamp) => emit.good("navigation.datetime", self.time_text.of(stamp)),
            None if absent == Absent::Report => emit.absent("navigation.datetime", Quality::NotAvailable),
            None => {}
        }
    }

    /// When the sentence was measured, by its own word.
    fn observed_at(&mut self, rule: TimeRule, fields: &Fields<'_>, source: Source) -> Option<Stamp> {
        let (at, valid, day) = match rule {
            TimeRule::None => return None,
            TimeRule::Utc(at, valid) => (at, valid, None),
            TimeRule::UtcAndDate(at, date, valid) => (at, valid, Day::read(fields.get(date))),
            TimeRule::UtcDayMonthYear(at) => (at, Valid::Always, day_month_year(fields, at + 1)),
        };
        if !valid.holds(fields) {
            return None;
        }
        let time = TimeOfDay::read(fields.get(at))?;
        match (rule, day) {
            (_, Some(day)) => Some(self.dates.set(source, day, time)),
            // ZDA without a date says nothing that could be believed.
            (TimeRule::UtcDayMonthYear(_), None) => None,
            (_, None) => self.dates.stamp(source, time),
        }
    }
}

fn day_month_year(fields: &Fields<'_>, at: usize) -> Option<Day> {
    let part = |at: usize| number::whole(fields.get(at)).ok().flatten().map(i64::from);
    Day::new(part(at + 2)?, part(at + 1)?, part(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Value;

    fn readings(decoder: &mut Decoder, line: &str) -> Vec<(String, Value, Quality)> {
        let mut out = Vec::new();
        decoder.decode(line.as_bytes(), &mut out).unwrap();
        out.into_iter().map(|d| (d.path.into_owned(), d.value, d.quality)).collect()
    }

    #[test]
    fn a_depth_is_read_and_its_absence_is_a_reading() {
        let mut decoder = Decoder::new();
        let path = "environment.depth.belowTransducer".to_owned();
        let good = readings(&mut decoder, "$SDDBT,7.8,f,2.4,M,1.3,F*0D");
        assert_eq!(good, [(path.clone(), Value::Float(2.4), Quality::Good)]);
        let blank = readings(&mut decoder, "$SDDBT,,f,,M,,F");
        assert_eq!(blank, [(path.clone(), Value::Absent, Quality::NotAvailable)]);
        let below_zero = readings(&mut decoder, "$SDDBT,,f,-2.4,M,,F");
        assert_eq!(below_zero, [(path, Value::Absent, Quality::OutOfRange)]);
    }
}
