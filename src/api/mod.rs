//! The HTTP room on board: the page, the API, the live stream; and the fleet's page ashore.
//!
//! `router` answers requests out of a [`Backend`] and the [`Live`] table; `serve` takes connections. The room refuses
//! to touch the store or a sensor itself, to write without the token, and to hold more than a bounded number of
//! anything. It asks nothing of the network: pages, style and scripts are in the binary.

pub mod auth;
pub mod backend;
pub mod error;
pub mod fleet;
pub mod guard;
pub mod live;
pub mod metrics;
pub mod pages;
pub mod records;
pub mod routes;
pub mod serve;
pub mod setup;
pub mod status;
pub mod stream;
pub mod updates;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

pub use auth::{ApiToken, Created, TokenError};
pub use backend::{Backend, BackendError, HistoryQuery, HistoryRow, Pruned, TelemetryStats};
pub use error::ApiError;
pub use fleet::{FleetSource, FleetStatus, FleetVessel};
pub use guard::Hosts;
pub use live::Live;
pub use metrics::ApiMetrics;
pub use serve::{ServeLimits, serve, serve_with};
pub use status::Status;
pub use stream::publish;

use crate::clock::Clock;

/// The largest body of a request: 16 changes of `CHANGE_BYTES_MAX`, or four of the largest sync batches.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a request may take until its answer begins, its body included, on links of a vessel's or an office's
/// network. The longest blocking call is a prune.
pub const REQUEST_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30);

/// Clients of the live stream at once: a phone, a tablet and a screen for each of ten people on board.
/// Each costs a connection and, in the worst case, one snapshot (16,384 series of 300 bytes, 5 MB) while it is sent.
pub const LIVE_CLIENTS_MAX: usize = 32;

/// History queries at once. Each holds a blocking thread and reads the disk that the writer needs.
pub const HISTORY_QUERIES_MAX: usize = 4;

/// Other blocking calls at once. They are short; when so many hang, the thing behind them is broken.
pub const BLOCKING_CALLS_MAX: usize = 16;

const _: () = assert!(LIVE_CLIENTS_MAX + HISTORY_QUERIES_MAX + BLOCKING_CALLS_MAX < serve::CONNECTIONS_MAX);

/// What the routes share; clones share it.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The inside of an [`ApiState`].
pub struct Shared {
    /// The gateway.
    pub backend: Arc<dyn Backend>,
    /// The latest values.
    pub live: Live,
    /// The time.
    pub clock: Clock,
    /// The guard of writes.
    pub auth: auth::Auth,
    /// Counters.
    pub metrics: ApiMetrics,
    hosts: Hosts,
    live_permits: Arc<Semaphore>,
    history_permits: Arc<Semaphore>,
    prune_permit: Arc<Semaphore>,
    blocking_permits: Arc<Semaphore>,
}

impl std::ops::Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl ApiState {
    /// The state of a router. `hosts` comes from the listener's address, see [`Hosts::aboard`].
    pub fn new(
        backend: Arc<dyn Backend>,
        live: Live,
        clock: Clock,
        token: ApiToken,
        metrics: ApiMetrics,
        hosts: Hosts,
    ) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self(Arc::new(Shared {
            backend,
            live,
            clock,
            auth: auth::Auth::new(token),
            metrics,
            hosts,
            live_permits: permits(LIVE_CLIENTS_MAX),
            history_permits: permits(HISTORY_QUERIES_MAX),
            prune_permit: permits(1),
            blocking_permits: permits(BLOCKING_CALLS_MAX),
        }))
    }

    /// Runs `call` on a blocking thread, at most [`BLOCKING_CALLS_MAX`] at once.
    pub async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Backend) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        self.blocking_within(&self.blocking_permits, "requests", call).await
    }

    async fn blocking_within<T: Send + 'static>(
        &self,
        permits: &Arc<Semaphore>,
        what: &'static str,
        call: impl FnOnce(&dyn Backend) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = self.permit(permits, what)?;
        let backend = Arc::clone(&self.backend);
        // The permit goes with the call, so that a caller who gives up does not make room for a second one.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            call(&*backend)
        });
        task.await.map_err(|error| ApiError::Backend(BackendError::Failed(format!("the call broke: {error}"))))
    }

    fn permit(
        &self,
        permits: &Arc<Semaphore>,
        what: &'static str,
    ) -> Result<tokio::sync::OwnedSemaphorePermit, ApiError> {
        Arc::clone(permits).try_acquire_owned().map_err(|_| {
            self.metrics.busy.inc();
            ApiError::Busy { what, retry_after_s: error::RETRY_AFTER_S }
        })
    }
}

/// The router on board.
pub fn router(state: ApiState) -> Router {
    router_with(state, Router::new(), Router::new())
}

/// The router on board with the routes of `more` beside its own, behind the same guards: whatever writes needs the
/// token. Those of `open` do not.
pub fn router_with(state: ApiState, more: Router, open: Router) -> Router {
    let hosts = state.hosts.clone();
    let guarded = pages::routes()
        .merge(routes::routes())
        .with_state(state.clone())
        .merge(more)
        .layer(from_fn_with_state(state, auth::guard_writes))
        .merge(open);
    protect(guarded, &hosts, BODY_BYTES_MAX, REQUEST_TIME_MAX)
}

/// Limits, headers, uniform errors and the check of the Host header around any router. No authentication. `time_max`
/// is from a request's headers until its answer begins, its body included.
pub fn protect(router: Router, hosts: &Hosts, body_bytes_max: usize, time_max: std::time::Duration) -> Router {
    router
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(body_bytes_max))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, time_max))
        .layer(from_fn_with_state(hosts.clone(), guard::check_host))
        .layer(from_fn(error::uniform))
        .layer(from_fn(guard::add_headers))
}
