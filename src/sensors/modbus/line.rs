//! One question at a time over an open line, and nothing but its answer taken for it.
//!
//! Own framing, not a client library's (tokio-modbus 0.17 was read): its serial client checks neither how many
//! registers came (a debug assertion, so a wrong device panics a debug build and is believed in release) nor what the
//! tty still holds, and its TCP client must be dropped after each time-out (slowtec/tokio-modbus#324), which behind a
//! gateway makes one dead unit cost all others their connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::wire::modbus::{Ask, Framing, Outcome, Refusal, rtu, tcp};

use super::{REASON_LATE, REASON_UNASKED};

/// The silence that is waited for after trouble: six times the 16 ms for which USB serial adapters hold bytes back.
const TROUBLE_SILENCE: Duration = Duration::from_millis(100);

/// How long that silence is waited for: a line on which somebody talks for seconds is not ours to ask on.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Bytes of one read: a frame, and room to see that more follows.
const READ_BYTES_MAX: usize = 512;

/// What is counted of that which went by beside the answer.
const COUNTED: [&str; 5] = [
    REASON_LATE,
    REASON_UNASKED,
    Refusal::Unit { asked: 0, got: 0 }.reason(),
    Refusal::Function { asked: 0, got: 0 }.reason(),
    Refusal::Length { expected: 0, got: 0 }.reason(),
];

/// What went by beside the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sensors) struct Overheard {
    /// Bytes received, the answer's too.
    pub(in crate::sensors) bytes: usize,
    counts: [u64; COUNTED.len()],
}

impl Overheard {
    /// What was dropped, by reason.
    pub(in crate::sensors) fn dropped(self) -> impl Iterator<Item = (&'static str, u64)> {
        COUNTED.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// Another reason than the [`COUNTED`] ends a question and is its outcome.
    fn count(&mut self, reason: &'static str, more: u64) {
        if let Some(at) = COUNTED.iter().position(|counted| *counted == reason) {
            self.counts[at] += more;
        }
    }
}

/// An open line.
pub(in crate::sensors) struct Line<T> {
    port: T,
    framing: Framing,
    silence: Duration,
    troubled: bool,
    transaction: u16,
    /// What came of the answer; over TCP also of frames before it: the first half of a late answer stays over a
    /// time-out.
    bytes: Vec<u8>,
    /// So many of them are a frame that was judged.
    judged_bytes: usize,
    overheard: Overheard,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Line<T> {
    /// A line that was just opened; what it still holds is somebody else's. `silence`: between two serial frames.
    pub(in crate::sensors) fn new(port: T, framing: Framing, silence: Duration, transaction: u16) -> Self {
        let bytes = Vec::with_capacity(READ_BYTES_MAX);
        Self {
            port,
            framing,
            silence,
            troubled: true,
            transaction,
            bytes,
            judged_bytes: 0,
            overheard: Overheard::default(),
        }
    }

    /// What went by since the last question began.
    pub(super) const fn overheard(&self) -> Overheard {
        self.overheard
    }

    /// Asks and waits for the end of the answer, or the end of its time. An error: the line broke.
    pub(in crate::sensors) async fn ask(&mut self, ask: &Ask) -> io::Result<(Outcome<'_>, Overheard)> {
        self.overheard = Overheard::default();
        self.forget_judged();
        let limit = Duration::from_millis(ask.timeout_ms);
        let ended = match self.framing {
            Framing::Tcp => {
                self.transaction = self.transaction.wrapping_add(1);
                self.port.write_all(&tcp::frame(self.transaction, ask.unit, &ask.request)).await?;
                self.port.flush().await?;
                timeout(limit, self.tcp_answer()).await
            }
            Framing::Rtu => {
                self.bytes.clear();
                self.quiet().await?;
                self.port.write_all(&rtu::frame(ask.unit, &ask.request)).await?;
                self.port.flush().await?;
                timeout(limit, self.rtu_answer(ask)).await
            }
        };
        let overheard = self.overheard;
        if let Ok(broken) = ended {
            broken?;
        } else {
            self.troubled = true;
            let got = self.bytes.len();
            let refusal = if got == 0 { Refusal::Timeout } else { Refusal::Short { got } };
            return Ok((Outcome::Refused(refusal), overheard));
        }
        let judged = match self.framing {
            Framing::Tcp => tcp::judge(ask.unit, &ask.request, &self.bytes[..self.judged_bytes]),
            // Whole: `rtu_answer` ends with nothing else.
            Framing::Rtu => rtu::judge(ask.unit, &ask.request, &self.bytes).unwrap_or(Err(Refusal::Timeout)),
        };
        self.troubled = judged.is_err();
        Ok((judged.map_or_else(Outcome::Refused, Outcome::Answer), overheard))
    }

    /// Reads what is there into `bytes`.
    async fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; READ_BYTES_MAX];
        let count = self.port.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.overheard.bytes += count;
        self.bytes.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn forget_judged(&mut self) {
        self.bytes.drain(..std::mem::take(&mut self.judged_bytes));
    }

    /// Reads until `bytes` begins with the frame of this transaction, or with one that is no Modbus. Frames of others,
    /// late answers, are dropped.
    async fn tcp_answer(&mut self) -> io::Result<()> {
        loop {
            if let Some(header) = tcp::Header::read(&self.bytes) {
                if !header.is_modbus() {
                    return Ok(());
                }
                if self.bytes.len() >= header.frame_bytes() {
                    self.judged_bytes = header.frame_bytes();
                    if header.transaction == self.transaction {
                        return Ok(());
                    }
                    self.forget_judged();
                    self.overheard.count(REASON_LATE, 1);
                    continue;
                }
            }
            self.read().await?;
        }
    }

    /// Reads until `bytes` can be judged. Whole frames that are the answer to something else (another unit's, or a late
    /// one of this unit to a question of another length) are dropped, and the answer is waited for behind them.
    async fn rtu_answer(&mut self, ask: &Ask) -> io::Result<()> {
        loop {
            match rtu::judge(ask.unit, &ask.request, &self.bytes) {
                None => {}
                Some(Err(refusal @ (Refusal::Unit { .. } | Refusal::Function { .. } | Refusal::Length { .. }))) => {
                    match rtu::end_of_frame(&self.bytes) {
                        None => {}
                        Some(None) => return Ok(()),
                        Some(Some(end)) => {
                            self.bytes.drain(..end);
                            self.overheard.count(refusal.reason(), 1);
                            continue;
                        }
                    }
                }
                Some(_) => return Ok(()),
            }
            self.read().await?;
        }
    }

    /// Waits until the line was silent long enough for a question. What comes meanwhile was not asked for.
    async fn quiet(&mut self) -> io::Result<()> {
        let silence = if self.troubled { self.silence.max(TROUBLE_SILENCE) } else { self.silence };
        let ended = timeout(DRAIN_MAX, self.until_silent(silence)).await;
        self.overheard.count(REASON_UNASKED, self.bytes.len() as u64);
        self.bytes.clear();
        ended.unwrap_or_else(|_| Err(io::Error::other("the line is never silent; is there another master on it?")))
    }

    async fn until_silent(&mut self, silence: Duration) -> io::Result<()> {
        while let Ok(read) = timeout(silence, self.read()).await {
            read?;
            // A line that never ends costs time, not memory.
            let excess = self.bytes.len().saturating_sub(READ_BYTES_MAX);
            self.overheard.count(REASON_UNASKED, excess as u64);
            self.bytes.drain(..excess);
        }
        Ok(())
    }
}
