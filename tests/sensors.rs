//! The sensor buses on real sockets, against servers that die, flood, garble and drip; and the simulator's count
//! against what arrives. Nothing here is timed: conditions are waited for, and only a hang ends in a failure.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hawser::bus::{Bus, LANE_READINGS_MAX};
use hawser::clock::{Clock, Stamp};
use hawser::config::{BusConfig, GatewayConfig, Protocol};
use hawser::entropy::Entropy;
use hawser::reading::{Reading, SeriesRegistry};
use hawser::sensors::{BusSnapshot, BusState, Sensors, SensorsContext, Tuning};
use hawser::sim::{Output, SimOptions, Start, Vessel, serve};
use hawser::wire::nmea0183::{Decoder, LINE_BYTES_MAX};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

const START: Stamp = Stamp::from_millis(1_795_243_260_000);
const LOOPBACK: &str = "127.0.0.1:0";

/// A sound sentence of one reading.
const DEPTH: &[u8] = b"$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n";

/// Ends a test that hangs; no assertion depends on it.
const HANG: Duration = Duration::from_secs(120);

/// Buses under test and what comes out of them.
struct Rig {
    context: SensorsContext,
    sensors: Sensors,
}

impl Rig {
    fn new(addresses: &[(&str, String)], registry: SeriesRegistry, read_idle_max: Duration) -> Self {
        let (backoff_min, backoff_max) = (Duration::from_millis(5), Duration::from_millis(20));
        let context = SensorsContext {
            clock: Clock::manual(START),
            entropy: Entropy::seeded(1),
            registry,
            bus: Bus::default(),
            shutdown: CancellationToken::new(),
            tuning: Tuning { backoff_min, backoff_max, read_idle_max, ..Tuning::default() },
            data_dir: None,
        };
        let bus = addresses.iter().map(|(name, address)| config(name, address, true)).collect();
        let sensors = Sensors::spawn(&of_buses(bus), &context).expect("the addresses are sound");
        Self { context, sensors }
    }

    fn usual(addresses: &[(&str, String)]) -> Self {
        Self::new(addresses, SeriesRegistry::default(), HANG)
    }

    fn bus(&self, name: &str) -> BusSnapshot {
        let stats = self.sensors.stats().iter().find(|stats| stats.name() == name).expect("the bus is configured");
        stats.snapshot(self.context.clock.now())
    }

    fn rejected(&self, name: &str) -> u64 {
        self.bus(name).rejected.values().sum()
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(HANG, waiting).await.is_err() {
            let buses: Vec<_> = self.sensors.stats().iter().map(|s| s.snapshot(self.context.clock.now())).collect();
            panic!("never: {what}; {buses:#?}");
        }
    }

    /// Stops all buses in order and takes what their lanes hold.
    async fn stop(self) -> Vec<Reading> {
        self.context.shutdown.cancel();
        let stats = self.sensors.stats().to_vec();
        self.sensors.stopped().await;
        assert!(stats.iter().all(|stats| stats.state() == BusState::Closed));
        let mut all = Vec::new();
        self.context.bus.drain_into(&mut all, usize::MAX);
        all
    }
}

fn config(name: &str, address: &str, enabled: bool) -> BusConfig {
    BusConfig { enabled, ..BusConfig::new(name, Protocol::Nmea0183, address) }
}

fn of_buses(bus: Vec<BusConfig>) -> GatewayConfig {
    GatewayConfig { bus, ..GatewayConfig::default() }
}

fn of_bus<'a>(readings: &'a [Reading], bus: &str) -> impl Iterator<Item = &'a Reading> {
    let source = format!("{bus}.");
    readings.iter().filter(move |reading| reading.series.key.source.starts_with(&source))
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// Serves `count` depths to one client, one at a time so that others get their turns, then waits for its end.
async fn good_server(listener: TcpListener, count: usize) {
    let (mut stream, _) = listener.accept().await.unwrap();
    for _ in 0..count {
        stream.write_all(DEPTH).await.unwrap();
        tokio::task::yield_now().await;
    }
    let _ = stream.read(&mut [0; 1]).await;
}

/// What a bad server does with each connection, for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Vice {
    /// Random bytes.
    Garbles,
    /// Half a sentence, then the end.
    Dies,
    /// Sentences with wrong checksums, as fast as they are taken.
    Floods,
    /// Bytes of a line that never ends.
    NeverEndsALine,
}

async fn bad_server(listener: TcpListener, vice: Vice) {
    let entropy = Entropy::seeded(9);
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut written = stream.write_all(b"$GPRMC,1").await;
        while written.is_ok() && vice != Vice::Dies {
            let bytes = match vice {
                Vice::Garbles => (0..512).flat_map(|_| entropy.next_u64().to_le_bytes()).collect(),
                Vice::Floods => b"$SDDBT,7.8,f,9.9,M,1.3,F*00\r\n".repeat(200),
                Vice::NeverEndsALine | Vice::Dies => vec![b'1'; 8_192],
            };
            written = stream.write_all(&bytes).await;
        }
    }
}

#[tokio::test]
async fn whatever_one_bus_does_the_other_keeps_every_reading() {
    const COUNT: usize = 3_000;
    for vice in [Vice::Garbles, Vice::Dies, Vice::Floods, Vice::NeverEndsALine] {
        let ((good, good_at), (bad, bad_at)) = (listen().await, listen().await);
        let rig = Rig::usual(&[("good", good_at), ("bad", bad_at)]);
        let servers = [tokio::spawn(good_server(good, COUNT)), tokio::spawn(bad_server(bad, vice))];
        rig.until("all good readings", |rig| rig.bus("good").readings == COUNT as u64).await;
        rig.until("the bad bus showed its vice", |rig| rig.rejected("bad") > 0).await;
        if vice == Vice::NeverEndsALine {
            rig.until("a thousand lines' worth", |rig| rig.bus("bad").bytes > 1 << 20).await;
            let held = rig.bus("bad").buffer_bytes as usize;
            assert!(held <= (16 << 10) + 2 * LINE_BYTES_MAX, "an endless line is not kept: {held} bytes");
        }
        if vice == Vice::Dies {
            rig.until("several lives", |rig| rig.bus("bad").reconnects >= 3).await;
        }
        assert_eq!((rig.rejected("good"), rig.bus("good").reconnects), (0, 0), "{vice:?}");
        assert_eq!(rig.bus("bad").restarts, 0, "{vice:?}: nothing panics");
        let readings = rig.stop().await;
        assert_eq!(of_bus(&readings, "good").count(), COUNT, "{vice:?}");
        servers.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn a_server_that_returns_is_the_same_source_and_half_a_sentence_is_none() {
    let (listener, address) = listen().await;
    let at: SocketAddr = listener.local_addr().unwrap();
    let rig = Rig::usual(&[("nav", address)]);
    let (mut first, _) = listener.accept().await.unwrap();
    first.write_all(DEPTH).await.unwrap();
    // Half of a depth is a wrong depth; joined to what comes next it would be one more.
    first.write_all(b"$SDDBT,7.8,f,2").await.unwrap();
    first.shutdown().await.unwrap();
    drop((first, listener));
    rig.until("it is gone", |rig| rig.bus("nav").last_error.contains("cannot connect")).await;
    assert_eq!(rig.bus("nav").state, BusState::Connecting);
    let listener = TcpListener::bind(at).await.unwrap();
    let (mut second, _) = listener.accept().await.unwrap();
    second.write_all(b".4,M,1.3,F*0D\r\n").await.unwrap();
    second.write_all(DEPTH).await.unwrap();
    rig.until("all was read", |rig| rig.bus("nav").bytes == 2 * DEPTH.len() as u64 + 14 + 15).await;
    rig.until("both depths", |rig| rig.bus("nav").readings >= 2).await;
    assert_eq!((rig.bus("nav").readings, rig.bus("nav").reconnects), (2, 1));
    assert_eq!(rig.bus("nav").rejected.get("cut"), Some(&1));
    let registry = rig.context.registry.clone();
    let readings = rig.stop().await;
    assert!(Arc::ptr_eq(&readings[0].series, &readings[1].series));
    assert_eq!((&*readings[0].series.key.source, registry.len()), ("nav.SD", 1));
}

#[tokio::test]
async fn a_whole_last_sentence_counts_though_its_line_end_never_came() {
    let (listener, address) = listen().await;
    let rig = Rig::usual(&[("nav", address)]);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(DEPTH.trim_ascii_end()).await.unwrap();
    drop(stream);
    rig.until("the depth", |rig| rig.bus("nav").readings == 1).await;
    rig.stop().await;
}

#[tokio::test]
async fn bytes_that_drip_make_whole_sentences_and_hold_up_nobody() {
    let ((drip, drip_at), (good, good_at)) = (listen().await, listen().await);
    let rig = Rig::usual(&[("drip", drip_at), ("good", good_at)]);
    let server = tokio::spawn(good_server(good, 500));
    let (mut stream, _) = drip.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    for (index, byte) in DEPTH.repeat(3).iter().enumerate() {
        stream.write_all(&[*byte]).await.unwrap();
        // Each byte is read by itself: the next is sent when it has arrived.
        rig.until("the byte arrived", |rig| rig.bus("drip").bytes > index as u64).await;
    }
    rig.until("all", |rig| rig.bus("drip").readings == 3 && rig.bus("good").readings == 500).await;
    assert_eq!(rig.rejected("drip"), 0);
    server.abort();
    rig.stop().await;
}

#[tokio::test]
async fn a_connection_that_went_silent_is_opened_again() {
    let (listener, address) = listen().await;
    let rig = Rig::new(&[("nav", address)], SeriesRegistry::default(), Duration::from_millis(30));
    let server = tokio::spawn(async move {
        let mut open: Vec<TcpStream> = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap().0);
        }
    });
    rig.until("two new connections", |rig| rig.bus("nav").reconnects >= 2).await;
    assert!(rig.bus("nav").last_error.contains("nothing came"));
    server.abort();
    rig.stop().await;
}

#[tokio::test]
async fn datagrams_are_units_and_garbage_among_them_is_counted() {
    let rig = Rig::usual(&[("udp", format!("udp://{LOOPBACK}"))]);
    rig.until("it listens", |rig| rig.bus("udp").state == BusState::Open).await;
    let target: SocketAddr = rig.bus("udp").listening_on.parse().unwrap();
    let entropy = Entropy::seeded(4);
    let mut sent = 0;
    for round in 1..=50u64 {
        // A new sender each round.
        let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        let noise: Vec<u8> = (0..64).flat_map(|_| entropy.next_u64().to_le_bytes()).collect();
        let (bare, two) = (DEPTH.trim_ascii_end(), DEPTH.repeat(2));
        for datagram in [DEPTH, bare, b"$SDDBT,7.8,f,2", b".4,M,1.3,F*0D\r\n", &noise, b"", &two] {
            socket.send_to(datagram, target).await.unwrap();
            sent += datagram.len() as u64;
        }
        // The kernel's buffer is bounded too: wait until the round was read.
        rig.until("the round was read", |rig| rig.bus("udp").bytes == sent).await;
        rig.until("its depths are here", |rig| rig.bus("udp").readings == round * 4).await;
    }
    assert!(rig.bus("udp").rejected.get("cut").is_some_and(|cut| *cut >= 50), "halves are not joined");
    assert_eq!(rig.stop().await.len(), 200);
}

#[tokio::test]
async fn a_datagram_flood_into_a_full_lane_is_counted_to_the_last_reading() {
    let rig = Rig::usual(&[("udp", format!("udp://{LOOPBACK}"))]);
    rig.until("it listens", |rig| rig.bus("udp").state == BusState::Open).await;
    let target: SocketAddr = rig.bus("udp").listening_on.parse().unwrap();
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    let datagram = DEPTH.repeat(1_000);
    for round in 1..=40 {
        socket.send_to(&datagram, target).await.unwrap();
        rig.until("it was read", |rig| rig.bus("udp").bytes == round * datagram.len() as u64).await;
    }
    rig.until("all are counted", |rig| rig.bus("udp").readings + rig.rejected("udp") == 40_000).await;
    let refused = rig.bus("udp").rejected["bus_full"];
    let kept = rig.stop().await.len() as u64;
    assert_eq!((kept, kept + refused), (LANE_READINGS_MAX as u64, 40_000));
}

#[tokio::test]
async fn series_that_a_bus_invents_leave_the_others_alone() {
    let ((good, good_at), (bad, bad_at)) = (listen().await, listen().await);
    let rig = Rig::new(&[("good", good_at), ("bad", bad_at)], SeriesRegistry::with_limit(5), HANG);
    let (mut good, _) = good.accept().await.unwrap();
    good.write_all(DEPTH).await.unwrap();
    rig.until("the good bus is known", |rig| rig.bus("good").readings == 1).await;
    let (mut bad, _) = bad.accept().await.unwrap();
    let letter = |n: u32| char::from(b'A' + (n % 26) as u8);
    // A first letter P is no talker but a maker's own sentence.
    for talker in (0..676u32).filter(|talker| letter(talker / 26) != 'P') {
        let body = format!("{}{}DBT,7.8,f,2.4,M,1.3,F", letter(talker / 26), letter(talker));
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        bad.write_all(format!("${body}*{sum:02X}\r\n").as_bytes()).await.unwrap();
    }
    let counted = |rig: &Rig| rig.bus("bad").readings + rig.rejected("bad");
    rig.until("each was kept or counted", |rig| counted(rig) == 650).await;
    assert!(rig.bus("bad").rejected["series_limit"] > 600);
    good.write_all(DEPTH).await.unwrap();
    rig.until("the good bus lives on", |rig| rig.bus("good").readings == 2).await;
    assert_eq!(rig.context.registry.len(), 5);
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_writer_holds_a_tcp_bus_back_and_nothing_is_lost() {
    const COUNT: usize = 50_000;
    let (listener, address) = listen().await;
    let rig = Rig::usual(&[("nav", address)]);
    let drained = Arc::new(AtomicU64::new(0));
    let (bus, counter) = (rig.context.bus.clone(), Arc::clone(&drained));
    let writer = tokio::spawn(async move {
        let mut batch = Vec::new();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            bus.drain_into(&mut batch, 1_500);
            counter.fetch_add(batch.len() as u64, Ordering::Relaxed);
            batch.clear();
        }
    });
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&DEPTH.repeat(COUNT)).await.unwrap();
        let _ = stream.read(&mut [0; 1]).await;
    });
    rig.until("all", |_| drained.load(Ordering::Relaxed) == COUNT as u64).await;
    assert_eq!(rig.rejected("nav"), 0);
    writer.abort();
    server.abort();
    rig.stop().await;
}

#[tokio::test]
async fn disabled_buses_are_shown_and_bad_addresses_refused() {
    let rig = Rig::usual(&[]);
    let sensors = Sensors::spawn(&of_buses(vec![config("spare", "tcp://nowhere:1", false)]), &rig.context).unwrap();
    assert_eq!(sensors.stats()[0].state(), BusState::Disabled);
    let idle = BusConfig::new("power", Protocol::Modbus, "tcp://nowhere:1");
    let idle = Sensors::spawn(&of_buses(vec![idle]), &rig.context).unwrap();
    assert_eq!(idle.stats()[0].state(), BusState::Disabled, "it has nobody to ask");
    idle.stopped().await;
    let refused =
        Sensors::spawn(&of_buses(vec![config("spare", "nowhere:1", true)]), &rig.context).unwrap_err().to_string();
    assert!(refused.starts_with("bus `spare`") && refused.contains("tcp://host:port"), "{refused}");
    sensors.stopped().await;
}

/// The simulator's count against the decoder's, sentence by sentence.
#[test]
fn the_simulator_and_the_decoder_count_alike() {
    let mut vessel = Vessel::new(11, Start::default());
    let mut decoder = Decoder::new();
    let mut wrong = BTreeMap::new();
    for second in 0..120 {
        for spoken in vessel.step(START.plus_millis(second * 1_000)) {
            let mut decoded = Vec::new();
            let result = decoder.decode(spoken.sentence.trim_end().as_bytes(), &mut decoded).map(|_| ());
            if result.is_err() || decoded.len() != spoken.readings as usize {
                let paths: Vec<_> = decoded.iter().map(|d| format!("{}={:?}", d.path, d.value)).collect();
                wrong.insert(spoken.sentence[3..6].to_owned(), (spoken, result, paths));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_reading_that_the_simulator_counts_as_taken_is_had() {
    let listen = Output::TcpListen(LOOPBACK.parse().unwrap());
    let mut ship = SimOptions::vessel(5, listen.clone());
    ship.vessel_millihertz = 20_000;
    let load = SimOptions::load(6, vec![listen.clone(), listen.clone()], 100, 100.0);
    let clock = Clock::manual(START);
    let mut sims = Vec::new();
    for options in [ship, load, SimOptions::vessel(7, listen)] {
        sims.push(serve(options, clock.clone()).await.unwrap());
    }
    let addresses = sims.iter().flat_map(|sim| sim.addresses()).map(|at| format!("tcp://{at}"));
    let names = ["ship", "load0", "load1", "quiet"];
    let rig = Rig::usual(&names.into_iter().zip(addresses).collect::<Vec<_>>());
    rig.until("much was taken", |rig| rig.bus("ship").readings > 500 && rig.bus("load1").readings > 5_000).await;
    rig.until("the quiet one spoke", |rig| rig.bus("quiet").readings > 0).await;
    let mut taken = Vec::new();
    for sim in sims {
        // It returns when the buses have closed their sides, and they do that after they have handed everything over.
        taken.push(sim.stop().await);
    }
    let had: Vec<_> = names.iter().map(|name| rig.bus(name).readings).collect();
    assert_eq!([had[0], had[1] + had[2], had[3]], taken[..]);
    assert_eq!(names.iter().map(|name| rig.rejected(name)).sum::<u64>(), 0);
    let readings = rig.stop().await;
    assert_eq!(readings.len() as u64, taken.iter().sum::<u64>());
    let series: HashSet<_> = of_bus(&readings, "load0").map(|reading| reading.series.id).collect();
    assert_eq!(series.len(), 50, "each device is a series of its own");
}
