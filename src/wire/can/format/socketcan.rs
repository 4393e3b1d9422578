//! A frame as SocketCAN lays it out in a capture: link type 227, LINKTYPE_CAN_SOCKETCAN, of pcap files.

use super::Reason;
use crate::clock::Stamp;
use crate::wire::can::Frame;

/// Flags in the identifier's word (linux/can.h): 29 bits, remote, error.
const EXTENDED_FLAG: u32 = 0x8000_0000;
const REMOTE_FLAG: u32 = 0x4000_0000;
const ERROR_FLAG: u32 = 0x2000_0000;

/// Identifier and flags, length, and three bytes of padding.
const HEAD_BYTES: usize = 8;

/// The longest data of classic CAN; more is CAN FD.
const CLASSIC_BYTES_MAX: usize = 8;

/// Reads the packet of a capture: the identifier in network byte order, the length, the data (LINKTYPE_CAN_SOCKETCAN).
pub fn socketcan_frame(packet: &[u8], at: Option<Stamp>) -> Result<Frame, Reason> {
    let (head, data) = packet.split_first_chunk::<HEAD_BYTES>().ok_or(Reason::Cut)?;
    let [a, b, c, d, length, ..] = *head;
    let word = u32::from_be_bytes([a, b, c, d]);
    if word & ERROR_FLAG != 0 {
        return Err(Reason::ErrorFrame);
    }
    if word & REMOTE_FLAG != 0 {
        return Err(Reason::Remote);
    }
    if usize::from(length) > CLASSIC_BYTES_MAX {
        return Err(Reason::CanFd);
    }
    let data = data.get(..usize::from(length)).ok_or(Reason::Cut)?;
    let id = word & 0x1FFF_FFFF;
    let frame = if word & EXTENDED_FLAG != 0 { Frame::extended(id, data) } else { Frame::standard(id, data) };
    frame.map(|frame| Frame { at, ..frame }).ok_or(Reason::BadFrame)
}
