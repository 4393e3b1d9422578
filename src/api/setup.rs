//! The first key: whoever stands before the box reads a code from its console, and gets the API token for it, once.
//!
//! The image draws the code at first boot (os/common, hawser-identity); without its file there is nothing to guess.
//! It refuses more than a few wrong codes a minute from all addresses together, and forgets the code before it answers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::auth::{ApiToken, Lockout, Peer};
use super::backend::BackendError;
use super::error::ApiError;
use crate::clock::Clock;

/// Its name in the data directory.
pub const CODE_FILE: &str = "setup_code";

/// All addresses share one count: 32 bits at ten tries a minute last for centuries.
const ANYBODY: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// Body of `POST /api/setup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    /// The code, in any case, with or without dashes and blanks.
    pub code: String,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupReply {
    /// The API token, from now on the only key.
    pub token: String,
}

#[derive(Clone)]
struct Setup(Arc<Inner>);

struct Inner {
    path: PathBuf,
    token: ApiToken,
    clock: Clock,
    lockout: Mutex<Lockout>,
}

/// The route. It stands outside the guard of writes: it is how one gets the token.
pub fn routes(data_dir: &Path, token: ApiToken, clock: Clock) -> Router {
    let inner = Inner { path: data_dir.join(CODE_FILE), token, clock, lockout: Mutex::default() };
    Router::new().route("/api/setup", post(redeem)).with_state(Setup(Arc::new(inner)))
}

async fn redeem(
    State(setup): State<Setup>,
    peer: Option<Extension<Peer>>,
    body: Result<Json<SetupRequest>, JsonRejection>,
) -> Result<Json<SetupReply>, ApiError> {
    let refused = |status, code, message: &str, hint: &'static str| ApiError::Other {
        status,
        code,
        message: message.to_owned(),
        hint: hint.into(),
    };
    let Json(SetupRequest { code }) = body.map_err(|rejection| {
        refused(rejection.status(), "bad_body", &rejection.body_text(), "send {\"code\": \"...\"}")
    })?;
    let address = peer.map(|Extension(Peer(address))| address.ip());
    let now_ms = setup.0.clock.now().mono_ms;
    let mut lockout = setup.0.lockout.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(retry_after_s) = lockout.wait_s(ANYBODY, now_ms) {
        return Err(ApiError::TooManyFailures { retry_after_s });
    }
    // A few bytes, at most once in a box's life.
    let Ok(known) = std::fs::read_to_string(&setup.0.path) else {
        let hint = "the token that was handed out then is the key; a factory reset draws a new code";
        return Err(refused(StatusCode::GONE, "no_code", "there is no setup code, or it was used", hint));
    };
    if normal(&known).is_empty() || !same(&normal(&known), &normal(&code)) {
        lockout.failed(ANYBODY, now_ms);
        tracing::warn!(?address, "a wrong setup code");
        let hint = "the code stands on the console of the box";
        return Err(refused(StatusCode::UNAUTHORIZED, "wrong_code", "that is not the setup code", hint));
    }
    std::fs::remove_file(&setup.0.path).map_err(|error| {
        BackendError::Failed(format!("the code could not be taken away, so it was not used: {error}"))
    })?;
    tracing::warn!(?address, "the setup code was used: the API token is handed out");
    Ok(Json(SetupReply { token: setup.0.token.reveal().to_owned() }))
}

fn normal(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// In the same time for any wrong code.
fn same(known: &str, given: &str) -> bool {
    Sha256::digest(known).ct_eq(&Sha256::digest(given)).into()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::CONTENT_TYPE;
    use tower::ServiceExt as _;

    use super::*;
    use crate::api::auth::FAILURES_MAX;
    use crate::clock::Stamp;

    async fn send(router: &Router, code: &str) -> (StatusCode, String) {
        let body = serde_json::to_string(&SetupRequest { code: code.to_owned() }).unwrap();
        let request = Request::post("/api/setup").header(CONTENT_TYPE, "application/json").body(Body::from(body));
        let response = router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn router(dir: &Path) -> (Router, Clock) {
        let clock = Clock::manual(Stamp(0));
        (routes(dir, ApiToken::known("the-token-of-this-box"), clock.clone()), clock)
    }

    #[tokio::test]
    async fn the_code_is_good_once() {
        let dir = tempfile::tempdir().unwrap();
        let (router, _) = router(dir.path());
        assert_eq!(send(&router, "KDHRBTCM").await.0, StatusCode::GONE);
        std::fs::write(dir.path().join(CODE_FILE), "KDHRBTCM\n").unwrap();
        assert_eq!(send(&router, "KDHRBTCN").await.0, StatusCode::UNAUTHORIZED);
        let (status, body) = send(&router, "kdhr-btcm").await;
        assert!(status == StatusCode::OK && body.contains("the-token-of-this-box"), "{status} {body}");
        assert_eq!(send(&router, "KDHRBTCM").await.0, StatusCode::GONE);
    }

    #[tokio::test]
    async fn guessing_is_slow_and_an_empty_file_is_no_code() {
        let dir = tempfile::tempdir().unwrap();
        let (router, clock) = router(dir.path());
        std::fs::write(dir.path().join(CODE_FILE), "\n").unwrap();
        assert_eq!(send(&router, "").await.0, StatusCode::UNAUTHORIZED);
        std::fs::write(dir.path().join(CODE_FILE), "KDHRBTCM").unwrap();
        for _ in 1..FAILURES_MAX {
            assert_eq!(send(&router, "WRONG").await.0, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(send(&router, "KDHRBTCM").await.0, StatusCode::TOO_MANY_REQUESTS);
        clock.advance_ms(60_000);
        assert_eq!(send(&router, "KDHRBTCM").await.0, StatusCode::OK);
    }
}
