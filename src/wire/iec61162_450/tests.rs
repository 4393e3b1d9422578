//! Datagrams as the standard writes them, two networks, and what no bytes may do.

use std::fmt::Display;

use proptest::prelude::*;

use super::*;
use crate::reading::Value;
use crate::wire::Decoded;
use crate::wire::nmea0183::checksum;

#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Source, path and value of each reading, and when it was measured.
    readings: Vec<(String, String, Value, Option<String>)>,
    messages: u64,
    dropped: Vec<(&'static str, u64)>,
}

impl Sink for Seen {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        let told =
            |d: Decoded| (d.source.to_string(), d.path.into_owned(), d.value, d.observed_at.map(|at| at.to_string()));
        self.readings.extend(readings.drain(..).map(told));
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _why: &dyn Display, _near: &[u8]) {
        self.dropped.push((reason, count));
    }
}

/// A line: TAG block, sentence, both with checksums.
fn line(tag: &str, sentence: &str) -> String {
    let block = if tag.is_empty() { String::new() } else { format!("\\{tag}*{:02X}\\", checksum(tag.as_bytes())) };
    format!("{block}${sentence}*{:02X}\r\n", checksum(sentence.as_bytes()))
}

fn datagram(lines: &[String]) -> Vec<u8> {
    [b"UdPbC\0", lines.concat().as_bytes()].concat()
}

/// Feeds each datagram at its time.
fn seen(datagrams: &[(u64, Vec<u8>)]) -> Seen {
    let (mut stream, mut seen) = (Stream::default(), Seen::default());
    for (at, bytes) in datagrams {
        stream.push(bytes, *at, &mut seen);
        stream.end_of_datagram(*at, &mut seen);
    }
    seen
}

#[test]
fn a_datagram_holds_sentences_of_several_functions() {
    let bytes = datagram(&[
        line("s:HE0001,n:1", "HEROT,60.0,A"),
        line("d:VD0001,s:SD0002,n:1,c:1795243260", "SDDBT,,f,2.4,M,,F"),
    ]);
    let seen = seen(&[(0, bytes)]);
    assert_eq!((seen.messages, &seen.dropped[..]), (2, &[][..]));
    let [(function, path, Value::Float(turn), None), depth] = &seen.readings[..] else { panic!("{seen:?}") };
    assert_eq!((function.as_str(), path.as_str()), ("HE0001", "navigation.rateOfTurn"));
    assert!((turn - std::f64::consts::PI / 180.0).abs() < 1e-12, "60 degrees a minute");
    let at = Some("2026-11-21T06:41:00.000Z".to_owned());
    assert_eq!(*depth, ("SD0002".into(), "environment.depth.belowTransducer".into(), Value::Float(2.4), at));
}

#[test]
fn what_is_no_datagram_of_sentences_is_counted_by_what_it_is() {
    let sentence = line("s:HE0001", "HEROT,60.0,A");
    let seen = seen(&[
        (0, b"RrUdP\0\0\x02\0\x26EI0001VR0001".to_vec()),
        (0, b"RaUdP\0".to_vec()),
        (0, b"RpUdP\0$HEROT,60.0,A\r\n".to_vec()),
        (0, b"NkPgN\0".to_vec()),
        (0, sentence.clone().into_bytes()),
        (0, [b"UdPbX\0", sentence.as_bytes()].concat()),
        (0, b"UdPbC".to_vec()),
        (0, vec![0; DATAGRAM_BYTES_MAX + 1]),
        (0, Vec::new()),
        (0, datagram(&[])),
        (0, datagram(std::slice::from_ref(&sentence))),
    ]);
    let names = ["rrudp_ignored", "raudp_ignored", "rpudp_ignored", "nkpgn_ignored"];
    let rest = [REASON_NO_HEADER, REASON_NO_HEADER, REASON_NO_HEADER, REASON_TOO_LONG];
    let expected: Vec<_> = names.into_iter().chain(rest).map(|reason| (reason, 1)).collect();
    assert_eq!((seen.dropped, seen.messages), (expected, 1));
}

#[test]
fn a_broken_line_costs_the_others_nothing() {
    let wrong = line("s:HE0001", "HEROT,1.0,A").replace("\\$", "0\\$");
    let bytes = datagram(&[wrong, line("s:HE0001", "HEROT,2.0,A"), "\\s:HE0001*AA\\$HEROT,3.0,A*00\r\n".into()]);
    let seen = seen(&[(0, bytes)]);
    assert_eq!(seen.messages, 2, "a checksum is two digits, what stands behind it is not looked at");
    assert_eq!(seen.dropped, [("bad_tag_block", 1)]);
}

#[test]
fn the_second_network_says_nothing_new() {
    let numbered = |n: u32| datagram(&[line(&format!("s:HE0001,n:{n}"), "HEROT,60.0,A")]);
    let bare = datagram(&[line("s:HE0001", "HEROT,60.0,A")]);
    let seen = seen(&[
        (0, numbered(1)),
        (1, numbered(1)),
        (20, numbered(2)),
        (400, numbered(2)),
        (2_000, numbered(1)),
        (3_000, bare.clone()),
        (3_003, bare.clone()),
        (3_020, bare),
    ]);
    assert_eq!(seen.dropped, [(REASON_DUPLICATE, 1); 3]);
    assert_eq!(seen.messages, 5, "1, 2, 1 a second later, and a bare one twice");
}

#[test]
fn missing_lines_are_counted_and_duplicates_are_not_missing() {
    let numbered = |n: u32| (u64::from(n), datagram(&[line(&format!("s:HE0001,n:{n}"), "HEROT,60.0,A")]));
    let seen = seen(&[numbered(1), numbered(1), numbered(5), numbered(6)]);
    assert_eq!(seen.dropped, [(REASON_DUPLICATE, 1), ("tag_line_gap", 3)]);
}

#[test]
fn fragments_of_two_transponders_do_not_mix() {
    let voyage =
        ["AIVDM,2,1,9,B,55R3Vn82=ILTQ3KKS>1<D60Dq@E918U<F222221J1`?164vc03S1CCAD,0", "AIVDM,2,2,9,B,00000000000,2"];
    let line = |source: &str, sentence: &str| line(&format!("s:{source}"), sentence).replace("\\$", "\\!");
    let one = |nth: usize| datagram(&[line("AI0001", voyage[nth]), line("AI0002", voyage[nth])]);
    let seen = seen(&[(0, one(0)), (100, one(1))]);
    let names = seen.readings.iter().filter(|(_, path, ..)| path == "name").map(|(source, ..)| source.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["AI0001", "AI0002"]);
}

fn any_telling_byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(b'$'), Just(b'\\'), Just(b'\n'), Just(b','), Just(b's'), Just(b':'), Just(0), any::<u8>()]
}

proptest! {
    #[test]
    fn any_datagram_returns_and_memory_is_bounded(
        header in prop_oneof![Just(&b"UdPbC\0"[..]), Just(&b"UdPbC\0\\s:HE0001*45\\$"[..]), Just(&b""[..])],
        datagrams in proptest::collection::vec(proptest::collection::vec(any_telling_byte(), 0..200), 1..5),
    ) {
        let (mut stream, mut seen) = (Stream::default(), Seen::default());
        for bytes in datagrams {
            stream.push(header, 0, &mut seen);
            stream.push(&bytes, 0, &mut seen);
            stream.end_of_datagram(0, &mut seen);
            prop_assert!(stream.held_bytes() <= 128 * 1_024, "{}", stream.held_bytes());
        }
        stream.end_of_stream(0, &mut seen);
    }

    #[test]
    fn the_cut_of_a_datagram_does_not_matter(cuts in proptest::collection::vec(0usize..200, 0..6)) {
        let bytes = datagram(&[line("s:HE0001,n:1", "HEROT,60.0,A"), line("s:SD0002,n:1", "SDDBT,,f,2.4,M,,F")]);
        let (mut stream, mut cut) = (Stream::default(), Seen::default());
        let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            stream.push(&bytes[pair[0]..pair[1]], 0, &mut cut);
        }
        stream.end_of_datagram(0, &mut cut);
        prop_assert_eq!(cut, seen(&[(0, bytes)]));
    }
}
