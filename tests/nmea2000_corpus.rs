//! NMEA 2000 captures against what canboat's analyzer (in C, version 8) and canboatjs print of them: every field of
//! every message as `raw_json` shows it, and the values of our readings.
//!
//! Set `HAWSER_CORPUS` to the folder of captures; without it this test says that it skipped. Every set stands in
//! [`SETS`] with the counts it must give and, where we differ, how often and why. A number that changes fails the test,
//! for the better too: then the table is to be corrected. `HAWSER_CORPUS_SHOW=1` prints each difference.

mod nmea2000_corpus {
    pub mod input;
    mod live;
    pub mod oracle;
    pub mod sets;
}

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hawser::wire::can::{FrameDecoder, Identifier, Message};
use hawser::wire::nmea2000::{Assembler, Decoder, raw_json};
use hawser::wire::{Decoded, Sink};
use nmea2000_corpus::input::{self, Heard};
use nmea2000_corpus::oracle::{self, Tally};
use nmea2000_corpus::sets::{Expected, SETS, Set};
use serde_json::Value;

/// One message of ours: all its fields, and its readings.
struct Ours {
    json: Value,
    readings: Vec<Decoded>,
}

impl Ours {
    fn is(&self, key: &str) -> u32 {
        self.json[key].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
    }
}

#[derive(Default)]
struct Readings(Vec<Decoded>);

impl Sink for Readings {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.0.append(readings);
    }
    fn dropped(&mut self, _reason: &'static str, _count: u64, _why: &dyn std::fmt::Display, _near: &[u8]) {}
}

fn messages(heard: &[Heard]) -> Vec<Ours> {
    let (mut assembler, mut decoder, mut sink) = (Assembler::default(), Decoder::new(), Readings::default());
    let mut all = Vec::new();
    for one in heard {
        let message = match one {
            Heard::Frame(frame) => assembler.frame(frame, 0, &mut sink),
            Heard::Whole(identifier, payload) => Some(Message { identifier: *identifier, payload, at: None }),
        };
        let Some((message, json)) = message.and_then(|message| Some((message, raw_json(&message)?))) else { continue };
        let json: Value = serde_json::from_str(&json).unwrap();
        // canboat puts a PGN with a name of its own choice into an object of that name.
        let inner = json.as_object().filter(|object| object.len() == 1).and_then(|object| object.values().next());
        let json = inner.unwrap_or(&json).clone();
        decoder.message(&message, 0, &mut sink);
        all.push(Ours { json, readings: std::mem::take(&mut sink.0) });
    }
    all
}

/// Pairs their messages with ours: those of one PGN and source in their order, as both are in the order of the bus.
/// Where one side has more of them, those that agree in all fields.
fn pair<T>(
    ours: &[Ours],
    theirs: &[T],
    head: fn(&T) -> [u32; 2],
    tally: &mut Tally,
    compare: fn(&Ours, &T, &mut Tally),
) {
    (tally.messages, tally.expected) = (ours.len() as u64, theirs.len() as u64);
    let mut groups: BTreeMap<[u32; 2], (Vec<&Ours>, Vec<&T>)> = BTreeMap::new();
    for own in ours {
        groups.entry([own.is("pgn"), own.is("src")]).or_default().0.push(own);
    }
    for expected in theirs {
        groups.entry(head(expected)).or_default().1.push(expected);
    }
    for ([pgn, _], (mut ours, theirs)) in groups {
        let agrees = |own: &Ours, expected: &T| {
            let mut alone = Tally::default();
            compare(own, expected, &mut alone);
            alone.different.is_empty()
        };
        let alike = ours.len() == theirs.len();
        for expected in theirs {
            match if alike { Some(0) } else { ours.iter().position(|own| agrees(own, expected)) } {
                Some(at) => compare(ours.remove(at), expected, tally),
                None => tally.differs(format!("missing {pgn}")),
            }
        }
        ours.iter().for_each(|_| tally.differs(format!("extra {pgn}")));
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
}

fn compare_json(own: &Ours, expected: &Value, tally: &mut Tally) {
    let pgn = own.is("pgn");
    if let Some(fields) = expected["fields"].as_object() {
        oracle::fields(pgn, &own.json["fields"], fields, |info| info.name, tally);
        oracle::readings(pgn, &own.readings, &expected["fields"], tally);
    }
}

/// A line of canboat's text.
struct Line(String);

/// `2011-11-24T22:42:04.388Z 2  36 255 127251 Rate of Turn:  SID = 125; Rate = ...`
fn text_head(line: &Line) -> [u32; 2] {
    let mut words = line.0.split_whitespace().skip(2).map(|word| word.parse().unwrap_or(u32::MAX));
    let (source, _, pgn) = (words.next(), words.next(), words.next());
    [pgn.unwrap_or(u32::MAX), source.unwrap_or(u32::MAX)]
}

fn compare_text(own: &Ours, expected: &Line, tally: &mut Tally) {
    let fields = expected.0.split_once(":  ").map_or("", |(_, fields)| fields);
    oracle::text_fields(own.is("pgn"), &own.json["fields"], fields, tally);
}

/// canboatjs names fields in camel case, and gives an enumeration's name alone.
fn cases(file: &[u8], tally: &mut Tally) {
    let all: Value = serde_json::from_slice(file).unwrap();
    for case in all["cases"].as_array().unwrap() {
        let inputs = match &case["input"] {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
            line => line.as_str().unwrap_or("").to_owned(),
        };
        // One line, one message, even of 8 bytes.
        let head = if inputs.lines().count() == 1 { "# format=FAST\n" } else { "" };
        let ours = messages(&input::log(format!("{head}{inputs}\n").as_bytes()));
        tally.expected += 1;
        tally.messages += ours.len() as u64;
        let [own] = ours.as_slice() else {
            tally.differs(format!("missing {}", case["pgn"]));
            continue;
        };
        let fields = case["expected"]["fields"].as_object().unwrap();
        oracle::fields(own.is("pgn"), &own.json["fields"], fields, |info| info.id, tally);
    }
}

fn run(folder: &Path, set: &Set) -> Tally {
    let bytes = read(&folder.join(set.file));
    let mut tally = Tally::default();
    if let Expected::Cases = set.expected {
        cases(&bytes, &mut tally);
        return tally;
    }
    let ours = messages(&if set.file.ends_with(".pcap") { input::pcap(&bytes) } else { input::log(&bytes) });
    let lines = |file: &str| -> Vec<String> {
        let text = String::from_utf8_lossy(&read(&folder.join(file))).into_owned();
        text.lines().filter(|line| !line.is_empty() && !line.starts_with("{\"version")).map(str::to_owned).collect()
    };
    match set.expected {
        Expected::Json(file) => {
            let theirs: Vec<Value> = lines(file).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            pair(&ours, &theirs, |json| [number(&json["pgn"]), number(&json["src"])], &mut tally, compare_json);
        }
        Expected::Text(file) => {
            let theirs: Vec<Line> = lines(file).into_iter().map(Line).collect();
            pair(&ours, &theirs, text_head, &mut tally, compare_text);
        }
        Expected::Nothing | Expected::Cases => tally.messages = ours.len() as u64,
    }
    // Without another's values in SI: the plan's readings are what canboat's own decoder says.
    if !matches!(set.expected, Expected::Json(_)) {
        ours.iter().for_each(|own| oracle::readings(own.is("pgn"), &own.readings, &own.json["fields"], &mut tally));
    }
    tally
}

/// What a set gave, told from what it must give; empty when they agree.
fn judge(set: &Set, tally: &Tally) -> Vec<String> {
    let mut wrong = Vec::new();
    let found = [tally.messages, tally.expected, tally.equal, tally.readings];
    if found != set.counts {
        wrong.push(format!("{}: the table says {:?}, found {found:?}", set.file, set.counts));
    }
    let expected: BTreeMap<&str, u64> = set.differs.iter().map(|(what, count, _)| (*what, *count)).collect();
    for (what, count) in &tally.different {
        if expected.get(what.as_str()) != Some(count) {
            wrong.push(format!(
                "{}: {what} differs {count} times, and the table says {:?}",
                set.file,
                expected.get(what.as_str())
            ));
        }
    }
    let gone = expected.keys().filter(|what| !tally.different.contains_key(**what));
    wrong.extend(gone.map(|what| format!("{}: {what} differs no more", set.file)));
    wrong
}

/// What canboat makes of a trace of single frames is those frames, line by line.
#[test]
fn a_pcan_trace_has_canboats_frames() {
    let Some(folder) = std::env::var_os("HAWSER_CORPUS").map(PathBuf::from) else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    let frames = |file: &str| -> Vec<_> {
        let heard = input::log(&read(&folder.join("nmea2000/canboat-tests").join(file))).into_iter();
        heard
            .map(|one| match one {
                Heard::Frame(frame) => (Identifier::parse(frame.id), frame.bytes().to_vec()),
                Heard::Whole(identifier, payload) => (identifier, payload),
            })
            .collect()
    };
    let ours = frames("pcan-view.in");
    assert_eq!((ours.len(), &ours), (10, &frames("pcan-view.out")));
}

#[test]
fn the_corpus_reads_as_canboat_reads_it() {
    let Some(folder) = std::env::var_os("HAWSER_CORPUS").map(PathBuf::from) else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    let mut wrong = Vec::new();
    println!("| set | messages | printed | fields equal | different | readings equal | reason |");
    println!("|---|---|---|---|---|---|---|");
    for set in SETS {
        let tally = run(&folder.join("nmea2000"), set);
        let reasons: Vec<String> = set.differs.iter().map(|(what, n, why)| format!("{what} {n}: {why}")).collect();
        let Tally { messages, expected, equal, readings, different } = &tally;
        let different: u64 = different.values().sum();
        println!(
            "| {} | {messages} | {expected} | {equal} | {different} | {readings} | {} |",
            set.file,
            reasons.join("; ")
        );
        wrong.extend(judge(set, &tally));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
