//! A live stream of the simulated vessel, read by our decoder and by canboat's own tool (canboatjs's analyzer) at once.
//! `scripts/setup test` installs that tool beside this file.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::input;
use super::oracle::Tally;
use crate::{compare_json, messages, number, pair};

/// Lines of frames that are listened to: some five seconds, so that what comes seldom comes too.
const LINES: usize = 350;

/// Kinds of messages in them, at least: fewer would be another stream than meant.
const PGNS_MIN: usize = 20;

/// Ends the process with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn analyzer() -> Running {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/nmea2000_corpus/node_modules/@canboat/canboatjs/dist/bin/analyzerjs.js");
    assert!(program.is_file(), "canboatjs is missing: `scripts/setup test` installs it");
    let child = Command::new("node").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    Running(child.expect("node runs"))
}

fn vessel() -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_hawser"))
        .args(["sim", "--seed", "7", "--output", "nmea2000+ydwg=stdout"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Running(child.expect("hawser runs"))
}

/// Without what says nothing, which ours leaves out: spare bits, and lists of bits of which none is set.
fn told(line: &str) -> Value {
    let mut message: Value = serde_json::from_str(line).expect("JSON");
    let fields = message["fields"].as_object_mut().expect("every message has fields");
    fields.retain(|name, value| name != "Spare" && value.as_array().is_none_or(|bits| !bits.is_empty()));
    message
}

#[test]
fn a_live_stream_reads_as_canboats_own_tool_reads_it() {
    let (mut vessel, mut analyzer) = (vessel(), analyzer());
    let mut to_analyzer = analyzer.0.stdin.take().expect("it is piped");
    let from_analyzer = BufReader::new(analyzer.0.stdout.take().expect("it is piped"));
    let reader = std::thread::spawn(move || -> Vec<Value> {
        from_analyzer.lines().map(|line| told(&line.expect("UTF-8"))).collect()
    });
    let mut log = String::new();
    for line in BufReader::new(vessel.0.stdout.take().expect("it is piped")).lines().take(LINES) {
        let line = line.expect("UTF-8") + "\n";
        to_analyzer.write_all(line.as_bytes()).expect("the analyzer listens");
        log += &line;
    }
    drop(to_analyzer);
    let theirs = reader.join().expect("the analyzer's output is JSON");
    let ours = messages(&input::log(log.as_bytes()));
    let mut tally = Tally::default();
    pair(&ours, &theirs, |json| [number(&json["pgn"]), number(&json["src"])], &mut tally, compare_json);
    println!("{tally:?}");
    let kinds: std::collections::BTreeSet<u64> = theirs.iter().filter_map(|json| json["pgn"].as_u64()).collect();
    assert!(kinds.len() >= PGNS_MIN, "{kinds:?}");
    assert_eq!(tally.messages, tally.expected);
    assert!(tally.different.is_empty(), "{:#?}", tally.different);
    assert!(tally.readings > 100 && tally.equal > tally.readings, "{tally:?}");
}
