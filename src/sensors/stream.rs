//! A bus whose bytes come as a stream: TCP and serial ports. Opens, reads, and opens again for ever.
//!
//! Back-pressure goes to the source: while the lane is full nothing is read. A stream that went silent is closed, where
//! a half-open one would look the same and last for ever. It never writes (invariant 10).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use crate::reading::Reading;
use crate::wire::StreamDecoder;

use super::context::{Attempts, BusContext};
use super::intake::Intake;
use super::stats::BusState;
use super::{SensorsError, TELL_SOURCES_INTERVAL_MS};

/// Bytes of one read: at 38,400 baud four seconds, at the planned load of 600 kB/s 25 ms. With the decoder's one
/// message this is all that a bus holds of its stream.
pub(crate) const READ_BYTES_MAX: usize = 16 << 10;

/// When an open stream is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// When it ends.
    Endless,
    /// When no byte came for so long.
    Bytes(Duration),
    /// When no sound message came for so long, whatever else did.
    Messages(Duration),
}

/// Runs until shutdown. `open` makes the stream.
pub(crate) async fn run<S, F>(
    context: &BusContext,
    mut attempts: Attempts<'_>,
    mut intake: Intake<dyn StreamDecoder>,
    patience: Patience,
    mut open: impl FnMut() -> F,
) where
    S: AsyncRead + Unpin,
    F: Future<Output = Result<S, SensorsError>>,
{
    loop {
        attempts.begin();
        let opened = tokio::select! {
            biased;
            () = context.shutdown.cancelled() => break,
            opened = open() => opened,
        };
        let end = match opened {
            Ok(mut stream) => session(context, &mut stream, &mut intake, patience).await,
            Err(lost) => Err(lost),
        };
        let Err(lost) = end else { break };
        if !attempts.wait_after(&lost).await {
            break;
        }
    }
    context.stats.set_state(BusState::Closed);
}

/// One connection, from its opening to its end. `Ok` when the gateway stops.
async fn session(
    context: &BusContext,
    stream: &mut (impl AsyncRead + Unpin),
    intake: &mut Intake<dyn StreamDecoder>,
    patience: Patience,
) -> Result<(), SensorsError> {
    context.opened(None);
    let mut readings = Vec::new();
    let end = read(context, stream, intake, patience, &mut readings).await;
    // The last line may be whole though its CR LF never came.
    intake.end_of_stream(context.clock.now(), &mut readings);
    context.hand_over(&mut readings).await;
    end
}

async fn read(
    context: &BusContext,
    stream: &mut (impl AsyncRead + Unpin),
    intake: &mut Intake<dyn StreamDecoder>,
    patience: Patience,
    readings: &mut Vec<Reading>,
) -> Result<(), SensorsError> {
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut told_ms = 0;
    let (idle_max, sense_max) = match patience {
        Patience::Endless => (Duration::MAX, Duration::MAX),
        Patience::Bytes(limit) => (limit, Duration::MAX),
        Patience::Messages(limit) => (limit, limit),
    };
    let mut sense = (context.stats.messages(), context.clock.now().mono_ms);
    loop {
        let read = tokio::select! {
            biased;
            () = context.shutdown.cancelled() => return Ok(()),
            read = timeout(idle_max, stream.read(&mut buffer)) => read,
        };
        let count = match read {
            Err(_) => return Err(SensorsError::Silent { seconds: idle_max.as_secs() }),
            Ok(Err(source)) => return Err(SensorsError::Broken { source }),
            Ok(Ok(0)) => return Err(SensorsError::Ended),
            Ok(Ok(count)) => count,
        };
        let now = context.clock.now();
        intake.take(&buffer[..count], now, readings);
        let messages = context.stats.messages();
        if messages != sense.0 {
            sense = (messages, now.mono_ms);
        } else if u128::from(now.mono_ms.saturating_sub(sense.1)) >= sense_max.as_millis() {
            return Err(SensorsError::Garbage { seconds: sense_max.as_secs() });
        }
        if now.mono_ms.saturating_sub(told_ms) >= TELL_SOURCES_INTERVAL_MS {
            told_ms = now.mono_ms;
            context.know(intake.sources());
        }
        context.stats.buffers(READ_BYTES_MAX + intake.held_bytes() + readings.capacity() * size_of::<Reading>());
        context.hand_over(readings).await;
        if count == READ_BYTES_MAX {
            // More is waiting. A flood would else keep this thread for the runtime's whole budget of 128 reads, 2 MiB,
            // and the buses that share it would wait for each: seen as 25 readings/s left to a good bus beside a
            // garbled one.
            tokio::task::yield_now().await;
        } else if !context.rest().await {
            return Ok(());
        }
    }
}
