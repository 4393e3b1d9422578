//! A bus on a CAN interface of the kernel: NMEA 2000, J1939, or anything that a DBC file describes.
//!
//! It listens only: no frame is ever sent, no address claimed, nothing acknowledged above what the controller does by
//! itself (for that, `ip link set can0 type can listen-only on`). Bit rate and restart after bus-off are the
//! interface's own settings. Error frames are counted by what they tell; they are no data.

use socketcan::tokio::CanSocket;
use socketcan::{CanFrame, EmbeddedFrame as _, ExtendedId, Frame as _, Id, SocketOptions as _};

use crate::reading::Reading;
use crate::wire::can::{Frame, FrameDecoder};

use super::context::BusContext;
use super::intake::Intake;
use super::stats::BusState;
use super::{SensorsError, TELL_SOURCES_INTERVAL_MS};

/// Frames after which the other buses get their turn: a classic frame has 47 bits at least, so that a bus of 1 Mbit/s
/// carries 21,000 a second and these are 12 ms of it.
const FRAMES_UNYIELDED_MAX: u32 = 256;

/// Kinds of error frames by the bits of their identifier (linux/can/error.h), most telling first.
const ERRORS: [(u32, &str); 5] = [
    (0x040, "can_bus_off"),
    (0x100, "can_restarted"),
    (0x004, "can_controller_problem"),
    (0x080, "can_bus_error"),
    (0x020, "can_not_acknowledged"),
];

/// Runs until shutdown.
pub(crate) async fn run(context: BusContext, interface: String, mut intake: Intake<dyn FrameDecoder>) {
    let mut attempts = context.attempts_nearby();
    loop {
        attempts.begin();
        let Err(lost) = session(&context, &interface, &mut intake).await else { break };
        if !attempts.wait_after(&lost).await {
            break;
        }
    }
    context.stats.set_state(BusState::Closed);
}

/// One binding of the interface, until it goes down or the gateway stops.
async fn session(
    context: &BusContext,
    interface: &str,
    intake: &mut Intake<dyn FrameDecoder>,
) -> Result<(), SensorsError> {
    let socket = open(interface)?;
    context.opened(None);
    let mut readings = Vec::new();
    let end = read(context, &socket, intake, &mut readings).await;
    intake.end_of_frames(context.clock.now(), &mut readings);
    context.hand_over_now(&mut readings);
    end
}

/// Opens the interface for data and error frames.
pub(super) fn open(interface: &str) -> Result<CanSocket, SensorsError> {
    let cannot = |source| SensorsError::Interface { interface: interface.to_owned(), source };
    let socket = CanSocket::open(interface).map_err(cannot)?;
    socket.set_error_filter_accept_all().map_err(cannot)?;
    Ok(socket)
}

async fn read(
    context: &BusContext,
    socket: &CanSocket,
    intake: &mut Intake<dyn FrameDecoder>,
    readings: &mut Vec<Reading>,
) -> Result<(), SensorsError> {
    let (mut unyielded, mut told_ms) = (0, 0);
    loop {
        let received = match socket.try_read_frame() {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                // All that waited was taken.
                context.hand_over_now(readings);
                if !context.rest().await {
                    return Ok(());
                }
                tokio::select! {
                    biased;
                    () = context.shutdown.cancelled() => return Ok(()),
                    received = socket.read_frame() => received,
                }
            }
            received => received,
        };
        let now = context.clock.now();
        match received.map_err(|source| SensorsError::Broken { source })? {
            CanFrame::Data(data) => {
                if let Some(frame) = frame(data.id(), data.data()) {
                    intake.take_frame(&frame, now, readings);
                }
            }
            CanFrame::Remote(_) => context.stats.rejected("can_remote_frame", 1),
            CanFrame::Error(error) => context.stats.rejected(reason(error.raw_id()), 1),
        }
        if now.mono_ms.saturating_sub(told_ms) >= TELL_SOURCES_INTERVAL_MS {
            told_ms = now.mono_ms;
            context.know(intake.sources());
        }
        context.stats.buffers(intake.held_bytes() + readings.capacity() * size_of::<Reading>());
        unyielded += 1;
        if unyielded >= FRAMES_UNYIELDED_MAX {
            unyielded = 0;
            context.hand_over_now(readings);
            tokio::task::yield_now().await;
        }
    }
}

/// A data frame of the kernel's as a frame of ours.
pub(super) fn frame(id: Id, data: &[u8]) -> Option<Frame> {
    match id {
        Id::Standard(id) => Frame::standard(u32::from(id.as_raw()), data),
        Id::Extended(id) => Frame::extended(ExtendedId::as_raw(&id), data),
    }
}

/// The reason that an error frame is counted under.
pub(super) fn reason(identifier: u32) -> &'static str {
    ERRORS.iter().find(|(bit, _)| identifier & bit != 0).map_or("can_error_frame", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_frames_are_told_apart_by_their_gravest_bit() {
        assert_eq!(reason(0x2000_0040), "can_bus_off");
        assert_eq!(reason(0x2000_0084), "can_controller_problem");
        assert_eq!(reason(0x2000_0001), "can_error_frame");
    }
}
