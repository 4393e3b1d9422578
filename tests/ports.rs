//! Serial ports (real pseudo-terminals), multicast groups on loopback, and what becomes of sources that fall silent or
//! rival each other. Nothing here is timed: conditions are waited for, and only a hang ends in a failure.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hawser::bus::Bus;
use hawser::clock::{Clock, Stamp};
use hawser::config::{BusConfig, GatewayConfig, PriorityConfig, Protocol, SeriesConfig};
use hawser::entropy::Entropy;
use hawser::reading::{Quality, Reading, SeriesRegistry, Value};
use hawser::sensors::{BusSnapshot, BusState, Sensors, SensorsContext, Tuning};
use nix::pty::openpty;
use nix::unistd::ttyname;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

const START: Stamp = Stamp::from_millis(1_795_243_260_000);

/// Sound sentences of one reading.
const DEPTH: &[u8] = b"$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n";

/// Ends a test that hangs; no assertion depends on it.
const HANG: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

struct Rig {
    context: SensorsContext,
    sensors: Sensors,
    taken: Vec<Reading>,
}

impl Rig {
    fn new(config: &GatewayConfig) -> Self {
        Self::tuned(config, Tuning::default().read_idle_max)
    }

    /// With another longest silence.
    fn tuned(config: &GatewayConfig, read_idle_max: Duration) -> Self {
        let short = Duration::from_millis(20);
        let (backoff_min, backoff_max, backoff_max_nearby) = (short, short, short);
        let tuning = Tuning { backoff_min, backoff_max, backoff_max_nearby, read_idle_max, ..Tuning::default() };
        let context = SensorsContext {
            clock: Clock::manual(START),
            entropy: Entropy::seeded(1),
            registry: SeriesRegistry::default(),
            bus: Bus::default(),
            shutdown: CancellationToken::new(),
            tuning,
            data_dir: None,
        };
        let sensors = Sensors::spawn(config, &context).expect("the configuration is sound");
        Self { context, sensors, taken: Vec::new() }
    }

    fn bus(&self, name: &str) -> BusSnapshot {
        let stats = self.sensors.stats().iter().find(|stats| stats.name() == name).expect("the bus is configured");
        stats.snapshot(self.context.clock.now())
    }

    async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let wait = async {
            while !done(self) {
                tokio::time::sleep(LOOK).await;
                self.context.bus.drain_into(&mut self.taken, usize::MAX);
            }
        };
        if tokio::time::timeout(HANG, wait).await.is_err() {
            panic!("never: {what}; {:#?}", self.sensors.stats());
        }
    }

    async fn stop(self) -> Vec<Reading> {
        self.context.shutdown.cancel();
        self.sensors.stopped().await;
        let mut taken = self.taken;
        self.context.bus.drain_into(&mut taken, usize::MAX);
        taken
    }
}

fn one_bus(bus: BusConfig) -> GatewayConfig {
    GatewayConfig { bus: vec![bus], ..GatewayConfig::default() }
}

/// The far end of a serial adapter, plugged in at `link`.
struct Adapter {
    far: File,
    link: PathBuf,
}

impl Adapter {
    fn plug_in(link: &Path) -> Self {
        let pair = openpty(None, None).expect("the system has pseudo-terminals");
        let near = ttyname(pair.slave.as_fd()).expect("a pseudo-terminal has a name");
        std::os::unix::fs::symlink(near, link).unwrap();
        Self { far: File::from(pair.master), link: link.to_owned() }
    }

    /// The rate that the near end was opened with.
    fn rate(&self) -> u32 {
        rustix::termios::tcgetattr(&self.far).expect("both ends share their settings").output_speed()
    }

    fn say(&mut self, bytes: &[u8]) {
        self.far.write_all(bytes).unwrap();
    }

    fn pull_out(self) {
        std::fs::remove_file(self.link).unwrap();
    }
}

#[tokio::test]
async fn an_adapter_that_is_pulled_out_and_plugged_in_again_is_the_same_source() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("usb-ACME_0183-if00");
    let address = format!("serial://{}", link.display());
    let bus = BusConfig { baud: 4_800, ..BusConfig::new("depth", Protocol::Nmea0183, &address) };
    let mut rig = Rig::new(&one_bus(bus));
    rig.until("it is missed", |rig| rig.bus("depth").last_error.contains("is it plugged in")).await;
    let mut adapter = Adapter::plug_in(&link);
    rig.until("it is open", |rig| rig.bus("depth").state == BusState::Open).await;
    assert_eq!(adapter.rate(), 4_800);
    adapter.say(DEPTH);
    adapter.say(b"$SDDBT,7.8,f,2");
    rig.until("the depth", |rig| rig.bus("depth").bytes == DEPTH.len() as u64 + 14).await;
    adapter.pull_out();
    rig.until("it is gone", |rig| rig.bus("depth").state == BusState::Connecting).await;
    let mut adapter = Adapter::plug_in(&link);
    rig.until("it is back", |rig| rig.bus("depth").reconnects == 1).await;
    adapter.say(DEPTH);
    rig.until("two depths", |rig| rig.bus("depth").readings == 2).await;
    let registry = rig.context.registry.clone();
    let readings = rig.stop().await;
    assert!(Arc::ptr_eq(&readings[0].series, &readings[1].series));
    assert_eq!((&*readings[0].series.key.source, registry.len()), ("depth.SD", 1));
}

/// A line of 38,400 bits a second that is listened to at another rate gives garbage. A pseudo-terminal has no rate of
/// its own, so its far end looks at what the near end has set.
#[tokio::test]
async fn the_rate_of_a_line_is_found_by_listening() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let mut adapter = Adapter::plug_in(&link);
    let done = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&done);
    let talker = tokio::spawn(async move {
        while !ended.load(Ordering::Relaxed) {
            let garbage: Vec<u8> = DEPTH.iter().map(|byte| byte.rotate_left(3) ^ 0x5A).collect();
            adapter.say(if adapter.rate() == 38_400 { DEPTH } else { &garbage });
            tokio::time::sleep(LOOK).await;
        }
        adapter.rate()
    });
    let mut rig =
        Rig::new(&one_bus(BusConfig::new("ais", Protocol::Nmea0183, &format!("serial://{}", link.display()))));
    rig.until("ten depths", |rig| rig.bus("ais").readings >= 10).await;
    done.store(true, Ordering::Relaxed);
    assert_eq!(talker.await.unwrap(), 38_400);
    rig.stop().await;
}

/// What an instrument says each half hour is kept, and what it said during the search too. A silent server beside it
/// shows that the longest silence has passed.
#[tokio::test]
async fn a_line_whose_rate_is_found_may_speak_seldom_but_not_nonsense() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let mut adapter = Adapter::plug_in(&link);
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [format!("serial://{}", link.display()), format!("tcp://{}", server.local_addr().unwrap())];
    let buses = ["line", "server"].iter().zip(&addresses);
    let bus = buses.map(|(name, address)| BusConfig::new(name, Protocol::Nmea0183, address)).collect();
    let read_idle_max = Duration::from_millis(100);
    let mut rig = Rig::tuned(&GatewayConfig { bus, ..GatewayConfig::default() }, read_idle_max);
    rig.until("it is listened to", |_| adapter.rate() == 4_800).await;
    adapter.say(&DEPTH.repeat(2));
    rig.until("both depths of the search", |rig| rig.bus("line").readings == 2).await;
    for count in 3..=5 {
        let silent = rig.bus("server").reconnects + 2;
        rig.until("the time passes", |rig| rig.bus("server").reconnects >= silent).await;
        rig.context.clock.advance_ms(1_800_000);
        let bytes = rig.bus("line").bytes + 10;
        adapter.say(&DEPTH[..10]);
        rig.until("half a sentence", |rig| rig.bus("line").bytes == bytes).await;
        adapter.say(&DEPTH[10..]);
        rig.until("a depth", |rig| rig.bus("line").readings >= count && rig.bus("line").stale_series == 0).await;
        assert_eq!((rig.bus("line").reconnects, rig.bus("line").state), (0, BusState::Open));
    }
    rig.until("nonsense is given up", |rig| {
        adapter.say(&[0x5A; 100]);
        rig.context.clock.advance_ms(50);
        rig.bus("line").last_error.contains("no sound message")
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn a_multicast_group_is_joined() {
    let listener = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let group = Ipv4Addr::new(239, 192, 0, 1);
    let mut config = one_bus(BusConfig::new("nav", Protocol::Nmea0183, &format!("udp://{group}:{port}")));
    config.bus[0].interfaces = vec!["127.0.0.1".to_owned()];
    let mut rig = Rig::new(&config);
    rig.until("it listens", |rig| rig.bus("nav").state == BusState::Open).await;
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let socket = socket2::SockRef::from(&sender);
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.set_multicast_loop_v4(true).unwrap();
    sender.send_to(DEPTH, SocketAddr::from((group, port))).await.unwrap();
    rig.until("the depth", |rig| rig.bus("nav").readings == 1).await;
    rig.stop().await;
    config.bus[0].interfaces = vec!["eth99".to_owned()];
    let mut rig = Rig::new(&config);
    rig.until("no such interface", |rig| rig.bus("nav").last_error.contains("`eth99`")).await;
    rig.stop().await;
}

/// A silent server beside it shows that the longest silence has passed, some times.
#[tokio::test]
async fn a_quiet_group_stays_bound_and_joined() {
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = SocketAddr::from((Ipv4Addr::new(239, 192, 0, 2), free.local_addr().unwrap().port()));
    drop(free);
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let of_group = BusConfig {
        interfaces: vec!["127.0.0.1".to_owned()],
        ..BusConfig::new("nav", Protocol::Nmea0183, &format!("udp://{address}"))
    };
    let of_server = BusConfig::new("server", Protocol::Nmea0183, &format!("tcp://{}", server.local_addr().unwrap()));
    let config = GatewayConfig { bus: vec![of_group, of_server], ..GatewayConfig::default() };
    let mut rig = Rig::tuned(&config, Duration::from_millis(50));
    rig.until("the time passes", |rig| rig.bus("server").reconnects >= 4).await;
    let nav = rig.bus("nav");
    assert_eq!((nav.state, nav.reconnects, nav.last_error.as_str()), (BusState::Open, 0, ""));
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket2::SockRef::from(&sender).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    sender.send_to(DEPTH, address).await.unwrap();
    rig.until("the depth", |rig| rig.bus("nav").readings == 1).await;
    rig.stop().await;
}

/// Says a depth on a UDP bus, from a socket of its own.
async fn say(rig: &Rig, bus: &str, bytes: &[u8]) {
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.send_to(bytes, rig.bus(bus).listening_on).await.unwrap();
}

fn udp_buses(names: &[&str]) -> GatewayConfig {
    let bus = names.iter().map(|name| BusConfig::new(name, Protocol::Nmea0183, "udp://127.0.0.1:0")).collect();
    GatewayConfig { bus, ..GatewayConfig::default() }
}

#[tokio::test]
async fn silence_becomes_a_reading_that_says_so() {
    let mut rig = Rig::new(&udp_buses(&["sounder"]));
    rig.until("it listens", |rig| rig.bus("sounder").state == BusState::Open).await;
    for count in 1..=3 {
        say(&rig, "sounder", DEPTH).await;
        rig.until("a depth", |rig| rig.bus("sounder").readings == count).await;
        rig.context.clock.advance_ms(1_000);
    }
    rig.context.clock.advance_ms(60_000);
    rig.until("it is stale", |rig| rig.bus("sounder").stale_series == 1).await;
    say(&rig, "sounder", DEPTH).await;
    rig.until("it is back", |rig| rig.bus("sounder").stale_series == 0 && rig.bus("sounder").readings == 5).await;
    let qualities: Vec<_> = rig.stop().await.iter().map(|reading| (reading.quality, reading.value.clone())).collect();
    let depth = (Quality::Good, Value::Float(2.4));
    let stale = (Quality::Stale, Value::Absent);
    assert_eq!(qualities, [depth.clone(), depth.clone(), depth.clone(), stale, depth]);
}

#[tokio::test]
async fn the_second_sounder_takes_over_when_the_first_is_silent_and_both_are_recorded() {
    let mut config = udp_buses(&["old", "new"]);
    let sources = vec!["new".to_owned(), "old".to_owned()];
    config.priority = vec![PriorityConfig { path: "environment.depth.*".to_owned(), sources, failover_s: 5 }];
    let mut rig = Rig::new(&config);
    rig.until("both listen", |rig| ["old", "new"].iter().all(|bus| rig.bus(bus).state == BusState::Open)).await;
    let preferred = |rig: &Rig, bus: &str| {
        let series = rig.taken.iter().rev().map(|reading| &reading.series);
        series.clone().find(|series| series.key.source.starts_with(bus)).is_some_and(|series| series.is_preferred())
    };
    for round in 1..=20 {
        rig.context.clock.advance_ms(1_000);
        say(&rig, "old", DEPTH).await;
        if round <= 10 {
            say(&rig, "new", DEPTH).await;
        }
        rig.until("the round's depths", |rig| {
            (rig.bus("old").readings, rig.bus("new").readings) == (round, round.min(10)) && !rig.taken.is_empty()
        })
        .await;
        rig.until("they were drained", |rig| rig.taken.len() as u64 == round + round.min(10)).await;
        if round == 10 {
            assert!(preferred(&rig, "new") && !preferred(&rig, "old"));
        }
    }
    assert!(preferred(&rig, "old") && !preferred(&rig, "new"), "ten seconds of silence");
    assert!(rig.bus("old").standby >= 9, "{}", rig.bus("old").standby);
    assert_eq!(rig.stop().await.len(), 30, "all are recorded");
}

#[tokio::test]
async fn a_dead_band_thins_and_counts() {
    let mut config = udp_buses(&["sounder"]);
    config.series =
        vec![SeriesConfig { path: "environment.*".to_owned(), dead_band: 0.5, keep_alive_s: 60, ..Default::default() }];
    let mut rig = Rig::new(&config);
    rig.until("it listens", |rig| rig.bus("sounder").state == BusState::Open).await;
    say(&rig, "sounder", &DEPTH.repeat(10)).await;
    rig.until("all came", |rig| rig.bus("sounder").sentences == 10).await;
    assert_eq!((rig.bus("sounder").readings, rig.bus("sounder").thinned), (1, 9));
    rig.stop().await;
}
