//! Takes connections: a bounded number, each with a deadline for its headers and for a far end that stops reading.
//!
//! `axum::serve` has none of these bounds, so a few idle sockets could shut the crew out. This refuses to queue: a
//! connection too many is told 503 with Retry-After at once, and closed.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::auth::Peer;
use super::metrics::ApiMetrics;

/// Connections open at once. Each costs a file and some 20 KB; a browser opens six, a Prometheus one.
pub const CONNECTIONS_MAX: usize = 256;

/// Connections that are being told 503 at once; beyond, they are closed without a word.
pub const REFUSALS_MAX: usize = 64;

/// From the connection's start, or the last answer, to the end of the next request's headers; bounds idle connections
/// too.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(15);

/// How long the far end may leave our bytes unread: a phone that left the Wi-Fi, or one who will not read.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(20);

/// How long open connections may finish what they do when the gateway stops.
pub const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(3);

/// Bytes that a connection buffers of a request's headers; a browser sends 1 KB.
const HEADER_BYTES_MAX: usize = 32 << 10;

/// Between tries when no connection can be accepted (out of files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long one that is turned away has to read why.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);

const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n\
    Content-Type: application/json\r\nContent-Length: 139\r\n\r\n\
    {\"error\":{\"code\":\"busy\",\"message\":\"too many connections at once\",\
    \"hint\":\"wait for the seconds in Retry-After, then try again; close tabs\"}}";

/// The bounds of a server; tests make them small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// See [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`HEADER_TIME_MAX`].
    pub header_time_max: Duration,
    /// See [`WRITE_STALL_MAX`].
    pub write_stall_max: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { connections_max: CONNECTIONS_MAX, header_time_max: HEADER_TIME_MAX, write_stall_max: WRITE_STALL_MAX }
    }
}

/// Serves `router` on `listener` until `stop`, with the usual limits. Connections then have [`SHUTDOWN_TIME_MAX`] to
/// end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, stop, ServeLimits::default(), ApiMetrics::default()).await;
}

/// [`serve`] with limits and counters given.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    limits: ServeLimits,
    metrics: ApiMetrics,
) {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            metrics.connections.inc();
            let connection = Connection { peer, limits, metrics: metrics.clone(), stop: stop.clone(), permit };
            connections.spawn(connection.run(stream, router.clone()));
        } else {
            metrics.connections_refused.inc();
            if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                connections.spawn(refuse(stream, permit));
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN_TIME_MAX, all_ended).await.is_err() {
        tracing::info!("connections cut at the stop");
    }
}

/// Says why once asked, as clients take an answer before their question for an error, and waits for the far end to
/// close: closing over unread bytes would reset the answer away.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let told = async {
        let mut unread = [0; 1_024];
        let _asked = stream.read(&mut unread).await?;
        stream.write_all(REFUSAL.as_bytes()).await?;
        stream.shutdown().await?;
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    // A far end that went away while being turned away needs nothing more.
    drop(tokio::time::timeout(REFUSAL_TIME_MAX, told).await);
}

struct Connection {
    peer: SocketAddr,
    limits: ServeLimits,
    metrics: ApiMetrics,
    stop: CancellationToken,
    permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream, router: Router) {
        // Events are small and late ones are worthless; a socket without the option still works.
        drop(stream.set_nodelay(true));
        let peer = Peer(self.peer);
        let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request.map(Body::new))
        });
        let io = TokioIo::new(ImpatientStream::new(stream, self.limits.write_stall_max, self.metrics));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_time_max)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer, "connection ended: {error}");
        }
        drop(self.permit);
    }
}

/// A stream that breaks when the far end leaves our bytes unread for too long.
struct ImpatientStream {
    stream: TcpStream,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    metrics: ApiMetrics,
}

impl ImpatientStream {
    fn new(stream: TcpStream, patience: Duration, metrics: ApiMetrics) -> Self {
        Self { stream, patience, deadline: None, metrics }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if deadline.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.metrics.connections_stalled.inc();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the far end stopped reading")))
    }
}

impl AsyncRead for ImpatientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ImpatientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_states_its_own_length() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "the body has {} bytes", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
