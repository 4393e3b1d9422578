//! The gateway as the API sees it: its state in one document, its figures, its past.

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::api::backend::{Backend, BackendError, HistoryQuery, HistoryRow, Pruned, TelemetryStats};
use crate::api::status::{
    self, BrokerState, BrokerStatus, BusStatus, Link, RecordsStatus, ShoreStatus, Status, StoreStatus, SyncHealth,
    VesselStatus, url_without_password,
};
use crate::bus::Bus;
use crate::clock::{Clock, Stamp};
use crate::config::GatewayConfig;
use crate::entropy::Entropy;
use crate::sensors::{BusSnapshot, BusState, BusStats};
use crate::store::records::{ChangeState, RecordError, RecordStore};
use crate::store::space::{Reserve, Space};
use crate::store::telemetry::{self, Order, Query, WriterHealth};
use crate::sync::link::{LinkHandle, Telemetry};
use crate::sync::{readings, spoke};
use crate::update::UpdateHandle;
use crate::uplink::UplinkHandle;

/// Alarms that are kept for the page; the newest. Each is in the log too.
const ALARMS_MAX: usize = 20;

/// How long the store's figures are shown before they are counted anew: they cost a look into every day file.
const STATS_AGE_MAX_MS: u64 = 5_000;

/// What a person should look at.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Mutex<VecDeque<String>>>);

impl Alarms {
    /// Raises one; it stays until the next start.
    pub fn raise(&self, text: &str) {
        tracing::error!(alarm = text);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|known| known == text) {
            all.push_back(text.to_owned());
        }
        if all.len() > ALARMS_MAX {
            all.pop_front();
        }
    }

    fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The rooms that the API asks.
pub struct Parts {
    pub store: RecordStore,
    pub telemetry: Telemetry,
    pub bus: Bus,
    pub uplinks: Vec<Arc<UplinkHandle>>,
    pub link: Option<LinkHandle>,
    pub link_task: Option<AbortHandle>,
    pub vessel_id: String,
}

/// The gateway, as the API sees it.
pub struct GatewayBackend {
    pub(super) config: GatewayConfig,
    pub(super) started_at: Stamp,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) registry: Registry,
    pub(super) alarms: Alarms,
    pub(super) store: RecordStore,
    pub(super) telemetry: Telemetry,
    pub(super) bus: Bus,
    pub(super) sensors: Vec<Arc<BusStats>>,
    pub(super) writer_health: watch::Receiver<WriterHealth>,
    pub(super) uplinks: Vec<Arc<UplinkHandle>>,
    pub(super) link: Option<LinkHandle>,
    /// Only asked whether the link's task has ended.
    pub(super) link_task: Option<AbortHandle>,
    pub(super) vessel_id: String,
    pub(super) runtime: tokio::runtime::Handle,
    /// When the store's figures were counted (ms since boot), and what they were.
    pub(super) stats: Mutex<Option<(u64, telemetry::TelemetryStats)>>,
    /// Where updates are looked for.
    pub(super) updates: std::sync::OnceLock<UpdateHandle>,
}

impl GatewayBackend {
    /// Lines, and readings after decoding, that were refused since the start.
    pub fn rejected(&self) -> (u64, u64) {
        let now = self.clock.now();
        let (mut lines, mut readings) = (0, 0);
        for bus in &self.sensors {
            for (reason, count) in bus.snapshot(now).rejected {
                if reason == crate::sensors::REASON_BUS_FULL || reason == crate::sensors::REASON_SERIES_LIMIT {
                    readings += count;
                } else {
                    lines += count;
                }
            }
        }
        (lines, readings)
    }

    /// `GET /api/sync/health` (Q7, Z18).
    pub fn sync_health(&self) -> serde_json::Value {
        let Some(link) = &self.link else {
            return serde_json::json!({"link": "disabled", "status": "healthy"});
        };
        let status = link.status();
        let pending = self.pending().unwrap_or_default();
        serde_json::json!({
            "link": if status.online { "online" } else { "offline" },
            "status": status.health(),
            "totalSyncs": status.cycles,
            "successfulSyncs": status.cycles_ok,
            "failedSyncs": status.cycles - status.cycles_ok,
            "conflicts": status.conflicts,
            "averageLatency": status.last_cycle_ms,
            "queueSize": pending,
            "lastSyncTime": status.last_success_at,
            "offlineSince": status.offline_since,
            "lastError": status.last_error,
        })
    }

    fn pending(&self) -> Result<u64, RecordError> {
        self.store.read(|rows| rows.count_in(self.store.owner(), ChangeState::Pending))
    }

    /// The store's figures, a few seconds old at most.
    pub(super) fn store_stats(&self) -> Result<telemetry::TelemetryStats, BackendError> {
        let now_ms = self.clock.now().mono_ms;
        let mut cached = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, stats)) = &*cached
            && now_ms < at + STATS_AGE_MAX_MS
        {
            return Ok(stats.clone());
        }
        let stats = self.telemetry.reader.stats().map_err(failed)?;
        *cached = Some((now_ms, stats.clone()));
        Ok(stats)
    }

    /// The last number of the telemetry that the shore has; `None`: nobody is to have it.
    pub(super) fn delivered_seq(&self) -> Result<Option<u64>, RecordError> {
        if self.link.is_none() || !self.config.shore.readings {
            return Ok(None);
        }
        let cursor = self.store.read(|rows| rows.cursor(readings::PUSH_CURSOR))?;
        // What is not safe here is not delivered, whatever the shore says: a power cut may give its numbers out anew.
        let durable_seq = *self.telemetry.durable_seq.borrow();
        Ok(Some(if cursor.history_id == self.telemetry.store_id { cursor.position.min(durable_seq) } else { 0 }))
    }

    fn buses(&self) -> Vec<BusStatus> {
        let now = self.clock.now();
        self.sensors.iter().map(|bus| bus_status(bus.snapshot(now))).collect()
    }

    /// The configured quota, or less where the disk has no room for it.
    fn telemetry_bytes_max(&self, used_bytes: u64) -> u64 {
        let reserved_bytes = Reserve::new(&self.config.data.dir).held_bytes();
        let space = Space::of(&self.config.data.dir);
        let by_space = space.map_or(u64::MAX, |space| space.telemetry_bytes_max(used_bytes, reserved_bytes));
        self.config.retention.telemetry_bytes_max.min(by_space)
    }

    fn store_status(&self) -> StoreStatus {
        let stats = self.store_stats().unwrap_or_default();
        let health = self.writer_health.borrow().clone();
        let durable_seq = *self.telemetry.durable_seq.borrow();
        StoreStatus {
            bytes: stats.bytes,
            bytes_max: self.telemetry_bytes_max(stats.bytes),
            readings: stats.readings,
            durable_seq,
            last_seq: stats.last_seq.unwrap_or(0).max(durable_seq),
            waiting: self.bus.waiting() as u64,
            files: stats.files,
            oldest: stats.oldest_observed,
            poisoned: health.failing.is_some(),
            alarm: health.failing,
        }
    }

    fn records_status(&self) -> Result<RecordsStatus, RecordError> {
        let owner = self.store.owner();
        self.store.read(|rows| {
            Ok(RecordsStatus {
                head: rows.head(owner)?,
                pending: rows.count_in(owner, ChangeState::Pending)?,
                dead_letters: rows.count_in(owner, ChangeState::Dead)?,
                conflicts: rows.vessel(owner)?.open_conflicts,
            })
        })
    }

    fn brokers(&self) -> Vec<BrokerStatus> {
        let one = |uplink: &Arc<UplinkHandle>| {
            let health = uplink.health();
            BrokerStatus {
                name: health.name,
                url: url_without_password(&health.broker),
                state: if health.connected { BrokerState::Connected } else { BrokerState::Disconnected },
                cursor: health.cursor,
                head: health.head,
                ring_messages: health.depth,
                ring_messages_max: health.queue_messages_max as u64,
                ring_bytes: health.queue_bytes as u64,
                dropped: health.metrics.messages_dropped,
                published: health.metrics.messages_published,
            }
        };
        self.uplinks.iter().map(one).collect()
    }

    fn shore_status(&self) -> ShoreStatus {
        let Some(link) = &self.link else { return ShoreStatus::default() };
        let status = link.status();
        let cursor = self.store.read(|rows| rows.cursor(spoke::PULL_CURSOR)).unwrap_or_default();
        ShoreStatus {
            configured: true,
            link: if status.online { Link::Online } else { Link::Offline },
            health: match status.health() {
                "healthy" => SyncHealth::Healthy,
                "degraded" => SyncHealth::Degraded,
                _ => SyncHealth::Unhealthy,
            },
            last_success_at: status.last_success_at,
            last_error: (!status.last_error.is_empty()).then_some(status.last_error),
            offline_since: status.offline_since,
            cursor: cursor.position,
            pending_changes: self.pending().unwrap_or_default(),
            readings_acknowledged_seq: self.delivered_seq().ok().flatten().unwrap_or(0),
            bytes_sent: status.bytes_sent,
            bytes_received: status.bytes_received,
        }
    }

    /// What each bus did so far, in the order of the configuration.
    pub(super) fn buses_now(&self) -> Vec<BusSnapshot> {
        let now = self.clock.now();
        self.sensors.iter().map(|bus| bus.snapshot(now)).collect()
    }

    /// A disk without room for what comes; pruning has made none, or is about to.
    fn disk_alarm(&self) -> Option<String> {
        let dir = &self.config.data.dir;
        let space = Space::of(dir).ok().filter(Space::is_full)?;
        let mb = |bytes: u64| bytes / 1_000_000;
        let (free, total) = (mb(space.available_bytes), mb(space.total_bytes));
        let dir = dir.display();
        Some(format!(
            "the disk is full: {free} of {total} MB are free for {dir}; what does not fit is refused. Remove what is \
             not the gateway's"
        ))
    }

    /// Raised alarms, and those that are true only now.
    fn alarms_now(&self, store: &StoreStatus, records: &Result<RecordsStatus, RecordError>) -> Vec<String> {
        let mut alarms = self.alarms.list();
        alarms.extend(self.disk_alarm());
        if let Some(alarm) = &store.alarm {
            alarms.push(format!("telemetry is not being stored: {alarm}"));
        }
        match records {
            Ok(records) if records.dead_letters > 0 => {
                alarms
                    .push(format!("{} changes were refused by the shore and hold their records", records.dead_letters));
            }
            Err(error) => alarms.push(error.to_string()),
            Ok(_) => {}
        }
        if let Some(alarm) = &self.writer_health.borrow().last_alarm {
            alarms.push(format!("a day file failed and was replaced: {:?}", alarm.reason));
        }
        alarms
    }
}

fn failed(error: impl fmt::Display) -> BackendError {
    BackendError::Failed(error.to_string())
}

fn bus_status(bus: BusSnapshot) -> BusStatus {
    BusStatus {
        name: bus.name,
        protocol: bus.protocol.name().to_owned(),
        address: if bus.listening_on.is_empty() { bus.address } else { bus.listening_on },
        state: match bus.state {
            BusState::Connecting => status::BusState::Connecting,
            BusState::Open => status::BusState::Open,
            BusState::Closed => status::BusState::Closed,
            BusState::Disabled => status::BusState::Disabled,
        },
        readings_per_s: bus.rate_per_second,
        readings: bus.readings,
        sentences: bus.sentences,
        rejected: bus.rejected.values().sum(),
        rejected_by_reason: bus.rejected.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        ignored_by_reason: bus.ignored.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        standby: bus.standby,
        thinned: bus.thinned,
        stale_series: bus.stale_series,
        devices: bus.sources,
        last_data_at: bus.last_data_at,
        last_error: (!bus.last_error.is_empty()).then_some(bus.last_error),
    }
}

impl Backend for GatewayBackend {
    fn status(&self) -> Status {
        let now = self.clock.now();
        let (store, records) = (self.store_status(), self.records_status());
        let alarms = self.alarms_now(&store, &records);
        Status {
            vessel: VesselStatus { id: self.vessel_id.clone(), name: self.config.vessel.name.clone() },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(self.started_at),
            now: now.wall,
            clock_quality: now.quality,
            buses: self.buses(),
            store,
            records: records.unwrap_or_default(),
            brokers: self.brokers(),
            shore: self.shore_status(),
            update: self.updates.get().map(UpdateHandle::status),
            alarms,
        }
    }

    fn faults(&self) -> Vec<String> {
        let parts = [
            ("the telemetry writer", self.writer_health.has_changed().is_err()),
            ("the record store's writer", self.store.head().has_changed().is_err()),
            ("the link to the shore", self.link_task.as_ref().is_some_and(AbortHandle::is_finished)),
            ("the updater", self.updates.get().is_some_and(UpdateHandle::has_ended)),
        ];
        let ended = parts.into_iter().filter(|(_, ended)| *ended).map(|(part, _)| format!("{part} has ended"));
        let set_back = self.link.as_ref().filter(|link| link.status().needs_restart);
        ended.chain(set_back.map(|_| "the telemetry was set back and needs a new sequence".to_owned())).collect()
    }

    fn not_ready(&self) -> Vec<String> {
        let failing = self.writer_health.borrow().failing.clone();
        let failing = failing.map(|why| format!("the telemetry store fails: {why}"));
        self.faults().into_iter().chain(failing).collect()
    }

    fn metrics(&self, out: &mut String) -> fmt::Result {
        prometheus_client::encoding::text::encode(out, &self.registry)
    }

    fn telemetry_stats(&self) -> Result<TelemetryStats, BackendError> {
        let stats = self.telemetry.reader.stats().map_err(failed)?;
        Ok(TelemetryStats {
            telemetry_rows: stats.readings,
            database_size_mb: stats.bytes as f64 / 1e6,
            retention_days: self.config.retention.telemetry_days,
        })
    }

    fn prune(&self) -> Result<Pruned, BackendError> {
        let report = super::maintenance::prune(self).map_err(failed)?;
        Ok(Pruned { readings_deleted: report.telemetry_deleted })
    }

    fn history(&self, query: &HistoryQuery, row: &mut dyn FnMut(HistoryRow) -> bool) -> Result<(), BackendError> {
        let query = Query {
            context: Some(query.context),
            path: Some(query.path.clone()),
            source: query.source.clone(),
            from: Some(query.from),
            to: Some(query.to),
            limit: query.limit,
            order: Order::default(),
        };
        let visit = |found: telemetry::StoredReading| {
            let (source, instance) = (Arc::clone(&found.key.source), Arc::clone(&found.key.instance));
            let (observed_at, value, quality) = (found.observed_at, found.value, found.quality);
            let goes_on = row(HistoryRow { observed_at, source, instance, value, quality });
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.telemetry.reader.query(&query, visit).map_err(failed)?;
        Ok(())
    }

    fn mqtt_health(&self) -> serde_json::Value {
        match self.uplinks.first() {
            Some(uplink) => serde_json::json!(uplink.health().mqtt()),
            None => serde_json::json!({"status": "disabled", "broker": null, "queuedMessages": 0}),
        }
    }

    fn reliable_sync_health(&self) -> serde_json::Value {
        serde_json::json!({"brokers": self.uplinks.iter().map(|uplink| uplink.health()).collect::<Vec<_>>()})
    }
}
