//! The routes that answer out of the [`Backend`](super::Backend): state, health, metrics, prune, history.
//!
//! Handlers translate only: they check parameters, call, and shape the answer as the documents spell it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::backend::{BackendError, HistoryQuery, HistoryRow, TelemetryStats};
use super::error::ApiError;
use super::status::Status;
use super::{ApiState, stream as live_stream};
use crate::clock::Stamp;
use crate::reading::Context;

/// Rows of a history answer when no limit is given: an hour at nearly 3 Hz.
pub const HISTORY_ROWS_DEFAULT: usize = 10_000;

/// Most rows of one history answer: a day at 1 Hz, rounded up; ask for the next part with `from`.
pub const HISTORY_ROWS_MAX: usize = 100_000;

/// The longest path or source asked for; Signal K's longest path has 90 characters.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of history sent at once.
const HISTORY_CHUNK_BYTES: usize = 16 << 10;

/// Chunks that wait for the client; then the reader of the store waits.
const HISTORY_CHUNKS_MAX: usize = 4;

/// How long the reader of the store waits for a client that does not read.
const HISTORY_STALL_MAX: Duration = Duration::from_secs(20);

/// All of them.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/stream", get(live_stream::stream))
        .route("/api/status", get(status))
        .route("/api/values", get(values))
        .route("/api/history", get(history))
        .route("/api/telemetry/stats", get(telemetry_stats))
        .route("/api/telemetry/prune", post(prune))
        .route("/api/mqtt/health", get(mqtt_health))
        .route("/api/mqtt/reliable-sync/health", get(reliable_sync_health))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

async fn status(State(state): State<ApiState>) -> Result<Json<Status>, ApiError> {
    state.blocking(|backend| backend.status()).await.map(Json)
}

async fn values(State(state): State<ApiState>) -> Response {
    let body = state.live.snapshot(state.clock.now().wall);
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn healthz(State(state): State<ApiState>) -> Response {
    health("ok", state.blocking(|backend| backend.faults()).await)
}

async fn readyz(State(state): State<ApiState>) -> Response {
    health("ready", state.blocking(|backend| backend.not_ready()).await)
}

fn health(good: &str, reasons: Result<Vec<String>, ApiError>) -> Response {
    let reasons = reasons.unwrap_or_else(|error| vec![error.to_string()]);
    if reasons.is_empty() {
        return Json(json!({"status": good, "reasons": []})).into_response();
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, Json(json!({"status": format!("not {good}"), "reasons": reasons}))).into_response()
}

async fn metrics(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let text = state
        .blocking(|backend| {
            let mut text = String::new();
            backend.metrics(&mut text).map(|()| text)
        })
        .await?
        .map_err(|_| BackendError::Failed("the metrics cannot be written".to_owned()))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

async fn telemetry_stats(State(state): State<ApiState>) -> Result<Json<TelemetryStats>, ApiError> {
    Ok(Json(state.blocking(|backend| backend.telemetry_stats()).await??))
}

/// `duration` is in milliseconds (B7 names no unit; milliseconds is what the documents' runtime counts in).
async fn prune(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let started_ms = state.clock.now().mono_ms;
    let pruned = state.blocking_within(&state.prune_permit, "prunes", |backend| backend.prune()).await??;
    let duration = state.clock.now().mono_ms.saturating_sub(started_ms);
    let body = json!({"success": true, "duration": duration, "telemetryDeleted": pruned.readings_deleted});
    Ok(Json(body).into_response())
}

async fn mqtt_health(State(state): State<ApiState>) -> Result<Response, ApiError> {
    Ok(Json(state.blocking(|backend| backend.mqtt_health()).await?).into_response())
}

async fn reliable_sync_health(State(state): State<ApiState>) -> Result<Response, ApiError> {
    Ok(Json(state.blocking(|backend| backend.reliable_sync_health()).await?).into_response())
}

/// The query of `GET /api/history`, unchecked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HistoryParameters {
    context: Option<String>,
    path: Option<String>,
    source: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
}

impl HistoryParameters {
    fn check(self) -> Result<HistoryQuery, ApiError> {
        let bad = |name, reason: &str| ApiError::BadParameter { name, reason: reason.to_owned() };
        let path = self.path.ok_or_else(|| bad("path", "is missing; for example `navigation.speedOverGround`"))?;
        let path = checked_name("path", path)?;
        let source = self.source.map(|source| checked_name("source", source)).transpose()?;
        let context = match self.context {
            Some(text) => text.parse().map_err(|reason| ApiError::BadParameter { name: "context", reason })?,
            None => Context::OwnShip,
        };
        let from = parse_stamp("from", self.from, Stamp(i64::MIN))?;
        let to = parse_stamp("to", self.to, Stamp(i64::MAX))?;
        if from > to {
            return Err(bad("from", "is later than `to`"));
        }
        let limit = match self.limit.map(|text| text.parse::<usize>()) {
            None => HISTORY_ROWS_DEFAULT,
            Some(Ok(limit)) if (1..=HISTORY_ROWS_MAX).contains(&limit) => limit,
            Some(_) => return Err(bad("limit", &format!("must be a number from 1 to {HISTORY_ROWS_MAX}"))),
        };
        Ok(HistoryQuery { context, path, source, from, to, limit })
    }
}

fn checked_name(name: &'static str, text: String) -> Result<String, ApiError> {
    let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    let reason = || format!("must have 1 to {NAME_BYTES_MAX} bytes and no control characters");
    if fits { Ok(text) } else { Err(ApiError::BadParameter { name, reason: reason() }) }
}

fn parse_stamp(name: &'static str, text: Option<String>, absent: Stamp) -> Result<Stamp, ApiError> {
    match text {
        None => Ok(absent),
        Some(text) if text.len() > NAME_BYTES_MAX => {
            Err(ApiError::BadParameter { name, reason: "is not a time like 2026-11-21T06:41:00Z".to_owned() })
        }
        Some(text) => Stamp::parse(&text).map_err(|reason| ApiError::BadParameter { name, reason }),
    }
}

/// What the reader of the store hands to the answer's body.
type Chunk = Result<Bytes, BackendError>;

/// JSON lines, one reading each, oldest first. An error before the first row is an error answer; a later one is the
/// last line, since the status went out long before.
async fn history(
    State(state): State<ApiState>,
    Query(parameters): Query<HistoryParameters>,
) -> Result<Response, ApiError> {
    let query = parameters.check()?;
    let (chunks, mut received) = mpsc::channel(HISTORY_CHUNKS_MAX);
    let runtime = tokio::runtime::Handle::current();
    let reader = {
        let state = state.clone();
        async move {
            let permits = std::sync::Arc::clone(&state.history_permits);
            state
                .blocking_within(&permits, "history queries", move |backend| {
                    read_history(backend, &query, |chunk| {
                        let sent = tokio::time::timeout(HISTORY_STALL_MAX, chunks.send(chunk));
                        matches!(runtime.block_on(sent), Ok(Ok(())))
                    });
                })
                .await
        }
    };
    let reader = tokio::spawn(reader);
    let Some(first) = received.recv().await else {
        // Without a chunk it was refused, broke, or found nothing.
        return match reader.await {
            Ok(Err(error)) => Err(error),
            Err(error) => Err(BackendError::Failed(error.to_string()).into()),
            Ok(Ok(())) => Ok(json_lines(Body::empty())),
        };
    };
    let first = first?;
    let body = stream::unfold((Some(first), received), |(first, mut received)| async move {
        let bytes = match first {
            Some(first) => first,
            None => received.recv().await?.unwrap_or_else(error_line),
        };
        Some((Ok::<_, std::convert::Infallible>(bytes), (None, received)))
    });
    Ok(json_lines(Body::from_stream(body)))
}

fn json_lines(body: Body) -> Response {
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

fn error_line(error: BackendError) -> Bytes {
    Bytes::from(format!("{}\n", ApiError::Backend(error).body()))
}

/// Reads rows into chunks; stops when `send` says that nobody reads any more.
fn read_history(backend: &dyn super::Backend, query: &HistoryQuery, send: impl Fn(Chunk) -> bool) {
    let mut chunk = Vec::with_capacity(HISTORY_CHUNK_BYTES);
    let mut rows = 0;
    let mut is_read = true;
    let ended = backend.history(query, &mut |row| {
        chunk.extend_from_slice(history_line(&row).as_bytes());
        rows += 1;
        if chunk.len() >= HISTORY_CHUNK_BYTES {
            is_read = send(Ok(Bytes::from(std::mem::take(&mut chunk))));
        }
        is_read && rows < query.limit
    });
    if is_read && !chunk.is_empty() {
        is_read = send(Ok(chunk.into()));
    }
    if let (true, Err(error)) = (is_read, ended) {
        send(Err(error));
    }
}

fn history_line(row: &HistoryRow) -> String {
    let line = json!({
        "observed_at": row.observed_at,
        "source": &*row.source,
        "instance": &*row.instance,
        "value": row.value.to_json(),
        "quality": row.quality,
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(path: &str) -> HistoryParameters {
        HistoryParameters { path: Some(path.to_owned()), ..HistoryParameters::default() }
    }

    #[test]
    fn a_query_has_bounds_by_default() {
        let query = parameters("a.b").check().unwrap();
        assert_eq!((query.limit, query.context), (HISTORY_ROWS_DEFAULT, Context::OwnShip));
        assert!(query.from < query.to);
    }

    #[test]
    fn what_is_wrong_with_a_query_is_named() {
        let told = |parameters: HistoryParameters| parameters.check().unwrap_err().to_string();
        assert!(told(HistoryParameters::default()).contains("`path`: is missing"));
        assert!(told(parameters("")).contains("1 to 256"));
        assert!(told(parameters("a\0b")).contains("control"));
        assert!(told(parameters(&"a".repeat(257))).contains("256"));
        let with = |from: &str, limit: &str| HistoryParameters {
            from: Some(from.to_owned()),
            to: Some("2026-11-21T00:00:00Z".to_owned()),
            limit: Some(limit.to_owned()),
            ..parameters("a")
        };
        assert!(told(with("yesterday", "1")).contains("`from`"));
        assert!(told(with("2027-01-01T00:00:00Z", "1")).contains("later than `to`"));
        for limit in ["0", "100001", "-1", "many", "99999999999999999999999"] {
            assert!(told(with("2026-11-20T00:00:00Z", limit)).contains("1 to 100000"), "{limit}");
        }
        let context = HistoryParameters { context: Some("planes".to_owned()), ..parameters("a") };
        assert!(told(context).contains("vessels.self"));
    }
}
