//! `GET /api/stream`: server-sent events. First `snapshot`, then `status`, then `values` and `status` as they come.
//!
//! A client that is too slow misses events and gets a new `snapshot`; nothing is queued for it beyond the ring that all
//! share. One that stops reading altogether is cut by `serve`.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::ApiState;
use super::error::ApiError;
use super::live::{EVENT_INTERVAL, EVENTS_PER_SECOND_MAX, Next, Watch, frame, json};

/// Milliseconds after which a browser comes back by itself.
const RETRY_MS: u32 = 2_000;

/// Sends changes and the status while somebody watches, and sleeps while nobody does. Ends all streams at `stop`.
/// The gateway spawns it once.
pub async fn publish(state: ApiState, stop: CancellationToken) {
    let until_stopped = stop.run_until_cancelled(publish_for_ever(&state)).await;
    debug_assert!(until_stopped.is_none(), "it ends by the stop only");
    state.live.end();
}

async fn publish_for_ever(state: &ApiState) {
    loop {
        state.live.somebody_watches().await;
        let mut ticks = tokio::time::interval(EVENT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tick: u32 = 0;
        while state.live.watchers() > 0 {
            ticks.tick().await;
            state.live.send_changes(state.clock.now().wall);
            tick = tick.wrapping_add(1);
            if tick.is_multiple_of(EVENTS_PER_SECOND_MAX)
                && let Ok(status) = status_json(state).await
            {
                state.live.send("status", &status);
            }
        }
    }
}

async fn status_json(state: &ApiState) -> Result<String, ApiError> {
    state.blocking(|backend| json(&backend.status())).await
}

struct Client {
    state: ApiState,
    watch: Watch,
    first: Option<Bytes>,
    _permit: OwnedSemaphorePermit,
}

/// The handler.
pub async fn stream(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let permit = state.permit(&state.live_permits, "clients of the live stream")?;
    // Watch first: what changes while the snapshot is made then comes as an event.
    let watch = state.live.watch();
    let status = status_json(&state).await?;
    let mut first = format!("retry: {RETRY_MS}\n\n").into_bytes();
    first.extend_from_slice(&snapshot(&state));
    first.extend_from_slice(&frame("status", &status));
    let client = Client { state, watch, first: Some(first.into()), _permit: permit };
    let body = Body::from_stream(stream::unfold(client, |mut client| async {
        let bytes = client.next().await?;
        Some((Ok::<_, Infallible>(bytes), client))
    }));
    Ok(([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], body).into_response())
}

impl Client {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match self.watch.next().await {
            Next::Frame(bytes) => Some(bytes),
            Next::Lagged => Some(snapshot(&self.state)),
            Next::End => None,
        }
    }
}

fn snapshot(state: &ApiState) -> Bytes {
    frame("snapshot", &state.live.snapshot(state.clock.now().wall))
}
