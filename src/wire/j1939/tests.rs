//! The decoder over frames as engines send them.

use super::*;
use crate::reading::{Quality, Value};
use crate::wire::can::testing::Counting;
use crate::wire::can::{Frame, FrameDecoder, Identifier, Message};
use crate::wire::notification::{AlarmState, Notification};
use proptest::prelude::*;
use rstest::rstest;

/// A decoder with the sink behind it.
#[derive(Debug, Default)]
struct Bus {
    decoder: Decoder,
    sink: Counting,
}

impl Bus {
    /// Sends one frame and gives what it made, as `path = value quality`.
    fn send(&mut self, mono_ms: u64, id: u32, data: &[u8]) -> Vec<String> {
        self.sink.readings.clear();
        self.decoder.frame(&Frame::extended(id, data).unwrap(), mono_ms, &mut self.sink);
        let text = |value: &Value| match value {
            Value::Float(number) => format!("{number:.4}"),
            other => other.to_json().to_string(),
        };
        let line = |d: &crate::wire::Decoded| format!("{} = {} {}", d.path, text(&d.value), d.quality.name());
        self.sink.readings.iter().map(line).collect()
    }

    /// The trouble codes that one frame told, without the end of their list.
    fn states(&mut self, mono_ms: u64, id: u32, data: &[u8]) -> Vec<(String, AlarmState)> {
        self.send(mono_ms, id, data);
        let state = |d: &crate::wire::Decoded| {
            (d.path.to_string(), Notification::from_value(&d.value).expect("a notification").state)
        };
        self.sink.readings.iter().map(state).filter(|(path, _)| !path.ends_with(".dm1")).collect()
    }
}

#[rstest]
#[case::eec1(0x0CF0_0400, &[0x20, 0x7D, 0x87, 0x48, 0x14, 0, 0xF0, 0x87], &[
    "propulsion.0.engineTorqueDemandDriver = 0.0000 good", "propulsion.0.engineTorque = 0.1000 good",
    "propulsion.0.revolutions = 10.8167 good", "propulsion.0.engineTorqueDemand = 0.1000 good"])]
#[case::eec1_of_engine_2(0x0CF0_0401, &[255, 255, 255, 0x40, 0x1F, 255, 255, 255],
    &["propulsion.1.revolutions = 16.6667 good"])]
#[case::eec1_silent(0x0CF0_0400, &[255; 8], &["propulsion.0.revolutions = null not_available"])]
#[case::et1(0x18FE_EE00, &[0x82, 0xFF, 0x60, 0x2E, 0x00, 0xFE, 0xFB, 0xFF], &[
    "propulsion.0.coolantTemperature = 363.1500 good",
    "propulsion.0.oilTemperature = 371.1500 good", "propulsion.0.turboOilTemperature = null out_of_range",
    "propulsion.0.intercoolerTemperature = null out_of_range"])]
#[case::hours(0x18FE_E500, &[0x40, 0x9C, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], &[
    "propulsion.0.runTime = 7200000.0000 good"])]
#[case::fuel(0x18FE_F200, &[0x90, 1, 0xFF, 0xFF, 0xFF, 0xFF, 250, 0xFF], &[
    "propulsion.0.fuel.rate = 0.0000 good", "propulsion.0.throttleValve = 1.0000 good"])]
#[case::gear(0x18F0_0503, &[0, 0xE8, 3, 124, 0, 0, 0, 0], &[
    "propulsion.0.transmission.gearRatio = 1.0000 good", "propulsion.0.transmission.gear = \"Reverse\" good"])]
#[case::air_of_the_engine_room(0x18FE_F500, &[200, 0xFF, 0xFF, 0x60, 0x2E, 0xFF, 0xFF, 0xFF], &[
    "propulsion.0.barometricPressure = 100000.0000 good", "propulsion.0.ambientTemperature = 371.1500 good"])]
#[case::starter_battery(0x18FE_F701, &[255, 255, 255, 255, 0xE0, 1, 255, 255],
    &["electrical.batteries.engine1.voltage = 24.0000 good"])]
#[case::switch(0x18FE_FF00, &[0xFD], &["propulsion.0.waterInFuel = true good"])]
#[case::switch_error(0x18FE_FF00, &[0xFE], &["propulsion.0.waterInFuel = null out_of_range"])]
#[case::request(0x18EA_FF0B, &[0xEC, 0xFE, 0], &[])]
fn parameters_become_readings(#[case] id: u32, #[case] data: &[u8], #[case] expected: &[&str]) {
    let mut bus = Bus::default();
    assert_eq!(bus.send(0, id, data), expected);
    assert_eq!(bus.sink.dropped, []);
}

#[test]
fn what_is_whole_of_a_short_group_is_read_and_the_rest_is_counted() {
    let mut bus = Bus::default();
    assert_eq!(bus.send(0, 0x18FE_EE00, &[0x82]), ["propulsion.0.coolantTemperature = 363.1500 good"]);
    assert_eq!(bus.sink.dropped, [(REASON_SHORT, 1)]);
}

#[test]
fn a_rate_keeps_its_small_numbers_and_its_unit() {
    let mut bus = Bus::default();
    bus.send(0, 0x18FE_F200, &[0x90, 1, 255, 255, 255, 255, 255, 255]);
    // 20 l/h.
    assert!(matches!(bus.sink.readings[0].value, Value::Float(rate) if (rate - 0.02 / 3_600.0).abs() < 1e-12));
    assert_eq!(bus.sink.readings[0].unit, Some("m3/s"));
}

#[test]
fn a_distance_in_coarse_steps_gives_way_to_the_fine_one() {
    let mut bus = Bus::default();
    let coarse = [255, 255, 255, 255, 8, 0, 0, 0];
    assert_eq!(bus.send(0, 0x18FE_E000, &coarse), ["navigation.log = 1000.0000 good"]);
    bus.send(0, 0x18FE_C100, &[255; 8]);
    assert_eq!(bus.send(0, 0x18FE_E000, &coarse).len(), 1, "nothing finer was told");
    assert_eq!(bus.send(0, 0x18FE_C100, &[206, 0, 0, 0, 255, 255, 255, 255]), ["navigation.log = 1030.0000 good"]);
    assert!(bus.send(0, 0x18FE_E000, &coarse).is_empty());
    assert_eq!(bus.send(0, 0x18FE_E001, &coarse).len(), 1, "another ECU has the coarse one only");
}

#[test]
fn a_source_is_its_name_once_claimed_and_the_name_tells_the_engine() {
    let mut bus = Bus::default();
    // An engine (function 0), instance 1, at address 0.
    let name = 0x0000_0008_0140_000A_u64;
    bus.send(0, 0x18EE_FF00, &name.to_le_bytes());
    assert_eq!(bus.send(0, 0x0CF0_0400, &[255, 255, 255, 0x40, 0x1F]), ["propulsion.1.revolutions = 16.6667 good"]);
    assert_eq!(bus.sink.readings[0].source.to_string(), format!("{name:016x}"));
    bus.send(0, 0x18EE_FF21, &name.to_le_bytes());
    bus.send(0, 0x0CF0_0421, &[255, 255, 255, 0x40, 0x1F]);
    assert_eq!(bus.sink.readings[0].source.to_string(), format!("{name:016x}"), "it moved");
    let sources = bus.decoder.sources();
    assert_eq!((sources.len(), sources[0].address, &sources[0].function[..]), (1, Some(0x21), "engine"));
}

#[test]
fn a_sensor_that_is_gone_is_told_and_one_that_never_was_is_not() {
    let mut bus = Bus::default();
    let none = [255; 8];
    assert_eq!(bus.send(0, 0x18FE_EE00, &none).len(), 2, "coolant and oil, which the group is for");
    bus.send(0, 0x18FE_EE00, &[255, 80, 255, 255, 255, 255, 255, 255]);
    let told = bus.send(0, 0x18FE_EE00, &none);
    assert!(told.contains(&"propulsion.0.fuel.temperature = null not_available".to_owned()), "{told:?}");
    assert_eq!(bus.send(0, 0x18FE_EE01, &none).len(), 2, "another ECU has sensors of its own");
}

const DM1: u32 = 0x18FE_CA00;
/// Red stop lamp, SPN 100 (oil pressure) FMI 1, 5 times.
const OIL: [u8; 8] = [0x10, 0xFF, 100, 0, 1, 5, 0xFF, 0xFF];
const OIL_PATH: &str = "notifications.propulsion.0.spn100.fmi1";

#[test]
fn a_trouble_code_is_told_when_it_changes_and_every_minute() {
    let mut bus = Bus::default();
    assert_eq!(bus.states(0, DM1, &OIL), [(OIL_PATH.to_owned(), AlarmState::Alarm)]);
    let told = Notification::from_value(&bus.sink.readings[0].value).unwrap();
    assert_eq!((told.spn, told.fmi, told.count), (Some(100), Some(1), Some(5)));
    assert_eq!(told.message, "engine oil pressure: below normal, most severe");
    assert_eq!(bus.states(1_000, DM1, &OIL), []);
    let amber = [4, 0xFF, 100, 0, 1, 5, 0xFF, 0xFF];
    assert_eq!(bus.states(2_000, DM1, &amber), [(OIL_PATH.to_owned(), AlarmState::Warn)]);
    assert_eq!(bus.states(59_999, DM1, &amber), []);
    assert_eq!(bus.states(60_000, DM1, &amber), [(OIL_PATH.to_owned(), AlarmState::Warn)]);
    let none = [0, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF];
    assert_eq!(bus.states(63_000, DM1, &none), [(OIL_PATH.to_owned(), AlarmState::Normal)]);
    assert_eq!(bus.states(64_000, DM1, &none), []);
    assert_eq!(bus.sink.dropped, []);
}

#[test]
fn the_first_list_and_one_a_minute_has_an_end() {
    let mut bus = Bus::default();
    let none = [0, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF];
    let end = |listed| {
        let value = format!(r#"{{"state":"normal","message":"active trouble codes","count":{listed}}}"#);
        format!("notifications.propulsion.0.dm1 = {} good", serde_json::Value::String(value))
    };
    assert_eq!(bus.send(0, DM1, &none), [end(0)]);
    assert_eq!(bus.send(1_000, DM1, &OIL).len(), 1, "the code alone");
    assert_eq!(bus.send(59_999, DM1, &OIL), [""; 0]);
    let whole = bus.send(60_000, DM1, &OIL);
    assert_eq!((whole.len(), whole.last()), (2, Some(&end(1))));
    bus.send(61_000, 0x18EE_FF00, &7u64.to_le_bytes());
    assert_eq!(bus.send(61_001, DM1, &OIL).len(), 2, "it has another name now");
}

#[test]
fn half_a_diagnostic_message_clears_nothing() {
    let mut bus = Bus::default();
    bus.states(0, DM1, &OIL);
    assert_eq!(bus.states(1_000, DM1, &OIL[..5]), []);
    assert_eq!(bus.sink.dropped, [(REASON_SHORT, 1)]);
    assert_eq!(bus.states(2_000, DM1, &OIL), [], "it is still active");
}

#[test]
fn codes_of_two_engines_do_not_clear_each_other() {
    let mut bus = Bus::default();
    bus.states(0, DM1, &OIL);
    let second = bus.states(0, DM1 + 1, &OIL);
    assert_eq!(second, [("notifications.propulsion.1.spn100.fmi1".to_owned(), AlarmState::Alarm)]);
    assert_eq!(bus.states(1_000, DM1, &OIL), []);
}

#[test]
fn several_codes_come_by_broadcast_and_one_of_them_goes() {
    let mut bus = Bus::default();
    // 10 bytes in two packets: SPN 100 FMI 1, SPN 520,192 FMI 31 with a count that is not available.
    bus.send(0, 0x1CEC_FF00, &[32, 10, 0, 2, 255, 0xCA, 0xFE, 0]);
    bus.send(50, 0x1CEB_FF00, &[1, 0x04, 0xFF, 100, 0, 1, 5, 0x00]);
    let told = bus.states(100, 0x1CEB_FF00, &[2, 0xF0, 0xFF, 0x7F, 255, 255, 255, 255]);
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].0, "notifications.propulsion.0.spn520192.fmi31");
    let other = Notification::from_value(&bus.sink.readings[1].value).unwrap();
    assert_eq!((other.count, &other.message[..]), (None, "SPN 520192: condition exists"));
    let amber = [4, 0xFF, 100, 0, 1, 5, 0xFF, 0xFF];
    assert_eq!(bus.states(1_100, DM1, &amber), [(told[1].0.clone(), AlarmState::Normal)]);
}

#[test]
fn a_claim_ends_what_its_address_told_and_codes_before_are_history() {
    let mut bus = Bus::default();
    bus.states(0, DM1, &OIL);
    let claim = bus.states(0, 0x18EE_FF00, &7u64.to_le_bytes());
    assert_eq!(claim, [(OIL_PATH.to_owned(), AlarmState::Normal)]);
    assert_eq!(bus.states(1, DM1, &OIL), [(OIL_PATH.to_owned(), AlarmState::Alarm)]);
    // DM2 with a code that is active too, and with another, by SPN conversion method 1.
    assert_eq!(bus.states(2, 0x18FE_CB00, &OIL), []);
    let before = bus.states(3, 0x18FE_CB00, &[0, 0xFF, 110, 0, 0, 0x83, 0xFF, 0xFF]);
    assert_eq!(before, [("notifications.propulsion.0.spn110.fmi0".to_owned(), AlarmState::Normal)]);
    let told = Notification::from_value(&bus.sink.readings[0].value).unwrap();
    assert!(told.message.contains("SPN conversion method 1"), "{}", told.message);
    assert_eq!(told.count, Some(3));
}

#[test]
fn what_makes_no_readings_is_counted() {
    let mut bus = Bus::default();
    for group in 0..=255 {
        bus.send(0, 0x18FF_0000 | group << 8, &[0; 8]);
    }
    bus.decoder.frame(&Frame::standard(0x123, &[]).unwrap(), 0, &mut bus.sink);
    assert_eq!(bus.sink.dropped, [(REASON_UNSUPPORTED, 256), (REASON_NOT_J1939, 1)]);
}

#[test]
fn a_storm_of_codes_is_bounded_and_counted() {
    let mut bus = Bus::default();
    for spn in 1..=255u8 {
        bus.send(0, DM1 + u32::from(spn), &[0, 0, spn, 1, 1, 1]);
        bus.send(0, DM1 + u32::from(spn), &[0, 0, spn, 1, 1, 1]);
    }
    for address in 0..=1 {
        bus.send(0, DM1 + address, &[0, 0, 9, 9, 9, 1]);
    }
    assert_eq!(bus.sink.count(REASON_DIAGNOSTICS_FULL), 1);
    let two = [0, 0, 9, 9, 9, 1, 9, 9, 10, 1];
    let mut of_two = |mono_ms| {
        let identifier = Identifier { priority: 6, pgn: 65_226, source: 1, destination: 255 };
        bus.sink.readings.clear();
        bus.decoder.message(&Message { identifier, payload: &two, at: None }, mono_ms, &mut bus.sink);
        let state = |d: &crate::wire::Decoded| Notification::from_value(&d.value).unwrap().state == AlarmState::Normal;
        (bus.sink.readings.iter().map(state).collect::<Vec<_>>(), bus.sink.count(REASON_DIAGNOSTICS_FULL))
    };
    assert_eq!(of_two(9_999), (vec![false], 2), "one has the room of the code before, the ECUs were heard just now");
    assert_eq!(of_two(10_000), (vec![true, false], 2), "the ECU that is silent for longest gives way");
}

#[test]
fn an_ecu_that_is_replaced_ends_its_codes_and_one_that_moves_keeps_them() {
    let mut bus = Bus::default();
    bus.send(0, 0x18EE_FF00, &7u64.to_le_bytes());
    bus.states(0, DM1, &OIL);
    bus.send(1, 0x18EE_FF21, &7u64.to_le_bytes());
    assert_eq!(bus.sink.readings.len(), 0, "it moved");
    assert_eq!(bus.states(2, DM1 + 0x21, &OIL), []);
    assert_eq!(bus.states(3, 0x18EE_FF21, &8u64.to_le_bytes()), [(OIL_PATH.to_owned(), AlarmState::Normal)]);
    assert_eq!(bus.sink.readings[0].source.to_string(), "0000000000000007", "under the name that it was told by");
    assert_eq!(bus.states(4, DM1 + 0x21, &[0, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF]), []);
}

#[test]
fn an_ecu_keeps_what_it_said_of_itself_before_its_first_claim() {
    let mut bus = Bus::default();
    let model = |bus: &Bus| bus.decoder.sources()[0].model.clone();
    bus.send(0, 0x18FE_EB00, b"A*B*C**");
    bus.send(1, 0x18EE_FF00, &7u64.to_le_bytes());
    assert_eq!(model(&bus), "B");
    bus.send(2, 0x18EE_FF00, &8u64.to_le_bytes());
    assert_eq!(model(&bus), "", "another ECU");
}

proptest! {
    #[test]
    fn any_frames_are_taken(frames in proptest::collection::vec(
        (prop::sample::select(vec![0x18FE_CA00u32, 0x18EE_FF00, 0x1CEC_FF00, 0x1CEB_FF00, 0x0CF0_0400, 0x18FE_EE00]),
         0u32..3, proptest::collection::vec(any::<u8>(), 0..=8)), 0..200)) {
        let mut bus = Bus::default();
        for (at, (id, source, data)) in frames.into_iter().enumerate() {
            bus.send(at as u64, id + source, &data);
            for reading in &bus.sink.readings {
                prop_assert_eq!(reading.quality == Quality::Good, reading.value != Value::Absent);
                prop_assert!(!matches!(reading.value, Value::Float(x) if !x.is_finite()));
            }
        }
        prop_assert!(bus.decoder.held_bytes() < 1 << 20);
    }
}
