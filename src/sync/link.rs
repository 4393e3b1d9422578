//! The way to the shore: carries requests and replies over HTTP, and knows when to try again. Offline is a state here,
//! not a fault: nothing is given up, nothing is lost, and a timer is always armed while anything waits.
//!
//! What is sent and what a reply does is decided by [`super::spoke`] and [`super::readings`]; when, by [`Pace`], which
//! is pure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::protocol::{BODY_BYTES_MAX, Reply, Request};
use super::{readings, spoke};
use crate::clock::{Clock, Now, Stamp};
use crate::config::gateway::ShoreLinkConfig;
use crate::entropy::Entropy;
use crate::http_client::{self, ClientError};
use crate::store::records::{RecordError, RecordStore, Rows};
use crate::store::telemetry::TelemetryReader;

/// Least time between cycles that nobody asked for (REQUIREMENTS C4).
pub const CYCLE_GAP_MS_MIN: u64 = 5_000;

/// The smallest batch (SYNC.md, Request).
pub const BATCH_BYTES_MIN: usize = 4 << 10;

/// A batch faster than this lets the next be twice as large (SYNC.md, Request).
const BATCH_FAST_MS: u64 = 10_000;

/// First and longest pause after a failure (SYNC.md, Retry).
const PAUSE_MS_MIN: u64 = 1_000;
const PAUSE_MS_MAX: u64 = 300_000;

/// How long one request may take: the largest batch over 9.6 kbit/s takes 220 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Bodies smaller than this are not compressed: a frame more costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 256;

/// zstd's own default: higher levels gain 2 % on such data for ten times the time.
const ZSTD_LEVEL: i32 = 3;

/// Tries over which the health of the link is judged (REQUIREMENTS Z18).
const HEALTH_TRIES: u32 = 20;

/// Restarts of the history in a row that are believed: a hub restored twice. Then it is a fault, with a pause.
const RESTARTS_MAX: u32 = 2;

/// The name, in the store's identity, of the wish for a new sequence of readings at the next start.
pub const NEW_SEQUENCE_WANTED: &str = "new_telemetry_sequence";

/// What stops a cycle.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No answer: the link is down, or the shore is.
    #[error("no answer from the shore: {0}")]
    Unreachable(String),
    /// The shore asks for patience.
    #[error("the shore is busy and asks to come back in {after_s} s")]
    Busy {
        /// Seconds.
        after_s: u64,
    },
    /// The shore does not know us. Nothing is thrown away (SYNC.md, Retry).
    #[error("the shore refuses the token (HTTP {status}): compare shore.token here with the shore's [[vessel]] entry")]
    Unauthorized {
        /// HTTP status.
        status: u16,
    },
    /// The batch is too large for something on the way.
    #[error("the batch of {bytes} bytes is too large for the shore")]
    TooLarge {
        /// Bytes of the body.
        bytes: usize,
    },
    /// The shore answers what is not the protocol: another server, a captive portal, a fault.
    #[error("not the shore's answer (HTTP {status}): {body}")]
    NotTheShore {
        /// HTTP status.
        status: u16,
        /// Start of the body.
        body: String,
    },
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Our own database failed.
    #[error(transparent)]
    Store(#[from] RecordError),
    /// The shore's history changed again right after it had changed: two shores behind one name, perhaps.
    #[error("the shore's history changes with every answer: are there two shores behind one name?")]
    HistoryUnstable,
    /// The shore has readings of this telemetry's sequence that are not here.
    #[error(
        "the shore has readings up to {ashore} of this store, which ends at {here}: the telemetry was set back to an \
         older state; it gets a new sequence at the next start"
    )]
    TelemetrySetBack {
        /// The last number ashore.
        ashore: u64,
        /// The last number here.
        here: u64,
    },
    /// Our own telemetry could not be read.
    #[error("the telemetry cannot be read: {0}")]
    Telemetry(String),
}

impl LinkError {
    /// Whether the far side answered at all.
    const fn is_offline(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// Whether it says anything about the shore.
    const fn is_our_own(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Telemetry(_))
    }
}

/// When the next cycle is due. Pure: it is told the time.
#[derive(Clone, Debug)]
pub struct Pace {
    interval_ms: u64,
    failures: u32,
    next_ms: u64,
    last_start_ms: u64,
}

impl Pace {
    /// The first cycle is due at once.
    pub const fn new(interval_ms: u64) -> Self {
        Self { interval_ms, failures: 0, next_ms: 0, last_start_ms: 0 }
    }

    /// Milliseconds to wait at `now_ms`, when something new is there or not. A pause after failures is kept either way.
    pub fn wait_ms(&self, now_ms: u64, news: bool) -> u64 {
        let gap = CYCLE_GAP_MS_MIN.min(self.interval_ms);
        let due = if news && self.failures == 0 { self.next_ms.min(self.last_start_ms + gap) } else { self.next_ms };
        due.saturating_sub(now_ms)
    }

    /// A cycle starts.
    pub const fn started(&mut self, now_ms: u64) {
        self.last_start_ms = now_ms;
    }

    /// A cycle went well; `more` is waiting already.
    pub const fn succeeded(&mut self, now_ms: u64, more: bool) {
        self.failures = 0;
        self.next_ms = if more { now_ms } else { self.last_start_ms + self.interval_ms };
    }

    /// A cycle failed: 1 s doubling to 5 min, full jitter; `unit` is in 0..1. A time that the shore asked for is kept.
    pub fn failed(&mut self, now_ms: u64, unit: f64, asked_ms: Option<u64>) {
        let ceiling = PAUSE_MS_MAX.min(PAUSE_MS_MIN << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let jittered = (ceiling as f64 * unit) as u64;
        // What the shore asked for is spread too, or a fleet that it sent away comes back as one.
        self.next_ms = now_ms + asked_ms.unwrap_or(PAUSE_MS_MIN / 4).saturating_add(jittered);
    }
}

/// How the link does, for the page and `GET /api/sync/health`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkStatus {
    /// The shore answered the last time.
    pub online: bool,
    /// Since when not.
    pub offline_since: Option<Stamp>,
    /// The last cycle that went well.
    pub last_success_at: Option<Stamp>,
    /// Why the last one did not.
    pub last_error: String,
    /// Cycles tried, and those that went well.
    pub cycles: u64,
    /// Cycles that went well.
    pub cycles_ok: u64,
    /// Of the last tries while online, the newest in bit 0: 1 is a success.
    pub recent: u32,
    /// How many of `recent` are tries.
    pub recent_tries: u32,
    /// Compressed bytes sent in bodies.
    pub bytes_sent: u64,
    /// Bytes of replies, decompressed.
    pub bytes_received: u64,
    /// Milliseconds of the last cycle.
    pub last_cycle_ms: u64,
    /// Conflicts that the shore told of.
    pub conflicts: u64,
    /// Changes refused for good.
    pub dead: u64,
    /// The gateway must start again to go on (the telemetry needs a new sequence).
    pub needs_restart: bool,
    /// Every reading number before this one is in the shore's database.
    pub readings_next: u64,
}

impl LinkStatus {
    /// `healthy`, `degraded` or `unhealthy` by the last 20 tries while the shore answered (Z18): offline is no fault.
    pub fn health(&self) -> &'static str {
        let ratio = f64::from(self.recent.count_ones()) / f64::from(self.recent_tries.max(1));
        if self.recent_tries == 0 || ratio > 0.95 {
            "healthy"
        } else if ratio > 0.8 {
            "degraded"
        } else {
            "unhealthy"
        }
    }

    fn count(&mut self, good: bool) {
        self.cycles += 1;
        self.cycles_ok += u64::from(good);
        self.recent = ((self.recent << 1) | u32::from(good)) & ((1 << HEALTH_TRIES) - 1);
        self.recent_tries = (self.recent_tries + 1).min(HEALTH_TRIES);
    }
}

/// Where readings are taken from.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The day files.
    pub reader: TelemetryReader,
    /// Identifies their sequence.
    pub store_id: String,
    /// The last number that is safely on the disk.
    pub durable_seq: tokio::sync::watch::Receiver<u64>,
}

/// The spoke's end of the link.
pub struct Link {
    config: ShoreLinkConfig,
    store: RecordStore,
    telemetry: Telemetry,
    clock: Clock,
    entropy: Entropy,
    http: reqwest::Client,
    status: Arc<Mutex<LinkStatus>>,
    manual: Arc<tokio::sync::Notify>,
    batch_bytes: usize,
    restarts: u32,
}

/// What others see of a running link.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    status: Arc<Mutex<LinkStatus>>,
    manual: Arc<tokio::sync::Notify>,
}

impl LinkHandle {
    /// How the link does.
    pub fn status(&self) -> LinkStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a cycle now; retry states are reset (E7).
    pub fn sync_now(&self) {
        self.manual.notify_one();
    }
}

impl Link {
    /// A link that is not started yet.
    pub fn new(
        config: ShoreLinkConfig,
        store: RecordStore,
        telemetry: Telemetry,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, LinkError> {
        let http = http_client::shore(&config, REQUEST_TIMEOUT)?;
        let batch_bytes = config.batch_bytes_start;
        Ok(Self {
            config,
            store,
            telemetry,
            clock,
            entropy,
            http,
            status: Arc::default(),
            manual: Arc::default(),
            batch_bytes,
            restarts: 0,
        })
    }

    /// What others see of it.
    pub fn handle(&self) -> LinkHandle {
        LinkHandle { status: Arc::clone(&self.status), manual: Arc::clone(&self.manual) }
    }

    /// Runs until cancelled; gives itself back for a last drain.
    pub async fn run(mut self, cancel: CancellationToken) -> Self {
        let mut pace = Pace::new(self.config.interval_s * 1_000);
        let mut head = self.store.head();
        let mut news = true;
        loop {
            let wait = Duration::from_millis(pace.wait_ms(self.clock.now().mono_ms, news));
            tokio::select! {
                () = cancel.cancelled() => return self,
                () = self.manual.notified() => pace = Pace::new(self.config.interval_s * 1_000),
                changed = head.changed(), if !news => {
                    if changed.is_err() {
                        // The record store has ended; the gateway sees that and is started again.
                        return self;
                    }
                    news = true;
                    continue;
                }
                () = tokio::time::sleep(wait) => {}
            }
            head.mark_unchanged();
            news = false;
            pace.started(self.clock.now().mono_ms);
            tokio::select! {
                () = cancel.cancelled() => return self,
                outcome = self.cycle() => self.settle(&mut pace, outcome),
            }
        }
    }

    /// Sends all that waits, for the drain at the end; gives up at the first failure.
    pub async fn drain(&mut self) -> Result<(), LinkError> {
        while self.cycle().await? {}
        Ok(())
    }

    fn settle(&mut self, pace: &mut Pace, outcome: Result<bool, LinkError>) {
        let now = self.clock.now();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(more) => {
                if !status.online {
                    tracing::info!(url = %self.config.url, "the shore answers");
                }
                status.online = true;
                status.offline_since = None;
                status.last_error.clear();
                status.last_success_at = Some(now.wall);
                status.last_cycle_ms = now.mono_ms.saturating_sub(pace.last_start_ms);
                status.count(true);
                if status.last_cycle_ms < BATCH_FAST_MS {
                    self.batch_bytes = (self.batch_bytes * 2).min(self.config.batch_bytes_max);
                }
                pace.succeeded(now.mono_ms, more);
            }
            Err(error) => {
                let message = error.to_string();
                if status.last_error != message {
                    tracing::warn!(url = %self.config.url, "{message}");
                }
                status.last_error = message;
                if error.is_offline() {
                    status.cycles += 1;
                    status.online = false;
                    status.offline_since.get_or_insert(now.wall);
                } else {
                    if !error.is_our_own() {
                        status.online = true;
                        status.offline_since = None;
                    }
                    status.needs_restart |= matches!(error, LinkError::TelemetrySetBack { .. });
                    status.count(false);
                }
                self.batch_bytes = (self.batch_bytes / 2).max(BATCH_BYTES_MIN);
                pace.failed(now.mono_ms, self.entropy.unit(), asked_pause(&error));
            }
        }
    }

    /// One request and its reply; true when more waits.
    async fn cycle(&mut self) -> Result<bool, LinkError> {
        let owner = self.store.owner().to_owned();
        let device = self.store.identity().device_id;
        let bytes_max = self.batch_bytes;
        let (mut request, sent) = self.store.read(|rows| spoke::request(rows, &owner, device, bytes_max))?;
        let used: usize = request.changes.iter().map(|c| serde_json::to_string(c).map_or(0, |text| text.len())).sum();
        if self.config.readings {
            self.add_readings(&mut request, bytes_max.saturating_sub(used).max(BATCH_BYTES_MIN)).await?;
        }
        let reply = self.send(&request).await?;
        self.take_in(owner, sent, request, reply).await
    }

    async fn add_readings(&mut self, request: &mut Request, bytes_max: usize) -> Result<(), LinkError> {
        let cursor = self.store.read(|rows| rows.cursor(readings::PUSH_CURSOR))?;
        let telemetry = self.telemetry.clone();
        let durable = *telemetry.durable_seq.borrow();
        let collected = tokio::task::spawn_blocking(move || {
            readings::collect(&telemetry.reader, &telemetry.store_id, &cursor, durable, bytes_max)
        })
        .await
        .map_err(|e| LinkError::Telemetry(e.to_string()))?
        .map_err(|e| LinkError::Telemetry(e.to_string()))?;
        if let Some(loss) = collected.missing {
            let (owner, at, untold) = (self.store.owner().to_owned(), self.clock.now().wall, loss.clone());
            self.store.write(move |rows| rows.write_loss(&owner, &untold, at, false)).await?;
            request.losses.push(loss);
        }
        request.readings = Some(collected.batch);
        Ok(())
    }

    async fn take_in(
        &mut self,
        owner: String,
        sent: spoke::Sent,
        request: Request,
        reply: Reply,
    ) -> Result<bool, LinkError> {
        let (now, random): (Now, u64) = (self.clock.now(), self.entropy.next_u64());
        let readings = reply.readings.clone();
        if let Some(acked) = &readings {
            self.check_sequence(acked.next).await?;
        }
        let had_changes = !request.changes.is_empty();
        let taken = self
            .store
            .write(move |rows: &Rows<'_>| {
                let taken = spoke::take_in(rows, &owner, &sent, reply, &now, random)?;
                if let Some(acked) = &readings {
                    rows.set_cursor(readings::PUSH_CURSOR, &readings::cursor_after(acked))?;
                }
                Ok((taken, readings))
            })
            .await?;
        let (taken, readings) = taken;
        self.restarts = if taken.restarted { self.restarts + 1 } else { 0 };
        if self.restarts > RESTARTS_MAX {
            return Err(LinkError::HistoryUnstable);
        }
        let next = readings.as_ref().map_or(0, |acked| acked.next);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.conflicts += taken.conflicts as u64;
        status.dead += taken.dead as u64;
        let moved = next > status.readings_next;
        status.readings_next = next;
        let readings_wait = readings.is_some() && moved && next <= *self.telemetry.durable_seq.borrow();
        Ok(taken.has_more || taken.restarted || (had_changes && taken.acked > 0) || readings_wait)
    }

    /// A hub that wants more than we ever had proves that the telemetry was set back: its old numbers must not be given
    /// out again for other readings. The cursor stays, so that nothing counts as delivered that is not.
    async fn check_sequence(&self, next: u64) -> Result<(), LinkError> {
        let here = *self.telemetry.durable_seq.borrow();
        if next <= here + 1 {
            return Ok(());
        }
        self.store.write(|rows| rows.set_identity(NEW_SEQUENCE_WANTED, "yes")).await?;
        Err(LinkError::TelemetrySetBack { ashore: next - 1, here })
    }

    async fn send(&mut self, request: &Request) -> Result<Reply, LinkError> {
        let body = serde_json::to_vec(request).map_err(RecordError::Encode)?;
        let url = format!("{}/api/sync/v2", self.config.url.trim_end_matches('/'));
        let mut post = self
            .http
            .post(url)
            .bearer_auth(&self.config.token)
            .header(reqwest::header::CONTENT_TYPE, "application/json");
        let body = if body.len() >= COMPRESS_BYTES_MIN {
            post = post.header(reqwest::header::CONTENT_ENCODING, "zstd");
            zstd::bulk::compress(&body, ZSTD_LEVEL).map_err(|e| LinkError::Telemetry(e.to_string()))?
        } else {
            body
        };
        let bytes = body.len();
        let response = post.body(body).send().await.map_err(unreachable_error)?;
        let answer = read_reply(response, bytes).await;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.bytes_sent += bytes as u64;
        let (reply, received) = answer?;
        status.bytes_received += received as u64;
        Ok(reply)
    }
}

fn asked_pause(error: &LinkError) -> Option<u64> {
    match error {
        LinkError::Busy { after_s } => Some(after_s.saturating_mul(1_000).min(PAUSE_MS_MAX)),
        LinkError::Unauthorized { .. } => Some(PAUSE_MS_MAX),
        _ => None,
    }
}

/// reqwest's own text names the URL only; the cause is at the end of the chain.
fn unreachable_error(error: reqwest::Error) -> LinkError {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    LinkError::Unreachable(cause.to_string())
}

async fn read_reply(mut response: reqwest::Response, sent_bytes: usize) -> Result<(Reply, usize), LinkError> {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable_error)? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            return Err(LinkError::NotTheShore { status, body: format!("more than {BODY_BYTES_MAX} bytes") });
        }
    }
    match status {
        200 => serde_json::from_slice(&body)
            .map(|reply| (reply, body.len()))
            .map_err(|e| LinkError::NotTheShore { status, body: format!("{e}; {}", excerpt(&body)) }),
        401 | 403 => Err(LinkError::Unauthorized { status }),
        413 => Err(LinkError::TooLarge { bytes: sent_bytes }),
        429 | 503 => Err(LinkError::Busy { after_s: retry_after.unwrap_or(30) }),
        _ => Err(LinkError::NotTheShore { status, body: excerpt(&body) }),
    }
}

/// The first characters of a body, for people.
fn excerpt(body: &[u8]) -> String {
    const EXCERPT_CHARS: usize = 160;
    String::from_utf8_lossy(body).chars().take(EXCERPT_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
