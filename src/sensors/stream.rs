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
use super::rate::DISPROOF_BYTES;
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
    /// When bytes came for so long, and no sound message among them. Silence alone ends nothing.
    Sense(Duration),
}

/// What came since the last sound message.
#[derive(Debug)]
struct Sense {
    messages: u64,
    bytes: u64,
    /// When the first of these bytes came.
    began_ms: u64,
}

impl Sense {
    /// Takes `count` bytes, after which `messages` came in all. Whether there was no sense for `limit`: noise of a few
    /// bytes on a line that speaks seldom is none yet.
    fn is_lost(&mut self, messages: u64, count: usize, mono_ms: u64, limit: Duration) -> bool {
        if messages != self.messages {
            (self.messages, self.bytes) = (messages, 0);
            return false;
        }
        if self.bytes == 0 {
            self.began_ms = mono_ms;
        }
        self.bytes += count as u64;
        let elapsed_ms = mono_ms.saturating_sub(self.began_ms);
        self.bytes >= DISPROOF_BYTES && u128::from(elapsed_ms) >= limit.as_millis()
    }
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
        Patience::Sense(limit) => (Duration::MAX, limit),
    };
    let mut sense = Sense { messages: context.stats.messages(), bytes: 0, began_ms: 0 };
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
        if sense.is_lost(context.stats.messages(), count, now.mono_ms, sense_max) {
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
