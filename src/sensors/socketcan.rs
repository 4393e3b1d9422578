//! A bus on a CAN interface of the kernel: NMEA 2000, J1939, or anything that a DBC file describes.
//!
//! It listens only: no frame is ever sent, no address claimed, nothing acknowledged above what the controller does by
//! itself (for that, `ip link set can0 type can listen-only on`). Bit rate and restart after bus-off are the
//! interface's own settings. Error frames are counted by what they tell; they are no data.

use std::io::ErrorKind;

use crate::reading::Reading;
use crate::wire::can::FrameDecoder;

use super::can_port::{CanPort, Heard};
use super::context::BusContext;
use super::intake::Intake;
use super::stats::BusState;
use super::{SensorsError, TELL_SOURCES_INTERVAL_MS};

/// Frames after which the other buses get their turn: a classic frame has 47 bits at least, so that a bus of 1 Mbit/s
/// carries 21,000 a second and these are 12 ms of it.
const FRAMES_UNYIELDED_MAX: u32 = 256;

/// Reason: frames that the kernel had no room for until they were read.
const REASON_OVERFLOW: &str = "can_overflow";

/// Reason: a frame that asks for data.
pub(super) const REASON_REMOTE: &str = "can_remote_frame";

/// Kinds of error frames by the bits of their identifier (linux/can/error.h), most telling first.
const ERRORS: [(u32, &str, &str); 5] = [
    (0x040, "can_bus_off", "the controller has left the bus; it returns by itself with `restart-ms 100`"),
    (0x100, "can_restarted", "the controller is back on the bus"),
    (0x004, "can_controller_problem", "the controller saw many errors, or had no room for a frame"),
    (0x080, "can_bus_error", "a frame was garbled; are the bit rate and both terminators right?"),
    (0x020, "can_not_acknowledged", "nobody else listens to what this controller sends"),
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
    let mut port = CanPort::open(interface)?;
    context.opened(None);
    let mut readings = Vec::new();
    let end = read(context, interface, &mut port, intake, &mut readings).await;
    intake.end_of_frames(context.clock.now(), &mut readings);
    context.hand_over_now(&mut readings);
    end
}

async fn read(
    context: &BusContext,
    interface: &str,
    port: &mut CanPort,
    intake: &mut Intake<dyn FrameDecoder>,
    readings: &mut Vec<Reading>,
) -> Result<(), SensorsError> {
    let (mut unyielded, mut told_ms) = (0, 0);
    loop {
        let received = match port.try_read() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // All that waited was taken.
                context.hand_over_now(readings);
                if !context.rest().await {
                    return Ok(());
                }
                tokio::select! {
                    biased;
                    () = context.shutdown.cancelled() => return Ok(()),
                    received = port.read() => received,
                }
            }
            received => received,
        };
        let now = context.clock.now();
        match received.map_err(|source| lost(interface, source))? {
            Heard::Data(frame) => intake.take_frame(&frame, now, readings),
            Heard::Remote => intake.reject(REASON_REMOTE, 1, "it asks for data and holds none", now),
            Heard::Error(bits) => {
                let (reason, why) = error(bits);
                intake.reject(reason, 1, why, now);
            }
        }
        let overflow = u64::from(port.take_lost());
        if overflow > 0 {
            intake.reject(REASON_OVERFLOW, overflow, "the kernel had no room; raise net.core.rmem_max", now);
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

/// Why an interface says no more: it is down, or gone with its adapter.
pub(super) fn lost(interface: &str, source: std::io::Error) -> SensorsError {
    SensorsError::Interface { interface: interface.to_owned(), source }
}

/// The reason that an error frame is counted under, and what it means.
pub(super) fn error(bits: u32) -> (&'static str, &'static str) {
    let known = ERRORS.iter().find(|(bit, ..)| bits & bit != 0);
    known.map_or(("can_error_frame", "the controller saw an error"), |(_, name, why)| (name, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_frames_are_told_apart_by_their_gravest_bit() {
        assert_eq!(error(0x2000_0040).0, "can_bus_off");
        assert_eq!(error(0x2000_0084).0, "can_controller_problem");
        assert_eq!(error(0x2000_0001).0, "can_error_frame");
    }
}
