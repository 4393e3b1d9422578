//! The shore's doors: who is let in, and what is read of those who are not.

use axum::body::{Body, Bytes};
use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

use super::*;

const VESSEL_TOKEN: &str = "the-token-of-the-vessel";
const SHORE_TOKEN: &str = "the-token-of-the-office";

struct Ashore {
    router: Router,
    store: RecordStore,
    _dir: tempfile::TempDir,
}

impl Ashore {
    fn new(apply_permits: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::seeded(1));
        let (store, _) = RecordStore::open(dir.path(), "", &clock, &entropy).unwrap();
        let mut config = ShoreConfig::default();
        config.http.apply_permits = apply_permits;
        let token_sha256 = hex(&Sha256::digest(VESSEL_TOKEN));
        config.vessel.push(ShoreVesselConfig {
            id: "aurora".to_owned(),
            name: String::new(),
            update_version_max: String::new(),
            token_sha256,
        });
        let shore = Shore::new(&config, &store, ApiToken::known(SHORE_TOKEN), clock, entropy);
        Self { router: router(shore, ([127, 0, 0, 1], 8090).into()), store, _dir: dir }
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Body) -> (StatusCode, serde_json::Value) {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "127.0.0.1:8090")
            .header(CONTENT_TYPE, "application/json");
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if path == "/api/sync/v2" {
            request = request.header(CONTENT_ENCODING, "zstd");
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), BODY_BYTES_MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

/// A body of which nothing may be read.
fn unread() -> Body {
    let read = |()| -> std::io::Result<Bytes> { panic!("the body was read") };
    Body::from_stream(tokio_stream::once(()).map(read))
}

#[tokio::test]
async fn who_has_no_token_is_refused_before_the_body_is_read() {
    let ashore = Ashore::new(1);
    for token in ["", "wrong", SHORE_TOKEN] {
        let (status, _) = ashore.ask(Method::POST, "/api/sync/v2", token, unread()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token:?}");
    }
    let (status, _) = ashore.ask(Method::POST, "/api/sync/v2", "", Body::from("no zstd, no JSON")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = ashore.ask(Method::POST, "/api/sync/v2", VESSEL_TOKEN, Body::from("no zstd, no JSON")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a vessel's body is read");
}

#[tokio::test]
async fn a_busy_shore_says_so_before_the_body_is_read() {
    let ashore = Ashore::new(0);
    let (status, answer) = ashore.ask(Method::POST, "/api/sync/v2", VESSEL_TOKEN, unread()).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"busy".into()));
}

#[tokio::test]
async fn records_ashore_need_the_token_and_come_in_pages() {
    let ashore = Ashore::new(1);
    let path = "/api/vessels/aurora/records/work_orders";
    for token in ["", VESSEL_TOKEN] {
        let (status, _) = ashore.ask(Method::GET, path, token, Body::empty()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token:?}");
    }
    for title in ["one", "two", "three"] {
        let body = Body::from(serde_json::json!({"title": title}).to_string());
        assert_eq!(ashore.ask(Method::POST, path, SHORE_TOKEN, body).await.0, StatusCode::CREATED);
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    for expected in [2, 1, 0] {
        let (_, list) = ashore.ask(Method::GET, &format!("{path}{query}"), SHORE_TOKEN, Body::empty()).await;
        let ids: Vec<_> = list.as_array().unwrap().iter().map(|record| record["id"].clone()).collect();
        assert_eq!(ids.len(), expected, "{list}");
        seen.extend(ids);
        query = format!("?limit=2&after={}", seen.last().unwrap().as_str().unwrap());
    }
    let (status, _) = ashore.ask(Method::GET, "/api/fleet", "", Body::empty()).await;
    assert_eq!(status, StatusCode::OK, "the fleet's page names nobody");
}

#[tokio::test]
async fn a_shore_that_cannot_write_is_not_well() {
    let ashore = Ashore::new(1);
    for (path, word) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let (status, answer) = ashore.ask(Method::GET, path, "", Body::empty()).await;
        assert_eq!((status, &answer["status"]), (StatusCode::OK, &word.into()));
    }
    ashore.store.close();
    for path in ["/healthz", "/readyz"] {
        let (status, answer) = ashore.ask(Method::GET, path, "", Body::empty()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer["reasons"][0].as_str().is_some_and(|why| why.contains("database")), "{answer}");
    }
}
