//! The shore: composition root of the server ashore. It receives, deduplicates, stores, and shows the fleet.
//!
//! Each vessel has a token of its own and reaches only its own log. The server keeps nothing of a request in memory;
//! what it acknowledged is in its database.

mod updates;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use uuid::Uuid;

use crate::api::auth::{self, ApiToken, Auth, Created, Peer, TokenError};
use crate::api::error::ApiError;
use crate::api::fleet::{self, FleetPosition, FleetSource, FleetStatus, FleetVessel};
use crate::api::records::Page;
use crate::api::{Hosts, REQUEST_TIME_MAX, backend::BackendError, protect, records, serve};
use crate::clock::Clock;
use crate::config::{ShoreConfig, ShoreVesselConfig};
use crate::entropy::Entropy;
use crate::record::{ChangeType, Collection, Fields, Record};
use crate::store::records::{Edit, RecordError, RecordStore, Start};
use crate::sync::hub::{HubError, HubStorage, SqliteHub};
use crate::sync::protocol::{BODY_BYTES_MAX, Reply, Request};

/// How long a sync may take, its body included: the largest batch over 9.6 kbit/s takes 220 s and a vessel gives up
/// after 300 s. The vessel is to be the one that gives up, or it would not know why.
const SYNC_TIME_MAX: Duration = Duration::from_secs(330);

/// How long the database may take for an empty write before the shore says that it is not well: the busy time of
/// SQLite and a slow disk's sync fit.
const HEALTH_TIME_MAX: Duration = Duration::from_secs(10);

/// What a busy shore asks vessels to wait; each spreads it by its own jitter.
const RETRY_AFTER_S: u64 = 5;

/// Why the shore cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ShoreError {
    /// The data directory cannot be used.
    #[error("the data directory {}: {source}; it must exist or be creatable, and be writable", .path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; `--listen ADDRESS:PORT` or http.listen moves it")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The token of the shore's own API cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Counters of the shore.
#[derive(Clone, Debug, Default)]
struct ShoreMetrics {
    requests: Counter,
    refused: Counter,
    changes: Counter,
    conflicts: Counter,
    readings: Counter,
    bytes: Counter,
}

impl ShoreMetrics {
    fn register(&self, registry: &mut Registry) {
        let shore = registry.sub_registry_with_prefix("shore");
        shore.register("sync_requests", "Sync requests answered", self.requests.clone());
        shore.register("sync_refused", "Sync requests refused", self.refused.clone());
        shore.register("changes_acknowledged", "Changes acknowledged", self.changes.clone());
        shore.register("conflicts", "Conflicts decided", self.conflicts.clone());
        shore.register("reading_rows_received", "Rows of readings received, repeats included", self.readings.clone());
        shore.register("received_bytes", "Bytes of sync requests, decompressed", self.bytes.clone());
    }
}

/// What the routes share.
#[derive(Clone)]
struct Shore(Arc<Inner>);

struct Inner {
    store: RecordStore,
    hub: SqliteHub,
    vessels: Vec<ShoreVesselConfig>,
    bundles: updates::Bundles,
    auth: Auth,
    permits: Semaphore,
    metrics: ShoreMetrics,
    registry: Registry,
    clock: Clock,
    entropy: Entropy,
}

/// A shore that listens.
pub struct RunningShore {
    /// Where.
    pub address: SocketAddr,
    /// Its API token, and whether it was made now.
    pub token: (ApiToken, Created),
    /// Its database.
    pub store: RecordStore,
    server: tokio::task::JoinHandle<()>,
}

impl RunningShore {
    /// Waits until it has stopped, after its token was cancelled, and closes the database.
    pub async fn stopped(self) {
        if let Err(error) = self.server.await {
            tracing::error!("the server ended badly: {error}");
        }
        self.store.close();
    }
}

/// Opens the store and listens.
pub async fn start(
    config: &ShoreConfig,
    clock: Clock,
    entropy: Entropy,
    stop: CancellationToken,
) -> Result<RunningShore, ShoreError> {
    let dir = &config.data.dir;
    std::fs::create_dir_all(dir).map_err(|source| ShoreError::Data { path: dir.clone(), source })?;
    let (store, start) = RecordStore::open(dir, "", &clock, &entropy)?;
    if start == Start::SetBack {
        tracing::warn!("the database is older than at its last opening: a new history starts, vessels send again");
    }
    let (token, created) = ApiToken::load_or_create(dir, &entropy)?;
    let address = config.http.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| ShoreError::Listen { address, source })?;
    let address = listener.local_addr().map_err(|source| ShoreError::Listen { address, source })?;
    let shore = Shore::new(config, &store, token.clone(), clock, entropy);
    tracing::info!(%address, vessels = config.vessel.len(), policy = ?config.sync.conflict_policy, "the shore listens");
    let server = tokio::spawn(serve::serve(listener, router(shore, address), stop));
    Ok(RunningShore { address, token: (token, created), store, server })
}

fn router(shore: Shore, address: SocketAddr) -> Router {
    let sync = Router::new()
        .route("/api/sync/v2", post(sync))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(RequestDecompressionLayer::new())
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(shore.clone(), admit));
    let own = Router::new()
        .route("/api/vessels/{vessel}/records/{collection}", get(list).post(create))
        .route("/api/vessels/{vessel}/records/{collection}/{id}", axum::routing::patch(update).delete(delete))
        .route("/healthz", get(|shore: State<Shore>| health(shore, "ok")))
        .route("/readyz", get(|shore: State<Shore>| health(shore, "ready")))
        .route("/metrics", get(metrics))
        .merge(updates::routes());
    let source: Arc<dyn FleetSource> = Arc::new(shore.clone());
    let (sync, own) = (sync.with_state(shore.clone()), own.with_state(shore).merge(fleet::routes(source)));
    let hosts = Hosts::ashore(address);
    protect(own, &hosts, BODY_BYTES_MAX, REQUEST_TIME_MAX).merge(protect(sync, &hosts, BODY_BYTES_MAX, SYNC_TIME_MAX))
}

impl Shore {
    fn new(config: &ShoreConfig, store: &RecordStore, token: ApiToken, clock: Clock, entropy: Entropy) -> Self {
        let metrics = ShoreMetrics::default();
        let mut registry = Registry::with_prefix("hawser");
        metrics.register(&mut registry);
        Self(Arc::new(Inner {
            hub: SqliteHub::new(store.clone(), config.sync.conflict_policy, entropy.clone()),
            store: store.clone(),
            vessels: config.vessel.clone(),
            bundles: updates::Bundles::new(&config.updates.dir),
            auth: Auth::new(token),
            permits: Semaphore::new(config.http.apply_permits),
            metrics,
            registry,
            clock,
            entropy,
        }))
    }

    /// The vessel whose token this is.
    fn vessel_of(&self, headers: &HeaderMap) -> Result<&ShoreVesselConfig, ApiError> {
        let given = auth::bearer(headers).ok_or(ApiError::TokenMissing)?;
        let digest = hex(&Sha256::digest(given.as_bytes()));
        let is = |vessel: &&ShoreVesselConfig| -> bool {
            digest.as_bytes().ct_eq(vessel.token_sha256.to_ascii_lowercase().as_bytes()).into()
        };
        self.0.vessels.iter().find(is).ok_or(ApiError::TokenWrong)
    }

    /// A vessel that the configuration knows.
    fn known(&self, id: &str) -> Result<String, ApiError> {
        let known = self.0.vessels.iter().any(|vessel| vessel.id == id);
        known.then(|| id.to_owned()).ok_or_else(|| ApiError::Other {
            status: StatusCode::NOT_FOUND,
            code: "no_such_vessel",
            message: format!("there is no vessel `{id}`"),
            hint: "GET /api/fleet lists the vessels".into(),
        })
    }

    fn check_token(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<(), ApiError> {
        let unknown = std::net::IpAddr::from([0, 0, 0, 0]);
        let address = peer.map_or(unknown, |peer| peer.0.ip().to_canonical());
        self.0.auth.check(headers, address, self.0.clock.now().mono_ms)
    }

    async fn edit(&self, vessel: &str, edit: Edit) -> Result<Json<serde_json::Value>, ApiError> {
        let owner = self.known(vessel)?;
        let logged = self.0.hub.edit(&owner, edit, self.0.clock.now()).await.map_err(hub_error)?;
        let (id, change_id) = (logged.change.entity_id, logged.change.change_id);
        Ok(Json(serde_json::json!({"id": id, "changeId": change_id, "version": logged.version})))
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hub_error(error: HubError) -> ApiError {
    match error {
        HubError::Storage(error) => records::record_error(error),
        HubError::Protocol(error) => ApiError::Other {
            status: StatusCode::BAD_REQUEST,
            code: "protocol",
            message: error.to_string(),
            hint: "correct the request; sending the same again will not help".into(),
        },
    }
}

/// The vessel that syncs, by its token.
#[derive(Clone, Debug)]
struct SyncingVessel(String);

/// Who has no token, or comes when all permits are out, is told so before a byte of the body is read: decompressing
/// and parsing are for known vessels only. The permit bounds the bodies in memory too.
async fn admit(State(shore): State<Shore>, mut request: axum::extract::Request, next: Next) -> Response {
    let metrics = &shore.0.metrics;
    let vessel = match shore.vessel_of(request.headers()) {
        Ok(vessel) => SyncingVessel(vessel.id.clone()),
        Err(error) => {
            metrics.refused.inc();
            return error.into_response();
        }
    };
    let Ok(_permit) = shore.0.permits.try_acquire() else {
        metrics.refused.inc();
        return ApiError::Busy { what: "vessels", retry_after_s: RETRY_AFTER_S }.into_response();
    };
    request.extensions_mut().insert(vessel);
    let response = next.run(request).await;
    let counter = if response.status().is_success() { &metrics.requests } else { &metrics.refused };
    counter.inc();
    response
}

async fn sync(
    State(shore): State<Shore>,
    Extension(SyncingVessel(vessel)): Extension<SyncingVessel>,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Reply>, ApiError> {
    let Json(request) = body.map_err(|rejection| ApiError::Other {
        status: rejection.status(),
        code: "bad_body",
        message: rejection.body_text(),
        hint: "see the names of POST /api/sync/v2".into(),
    })?;
    let (rows, changes) = (request.readings.as_ref().map_or(0, |batch| batch.rows.len()), request.changes.len());
    let now = shore.0.clock.now();
    let reply = shore.0.hub.exchange(&vessel, request, now).await.map_err(hub_error)?;
    let metrics = &shore.0.metrics;
    metrics.readings.inc_by(rows as u64);
    metrics.changes.inc_by(reply.acked.len() as u64);
    metrics.conflicts.inc_by(reply.conflicts.len() as u64);
    tracing::debug!(vessel, changes, rows, "synced");
    Ok(Json(reply))
}

/// Records name people (crew, documents), so reading them needs the token too; the fleet's page holds none.
async fn list(
    State(shore): State<Shore>,
    Path((vessel, collection)): Path<(String, Collection)>,
    Query(page): Query<Page>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Record>>, ApiError> {
    shore.check_token(&headers, peer.as_deref())?;
    let owner = shore.known(&vessel)?;
    let read = move || {
        shore.0.store.read(|rows| {
            let all = rows.list(&owner, collection, page.after(), page.limit())?;
            Ok(all.into_iter().map(|(id, row)| row.into_record(id, false)).collect())
        })
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|e| BackendError::Failed(format!("the call broke: {e}")))?.map_err(records::record_error).map(Json)
}

async fn create(
    State(shore): State<Shore>,
    Path((vessel, collection)): Path<(String, Collection)>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Result<Json<Fields>, JsonRejection>,
) -> Result<(StatusCode, Json<serde_json::Value>), ApiError> {
    shore.check_token(&headers, peer.as_deref())?;
    let mut fields = records::fields(body)?;
    let entity_id = records::take_id(&mut fields, &shore.0.entropy)?;
    let actor = records::actor(&headers);
    let edit = Edit { collection, entity_id, kind: ChangeType::Created, fields, actor, base_version: None };
    Ok((StatusCode::CREATED, shore.edit(&vessel, edit).await?))
}

async fn update(
    State(shore): State<Shore>,
    Path((vessel, collection, entity_id)): Path<(String, Collection, Uuid)>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Result<Json<Fields>, JsonRejection>,
) -> Result<Json<serde_json::Value>, ApiError> {
    shore.check_token(&headers, peer.as_deref())?;
    let (fields, actor) = (records::fields(body)?, records::actor(&headers));
    let edit = Edit { collection, entity_id, kind: ChangeType::Updated, fields, actor, base_version: None };
    shore.edit(&vessel, edit).await
}

async fn delete(
    State(shore): State<Shore>,
    Path((vessel, collection, entity_id)): Path<(String, Collection, Uuid)>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    shore.check_token(&headers, peer.as_deref())?;
    let (fields, actor) = (Fields::new(), records::actor(&headers));
    let edit = Edit { collection, entity_id, kind: ChangeType::Deleted, fields, actor, base_version: None };
    shore.edit(&vessel, edit).await
}

/// Whether the shore can keep what it acknowledges: an empty transaction of the writer's, in time.
async fn health(State(shore): State<Shore>, good: &'static str) -> (StatusCode, Json<serde_json::Value>) {
    let reason = match tokio::time::timeout(HEALTH_TIME_MAX, shore.0.store.write(|_| Ok(()))).await {
        Ok(Ok(())) => return (StatusCode::OK, Json(serde_json::json!({"status": good, "reasons": []}))),
        Ok(Err(error)) => format!("the database cannot be written: {error}"),
        Err(_) => format!("the database took no write within {} s", HEALTH_TIME_MAX.as_secs()),
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({"status": "failing", "reasons": [reason]})))
}

async fn metrics(State(shore): State<Shore>) -> Result<String, ApiError> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &shore.0.registry)
        .map_err(|e| BackendError::Failed(format!("the metrics cannot be written: {e}")))?;
    Ok(text)
}

impl FleetSource for Shore {
    fn fleet(&self) -> Result<FleetStatus, BackendError> {
        let one = |vessel: &ShoreVesselConfig| {
            self.0.store.read(|rows| {
                let row = rows.vessel(&vessel.id)?;
                let position = rows.latest(&vessel.id, "navigation.position")?;
                let speed = rows.latest(&vessel.id, "navigation.speedOverGround")?;
                Ok(FleetVessel {
                    id: vessel.id.clone(),
                    name: vessel.name.clone(),
                    last_contact_at: row.last_contact_at,
                    readings: row.readings,
                    records: row.records,
                    pending_conflicts: row.open_conflicts,
                    position: position.and_then(|at| {
                        let (latitude, longitude) = (at["latitude"].as_f64()?, at["longitude"].as_f64()?);
                        Some(FleetPosition { latitude, longitude })
                    }),
                    speed_m_per_s: speed.and_then(|speed| speed.as_f64()),
                })
            })
        };
        let vessels = self.0.vessels.iter().take(fleet::VESSELS_SHOWN_MAX).map(one);
        let vessels = vessels.collect::<Result<_, RecordError>>().map_err(|e| BackendError::Failed(e.to_string()))?;
        Ok(FleetStatus { now: self.0.clock.now().wall, version: env!("CARGO_PKG_VERSION").to_owned(), vessels })
    }
}

#[cfg(test)]
mod tests;
