//! Captures of networks and CAN buses, pcap and pcapng: datagrams, TCP segments and CAN frames with their times.
//!
//! It takes any `Read` and opens nothing itself. It refuses to put IP fragments together: what a capture holds beside
//! whole packets is told as a [`Contents::Other`] with its reason, so that whoever reads it can count it.

mod packet;
mod tcp;

use std::fmt;
use std::io::Read;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{PcapError, TsResolution};

pub use packet::{Contents, Datagram, Endpoint, Segment};
pub use tcp::{Flow, HELD_BYTES_MAX, Piece, TcpStreams};

use crate::clock::Stamp;

/// The first four bytes of a pcapng file: a section header block, the same in either byte order.
const PCAPNG_MAGIC: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

/// Ticks a second of a pcapng interface that does not say (pcapng, `if_tsresol`: microseconds).
const TICKS_A_SECOND_DEFAULT: u128 = 1_000_000;

/// Interfaces that one section may describe. `tcpdump -i any` makes one; a file that describes more is hostile, for
/// each is kept.
const INTERFACES_MAX: usize = 1_024;

/// Why a capture cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It is neither pcap nor pcapng, or is damaged; what came before is right.
    #[error("packet {packet}: not pcap or pcapng, or damaged: {source}")]
    Damaged {
        /// Packets read before.
        packet: u64,
        /// What the reader said.
        source: PcapError,
    },
    /// It describes more interfaces than any capture has.
    #[error("more than {INTERFACES_MAX} interfaces in one section")]
    TooManyInterfaces,
}

/// One packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet<'a> {
    /// When it was captured; pcapng's simple packets do not tell.
    pub at: Option<Stamp>,
    /// What it is.
    pub contents: Contents<'a>,
}

/// Reads the packets of one capture, one after the other.
pub struct Capture<R: Read> {
    format: Format<R>,
    /// The packet at hand.
    bytes: Vec<u8>,
    packets: u64,
    over: bool,
}

enum Format<R: Read> {
    Pcap(PcapReader<Joined<R>>),
    PcapNg(PcapNgReader<Joined<R>>),
}

/// The magic that was looked at, and the rest.
type Joined<R> = std::io::Chain<std::io::Cursor<[u8; 4]>, R>;

/// Where a packet came from, and when.
struct Arrival {
    link: u32,
    at: Option<Stamp>,
}

impl<R: Read> fmt::Debug for Capture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("packets", &self.packets).field("over", &self.over).finish_non_exhaustive()
    }
}

impl<R: Read> Capture<R> {
    /// Reads the head of a capture. Holds 8 MB from now on: the reader's own buffer, and the longest packet.
    pub fn new(mut reader: R) -> Result<Self, CaptureError> {
        let damaged = |source| CaptureError::Damaged { packet: 0, source };
        let mut magic = [0; 4];
        reader.read_exact(&mut magic).map_err(|e| damaged(PcapError::IoError(e)))?;
        let joined = std::io::Cursor::new(magic).chain(reader);
        let format = if magic == PCAPNG_MAGIC {
            Format::PcapNg(PcapNgReader::new(joined).map_err(damaged)?)
        } else {
            Format::Pcap(PcapReader::new(joined).map_err(damaged)?)
        };
        Ok(Self { format, bytes: Vec::new(), packets: 0, over: false })
    }

    /// The next packet; `None` at the end, and after an error.
    pub fn next_packet(&mut self) -> Option<Result<Packet<'_>, CaptureError>> {
        if self.over {
            return None;
        }
        let arrival = match &mut self.format {
            Format::Pcap(reader) => next_of_pcap(reader, &mut self.bytes),
            Format::PcapNg(reader) => next_of_pcapng(reader, &mut self.bytes),
        };
        match arrival {
            Ok(Some(Arrival { link, at })) => {
                self.packets += 1;
                Some(Ok(Packet { at, contents: packet::contents(link, &self.bytes, at) }))
            }
            Ok(None) => {
                self.over = true;
                None
            }
            Err(source) => {
                self.over = true;
                Some(Err(match source {
                    Failed::Damaged(source) => CaptureError::Damaged { packet: self.packets, source },
                    Failed::TooManyInterfaces => CaptureError::TooManyInterfaces,
                }))
            }
        }
    }
}

enum Failed {
    Damaged(PcapError),
    TooManyInterfaces,
}

/// Raw packets: the crate refuses a packet that was longer on the wire than the snap length, which every capture with
/// `-s` has.
fn next_of_pcap<R: Read>(reader: &mut PcapReader<R>, bytes: &mut Vec<u8>) -> Result<Option<Arrival>, Failed> {
    let header = reader.header();
    let Some(packet) = reader.next_raw_packet() else { return Ok(None) };
    let packet = packet.map_err(Failed::Damaged)?;
    bytes.clear();
    bytes.extend_from_slice(&packet.data);
    let micros = match header.ts_resolution {
        TsResolution::MicroSecond => packet.ts_frac,
        TsResolution::NanoSecond => packet.ts_frac / 1_000,
    };
    let at = Stamp(i64::from(packet.ts_sec) * 1_000_000 + i64::from(micros));
    Ok(Some(Arrival { link: header.datalink.into(), at: Some(at) }))
}

fn next_of_pcapng<R: Read>(reader: &mut PcapNgReader<R>, bytes: &mut Vec<u8>) -> Result<Option<Arrival>, Failed> {
    loop {
        if reader.interfaces().len() > INTERFACES_MAX {
            return Err(Failed::TooManyInterfaces);
        }
        let Some(block) = reader.next_block() else { return Ok(None) };
        // The crate keeps the count of ticks in a `Duration` as if they were nanoseconds.
        let (interface, ticks, data) = match block.map_err(Failed::Damaged)? {
            Block::EnhancedPacket(packet) => (packet.interface_id, Some(packet.timestamp.as_nanos()), packet.data),
            Block::Packet(packet) => (u32::from(packet.interface_id), Some(u128::from(packet.timestamp)), packet.data),
            Block::SimplePacket(packet) => (0, None, packet.data),
            _ => continue,
        };
        bytes.clear();
        bytes.extend_from_slice(&data);
        let known = usize::try_from(interface).ok().and_then(|at| reader.interfaces().get(at));
        let Some(description) = known else {
            return Err(Failed::Damaged(PcapError::InvalidInterfaceId(interface)));
        };
        let at = ticks.and_then(|ticks| stamp(ticks, description));
        return Ok(Some(Arrival { link: description.linktype.into(), at }));
    }
}

/// The time of a packet, in the resolution and from the offset that its interface names.
fn stamp(ticks: u128, interface: &InterfaceDescriptionBlock<'_>) -> Option<Stamp> {
    let (mut ticks_a_second, mut offset_s) = (TICKS_A_SECOND_DEFAULT, 0_i64);
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(code) => ticks_a_second = resolution(*code)?,
            InterfaceDescriptionOption::IfTsOffset(seconds) => offset_s = seconds.cast_signed(),
            _ => {}
        }
    }
    // 64 bits of ticks times a million fit into 128 bits.
    let micros = i64::try_from(ticks * 1_000_000 / ticks_a_second).ok()?;
    micros.checked_add(offset_s.checked_mul(1_000_000)?).map(Stamp)
}

/// Ticks a second: a power of ten, or with the highest bit set a power of two.
fn resolution(code: u8) -> Option<u128> {
    let power = u32::from(code & 0x7F);
    if code & 0x80 == 0 { 10_u128.checked_pow(power) } else { 1_u128.checked_shl(power) }
}

#[cfg(test)]
mod tests;
