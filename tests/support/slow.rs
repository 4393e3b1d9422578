//! A slow way to a server, as over a satellite: answers wait a little, and those on the way when an end dies are lost.
//!
//! Without it a kill all but never falls between what the far side has done and the near side's knowledge of it.

use std::time::Duration;

use hawser::entropy::Entropy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Pieces of answers that wait; then the far side waits.
const PIECES_MAX: usize = 64;
const PIECE_BYTES_MAX: usize = 16 << 10;

pub struct SlowWay {
    pub port: u16,
    task: JoinHandle<()>,
}

impl SlowWay {
    /// To a loopback port; each piece of an answer waits up to `delay_ms_max`.
    pub async fn to(far_port: u16, delay_ms_max: u64, seed: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::free_port())).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let random = Entropy::seeded(seed);
        let task = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else { continue };
                let random = random.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", far_port)).await else { return };
                    carry(near, far, delay_ms_max, &random).await;
                });
            }
        });
        Self { port, task }
    }
}

impl Drop for SlowWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends, with all that waits, as soon as either end closes.
async fn carry(near: TcpStream, far: TcpStream, delay_ms_max: u64, random: &Entropy) {
    let ((mut from_near, to_near), (from_far, mut to_far)) = (near.into_split(), far.into_split());
    let (sender, waiting) = mpsc::channel(PIECES_MAX);
    tokio::select! {
        _ = tokio::io::copy(&mut from_near, &mut to_far) => {}
        () = collect(from_far, sender) => {}
        () = deliver(waiting, to_near, delay_ms_max, random) => {}
    }
}

async fn collect(mut from: OwnedReadHalf, waiting: mpsc::Sender<Vec<u8>>) {
    let mut piece = vec![0; PIECE_BYTES_MAX];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        if waiting.send(piece[..count].to_vec()).await.is_err() {
            return;
        }
    }
}

async fn deliver(mut waiting: mpsc::Receiver<Vec<u8>>, mut to: OwnedWriteHalf, delay_ms_max: u64, random: &Entropy) {
    while let Some(piece) = waiting.recv().await {
        tokio::time::sleep(Duration::from_millis(random.below(delay_ms_max + 1))).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}
