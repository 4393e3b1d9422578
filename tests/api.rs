//! The HTTP room over real sockets: what it answers, whom it refuses, and that its bounds hold.
//!
//! Behind it stands a small real backend (`api/vessel.rs`), no mock of HTTP. Nothing here is timed: where a bound is a
//! time, the test makes it small and waits for the effect.

#[path = "api/vessel.rs"]
mod vessel;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hawser::api::{self, ApiMetrics, ApiState, ApiToken, Hosts, Live, ServeLimits};
use hawser::clock::Clock;
use reqwest::header::{AUTHORIZATION, HOST, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use vessel::Vessel;

const TOKEN: &str = "a-token-for-these-tests-only";

struct Ship {
    address: SocketAddr,
    client: Client,
    vessel: Arc<Vessel>,
    live: Live,
    metrics: ApiMetrics,
    stop: CancellationToken,
    _stop_at_end: DropGuard,
}

impl Ship {
    async fn launch() -> Self {
        Self::launch_with(ServeLimits::default(), SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn launch_with(limits: ServeLimits, listen: SocketAddr) -> Self {
        let metrics = ApiMetrics::default();
        let live = Live::new(metrics.clone());
        let clock = Clock::system();
        let vessel = Arc::new(Vessel::new(clock.clone(), metrics.clone()));
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hosts = Hosts::aboard(address, &[]);
        let token = ApiToken::known(TOKEN);
        let state = ApiState::new(vessel.clone(), live.clone(), clock, token, metrics.clone(), hosts);
        let stop = CancellationToken::new();
        tokio::spawn(api::publish(state.clone(), stop.clone()));
        tokio::spawn(api::serve_with(listener, api::router(state), stop.clone(), limits, metrics.clone()));
        // reqwest is built without a TLS provider of its own; a second test finds the first one's in place.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().no_gzip().build().unwrap();
        let guard = stop.clone().drop_guard();
        Self { address, client, vessel, live, metrics, stop, _stop_at_end: guard }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn prune_with(&self, authorization: &str) -> Response {
        self.client.post(self.url("/api/telemetry/prune")).header(AUTHORIZATION, authorization).send().await.unwrap()
    }

    /// Sends bytes as they are and reads until the far end closes.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The far end may refuse before it has read everything.
        drop(stream.write_all(request).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Checks the shape that every refusal has, and returns its code.
async fn refused(response: Response, status: StatusCode) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let body: Json = response.json().await.unwrap();
    let error = body["error"].as_object().unwrap();
    assert!(error.values().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{body}");
    assert_eq!(error.keys().collect::<Vec<_>>(), ["code", "hint", "message"]);
    error["code"].as_str().unwrap().to_owned()
}

/// The events of a stream, whole ones only.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn of(ship: &Ship) -> Self {
        let response = ship.get("/api/stream").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event as (name, data); `None` at the end.
    async fn next(&mut self) -> Option<(String, Json)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some((name, data)) = event.split_once("\ndata: ") {
                    let name = name.strip_prefix("event: ").unwrap().to_owned();
                    return Some((name, serde_json::from_str(data).unwrap()));
                }
                continue;
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next_named(&mut self, wanted: &str) -> Json {
        loop {
            let (name, data) = self.next().await.expect("the stream goes on");
            if name == wanted {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn reading_is_open_and_writing_needs_the_token() {
    let ship = Ship::launch().await;
    assert_eq!(ship.get("/api/telemetry/stats").await.status(), StatusCode::OK);
    let none = ship.client.post(ship.url("/api/telemetry/prune")).send().await.unwrap();
    assert!(none.headers().contains_key("www-authenticate"));
    assert_eq!(refused(none, StatusCode::UNAUTHORIZED).await, "token_missing");
    assert_eq!(refused(ship.prune_with("Bearer wrong").await, StatusCode::UNAUTHORIZED).await, "token_wrong");
    assert_eq!(ship.vessel.prunes(), 0);
    let done: Json = ship.prune_with(&format!("Bearer {TOKEN}")).await.json().await.unwrap();
    assert_eq!((done["success"].as_bool(), done["telemetryDeleted"].as_u64()), (Some(true), Some(42)));
    assert!(done["duration"].is_u64(), "{done}");
    assert_eq!((ship.vessel.prunes(), ship.metrics.auth_failures.get()), (1, 2));
}

#[tokio::test]
async fn an_unknown_path_is_no_way_around_the_token() {
    let ship = Ship::launch().await;
    for path in ["/api/telemetry/prune/", "//api/telemetry/prune", "/api/telemetry/%70rune", "/api/nothing"] {
        let response = ship.client.post(ship.url(path)).send().await.unwrap();
        assert!(response.status().is_client_error(), "{path} {}", response.status());
    }
    assert_eq!(ship.vessel.prunes(), 0);
}

#[tokio::test]
async fn who_guesses_must_wait() {
    let ship = Ship::launch().await;
    for _ in 0..api::auth::FAILURES_MAX {
        assert_eq!(ship.prune_with("Bearer guess").await.status(), StatusCode::UNAUTHORIZED);
    }
    let response = ship.prune_with("Bearer guess").await;
    let wait_s: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait_s));
    assert_eq!(refused(response, StatusCode::TOO_MANY_REQUESTS).await, "too_many_failures");
    assert_eq!(ship.get("/api/status").await.status(), StatusCode::OK, "reading goes on");
}

#[tokio::test]
async fn every_refusal_has_the_same_shape() {
    let ship = Ship::launch().await;
    assert_eq!(refused(ship.get("/nothing").await, StatusCode::NOT_FOUND).await, "not_found");
    let method = ship.get("/api/telemetry/prune").await;
    assert_eq!(method.headers()["allow"], "POST");
    assert_eq!(refused(method, StatusCode::METHOD_NOT_ALLOWED).await, "method_not_allowed");
    assert_eq!(refused(ship.get("/api/history").await, StatusCode::BAD_REQUEST).await, "bad_parameter");
    let unknown = ship.get("/api/history?path=a&form=2026").await;
    assert_eq!(refused(unknown, StatusCode::BAD_REQUEST).await, "bad_request");
    ship.vessel.break_store("the disk is gone");
    let broken = ship.get("/api/telemetry/stats").await;
    assert_eq!(refused(broken, StatusCode::INTERNAL_SERVER_ERROR).await, "failed");
    let history = ship.get("/api/history?path=a").await;
    assert_eq!(refused(history, StatusCode::INTERNAL_SERVER_ERROR).await, "failed");
}

#[tokio::test]
async fn a_huge_body_is_refused_unread() {
    let ship = Ship::launch().await;
    let body = vec![b'x'; api::BODY_BYTES_MAX + 1];
    let request = ship.client.post(ship.url("/api/telemetry/prune")).bearer_auth(TOKEN).body(body);
    assert_eq!(refused(request.send().await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE).await, "too_large");
    // The largest length there is; hyper refuses the one above as a number it keeps for itself.
    for (length, status) in [("9223372036854775807", "413"), ("18446744073709551615", "4")] {
        let endless = format!(
            "POST /api/telemetry/prune HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        let answer = ship.raw(endless.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{length} got {answer:?}");
    }
    assert_eq!(ship.vessel.prunes(), 0);
}

#[tokio::test]
async fn hostile_requests_are_refused_and_harm_nobody() {
    let ship = Ship::launch().await;
    let huge_header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(10_000));
    let requests: [(&[u8], &str); 7] = [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS by mistake\r\n\r\n", "400"),
        (b"$GPRMC,123519,A,4807.038,N*6A\r\n\r\n", "400"),
        (huge_header.as_bytes(), "431"),
        (many_headers.as_bytes(), "431"),
        (b"GET /assets/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "404"),
        (b"GET /%00%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "404"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET", "4"),
    ];
    for (request, status) in requests {
        let answer = ship.raw(request).await;
        let start: String = String::from_utf8_lossy(request).chars().take(40).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{start:?} got {answer:?}");
    }
    assert_eq!(ship.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn another_machines_name_is_refused_on_loopback() {
    let ship = Ship::launch().await;
    for (host, allowed) in
        [("evil.example", false), ("localhost:1", true), ("127.0.0.1.nip.io", false), ("[::1]", true)]
    {
        let response = ship.client.get(ship.url("/api/status")).header(HOST, host).send().await.unwrap();
        if allowed {
            assert_eq!(response.status(), StatusCode::OK, "{host}");
        } else {
            assert_eq!(refused(response, StatusCode::MISDIRECTED_REQUEST).await, "wrong_host");
        }
    }
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_room_returns() {
    let limits = ServeLimits { connections_max: 3, ..ServeLimits::default() };
    let ship = Ship::launch_with(limits, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let mut held = Vec::new();
    for _ in 0..limits.connections_max {
        held.push(Events::of(&ship).await);
    }
    let response = ship.get("/").await;
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.json::<Json>().await.unwrap()["error"]["code"], "busy");
    assert_eq!(ship.metrics.connections_refused.get(), 1);
    drop(held);
    while ship.get("/healthz").await.status() != StatusCode::OK {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_request_is_cut() {
    let limits = ServeLimits { header_time_max: Duration::from_millis(200), ..ServeLimits::default() };
    let ship = Ship::launch_with(limits, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    // Returns only because the far end closes: the headers never end.
    let answer = ship.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!(ship.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_who_stops_reading_the_stream_is_cut() {
    let limits = ServeLimits { write_stall_max: Duration::from_millis(300), ..ServeLimits::default() };
    let ship = Ship::launch_with(limits, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let mut deaf = TcpStream::connect(ship.address).await.unwrap();
    deaf.write_all(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let filler = "x".repeat(256 << 10);
    while ship.metrics.connections_stalled.get() == 0 {
        ship.live.send("filler", &format!("\"{filler}\""));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while ship.live.watchers() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn stream_clients_are_bounded() {
    let ship = Ship::launch().await;
    let mut held = Vec::new();
    for _ in 0..api::LIVE_CLIENTS_MAX {
        held.push(Events::of(&ship).await);
    }
    let response = ship.get("/api/stream").await;
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert_eq!(refused(response, StatusCode::SERVICE_UNAVAILABLE).await, "busy");
    assert_eq!(ship.live.watchers(), api::LIVE_CLIENTS_MAX);
    drop(held);
    while ship.live.watchers() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_stream_tells_a_snapshot_then_changes_and_the_status() {
    let ship = Ship::launch().await;
    ship.live.observe(&ship.vessel.readings());
    let mut events = Events::of(&ship).await;
    let (name, snapshot) = events.next().await.unwrap();
    assert_eq!(name, "snapshot");
    let all = snapshot["values"].as_array().unwrap();
    let speed = all.iter().find(|value| value["path"] == "navigation.speedOverGround").unwrap();
    assert_eq!((speed["unit"].as_str(), speed["source"].as_str()), (Some("m/s"), Some("gps.GP")));
    assert_eq!(speed["context"], "vessels.self");
    assert!(speed["value"].is_f64() && speed["received_at"].is_string());
    assert_eq!(events.next().await.unwrap().0, "status");
    let one = &ship.vessel.readings()[..1];
    ship.live.observe(one);
    let changes = events.next_named("values").await;
    assert_eq!(changes["values"].as_array().unwrap().len(), 1);
    assert_eq!(changes["values"][0]["id"], one[0].series.id);
    assert_eq!(events.next_named("status").await["vessel"]["id"], "test");
}

#[tokio::test]
async fn streams_end_when_the_gateway_stops() {
    let ship = Ship::launch().await;
    let mut events = Events::of(&ship).await;
    ship.stop.cancel();
    while events.next().await.is_some() {}
    assert!(TcpStream::connect(ship.address).await.is_err() || ship.client.get(ship.url("/")).send().await.is_err());
}

#[tokio::test]
async fn history_is_json_lines_oldest_first_and_bounded() {
    let ship = Ship::launch().await;
    let text = ship.get("/api/history?path=a&limit=3&from=2026-11-21T00:00:00Z").await.text().await.unwrap();
    let rows: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["observed_at"], "2026-11-21T00:00:00.000Z");
    assert!(rows[0]["observed_at"].as_str() < rows[2]["observed_at"].as_str());
    let all = ship.get("/api/history?path=a&limit=100000").await.text().await.unwrap();
    assert_eq!(all.lines().count(), vessel::HISTORY_ROWS);
    assert_eq!(ship.get("/api/history?path=empty").await.text().await.unwrap(), "");
}

#[tokio::test]
async fn health_says_why() {
    let ship = Ship::launch().await;
    assert_eq!(ship.get("/readyz").await.status(), StatusCode::OK);
    ship.vessel.break_store("the writer has been silent for 11 s");
    let response = ship.get("/healthz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Json = response.json().await.unwrap();
    assert_eq!(body["reasons"][0], "the writer has been silent for 11 s");
}

#[tokio::test]
async fn the_documented_endpoints_have_their_documented_fields() {
    let ship = Ship::launch().await;
    let stats: Json = ship.get("/api/telemetry/stats").await.json().await.unwrap();
    for field in ["telemetryRows", "databaseSizeMB", "retentionDays"] {
        assert!(stats[field].is_number(), "{field} in {stats}");
    }
    assert_eq!(ship.get("/api/mqtt/health").await.json::<Json>().await.unwrap()["qosLevel"], 1);
    assert_eq!(ship.get("/api/mqtt/reliable-sync/health").await.status(), StatusCode::OK);
    let metrics = ship.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("hawser_api_connections_total") && metrics.ends_with("# EOF\n"), "{metrics}");
    let status: api::Status = ship.get("/api/status").await.json().await.unwrap();
    assert_eq!(status.vessel.id, "test");
}

#[tokio::test]
async fn the_page_comes_guarded_small_and_cached() {
    let ship = Ship::launch().await;
    let mut script_bytes = 0;
    for path in ["/", "/assets/style.css", "/assets/live.js", "/assets/gateway.js", "/assets/units.js"] {
        let packed = ship.client.get(ship.url(path)).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(packed.status(), StatusCode::OK, "{path}");
        let policy = packed.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(packed.headers()["x-frame-options"], "DENY");
        let tag = packed.headers()["etag"].clone();
        let bytes = packed.bytes().await.unwrap().len();
        script_bytes += if path.ends_with(".js") { bytes } else { 0 };
        let again = ship.client.get(ship.url(path)).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    assert!(script_bytes < 10 << 10, "{script_bytes} bytes of script over the wire");
}

struct Fleet;

impl api::FleetSource for Fleet {
    fn fleet(&self) -> Result<api::FleetStatus, api::BackendError> {
        let vessel = api::FleetVessel { id: "a".to_owned(), name: "<b>A</b>".to_owned(), ..Default::default() };
        Ok(api::FleetStatus { vessels: vec![vessel], ..Default::default() })
    }
}

#[tokio::test]
async fn the_fleets_page_stands_on_the_same_frame() {
    let ship = Ship::launch().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let fleet = api::fleet::routes(Arc::new(Fleet));
    let router = api::protect(fleet, &Hosts::Any, api::BODY_BYTES_MAX, api::REQUEST_TIME_MAX);
    tokio::spawn(api::serve(listener, router, ship.stop.clone()));
    let page = ship.client.get(&url).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let text = page.text().await.unwrap();
    assert!(text.contains("/assets/fleet.js") && !text.contains("<b>A"), "{text}");
    let fleet: api::FleetStatus =
        ship.client.get(format!("{url}/api/fleet")).send().await.unwrap().json().await.unwrap();
    assert_eq!(fleet.vessels[0].name, "<b>A</b>");
    let style = ship.client.get(format!("{url}/assets/style.css")).send().await.unwrap();
    assert_eq!(style.status(), StatusCode::OK);
    let stray = ship.client.get(format!("{url}/api/status")).send().await.unwrap();
    assert_eq!(refused(stray, StatusCode::NOT_FOUND).await, "not_found");
}

/// Stays for a browser when `HAWSER_BROWSER_LISTEN` names an address; else shows that the moving vessel moves.
#[tokio::test]
async fn a_moving_vessel_is_seen_to_move() {
    let wanted = std::env::var("HAWSER_BROWSER_LISTEN").ok();
    let listen = wanted.as_deref().unwrap_or("127.0.0.1:0").parse().unwrap();
    let ship = Ship::launch_with(ServeLimits::default(), listen).await;
    let moving = tokio::spawn(vessel::sail(ship.vessel.clone(), ship.live.clone()));
    let mut events = Events::of(&ship).await;
    let first = events.next_named("values").await;
    assert_ne!(first, events.next_named("values").await);
    if wanted.is_some() {
        println!("on http://{}", ship.address);
        moving.await.unwrap();
    }
}
