//! Our readings of captures from the field against other programs' readings of the same.
//!
//! Set `HAWSER_CORPUS` to the folder of captures; without it this test says that it skipped. Every set is listed in
//! [`SETS`] with the counts it must give and, for each field in which we differ from the other program, how often and
//! why. A number that changes fails the test, for the better too: then the table is to be corrected. Nothing here is
//! skipped: a file that is missing fails. `HAWSER_CORPUS_SHOW=1` prints each difference.

mod corpus {
    pub mod oracle;
    pub mod sets;
}

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corpus::oracle::{self, Tally};
use corpus::sets::{Oracle, SETS, Set};
use hawser::decode::{DecodeOptions, decode};
use hawser::wire::nmea0183::{Rejected, TABLE};
use hawser::wire::unit;

fn corpus() -> Option<PathBuf> {
    std::env::var_os("HAWSER_CORPUS").map(PathBuf::from)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn run(folder: &Path, set: &Set) -> Tally {
    let mut log = read(&folder.join(set.file));
    // gpsd's harness cuts the stream at these marks, and takes them out.
    if log.windows(14).any(|w| w == b"Delay-Cookie: ") {
        log.retain(|b| *b != b'|');
    }
    let mut tally = match set.oracle {
        Oracle::Gpsd => oracle::against_gpsd(&log, &read(&folder.join(format!("{}.chk", set.file)))),
        Oracle::Messages(json) => oracle::against_messages(&log, &read(&folder.join(json))),
        Oracle::Crates => oracle::against_crates(&log),
        Oracle::None => Tally::default(),
    };
    let summary = decode(&DecodeOptions::default(), &log[..], std::io::sink()).unwrap();
    tally.sentences = summary.messages;
    tally.rejected = summary.dropped_for(&Rejected::NAMES);
    if std::env::var_os("HAWSER_CORPUS_SHOW").is_some() {
        println!("# {}: {summary}", set.file);
    }
    tally
}

/// What a set gave, told from what it must give; empty when they agree.
fn judge(set: &Set, tally: &Tally) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |what: &str, expected: u64, found: u64| {
        if expected != found {
            wrong.push(format!("{}: {what}: the table says {expected}, found {found}", set.file));
        }
    };
    expect("sentences", set.sentences, tally.sentences);
    expect("rejected", set.rejected, tally.rejected);
    expect("equal", set.equal, tally.equal);
    let expected: BTreeMap<&str, u64> = set.differs.iter().map(|(field, count, _)| (*field, *count)).collect();
    for (field, found) in &tally.different {
        expect(field, expected.get(field.as_str()).copied().unwrap_or(0), *found);
    }
    for (field, count) in expected {
        if !tally.different.contains_key(field) {
            expect(field, count, 0);
        }
    }
    wrong
}

#[test]
fn the_corpus_reads_as_other_programs_read_it() {
    let Some(folder) = corpus() else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    let mut wrong = Vec::new();
    println!("| set | oracle | sentences | rejected | equal | different | reason |");
    println!("|---|---|---|---|---|---|---|");
    let mut total = [0; 4];
    for set in SETS {
        let tally = run(&folder, set);
        let different: u64 = tally.different.values().sum();
        let reasons: Vec<String> = set.differs.iter().map(|(field, n, why)| format!("{field} {n}: {why}")).collect();
        println!(
            "| {} | {} | {} | {} | {} | {different} | {} |",
            set.file,
            set.oracle.name(),
            tally.sentences,
            tally.rejected,
            tally.equal,
            reasons.join("; ")
        );
        for (sum, count) in total.iter_mut().zip([tally.sentences, tally.rejected, tally.equal, different]) {
            *sum += count;
        }
        wrong.extend(judge(set, &tally));
    }
    println!("| all {} sets | | {} | {} | {} | {} | |", SETS.len(), total[0], total[1], total[2], total[3]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_capture_of_the_corpus_stands_in_the_table() {
    let Some(folder) = corpus() else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    for protocol in ["nmea0183", "ais"] {
        for source in std::fs::read_dir(folder.join(protocol)).unwrap() {
            for file in std::fs::read_dir(source.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                let expected_output = name.ends_with(".chk") || name.ends_with(".json");
                assert!(expected_output || SETS.iter().any(|s| s.file == name), "{name} is in no set");
            }
        }
    }
}

#[test]
fn paths_and_units_are_those_of_signal_k() {
    let Some(folder) = corpus() else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    let known: serde_json::Value = serde_json::from_slice(&read(&folder.join("signalk/paths.json"))).unwrap();
    let rules = TABLE.iter().flat_map(|row| row.readings.iter().map(|r| r.path));
    let more = [
        "navigation.headingCompass",
        "environment.depth.belowKeel",
        "environment.depth.belowSurface",
        "environment.depth.surfaceToTransducer",
        "environment.depth.transducerToKeel",
        "environment.outside.temperature",
        "environment.outside.pressure",
        "environment.outside.relativeHumidity",
        "steering.rudderAngle",
        "design.beam",
    ];
    for path in rules.chain(more) {
        let key = format!("/vessels/*/{}", path.replace('.', "/"));
        let entry = known.get(&key).unwrap_or_else(|| panic!("{path} is no path of Signal K"));
        if let Some(units) = entry.get("units").and_then(|u| u.as_str()) {
            assert_eq!(unit(path), units, "{path}");
        }
    }
}
