//! A bus of Modbus units: over TCP, over a serial line, or with serial frames over TCP. Asks what the poller says,
//! hands over what the answers hold, and opens the line again when it breaks. Back-pressure: while the lane is
//! full nothing is asked.
//!
//! It can only read: no function that writes exists ([`crate::wire::modbus::Request`]).

pub(super) mod line;
mod options;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Parity;
use crate::reading::Reading;
use crate::wire::Sink as _;
use crate::wire::modbus::{Action, Framing, LineOptions, Outcome, Poller, Refusal, UnitOptions, rtu};

use super::SensorsError;
use super::context::BusContext;
use super::intake::ReadingMaker;
use super::serial;
use super::stats::BusState;
use super::tcp::connect;

use line::{Line, Overheard};

pub use options::map_file;

/// The rate of a serial line, where none is configured: what meters and controllers are delivered with.
pub(super) const BAUD: u32 = 9_600;

/// The longest sleep while nothing is due: the clock may jump ahead of ours while the machine is suspended.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Reason: an answer came after its time-out and was thrown away (Modbus TCP).
const REASON_LATE: &str = "modbus_late_answer";

/// Reason: bytes that nobody asked for, counted one by one (serial frames).
const REASON_UNASKED: &str = "modbus_unasked_byte";

/// Where the units are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Behind a TCP server.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port; Modbus has 502.
        port: u16,
    },
    /// On a serial line.
    Serial {
        /// The device.
        path: PathBuf,
        /// Bits a second.
        baud: u32,
        /// Parity.
        parity: Parity,
    },
}

/// A Modbus bus.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModbusOptions {
    /// Where the units are.
    pub(crate) transport: Transport,
    /// How they speak: over a serial line always [`Framing::Rtu`].
    pub(crate) framing: Framing,
    /// Who is asked for what.
    pub(crate) units: Vec<UnitOptions>,
}

/// Runs until shutdown.
pub(crate) async fn run(context: BusContext, options: ModbusOptions) {
    let framing = options.framing;
    let baud = match options.transport {
        Transport::Tcp { .. } => None,
        Transport::Serial { baud, .. } => Some(baud),
    };
    let line = LineOptions { framing, baud, timeout_ms: context.tuning.answer_timeout.as_millis() as u64 };
    let mut bus = Bus {
        maker: ReadingMaker::new(context.stats.clone(), context.registry.clone()),
        poller: Poller::new(line, options.units, context.clock.now().mono_ms),
        framing,
        silence: Duration::from_micros(rtu::silence_micros(baud.unwrap_or(u32::MAX))),
        context,
    };
    let context = bus.context.clone();
    let mut attempts = match options.transport {
        Transport::Tcp { .. } => context.attempts(),
        Transport::Serial { .. } => context.attempts_nearby(),
    };
    loop {
        attempts.begin();
        let Err(lost) = bus.session(&options.transport).await else { break };
        bus.poller.line_broke();
        if !attempts.wait_after(&lost).await {
            break;
        }
    }
    context.stats.set_state(BusState::Closed);
}

struct Bus {
    context: BusContext,
    maker: ReadingMaker,
    poller: Poller,
    framing: Framing,
    silence: Duration,
}

impl Bus {
    /// One opening of the line, until it breaks. `Ok` when the gateway stops.
    async fn session(&mut self, transport: &Transport) -> Result<(), SensorsError> {
        match transport {
            Transport::Tcp { host, port } => {
                let opened = tokio::select! {
                    biased;
                    () = self.context.shutdown.cancelled() => return Ok(()),
                    opened = connect(self.context.tuning.connect_timeout, host, *port) => opened?,
                };
                // A question is one small packet, and the answer is waited for.
                let _ = opened.set_nodelay(true);
                self.converse(opened, Some(self.context.tuning.read_idle_max)).await
            }
            Transport::Serial { path, baud, parity } => {
                let opened = serial::open(path, *baud, *parity)?;
                self.converse(opened, None).await
            }
        }
    }

    /// Asks and hands over. `silent_max`: how long nothing at all may come until the line is taken as dead.
    async fn converse<T>(&mut self, port: T, silent_max: Option<Duration>) -> Result<(), SensorsError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.context.opened(None);
        let first = self.context.entropy.below(u64::from(u16::MAX)) as u16;
        let mut line = Line::new(port, self.framing, self.silence, first);
        let shutdown = self.context.shutdown.clone();
        let mut readings = Vec::new();
        let mut silent_since_ms = None;
        loop {
            let now_ms = self.context.clock.now().mono_ms;
            let ask = match self.poller.next(now_ms) {
                Action::Ask(ask) => ask,
                Action::Wait { until_ms } => {
                    let wait = Duration::from_millis(until_ms.saturating_sub(now_ms)).min(WAIT_MAX);
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => return Ok(()),
                        () = tokio::time::sleep(wait) => continue,
                    }
                }
            };
            let asked = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                asked = line.ask(&ask) => asked,
            };
            let asked = match asked {
                Ok((outcome, overheard)) => Ok(self.tell(Some(outcome), overheard, &mut readings)),
                Err(source) => {
                    // What was heard before it broke counts too.
                    let _ = self.tell(None, line.overheard(), &mut readings);
                    let is_end = source.kind() == ErrorKind::UnexpectedEof;
                    Err(if is_end { SensorsError::Ended } else { SensorsError::Broken { source } })
                }
            };
            self.context.hand_over(&mut readings).await;
            let heard = asked??;
            match silent_max.filter(|_| !heard) {
                None => silent_since_ms = None,
                Some(limit) => {
                    let since_ms = *silent_since_ms.get_or_insert(now_ms);
                    if self.context.clock.now().mono_ms.saturating_sub(since_ms) >= limit.as_millis() as u64 {
                        return Err(SensorsError::Silent { seconds: limit.as_secs() });
                    }
                }
            }
        }
    }

    /// Tells the poller how a question ended, if it did, and the counters what went by. `Ok`: whether anything was
    /// heard; an error when the stream cannot be understood any further.
    fn tell(
        &mut self,
        outcome: Option<Outcome<'_>>,
        overheard: Overheard,
        readings: &mut Vec<Reading>,
    ) -> Result<bool, SensorsError> {
        let context = &self.context;
        let now = context.clock.now();
        if overheard.bytes > 0 {
            context.stats.received(overheard.bytes, now);
        }
        let held = readings.capacity() * size_of::<Reading>() + self.poller.held_bytes();
        let mut sink = self.maker.at(now, readings);
        for (reason, count) in overheard.dropped() {
            sink.dropped(reason, count, &"not the answer to what was asked", b"");
        }
        let knew = self.poller.sources().len();
        if let Some(outcome) = outcome {
            self.poller.done(now.mono_ms, context.entropy.unit(), outcome, &mut sink);
        }
        drop(sink);
        let sources = self.poller.sources();
        if sources.len() != knew {
            context.stats.know(sources);
        }
        context.stats.buffers(held);
        if outcome == Some(Outcome::Refused(Refusal::Header)) {
            let source = std::io::Error::new(ErrorKind::InvalidData, "the server does not speak Modbus TCP");
            return Err(SensorsError::Broken { source });
        }
        Ok(overheard.bytes > 0)
    }
}
