//! Every format as its gateway or tool writes it, damaged, and cut anywhere.

use super::*;
use crate::wire::can::Identifier;
use proptest::prelude::*;
use rstest::rstest;

/// What a format makes of a stream in chunks: frames and messages as text, drops by name.
fn read(format: Format, chunks: &[&[u8]]) -> Vec<String> {
    let (mut framing, mut seen) = (Framing::new(format), Vec::new());
    let mut out = |item: Result<Item<'_>, Rejected<'_>>| seen.push(text(item));
    for chunk in chunks {
        framing.push(chunk, &mut out);
    }
    framing.finish(&mut out);
    assert!(framing.held_bytes() <= 32 << 10);
    seen
}

fn text(item: Result<Item<'_>, Rejected<'_>>) -> String {
    match item {
        Ok(Item::Frame(frame)) => {
            let width = if frame.extended { 8 } else { 3 };
            let at = frame.at.map_or(String::new(), |at| format!(" {at}"));
            format!("{:0width$X}#{}{at}", frame.id, hex(frame.bytes()))
        }
        Ok(Item::Message(message)) => {
            let Identifier { priority, pgn, source, destination } = message.identifier;
            let at = message.at.map_or(String::new(), |at| format!(" {at}"));
            format!("{priority},{pgn},{source},{destination}:{}{at}", hex(message.payload))
        }
        Err(rejected) => rejected.reason.name().to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[rstest]
#[case::log("(1436509053.762905) can0 18EEFF00#8EF2DDE8", &["18EEFF00#8EF2DDE8 2015-07-10T06:17:33.762Z"])]
#[case::log_numbered("1 (1612543138.000000) vcan0 0CF00400#00", &["0CF00400#00 2021-02-05T16:38:58.000Z"])]
#[case::log_since_start("(0000000000.352000) vcan0 09F20101#60.1A R", &["09F20101#601A"])]
#[case::standard("(1436509053.762905) can0 123#", &["123# 2015-07-10T06:17:33.762Z"])]
#[case::console("  can0  0CF00300   [8]  FC 00 FF FF FF FF FF FF   '........'", &["0CF00300#FC00FFFFFFFFFFFF"])]
#[case::console_date(" (2009-01-01 00:00:01.000000)  can0  RX - -  123   [1]  FC", &["123#FC"])]
#[case::console_old("<0x18eeff01> [8] 05 a0 be 1c 00 a0 a0 c0 ", &["18EEFF01#05A0BE1C00A0A0C0"])]
#[case::comment("# candump\n\n", &[])]
#[case::fd("(1436509053.762905) can0 18EEFF00##18EF2", &["can_fd_frame"])]
#[case::fd_console("  can0  18EEFF00  [08]  FC 00 FF FF FF FF FF FF", &["can_fd_frame"])]
#[case::remote("(1436509053.762905) can0 123#R8", &["remote_frame"])]
#[case::remote_console("  can0  123   [8]  remote request", &["remote_frame"])]
#[case::error("  can0  20000088   [8]  00 00 80 19 00 00 00 00   ERRORFRAME", &["error_frame"])]
#[case::header("interface = can0, family = 29, type = 3, proto = 1", &["not_a_frame"])]
#[case::short("  can0  0CF00300   [8]  FC 00", &["bad_frame"])]
#[case::long_data("(1436509053.762905) can0 123#001122334455667788", &["bad_frame"])]
#[case::odd_data("(1436509053.762905) can0 123#001", &["bad_frame"])]
#[case::large_id("(1436509053.762905) can0 FFF#00", &["bad_frame"])]
fn candump(#[case] line: &str, #[case] expected: &[&str]) {
    assert_eq!(read(Format::Candump, &[line.as_bytes(), b"\r\n"]), expected);
}

#[rstest]
#[case("21:55:35.425 R 15FD0723 FF C0 D9 6F", &["15FD0723#FFC0D96F"])]
#[case::sent("21:55:35.425 T 15FD0723 FF", &["15FD0723#FF"])]
#[case::no_data("21:55:35.425 R 15FD0723", &["15FD0723#"])]
#[case::nine("21:55:35.425 R 15FD0723 00 11 22 33 44 55 66 77 88", &["bad_frame"])]
#[case::direction("21:55:35.425 X 15FD0723 00", &["not_a_frame"])]
#[case::id("21:55:35.425 R FFFFFFFF 00", &["bad_frame"])]
fn yacht_devices(#[case] line: &str, #[case] expected: &[&str]) {
    assert_eq!(read(Format::YachtDevices, &[line.as_bytes(), b"\n"]), expected);
}

#[rstest]
#[case::frame("2011-11-24-22:42:04.388,2,127251,36,255,8,7d,0b,7d,02,00,ff,ff,ff",
    &["09F11324#7D0B7D0200FFFFFF 2011-11-24T22:42:04.388Z"])]
#[case::message("2021-07-29T10:18:31Z,6,126208,36,0,7,02,82,ff,00,10,02,00",
    &["6,126208,36,0:0282FF00100200 2021-07-29T10:18:31.000Z"])]
#[case::fast("# format=FAST\n2021-07-29T10:18:31Z,6,126208,36,0,8,02,82,ff,00,10,02,00,01",
    &["6,126208,36,0:0282FF0010020001 2021-07-29T10:18:31.000Z"])]
#[case::no_time("?,2,127251,36,255,2,7d,0b", &["2,127251,36,255:7D0B"])]
#[case::synthetic("2011-11-24-22:42:04.388,2,393216,36,255,8,ff,ff,ff,ff,ff,ff,ff,ff", &["bad_frame"])]
#[case::short("2011-11-24-22:42:04.388,2,127251,36,255,8,ff", &["bad_frame"])]
#[case::long("2011-11-24-22:42:04.388,2,127251,36,255,1786,ff", &["bad_frame"])]
#[case::noise("hello", &["not_a_frame"])]
fn canboat(#[case] line: &str, #[case] expected: &[&str]) {
    assert_eq!(read(Format::Canboat, &[line.as_bytes(), b"\n"]), expected);
}

#[rstest]
#[case("A000159.990 CCFF7 0FF63 3B9F0000", &["7,65379,204,255:3B9F0000"])]
#[case::empty("A000159.990 CCFF7 0FF63", &["7,65379,204,255:"])]
#[case::odd("A000159.990 CCFF7 0FF63 3B9", &["bad_frame"])]
#[case::fields("A000159.990 CCF7 0FF63 3B", &["bad_frame"])]
#[case::noise("$GPRMC,1", &["not_a_frame"])]
fn actisense_ascii(#[case] line: &str, #[case] expected: &[&str]) {
    assert_eq!(read(Format::ActisenseAscii, &[line.as_bytes(), b"\n"]), expected);
}

#[rstest]
#[case::v1("     1)         2.7  Rx     09F11324  8  53 84 9E 01 00 FF FF FF ", &["09F11324#53849E0100FFFFFF"])]
#[case::v1_3("     1)      1059.9 1  Rx        0300 -  2    00 04", &["300#0004"])]
#[case::v2("      1      1059.900 DT     0300 Rx 1  04", &["300#04"])]
#[case::remote("      1      1059.900 RR     0300 Rx 1", &["remote_frame"])]
#[case::comment(";$FILEVERSION=1.1", &[])]
#[case::warning("     2)       100.0  Warng  FFFFFFFF  4  00 00 00 08  BUSLIGHT", &["error_frame"])]
#[case::short("     1)         2.7  Rx     09F11324  8  53 84", &["bad_frame"])]
fn pcan_view(#[case] line: &str, #[case] expected: &[&str]) {
    assert_eq!(read(Format::PcanView, &[line.as_bytes(), b"\n"]), expected);
}

/// Puts a checksum behind a BST message, doubles its DLEs and sets the frame around it.
fn bst(message: &[u8]) -> Vec<u8> {
    let sum = message.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    let inside = message.iter().copied().chain([0u8.wrapping_sub(sum)]);
    let doubled = inside.flat_map(|byte| std::iter::repeat_n(byte, if byte == 0x10 { 2 } else { 1 }));
    [0x10, 2].into_iter().chain(doubled).chain([0x10, 3]).collect()
}

/// BST-93: PGN 127250 from 36, with a DLE in its payload.
const HEADING: &[u8] = &[0x93, 19, 2, 0x12, 0xF1, 1, 255, 36, 1, 2, 3, 4, 8, 0x10, 2, 0x7F, 0, 0, 0xBA, 2, 0xFD];
const HEADING_TEXT: &str = "2,127250,36,255:10027F0000BA02FD";

#[test]
fn actisense_binary() {
    let raw = bst(&[0x95, 8, 0, 0, 0x24, 0x12, 0xF1, 0x89, 0xAA, 0xBB]);
    let long = bst(&[0xD0, 15, 0, 255, 0x24, 0x12, 0xF1, 0x09, 0, 0, 0, 0, 0, 0xAA, 0xBB]);
    let stream = [bst(HEADING), b"noise".to_vec(), raw, long, bst(&[0xA0, 1, 0x41])].concat();
    let expected = [HEADING_TEXT, "not_a_frame", "09F11224#AABB", "2,127250,36,255:AABB", "gateway_message"];
    assert_eq!(read(Format::ActisenseBinary, &[&stream]), expected);
}

#[test]
fn a_damaged_binary_stream_is_in_step_again_with_the_next_message() {
    let good = bst(HEADING);
    let mut wrong = good.clone();
    wrong[8] ^= 1;
    let stream = [&wrong[..], &good[..9], &good, b"\x10\x02", &[b'x'; 5_000], &good, &good[..9]].concat();
    let expected = ["bad_checksum", "cut", HEADING_TEXT, "too_long", HEADING_TEXT, "cut"];
    assert_eq!(read(Format::ActisenseBinary, &[&stream]), expected);
}

#[test]
fn a_log_dates_its_messages_and_hides_no_escape() {
    let time = b"\x1b\x01\x03\x90\xe3\xc8\x3a\x04\xb6\xdb\x01\x1b\x0a";
    let stream: Vec<u8> = bst(&[0x95, 7, 0, 0, 0x24, 0x12, 0xF1, 0x09, 0x1B])
        .into_iter()
        .flat_map(|byte| std::iter::repeat_n(byte, if byte == 0x1B { 2 } else { 1 }))
        .collect();
    let log = [time, &stream[..]].concat();
    assert_eq!(read(Format::ActisenseLog, &[&log]), ["09F11224#1B 2025-04-25T17:05:21.993Z"]);
}

#[rstest]
#[case(b"# x\n(1436509053.762905) can0 123#00\n", Some(Format::Candump))]
#[case(b"  can0  0CF00300   [1]  FC\n", Some(Format::Candump))]
#[case(b"rubbish\r\n21:55:35.425 R 15FD0723 FF\r\n", Some(Format::YachtDevices))]
#[case(b"A000159.990 CCFF7 0FF63 3B9F\n", Some(Format::ActisenseAscii))]
#[case(b"2011-11-24-22:42:04.388,2,127251,36,255,1,7d\n", Some(Format::Canboat))]
#[case(b";$FILEVERSION=1.1\n     1)    2.7  Rx     09F11324  1  53\n", Some(Format::PcanView))]
#[case(b"\x10\x02\x93", Some(Format::ActisenseBinary))]
#[case(b"\x1b\x01\x03", Some(Format::ActisenseLog))]
#[case(b"$GPGLL,5000.0,N,00400.0,W,120000,A*3A\r\n", None)]
fn a_format_is_known_by_its_first_lines(#[case] head: &[u8], #[case] expected: Option<Format>) {
    assert_eq!(Format::detect(head), expected);
}

#[test]
fn an_endless_line_is_dropped_once_and_the_next_one_found() {
    let long = [&vec![b'x'; 20_000][..], b"\n21:55:35.425 R 15FD0723 FF\n21:5"].concat();
    let expected = ["too_long", "15FD0723#FF", "cut"];
    assert_eq!(read(Format::YachtDevices, &[&long]), expected);
    assert_eq!(read(Format::YachtDevices, &long.chunks(999).collect::<Vec<_>>()), expected);
}

/// Pieces of every format, and any bytes between them.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        b"(1436509053.762905) can0 123#00112233\n".to_vec(),
        b"  can0  0CF00300   [8]  FC 00".to_vec(),
        b"21:55:35.425 R 15FD0723 FF\r\n".to_vec(),
        b"2011-11-24-22:42:04.388,2,127251,36,255,8,7d,0b\n".to_vec(),
        b"A000159.990 CCFF7 0FF63 3B9F\n".to_vec(),
        b"1) 2.7 Rx 09F11324 1 53\n".to_vec(),
        bst(HEADING),
        b"\x1b\x01\x03\x90\xe3\xc8\x3a\x04\xb6\xdb\x01\x1b\x0a".to_vec(),
        vec![0x10, 0x02],
        vec![0x1B],
    ]);
    let piece = prop_oneof![known, proptest::collection::vec(any::<u8>(), 0..20)];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_cut_of_the_stream_does_not_matter(
        bytes in pieces(),
        size in 1usize..60,
        format in prop::sample::select(&Format::ALL[..]),
    ) {
        let whole = read(format, &[&bytes]);
        prop_assert_eq!(read(format, &bytes.chunks(size).collect::<Vec<_>>()), whole);
        let _ = Format::detect(&bytes);
    }
}
