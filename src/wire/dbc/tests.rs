//! DBC files read, refused, and run over frames.

use super::*;
use crate::reading::{Quality, Value};
use crate::wire::can::testing::{Counting, PassedOver};
use crate::wire::can::{Frame, FrameDecoder};
use proptest::prelude::*;
use rstest::rstest;
use std::sync::Arc;

const BATTERY: &str = include_str!("../../../configs/dbc/battery-monitor.dbc");

/// Runs one frame and gives the readings as `path = value unit quality`.
fn run(map: Map, frame: Frame) -> (Vec<String>, Counting) {
    let (mut decoder, mut sink) = (Decoder::new(Arc::new(map)), Counting::default());
    decoder.frame(&frame, 0, &mut sink);
    let text = |value: &Value| match value {
        Value::Float(number) => format!("{number:.4}"),
        other => other.to_json().to_string(),
    };
    let line = |d: &crate::wire::Decoded| {
        format!("{} = {} {} {}", d.path, text(&d.value), d.unit.unwrap_or("?"), d.quality.name())
    };
    (sink.readings.iter().map(line).collect(), sink)
}

fn battery(frame: Option<Frame>) -> Vec<String> {
    let (lines, sink) = run(Map::parse(BATTERY).unwrap(), frame.unwrap());
    assert_eq!(sink.dropped, []);
    lines
}

#[test]
fn intel_signals_become_si_on_their_paths() {
    let lines = battery(Frame::standard(773, &[0x40, 0x05, 0x9C, 0xFF, 160, 65, 0x12, 0]));
    let expected = [
        "electrical.batteries.house.voltage = 13.4400 V good",
        "electrical.batteries.house.current = -10.0000 A good",
        "electrical.batteries.house.capacity.stateOfCharge = 0.8000 ratio good",
        "electrical.batteries.house.temperature = 298.1500 K good",
        "sensors.Battery.State = \"discharging\"  good",
        "sensors.Battery.ContactorClosed = true  good",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_no_value_says_why() {
    let lines = battery(Frame::standard(773, &[0xFF, 0xFF, 0xFF, 0x7F, 201, 255, 0x0F, 0]));
    let expected = [
        "electrical.batteries.house.voltage = null V out_of_range",
        "electrical.batteries.house.current = null A out_of_range",
        "electrical.batteries.house.capacity.stateOfCharge = null ratio out_of_range",
        "electrical.batteries.house.temperature = null K not_available",
        "sensors.Battery.State = 15  good",
        "sensors.Battery.ContactorClosed = false  good",
    ];
    assert_eq!(lines, expected);
    let error = battery(Frame::standard(773, &[0, 0, 0, 0, 0, 254, 0, 0]));
    assert_eq!(error[3], "electrical.batteries.house.temperature = null K out_of_range");
}

#[test]
fn motorola_signals_are_there_when_their_multiplexor_says_so() {
    let cells = "sensors.Cells.";
    assert_eq!(
        battery(Frame::standard(774, &[0, 0x0D, 0x05, 0x0C, 0xE4, 0, 0, 0])),
        [
            format!("{cells}Group = 0  good"),
            format!("{cells}CellVoltage1 = 3.3330 V good"),
            format!("{cells}CellVoltage2 = 3.3000 V good"),
        ]
    );
    assert_eq!(
        battery(Frame::standard(774, &[1, 0x0D, 0x05, 0, 0, 0, 0, 0])),
        [format!("{cells}Group = 1  good"), format!("{cells}CellVoltage3 = 3.3330 V good")]
    );
}

#[test]
fn floats_and_29_bit_identifiers() {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&1_500.0f32.to_le_bytes());
    data[4..6].copy_from_slice(&(-1_234i16).to_be_bytes());
    assert_eq!(
        battery(Frame::extended(2_566_904_097 & 0x1FFF_FFFF, &data)),
        ["propulsion.0.revolutions = 25.0000 Hz good", "sensors.Motor.Torque = -123.4000 Nm good"]
    );
    data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let nan = battery(Frame::extended(2_566_904_097 & 0x1FFF_FFFF, &data));
    assert_eq!(nan[0], "propulsion.0.revolutions = null Hz out_of_range");
}

#[test]
fn short_and_unknown_frames_are_counted() {
    let (lines, sink) = run(Map::parse(BATTERY).unwrap(), Frame::standard(773, &[0x40, 0x05]).unwrap());
    assert_eq!((lines.len(), &sink.dropped[..]), (1, &[(REASON_SHORT, 1)][..]));
    let (lines, sink) = run(Map::parse(BATTERY).unwrap(), Frame::extended(773, &[0; 8]).unwrap());
    assert_eq!((lines.len(), &sink.dropped[..]), (0, &[(REASON_UNKNOWN, 1)][..]));
    let (mut decoder, mut sink) = (Decoder::new(Arc::new(Map::parse(BATTERY).unwrap())), PassedOver::default());
    decoder.frame(&Frame::extended(773, &[0; 8]).unwrap(), 0, &mut sink);
    assert_eq!(sink.0, [REASON_UNKNOWN], "nobody's fault");
}

/// A DBC with these lines behind its head.
fn dbc(lines: &str) -> String {
    format!("VERSION \"\"\nNS_ :\nBS_:\nBU_: A\n{lines}\n")
}

#[test]
fn a_j1939_dbc_finds_its_messages_by_pgn_and_from_any_source() {
    // EEC1 with 254 as its source, and a message of 10 bytes that comes by transport protocol.
    let text = dbc(concat!(
        "BO_ 2364540158 EEC1: 8 A\n SG_ EngineSpeed : 24|16@1+ (0.125,0) [0|8031.875] \"rpm\" A\n",
        "BO_ 2566834430 Long: 10 A\n SG_ Last : 72|8@1+ (1,0) [0|250] \"V\" A\n",
        "BA_DEF_ \"ProtocolType\" STRING ;\nBA_DEF_DEF_ \"ProtocolType\" \"\";\nBA_ \"ProtocolType\" \"J1939\";",
    ));
    let map = || Map::parse(&text).unwrap();
    assert!(map().by_pgn());
    let eec1 = |data| run(map(), Frame::extended(0x0CF0_0417, data).unwrap()).0;
    assert_eq!(eec1(&[0, 0, 0, 0x40, 0x1F, 0, 0, 0]), ["sensors.EEC1.EngineSpeed = 16.6667 Hz good"]);
    assert_eq!(eec1(&[0xFF; 8]), ["sensors.EEC1.EngineSpeed = null Hz not_available"]);
    assert_eq!(eec1(&[0, 0, 0, 0, 0xFE, 0, 0, 0]), ["sensors.EEC1.EngineSpeed = null Hz out_of_range"]);

    let (mut decoder, mut sink) = (Decoder::new(Arc::new(map())), Counting::default());
    let pgn = crate::wire::can::Identifier::parse(2_566_834_430 & 0x1FFF_FFFF).pgn.to_le_bytes();
    let announce = [32, 10, 0, 2, 255, pgn[0], pgn[1], pgn[2]];
    let packets = [[1, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 12, 255, 255, 255, 255]];
    decoder.frame(&Frame::extended(0x1CEC_FF05, &announce).unwrap(), 0, &mut sink);
    for packet in packets {
        decoder.frame(&Frame::extended(0x1CEB_FF05, &packet).unwrap(), 0, &mut sink);
    }
    assert_eq!(sink.readings[0].value, Value::Float(12.0));
    assert_eq!(decoder.sources()[0].function, "Long");
    let exact = Map::parse_with(&text, &Options { by_pgn: Some(false), ..Options::default() }).unwrap();
    assert!(exact.message(0x0CF0_0417, true).is_none());
}

#[test]
fn multiplexors_stand_below_each_other() {
    let text = dbc(concat!(
        "BO_ 100 Deep: 4 A\n",
        " SG_ Top M : 0|8@1+ (1,0) [0|0] \"\" A\n",
        " SG_ Below m1M : 8|8@1+ (1,0) [0|0] \"\" A\n",
        " SG_ Leaf m2 : 16|8@1+ (1,0) [0|0] \"V\" A\n\n",
        "SG_MUL_VAL_ 100 Below Top 1-1;\nSG_MUL_VAL_ 100 Leaf Below 2-3, 7-7;",
    ));
    let lines = |data| run(Map::parse(&text).unwrap(), Frame::standard(100, data).unwrap()).0;
    assert_eq!(lines(&[1, 7, 9, 0]).last().unwrap(), "sensors.Deep.Leaf = 9.0000 V good");
    assert_eq!(lines(&[1, 4, 9, 0]).len(), 2);
    assert_eq!(lines(&[0, 7, 9, 0]).len(), 1, "its multiplexor is not there itself");
}

#[test]
fn options_give_paths_and_know_their_signals() {
    let paths =
        |name: &str, path: &str| Options { paths: [(name.to_owned(), path.to_owned())].into(), ..Options::default() };
    let map = Map::parse_with(BATTERY, &paths("Motor.Torque", "propulsion.0.torque")).unwrap();
    let torque = &map.message(2_566_904_097 & 0x1FFF_FFFF, true).unwrap().signals()[1];
    assert_eq!((torque.path(), torque.unit(), torque.name()), ("propulsion.0.torque", "Nm", "Torque"));
    let error = Map::parse_with(BATTERY, &paths("Motor.Torq", "a.b")).unwrap_err();
    assert_eq!(error, DbcError::NoSuchSignal("Motor.Torq".to_owned()));
    let error = Map::parse_with(BATTERY, &paths("Motor.Torque", "a b")).unwrap_err().to_string();
    assert_eq!(error, "line 31: signal `Motor.Torque`: `a b` is no path like `propulsion.1.revolutions`");
    let same = ["Motor.Torque", "Motor.Speed"].map(|name| (name.to_owned(), "propulsion.0.torque".to_owned()));
    let error = Map::parse_with(BATTERY, &Options { paths: same.into(), ..Options::default() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 31: signal `Motor.Torque`: line 30, signal `Speed`, has its path `propulsion.0.torque`; each needs \
         its own"
    );
}

#[rstest]
#[case::syntax("BO_ 100 A: 8 A\n SG_ S : 0|8@1+ (1,0 [0|0] \"\" A", "line 6: expected")]
#[case::empty("", "no message: a DBC describes frames as")]
#[case::identifier(
    "BO_ 5000 A: 8 A",
    "line 5: message `A`: identifier 5000 has more than 11 bits; one of 29 bits is \
    written with bit 31 set, as 2147488648"
)]
#[case::twice("BO_ 5 A: 8 A\n\nBO_ 5 B: 8 A", "line 7: message `B` has the identifier of `A`; one of them can stay")]
#[case::width(
    "BO_ 5 A: 8 A\n SG_ S : 0|65@1+ (1,0) [0|0] \"\" A",
    "line 6: signal `A.S`: 65 bits; it can have 1 to 64"
)]
#[case::end("BO_ 5 A: 2 A\n SG_ S : 8|9@1+ (1,0) [0|0] \"\" A", "line 6: signal `A.S`: it ends behind byte 3 and")]
#[case::float("BO_ 5 A: 8 A\n SG_ S : 0|16@1+ (1,0) [0|0] \"\" A\n\nSIG_VALTYPE_ 5 S : 1;", "a float of 16 bits")]
#[case::circle("BO_ 5 A: 8 A\n SG_ S m0M : 0|8@1+ (1,0) [0|0] \"\" A\n\nSG_MUL_VAL_ 5 S S 0-0;", "round in a circle")]
#[case::orphan("BO_ 5 A: 8 A\n SG_ S m0 : 0|8@1+ (1,0) [0|0] \"\" A", "its multiplexor is missing")]
fn a_wrong_dbc_is_refused_with_its_line(#[case] lines: &str, #[case] expected: &str) {
    let error = Map::parse(&dbc(lines)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_dbc_in_latin_1_keeps_its_degrees() {
    assert_eq!(text_of(b"\"\xB0C\""), "\"\u{b0}C\"");
    assert_eq!(text_of("\u{feff}\u{b0}".as_bytes()), "\u{b0}");
}

proptest! {
    /// Bits where the plan says, found by walking them one by one as the format describes.
    #[test]
    fn bits_are_where_the_dbc_puts_them(
        start in 0u64..64, width in 1u64..=64, big in any::<bool>(), payload in any::<[u8; 8]>(),
    ) {
        let mut expected = Some(0u64);
        let mut at = start;
        for nth in 0..width {
            let bit = payload.get((at / 8) as usize).map(|byte| u64::from(byte >> (at % 8) & 1));
            expected = expected.zip(bit).map(|(sum, bit)| if big { sum << 1 | bit } else { sum | bit << nth });
            at = if !big { at + 1 } else if at % 8 == 0 { at + 15 } else { at - 1 };
        }
        prop_assert_eq!(plan::Bits::new(start, width, big).unwrap().read(&payload), expected);
    }

    #[test]
    fn any_text_and_any_frame_are_taken(
        text in "[ -~\n]{0,300}", id in any::<u32>(), data in any::<[u8; 8]>(), n in 0usize..9,
    ) {
        let _ = Map::parse(&text);
        let _ = Map::parse(&dbc(&text));
        for frame in [Frame::standard(773 + id % 2, &data[..n]), Frame::extended(id & 0x1FFF_FFFF, &data[..n])] {
            let (_, sink) = run(Map::parse(BATTERY).unwrap(), frame.unwrap());
            for reading in sink.readings {
                prop_assert_eq!(reading.quality == Quality::Good, reading.value != Value::Absent);
            }
        }
    }
}
