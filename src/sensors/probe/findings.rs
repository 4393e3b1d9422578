//! What the decoders made of a wire: who told what how often, and what was dropped. Pure, and bounded whatever comes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;

use crate::reading::{Context, Quality};
use crate::wire::{Decoded, Sink, Source};

/// Sources that are told apart: a CAN bus has 254 addresses, and each may change from an address to a NAME.
const SOURCES_MAX: usize = 512;

/// Quantities of one source: a generator controller tells some 100.
const QUANTITIES_MAX: usize = 512;

/// Other vessels and stations that are counted apart: a busy strait has about 1,000.
const TARGETS_MAX: usize = 4_096;

/// Reasons that are counted apart; decoders have fixed names, some tens.
const REASONS_MAX: usize = 64;

/// A path, and which of several alike.
pub(super) type Quantity = (Cow<'static, str>, Cow<'static, str>);

/// What came out of one decoder.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Readings.
    pub readings: u64,
    /// What was dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Good readings of each quantity of the own ship, by who told it; none where it was told as absent.
    told: BTreeMap<Source, BTreeMap<Quantity, u64>>,
    /// Other vessels and stations.
    targets: HashSet<Context>,
}

/// A group of paths that several sources tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rivals {
    /// One path, or the beginning of some and `*`.
    pub path: String,
    /// Who tells them, the one that tells most often first.
    pub sources: Vec<Source>,
}

impl Sink for Findings {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        for Decoded { context, path, source, instance, quality, .. } in readings.drain(..) {
            self.readings += 1;
            if context != Context::OwnShip {
                if self.targets.len() < TARGETS_MAX {
                    self.targets.insert(context);
                }
                continue;
            }
            if self.told.len() >= SOURCES_MAX && !self.told.contains_key(&source) {
                continue;
            }
            let quantities = self.told.entry(source).or_default();
            let quantity = (path, instance);
            if quantities.len() < QUANTITIES_MAX || quantities.contains_key(&quantity) {
                *quantities.entry(quantity).or_default() += u64::from(quality == Quality::Good);
            }
        }
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _why: &dyn Display, _near: &[u8]) {
        if self.dropped.len() < REASONS_MAX || self.dropped.contains_key(reason) {
            *self.dropped.entry(reason).or_default() += count;
        }
    }
}

impl Findings {
    /// Paths of the own ship, each once.
    pub fn paths(&self) -> usize {
        self.told.values().flat_map(BTreeMap::keys).map(|(path, _)| path).collect::<BTreeSet<_>>().len()
    }

    /// Who told something about the own ship.
    pub fn sources(&self) -> usize {
        self.told.len()
    }

    /// How many other vessels and stations were told of, at most [`TARGETS_MAX`].
    pub fn targets(&self) -> usize {
        self.targets.len()
    }

    /// What more than one source tells with good values. Paths of one group (`navigation`) with the same rivals are
    /// told as one.
    pub fn rivals(&self) -> Vec<Rivals> {
        let mut tellers: BTreeMap<&Quantity, Vec<(u64, Source)>> = BTreeMap::new();
        for (source, quantities) in &self.told {
            let measured =
                quantities.iter().filter(|((path, _), good)| **good > 0 && !path.starts_with("notifications."));
            for (quantity, good) in measured {
                tellers.entry(quantity).or_default().push((*good, *source));
            }
        }
        let mut groups: BTreeMap<(&str, Vec<Source>), Group<'_>> = BTreeMap::new();
        for ((path, _), sources) in tellers.iter().filter(|(_, sources)| sources.len() > 1) {
            let name = path.split_once('.').map_or(&**path, |(name, _)| name);
            let key = (name, sources.iter().map(|(_, source)| *source).collect());
            let group = groups.entry(key).or_default();
            group.paths.insert(path);
            for (good, source) in sources {
                *group.often.entry(*source).or_default() += good;
            }
        }
        groups.into_iter().map(|((name, sources), group)| group.rivals(name, sources)).collect()
    }
}

/// Paths that begin alike and are told by the same sources.
#[derive(Debug, Default)]
struct Group<'a> {
    paths: BTreeSet<&'a str>,
    /// Good readings of any of them, by source.
    often: BTreeMap<Source, u64>,
}

impl Group<'_> {
    fn rivals(self, name: &str, mut sources: Vec<Source>) -> Rivals {
        sources.sort_by_key(|source| std::cmp::Reverse(self.often.get(source).copied()));
        let only = self.paths.first().filter(|_| self.paths.len() == 1);
        Rivals { path: only.map_or_else(|| format!("{name}.*"), |path| (*path).to_owned()), sources }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Value;
    use crate::wire::{Emit, Word};

    const REASONS: [&str; 2] = ["cut", "bad_checksum"];

    fn talker(name: &str) -> Source {
        Source::Talker(Word::new(name.as_bytes()).unwrap())
    }

    fn tell(findings: &mut Findings, name: &str, paths: &[&'static str], times: u64) {
        for _ in 0..times {
            let mut readings = Vec::new();
            let mut emit = Emit::new(&mut readings, talker(name), None);
            paths.iter().for_each(|path| emit.good(*path, Value::Float(1.0)));
            findings.message(&mut readings);
        }
    }

    #[test]
    fn rivals_are_those_who_tell_the_same_with_good_values() {
        let mut findings = Findings::default();
        tell(&mut findings, "GP", &["navigation.position", "navigation.speedOverGround"], 1);
        tell(&mut findings, "GN", &["navigation.position", "navigation.speedOverGround", "navigation.datetime"], 3);
        tell(&mut findings, "SD", &["environment.depth.belowTransducer", "notifications.a"], 1);
        tell(&mut findings, "II", &["notifications.a"], 1);
        let mut absent = Vec::new();
        Emit::new(&mut absent, talker("II"), None).absent("environment.depth.belowTransducer", Quality::NotAvailable);
        findings.message(&mut absent);
        let expected = Rivals { path: "navigation.*".to_owned(), sources: vec![talker("GN"), talker("GP")] };
        assert_eq!(findings.rivals(), [expected]);
        assert_eq!((findings.paths(), findings.sources(), findings.readings), (5, 4, 15));
        tell(&mut findings, "SD", &["navigation.datetime"], 1);
        assert!(findings.rivals().iter().any(|rivals| rivals.path == "navigation.datetime"), "one path by itself");
    }

    #[test]
    fn nothing_grows_with_what_comes() {
        let mut findings = Findings::default();
        for mmsi in 0..10_000 {
            let mut readings = Vec::new();
            let emit = Emit::new(&mut readings, Source::Identifier(mmsi), None);
            emit.about(Context::Vessel(mmsi)).good("navigation.position", Value::Float(1.0));
            let mut emit = Emit::new(&mut readings, Source::Identifier(mmsi), None);
            emit.good(format!("sensors.{mmsi}"), Value::Float(1.0));
            let mut emit = Emit::new(&mut readings, Source::Identifier(0), None);
            emit.good(format!("sensors.{mmsi}"), Value::Float(1.0));
            findings.message(&mut readings);
        }
        assert_eq!((findings.targets(), findings.sources()), (TARGETS_MAX, SOURCES_MAX));
        assert_eq!(findings.told[&Source::Identifier(0)].len(), QUANTITIES_MAX);
        REASONS.iter().for_each(|reason| findings.dropped(reason, 2, &"", b""));
        findings.dropped("cut", 1, &"", b"");
        assert_eq!(findings.dropped, BTreeMap::from([("cut", 3), ("bad_checksum", 2)]));
    }
}
