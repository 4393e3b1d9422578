//! The Modbus units of a line: what each answered, and which built-in map makes sense of it. Pure.

use std::collections::BTreeMap;

use crate::reading::Quality;
use crate::wire::modbus::map::{BUILTIN, PollClass, builtin, decode};
use crate::wire::modbus::plan::{Read, plan};
use crate::wire::modbus::{Answer, DeviceMap, Exception, Outcome, Request, Table};

/// The tables in the order in which they are tried: most devices have registers, all must at least say no.
pub(super) const TABLES: [Table; 4] = [Table::Holding, Table::Input, Table::Coil, Table::Discrete];

/// Reads that a map is tried with: enough to tell maps apart, a second of a slow line at most.
const TRIED_READS_MAX: usize = 3;

/// Units from which on it is told that a server which answers all that was asked does not look at the unit id. A line
/// carries 32 loads (EIA-485), and nobody numbers them without a gap.
const ALL_ALIKE_MIN: usize = 32;

/// What a unit said to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Value,
    Refused(Exception),
}

/// A map that makes sense of what a unit holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    pub name: &'static str,
    /// Maker and model.
    pub model: String,
    /// Values that were good, of those tried.
    pub good: usize,
}

/// A unit that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// What each table said to a read of its first register or bit, in the order of [`TABLES`]; none: nothing.
    pub tables: Vec<(Table, Told)>,
    /// The maps that fit best; several when they cannot be told apart.
    pub fits: Vec<Fit>,
}

/// All that was asked and answered.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Unit ids asked.
    pub asked: usize,
    /// Those that answered.
    pub units: BTreeMap<u8, Unit>,
    /// What came and was no answer, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

/// The question for the first register or bit of a table.
pub(super) const fn first_of(table: Table) -> Request {
    Request { table, address: 0, count: 1 }
}

/// What a unit said, if it was the unit: a gateway's exceptions speak for a unit that is silent.
pub(super) const fn told(outcome: Outcome<'_>) -> Option<Told> {
    match outcome {
        Outcome::Answer(Answer::Data(_)) => Some(Told::Value),
        Outcome::Answer(Answer::Exception(exception)) if !exception.is_of_gateway() => Some(Told::Refused(exception)),
        Outcome::Answer(Answer::Exception(_)) | Outcome::Refused(_) => None,
    }
}

/// A map, and the reads that it is tried with.
#[derive(Debug)]
pub(super) struct Trial {
    name: &'static str,
    map: DeviceMap,
    pub reads: Vec<Read>,
}

/// The built-in maps.
pub(super) fn trials() -> Vec<Trial> {
    let trial = |(name, _): &(&'static str, &str)| {
        let map = builtin(name)?.ok()?;
        let mut reads = plan(&map);
        reads.retain(|read| read.poll == PollClass::Fast);
        reads.truncate(TRIED_READS_MAX);
        Some(Trial { name, map, reads })
    };
    BUILTIN.iter().filter_map(trial).collect()
}

impl Trial {
    /// Whether the answers make sense by this map: none is outside its range, and some are values. Registers of nothing
    /// but zeros make sense by any map.
    pub fn judge(&self, answers: &[Vec<u8>]) -> Option<Fit> {
        if answers.len() != self.reads.len() || answers.iter().flatten().all(|byte| *byte == 0) {
            return None;
        }
        let mut good = 0;
        for (read, data) in self.reads.iter().zip(answers) {
            for spec in read.values.iter().map(|at| &self.map.values[*at]) {
                match decode(spec, read.bytes_of(spec, data, &mut [0])?).1 {
                    Quality::Good => good += 1,
                    Quality::OutOfRange => return None,
                    Quality::NotAvailable | Quality::Stale => {}
                }
            }
        }
        let model = format!("{} {}", self.map.manufacturer, self.map.model);
        (good > 0).then_some(Fit { name: self.name, model, good })
    }
}

/// The maps with the most good values.
pub(super) fn best(mut fits: Vec<Fit>) -> Vec<Fit> {
    let most = fits.iter().map(|fit| fit.good).max();
    fits.retain(|fit| Some(fit.good) == most);
    fits
}

impl Survey {
    /// Counts what came and was no answer.
    pub fn count(&mut self, reason: &'static str, count: u64) {
        *self.refused.entry(reason).or_default() += count;
    }

    /// Whether the server answers for every unit id alike. One stands for all then.
    pub fn is_one_for_all(&self) -> bool {
        let mut units = self.units.values();
        let first = units.next().map(|unit| &unit.tables);
        self.asked >= ALL_ALIKE_MIN && self.units.len() == self.asked && units.all(|unit| Some(&unit.tables) == first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::modbus::Refusal;

    fn meter() -> Trial {
        trials().into_iter().find(|trial| trial.name == "eastron-sdm630").expect("it is built in")
    }

    /// The answers of a meter whose registers all hold this number.
    fn all(number: f32) -> Vec<Vec<u8>> {
        let filled = |read: &Read| number.to_be_bytes().repeat(read.request.data_bytes() / 4);
        meter().reads.iter().map(filled).collect()
    }

    #[test]
    fn a_map_fits_when_its_values_make_sense() {
        assert!(meter().judge(&all(1.0)).is_some_and(|fit| fit.good > 10 && fit.name == "eastron-sdm630"));
        assert_eq!(meter().judge(&all(600.0)), None, "no such voltage");
        assert_eq!(meter().judge(&all(0.0)), None, "zeros say nothing");
        assert_eq!(meter().judge(&all(1.0)[1..]), None, "a read that was refused");
    }

    #[test]
    fn the_best_maps_are_those_with_the_most_values() {
        let fit = |name, good| Fit { name, model: String::new(), good };
        assert_eq!(best(vec![fit("a", 1), fit("b", 3), fit("c", 3)]), [fit("b", 3), fit("c", 3)]);
        assert_eq!(best(Vec::new()), []);
    }

    #[test]
    fn a_gateways_word_is_not_the_units() {
        let exception = |code| told(Outcome::Answer(Answer::Exception(Exception(code))));
        assert_eq!(exception(2), Some(Told::Refused(Exception(2))));
        assert_eq!(exception(11), None);
        assert_eq!(told(Outcome::Refused(Refusal::Timeout)), None);
    }

    #[test]
    fn a_server_that_answers_for_every_unit_is_one() {
        let unit = Unit { tables: vec![(Table::Holding, Told::Value)], fits: Vec::new() };
        let mut survey = Survey { asked: 40, ..Survey::default() };
        survey.units = (1..=40).map(|id| (id, unit.clone())).collect();
        assert!(survey.is_one_for_all());
        survey.units.insert(7, Unit::default());
        assert!(!survey.is_one_for_all());
        survey.units.remove(&7);
        assert!(!survey.is_one_for_all());
    }
}
