//! `hawser decode`: the gateway's own decoders over a file, one JSON object a line out.
//!
//! It streams: memory does not grow with the file. It opens no file and prints no diagnostics; the caller does both. A
//! format is one arm of `reader`: bytes in, readings or raw messages to the `Printer`.

mod can;
mod capture;
mod print;
mod sentences;

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::wire::nmea0183::ChecksumRule;
use crate::wire::pcap::CaptureError;
use crate::wire::{can as can_wire, dbc};

use print::Printer;
pub use print::Summary;

/// Bytes read at a time: a page of a file, far more than a line.
const CHUNK_BYTES: usize = 64 * 1_024;

/// What the input holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// NMEA 0183 (IEC 61162-1) sentences, AIS among them.
    #[default]
    Nmea0183,
    /// CAN frames as `candump` writes them, to its log or its console.
    Candump,
    /// canboat's PLAIN and FAST lines.
    Canboat,
    /// Yacht Devices RAW.
    Ydwg,
    /// Actisense: the binary stream, its log (EBL), or N2K ASCII.
    Actisense,
    /// A PCAN-View trace.
    PcanView,
    /// A capture: CAN frames, and sentences in datagrams (IEC 61162-450 too) and TCP streams.
    Pcap,
    /// A capture of IEC 61162-450: every datagram must have its header.
    Iec61162_450,
    /// A capture of Modbus TCP: prints its messages. What a register means, only the map of a device tells.
    ModbusPcap,
}

impl Format {
    /// As the command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nmea0183 => "nmea0183",
            Self::Candump => "candump",
            Self::Canboat => "canboat",
            Self::Ydwg => "ydwg",
            Self::Actisense => "actisense",
            Self::PcanView => "pcan-view",
            Self::Pcap => "pcap",
            Self::Iec61162_450 => "iec61162-450",
            Self::ModbusPcap => "modbus-pcap",
        }
    }

    /// The one that reads a way to write CAN frames.
    const fn of(found: can_wire::Format) -> Self {
        match found {
            can_wire::Format::Candump => Self::Candump,
            can_wire::Format::YachtDevices => Self::Ydwg,
            can_wire::Format::Canboat => Self::Canboat,
            can_wire::Format::PcanView => Self::PcanView,
            can_wire::Format::ActisenseBinary | can_wire::Format::ActisenseAscii | can_wire::Format::ActisenseLog => {
                Self::Actisense
            }
        }
    }
}

/// What CAN frames mean.
#[derive(Clone, Debug, Default)]
pub enum Protocol {
    /// NMEA 2000.
    #[default]
    Nmea2000,
    /// SAE J1939.
    J1939,
    /// As a DBC describes.
    Dbc(Arc<dbc::Map>),
}

/// How to decode.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// What the input holds.
    pub format: Format,
    /// What its CAN frames mean, where it holds any.
    pub protocol: Protocol,
    /// Print messages with their fields, not readings.
    pub raw: bool,
    /// Whether sentences must carry a checksum.
    pub checksum: ChecksumRule,
    /// Leave out lines of sentences that start with `#`, as logs have them. A bus has no comments.
    pub skip_comments: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        let (format, protocol, checksum) = (Format::default(), Protocol::default(), ChecksumRule::IfPresent);
        Self { format, protocol, raw: false, checksum, skip_comments: true }
    }
}

/// Why decoding stopped. Bad messages never stop it.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The input cannot be read.
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Write(#[source] io::Error),
    /// The input is in another format.
    #[error("the input is {found}, not {}; say --format {}", told.name(), Format::of(*found).name())]
    WrongFormat {
        /// What was said.
        told: Format,
        /// What its first lines are.
        found: can_wire::Format,
    },
    /// A capture is none, or ends in damage.
    #[error("cannot read the capture")]
    Capture(#[source] CaptureError),
}

impl DecodeError {
    /// Whether the reader of the output went away (`hawser decode ... | head`), which is no fault.
    pub fn is_output_closed(&self) -> bool {
        matches!(self, Self::Write(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Makes lines of bytes.
trait Reader: fmt::Debug {
    /// Takes the next bytes.
    fn push(&mut self, bytes: &[u8], out: &mut Printer<'_>) -> Result<(), DecodeError>;

    /// The input ended, or a datagram of it.
    fn end(&mut self, out: &mut Printer<'_>) -> Result<(), DecodeError>;
}

/// Decodes `input` to its end and writes one JSON object a line.
pub fn decode(options: &DecodeOptions, input: impl Read, mut output: impl Write) -> Result<Summary, DecodeError> {
    let mut out = Printer::new(&mut output);
    match reader(options) {
        Some(reader) => stream(reader, input, &mut out)?,
        None => capture::decode(options, input, &mut out)?,
    }
    let counts_lines = options.format == Format::Nmea0183;
    out.finish(counts_lines)
}

/// The reader of a format that is a stream of bytes; `None` for captures. A format more is an arm more.
fn reader(options: &DecodeOptions) -> Option<Box<dyn Reader>> {
    match options.format {
        Format::Nmea0183 => Some(sentences::reader(options)),
        Format::Candump | Format::Canboat | Format::Ydwg | Format::Actisense | Format::PcanView => {
            Some(Box::new(can::Stream::new(options)))
        }
        Format::Pcap | Format::Iec61162_450 | Format::ModbusPcap => None,
    }
}

fn stream(mut reader: Box<dyn Reader>, mut input: impl Read, out: &mut Printer<'_>) -> Result<(), DecodeError> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(DecodeError::Read(e)),
        };
        reader.push(&chunk[..count], out)?;
        out.check()?;
    }
    reader.end(out)
}

#[cfg(test)]
mod tests;
