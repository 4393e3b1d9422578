//! NMEA 2000 captures against what canboat's analyzer (in C, version 8) and canboatjs print of them.
//!
//! Set `HAWSER_CORPUS` to the folder of captures; without it this test says that it skipped. Every set stands in
//! [`SETS`] with the counts it must give and why we differ. `HAWSER_CORPUS_SHOW=1` prints each difference.

mod nmea2000_corpus {
    pub mod input;
    pub mod oracle;
}

use std::path::{Path, PathBuf};

use hawser::wire::can::Message;
use hawser::wire::nmea2000::{Assembler, raw_json};
use nmea2000_corpus::input::{self, Heard};
use nmea2000_corpus::oracle::{self, Tally};
use serde_json::Value;

fn messages(heard: &[Heard]) -> Vec<(u64, Value)> {
    let mut assembler = Assembler::default();
    let mut out = Vec::new();
    let mut take = |message: &Message<'_>| {
        if let Some(json) = raw_json(message) {
            out.push((0, serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"))));
        }
    };
    for one in heard {
        match one {
            Heard::Frame(frame) => {
                if let Some(message) = assembler.frame(frame, 0) {
                    take(&message)
                }
            }
            Heard::Whole(identifier, payload) => take(&Message { identifier: *identifier, payload, at: None }),
        }
    }
    assembler.take_lost(|r, n| println!("lost {r} {n}"));
    out
}

#[test]
fn t() {
    let Some(folder) = std::env::var_os("HAWSER_CORPUS").map(PathBuf::from) else { return };
    let folder = folder.join("nmea2000/canboat-samples");
    for entry in std::fs::read_dir(folder.join("expected")).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_str().unwrap().trim_end_matches(".jsonl").to_owned();
        let log = String::from_utf8_lossy(&std::fs::read(folder.join(&name)).unwrap()).into_owned();
        let ours = messages(&input::text(&log));
        let theirs: Vec<Value> = std::fs::read_to_string(&entry)
            .unwrap()
            .lines()
            .skip(1)
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let mut tally = Tally::default();
        let mut at = 0;
        let mut missing = 0;
        let mut extra: std::collections::BTreeMap<u64, u64> = Default::default();
        let mut miss: std::collections::BTreeMap<u64, u64> = Default::default();
        for t in &theirs {
            let same = |o: &Value| ["pgn", "src"].iter().all(|k| o[*k] == t[*k]);
            match ours[at..].iter().take(400).position(|(_, o)| same(o)) {
                Some(n) => {
                    for (_, o) in &ours[at..at + n] {
                        *extra.entry(o["pgn"].as_u64().unwrap()).or_default() += 1;
                    }
                    at += n + 1;
                    let o = &ours[at - 1].1;
                    if o["description"] != t["description"] {
                        tally.count(false, || {
                            format!("{} description {} {}", t["pgn"], o["description"], t["description"])
                        });
                    }
                    oracle::fields(
                        t["pgn"].as_u64().unwrap(),
                        o["fields"].as_object().unwrap(),
                        t["fields"].as_object().unwrap(),
                        |i| i.name,
                        &mut tally,
                    );
                }
                None => {
                    missing += 1;
                    *miss.entry(t["pgn"].as_u64().unwrap()).or_default() += 1;
                }
            }
        }
        println!(
            "## {name}: ours {} theirs {} missing {missing} {miss:?} extra {extra:?} equal {} different {:#?}",
            ours.len(),
            theirs.len(),
            tally.equal,
            tally.different
        );
    }
}
