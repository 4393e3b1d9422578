//! A bus behind a TCP server: a multiplexer, a serial server, another program. Connects, reads, and connects again for
//! ever.
//!
//! Back-pressure goes to the server: while the lane is full nothing is read. A connection that went silent is closed,
//! since a half-open one (the server lost power) looks the same and would last for ever. It never writes (invariant
//! 11).

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::reading::Reading;
use crate::wire::StreamDecoder;

use super::intake::Intake;
use super::stats::{BusState, REASON_BUS_FULL};
use super::{BusContext, SensorsError};

/// Bytes of one read: at 38,400 baud four seconds, at the planned load of 600 kB/s 25 ms. With the splitter's one line
/// this is all that a bus holds of its stream.
pub(crate) const READ_BYTES_MAX: usize = 16 << 10;

/// Runs until shutdown.
pub(crate) async fn run(context: BusContext, host: String, port: u16, mut intake: Intake<dyn StreamDecoder>) {
    let mut backoff = context.backoff();
    loop {
        context.stats.set_state(BusState::Connecting);
        let began_ms = context.clock.now().mono_ms;
        let Err(lost) = session(&context, &host, port, &mut intake).await else { break };
        if context.clock.now().mono_ms.saturating_sub(began_ms) >= context.tuning.stable_after.as_millis() as u64 {
            backoff.reset();
        }
        if !context.wait_after(&lost, backoff.next()).await {
            break;
        }
    }
    context.stats.set_state(BusState::Closed);
}

/// One connection, from its opening to its end. `Ok` when the gateway stops.
async fn session(
    context: &BusContext,
    host: &str,
    port: u16,
    intake: &mut Intake<dyn StreamDecoder>,
) -> Result<(), SensorsError> {
    let mut stream = tokio::select! {
        biased;
        () = context.shutdown.cancelled() => return Ok(()),
        opened = connect(context.tuning.connect_timeout, host, port) => opened?,
    };
    context.opened(None);
    let mut readings = Vec::new();
    let end = read(context, &mut stream, intake, &mut readings).await;
    // The last line may be whole though its CR LF never came.
    let now = context.clock.now();
    intake.end_of_stream(now, &mut readings);
    hand_over(context, &mut readings).await;
    end
}

pub(super) async fn connect(limit: Duration, host: &str, port: u16) -> Result<TcpStream, SensorsError> {
    let target = || format!("{host}:{port}");
    match timeout(limit, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(SensorsError::Unreachable { target: target(), source }),
        Err(_) => Err(SensorsError::ConnectTimeout { target: target(), seconds: limit.as_secs() }),
    }
}

async fn read(
    context: &BusContext,
    stream: &mut TcpStream,
    intake: &mut Intake<dyn StreamDecoder>,
    readings: &mut Vec<Reading>,
) -> Result<(), SensorsError> {
    let mut buffer = vec![0; READ_BYTES_MAX];
    let idle_max = context.tuning.read_idle_max;
    loop {
        let read = tokio::select! {
            biased;
            () = context.shutdown.cancelled() => return Ok(()),
            read = timeout(idle_max, stream.read(&mut buffer)) => read,
        };
        let count = match read {
            Err(_) => return Err(SensorsError::Silent { seconds: idle_max.as_secs() }),
            Ok(Err(source)) => return Err(SensorsError::Broken { source }),
            Ok(Ok(0)) => return Err(SensorsError::ClosedByServer),
            Ok(Ok(count)) => count,
        };
        intake.take(&buffer[..count], context.clock.now(), readings);
        if count == READ_BYTES_MAX {
            // More is waiting. A flood would else keep this thread for the runtime's whole budget of 128 reads, 2 MiB,
            // and the buses that share it would wait for each: seen as 25 readings/s left to a good bus beside a
            // garbled one.
            tokio::task::yield_now().await;
        }
        context.stats.buffers(READ_BYTES_MAX + intake.held_bytes() + readings.capacity() * size_of::<Reading>());
        hand_over(context, readings).await;
    }
}

/// Waits for room: the server is held back meanwhile.
pub(super) async fn hand_over(context: &BusContext, readings: &mut Vec<Reading>) {
    let total = readings.len() as u64;
    if total == 0 {
        return;
    }
    let refused = context.lane.push_all(readings).await;
    context.count(total - refused, refused, REASON_BUS_FULL);
}
