//! What the simulator says, against decoders that are not its own: canboat's for NMEA 2000, the gateway's for the count
//! of readings that each message promises.

use std::collections::BTreeMap;
use std::fmt::Display;

use canboat::{Database, DecodedPgn, FieldValue, Reassembled, Reassembler, Units};
use hawser::clock::Stamp;
use hawser::sim::{Body, Faults, Format, Packet, Protocol, Start, Vessel, Voice};
use hawser::wire::can::{FrameDecoder, Identifier};
use hawser::wire::{Decoded, Sink};

const START: Stamp = Stamp::from_millis(1_795_243_260_000);

/// Rounds that are listened to: all rows of all tables come, and the generator's and the faults' turns.
const ROUNDS: i64 = 4_000;

/// What one message of frames is, and what came of it.
#[derive(Default)]
struct Heard {
    readings: Vec<Decoded>,
    dropped: Vec<String>,
}

impl Sink for Heard {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.readings.append(readings);
    }

    fn dropped(&mut self, reason: &'static str, _: u64, why: &dyn Display, _: &[u8]) {
        self.dropped.push(format!("{reason}: {why}"));
    }
}

/// Calls `each` with the packets of each message of a healthy voice.
fn listen(protocol: Protocol, rounds: i64, mut each: impl FnMut(Stamp, &Vessel, &[Packet])) {
    let mut vessel = Vessel::new(1, Start::default());
    let mut voice = Voice::new(protocol, 1, Faults::new(1, &[]));
    for second in 0..rounds {
        let at = START.plus_millis(second * 1_000);
        vessel.advance(at);
        let round = voice.say(&vessel, at);
        for message in round.packets.chunk_by(|a, b| a.message == b.message) {
            each(at, &vessel, message);
        }
    }
}

fn pgn_of(message: &[Packet]) -> u32 {
    match &message[message.len() - 1].body {
        Body::Frame(frame) => Identifier::parse(frame.id).pgn,
        Body::Bytes(bytes) => panic!("{bytes:?}"),
    }
}

/// Every message of every PGN gives exactly as many readings as its row of the simulator's table says.
fn holds_the_gateway_to_its_count(protocol: Protocol, decoder: &mut dyn FrameDecoder, rows_min: usize) {
    let mut pgns = BTreeMap::new();
    listen(protocol, ROUNDS, |at, _, message| {
        let mut heard = Heard::default();
        for packet in message {
            let Body::Frame(frame) = &packet.body else { panic!("frames were ordered") };
            decoder.frame(frame, at.millis() as u64, &mut heard);
        }
        let count = message[message.len() - 1].count;
        let (found, pgn) = (heard.readings.len() as u32, pgn_of(message));
        assert!(heard.dropped.is_empty(), "{pgn}: {:?}", heard.dropped);
        let told: Vec<_> =
            heard.readings.iter().map(|reading| format!("{} {:?}", reading.path, reading.value)).collect();
        assert!((count.readings..=count.readings + count.maybe).contains(&found), "{pgn}: {count:?}, not {told:#?}");
        *pgns.entry(pgn).or_insert(0u64) += u64::from(found);
    });
    assert!(pgns.len() >= rows_min, "{pgns:?}");
}

#[test]
fn the_gateway_finds_in_each_pgn_of_nmea_2000_what_was_put_in() {
    let mut decoder = hawser::wire::nmea2000::Decoder::new();
    holds_the_gateway_to_its_count(Protocol::Nmea2000(Format::Can), &mut decoder, 20);
    let sources = decoder.sources();
    assert_eq!(sources.len(), 7, "{sources:#?}");
    assert!(
        sources.iter().any(|source| source.model.starts_with("SIM GPS 10") && source.manufacturer == "Garmin"),
        "{sources:#?}"
    );
}

#[test]
fn the_gateway_finds_in_each_group_of_j1939_what_was_put_in() {
    let mut decoder = hawser::wire::j1939::Decoder::new();
    holds_the_gateway_to_its_count(Protocol::J1939(Format::Can), &mut decoder, 10);
}

/// What canboat must find in a field: PGN, the field that must hold this code, field, path, tolerance.
type Expected = (u32, Option<(&'static str, u64)>, &'static str, &'static str, f64);

/// Half a step of each field's resolution, and a rounding more.
#[rustfmt::skip]
const NMEA2000: &[Expected] = &[
    (127_245, None, "Position", "steering.rudderAngle", 6e-5),
    (127_250, None, "Heading", "navigation.headingMagnetic", 6e-5),
    (127_251, None, "Rate", "navigation.rateOfTurn", 2e-8),
    (127_257, None, "Pitch", "navigation.attitude.pitch", 6e-5),
    (127_257, None, "Roll", "navigation.attitude.roll", 6e-5),
    (127_488, None, "Speed", "propulsion.0.revolutions", 3e-3),
    (127_488, None, "Boost Pressure", "propulsion.0.boostPressure", 51.0),
    (127_489, None, "Oil pressure", "propulsion.0.oilPressure", 51.0),
    (127_489, None, "Oil temperature", "propulsion.0.oilTemperature", 0.051),
    (127_489, None, "Temperature", "propulsion.0.temperature", 0.006),
    (127_489, None, "Fuel Rate", "propulsion.0.fuel.rate", 2e-8),
    (127_489, None, "Total Engine hours", "propulsion.0.runTime", 0.6),
    (127_489, None, "Coolant Pressure", "propulsion.0.coolantPressure", 51.0),
    (127_489, None, "Engine Load", "propulsion.0.engineLoad", 0.006),
    (127_505, Some(("Type", 0)), "Level", "tanks.fuel.0.currentLevel", 3e-5),
    (127_505, Some(("Type", 1)), "Level", "tanks.freshWater.0.currentLevel", 3e-5),
    (127_505, Some(("Type", 2)), "Level", "tanks.wasteWater.0.currentLevel", 3e-5),
    (127_505, Some(("Type", 0)), "Capacity", "tanks.fuel.0.capacity", 1e-4),
    (127_506, None, "State of Charge", "electrical.batteries.0.capacity.stateOfCharge", 0.006),
    (127_508, None, "Voltage", "electrical.batteries.*.voltage", 0.006),
    (127_508, None, "Current", "electrical.batteries.*.current", 0.06),
    (128_259, None, "Speed Water Referenced", "navigation.speedThroughWater", 0.006),
    (128_267, None, "Depth", "environment.depth.belowTransducer", 0.006),
    (129_025, None, "Latitude", "navigation.position.latitude", 1e-7),
    (129_025, None, "Longitude", "navigation.position.longitude", 1e-7),
    (129_026, None, "COG", "navigation.courseOverGroundTrue", 6e-5),
    (129_026, None, "SOG", "navigation.speedOverGround", 0.006),
    (129_029, None, "Latitude", "navigation.position.latitude", 1e-9),
    (129_029, None, "Longitude", "navigation.position.longitude", 1e-9),
    (130_306, Some(("Reference", 2)), "Wind Speed", "environment.wind.speedApparent", 0.006),
    (130_306, Some(("Reference", 2)), "Wind Angle", "environment.wind.angleApparent", 6e-5),
    (130_306, Some(("Reference", 4)), "Wind Speed", "environment.wind.speedTrue", 0.006),
    (130_312, Some(("Source", 0)), "Actual Temperature", "environment.water.temperature", 0.006),
    (130_312, Some(("Source", 1)), "Actual Temperature", "environment.outside.temperature", 0.006),
    (130_313, None, "Actual Humidity", "environment.outside.relativeHumidity", 3e-5),
    (130_314, None, "Pressure", "environment.outside.pressure", 0.06),
];

/// A field by its name: its number in SI, or its code.
fn field(message: &DecodedPgn, name: &str) -> f64 {
    let field = message.field_by_name(name).unwrap_or_else(|| panic!("{name} is missing: {message:?}"));
    match &field.value {
        FieldValue::Number(number) => *number,
        FieldValue::Integer(number) => *number as f64,
        FieldValue::Time { seconds, .. } => *seconds,
        FieldValue::Lookup { value, .. } => *value as f64,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn canboat_reads_the_vessel_from_the_frames() {
    let (database, mut reassembler) = (Database::embedded(Units::Si), Reassembler::new());
    let mut compared = BTreeMap::new();
    listen(Protocol::Nmea2000(Format::Can), 300, |_, vessel, message| {
        let mut whole = None;
        for packet in message {
            let Body::Frame(frame) = &packet.body else { panic!("frames were ordered") };
            let Identifier { priority, pgn, source, destination } = Identifier::parse(frame.id);
            let raw = canboat::Frame::new(None, priority, pgn, source, destination, frame.bytes().iter().copied());
            whole = match reassembler.push(raw, canboat::codec::fastpacket::packet_type(pgn)) {
                Reassembled::PassThrough(frame) | Reassembled::Complete(frame) => Some(frame),
                Reassembled::Partial => None,
                Reassembled::Error(error) => panic!("{pgn}: {error}"),
            };
        }
        let message =
            database.decode(&whole.expect("a message is whole with its last frame")).expect("canboat knows it");
        for &(pgn, when, name, path, tolerance) in NMEA2000 {
            if message.pgn != pgn || when.is_some_and(|(name, code)| field(&message, name) != code as f64) {
                continue;
            }
            let instance = || if field(&message, "Instance") == 0.0 { "house" } else { "starter" };
            let path = if path.contains('*') { path.replace('*', instance()) } else { path.to_owned() };
            let (found, is) = (field(&message, name), vessel.value(&path).unwrap());
            assert!((found - is).abs() <= tolerance, "{pgn} {name}: {found}, not {is} of {path}");
            *compared.entry((pgn, name)).or_insert(0) += 1;
        }
    });
    let rows: std::collections::BTreeSet<_> = NMEA2000.iter().map(|(pgn, _, name, ..)| (*pgn, *name)).collect();
    assert!(compared.keys().copied().eq(rows), "each was compared: {compared:?}");
}
