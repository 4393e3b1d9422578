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
        self.counted.compare_exchange(0, client, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            || self.counted.load(Ordering::Relaxed) == client
    }

    fn release(&self, client: u64) {
        let _ = self.counted.compare_exchange(client, 0, Ordering::Relaxed, Ordering::Relaxed);
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

/// A client's claim on the tally, given back however its task ends.
struct Claim<'a>(&'a Tally, u64);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.release(self.1);
    }
}

/// Writes batches to `stream` until the queue is closed or the client goes.
pub(crate) async fn attend(client: u64, stream: TcpStream, mut queue: mpsc::Receiver<Arc<Batch>>, tally: Arc<Tally>) {
    let claim = Claim(&tally, client);
    let peer = stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |peer| peer.to_string());
    let (mut incoming, mut outgoing) = stream.into_split();
    let end = loop {
        let batch = tokio::select! {
            batch = queue.recv() => batch,
            () = closed(&mut incoming) => break End::Gone,
        };
        let Some(batch) = batch else { break End::Finished };
        let counts = claim.0.claim(client);
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
