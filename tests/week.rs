//! A compressed week of the simulated vessel, with every fault that the simulator knows, through the gateway's
//! decoders: memory is flat, every fault shows, and nothing else is lost.
//!
//! The week is seven days of the vessel's clock, a round every 10 s; of each day HAWSER_WEEK_ROUNDS rounds are played
//! (8,640 are all of it). Faults and cuts of the stream come from HAWSER_WEEK_SEED, which is printed.

#[path = "week/modbus.rs"]
mod modbus;
#[path = "week/reasons.rs"]
mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use hawser::clock::Stamp;
use hawser::entropy::Entropy;
use hawser::reading::Quality;
use hawser::sim::{Body, Count, Fault, FaultKind, Faults, Format, Protocol, Start, Vessel, Voice};
use hawser::wire::can::{self, CanStream, FrameDecoder};
use hawser::wire::{Decoded, Sink, Source, StreamDecoder, dbc, iec61162_450, j1939, nmea0183, nmea2000};
use reasons::{Shows, reasons, shows};

const START: Stamp = Stamp::from_millis(1_795_243_260_000);

/// Milliseconds of a day, and between two rounds.
const DAY_MS: i64 = 86_400_000;
const ROUND_MS: i64 = 10_000;

/// Rounds of each day without HAWSER_WEEK_ROUNDS: two of its hours.
const ROUNDS: i64 = 720;

/// Bytes of a datagram behind its head, about an Ethernet frame's.
const DATAGRAM_BYTES: usize = 1_394;

/// Each kind of fault strikes each bus in one round of 50.
const PROBABILITY: f64 = 0.02;

/// Bytes that a decoder may hold between two reads: the longest line or binary message twice, and what a CAN bus may
/// leave half said (the decoders' own limits: 128 fast packets of 223 bytes, 64 transport sessions of 1,785 bytes, and
/// what is known of 504 devices).
const HELD_BYTES_MAX: usize = 512 << 10;

/// Bytes that the process may grow by after the first day: less than one a reading, and 4 MiB however many those are.
/// The allocator's arenas breathe by half a MiB.
const GROWTH_BYTES_MIN: u64 = 1 << 20;
const GROWTH_BYTES_MAX: u64 = 4 << 20;

/// Rounds that each kind of fault has for itself.
const LESSON_ROUNDS: i64 = 200;

/// The tests of this file share a process, whose memory one of them watches.
static ALONE: Mutex<()> = Mutex::new(());

/// What came out of one decoder.
#[derive(Debug, Default)]
struct Heard {
    good: u64,
    not_good: BTreeMap<&'static str, u64>,
    dropped: BTreeMap<&'static str, u64>,
    sources: BTreeSet<Source>,
    /// Times of measurement that no gateway would believe: more than half an hour from the round's.
    times_off: u64,
    now: Stamp,
}

impl Sink for Heard {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        for reading in readings.drain(..) {
            match reading.quality {
                Quality::Good => self.good += 1,
                other => *self.not_good.entry(other.name()).or_default() += 1,
            }
            self.sources.insert(reading.source);
            let off = |at: Stamp| at.millis_since(self.now).abs() > DAY_MS / 48;
            self.times_off += u64::from(reading.observed_at.is_some_and(off));
        }
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _: &dyn Display, _: &[u8]) {
        *self.dropped.entry(reason).or_default() += count;
    }
}

#[derive(Debug)]
enum Decoder {
    Datagrams(Box<dyn StreamDecoder>),
    Stream(Box<dyn StreamDecoder>),
    Frames(Box<dyn FrameDecoder>),
}

/// One bus: what is said on it, what hears it, and what was heard.
#[derive(Debug)]
struct Bus {
    name: &'static str,
    vessel: Vessel,
    voice: Voice,
    decoder: Decoder,
    heard: Heard,
    /// What must be heard, and what may be besides.
    must: u64,
    maybe: u64,
    held_bytes: usize,
    cuts: Entropy,
}

impl Bus {
    fn new(name: &'static str, seed: u64, faults: &[Fault]) -> Self {
        let (protocol, decoder) = bus(name);
        Self {
            name,
            vessel: Vessel::new(seed, Start::default()),
            voice: Voice::new(protocol, seed, Faults::new(seed ^ name.len() as u64, faults)).expect("it speaks"),
            decoder,
            heard: Heard::default(),
            must: 0,
            maybe: 0,
            held_bytes: 0,
            cuts: Entropy::seeded(seed),
        }
    }

    fn round(&mut self, at: Stamp) {
        self.vessel.advance(at);
        let round = self.voice.say(&self.vessel, at);
        let (now_ms, heard) = (at.millis() as u64, &mut self.heard);
        heard.now = at;
        if !round.plugged {
            match &mut self.decoder {
                Decoder::Stream(stream) | Decoder::Datagrams(stream) => stream.end_of_stream(now_ms, heard),
                Decoder::Frames(decoder) => decoder.end(now_ms, heard),
            }
            return;
        }
        let mut stream_bytes = Vec::new();
        for packet in round.packets {
            let Count { readings, maybe } = packet.count;
            (self.must, self.maybe) = (self.must + u64::from(readings), self.maybe + u64::from(maybe));
            match (packet.body, &mut self.decoder) {
                (Body::Bytes(bytes), Decoder::Datagrams(stream)) => {
                    for piece in bytes.chunks(DATAGRAM_BYTES) {
                        stream.push(b"UdPbC\0", now_ms, heard);
                        stream.push(piece, now_ms, heard);
                        stream.end_of_datagram(now_ms, heard);
                    }
                }
                (Body::Bytes(bytes), _) => stream_bytes.extend(bytes),
                (Body::Frame(frame), Decoder::Frames(decoder)) => decoder.frame(&frame, now_ms, heard),
                (Body::Frame(frame), _) => panic!("{frame:?} in a stream"),
            }
        }
        match &mut self.decoder {
            Decoder::Stream(stream) => {
                let mut rest = stream_bytes.as_slice();
                while !rest.is_empty() {
                    // As a socket or a serial port hands it over: cut anywhere.
                    let (head, tail) = rest.split_at(rest.len().min(1 + self.cuts.below(2_048) as usize));
                    stream.push(head, now_ms, heard);
                    self.held_bytes = self.held_bytes.max(stream.held_bytes());
                    rest = tail;
                }
            }
            Decoder::Datagrams(stream) => self.held_bytes = self.held_bytes.max(stream.held_bytes()),
            Decoder::Frames(decoder) => self.held_bytes = self.held_bytes.max(decoder.held_bytes()),
        }
    }

    fn injected(&self, kind: FaultKind) -> u64 {
        self.voice.faults().counts().find(|(counted, _)| *counted == kind).map_or(0, |(_, count)| count)
    }

    fn not_good(&self) -> u64 {
        self.heard.not_good.values().sum()
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.heard.dropped.get(reason).copied().unwrap_or(0)
    }

    /// Nothing is counted under a reason that none of these kinds has.
    fn drops_only_for(&self, kinds: &[FaultKind]) {
        let allowed: BTreeSet<&str> = kinds.iter().flat_map(|kind| reasons(*kind, self.name)).collect();
        let other: Vec<_> = self.heard.dropped.iter().filter(|(reason, _)| !allowed.contains(*reason)).collect();
        assert!(other.is_empty(), "{} {kinds:?}: {other:?}; {:#?}", self.name, self.heard);
    }

    /// All that must be there is there, and nothing that nobody said.
    fn is_whole(&self) {
        let (name, most) = (self.name, self.must + self.maybe);
        assert!(self.heard.good >= self.must, "{name}: {} of {} readings; {self:#?}", self.heard.good, self.must);
        assert!(self.heard.good <= most, "{name}: {} readings, {most} at most; {self:#?}", self.heard.good);
    }
}

const BUSES: [&str; 11] = [
    "nmea0183",
    "iec61162-450",
    "nmea2000+ydwg",
    "nmea2000+candump",
    "nmea2000+actisense",
    "nmea2000",
    "j1939+candump",
    "j1939+actisense",
    "j1939",
    "j1939+ydwg",
    "can+candump",
];

fn bus(name: &'static str) -> (Protocol, Decoder) {
    let nmea2000 = || Box::new(nmea2000::Decoder::new());
    let j1939 = || Box::new(j1939::Decoder::new());
    let stream = |format, decoder| Decoder::Stream(Box::new(CanStream::new(format, decoder)));
    let battery = || {
        let map = dbc::Map::parse(include_str!("../configs/dbc/battery-monitor.dbc")).expect("ours is sound");
        Box::new(dbc::Decoder::new(Arc::new(map)))
    };
    match name {
        "nmea0183" => (Protocol::Nmea0183, Decoder::Stream(Box::<nmea0183::Stream>::default())),
        "iec61162-450" => (Protocol::Iec61162450, Decoder::Datagrams(Box::<iec61162_450::Stream>::default())),
        "nmea2000+ydwg" => (Protocol::Nmea2000(Format::Ydwg), stream(can::Format::YachtDevices, nmea2000())),
        "nmea2000+candump" => (Protocol::Nmea2000(Format::Candump), stream(can::Format::Candump, nmea2000())),
        "nmea2000+actisense" => {
            (Protocol::Nmea2000(Format::Actisense), stream(can::Format::ActisenseBinary, nmea2000()))
        }
        "nmea2000" => (Protocol::Nmea2000(Format::Can), Decoder::Frames(nmea2000())),
        "j1939+candump" => (Protocol::J1939(Format::Candump), stream(can::Format::Candump, j1939())),
        "j1939+ydwg" => (Protocol::J1939(Format::Ydwg), stream(can::Format::YachtDevices, j1939())),
        "can+candump" => (Protocol::Can(Format::Candump), stream(can::Format::Candump, battery())),
        "j1939+actisense" => (Protocol::J1939(Format::Actisense), stream(can::Format::ActisenseBinary, j1939())),
        _ => (Protocol::J1939(Format::Can), Decoder::Frames(j1939())),
    }
}

/// A number from the environment.
fn variable(name: &str) -> Option<i64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: `{text}` is not a number")))
}

/// Pages of the process in memory, as bytes: the second field of statm(5).
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = statm.split(' ').nth(1).and_then(|field| field.parse().ok()).expect("the second field is pages");
    pages * 4_096
}

/// Plays one day on all buses, two at a time.
fn day(buses: &mut [Bus], day: i64, rounds: i64) {
    let (one, two) = buses.split_at_mut(buses.len() / 2);
    std::thread::scope(|scope| {
        for half in [one, two] {
            scope.spawn(move || {
                for bus in half {
                    for round in 0..rounds {
                        bus.round(START.plus_millis(day * DAY_MS + round * ROUND_MS));
                    }
                }
            });
        }
    });
}

#[test]
fn a_week_of_faults_loses_nothing_else_and_memory_is_flat() {
    let _alone = ALONE.lock();
    let rounds = variable("HAWSER_WEEK_ROUNDS").unwrap_or(ROUNDS);
    let seed = variable("HAWSER_WEEK_SEED").unwrap_or(1) as u64;
    println!("seed {seed}, {rounds} rounds of each of 7 days; HAWSER_WEEK_ROUNDS=8640 plays the whole week");
    let faults = FaultKind::ALL.map(|kind| Fault { kind, probability: PROBABILITY });
    let mut buses: Vec<Bus> = BUSES.map(|name| Bus::new(name, seed, &faults)).into();
    day(&mut buses, 0, rounds);
    let warm = resident_bytes();
    (1..7).for_each(|number| day(&mut buses, number, rounds));
    let grown = resident_bytes().saturating_sub(warm);
    for bus in &buses {
        let (name, heard) = (bus.name, &bus.heard);
        println!(
            "{name}: {} readings, {} at least, {} more at most; not good {:?}; dropped {:?}; {} bytes held",
            heard.good, bus.must, bus.maybe, heard.not_good, heard.dropped, bus.held_bytes
        );
        bus.is_whole();
        bus.drops_only_for(&FaultKind::ALL);
        assert!(bus.held_bytes <= HELD_BYTES_MAX, "{name}: {} bytes held", bus.held_bytes);
        assert!(bus.must as i64 > rounds * 7 * 4, "{name}: too little was said to say much");
    }
    let readings: u64 = buses.iter().map(|bus| bus.heard.good).sum();
    let limit = (readings * 6 / 7).clamp(GROWTH_BYTES_MIN, GROWTH_BYTES_MAX);
    println!("{grown} bytes more in memory after the first day, of {readings} readings in all");
    assert!(grown <= limit, "{grown} bytes more after the first day");
}

#[test]
fn each_kind_of_fault_alone_shows_as_what_it_is() {
    let _alone = ALONE.lock();
    for name in BUSES {
        let mut healthy = Bus::new(name, 3, &[]);
        (0..LESSON_ROUNDS).for_each(|round| healthy.round(START.plus_millis(round * ROUND_MS)));
        healthy.is_whole();
        healthy.drops_only_for(&[]);
        assert_eq!((healthy.not_good(), healthy.heard.times_off), (0, 0), "{name}: {healthy:#?}");
        for kind in FaultKind::ALL {
            let mut bus = Bus::new(name, 3, &[Fault { kind, probability: 0.2 }]);
            (0..LESSON_ROUNDS).for_each(|round| bus.round(START.plus_millis(round * ROUND_MS)));
            bus.is_whole();
            let injected = bus.injected(kind);
            let (shows, _) = shows(kind, name);
            let shown = match shows {
                Shows::Dropped(own) => own.iter().map(|reason| bus.dropped(reason)).sum(),
                Shows::Quality => bus.dropped("bad_field") + bus.not_good(),
                Shows::Times => bus.heard.times_off,
                Shows::Nowhere => injected,
            };
            assert!(shown >= injected, "{name} {kind:?}: {injected} injected, {shown} shown; {:#?}", bus.heard);
            bus.drops_only_for(&[kind]);
            assert_eq!(bus.heard.times_off > 0, shows == Shows::Times, "{name} {kind:?}: {:#?}", bus.heard);
            // What needs a stream cannot be on an interface of frames, and what needs addresses not among sentences.
            let possible = match kind {
                FaultKind::EndlessLine => !matches!(bus.decoder, Decoder::Frames(_)),
                FaultKind::AddressChurn => !matches!(name, "nmea0183" | "iec61162-450" | "can+candump"),
                // The battery monitor says one message a round.
                FaultKind::Reorder => name != "can+candump",
                _ => true,
            };
            assert_eq!(injected > 0, possible, "{name} {kind:?}");
            if kind == FaultKind::AddressChurn {
                assert_eq!(bus.heard.sources, healthy.heard.sources, "{name}: a device is its NAME");
            }
        }
    }
}
