//! The decoder of one bus: lines in, readings out. It remembers dates and AIS fragments, both bounded, and asks no clock.

use super::emit::{Decoded, Emit};
use super::reject::Rejected;
use super::rules;
use super::sentence::{ChecksumRule, Fields, Sentence};
use super::table::{BadField, SentenceSpec, Special, TimeRule};
use super::time::{Dates, Day, TimeOfDay};
use super::word::{Formatter, Talker};
use crate::clock::Stamp;

/// Formatters that are counted by name when the table does not have them. The standard knows about 90; a bus speaks
/// perhaps 30. More are counted together, so that garbage cannot grow the list.
pub const UNSUPPORTED_FORMATTERS_MAX: usize = 32;

/// What a decoder saw, beside the readings that it handed out.
#[derive(Clone, Debug, Default)]
pub struct DecoderCounts {
    /// Sentences of formatters that the table does not have, by formatter, bounded.
    pub unsupported: Vec<(Formatter, u64)>,
    /// Those beyond [`UNSUPPORTED_FORMATTERS_MAX`].
    pub unsupported_other: u64,
    /// Fragments of AIS messages of which another fragment never came.
    pub ais_fragments_lost: u64,
}

impl DecoderCounts {
    fn count_unsupported(&mut self, formatter: Formatter) {
        if let Some((_, count)) = self.unsupported.iter_mut().find(|(known, _)| *known == formatter) {
            *count += 1;
        } else if self.unsupported.len() < UNSUPPORTED_FORMATTERS_MAX {
            self.unsupported.push((formatter, 1));
        } else {
            self.unsupported_other += 1;
        }
    }
}

/// Decodes the lines of one bus.
#[derive(Debug, Default)]
pub struct Decoder {
    rule: ChecksumRule,
    dates: Dates,
    counts: DecoderCounts,
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

    /// What was seen so far.
    pub const fn counts(&self) -> &DecoderCounts {
        &self.counts
    }

    /// Decodes one line and appends its readings to `out`; on `Err` nothing is appended. A formatter that the table does
    /// not have is no error: the sentence comes back without a `spec`, and is counted.
    pub fn decode<'a>(&mut self, line: &'a [u8], out: &mut Vec<Decoded>) -> Result<Sentence<'a>, Rejected> {
        let sentence = Sentence::parse(line, self.rule)?;
        let Some(spec) = sentence.spec else {
            self.counts.count_unsupported(sentence.formatter);
            return Ok(sentence);
        };
        let before = out.len();
        let fields = sentence.index()?;
        self.readings(spec, &fields, sentence.talker, out).map_err(|BadField(at)| {
            out.truncate(before);
            Rejected::BadField { formatter: sentence.formatter, field: spec.field_name(at).unwrap_or("extra") }
        })?;
        Ok(sentence)
    }

    fn readings(
        &mut self,
        spec: &'static SentenceSpec,
        fields: &Fields<'_>,
        talker: Talker,
        out: &mut Vec<Decoded>,
    ) -> Result<(), BadField> {
        let observed_at = self.observed_at(spec.time, fields, talker)?;
        let mut emit = Emit::new(out, talker, observed_at);
        for rule in spec.readings {
            rules::apply(rule, fields, &mut emit)?;
        }
        match spec.special {
            Special::Fields(special) => special(fields, &mut emit),
            Special::None | Special::Ais(_) => Ok(()),
        }
    }

    /// When the sentence was measured, by its own word.
    fn observed_at(&mut self, rule: TimeRule, fields: &Fields<'_>, talker: Talker) -> Result<Option<Stamp>, BadField> {
        let time_at = |at: usize| TimeOfDay::read(fields.get(at)).map_err(BadField::at(at));
        match rule {
            TimeRule::None => Ok(None),
            TimeRule::Utc(at, valid) if valid.holds(fields) => {
                Ok(time_at(at)?.and_then(|time| self.dates.stamp(talker, time)))
            }
            TimeRule::UtcAndDate(at, date, valid) if valid.holds(fields) => {
                let day = Day::read(fields.get(date)).map_err(BadField::at(date))?;
                Ok(match (time_at(at)?, day) {
                    (Some(time), Some(day)) => Some(self.dates.set(talker, day, time)),
                    (Some(time), None) => self.dates.stamp(talker, time),
                    _ => None,
                })
            }
            TimeRule::Utc(..) | TimeRule::UtcAndDate(..) => Ok(None),
            TimeRule::UtcDayMonthYear(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Quality, Value};

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
