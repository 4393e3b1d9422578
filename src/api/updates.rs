//! Updates over HTTP: how they stand, and the orders that somebody on board gives. Writing needs the token, as all
//! writes do.

use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use crate::update::{UpdateError, UpdateHandle, UpdateStatus};

/// How long an order is waited for; then the answer is 202, and the status tells the rest. Below
/// [`REQUEST_TIME_MAX`](super::REQUEST_TIME_MAX), or nobody would hear of it.
const ORDER_TIME_MAX: Duration = Duration::from_secs(25);

const _: () = assert!(ORDER_TIME_MAX.as_secs() < super::REQUEST_TIME_MAX.as_secs());

/// Body of `POST /api/update/install`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstallOrder {
    /// An absolute path on the box or an address; without it the newest that is known.
    pub bundle: Option<String>,
    /// Start it without waiting for berth and hour.
    pub now: bool,
    /// Load it over a metered link too.
    pub metered: bool,
}

/// The routes.
pub fn routes(updates: UpdateHandle) -> Router {
    Router::new()
        .route("/api/update", get(status))
        .route("/api/update/check", post(check))
        .route("/api/update/install", post(install))
        .route("/api/update/rollback", post(rollback))
        .with_state(updates)
}

async fn status(State(updates): State<UpdateHandle>) -> Json<UpdateStatus> {
    Json(updates.status())
}

async fn check(State(updates): State<UpdateHandle>) -> Result<Response, ApiError> {
    obey(&updates, updates.check()).await
}

async fn install(
    State(updates): State<UpdateHandle>,
    body: Result<Json<InstallOrder>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(InstallOrder { bundle, now, metered }) = body.map_err(|rejection| ApiError::Other {
        status: rejection.status(),
        code: "bad_body",
        message: rejection.body_text(),
        hint: "send {} for the newest bundle, or {\"bundle\": ..., \"now\": ..., \"metered\": ...}".into(),
    })?;
    obey(&updates, updates.install(bundle, now, metered)).await
}

async fn rollback(State(updates): State<UpdateHandle>) -> Result<Response, ApiError> {
    obey(&updates, updates.rollback()).await
}

async fn obey(
    updates: &UpdateHandle,
    order: impl Future<Output = Result<UpdateStatus, UpdateError>>,
) -> Result<Response, ApiError> {
    match tokio::time::timeout(ORDER_TIME_MAX, order).await {
        Ok(done) => Ok(Json(done.map_err(refused)?).into_response()),
        Err(_) => Ok((StatusCode::ACCEPTED, Json(updates.status())).into_response()),
    }
}

fn refused(error: UpdateError) -> ApiError {
    let (status, code) = match &error {
        _ if error.is_transient() => (StatusCode::SERVICE_UNAVAILABLE, "not_now"),
        UpdateError::Source(_) => (StatusCode::BAD_REQUEST, "bad_source"),
        UpdateError::Installer(_) | UpdateError::Ledger(_) | UpdateError::Stopped => {
            (StatusCode::BAD_GATEWAY, "installer")
        }
        _ => (StatusCode::CONFLICT, "refused"),
    };
    ApiError::Other { status, code, message: error.to_string(), hint: "GET /api/update tells how it stands".into() }
}
