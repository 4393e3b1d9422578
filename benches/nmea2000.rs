//! NMEA 2000 frames a second on one core, beside the crate `canboat`.
//!
//! Both sides get the same frames. Hawser does all that a bus needs: it puts fast packets together, keeps who holds
//! which address, and makes SI readings with path, source, quality and time. The peer puts fast packets together and
//! decodes every field of every message; it makes no readings. `HAWSER_CORPUS` names the folder of canboat's captures;
//! without it the frames are of a vessel made up here.

use std::fmt;
use std::hint::black_box;
use std::path::Path;

use canboat::codec::fastpacket::packet_type;
use canboat::{Database, Reassembled, Reassembler, Units};
use hawser::wire::can::{Format, Frame, FrameDecoder, Framing, Identifier, Item, Rejected};
use hawser::wire::nmea2000::Decoder;
use hawser::wire::{Decoded, Sink};
use pcap_file::pcap::PcapReader;

use super::runner::{Better, Figure, Spent, measure, median_spent};

/// Frames in one repeat, about.
const FRAMES: usize = 200_000;

/// Odd, for the median.
const REPEATS: usize = 7;

/// Logs of frames among canboat's captures.
const LOGS: [&str; 5] = [
    "canboat-samples/candumpSample1.txt",
    "canboat-samples/candumpSample2.txt",
    "canboat-samples/simulator2.raw",
    "canboat-samples/simulator_wind_temp_env.raw",
    "canboat-samples/actisense-522.candump.log",
];

/// A capture of a SocketCAN interface.
const CAPTURE: &str = "pcap/can0-1.pcap";

/// Counts, and keeps nothing.
#[derive(Default)]
struct Count {
    messages: usize,
    readings: usize,
    unsupported: usize,
    lost: u64,
}

impl Sink for Count {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.messages += 1;
        self.readings += black_box(&*readings).len();
        readings.clear();
    }

    fn dropped(&mut self, reason: &'static str, count: u64, _why: &dyn fmt::Display, _near: &[u8]) {
        match reason {
            "unsupported_pgn" => self.unsupported += 1,
            _ => self.lost += count,
        }
    }
}

fn of_log(bytes: &[u8], frames: &mut Vec<Frame>) {
    let mut take = |item: Result<Item<'_>, Rejected<'_>>| {
        if let Ok(Item::Frame(frame)) = item {
            frames.push(frame);
        }
    };
    if let Some(format) = Format::detect(bytes) {
        Framing::new(format).push(bytes, &mut take);
    }
}

/// Identifier with flags, length, three bytes, data.
fn of_capture(bytes: &[u8], frames: &mut Vec<Frame>) {
    let Ok(mut packets) = PcapReader::new(bytes) else { return };
    while let Some(Ok(packet)) = packets.next_packet() {
        let Some((head, data)) = packet.data.split_first_chunk::<8>() else { continue };
        let id = u32::from_be_bytes([head[0] & 0x1F, head[1], head[2], head[3]]);
        frames.extend(data.get(..usize::from(head[4])).and_then(|data| Frame::extended(id, data)));
    }
}

/// canboat's captures; empty where they are not at hand.
fn captured() -> Vec<Frame> {
    let Some(folder) = std::env::var_os("HAWSER_CORPUS") else { return Vec::new() };
    let read = |file: &str| std::fs::read(Path::new(&folder).join("nmea2000").join(file)).unwrap_or_default();
    let mut frames = Vec::new();
    LOGS.iter().for_each(|file| of_log(&read(file), &mut frames));
    of_capture(&read(CAPTURE), &mut frames);
    frames
}

/// A second of a vessel: heading, rate of turn, position, course and wind at 10 Hz; depth, speed, engine, tank, battery
/// and a fast packet of engine parameters at 1 Hz.
fn made_up() -> Vec<Frame> {
    let often: [(u32, [u8; 8]); 5] = [
        (127_250, [0, 0x10, 0x27, 0xFF, 0x7F, 0xFF, 0x7F, 0xFC]),
        (127_251, [0, 0x10, 0x27, 0, 0, 0xFF, 0xFF, 0xFF]),
        (129_025, [0x80, 0x4A, 0x97, 0x1F, 0x80, 0xF0, 0xFA, 2]),
        (129_026, [0, 0xFC, 0x10, 0x27, 0xF4, 1, 0xFF, 0xFF]),
        (130_306, [0, 0xF4, 1, 0x10, 0x27, 0xFA, 0xFF, 0xFF]),
    ];
    let seldom: [(u32, [u8; 8]); 9] = [
        (128_267, [0, 0x68, 1, 0, 0, 0, 0, 0xFF]),
        (128_259, [0, 0x90, 1, 0xFF, 0xFF, 0, 0xFF, 0xFF]),
        (127_488, [0, 0x20, 0x1C, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF]),
        (127_505, [0x12, 0xD4, 0x30, 0xE8, 3, 0, 0, 0xFF]),
        (127_508, [0, 0xB0, 4, 0x32, 0, 0xFF, 0xFF, 0xFF]),
        (127_489, [0, 26, 0, 0xA0, 0x0F, 0xFF, 0xFF, 0xBB]),
        (127_489, [1, 0x71, 0x57, 3, 10, 0, 0xE0, 0xB0]),
        (127_489, [2, 5, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        (127_489, [3, 0, 0, 0, 0, 0x7F, 0x7F, 0xFF]),
    ];
    let all = std::iter::repeat_n(often, 10).flatten().chain(seldom);
    all.filter_map(|(pgn, data)| {
        let identifier = Identifier { priority: 3, pgn, source: 35, destination: 255 };
        Frame::extended(identifier.encode(), &data)
    })
    .collect()
}

fn hawser(frames: &[Frame]) -> Count {
    let (mut decoder, mut count) = (Decoder::new(), Count::default());
    for frame in frames {
        decoder.frame(frame, 0, &mut count);
    }
    count
}

/// Messages that canboat decodes.
fn canboat(frames: &[canboat::Frame]) -> usize {
    let db = Database::embedded(Units::Si);
    let mut reassembler = Reassembler::new();
    let mut decoded = 0;
    for frame in frames {
        let kind = packet_type(frame.pgn);
        if let Reassembled::PassThrough(whole) | Reassembled::Complete(whole) = reassembler.push(frame.clone(), kind) {
            decoded += usize::from(black_box(db.decode(&whole)).is_ok());
        }
    }
    decoded
}

/// `wire.nmea2000_frames_per_s`.
pub fn frames() -> Vec<Figure> {
    let (mut heard, mut of) = (captured(), "canboat's captures");
    if heard.is_empty() {
        (heard, of) = (made_up(), "a vessel made up here");
    }
    let count = FRAMES.next_multiple_of(heard.len());
    let frames: Vec<Frame> = heard.iter().copied().cycle().take(count).collect();
    let for_peer = |frame: &Frame| {
        let Identifier { priority, pgn, source, destination } = Identifier::parse(frame.id);
        canboat::Frame::new(None, priority, pgn, source, destination, frame.bytes().iter().copied())
    };
    let theirs: Vec<canboat::Frame> = frames.iter().map(for_peer).collect();
    let (mut ours_spent, mut theirs_spent): (Vec<Spent>, Vec<Spent>) = Default::default();
    let (mut told, mut decoded) = (Count::default(), 0);
    for _ in 0..REPEATS {
        let (spent, result) = measure(|| hawser(&frames));
        ours_spent.push(spent);
        told = result;
        let (spent, result) = measure(|| canboat(&theirs));
        theirs_spent.push(spent);
        decoded = result;
    }
    let (ours_spent, theirs_spent) = (median_spent(&ours_spent), median_spent(&theirs_spent));
    let count = count as f64;
    let note = format!(
        "{count} frames of {of}: Hawser makes {} readings of {} messages, {:.1} % of them mapped, {} lost; the peer \
         decodes {}",
        told.readings,
        told.messages,
        100.0 - told.unsupported as f64 / told.messages as f64 * 100.0,
        told.lost,
        decoded,
    );
    let rate = Figure::new("wire.nmea2000_frames_per_s", count / ours_spent.cpu_s, "frames/s", Better::Higher, note);
    vec![rate.goal(4e6).beside("canboat 9.1", Some(count / theirs_spent.cpu_s))]
}
