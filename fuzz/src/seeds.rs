//! Makes seeds of captures: `seeds FOLDER FILE...` writes them to `FOLDER/TARGET/`. What a file holds is found by
//! looking at it; of a long one, pieces from all over. A tool of scripts/fuzz.
//!
//! It is written as a target that ends before it begins: what is compiled with counters links with libFuzzer alone,
//! which brings its own `main`.

#![no_main]

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use hawser_fuzz::frames;
use hawser_fuzz::script::SCRIPT_BYTES;
use hawser_fuzz::wire::can::{Format, Framing};
use hawser_fuzz::wire::pcap::{Capture, Contents};
use libfuzzer_sys::fuzz_target;

/// Bytes of one seed of text: some twenty sentences, a fifth of the longest input that scripts/fuzz allows.
const SEED_BYTES: usize = 1_500;

/// Seeds of one file for one target: a libFuzzer merges what is alike, but must read all of it first.
const SEEDS_MAX: usize = 48;

/// The longest file looked at; the longest capture at hand has 1.6 MB.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Pieces of all sizes, some at once and some after a wait.
const SCRIPT: [u8; SCRIPT_BYTES] = [0x88, 0x12, 0xF8, 0x41, 0x08, 0xC3, 0x28, 0xFB];

/// The number of a format of CAN traffic in the target `decode`.
const fn number_of(format: Format) -> u8 {
    match format {
        Format::Candump => 1,
        Format::Canboat => 2,
        Format::YachtDevices => 3,
        Format::ActisenseBinary | Format::ActisenseAscii | Format::ActisenseLog => 4,
        Format::PcanView => 5,
    }
}

/// Seeds by target.
#[derive(Default)]
struct Seeds(HashMap<&'static str, Vec<Vec<u8>>>);

impl Seeds {
    fn add(&mut self, target: &'static str, parts: &[&[u8]]) {
        self.0.entry(target).or_default().push(parts.concat());
    }

    /// One seed of text for a decoder, and the same for `decode` by its formats' number there, read and raw.
    fn text(&mut self, target: &'static str, head: &[u8], format: u8, piece: &[u8]) {
        self.add(target, &[head, &SCRIPT, piece]);
        self.add("decode", &[&[format, 0], &SCRIPT, piece]);
        self.add("decode", &[&[format, 1], &SCRIPT, piece]);
    }

    fn of(&mut self, path: &Path, bytes: &[u8]) {
        match path.extension().and_then(|ext| ext.to_str()) {
            Some("dbc") => self.dbc(bytes),
            Some("toml") => self.map(bytes),
            Some("json" | "jsonl" | "chk" | "out" | "err" | "xsd" | "md") => {}
            _ => self.capture_or_stream(bytes),
        }
    }

    fn capture_or_stream(&mut self, bytes: &[u8]) {
        if Capture::new(bytes).is_ok() {
            self.pcap(bytes);
        } else if let Some(format) = Format::detect(&bytes[..bytes.len().min(64 << 10)]) {
            self.can(format, bytes);
        } else {
            for piece in pieces(bytes) {
                self.text("nmea0183", b"", 0, piece);
                self.text("iec61162_450", b"", 0, piece);
            }
            self.ais(bytes);
        }
    }

    /// The payloads of AIS sentences, their six bits a byte each.
    fn ais(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').collect();
            if let ([first, _, _, _, _, payload, ..], true) = (&fields[..], line.contains(&b'!'))
                && first.ends_with(b"VDM")
            {
                let sixes: Vec<u8> = payload.iter().map(|byte| byte.wrapping_sub(48)).collect();
                let sixes: Vec<u8> =
                    sixes.iter().map(|six| if *six > 40 { six.wrapping_sub(8) } else { *six }).collect();
                self.add("ais", &[&[0], &sixes]);
            }
        }
    }

    fn can(&mut self, format: Format, bytes: &[u8]) {
        let Some(at) = Format::ALL.iter().position(|known| *known == format) else { return };
        for piece in pieces(bytes) {
            self.text("can_format", &[u8::try_from(at).unwrap_or(0)], number_of(format), piece);
            let mut steps = Vec::new();
            let mut framing = Framing::new(format);
            framing.push(piece, &mut |item| {
                if let Ok(item) = item {
                    frames::write(&item, &mut steps);
                }
            });
            self.steps(&steps);
        }
    }

    fn steps(&mut self, steps: &[u8]) {
        for target in ["nmea2000", "j1939", "transport"] {
            self.add(target, &[steps]);
        }
    }

    fn pcap(&mut self, bytes: &[u8]) {
        let head = &bytes[..bytes.len().min(SEED_BYTES)];
        self.add("pcap", &[&[1], head]);
        for format in [6, 7, 8] {
            self.add("decode", &[&[format, 0], &SCRIPT, head]);
        }
        let Ok(mut capture) = Capture::new(bytes) else { return };
        let (mut steps, mut segments) = (Vec::new(), Vec::new());
        while let Some(Ok(packet)) = capture.next_packet() {
            match packet.contents {
                Contents::Frame(frame) => {
                    frames::write(&hawser_fuzz::wire::can::Item::Frame(frame), &mut steps);
                    if steps.len() > SEED_BYTES {
                        self.steps(&std::mem::take(&mut steps));
                    }
                }
                Contents::Datagram(datagram) => {
                    self.add("iec61162_450", &[&SCRIPT, datagram.payload]);
                    self.add("nmea0183", &[&SCRIPT, datagram.payload]);
                }
                Contents::Segment(segment) if !segment.payload.is_empty() => {
                    let length = u16::try_from(segment.payload.len()).unwrap_or(0) & 0xFFF;
                    let is_answer = segment.from.port < segment.to.port;
                    segments.extend_from_slice(&[if is_answer { 0x01 } else { 0x10 }, 0]);
                    segments.extend_from_slice(&segment.sequence.to_le_bytes());
                    segments.extend_from_slice(&length.to_le_bytes());
                    segments.extend_from_slice(&segment.payload[..usize::from(length)]);
                    self.add("modbus", &[&SCRIPT, &[2, 0, 0, 0, 9, 1], segment.payload]);
                    if segments.len() > SEED_BYTES {
                        self.add("pcap", &[&[0], &std::mem::take(&mut segments)]);
                    }
                }
                _ => {}
            }
        }
        self.add("pcap", &[&[0], &segments]);
        self.steps(&steps);
    }

    /// The file in front of frames: one of each message's identifiers would be better, but the fuzzer finds them there.
    fn dbc(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(2 * SEED_BYTES)];
        self.add("dbc", &[&length(bytes), bytes, &[0x02, 1, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]]);
    }

    fn map(&mut self, bytes: &[u8]) {
        let script: Vec<u8> = (0..=255).collect();
        // A whole map, and its first values alone: short enough to be changed often.
        for end in [bytes.len(), bytes.len().min(SEED_BYTES)] {
            let cut = bytes[..end].windows(2).rposition(|pair| pair == b"\n\n").unwrap_or(end);
            let text = if end == bytes.len() { bytes } else { &bytes[..cut] };
            self.add("modbus_map", &[&length(text), text, &script]);
        }
    }

    /// What no capture holds.
    fn our_own(&mut self) {
        self.add("notification", &[br#"{"state":"alarm","message":"oil pressure","spn":100,"fmi":1}"#]);
        self.add("notification", &[b"vessels.urn:mrn:imo:mmsi:244660000"]);
        self.add("modbus", &[&SCRIPT, &[2, 0, 0x6B, 0, 2, 1, 3, 6, 2, 0x2B, 0, 0, 0, 0x64]]);
    }

    /// Writes them, each under the hash of its bytes, so that the same seed is one file.
    fn write(self, folder: &Path) -> io::Result<()> {
        for (target, seeds) in self.0 {
            fs::create_dir_all(folder.join(target))?;
            for seed in seeds {
                let mut hasher = DefaultHasher::new();
                seed.hash(&mut hasher);
                fs::write(folder.join(target).join(format!("{:016x}", hasher.finish())), seed)?;
            }
        }
        Ok(())
    }
}

fn length(text: &[u8]) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes()
}

/// Pieces from all over a file, each from the beginning of a line.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let stride = (bytes.len() / SEEDS_MAX).max(SEED_BYTES);
    (0..bytes.len()).step_by(stride).map(move |at| {
        let rest = &bytes[at..];
        let skip = if at == 0 { 0 } else { rest.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1) };
        &rest[skip..rest.len().min(skip + SEED_BYTES)]
    })
}

/// Makes them and ends the process, well or badly.
fn make_and_exit() {
    make().expect("seeds can be made");
    std::process::exit(0);
}

fn make() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or_else(|| io::Error::other("usage: seeds FOLDER FILE..."))?;
    let mut own = Seeds::default();
    own.our_own();
    own.write(&folder)?;
    for path in arguments {
        if fs::metadata(&path)?.len() > FILE_BYTES_MAX {
            continue;
        }
        let mut seeds = Seeds::default();
        seeds.of(&path, &fs::read(&path)?);
        seeds.write(&folder)?;
    }
    Ok(())
}

fuzz_target!(init: make_and_exit(), |_input: &[u8]| {});
