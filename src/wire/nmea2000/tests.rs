//! The decoder, from outside and against canboat's own.

use canboat::{Database, FieldValue, Frame as Whole, Units};
use proptest::prelude::*;

use super::field::{Found, clean};
use super::plan::plan;
use super::{
    Decoder, REASON_NO_INSTANCE, REASON_NO_STATION, REASON_SHORT, REASON_STANDARD_FRAME, REASON_UNSUPPORTED, raw_json,
};
use super::{Path, Take, table};
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};
use crate::wire::can::{Frame, FrameDecoder, Identifier, Message};
use crate::wire::notification::{AlarmState, Notification};
use crate::wire::{Decoded, Sink, Source, unit};

/// What a sink was told.
#[derive(Default)]
struct Told {
    messages: u64,
    readings: Vec<Decoded>,
    dropped: Vec<(&'static str, u64)>,
}

impl Sink for Told {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        self.readings.append(readings);
    }
    fn dropped(&mut self, reason: &'static str, count: u64, _why: &dyn std::fmt::Display, _near: &[u8]) {
        self.dropped.push((reason, count));
    }
}

fn identifier(pgn: u32, source: u8) -> Identifier {
    Identifier { priority: 6, pgn, source, destination: 255 }
}

fn hear(decoder: &mut Decoder, pgn: u32, payload: &[u8]) -> Told {
    let mut told = Told::default();
    decoder.message(&Message { identifier: identifier(pgn, 35), payload, at: None }, 0, &mut told);
    assert_eq!(told.messages, 1);
    told
}

/// Path, instance, value and quality of what one message says.
fn readings(pgn: u32, payload: &[u8]) -> Vec<(String, String, Value, Quality)> {
    let told = hear(&mut Decoder::new(), pgn, payload);
    assert_eq!(told.dropped, [], "PGN {pgn}");
    told.readings.into_iter().map(|r| (r.path.into_owned(), r.instance.into_owned(), r.value, r.quality)).collect()
}

fn float(path: &str, value: f64) -> (String, String, Value, Quality) {
    (path.to_owned(), String::new(), Value::Float(value), Quality::Good)
}

fn whole(path: &str, value: Value) -> (String, String, Value, Quality) {
    (path.to_owned(), String::new(), value, Quality::Good)
}

fn absent(path: &str, quality: Quality) -> (String, String, Value, Quality) {
    (path.to_owned(), String::new(), Value::Absent, quality)
}

#[test]
fn values_are_si_and_absence_is_one() {
    // 3.60 m, offset -0.5 m to the keel.
    assert_eq!(
        readings(128_267, &[0, 0x68, 1, 0, 0, 0x0C, 0xFE, 0xFF]),
        [
            float("environment.depth.belowTransducer", 360.0 * 0.01),
            float("environment.depth.transducerToKeel", 0.5),
            float("environment.depth.belowKeel", 360.0 * 0.01 - 0.5),
        ]
    );
    let depth = "environment.depth.belowTransducer";
    let none = [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF];
    assert_eq!(readings(128_267, &none), [absent(depth, Quality::NotAvailable)]);
    let beyond = [0, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF];
    assert_eq!(readings(128_267, &beyond), [absent(depth, Quality::OutOfRange)]);
    let reserved = [0, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF];
    assert_eq!(readings(128_267, &reserved), [absent(depth, Quality::OutOfRange)]);
    let told = hear(&mut Decoder::new(), 128_267, &[0, 0x68]);
    assert_eq!(
        (told.readings.len(), told.dropped.as_slice()),
        (0, &[(REASON_SHORT, 1)][..]),
        "it ends inside the depth"
    );
    // A latitude of -111.1 degrees is none.
    let latitude = (-1_111_000_000_i32).to_le_bytes();
    let position = [latitude, [0; 4]].concat();
    assert_eq!(readings(129_025, &position), [absent("navigation.position", Quality::OutOfRange)]);
}

#[test]
fn an_enumeration_chooses_the_path() {
    let heading = |reference| readings(127_250, &[0, 0x10, 0x27, 0xFF, 0x7F, 0xFF, 0x7F, reference]);
    assert_eq!(heading(0xFC), [float("navigation.headingTrue", 1.0)]);
    assert_eq!(heading(0xFD), [float("navigation.headingMagnetic", 1.0)]);
    assert_eq!(heading(0xFF), []);
    // 5.00 m/s from 6 rad: 0.2832 rad to port.
    let wind = |reference| readings(130_306, &[0, 0xF4, 1, 0x60, 0xEA, reference, 0xFF, 0xFF]);
    let port = 60_000.0 * 0.0001 - std::f64::consts::TAU;
    assert_eq!(
        wind(0xFA),
        [float("environment.wind.speedApparent", 5.0), float("environment.wind.angleApparent", port)]
    );
    assert_eq!(wind(0xFC), [float("environment.wind.speedTrue", 5.0), float("environment.wind.angleTrueWater", port)]);
    assert_eq!(
        wind(0xF8),
        [float("environment.wind.speedOverGround", 5.0), float("environment.wind.directionTrue", 6.0)]
    );
}

#[test]
fn an_instance_is_in_the_path_or_beside_it() {
    // 1,800 revolutions a minute of engine 1, which are 30 a second.
    let engine = readings(127_488, &[1, 0x20, 0x1C, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF]);
    assert_eq!(engine.len(), 1);
    assert_eq!((engine[0].0.as_str(), engine[0].1.as_str()), ("propulsion.1.revolutions", ""));
    assert!(matches!(engine[0].2, Value::Float(hz) if (hz - 30.0).abs() < 1e-9));
    // Fresh water, tank 2, 50 % of 100 l.
    let tank = readings(127_505, &[0x12, 0xD4, 0x30, 0xE8, 3, 0, 0, 0xFF]);
    assert_eq!(
        tank,
        [float("tanks.freshWater.2.currentLevel", 12_500.0 * 4e-5), float("tanks.freshWater.2.capacity", 0.1)]
    );
    let rudder = |instance| readings(127_245, &[instance, 0xFF, 0xFF, 0x7F, 0x10, 0x27, 0xFF, 0xFF]);
    assert_eq!(rudder(0), [float("steering.rudderAngle", 1.0)]);
    assert_eq!(rudder(1)[0].1, "1");
    assert_eq!(rudder(255), rudder(0), "a rudder that is alone");
    let told = hear(&mut Decoder::new(), 127_508, &[0xFF, 0xB0, 4, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
    assert_eq!((told.readings.len(), told.dropped.as_slice()), (0, &[(REASON_NO_INSTANCE, 1)][..]));
    assert_eq!(
        readings(127_508, &[252, 0xB0, 4, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])[0].0,
        "electrical.batteries.252.voltage"
    );
}

#[test]
fn switches_and_words() {
    // Bank 3: the first is on, the second off, the third failed, the others are not there.
    let bank = readings(127_501, &[3, 0b1110_0001, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    let state = |number: u8, on| whole(&format!("electrical.switches.bank.3.{number}.state"), Value::Bool(on));
    assert_eq!(bank, [state(1, true), state(2, false)]);
    assert_eq!(
        readings(127_493, &[0, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        [whole("propulsion.0.transmission.gear", Value::text("Neutral"))]
    );
}

#[test]
fn each_line_of_an_ac_input_has_its_phase() {
    let line = |line: u8| {
        let (volts, amperes) = (23_000_u16.to_le_bytes(), 55_u16.to_le_bytes());
        let mut bytes = [&[0xFC | line][..], &volts, &amperes, &[0xFF; 12], &[0x7F]].concat();
        bytes[5..7].copy_from_slice(&5_000_u16.to_le_bytes());
        bytes
    };
    let paths: Vec<String> =
        readings(127_503, &[&[1, 2][..], &line(0), &line(1)].concat()).into_iter().map(|reading| reading.0).collect();
    let leaves = ["lineNeutralVoltage", "current", "frequency"];
    let expected = ["A", "B"].map(|phase| leaves.map(|leaf| format!("electrical.ac.input1.phase.{phase}.{leaf}")));
    assert_eq!(paths, expected.concat());
}

#[test]
fn a_receiver_tells_when_its_position_was_measured() {
    // 2021-07-29, day 18837; 09:00:42.3860; 53 degrees north, 5 east; GPS, GNSS fix, no differential stations.
    let day = 18_837_u16.to_le_bytes();
    let time = 324_423_860_u32.to_le_bytes();
    let [north, east] = [53, 5].map(|degrees: i64| (degrees * 10_i64.pow(16)).to_le_bytes());
    let rest = [0x10, 0xFC, 9, 100, 0, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0];
    let payload = [&[0][..], &day, &time, &north, &east, &i64::MAX.to_le_bytes(), &rest].concat();
    let told = hear(&mut Decoder::new(), 129_029, &payload);
    let at = Stamp::parse("2021-07-29T09:00:42.386Z").unwrap();
    assert!(told.readings.iter().all(|reading| reading.observed_at == Some(at)));
    let found = |path: &str| told.readings.iter().find(|r| r.path == path).map(|r| r.value.clone());
    assert_eq!(found("navigation.datetime"), Some(Value::text("2021-07-29T09:00:42.386Z")));
    assert_eq!(found("navigation.position"), Some(Value::Position { latitude: 53.0, longitude: 5.0 }));
    assert_eq!(found("navigation.gnss.methodQuality"), Some(Value::text("GNSS Fix")));
    assert_eq!(found("navigation.gnss.satellites"), Some(Value::Integer(9)));
    assert_eq!(found("navigation.gnss.differentialAge"), None);
}

/// Found by fuzzing: 32 bits of 1e-7 degrees reach to 214.
#[test]
fn a_position_off_the_earth_is_out_of_range() {
    let position = |latitude: i32, longitude: i32| {
        readings(129_025, &[latitude.to_le_bytes(), longitude.to_le_bytes()].concat()).remove(0)
    };
    let path = "navigation.position";
    let pole = Value::Position { latitude: -90.0, longitude: 180.0 };
    assert_eq!(position(-900_000_000, 1_800_000_000), whole(path, pole));
    for (latitude, longitude) in [(900_000_001, 0), (-900_000_001, 0), (0, 1_800_000_001), (0, -1_800_000_001)] {
        let none = (path.to_owned(), String::new(), Value::Absent, Quality::OutOfRange);
        assert_eq!(position(latitude, longitude), none, "{latitude} {longitude}");
    }
}

#[test]
fn each_satellite_is_an_instance() {
    // Two of three: the third is cut off.
    let one =
        |prn: u8| [&[prn][..], &[0x10, 0x27, 0x20, 0x4E, 0xAC, 0x0D], &[0xFF, 0xFF, 0xFF, 0x7F], &[0xF2]].concat();
    let told = readings(129_540, &[&[0, 0xFF, 3][..], &one(5), &one(65), &[7]].concat());
    let expected = ["GP5", "GL65"].map(|prn| {
        [("elevation", 1.0), ("azimuth", 2.0), ("signalToNoise", 35.0)].map(|(leaf, value)| {
            let (path, instance) = (format!("navigation.gnss.satellite.{leaf}"), prn.to_owned());
            (path, instance, Value::Float(value), Quality::Good)
        })
    });
    let in_view = whole("navigation.gnss.satellitesInView", Value::Integer(3));
    assert_eq!(told, [&expected.concat()[..], &[in_view]].concat());
}

/// PGN 129038 of a vessel under way, heard through `transceiver`.
fn class_a(transceiver: u8) -> Vec<u8> {
    let mmsi = 244_660_000_u32.to_le_bytes();
    let [east, north] = [50_000_000_i32, 530_000_000].map(i32::to_le_bytes);
    let moving = [0x10, 0x27, 0xF4, 1];
    let rest = [0, 0, transceiver << 3, 0xFF, 0xFF, 0xFF, 0x7F, 0xF0, 0xFF, 0xFF];
    [&[1][..], &mmsi, &east, &north, &[0], &moving, &rest].concat()
}

#[test]
fn an_ais_target_is_not_the_own_ship() {
    let told = hear(&mut Decoder::new(), 129_038, &class_a(0));
    assert!(told.readings.iter().all(|reading| reading.context == Context::Vessel(244_660_000)));
    let paths: Vec<&str> = told.readings.iter().map(|reading| &*reading.path).collect();
    let expected = ["position", "speedOverGround", "courseOverGroundTrue", "state"];
    assert_eq!(paths, expected.map(|leaf| format!("navigation.{leaf}")));
    for own in 2..=4 {
        assert_eq!(hear(&mut Decoder::new(), 129_038, &class_a(own)).readings, [], "the own transceiver's words");
    }
    let mut nobody = class_a(0);
    nobody[1..5].fill(0xFF);
    assert_eq!(hear(&mut Decoder::new(), 129_038, &nobody).dropped, [(REASON_NO_STATION, 1)]);
}

#[test]
fn a_ships_static_data_is_read() {
    let kind = [70];
    let size = [1_000_u16, 200, 50, 300].map(u16::to_le_bytes).concat();
    let payload = [
        &[5][..],
        &244_660_000_u32.to_le_bytes(),
        &9_074_729_u32.to_le_bytes(),
        b"PE1234@",
        b"SHIP@@@@@@@@@@@@@@@@",
        &kind,
        &size,
        // 2021-07-29, 09:00.
        &18_837_u16.to_le_bytes(),
        &324_000_000_u32.to_le_bytes(),
        &650_u16.to_le_bytes(),
        b"ROTTERDAM           ",
        &[0, 0, 0, 0xFF],
    ]
    .concat();
    let told = hear(&mut Decoder::new(), 129_794, &payload);
    let found = |path: &str| told.readings.iter().find(|r| r.path == path).map(|r| r.value.clone()).unwrap();
    assert_eq!(found("name"), Value::text("SHIP"));
    assert_eq!(found("communication.callsignVhf"), Value::text("PE1234"));
    assert_eq!(found("registrations.imo"), Value::text("IMO 9074729"));
    assert_eq!(found("design.aisShipType"), Value::Integer(70));
    assert_eq!(found("design.length.overall"), Value::Float(100.0));
    assert_eq!(found("sensors.ais.fromBow"), Value::Float(30.0));
    assert_eq!(found("sensors.ais.fromCenter"), Value::Float(5.0));
    assert_eq!(found("design.draft.current"), Value::Float(6.5));
    assert_eq!(found("navigation.destination.commonName"), Value::text("ROTTERDAM"));
    assert_eq!(found("navigation.destination.eta"), Value::text("07-29T09:00Z"), "as NMEA 0183 gives it");
}

#[test]
fn an_alert_has_the_words_that_came_before_it() {
    let head = [0x02, 7, 3, 0x34, 0x12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 1];
    let alert = |state| [&head[..], &[0], &[0xFF; 8], &[0xFF, 0xFF, state]].concat();
    let mut decoder = Decoder::new();
    let told = |decoder: &mut Decoder, state| {
        let reading = hear(decoder, 126_983, &alert(state)).readings.remove(0);
        assert_eq!((&*reading.path, &*reading.instance), ("notifications.alert", "7.3.4660"));
        Notification::from_value(&reading.value).unwrap()
    };
    assert_eq!(told(&mut decoder, 2).message, "alert 4660 of system 7.3");
    let text = [&head[..], &[0], b"\x0a\x01Low fuel", b"\x02\x01"].concat();
    assert_eq!(hear(&mut decoder, 126_985, &text).readings, []);
    let active = told(&mut decoder, 2);
    assert_eq!((active.state, active.message.as_str()), (AlarmState::Alarm, "Low fuel"));
    assert_eq!(told(&mut decoder, 4).acknowledged, Some(true));
    assert_eq!(told(&mut decoder, 1).state, AlarmState::Normal);
    for incomplete in [&alert(0xFF)[..], &alert(2)[..27], &head[..4]] {
        let told = hear(&mut decoder, 126_983, incomplete);
        assert_eq!((told.readings, told.dropped), (Vec::new(), vec![("incomplete_alert", 1)]));
    }
}

#[test]
fn an_engine_that_gets_a_name_ends_its_complaints_under_the_address() {
    let mut decoder = Decoder::new();
    let gearbox = [1, 0, 0, 0, 0, 0, 4, 0xFF];
    let alarms = |told: Told| {
        let alarm = |r: &Decoded| Some((r.source, Notification::from_value(&r.value)?.state));
        let bad = told.readings.iter().filter(|r| r.path.ends_with("lowOilPressure"));
        bad.filter_map(alarm).collect::<Vec<_>>()
    };
    assert_eq!(alarms(hear(&mut decoder, 127_493, &gearbox)), [(Source::Address(35), AlarmState::Alarm)]);
    let claim = hear(&mut decoder, 60_928, &7_u64.to_le_bytes());
    assert_eq!(alarms(claim), [(Source::Address(35), AlarmState::Normal)]);
    assert_eq!(alarms(hear(&mut decoder, 127_493, &gearbox)), [(Source::Name(7), AlarmState::Alarm)]);
    let replaced = hear(&mut decoder, 60_928, &8_u64.to_le_bytes());
    assert_eq!(alarms(replaced), [(Source::Name(7), AlarmState::Normal)]);
}

#[test]
fn an_alert_ends_with_its_devices_name_and_the_words_go_along() {
    let mut decoder = Decoder::new();
    let head = [0x02, 7, 3, 0x34, 0x12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 1];
    let mut active = [&head[..], &[0], &[0xFF; 8], &[0xFF, 0xFF, 2]].concat();
    let text = [&head[..], &[0], b"\x0a\x01Low fuel", b"\x02\x01"].concat();
    let mut alerts = |pgn, payload: &[u8]| {
        let alert = |r: &Decoded| {
            let told = Notification::from_value(&r.value).unwrap();
            (r.source, told.state, told.message)
        };
        hear(&mut decoder, pgn, payload).readings.iter().map(alert).collect::<Vec<_>>()
    };
    let low = |source, state| [(source, state, "Low fuel".to_owned())];
    alerts(126_985, &text);
    assert_eq!(alerts(126_983, &active), low(Source::Address(35), AlarmState::Alarm));
    assert_eq!(alerts(60_928, &7_u64.to_le_bytes()), low(Source::Address(35), AlarmState::Normal));
    assert_eq!(alerts(126_983, &active), low(Source::Name(7), AlarmState::Alarm));
    assert_eq!(alerts(60_928, &8_u64.to_le_bytes()), low(Source::Name(7), AlarmState::Normal));
    for id in 0..200 {
        active[3] = id;
        alerts(126_983, &active);
    }
    assert_eq!(alerts(60_928, &9_u64.to_le_bytes()).len(), 128, "those of last");
    *active.last_mut().unwrap() = 1;
    alerts(126_983, &active);
    assert_eq!(alerts(60_928, &10_u64.to_le_bytes()), [], "it is normal");
}

#[test]
fn a_source_is_its_name_and_half_a_message_is_not_inherited() {
    let mut decoder = Decoder::new();
    let mut told = Told::default();
    let mut hear = |told: &mut Told, pgn, source, data: &[u8]| {
        decoder.frame(&Frame::extended(identifier(pgn, source).encode(), data).unwrap(), 0, told);
    };
    let charger = [[0x40, 13, 1, 0xFF, 0xF5, 0xFD, 0xFF, 0xFF], [0x41, 0, 0, 0, 0, 0, 0, 0]];
    hear(&mut told, 127_508, 35, &[0, 0xB0, 4, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
    assert_eq!(told.readings.pop().unwrap().source, Source::Address(35));
    hear(&mut told, 127_507, 35, &charger[0]);
    hear(&mut told, 60_928, 35, &7_u64.to_le_bytes());
    assert_eq!(told.dropped, [("fast_packet_incomplete", 1)]);
    hear(&mut told, 127_507, 35, &charger[1]);
    assert_eq!(told.dropped.pop(), Some(("fast_packet_without_start", 1)));
    hear(&mut told, 60_928, 40, &7_u64.to_le_bytes());
    for frame in charger {
        hear(&mut told, 127_507, 40, &frame);
    }
    assert!(!told.readings.is_empty() && told.readings.iter().all(|reading| reading.source == Source::Name(7)));
    assert_eq!(decoder.sources()[0].address, Some(40));
    decoder.end(0, &mut told);
    assert_eq!(decoder.sources()[0].address, Some(40), "behind the next connection is the same bus");
}

#[test]
fn what_makes_no_readings_is_counted() {
    let mut decoder = Decoder::new();
    for pgn in [59_904, 126_208, 126_464, 60_928] {
        assert_eq!(hear(&mut decoder, pgn, &[0; 8]).dropped, []);
    }
    assert_eq!(hear(&mut decoder, 65_305, &[0; 8]).dropped, [(REASON_UNSUPPORTED, 1)]);
    let mut told = Told::default();
    decoder.frame(&Frame::standard(0x100, &[1]).unwrap(), 0, &mut told);
    assert_eq!((told.messages, told.dropped.as_slice()), (0, &[(REASON_STANDARD_FRAME, 1)][..]));
}

#[test]
fn raw_shows_every_field() {
    let message =
        Message { identifier: identifier(127_505, 35), payload: &[0x12, 0xD4, 0x30, 0xE8, 3, 0, 0, 0xFF], at: None };
    let json: serde_json::Value = serde_json::from_str(&raw_json(&message).unwrap()).unwrap();
    assert_eq!(json["fields"]["Type"], serde_json::json!({"value": 1, "name": "Water"}));
    assert_eq!((json["pgn"].as_u64(), json["src"].as_u64()), (Some(127_505), Some(35)));
}

#[test]
fn paths_have_the_units_that_canboat_gives_the_fields() {
    let db = Database::embedded(Units::Si);
    for spec in table() {
        for rule in spec.rules {
            let (Take::Number(name) | Take::Turn(name)) = rule.take else { continue };
            let field = db.first_pgn(spec.pgn).unwrap().fields.iter().find(|field| field.name == name).unwrap();
            let expected = field.unit.filter(|unit| *unit != "Cos Phi").unwrap_or("");
            let one = match &rule.path {
                Path::Fixed(path) => &[(0, *path)][..],
                Path::By(_, paths) => paths,
            };
            for (_, path) in one {
                assert_eq!(unit(&path.replace('*', "3")), expected, "PGN {}: {path}", spec.pgn);
            }
        }
    }
}

/// What the plan reads of each field is what canboat's own decoder reads.
fn same_as_canboat(pgn: u32, payload: &[u8]) -> Result<(), TestCaseError> {
    let db = Database::embedded(Units::Si);
    let told = db.decode(&Whole::new(None, 3, pgn, 1, 255, payload.iter().copied())).unwrap();
    let row = plan().rows().iter().find(|row| row.spec.pgn == pgn).unwrap();
    for (name, field) in row.fields() {
        let ours = field.read(payload);
        // A set that repeats: its first.
        let theirs = told.fields.iter().find(|field| field.name() == name).map(|field| &field.value);
        let same = match (ours, theirs) {
            (Found::NotAvailable, None | Some(FieldValue::NotAvailable)) => true,
            (Found::OutOfRange, Some(FieldValue::OutOfRange { .. } | FieldValue::ReservedValue { .. })) => true,
            (Found::Good(raw), Some(FieldValue::Number(value))) => field.scale(raw).to_bits() == value.to_bits(),
            (Found::Good(raw), Some(FieldValue::Time { raw: theirs, .. })) => raw == *theirs,
            (Found::Good(raw), Some(value)) => value.as_i64() == Some(raw),
            _ => false,
        };
        prop_assert!(same, "PGN {pgn} {name} of {payload:02X?}: {ours:?}, canboat {theirs:?}");
    }
    for (name, field) in row.texts() {
        let theirs = told.field_by_name(name).and_then(|field| field.value.as_str()).map_or_else(String::new, clean);
        prop_assert_eq!(field.read(payload), theirs, "PGN {} {} of {:02X?}", pgn, name, payload);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_plan_reads_what_canboat_reads(payload in proptest::collection::vec(any::<u8>(), 0..120)) {
        for spec in table() {
            same_as_canboat(spec.pgn, &payload)?;
        }
    }

    #[test]
    fn the_plan_knows_the_special_patterns(
        bytes in proptest::collection::vec(prop_oneof![Just(0xFF), Just(0xFE), Just(0xFD), Just(0x7F), Just(0)], 0..120)
    ) {
        for spec in table() {
            same_as_canboat(spec.pgn, &bytes)?;
        }
    }

    #[test]
    fn any_frames_are_taken_and_memory_stays_bounded(
        frames in proptest::collection::vec(
            (0_usize..100, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..9)), 0..2_000
        )
    ) {
        let others = [60_928, 126_996, 126_998, 126_983, 126_985, 126_208, 60_416, 60_160, 65_280, 130_820];
        let pgns: Vec<u32> = table().map(|spec| spec.pgn).chain(others).collect();
        let (mut decoder, mut told) = (Decoder::new(), Told::default());
        for (pgn, source, data) in frames {
            let id = identifier(pgns[pgn % pgns.len()], source).encode();
            decoder.frame(&Frame::extended(id, &data).unwrap(), 0, &mut told);
        }
        decoder.end(0, &mut told);
        prop_assert!(decoder.held_bytes() < 1 << 20);
    }
}

#[test]
fn a_magnetic_heading_is_corrected_by_its_deviation() {
    let heading = |heading: u16, deviation: i16, reference: u8| {
        let [heading, deviation] = [heading.to_le_bytes(), deviation.to_le_bytes()];
        readings(127_250, &[&[0][..], &heading, &deviation, &[0xFF, 0x7F, 0xFC | reference]].concat())
    };
    let magnetic = |value| float("navigation.headingMagnetic", value);
    assert_eq!(heading(10_000, i16::MAX, 1), [magnetic(1.0)]);
    let deviation = float("navigation.magneticDeviation", -0.125);
    let compass = |value| float("navigation.headingCompass", value);
    assert_eq!(heading(10_000, -1_250, 1), [deviation.clone(), compass(1.0), magnetic(0.875)]);
    let over_north = heading(0, -1_250, 1);
    assert_eq!(over_north, [deviation.clone(), compass(0.0), magnetic(std::f64::consts::TAU - 0.125)]);
    assert_eq!(heading(10_000, -1_250, 0), [float("navigation.headingTrue", 1.0), deviation]);
    assert_eq!(heading(u16::MAX, i16::MAX, 1), [absent("navigation.headingMagnetic", Quality::NotAvailable)]);
    assert_eq!(heading(10_000, i16::MAX, 3), []);
}
