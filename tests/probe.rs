//! `hawser probe` on real wires: pseudo-terminals, TCP servers, a multicast group on loopback, simulated Modbus units.
//! What it prints must be taken by the configuration, and a bus that is started with it must deliver readings. `verbs`
//! asks the same of the binary. Nothing here is timed: only a hang ends in a failure.

#[path = "modbus/pty.rs"]
mod pty;
#[path = "probe/verbs.rs"]
mod verbs;

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hawser::bus::Bus;
use hawser::clock::Clock;
use hawser::config::{GatewayConfig, Parity, Protocol, parse_gateway};
use hawser::entropy::Entropy;
use hawser::reading::{Reading, SeriesRegistry, Value};
use hawser::sensors::probe::{self, ProbeOptions, Probed};
use hawser::sensors::{Sensors, SensorsContext, Tuning};
use hawser::sim::modbus::{Device, Fault, ModbusDevices};
use hawser::sim::{self, Output, SimOptions};
use hawser::wire::modbus::map::builtin;
use nix::pty::openpty;
use nix::unistd::ttyname;
use serial2_tokio::{KeepSettings, SerialPort};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

const DEPTH: &[u8] = b"$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n";

/// Water depth (PGN 128267) from address 0x23, and the claim of its NAME: an Airmar sensor.
const NMEA2000: &[u8] = b"17:33:21.107 R 18EEFF23 9F B9 E3 10 00 82 78 C0\r\n\
                          17:33:21.117 R 0DF50B23 FF 68 01 00 00 00 00 FF\r\n";

/// EEC1 (PGN 61444) of the first engine: 621 rpm.
const J1939: &[u8] = b"(1436509052.249713) can0 0CF00400#FFFFFF6813FFFFFF\n";

/// What a gateway.toml holds before something is appended.
const BEFORE: &str =
    "[vessel]\nid = \"aurora\"\n\n[[bus]]\nname = \"old\"\nprotocol = \"nmea0183\"\naddress = \"udp://127.0.0.1:9\"\n";

/// Ends a test that hangs; no assertion depends on it.
const HANG: Duration = Duration::from_secs(120);

/// Between two words of a talker.
const PAUSE: Duration = Duration::from_millis(10);

/// How long is listened: a hundred words of a talker.
const LISTEN: Duration = Duration::from_secs(1);

fn options(address: &str) -> ProbeOptions {
    ProbeOptions::new(address.parse().expect("an address"), LISTEN)
}

/// Probes; and all that was told meanwhile.
async fn probed(options: &ProbeOptions) -> (Probed, String) {
    let mut told = String::new();
    let mut tell = |text: &str| {
        told.push_str(text);
        told.push('\n');
    };
    let (clock, stop) = (Clock::system(), CancellationToken::new());
    let probing = probe::run(options, &clock, &stop, &mut tell);
    let probed = tokio::time::timeout(HANG, probing).await.expect("it ends").expect("the wire opens");
    (probed, told)
}

/// The configuration with what was found appended.
fn appended(found: &Probed) -> GatewayConfig {
    let text = format!("{BEFORE}{}", found.config);
    let loaded = parse_gateway("gateway.toml", &text, &|_| None, &[]);
    loaded.unwrap_or_else(|errors| panic!("{errors}\n{text}")).config
}

/// A good reading of `path` by a gateway with the configuration that was found, its source.
async fn delivers(found: &Probed, path: &str) -> (String, Value) {
    let mut config = appended(found);
    config.bus.remove(0);
    let context = SensorsContext {
        clock: Clock::system(),
        entropy: Entropy::seeded(1),
        registry: SeriesRegistry::default(),
        bus: Bus::default(),
        shutdown: CancellationToken::new(),
        tuning: Tuning::default(),
        data_dir: None,
    };
    let sensors = Sensors::spawn(&config, &context).expect("the configuration is sound");
    let mut taken: Vec<Reading> = Vec::new();
    let wait = async {
        loop {
            context.bus.drain_into(&mut taken, usize::MAX);
            if let Some(reading) = taken.iter().find(|reading| reading.series.key.path == path) {
                return (reading.series.key.source.to_string(), reading.value.clone());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let delivered = tokio::time::timeout(HANG, wait).await;
    let told = delivered.unwrap_or_else(|_| panic!("no reading of {path}; {:#?}", sensors.stats()));
    context.shutdown.cancel();
    sensors.stopped().await;
    told
}

/// A server that says `words` again and again to everybody who connects; its address.
async fn talker(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while stream.write_all(words).await.is_ok() {
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn talkers_of_a_simulated_vessel_become_a_bus() {
    let output = Output::TcpListen(([127, 0, 0, 1], 0).into());
    let vessel = SimOptions { vessel_millihertz: 10_000, ..SimOptions::vessel(1, output) };
    let sim = sim::serve(vessel, Clock::system()).await.expect("the simulator serves");
    let (found, _) = probed(&options(&format!("tcp://{}", sim.addresses()[0]))).await;
    assert!(found.understood, "{found:?}");
    for part in ["# nmea0183: in ", "talker GP: ", "RMC", "a second", "[[bus]]\nname = \"nav\""] {
        assert!(found.config.contains(part), "{part} is not in\n{}", found.config);
    }
    let (source, value) = delivers(&found, "navigation.position").await;
    assert!(source.starts_with("nav.") && value != Value::Absent, "{source} {value:?}");
}

#[tokio::test]
async fn two_that_tell_the_same_are_named_as_rivals() {
    let address = talker(b"$GPGLL,5000.0,N,00400.0,W,120000,A*3A\r\n$GNGLL,5000.0,N,00400.0,W,120000,A*24\r\n").await;
    let (found, _) = probed(&ProbeOptions { name: "bow".to_owned(), ..options(&format!("tcp://{address}")) }).await;
    let expected = "# [[priority]]\n# path = \"navigation.position\"\n# sources = [\"bow.GN\", \"bow.GP\"]\n";
    assert!(found.config.contains(expected) && found.config.contains("name = \"bow\""), "{}", found.config);
    let uncommented = found.config.split_once("# [[priority]]").expect("it is there").1.replace("\n# ", "\n");
    let config = Probed { config: format!("{}\n[[priority]]{uncommented}", found.config), ..found.clone() };
    assert_eq!(appended(&config).priority[0].sources, ["bow.GN", "bow.GP"], "the suggestion is sound");
}

#[tokio::test]
async fn frames_behind_a_gateway_are_told_apart() {
    let (found, _) = probed(&options(&format!("tcp://{}", talker(NMEA2000).await))).await;
    for part in ["protocol = \"nmea2000\"", "format = \"ydwg\"", "(128267)", "address 35", "Airmar", "marine industry"]
    {
        assert!(found.config.contains(part), "{part} is not in\n{}", found.config);
    }
    let depth = delivers(&found, "environment.depth.belowTransducer").await;
    assert_eq!(depth.1, Value::Float(3.6));
    let (found, _) = probed(&options(&format!("tcp://{}", talker(J1939).await))).await;
    for part in ["protocol = \"j1939\"", "format = \"candump\"", "(61444)", "name = \"engines\""] {
        assert!(found.config.contains(part), "{part} is not in\n{}", found.config);
    }
    let (source, value) = delivers(&found, "propulsion.0.revolutions").await;
    assert_eq!((&*source, value), ("engines.address0", Value::Float(621.0 / 60.0)));
}

#[tokio::test]
async fn frames_of_nobody_are_listed_and_not_understood() {
    let (found, _) =
        probed(&options(&format!("tcp://{}", talker(b"(1.0) can0 123#01\n(1.0) can0 7FF#02\n").await))).await;
    assert!(!found.understood && found.config.contains("Identifiers: 123 7FF;"), "{found:?}");
    assert!(found.hints[0].contains("DBC") && appended(&found).bus.len() == 1, "all of it is a comment");
}

#[tokio::test]
async fn a_network_of_datagrams_is_joined() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = taken.local_addr().expect("it is bound").port();
    drop(taken);
    let group = Ipv4Addr::new(239, 192, 0, 1);
    let sender = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a port");
    let socket = socket2::SockRef::from(&sender);
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).expect("loopback carries groups");
    socket.set_multicast_loop_v4(true).expect("to ourselves");
    let said = tokio::spawn(async move {
        for number in 1_u32.. {
            let block = format!("s:SD0001,n:{}", number % 999 + 1);
            let sum = block.bytes().fold(0, |sum, byte| sum ^ byte);
            let datagram = [format!("UdPbC\0\\{block}*{sum:02X}\\").as_bytes(), DEPTH].concat();
            let _ = sender.send_to(&datagram, SocketAddr::from((group, port))).await;
            tokio::time::sleep(PAUSE).await;
        }
    });
    let asked = ProbeOptions { interfaces: vec!["127.0.0.1".to_owned()], ..options(&format!("udp://{group}:{port}")) };
    let (found, _) = probed(&asked).await;
    for part in ["protocol = \"iec61162-450\"", "SD0001, talker SD: DBT", "interfaces = [\"127.0.0.1\"]"] {
        assert!(found.config.contains(part), "{part} is not in\n{}", found.config);
    }
    assert_eq!(delivers(&found, "environment.depth.belowTransducer").await.0, "network.SD0001");
    said.abort();
}

/// What an Actisense NGT-1 hands out of a depth: BST-93 with priority 3, PGN 128267, to all, from 0x23.
fn actisense() -> Vec<u8> {
    let mut message = vec![0x93, 19, 3, 0x0B, 0xF5, 0x01, 255, 0x23, 0, 0, 0, 0, 8];
    message.extend([0xFF, 0x68, 1, 0, 0, 0, 0, 0xFF]);
    message.push(message.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte)));
    let doubled = message.iter().flat_map(|byte| [*byte; 2].into_iter().take(1 + usize::from(*byte == 0x10)));
    [0x10, 0x02].into_iter().chain(doubled).chain([0x10, 0x03]).collect()
}

/// What a server that says these bytes and closes is taken for.
async fn taken_for(bytes: Vec<u8>) -> Probed {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let address = listener.local_addr().expect("it is bound");
    let saying = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the probe connects");
        stream.write_all(&bytes).await.expect("it reads");
    });
    let asked = ProbeOptions { duration: HANG, ..options(&format!("tcp://{address}")) };
    let (found, _) = probed(&asked).await;
    saying.await.expect("it was said");
    found
}

#[tokio::test]
async fn captures_are_known_for_what_they_are() {
    let found = taken_for(actisense().repeat(3)).await;
    assert!(found.config.contains("protocol = \"nmea2000\"") && found.config.contains("\"actisense\""), "{found:?}");
    let Some(corpus) = std::env::var_os("HAWSER_CORPUS") else { return };
    for (file, protocol, format) in [
        ("nmea2000/canboat-samples/sample-YDWG02.txt", "nmea2000", "ydwg"),
        ("nmea2000/canboat-samples/candumpSample1.txt", "nmea2000", "candump"),
        ("nmea2000/canboat-samples/candumpSample2.txt", "nmea2000", "candump"),
        ("nmea2000/canboat-samples/candump-fast.txt", "nmea2000", "candump"),
        ("nmea2000/canboat-samples/actisense-522.candump.log", "nmea2000", "candump"),
        ("j1939/canboat/j1939-pgn-test.in", "j1939", "candump"),
        ("j1939/pretty_j1939/candump.log", "j1939", "candump"),
        ("nmea0183/gpsd/bundg_zeus_9.log", "nmea0183", ""),
        ("nmea0183/gpsd/garmin48.log", "nmea0183", ""),
        ("ais/gpsd/ais-nmea.log", "nmea0183", ""),
    ] {
        let bytes = std::fs::read(Path::new(&corpus).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let found = taken_for(bytes).await;
        let bus = appended(&found).bus.pop().expect("there was one before");
        let told = (bus.protocol.name(), format!("{:?}", bus.format).to_lowercase());
        let expected = (protocol, if format.is_empty() { "default" } else { format });
        assert_eq!((told.0, &*told.1), expected, "{file}\n{}\n{:?}", found.config, found.hints);
    }
}

/// The far end of a serial adapter that is plugged in at `link`: it says `words` while the near end has `rate`, and
/// `otherwise` while it has another.
fn instrument(link: &Path, rate: u32, words: &'static [u8], otherwise: &'static [u8]) -> tokio::task::JoinHandle<()> {
    let pair = openpty(None, None).expect("the system has pseudo-terminals");
    let near = ttyname(pair.slave.as_fd()).expect("a pseudo-terminal has a name");
    std::os::unix::fs::symlink(near, link).expect("the directory is ours");
    let (mut far, link) = (File::from(pair.master), link.to_owned());
    // Held open: a terminal whose near end nobody has open gives an error to its far end.
    let slave = pair.slave;
    tokio::spawn(async move {
        let _slave = slave;
        loop {
            let near = SerialPort::open(&link, KeepSettings).expect("the near end may be asked");
            let set = near.get_configuration().and_then(|settings| settings.get_baud_rate()).expect("it has a rate");
            far.write_all(if set == rate { words } else { otherwise }).expect("the near end is open");
            tokio::time::sleep(PAUSE).await;
        }
    })
}

#[tokio::test]
async fn the_rate_of_a_line_is_found_with_what_is_spoken_on_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let link = dir.path().join("port");
    let talking = instrument(&link, 38_400, DEPTH, b"\x92\x8F\xA0\xFE\x10\x81");
    let (found, told) = probed(&options(&format!("serial://{}", link.display()))).await;
    assert!(told.contains("4800 baud: ") && told.contains("38400 baud: ") && told.contains("this is it"), "{told}");
    assert!(found.config.contains("baud = 38400\n") && found.config.contains("talker SD: DBT"), "{}", found.config);
    assert_eq!(delivers(&found, "environment.depth.belowTransducer").await.1, Value::Float(2.4));
    talking.abort();
    let link = dir.path().join("gateway");
    let talking = instrument(&link, 115_200, NMEA2000, b"");
    let asked = ProbeOptions { protocol: Some(Protocol::Nmea2000), ..options(&format!("serial://{}", link.display())) };
    let (found, told) = probed(&asked).await;
    assert!(told.starts_with("115200 baud: "), "a gateway's rate comes first: {told}");
    assert!(found.config.contains("format = \"ydwg\"") && found.config.contains("baud = 115200"), "{}", found.config);
    talking.abort();
}

#[tokio::test]
async fn a_silent_line_is_said_to_be_silent_and_garbage_to_be_garbage() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let link = dir.path().join("silent");
    let held = instrument(&link, 1, b"", b"");
    let silent = ProbeOptions { protocol: Some(Protocol::J1939), ..options(&format!("serial://{}", link.display())) };
    let (found, told) = probed(&silent).await;
    assert!(told.contains("115200 baud: silence\n230400 baud: silence"), "{told}");
    assert!(!found.understood && found.config.is_empty() && found.hints[0].starts_with("silence"), "{found:?}");
    held.abort();
    let link = dir.path().join("swapped");
    let held = instrument(&link, 4_800, b"\x92\x8F\xA0\xFE\x10\x81", b"");
    let (found, _) = probed(&ProbeOptions { baud: 4_800, ..options(&format!("serial://{}", link.display())) }).await;
    assert!(!found.understood && found.hints.iter().any(|hint| hint.contains("A and B")), "{found:?}");
    held.abort();
}

/// Energy meters of these unit ids.
fn energy_meters(units: &[u8]) -> Arc<ModbusDevices> {
    let map = builtin("eastron-sdm630").expect("it is built in").expect("it is sound");
    let device = |unit: &u8| Device {
        unit: *unit,
        map: map.clone(),
        instance: unit.to_string(),
        values: Arc::new(|path| Value::Float(if path.ends_with("powerFactor") { 0.5 } else { 50.0 })),
    };
    ModbusDevices::new(units.iter().map(device).collect())
}

/// The same behind a Modbus TCP server.
async fn meters(units: &[u8]) -> (SocketAddr, Arc<ModbusDevices>) {
    let devices = energy_meters(units);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(Arc::clone(&devices).serve_tcp(listener));
    (address, devices)
}

#[tokio::test]
async fn modbus_units_are_asked_and_known_by_their_registers() {
    let (address, devices) = meters(&[3, 7, 9]).await;
    devices.set_fault(7, Fault::Exception(1));
    let modbus = options(&format!("tcp://{address}"));
    let modbus = ProbeOptions { protocol: Some(Protocol::Modbus), units: vec![2, 3, 7, 9], ..modbus };
    let (found, told) = probed(&modbus).await;
    assert!(told.starts_with("asking 4 unit ids"), "{told}");
    for part in [
        "3 of 4 unit ids answered",
        "Unit 7: exception 1 (illegal function) from holding registers, input registers",
        "# map = \"/etc/",
    ] {
        assert!(found.config.contains(part), "{part} is not in\n{}", found.config);
    }
    let config = appended(&found);
    let known: Vec<_> = config.device.iter().map(|device| (device.unit, &*device.map, &*device.instance)).collect();
    assert_eq!(known, [(3, "eastron-sdm630", "0"), (9, "eastron-sdm630", "1")]);
    let (source, value) = delivers(&found, "electrical.ac.1.phase.A.lineNeutralVoltage").await;
    assert_eq!((&*source, value), ("power.unit9", Value::Float(50.0)));
}

#[tokio::test]
async fn units_on_a_serial_line_are_asked_at_the_usual_rate_first() {
    let (port, address, _held) = pty::pair();
    let server = tokio::spawn(energy_meters(&[5]).serve_serial(port));
    let modbus = ProbeOptions { protocol: Some(Protocol::Modbus), units: vec![4, 5], ..options(&address) };
    // A pseudo-terminal has no parity, and opening it with one fails: it was asked for.
    let (clock, stop) = (Clock::system(), CancellationToken::new());
    let even = ProbeOptions { parity: Parity::Even, ..modbus.clone() };
    let refused = probe::run(&even, &clock, &stop, &mut |_| {}).await.expect_err("it cannot be set").to_string();
    assert!(refused.contains("settings"), "{refused}");
    let (found, told) = probed(&modbus).await;
    assert!(told.starts_with("asking 2 unit ids, 9600 baud"), "{told}");
    let config = appended(&found);
    assert_eq!((config.bus[1].baud, config.device[0].unit, config.device.len()), (9_600, 5, 1));
    let (source, _) = delivers(&found, "electrical.ac.0.phase.A.lineNeutralVoltage").await;
    assert_eq!(source, "power.unit5");
    server.abort();
}

#[tokio::test]
async fn a_line_without_units_says_what_to_check() {
    let (address, _) = meters(&[]).await;
    let modbus = options(&format!("tcp://{address}"));
    let (found, _) = probed(&ProbeOptions { protocol: Some(Protocol::Modbus), units: vec![1], ..modbus }).await;
    assert!(
        !found.understood && found.config.is_empty() && found.hints[0].starts_with("no unit answered"),
        "{found:?}"
    );
    let talking = options(&format!("tcp://{}", talker(DEPTH).await));
    let (found, _) = probed(&ProbeOptions { protocol: Some(Protocol::Modbus), units: vec![1], ..talking }).await;
    assert!(!found.understood, "sentences are no answer: {found:?}");
}
