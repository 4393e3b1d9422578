//! Records over HTTP: the collections on board, `POST /api/work-orders`, and how the sync does.
//!
//! A reply of 201 or 200 to a write comes after the commit, never before (invariant 3). Who writes needs the token; the
//! guard stands around these routes, see [`super::router_with`].

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

use super::backend::BackendError;
use super::error::ApiError;
use crate::entropy::Entropy;
use crate::record::{ChangeType, Collection, Fields, Record};
use crate::store::records::{Edit, RecordError, RecordStore, Saved};

/// Records of one page when no number is asked for, and at most.
const PAGE_RECORDS: usize = 100;
const PAGE_RECORDS_MAX: usize = 1_000;

/// The header that names who edits, for people; without it `api`.
const ACTOR_HEADER: &str = "x-hawser-actor";

/// What the routes share.
#[derive(Clone)]
pub struct RecordRoutes {
    store: RecordStore,
    entropy: Entropy,
    sync_health: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
    sync_now: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The routes. `sync_health` answers `GET /api/sync/health`; `sync_now` asks for a cycle and is false without a shore.
pub fn routes(
    store: RecordStore,
    entropy: Entropy,
    sync_health: impl Fn() -> serde_json::Value + Send + Sync + 'static,
    sync_now: impl Fn() -> bool + Send + Sync + 'static,
) -> Router {
    Router::new()
        .route("/api/work-orders", post(create_work_order))
        .route("/api/records/{collection}", get(list).post(create))
        .route("/api/records/{collection}/{id}", get(one).patch(update).delete(delete))
        .route("/api/sync/health", get(sync_health_route))
        .route("/api/sync/now", post(sync_now_route))
        .with_state(RecordRoutes { store, entropy, sync_health: Arc::new(sync_health), sync_now: Arc::new(sync_now) })
}

/// Why a record could not be served or written, as HTTP.
pub fn record_error(error: RecordError) -> ApiError {
    let (status, code, hint) = match &error {
        RecordError::Invalid(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", "correct the fields named and send it again")
        }
        RecordError::NotFound { .. } => {
            (StatusCode::NOT_FOUND, "no_such_record", "GET /api/records/{collection} lists the records")
        }
        RecordError::Exists { .. } => (StatusCode::CONFLICT, "exists", "PATCH changes a record"),
        RecordError::Refused(_) => (StatusCode::BAD_REQUEST, "refused", "correct the request"),
        RecordError::DiskFull { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "disk_full", "nothing was stored; make room on the disk, then try again")
        }
        RecordError::NotCommitted(_) | RecordError::Closed => {
            (StatusCode::SERVICE_UNAVAILABLE, "not_stored", "nothing was stored; try again")
        }
        _ => return BackendError::Failed(error.to_string()).into(),
    };
    ApiError::Other { status, code, message: error.to_string(), hint: hint.into() }
}

fn collection(name: &str) -> Result<Collection, ApiError> {
    name.parse().map_err(|message| ApiError::Other {
        status: StatusCode::NOT_FOUND,
        code: "no_such_collection",
        message,
        hint: "use one of the collections named".into(),
    })
}

/// Reads a body's fields, or says what is wrong with it.
pub fn fields(body: Result<Json<Fields>, JsonRejection>) -> Result<Fields, ApiError> {
    body.map(|Json(fields)| fields).map_err(|rejection| ApiError::Other {
        status: rejection.status(),
        code: "bad_body",
        message: rejection.body_text(),
        hint: "send a JSON object of fields with Content-Type: application/json".into(),
    })
}

/// Who edits, for people.
pub fn actor(headers: &HeaderMap) -> String {
    headers.get(ACTOR_HEADER).and_then(|value| value.to_str().ok()).unwrap_or("api").to_owned()
}

/// The id of a new record: the field `id` where a device on board made one up, else a new one.
pub fn take_id(fields: &mut Fields, entropy: &Entropy) -> Result<Uuid, ApiError> {
    match fields.remove("id") {
        None => Ok(entropy.uuid()),
        Some(value) => value.as_str().and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(|| {
            ApiError::BadParameter { name: "id", reason: format!("{value} is not a UUID; leave it out for a new one") }
        }),
    }
}

/// Which part of a list is asked for: `?after=<id>&limit=<number>`.
#[derive(Debug, Deserialize)]
pub struct Page {
    after: Option<Uuid>,
    limit: Option<usize>,
}

impl Page {
    /// The id before the first record; the least id from the start.
    pub fn after(&self) -> Uuid {
        self.after.unwrap_or_default()
    }

    /// Records at most: 1 to 1,000, 100 when nothing is said.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_RECORDS).clamp(1, PAGE_RECORDS_MAX)
    }
}

async fn list(
    State(routes): State<RecordRoutes>,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Record>>, ApiError> {
    let collection = collection(&name)?;
    blocking(move || routes.store.list(collection, page.after(), page.limit())).await.map(Json)
}

async fn one(
    State(routes): State<RecordRoutes>,
    Path((name, id)): Path<(String, Uuid)>,
) -> Result<Json<Record>, ApiError> {
    let collection = collection(&name)?;
    blocking(move || routes.store.get(collection, id)).await.map(Json)
}

/// Reads wait for the disk; they do so beside the runtime's own threads.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, ApiError> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|e| BackendError::Failed(format!("the call broke: {e}")))?.map_err(record_error)
}

async fn create_work_order(
    State(routes): State<RecordRoutes>,
    headers: HeaderMap,
    body: Result<Json<Fields>, JsonRejection>,
) -> Result<Response, ApiError> {
    create_in(routes, Collection::WorkOrders, headers, body).await
}

async fn create(
    State(routes): State<RecordRoutes>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Fields>, JsonRejection>,
) -> Result<Response, ApiError> {
    create_in(routes, collection(&name)?, headers, body).await
}

async fn create_in(
    routes: RecordRoutes,
    collection: Collection,
    headers: HeaderMap,
    body: Result<Json<Fields>, JsonRejection>,
) -> Result<Response, ApiError> {
    let mut fields = fields(body)?;
    let entity_id = take_id(&mut fields, &routes.entropy)?;
    let edit =
        Edit { collection, entity_id, kind: ChangeType::Created, fields, actor: actor(&headers), base_version: None };
    let saved = routes.store.edit(edit).await.map_err(record_error)?;
    Ok((StatusCode::CREATED, Json(saved_json(&saved))).into_response())
}

async fn update(
    State(routes): State<RecordRoutes>,
    Path((name, entity_id)): Path<(String, Uuid)>,
    headers: HeaderMap,
    body: Result<Json<Fields>, JsonRejection>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let (collection, fields) = (collection(&name)?, fields(body)?);
    let edit =
        Edit { collection, entity_id, kind: ChangeType::Updated, fields, actor: actor(&headers), base_version: None };
    let saved = routes.store.edit(edit).await.map_err(record_error)?;
    Ok(Json(saved_json(&saved)))
}

async fn delete(
    State(routes): State<RecordRoutes>,
    Path((name, entity_id)): Path<(String, Uuid)>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    let collection = collection(&name)?;
    let fields = Fields::new();
    let edit =
        Edit { collection, entity_id, kind: ChangeType::Deleted, fields, actor: actor(&headers), base_version: None };
    let saved = routes.store.edit(edit).await.map_err(record_error)?;
    Ok(Json(saved_json(&saved)))
}

/// The record with the change that made it so.
pub fn saved_json(saved: &Saved) -> serde_json::Value {
    serde_json::json!({
        "id": saved.change.entity_id,
        "changeId": saved.change.change_id,
        "version": saved.version,
        "record": saved.record,
    })
}

async fn sync_health_route(State(routes): State<RecordRoutes>) -> Json<serde_json::Value> {
    Json((routes.sync_health)())
}

/// 202: the cycle is asked for; `GET /api/sync/health` tells how it went.
async fn sync_now_route(State(routes): State<RecordRoutes>) -> Result<(StatusCode, Json<serde_json::Value>), ApiError> {
    if (routes.sync_now)() {
        return Ok((StatusCode::ACCEPTED, Json(serde_json::json!({"status": "asked"}))));
    }
    Err(ApiError::Other {
        status: StatusCode::CONFLICT,
        code: "no_shore",
        message: "no shore is configured".to_owned(),
        hint: "set shore.url and shore.token in gateway.toml".into(),
    })
}
