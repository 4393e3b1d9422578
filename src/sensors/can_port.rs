//! The socket of a CAN interface: what the kernel heard, and how many frames it had no room for.
//!
//! It is read here and not by the crate's own future: that waits for data alone, and an interface that goes down while
//! the bus is quiet only says that there is an error.

use std::io::{Error, ErrorKind, IoSliceMut, Result};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socketcan::{CanSocket, Socket as _, SocketOptions as _};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::SensorsError;
use crate::wire::can::Frame;

/// Room that is asked for in the kernel, where a frame takes some 960 bytes: 4,000 frames, two seconds of a full bus of
/// 250 kbit/s. It gives twice `net.core.rmem_max` at most, as a rule 444 frames.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// A `struct can_frame` (linux/can.h): the identifier with its flags, the length, three bytes, eight of data.
const FRAME_BYTES: usize = 16;

const FLAG_EXTENDED: u32 = 0x8000_0000;
const FLAG_REMOTE: u32 = 0x4000_0000;
const FLAG_ERROR: u32 = 0x2000_0000;
const EXTENDED_MASK: u32 = 0x1FFF_FFFF;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A frame of data.
    Data(Frame),
    /// A frame that asks for one.
    Remote,
    /// What the controller says of the bus: bits of linux/can/error.h.
    Error(u32),
}

/// An open interface.
#[derive(Debug)]
pub(super) struct CanPort {
    socket: AsyncFd<CanSocket>,
    control: Vec<u8>,
    /// Frames that found no room since the socket was opened; it wraps.
    lost: u32,
    lost_told: u32,
}

impl CanPort {
    /// Opens an interface for data and error frames. Fails when it is missing or down.
    pub(super) fn open(interface: &str) -> std::result::Result<Self, SensorsError> {
        Self::bind(interface).map_err(|source| SensorsError::Interface { interface: interface.to_owned(), source })
    }

    fn bind(interface: &str) -> Result<Self> {
        let socket = CanSocket::open(interface)?;
        socket.set_nonblocking(true)?;
        socket.set_error_filter_accept_all()?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        let options = socket2::SockRef::from(&socket);
        options.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        // One that is down can be bound, and has its error waiting.
        if let Some(error) = options.take_error()? {
            return Err(error);
        }
        #[allow(deprecated, reason = "what replaces it is unsafe, for types that lie about their descriptor")]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE | Interest::ERROR)?;
        Ok(Self { socket, control: nix::cmsg_space!(u32), lost: 0, lost_told: 0 })
    }

    /// What waits already; else `WouldBlock`.
    pub(super) fn try_read(&mut self) -> Result<Heard> {
        let Self { socket, control, lost, .. } = self;
        receive(socket.get_ref(), control, lost)
    }

    /// What comes next, or why nothing will.
    pub(super) async fn read(&mut self) -> Result<Heard> {
        let Self { socket, control, lost, .. } = self;
        socket.async_io(Interest::READABLE | Interest::ERROR, |socket| receive(socket, control, lost)).await
    }

    /// How many frames were lost in the kernel since this was asked last.
    pub(super) const fn take_lost(&mut self) -> u32 {
        let more = self.lost.wrapping_sub(self.lost_told);
        self.lost_told = self.lost;
        more
    }
}

fn receive(socket: &CanSocket, control: &mut [u8], lost: &mut u32) -> Result<Heard> {
    let mut bytes = [0; FRAME_BYTES];
    let mut into = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(control), MsgFlags::MSG_DONTWAIT)?;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::RxqOvfl(count) = message {
            *lost = count;
        }
    }
    heard(&bytes).ok_or_else(|| Error::from(ErrorKind::InvalidData))
}

/// A `struct can_frame` as what it is.
fn heard(bytes: &[u8; FRAME_BYTES]) -> Option<Heard> {
    let [i0, i1, i2, i3, length, _, _, _, data @ ..] = bytes;
    let id = u32::from_ne_bytes([*i0, *i1, *i2, *i3]);
    if id & FLAG_ERROR != 0 {
        return Some(Heard::Error(id));
    }
    if id & FLAG_REMOTE != 0 {
        return Some(Heard::Remote);
    }
    let data = data.get(..usize::from(*length))?;
    let number = id & EXTENDED_MASK;
    if id & FLAG_EXTENDED != 0 { Frame::extended(number, data) } else { Frame::standard(number, data) }.map(Heard::Data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(id: u32, length: u8) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        bytes[..4].copy_from_slice(&id.to_ne_bytes());
        bytes[4] = length;
        bytes[8..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        bytes
    }

    #[test]
    fn the_kernels_frames_are_told_apart_by_their_flags() {
        let data = |frame: Option<Frame>| frame.map(Heard::Data);
        assert_eq!(heard(&raw(0x89F8_0102, 3)), data(Frame::extended(0x09F8_0102, &[1, 2, 3])));
        assert_eq!(heard(&raw(0x305, 8)), data(Frame::standard(0x305, &[1, 2, 3, 4, 5, 6, 7, 8])));
        assert_eq!(heard(&raw(0xC9F8_0102, 0)), Some(Heard::Remote));
        assert_eq!(heard(&raw(0x2000_0040, 8)), Some(Heard::Error(0x2000_0040)));
        assert_eq!(heard(&raw(0x305, 9)), None);
    }
}
