//! One TCP client of the simulator: batches in, bytes out, and an exact count of the readings that went out whole.
//!
//! Its queue is bounded; a client that does not read is let go with a message, so that it cannot hold up the others. It
//! refuses commands: what a client sends is read and thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::batch::{Batch, Ledger, write};

/// How long a client may take nothing at all: longer than the 5 s that a gateway's lane may hold a bus back.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How long the end waits for the client to close its side, so that the last bytes are not cut off by a reset.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// Bytes of what a client sends that are thrown away at once.
const SINK_BYTES: usize = 512;

/// Counts the readings that the counted client took. Only one client of an output is counted at a time: the first that
/// came, and when it goes, the next one.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ledger: Arc<Ledger>,
    /// The counted client; 0: none.
    counted: AtomicU64,
}

impl Tally {
    pub(crate) fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, counted: AtomicU64::new(0) }
    }

    /// Makes `client` the counted one if there is none.
    fn claim(&self, client: u64) -> bool {
        self.counted.compare_exchange(0, client, Ordering::Relaxed, Ordering::Relaxed).is_ok() || self.counts(client)
    }

    /// Whether `client` is the counted one.
    pub(crate) fn counts(&self, client: u64) -> bool {
        self.counted.load(Ordering::Relaxed) == client
    }

    /// A batch never went to the counted client, or there was none.
    pub(crate) fn missed(&self, batch: &Batch) {
        self.ledger.unsent(batch.count());
    }
}

/// Why a client was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The simulator stopped; everything was written and the connection closed in order.
    Finished,
    /// The client closed, or the connection broke.
    Gone,
    /// The client took nothing for [`STALL_MAX`].
    Stalled,
}

/// What waits for a client. However its task ends, what waits then is missed, and its claim on the tally given back.
struct Waiting<'a> {
    tally: &'a Tally,
    client: u64,
    queue: mpsc::Receiver<Arc<Batch>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.close();
        if self.tally.counts(self.client) {
            while let Ok(batch) = self.queue.try_recv() {
                self.tally.missed(&batch);
            }
            self.tally.counted.store(0, Ordering::Relaxed);
        }
    }
}

/// Writes batches to `stream` until the queue is closed or the client goes.
pub(crate) async fn attend(client: u64, stream: TcpStream, queue: mpsc::Receiver<Arc<Batch>>, tally: Arc<Tally>) {
    let mut waiting = Waiting { tally: &tally, client, queue };
    let peer = stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |peer| peer.to_string());
    let (mut incoming, mut outgoing) = stream.into_split();
    let end = loop {
        let batch = tokio::select! {
            batch = waiting.queue.recv() => batch,
            () = closed(&mut incoming) => break End::Gone,
        };
        let Some(batch) = batch else { break End::Finished };
        let counts = tally.claim(client);
        let written = tokio::select! {
            written = write_or_stall(&mut outgoing, &batch, counts.then_some(&*tally.ledger)) => written,
            () = closed(&mut incoming) => Err(End::Gone),
        };
        if let Err(end) = written {
            break end;
        }
    };
    match end {
        End::Finished => {
            // FIN, then wait for the client's: closing with unread input would send a reset and cut the last sentences
            // off.
            let _ = outgoing.shutdown().await;
            let _ = timeout(LINGER_MAX, closed(&mut incoming)).await;
        }
        End::Gone => tracing::info!(%peer, "simulator: the client left"),
        End::Stalled => tracing::warn!(%peer, "simulator: the client does not read, it is dropped"),
    }
}

async fn write_or_stall(outgoing: &mut OwnedWriteHalf, batch: &Batch, ledger: Option<&Ledger>) -> Result<(), End> {
    write(outgoing, batch, ledger, STALL_MAX).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => End::Stalled,
        _ => End::Gone,
    })
}

/// Reads and throws away until the client closes its side. A client that closes one direction only is taken as gone:
/// what would be written to it afterwards could not be called taken.
async fn closed(incoming: &mut OwnedReadHalf) {
    let mut sink = [0; SINK_BYTES];
    while incoming.read(&mut sink).await.is_ok_and(|count| count > 0) {}
}
