//! The whole gateway as a process: how soon it is there, what it holds while nothing comes, what 10,000 readings a
//! second cost it. And nothing may be lost: what the simulated instruments were relieved of, what SQL counts, and what
//! the decoders read back must be the same number.
//!
//! Peers: Signal K server, and mosquitto for memory where that cannot be had. Signal K server gets the same load, but
//! stores nothing.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use hawser::clock::{Clock, Stamp};
use hawser::gateway::TELEMETRY_DIR;
use hawser::sim::{self, Output, SimHandle, SimOptions, Spoken, Start, Vessel};
use hawser::store::telemetry::{Query, TelemetryReader};
use tokio::runtime::Runtime;

use super::process::{Process, gateway, mosquitto, silent_server, wait_until};
use super::runner::{Better, Figure, median, progress, scratch};
use super::signalk;

/// Of the gateway (Hawser's own; a box has 512 MB and starts after a blackout).
const IDLE_RSS_MB_GOAL: f64 = 16.0;
const START_MS_GOAL: f64 = 50.0;
const CPU_PERCENT_GOAL: f64 = 5.0;
const SENTENCES_CPU_PERCENT_GOAL: f64 = 0.2;

/// Starts on a warm data directory.
const STARTS: usize = 10;

/// How long a process settles before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);

/// How long idle processor time is watched: long enough for 100 ticks of 10 ms at 5 %.
const IDLE_WATCHED: Duration = Duration::from_secs(10);

/// What every load comes to.
const READINGS_PER_S: f64 = 10_000.0;

/// What a busy bridge says.
const SENTENCES_PER_S: f64 = 1_000.0;

/// 100 devices of 100 readings a second each.
const DEVICES: u32 = 100;
const DEVICE_RATE_HZ: f64 = READINGS_PER_S / DEVICES as f64;

/// Multiplexers that the devices hang on. The simulator writes each 20 ms what is due: on 4 buses that is 200 reads a
/// second of 50 sentences, on 50 buses 2,500 of 4. What is not in any figure here: each sentence in a segment of its
/// own. That wakes the gateway up to 10,000 times a second and was seen to cost it 23 % of a core, three quarters of it
/// in the kernel.
const BUSES: usize = 4;
const MANY_BUSES: usize = 50;

/// A peer that takes less of the load than this share was not under the same load.
const SAME_LOAD: f64 = 0.99;

/// How long load is watched.
const LOAD_WATCHED: Duration = Duration::from_secs(20);

/// Readings before the watch begins: connections are open, tables filled.
const WARM_READINGS: u64 = 20_000;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn bus(name: usize, address: &SocketAddr) -> String {
    format!("[[bus]]\nname = \"bus{name}\"\nprotocol = \"nmea0183\"\naddress = \"tcp://{address}\"\n")
}

fn silent_bus() -> SocketAddr {
    SocketAddr::new(LOOPBACK.ip(), silent_server())
}

/// Time from exec(2) to READY=1.
pub fn start() -> Vec<Figure> {
    let (dir, silent) = (scratch(), silent_bus());
    let started = || {
        let (process, time) = gateway(dir.path(), &bus(0, &silent));
        process.stop();
        time.as_secs_f64() * 1e3
    };
    // The first makes databases, token and vessel id.
    let first = started();
    let times: Vec<f64> = (0..STARTS).map(|_| started()).collect();
    let peer_dir = scratch();
    let peer = signalk::start(peer_dir.path(), &[silent]).map(|(_, time)| time.as_secs_f64() * 1e3);
    let range = (times.iter().copied().fold(f64::MAX, f64::min), times.iter().copied().fold(0.0, f64::max));
    let note = format!(
        "exec to READY=1, wall, median of {STARTS} ({:.0} to {:.0}), warm data directory; the first of all \
         {first:.0} ms; peer: one start, until it listens",
        range.0, range.1
    );
    let figure = Figure::new("gateway.start_ms", median(&times), "ms", Better::Lower, note);
    vec![figure.goal(START_MS_GOAL).beside(signalk::NAME, peer)]
}

/// What it holds and does while one bus is open and silent.
pub fn idle() -> Vec<Figure> {
    progress("gateway.idle: half a minute of silence");
    let (dir, silent) = (scratch(), silent_bus());
    let (process, _) = gateway(dir.path(), &bus(0, &silent));
    std::thread::sleep(SETTLE);
    let [rss, anonymous, of_files] = ["VmRSS", "RssAnon", "RssFile"].map(|line| process.memory_mb(line));
    let cpu = process.cpu_percent(IDLE_WATCHED);
    process.stop();
    let broker = mosquitto(dir.path()).map(|(broker, _)| {
        std::thread::sleep(SETTLE);
        broker.memory_mb("VmRSS")
    });
    let peer_dir = scratch();
    let peer = signalk::start(peer_dir.path(), &[silent]).map(|(peer, _)| {
        std::thread::sleep(SETTLE);
        (peer.memory_mb("VmRSS"), peer.cpu_percent(IDLE_WATCHED))
    });
    let mosquitto = broker.map_or_else(|| "not installed".to_owned(), |rss| format!("{rss:.1} MB"));
    let note =
        format!("{anonymous:.1} MB its own, {of_files:.1} MB pages of its files; mosquitto for scale: {mosquitto}");
    let memory = Figure::new("gateway.idle_rss_mb", rss, "MB", Better::Lower, note).goal(IDLE_RSS_MB_GOAL);
    let memory = match peer {
        Some((rss, _)) => memory.beside(signalk::NAME, Some(rss)),
        None => memory.beside("mosquitto", broker),
    };
    let note = format!("of one core, over {} s", IDLE_WATCHED.as_secs());
    let cpu = Figure::new("gateway.idle_cpu_percent", cpu, "% of a core", Better::Lower, note);
    vec![memory, cpu.beside(signalk::NAME, peer.map(|(_, cpu)| cpu))]
}

/// 10,000 readings a second into the store, the API up: one sentence, one reading.
pub fn load() -> Vec<Figure> {
    progress("gateway.cpu_percent_at_10k: half a minute of load for each side");
    let ours = under_load(devices(BUSES), "");
    let peer = peer_under_load(devices(BUSES));
    let (peer_cpu, peer_rss) = (peer.map(|(cpu, _)| cpu), peer.map(|(_, rss)| rss));
    let note = format!("memory under the same load, at its end; at most {:.1} MB at any time", ours.rss_peak_mb);
    let memory = Figure::new("gateway.rss_mb_at_10k", ours.rss_mb, "MB", Better::Lower, note);
    let mut cpu = ours.figure("gateway.cpu_percent_at_10k").goal(CPU_PERCENT_GOAL).beside(signalk::NAME, peer_cpu);
    cpu.note += "; the peer checks these sentences and drops them, as it knows no such transducers";
    vec![cpu, memory.beside(signalk::NAME, peer_rss)]
}

/// The same from [`MANY_BUSES`]: what waking up costs.
pub fn load_on_many_buses() -> Vec<Figure> {
    progress("gateway.cpu_percent_at_10k_50_buses: half a minute of load");
    vec![under_load(devices(MANY_BUSES), "").figure("gateway.cpu_percent_at_10k_50_buses").goal(CPU_PERCENT_GOAL)]
}

/// 10,000 readings a second as a vessel's instruments and its AIS receiver tell them, on one bus: sentences that the
/// peer knows too.
pub fn load_of_vessel() -> Vec<Figure> {
    progress("gateway.cpu_percent_at_10k_vessel: half a minute of load for each side");
    let ours = under_load(fast_vessel(), "").figure("gateway.cpu_percent_at_10k_vessel").goal(CPU_PERCENT_GOAL);
    vec![ours.beside(signalk::NAME, peer_under_load(fast_vessel()).map(|(cpu, _)| cpu))]
}

/// A vessel's instruments and her AIS receiver at 1,000 sentences a second, stored and published to a broker.
pub fn load_of_sentences() -> Vec<Figure> {
    const NAME: &str = "gateway.cpu_percent_1k_sentences";
    let dir = scratch();
    let Some((_broker, port)) = mosquitto(dir.path()) else {
        progress("mosquitto is not installed: gateway.cpu_percent_1k_sentences is left out");
        return Vec::new();
    };
    progress("gateway.cpu_percent_1k_sentences: half a minute of load for each side");
    let broker = format!("[[broker]]\nname = \"board\"\nurl = \"mqtt://127.0.0.1:{port}\"\n");
    let (load, readings_per_s) = vessel_at(SENTENCES_PER_S, |_| 1);
    let ours = under_load(load.clone(), &broker).figure(NAME).goal(SENTENCES_CPU_PERCENT_GOAL);
    vec![ours.beside(signalk::NAME, peer_under_load_of(load, readings_per_s).map(|(cpu, _)| cpu))]
}

/// The same as [`load`], with a broker: it gets the newest value of each series once a second, not every reading.
pub fn load_with_broker() -> Vec<Figure> {
    let dir = scratch();
    let Some((_broker, port)) = mosquitto(dir.path()) else {
        progress("mosquitto is not installed: gateway.cpu_percent_at_10k_mqtt is left out");
        return Vec::new();
    };
    progress("gateway.cpu_percent_at_10k_mqtt: half a minute of load");
    let broker = format!("[[broker]]\nname = \"board\"\nurl = \"mqtt://127.0.0.1:{port}\"\n");
    vec![under_load(devices(BUSES), &broker).figure("gateway.cpu_percent_at_10k_mqtt")]
}

fn devices(buses: usize) -> SimOptions {
    SimOptions::load(1, vec![Output::TcpListen(LOOPBACK); buses], DEVICES, DEVICE_RATE_HZ)
}

/// The vessel, so many times faster than life that it comes to [`READINGS_PER_S`].
fn fast_vessel() -> SimOptions {
    vessel_at(READINGS_PER_S, |spoken| spoken.readings).0
}

/// The vessel, so many times faster than life that it comes to `per_s` of what `count` counts in a sentence; and the
/// readings a second that this is.
fn vessel_at(per_s: f64, count: fn(&Spoken) -> u32) -> (SimOptions, f64) {
    const ROUNDS: i64 = 300;
    let mut vessel = Vessel::new(1, Start::default());
    let said: Vec<_> = (0..ROUNDS).flat_map(|second| vessel.step(Stamp::from_millis(second * 1_000))).collect();
    let counted: u32 = said.iter().map(count).sum();
    let readings: u32 = said.iter().map(|spoken| spoken.readings).sum();
    let rounds_per_s = per_s * ROUNDS as f64 / f64::from(counted);
    let vessel_millihertz = (rounds_per_s * 1_000.0).round() as u64;
    let options = SimOptions { vessel_millihertz, ..SimOptions::vessel(1, Output::TcpListen(LOOPBACK)) };
    (options, rounds_per_s * f64::from(readings) / ROUNDS as f64)
}

/// What a run of load came to.
struct Loaded {
    cpu_percent: f64,
    rss_mb: f64,
    rss_peak_mb: f64,
    readings_per_s: f64,
    taken: u64,
    counted: u64,
    read_back: u64,
    stopped_well: bool,
}

impl Loaded {
    fn figure(&self, name: &'static str) -> Figure {
        let Self { taken, counted, read_back, .. } = self;
        let note = format!(
            "of one core, of this process alone, {:.0} readings/s, written each 20 ms, over {} s; taken from the \
             instruments {taken}, counted by SQL {counted}, read back {read_back}, lost {}",
            self.readings_per_s,
            LOAD_WATCHED.as_secs(),
            taken.abs_diff(*counted.min(read_back)),
        );
        let mut figure = Figure::new(name, self.cpu_percent, "% of a core", Better::Lower, note);
        if taken != counted || counted != read_back {
            figure.failed = Some("readings were lost".to_owned());
        } else if !self.stopped_well {
            figure.failed = Some("the gateway did not end in order".to_owned());
        }
        figure
    }
}

/// Simulated instruments, and a thread for them: they are not part of what is measured.
fn instruments(options: SimOptions) -> (Runtime, SimHandle) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a thread can be started");
    let handle = runtime.block_on(sim::serve(options, Clock::system())).expect("loopback has free ports");
    (runtime, handle)
}

fn warm(instruments: &SimHandle) -> bool {
    wait_until(Duration::from_secs(60), || instruments.taken() >= WARM_READINGS)
}

fn under_load(load: SimOptions, broker: &str) -> Loaded {
    let (dir, (runtime, instruments)) = (scratch(), instruments(load));
    let buses: String = (0..).zip(instruments.addresses()).map(|(name, address)| bus(name, address)).collect();
    let (process, _) = gateway(dir.path(), &format!("{buses}{broker}"));
    assert!(warm(&instruments), "the gateway takes nothing in");
    let (cpu_percent, readings_per_s) = watch(&process, &instruments);
    let [rss_mb, rss_peak_mb] = ["VmRSS", "VmHWM"].map(|line| process.memory_mb(line));
    let taken = runtime.block_on(instruments.stop());
    let stopped_well = process.stop();
    let (counted, read_back) = stored(&dir.path().join("data").join(TELEMETRY_DIR));
    Loaded { cpu_percent, rss_mb, rss_peak_mb, readings_per_s, taken, counted, read_back, stopped_well }
}

/// Per cent of a core over the watched time, and the readings a second taken meanwhile.
fn watch(process: &Process, instruments: &SimHandle) -> (f64, f64) {
    let (taken, since) = (instruments.taken(), Instant::now());
    let cpu_percent = process.cpu_percent(LOAD_WATCHED);
    (cpu_percent, (instruments.taken() - taken) as f64 / since.elapsed().as_secs_f64())
}

/// Per cent of a core, and memory in MB; `None` where the peer cannot be had or does not take the load.
fn peer_under_load(load: SimOptions) -> Option<(f64, f64)> {
    peer_under_load_of(load, READINGS_PER_S)
}

/// The same, where the load is so many readings a second.
fn peer_under_load_of(load: SimOptions, expected_per_s: f64) -> Option<(f64, f64)> {
    let (dir, (runtime, instruments)) = (scratch(), instruments(load));
    let (peer, _) = signalk::start(dir.path(), instruments.addresses())?;
    if !warm(&instruments) {
        return None;
    }
    let (cpu, readings_per_s) = watch(&peer, &instruments);
    let rss = peer.memory_mb("VmRSS");
    drop(peer);
    runtime.block_on(instruments.stop());
    if readings_per_s < expected_per_s * SAME_LOAD {
        progress(&format!("the peer took {readings_per_s:.0} readings/s only: its value is left out"));
        return None;
    }
    Some((cpu, rss))
}

/// Readings by SQL, and readings decoded one by one.
fn stored(telemetry: &Path) -> (u64, u64) {
    let reader = TelemetryReader::new(telemetry);
    let counted = reader.stats().expect("the gateway has closed its files").readings;
    let mut read_back = 0;
    let every = |_| {
        read_back += 1;
        ControlFlow::Continue(())
    };
    reader.query(&Query::default(), every).expect("the gateway has closed its files");
    (counted, read_back)
}
