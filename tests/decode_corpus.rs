//! Our readings of captures from the field against other programs' readings of the same.
//!
//! Set `HAWSER_CORPUS` to the folder of captures; without it this test says that it skipped. Every set is listed in
//! [`SETS`] with the counts it must give and, for each field in which we differ from the other program, how often and
//! why. A number that changes fails the test, for the better too: then the table is to be corrected. Nothing here is
//! skipped: a file that is missing fails. `HAWSER_CORPUS_SHOW=1` prints each difference.

mod corpus {
    pub mod oracle;
    pub mod service;
    pub mod sets;
    pub mod sky;
}

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use corpus::oracle::{self, Tally};
use corpus::sets::{Oracle, SETS, Set};
use hawser::decode::{DecodeOptions, decode};
use hawser::reading::Value;
use hawser::wire::nmea0183::{self, PROPRIETARY, Rejected, TABLE};
use hawser::wire::pcap::{Capture, Contents};
use hawser::wire::{Decoded, Sink, StreamDecoder, iec61162_450, unit};

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

/// The captures of IEC 61162-450: sound messages, what they say, and what was dropped. The file's name is the oracle.
const DATAGRAMS: [(&str, u64, &str, &[&str]); 6] = [
    ("iec-61162-450-nmea.pcap", 1, "HE0001 navigation.rateOfTurn", &[]),
    ("iec-61162-450-nmea-multitag.pcap", 1, "HE0001 navigation.rateOfTurn", &[]),
    ("iec-61162-450-nmea-wrong-tag-chcksm.pcap", 0, "", &["bad_tag_block"]),
    ("iec-61162-450-binary-type1.pcap", 0, "", &["rrudp_ignored", "rrudp_ignored"]),
    ("nmea-0183.pcap", 0, "", &["no_header"]),
    ("nmea-0183-wrong-chcksm.pcap", 0, "", &["no_header"]),
];

/// What a bus heard.
#[derive(Default)]
struct Heard {
    messages: u64,
    readings: Vec<Decoded>,
    dropped: Vec<&'static str>,
}

impl Sink for Heard {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        self.readings.append(readings);
    }

    fn dropped(&mut self, reason: &'static str, _count: u64, _why: &dyn std::fmt::Display, _near: &[u8]) {
        self.dropped.push(reason);
    }
}

/// What a decoder hears of the datagrams of a capture.
fn hear(capture: &[u8], mut decoder: impl StreamDecoder) -> Heard {
    let (mut capture, mut heard) = (Capture::new(capture).unwrap(), Heard::default());
    while let Some(packet) = capture.next_packet() {
        let Contents::Datagram(datagram) = packet.unwrap().contents else { panic!("a datagram") };
        decoder.push(datagram.payload, 0, &mut heard);
        decoder.end_of_datagram(0, &mut heard);
    }
    heard
}

#[test]
fn captures_of_datagrams_read_as_their_names_say() {
    let Some(folder) = corpus() else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    println!("| set | oracle | messages | dropped |");
    println!("|---|---|---|---|");
    for (file, messages, said, dropped) in DATAGRAMS {
        let bytes = read(&folder.join("iec61162-450").join(file));
        let heard = hear(&bytes, iec61162_450::Stream::default());
        println!("| {file} | its name | {} | {} |", heard.messages, heard.dropped.join(" "));
        assert_eq!((heard.messages, &heard.dropped[..]), (messages, dropped), "{file}");
        for reading in &heard.readings {
            assert_eq!(format!("{} {}", reading.source, reading.path), said, "{file}");
            // +000.05 degrees a minute.
            let wanted = 0.05_f64.to_radians() / 60.0;
            assert!(matches!(reading.value, Value::Float(turn) if (turn - wanted).abs() < 1e-15), "{reading:?}");
        }
    }
    // A bus of NMEA 0183 over UDP reads what has no header.
    let plain = |file: &str| hear(&read(&folder.join("iec61162-450").join(file)), nmea0183::Stream::default());
    assert_eq!(plain("nmea-0183.pcap").messages, 1);
    assert_eq!(plain("nmea-0183-wrong-chcksm.pcap").dropped, ["bad_checksum"]);
}

#[test]
fn every_capture_of_the_corpus_stands_in_the_table() {
    let Some(folder) = corpus() else {
        println!("skipped: HAWSER_CORPUS names no folder of captures");
        return;
    };
    for file in std::fs::read_dir(folder.join("iec61162-450")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(DATAGRAMS.iter().any(|(known, ..)| *known == name), "{name} is in no set");
    }
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
    let rows = TABLE.iter().chain(&PROPRIETARY);
    let rules = rows.flat_map(|row| row.readings.iter().map(|r| r.path));
    let more = [
        "navigation.headingCompass",
        "environment.depth.belowKeel",
        "environment.depth.belowSurface",
        "environment.depth.surfaceToTransducer",
        "environment.depth.transducerToKeel",
        "environment.outside.temperature",
        "environment.outside.pressure",
        "environment.outside.relativeHumidity",
        "environment.water.salinity",
        "steering.rudderAngle",
        "design.beam",
    ];
    let mut own = BTreeSet::new();
    for path in rules.chain(more) {
        match known.get(format!("/vessels/*/{}", path.replace('.', "/"))) {
            Some(entry) => {
                if let Some(units) = entry.get("units").and_then(|u| u.as_str()) {
                    assert_eq!(unit(path), units, "{path}");
                }
            }
            None => drop(own.insert(path)),
        }
    }
    let listed: BTreeSet<&str> = OWN_PATHS.into_iter().collect();
    assert_eq!(own, listed, "paths that are not Signal K's");
}

/// Paths of sentences for which Signal K's list has none (of `attitude`, `current` and `nextPoint` it has the group
/// alone): below its own groups, in its style.
const OWN_PATHS: [&str; 47] = [
    "communication.navtex",
    "communication.safetyNet",
    "environment.current.drift",
    "environment.current.setMagnetic",
    "environment.current.setTrue",
    "navigation.attitude.pitch",
    "navigation.attitude.roll",
    "navigation.courseGreatCircle.nextPoint.bearingMagnetic",
    "navigation.courseGreatCircle.nextPoint.bearingTrue",
    "navigation.courseGreatCircle.nextPoint.distance",
    "navigation.courseGreatCircle.nextPoint.name",
    "navigation.courseGreatCircle.nextPoint.position",
    "navigation.courseGreatCircle.previousPoint.name",
    "navigation.courseRhumbline.activeRoute.name",
    "navigation.courseRhumbline.nextPoint.arrivalCircle",
    "navigation.courseRhumbline.nextPoint.arrived",
    "navigation.courseRhumbline.nextPoint.bearingMagnetic",
    "navigation.courseRhumbline.nextPoint.bearingTrue",
    "navigation.courseRhumbline.nextPoint.distance",
    "navigation.courseRhumbline.nextPoint.name",
    "navigation.courseRhumbline.nextPoint.perpendicularPassed",
    "navigation.courseRhumbline.nextPoint.position",
    "navigation.courseRhumbline.previousPoint.name",
    "navigation.gnss.altitudeDeviation",
    "navigation.gnss.altitudeError",
    "navigation.gnss.bias",
    "navigation.gnss.biasDeviation",
    "navigation.gnss.datum",
    "navigation.gnss.datumAltitudeOffset",
    "navigation.gnss.datumLatitudeOffset",
    "navigation.gnss.datumLongitudeOffset",
    "navigation.gnss.ellipseOrientation",
    "navigation.gnss.fixMode",
    "navigation.gnss.horizontalError",
    "navigation.gnss.latitudeDeviation",
    "navigation.gnss.latitudeError",
    "navigation.gnss.longitudeDeviation",
    "navigation.gnss.longitudeError",
    "navigation.gnss.missedDetectionProbability",
    "navigation.gnss.positionError",
    "navigation.gnss.rangeDeviation",
    "navigation.gnss.semiMajorDeviation",
    "navigation.gnss.semiMinorDeviation",
    "navigation.gnss.verticalDilution",
    "navigation.gnss.verticalError",
    "navigation.speedOverGroundLongitudinal",
    "navigation.speedOverGroundTransverse",
];
