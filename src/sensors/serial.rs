//! A bus on a serial port: an adapter, an on-board UART, a pseudo-terminal. 8 data bits and 1 stop bit, as IEC
//! 61162-1, 5.2 has it.
//!
//! Found by its path; the paths below `/dev/serial/by-id` name the adapter, so that it is the same source wherever it
//! is plugged in again. While the path is not there it is looked for every few seconds. Its rate is configured, or
//! found by listening. It refuses to write.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serial2_tokio::{SerialPort, Settings};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::Parity;
use crate::wire::{Decoded, Sink, StreamDecoder};

use super::SensorsError;
use super::context::BusContext;
use super::intake::Intake;
use super::rate::{Heard, Judgement, Listener, RATES};
use super::stream::{self, Patience, READ_BYTES_MAX};

/// Bytes of one read while the rate is searched for.
const PROBE_BYTES: usize = 1_024;

/// Runs until shutdown. `rate` 0: found by listening with what `decoder` makes.
pub(crate) async fn run(
    context: BusContext,
    (path, rate, parity): (PathBuf, u32, Parity),
    decoder: impl Fn() -> Box<dyn StreamDecoder>,
    intake: Intake<dyn StreamDecoder>,
) {
    // The rate that was right last time is tried first.
    let found = AtomicU32::new(rate);
    let open = || async {
        let line = if rate == 0 {
            let line = find_rate(&context.clock, (&path, parity), found.load(Ordering::Relaxed), &decoder).await?;
            tracing::info!(bus = context.stats.name(), rate = line.rate, "the rate of the line was found");
            found.store(line.rate, Ordering::Relaxed);
            line
        } else {
            Line { port: open(&path, rate, parity)?, rate, heard: Vec::new() }
        };
        Ok(std::io::Cursor::new(line.heard).chain(line.port))
    };
    // A line that falls silent is left open: an instrument that is switched off, or that speaks seldom, is no fault of
    // the port. One whose rate was found is searched again when there is no sense in what comes: another instrument may
    // be at its end now.
    let patience = if rate == 0 { Patience::Sense(context.tuning.read_idle_max) } else { Patience::Endless };
    stream::run(&context, context.attempts_nearby(), intake, patience, open).await;
}

/// Opens the port for us alone: another program that reads it (a modem manager, gpsd) would take half of the bytes.
pub(crate) fn open(path: &Path, rate: u32, parity: Parity) -> Result<SerialPort, SensorsError> {
    let cannot = |source| SensorsError::Port { path: path.to_owned(), source };
    let settings = |mut settings: Settings| {
        settings.set_raw();
        settings.set_baud_rate(rate)?;
        settings.set_parity(match parity {
            Parity::None => serial2_tokio::Parity::None,
            Parity::Even => serial2_tokio::Parity::Even,
            Parity::Odd => serial2_tokio::Parity::Odd,
        });
        Ok(settings)
    };
    let port = SerialPort::open(path, settings).map_err(cannot)?;
    // The flag is the port's, not the descriptor's; `serial2` shows none of its own. It ends with the last close.
    let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
    let again = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(cannot)?;
    rustix::termios::ioctl_tiocexcl(&again).map_err(|error| cannot(error.into()))?;
    Ok(port)
}

/// An open line, and what it said while its rate was searched for.
struct Line {
    port: SerialPort,
    rate: u32,
    /// At most [`READ_BYTES_MAX`].
    heard: Vec<u8>,
}

/// Listens at each rate until one gives sound messages. `first` is tried first, when it is not 0. Fails when the port
/// does; searches for ever otherwise.
async fn find_rate(
    clock: &Clock,
    (path, parity): (&Path, Parity),
    first: u32,
    decoder: impl Fn() -> Box<dyn StreamDecoder>,
) -> Result<Line, SensorsError> {
    let known = (first != 0).then_some(first);
    let mut rates = known.into_iter().chain(RATES.into_iter().cycle());
    loop {
        let rate = rates.next().expect("a cycle has no end");
        let port = open(path, rate, parity)?;
        let mut listener = Counter { decoder: decoder(), counts: Counts::default(), heard: Vec::new() };
        if listen(clock, &port, &mut listener).await? == Judgement::Right {
            return Ok(Line { port, rate, heard: listener.heard });
        }
    }
}

/// Listens at the rate of `port` until it is judged.
pub(crate) async fn listen(
    clock: &Clock,
    port: &SerialPort,
    listener: &mut impl Listener,
) -> Result<Judgement, SensorsError> {
    let began_ms = clock.now().mono_ms;
    let mut buffer = vec![0; PROBE_BYTES];
    loop {
        let now_ms = clock.now().mono_ms;
        let elapsed_ms = now_ms.saturating_sub(began_ms);
        match listener.heard().judge(elapsed_ms) {
            Judgement::Listen => {}
            judged => return Ok(judged),
        }
        let listen_ms = listener.heard().listen_ms();
        let left = Duration::from_millis(listen_ms.saturating_sub(elapsed_ms).max(1));
        match timeout(left, port.read(&mut buffer)).await {
            Err(_) => return Ok(listener.heard().judge(listen_ms)),
            Ok(Err(source)) => return Err(SensorsError::Broken { source }),
            Ok(Ok(0)) => return Err(SensorsError::Ended),
            Ok(Ok(count)) => listener.take(&buffer[..count], now_ms),
        }
    }
}

/// A decoder whose messages are counted and not kept. The bytes are: an instrument that speaks seldom would else lose
/// what it said meanwhile.
struct Counter {
    decoder: Box<dyn StreamDecoder>,
    counts: Counts,
    heard: Vec<u8>,
}

impl Listener for Counter {
    fn take(&mut self, bytes: &[u8], mono_ms: u64) {
        self.counts.0.bytes += bytes.len() as u64;
        // Two sound messages end the search; what says one and then fills this is no instrument.
        let room = READ_BYTES_MAX - self.heard.len();
        self.heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.decoder.push(bytes, mono_ms, &mut self.counts);
    }

    fn heard(&self) -> Heard {
        self.counts.0
    }
}

/// Counts what a decoder makes, and keeps nothing.
#[derive(Debug, Default)]
struct Counts(Heard);

impl Sink for Counts {
    fn message(&mut self, readings: &mut Vec<Decoded>) {
        self.0.messages += 1;
        readings.clear();
    }

    fn dropped(&mut self, _reason: &'static str, count: u64, _why: &dyn std::fmt::Display, _near: &[u8]) {
        self.0.dropped += count;
    }
}
