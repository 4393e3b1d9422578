//! The packets of one tick on their way out, and the ledger of what went.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::wire::can::Frame;

use super::faults::Faults;
use super::packet::{Body, Count, Packet};

/// A frame, what it completes, and which message of its round it is part of.
pub(crate) type Sent = (Frame, Count, u32);

/// The packets of one tick, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// Where each packet ends, and what it completes.
    pub(crate) ends: Vec<(usize, Count)>,
    pub(crate) frames: Vec<Sent>,
    /// Whether the output is to be closed in place of it. Such a batch is empty.
    pub(crate) unplug: bool,
}

impl Batch {
    /// Adds packets, in their order.
    pub(crate) fn extend(&mut self, packets: impl IntoIterator<Item = Packet>) {
        for packet in packets {
            match packet.body {
                Body::Bytes(bytes) => {
                    self.bytes.extend_from_slice(&bytes);
                    self.ends.push((self.bytes.len(), packet.count));
                }
                Body::Frame(frame) => self.frames.push((frame, packet.count, packet.message)),
            }
        }
    }

    /// All that its packets complete.
    pub(crate) fn count(&self) -> Count {
        self.ends.iter().map(|(_, count)| *count).chain(self.frames.iter().map(|(_, count, _)| *count)).sum()
    }
}

/// What went out on one output.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    readings: AtomicU64,
    maybe: AtomicU64,
    unsent: AtomicU64,
    answers: AtomicU64,
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

impl Ledger {
    /// A packet went out whole.
    pub(crate) fn took(&self, count: Count) {
        self.readings.fetch_add(u64::from(count.readings), Ordering::Relaxed);
        self.maybe.fetch_add(u64::from(count.maybe), Ordering::Relaxed);
    }

    /// A packet did not: its output is behind, broken, or not there.
    pub(crate) fn unsent(&self, count: Count) {
        self.unsent.fetch_add(u64::from(count.readings), Ordering::Relaxed);
    }

    /// A question was answered.
    pub(crate) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn faults(&self, faults: &Faults) {
        let counts = faults.counts().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.name(), count));
        *self.faults.lock().expect("never poisoned: no panic inside") = counts.collect();
    }

    pub(crate) fn taken(&self, output: &str) -> Taken {
        Taken {
            output: output.to_owned(),
            readings: self.readings.load(Ordering::Relaxed),
            maybe: self.maybe.load(Ordering::Relaxed),
            unsent: self.unsent.load(Ordering::Relaxed),
            answers: self.answers.load(Ordering::Relaxed),
            faults: self.faults.lock().expect("never poisoned: no panic inside").clone(),
        }
    }
}

/// What one output told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Which, as the command line has it; a free port or a new terminal by its name.
    pub output: String,
    /// Readings that the far end must have: of packets that were completely written, or sent as datagrams.
    pub readings: u64,
    /// Readings that it may have besides: of messages that a fault touched, of alarms that it may tell only once.
    pub maybe: u64,
    /// Readings that never went out: the output was behind (a slow serial line), broken, unplugged, or nobody listened.
    pub unsent: u64,
    /// Questions that were answered (Modbus): how many readings are in an answer is the asker's affair.
    pub answers: u64,
    /// How often each kind of fault happened, by its name.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What of a batch is not written yet. However the writing ends, what is left then is unsent.
struct Left<'a> {
    ledger: Option<&'a Ledger>,
    ends: &'a [(usize, Count)],
}

impl Left<'_> {
    /// Counts the packets that end within the first `written` bytes.
    fn took(&mut self, written: usize) {
        while let [(end, count), rest @ ..] = self.ends
            && *end <= written
        {
            if let Some(ledger) = self.ledger {
                ledger.took(*count);
            }
            self.ends = rest;
        }
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger {
            ledger.unsent(self.ends.iter().map(|(_, count)| *count).sum());
        }
    }
}

/// Writes one batch; counts each packet when its last byte is written, and what is never written. Nothing taken for
/// `stall_max` is an error of the kind `TimedOut`.
pub(crate) async fn write<W: AsyncWrite + Unpin + ?Sized>(
    outgoing: &mut W,
    batch: &Batch,
    ledger: Option<&Ledger>,
    stall_max: Duration,
) -> std::io::Result<()> {
    let (mut at, mut left) = (0, Left { ledger, ends: &batch.ends });
    while at < batch.bytes.len() {
        at += match timeout(stall_max, outgoing.write(&batch.bytes[at..])).await {
            Ok(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => written?,
            Err(_) => return Err(std::io::ErrorKind::TimedOut.into()),
        };
        left.took(at);
    }
    outgoing.flush().await
}
