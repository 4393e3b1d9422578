//! A bus of datagrams: whoever sends to our port. A datagram is a unit: its last line ends with it, and the next
//! datagram may come from another sender.
//!
//! Datagrams cannot be held back: what the lane cannot take is refused and counted as `bus_full`. What the kernel drops
//! because this task was not run in time is counted by the kernel only (`/proc/net/udp`, column drops). It never sends.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::reading::Reading;
use crate::wire::StreamDecoder;

use super::intake::Intake;
use super::stats::{BusState, REASON_BUS_FULL};
use super::tcp::READ_BYTES_MAX;
use super::{BusContext, SensorsError};

/// The largest datagram: 65,535 bytes less the headers, rounded up.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;

/// Runs until shutdown.
pub(crate) async fn run(context: BusContext, address: SocketAddr, mut intake: Intake<dyn StreamDecoder>) {
    let mut backoff = context.backoff();
    loop {
        context.stats.set_state(BusState::Connecting);
        let began_ms = context.clock.now().mono_ms;
        let Err(lost) = session(&context, address, &mut intake).await else { break };
        if context.clock.now().mono_ms.saturating_sub(began_ms) >= context.tuning.stable_after.as_millis() as u64 {
            backoff.reset();
        }
        if !context.wait_after(&lost, backoff.next()).await {
            break;
        }
    }
    context.stats.set_state(BusState::Closed);
}

/// One binding of the port, until it breaks (the interface went) or the gateway stops.
async fn session(
    context: &BusContext,
    address: SocketAddr,
    intake: &mut Intake<dyn StreamDecoder>,
) -> Result<(), SensorsError> {
    let cannot = |source| SensorsError::CannotListen { address, source };
    let socket = UdpSocket::bind(address).await.map_err(cannot)?;
    context.opened(Some(socket.local_addr().map_err(cannot)?));
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut readings = Vec::new();
    let mut unyielded = 0;
    loop {
        let received = tokio::select! {
            biased;
            () = context.shutdown.cancelled() => return Ok(()),
            received = socket.recv_from(&mut buffer) => received,
        };
        let (count, _) = received.map_err(|source| SensorsError::Broken { source })?;
        let now = context.clock.now();
        intake.take(&buffer[..count], now, &mut readings);
        intake.end_of_datagram(now, &mut readings);
        context.stats.buffers(DATAGRAM_BYTES_MAX + intake.held_bytes() + readings.capacity() * size_of::<Reading>());
        let total = readings.len() as u64;
        let refused = context.lane.push(&mut readings);
        context.count(total - refused, refused, REASON_BUS_FULL);
        // A flood gives way to the other buses after each full buffer, as in `tcp`.
        unyielded += count;
        if unyielded >= READ_BYTES_MAX {
            unyielded = 0;
            tokio::task::yield_now().await;
        }
    }
}
