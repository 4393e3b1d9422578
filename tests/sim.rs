//! What the simulator says, against decoders that are not its own: canboat's for NMEA 2000, the gateway's for the count
//! of readings that each message promises.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use canboat::{Database, DecodedPgn, FieldValue, Reassembled, Reassembler, Units};
use hawser::bus::Bus;
use hawser::clock::{Clock, Stamp};
use hawser::config::{self, BusConfig, GatewayConfig};
use hawser::entropy::Entropy;
use hawser::reading::{SeriesRegistry, Value};
use hawser::sensors::{BusState, Sensors, SensorsContext, Tuning};
use hawser::sim::{Body, Channel, Fault, FaultKind, Faults, Format, Packet, Protocol};
use hawser::sim::{SimOptions, Start, Vessel, Voice, serve};
use hawser::wire::can::{self, CanStream, FrameDecoder, Identifier};
use hawser::wire::notification::NOTIFICATIONS;
use hawser::wire::{Decoded, Sink, StreamDecoder, iec61162_450, j1939, nmea0183, nmea2000};

use tokio_modbus::ExceptionCode;
use tokio_modbus::client::{Reader as _, tcp};
use tokio_modbus::slave::{Slave, SlaveContext as _};
use tokio_util::sync::CancellationToken;

const START: Stamp = Stamp::from_millis(1_795_243_260_000);

/// Rounds that are listened to: all rows of all tables come, and the generator's and the faults' turns.
const ROUNDS: i64 = 4_000;

/// Active trouble codes of an engine, repeated each second.
const PGN_DM1: u32 = 65_226;

/// What one message of frames is, and what came of it.
#[derive(Debug, Default)]
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
    let mut voice = Voice::new(protocol, 1, Faults::new(1, &[])).expect("it speaks");
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

/// How many of these readings tell an alarm: one that is repeated on the wire is told when it changes.
fn alarms(readings: &[Decoded]) -> u32 {
    readings.iter().filter(|reading| reading.path.starts_with(NOTIFICATIONS)).count() as u32
}

/// Every message of every PGN gives exactly as many readings as its row of the simulator's table says; alarms besides.
fn holds_the_gateway_to_its_count(protocol: Protocol, decoder: &mut dyn FrameDecoder, rows_min: usize) {
    let mut pgns = BTreeMap::new();
    listen(protocol, ROUNDS, |at, _, message| {
        let mut heard = Heard::default();
        for packet in message {
            let Body::Frame(frame) = &packet.body else { panic!("frames were ordered") };
            decoder.frame(frame, at.millis() as u64, &mut heard);
        }
        let count = message[message.len() - 1].count;
        let (alarms, pgn) = (alarms(&heard.readings), pgn_of(message));
        let found = heard.readings.len() as u32 - alarms;
        assert!(heard.dropped.is_empty(), "{pgn}: {:?}", heard.dropped);
        let told: Vec<_> =
            heard.readings.iter().map(|reading| format!("{} {:?}", reading.path, reading.value)).collect();
        assert!(found == count.readings && alarms <= count.maybe, "{pgn}: {count:?}, not {told:#?}");
        assert!(count.maybe == 0 || pgn == PGN_DM1, "{pgn}: {count:?}");
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
    (127_489, None, "Temperature", "propulsion.0.coolantTemperature", 0.006),
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

/// Feeds all that `source` gives to a decoder, in a thread of its own; returns the readings.
fn hear(
    mut source: impl Read + Send + 'static,
    mut decoder: Box<dyn StreamDecoder>,
    so_far: Arc<AtomicU64>,
) -> JoinHandle<Vec<Decoded>> {
    std::thread::spawn(move || {
        let (mut heard, mut buffer) = (Heard::default(), [0; 4_096]);
        // A terminal whose far end closed gives an error where a socket gives nothing.
        while let Ok(count @ 1..) = source.read(&mut buffer) {
            decoder.push(&buffer[..count], 0, &mut heard);
            so_far.store(heard.readings.len() as u64, Ordering::Relaxed);
        }
        decoder.end_of_stream(0, &mut heard);
        assert!(heard.dropped.is_empty(), "{:?}", heard.dropped);
        heard.readings
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_output_says_was_taken_is_heard_there() {
    let dir = tempfile::tempdir().unwrap();
    let pty = |name: &str| dir.path().join(name);
    let nmea2000 = |format| Box::new(CanStream::new(format, Box::new(nmea2000::Decoder::new())));
    let j1939 = |format| Box::new(CanStream::new(format, Box::new(j1939::Decoder::new())));
    let cases: [(String, Box<dyn StreamDecoder>); 6] = [
        ("nmea0183=tcp://127.0.0.1:0".to_owned(), Box::<nmea0183::Stream>::default()),
        ("nmea2000+ydwg=tcp://127.0.0.1:0".to_owned(), nmea2000(can::Format::YachtDevices)),
        ("j1939+candump=tcp://127.0.0.1:0".to_owned(), j1939(can::Format::Candump)),
        (format!("nmea0183=pty:{}", pty("gps").display()), Box::<nmea0183::Stream>::default()),
        (format!("nmea2000+actisense=pty:{}", pty("ngt").display()), nmea2000(can::Format::ActisenseBinary)),
        (format!("j1939+actisense=pty:{}", pty("engine").display()), j1939(can::Format::ActisenseBinary)),
    ];
    let mut options = SimOptions::vessel(1, "tcp://127.0.0.1:0".parse::<Channel>().unwrap());
    options.outputs = cases.iter().map(|(output, _)| output.parse().unwrap()).collect();
    // A voyage of many rounds in little time.
    options.vessel_millihertz = 20_000;
    let sim = serve(options, Clock::manual(START)).await.unwrap();
    let mut addresses = sim.addresses().iter();
    let mut listeners = Vec::new();
    for (output, decoder) in cases {
        let so_far = Arc::new(AtomicU64::new(0));
        let thread = match output.split_once("=pty:") {
            Some((_, link)) => hear(std::fs::File::open(link).unwrap(), decoder, Arc::clone(&so_far)),
            None => {
                let address = addresses.next().expect("each TCP output has an address");
                hear(TcpStream::connect(address).unwrap(), decoder, Arc::clone(&so_far))
            }
        };
        listeners.push((output, so_far, thread));
    }
    while listeners.iter().any(|(_, so_far, _)| so_far.load(Ordering::Relaxed) < 500) {
        tokio::task::yield_now().await;
    }
    let taken = sim.stop_by_output().await;
    for ((output, _, thread), taken) in listeners.into_iter().zip(taken) {
        let heard = thread.join().unwrap();
        assert!(taken.readings > 400, "{taken:?}");
        let alarms = u64::from(alarms(&heard));
        assert_eq!(heard.len() as u64 - alarms, taken.readings, "{output}: {taken:?}");
        assert!(alarms <= taken.maybe, "{output}: {alarms} alarms, {taken:?}");
    }
}

/// An output that is unplugged again and again, and a listener that comes back: what was said in between is all heard.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_between_two_unplugs_is_heard() {
    let faults = vec![Fault { kind: FaultKind::Unplug, probability: 0.2 }];
    let output: Channel = "nmea0183=tcp://127.0.0.1:0".parse().unwrap();
    let options = SimOptions { faults, vessel_millihertz: 20_000, devices: 2, ..SimOptions::vessel(1, output) };
    let sim = serve(options, Clock::manual(START)).await.unwrap();
    let (address, ends) = (sim.addresses()[0], Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&ends);
    let listener = std::thread::spawn(move || {
        let (mut heard, mut buffer) = (Heard::default(), [0; 4_096]);
        while let Ok(mut stream) = TcpStream::connect(address) {
            let (mut decoder, before) = (nmea0183::Stream::default(), heard.readings.len());
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                decoder.push(&buffer[..count], 0, &mut heard);
            }
            decoder.end_of_stream(0, &mut heard);
            counted.fetch_add(u64::from(heard.readings.len() > before), Ordering::Relaxed);
            std::thread::yield_now();
        }
        heard
    });
    while ends.load(Ordering::Relaxed) < 3 {
        tokio::task::yield_now().await;
    }
    let taken = sim.stop_by_output().await.remove(0);
    let heard = listener.join().unwrap();
    assert!(heard.dropped.is_empty(), "{:?}", heard.dropped);
    assert_eq!((heard.readings.len() as u64, taken.maybe), (taken.readings, 0), "{taken:?}");
    assert!(taken.faults["unplug"] >= 3 && taken.unsent > 0, "{taken:?}");
}

/// The battery monitor that a DBC file describes, heard by a gateway's sensors with that file.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_hears_a_bus_by_its_dbc() {
    let output: Channel = "can+candump=tcp://127.0.0.1:0".parse().unwrap();
    let options = SimOptions { held: true, vessel_millihertz: 20_000, ..SimOptions::vessel(1, output) };
    let sim = serve(options, Clock::manual(START)).await.unwrap();
    let (address, dbc) = (format!("tcp://{}", sim.addresses()[0]), "configs/dbc/battery-monitor.dbc".into());
    let format = config::Format::Candump;
    let bus = BusConfig { format, dbc, ..BusConfig::new("battery", config::Protocol::Can, &address) };
    let config = GatewayConfig { bus: vec![bus], ..GatewayConfig::default() };
    let context = SensorsContext {
        clock: Clock::manual(START),
        entropy: Entropy::seeded(1),
        registry: SeriesRegistry::default(),
        bus: Bus::default(),
        shutdown: CancellationToken::new(),
        data_dir: None,
        tuning: Tuning::default(),
    };
    let sensors = Sensors::spawn(&config, &context).unwrap();
    let snapshot = || sensors.stats()[0].snapshot(context.clock.now());
    while snapshot().state != BusState::Open {
        tokio::task::yield_now().await;
    }
    sim.begin();
    while sim.taken() < 60 {
        tokio::task::yield_now().await;
    }
    let taken = sim.stop_by_output().await.remove(0);
    let last = snapshot();
    context.shutdown.cancel();
    sensors.stopped().await;
    let mut readings = Vec::new();
    context.bus.drain_into(&mut readings, usize::MAX);
    assert_eq!((readings.len() as u64, taken.maybe), (taken.readings, 0), "{last:?}");
    assert!(last.rejected.is_empty() && taken.readings.is_multiple_of(6), "{last:?} {taken:?}");
    let value = |path: &str| {
        let of = readings.iter().rfind(|reading| *reading.series.key.path == *path);
        of.unwrap_or_else(|| panic!("{path}: {readings:#?}")).value.clone()
    };
    let mut vessel = Vessel::new(1, Start::default());
    vessel.advance(START);
    let Value::Float(volts) = value("electrical.batteries.house.voltage") else { panic!("{readings:#?}") };
    assert!((volts - vessel.value("electrical.batteries.house.voltage").unwrap()).abs() < 0.5, "{volts} V");
    assert_eq!(value("sensors.Battery.State"), Value::text("discharging"));
}

/// Each datagram has the head of the standard, and the sentences in it are those of NMEA 0183 behind a TAG block.
#[tokio::test]
async fn datagrams_of_iec_61162_450_are_tagged_and_come_twice_where_two_outputs_are() {
    let listeners = [UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap()];
    let output = |socket: &UdpSocket| format!("iec61162-450=udp://{}@127.0.0.1", socket.local_addr().unwrap());
    let outputs: Vec<Channel> = listeners.iter().map(|socket| output(socket).parse().unwrap()).collect();
    let options = SimOptions { outputs, ..SimOptions::vessel(1, "tcp://127.0.0.1:0".parse::<Channel>().unwrap()) };
    let sim = serve(options, Clock::manual(START)).await.unwrap();
    let heard = tokio::task::spawn_blocking(move || {
        listeners.map(|socket| {
            let mut buffer = [0; 2_048];
            let count = socket.recv(&mut buffer).unwrap();
            buffer[..count].to_vec()
        })
    });
    let [first, second] = heard.await.unwrap();
    assert_eq!(first, second);
    let text = std::str::from_utf8(first.strip_prefix(b"UdPbC\0").expect("the head of a datagram")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 5 && lines[0].starts_with("\\s:GP0001,n:1*16\\$GPRMC,"), "{lines:#?}");
    let (mut decoder, mut heard) = (iec61162_450::Stream::default(), Heard::default());
    for datagram in [&first, &second] {
        decoder.push(datagram, 0, &mut heard);
        decoder.end_of_datagram(0, &mut heard);
    }
    assert!(heard.readings.len() > 10, "{heard:?}");
    assert!(heard.dropped.len() == lines.len() && heard.dropped[0].starts_with("duplicate"), "{:?}", heard.dropped);
    drop(sim);
}

#[tokio::test]
async fn meters_answer_with_what_the_vessel_is() {
    let output: Channel = "modbus=tcp://127.0.0.1:0".parse().unwrap();
    let sim = serve(SimOptions::vessel(1, output), Clock::manual(START)).await.unwrap();
    let mut client = tcp::connect_slave(sim.addresses()[0], Slave(225)).await.unwrap();
    // The battery monitor's voltage (259, hundredths of a volt) and state of charge (266, tenths of a per cent).
    let volts = f64::from(client.read_holding_registers(259, 1).await.unwrap().unwrap()[0]) / 100.0;
    let charge = f64::from(client.read_holding_registers(266, 1).await.unwrap().unwrap()[0]) / 1_000.0;
    let vessel = Vessel::new(1, Start::default());
    let value = |path: &str| vessel.value(path).unwrap();
    assert!((volts - value("electrical.batteries.house.voltage")).abs() < 1.0, "{volts} V");
    assert!((charge - value("electrical.batteries.house.capacity.stateOfCharge")).abs() < 0.01, "{charge}");
    client.set_slave(Slave(1));
    assert_eq!(client.read_input_registers(0, 2).await.unwrap().unwrap(), [0, 0], "the generator rests: 0 V");
    let taken = sim.stop_by_output().await.remove(0);
    assert_eq!((taken.readings, taken.answers), (0, 3), "what an answer holds is the asker's affair");
}

#[tokio::test]
async fn answers_have_faults_too_and_they_are_counted() {
    let output: Channel = "modbus=tcp://127.0.0.1:0".parse().unwrap();
    let faults = vec![Fault { kind: FaultKind::NotAvailable, probability: 0.5 }];
    let sim = serve(SimOptions { faults, ..SimOptions::vessel(1, output) }, Clock::manual(START)).await.unwrap();
    let mut client = tcp::connect_slave(sim.addresses()[0], Slave(225)).await.unwrap();
    let mut refused = 0;
    for _ in 0..50 {
        let answer = client.read_holding_registers(259, 1).await.unwrap();
        refused += u64::from(answer == Err(ExceptionCode::ServerDeviceFailure));
    }
    let taken = sim.stop_by_output().await.remove(0);
    assert!((10..=40).contains(&refused), "{refused} of 50");
    assert_eq!((taken.answers, taken.faults["not_available"]), (50, refused));
}
