//! The gateway: composition root of the daemon on board. Each `spawn_*` or `open_*` is a room; data flows one way.
//!
//! A full disk is started on all the same: the reserve is given up before the stores open, see `store::space`.
//!
//! Order of the stop, the reverse of the way of a reading: sensors stop and hand over what they decoded; the bus
//! drains; the store commits, syncs and closes; brokers and shore get what is left, to a deadline; the records close.
//! What does not get out in time stays on the disk and goes out after the next start.

mod alerts;
mod backend;
mod feed;
mod maintenance;
mod notify;
mod updates;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use self::backend::{Alarms, GatewayBackend};
use self::feed::RecordFeed;
use crate::api::auth::{ApiToken, Created, TokenError};
use crate::api::live::Live;
use crate::api::{ApiMetrics, ApiState, Hosts, records, router_with, serve, setup, stream};
use crate::bus::Bus;
use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::config::gateway::DataConfig;
use crate::durable_file;
use crate::entropy::Entropy;
use crate::reading::{Reading, SeriesRegistry};
use crate::sensors::{BusSnapshot, Sensors, SensorsContext, SensorsError, Tuning};
use crate::store::records::{RecordError, RecordStore, Start};
use crate::store::space::{Reserve, Space};
use crate::store::telemetry::{
    CommittedBatch, StoreMetrics, TelemetryError, TelemetryReader, TelemetryWriter, WriterHandle, WriterReport,
    WriterThread,
};
use crate::sync::link::{Link, LinkError, LinkHandle, NEW_SEQUENCE_WANTED, Telemetry};
use crate::uplink::{self, Timing, UplinkError, UplinkHandle, UplinkMetrics, UplinkParts};

/// The folder of day files in the data directory.
pub const TELEMETRY_DIR: &str = "telemetry";

/// The file that keeps a vessel id drawn at the first start.
const VESSEL_ID_FILE: &str = "vessel_id";

/// Longest id, as vessel.id of the configuration has it.
const VESSEL_ID_BYTES_MAX: usize = 64;

/// Batches that wait for the brokers: 25 s of commits at 100 ms.
const LIVE_BATCHES_MAX: usize = 256;

/// How long the shore may take for what is left at the stop; the rest goes after the next start.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The data directory cannot be used.
    #[error("the data directory {}: {source}; it must exist or be creatable, and writable by us", .path.display())]
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
    /// The file of the vessel's id holds none.
    #[error(
        "{} holds no vessel id (1 to {VESSEL_ID_BYTES_MAX} letters, digits, - or _); set vessel.id to the id that the \
         shore knows, or, if no shore knows this vessel, remove the file to have a new one drawn", .path.display()
    )]
    VesselId {
        /// Which.
        path: PathBuf,
    },
    /// The telemetry store cannot be used.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The record store cannot be used.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The API token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A bus cannot be opened as it is configured.
    #[error(transparent)]
    Sensors(#[from] SensorsError),
    /// A broker cannot be used as it is configured.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    /// The link to the shore cannot be set up.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// A gateway that runs.
pub struct RunningGateway {
    /// Where the pages and the API are.
    pub address: SocketAddr,
    /// The API token, and whether it was made now.
    pub token: (ApiToken, Created),
    /// The vessel's id.
    pub vessel_id: String,
    backend: Arc<GatewayBackend>,
    sensors: Sensors,
    sensors_stop: CancellationToken,
    writer: WriterHandle,
    uplinks: Vec<Arc<UplinkHandle>>,
    uplinks_stop: CancellationToken,
    link: Option<tokio::task::JoinHandle<Link>>,
    rest_stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

/// What the gateway did until its end.
#[derive(Clone, Debug, Default)]
pub struct GatewayReport {
    /// What the telemetry writer did.
    pub writer: WriterReport,
    /// Readings and lines that buses refused, by reason.
    pub rejected: u64,
    /// Readings refused after decoding: series limit, bus full.
    pub readings_rejected: u64,
    /// The shore has everything.
    pub drained: bool,
    /// What each bus did, in the order of the configuration.
    pub buses: Vec<BusSnapshot>,
}

/// What all rooms are handed.
struct Root<'c> {
    config: &'c GatewayConfig,
    clock: Clock,
    entropy: Entropy,
    registry: Registry,
    alarms: Alarms,
}

/// Opens the stores, listens, starts every room.
pub async fn start(config: &GatewayConfig, clock: Clock, entropy: Entropy) -> Result<RunningGateway, GatewayError> {
    let mut root =
        Root { config, clock, entropy, registry: Registry::with_prefix("hawser"), alarms: Alarms::default() };
    alarm_of_system(&config.data).iter().for_each(|alarm| root.alarms.raise(alarm));
    let vessel_id = root.vessel_id()?;
    let reserve = Reserve::new(&config.data.dir);
    let given_up = reserve.give_up_when_full();
    let (store, token) = root.open_records(&vessel_id)?;
    let bus = Bus::default();
    let (writer, telemetry) = root.open_telemetry(&bus, &store).await?;
    // Before the first reading takes the room.
    reserve.keep(given_up);
    let listener = root.listen().await?;
    let address = listener.local_addr().map_err(|source| root.listen_error(source))?;

    let [sensors_stop, uplinks_stop, rest_stop] = std::array::from_fn(|_| CancellationToken::new());
    let lag = LagMetrics::default();
    lag.register(&mut root.registry);
    let durable = spawn_durable_feed(&writer, lag.uplinks);
    root.spawn_alerts(&store, &durable);
    let uplinks = root.spawn_uplinks(&vessel_id, &store, &durable, &uplinks_stop)?;
    let (link, link_handle) = root.spawn_link(&store, &telemetry, &rest_stop)?;
    let sensors = root.spawn_sensors(&bus, &sensors_stop)?;

    let api_metrics = ApiMetrics::default();
    api_metrics.register(&mut root.registry);
    let live = Live::new(api_metrics.clone());
    spawn_live(&writer, live.clone(), lag.pages);
    let link_task = link.as_ref().map(tokio::task::JoinHandle::abort_handle);
    let uplinks_seen = uplinks.clone();
    let parts =
        backend::Parts { store, telemetry, bus, uplinks: uplinks_seen, link: link_handle, link_task, vessel_id };
    let backend = Arc::new(root.backend(parts, &writer, &sensors));
    let state = ApiState::new(
        Arc::clone(&backend) as _,
        live,
        backend.clock.clone(),
        token.0.clone(),
        api_metrics,
        Hosts::aboard(address, &config.http.names),
    );
    updates::spawn(&backend, durable.subscribe(), &rest_stop);
    let server = spawn_api(listener, state, &backend, token.0.clone(), &rest_stop);
    tokio::spawn(maintenance::run(Arc::clone(&backend), rest_stop.clone()));
    notify::ready();
    tokio::spawn(notify::watchdog(Arc::clone(&backend), rest_stop.clone()));
    let vessel_id = backend.vessel_id.clone();
    tracing::info!(%address, vessel = vessel_id, "the gateway is ready");
    Ok(RunningGateway {
        address,
        token,
        vessel_id,
        backend,
        sensors,
        sensors_stop,
        writer,
        uplinks,
        uplinks_stop,
        link,
        rest_stop,
        server,
    })
}

/// That the data directory is not what it should be, when the system below says so.
fn alarm_of_system(config: &DataConfig) -> Option<String> {
    let path = &config.alarm_file;
    if path.as_os_str().is_empty() {
        return None;
    }
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().next().map(str::to_owned),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(format!("data.alarm_file {}: {error}", path.display())),
    }
}

impl Root<'_> {
    fn data_error(path: &Path) -> impl FnOnce(std::io::Error) -> GatewayError + use<> {
        let path = path.to_owned();
        move |source| GatewayError::Data { path, source }
    }

    /// The vessel's id: configured, or drawn at the first start and kept.
    fn vessel_id(&self) -> Result<String, GatewayError> {
        let dir = &self.config.data.dir;
        std::fs::create_dir_all(dir).map_err(Self::data_error(dir))?;
        if !self.config.vessel.id.is_empty() {
            return Ok(self.config.vessel.id.clone());
        }
        drawn_vessel_id(dir, &self.entropy)
    }

    fn open_records(&self, vessel_id: &str) -> Result<(RecordStore, (ApiToken, Created)), GatewayError> {
        let dir = &self.config.data.dir;
        let (store, start) = RecordStore::open(dir, vessel_id, &self.clock, &self.entropy)?;
        if start == Start::SetBack {
            self.alarms.raise("the record database was set back to an older state; a new epoch has begun");
        }
        Ok((store, ApiToken::load_or_create(dir, &self.entropy)?))
    }

    async fn open_telemetry(
        &mut self,
        bus: &Bus,
        store: &RecordStore,
    ) -> Result<(WriterHandle, Telemetry), GatewayError> {
        let dir = self.config.data.dir.join(TELEMETRY_DIR);
        std::fs::create_dir_all(&dir).map_err(Self::data_error(&dir))?;
        let (mut writer, recovery) = TelemetryWriter::open(&dir, &self.clock.now(), &self.entropy)?;
        for file in &recovery.quarantined {
            self.alarms.raise(&format!("a damaged day file was set aside: {file:?}"));
        }
        for file in &recovery.newer {
            self.alarms.raise(&format!("{} is of a newer program and is not read", file.display()));
        }
        writer.set_file_bytes_max(self.day_file_bytes_max(&dir));
        self.renew_sequence(&mut writer, store).await?;
        tracing::info!(file = %recovery.file.display(), next_seq = recovery.next_seq, "telemetry is open");
        let metrics = StoreMetrics::default();
        metrics.register(&mut self.registry);
        let store_id = writer.store_id().to_string();
        let handle = WriterThread::spawn(writer, bus.clone(), &self.config.store, self.clock.clone(), metrics)?;
        let reader = TelemetryReader::new(&dir);
        let durable_seq = handle.durable_seq();
        Ok((handle, Telemetry { reader, store_id, durable_seq }))
    }

    /// How large a day file may grow: small where the disk or the quota is.
    fn day_file_bytes_max(&self, dir: &Path) -> u64 {
        Space::of(dir).map_or(u64::MAX, |space| space.day_file_bytes_max(self.config.retention.telemetry_bytes_max))
    }

    /// The shore had more readings of the old sequence than are here: what is here is told again, under a new one.
    async fn renew_sequence(&self, writer: &mut TelemetryWriter, store: &RecordStore) -> Result<(), GatewayError> {
        if store.read(|rows| rows.identity(NEW_SEQUENCE_WANTED))?.is_none_or(|wish| wish.is_empty()) {
            return Ok(());
        }
        let id = writer.renew_store_id(&self.entropy)?;
        store.write(|rows| rows.set_identity(NEW_SEQUENCE_WANTED, "")).await?;
        self.alarms.raise("the telemetry was set back to an older state; its readings go ashore under a new sequence");
        tracing::warn!(store_id = %id, "the readings have a new sequence");
        Ok(())
    }

    async fn listen(&self) -> Result<TcpListener, GatewayError> {
        TcpListener::bind(self.config.http.listen).await.map_err(|source| self.listen_error(source))
    }

    const fn listen_error(&self, source: std::io::Error) -> GatewayError {
        GatewayError::Listen { address: self.config.http.listen, source }
    }

    fn spawn_sensors(&mut self, bus: &Bus, stop: &CancellationToken) -> Result<Sensors, GatewayError> {
        let context = SensorsContext {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            registry: SeriesRegistry::default(),
            bus: bus.clone(),
            shutdown: stop.clone(),
            tuning: Tuning::default(),
            data_dir: Some(self.config.data.dir.clone()),
        };
        let sensors = Sensors::spawn(self.config, &context)?;
        sensors.metrics().register(&mut self.registry);
        Ok(sensors)
    }

    /// Alarms of devices become records, once their readings are safely on the disk.
    fn spawn_alerts(&mut self, store: &RecordStore, durable: &broadcast::Sender<Arc<Vec<Reading>>>) {
        let refused = Counter::default();
        let help = "What devices told of alarms beyond the most that are open";
        self.registry.sub_registry_with_prefix("gateway").register("alarms_refused", help, refused.clone());
        let kept = alerts::run(store.clone(), self.entropy.clone(), refused, durable.subscribe());
        tokio::spawn(async move {
            if let Err(error) = kept.await {
                tracing::error!(%error, "alarms of devices are not made records until the next start");
            }
        });
    }

    fn spawn_uplinks(
        &mut self,
        vessel_id: &str,
        store: &RecordStore,
        durable: &broadcast::Sender<Arc<Vec<Reading>>>,
        stop: &CancellationToken,
    ) -> Result<Vec<Arc<UplinkHandle>>, GatewayError> {
        let metrics = UplinkMetrics::default();
        metrics.register(&mut self.registry);
        let feed = Arc::new(RecordFeed::new(store.clone(), self.clock.clone()));
        let spawn = |config: &crate::config::BrokerConfig| {
            uplink::spawn(UplinkParts {
                config: config.clone(),
                vessel_id: vessel_id.to_owned(),
                feed: Arc::clone(&feed) as _,
                telemetry: Some(durable.subscribe()),
                clock: self.clock.clone(),
                entropy: self.entropy.clone(),
                metrics: metrics.clone(),
                stop: stop.clone(),
                timing: Timing::default(),
            })
            .map(Arc::new)
        };
        Ok(self.config.broker.iter().map(spawn).collect::<Result<_, _>>()?)
    }

    fn spawn_link(
        &self,
        store: &RecordStore,
        telemetry: &Telemetry,
        stop: &CancellationToken,
    ) -> Result<(Option<tokio::task::JoinHandle<Link>>, Option<LinkHandle>), GatewayError> {
        let config = &self.config.shore;
        if config.url.is_empty() {
            return Ok((None, None));
        }
        let link =
            Link::new(config.clone(), store.clone(), telemetry.clone(), self.clock.clone(), self.entropy.clone())?;
        let handle = link.handle();
        Ok((Some(tokio::spawn(link.run(stop.clone()))), Some(handle)))
    }

    fn backend(self, parts: backend::Parts, writer: &WriterHandle, sensors: &Sensors) -> GatewayBackend {
        GatewayBackend {
            config: self.config.clone(),
            started_at: self.clock.now().wall,
            clock: self.clock,
            entropy: self.entropy,
            registry: self.registry,
            alarms: self.alarms,
            store: parts.store,
            telemetry: parts.telemetry,
            bus: parts.bus,
            sensors: sensors.stats().to_vec(),
            writer_health: writer.health(),
            uplinks: parts.uplinks,
            link: parts.link,
            link_task: parts.link_task,
            vessel_id: parts.vessel_id,
            runtime: tokio::runtime::Handle::current(),
            stats: Mutex::default(),
            updates: std::sync::OnceLock::new(),
        }
    }
}

/// The id that was drawn at the first start, or a new one. A file that holds none is an error: another id would be
/// another vessel.
fn drawn_vessel_id(dir: &Path, entropy: &Entropy) -> Result<String, GatewayError> {
    let path = dir.join(VESSEL_ID_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim();
            let fits = (1..=VESSEL_ID_BYTES_MAX).contains(&id.len());
            let good = fits && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if good { Ok(id.to_owned()) } else { Err(GatewayError::VesselId { path }) }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let id = format!("vessel-{}", &entropy.uuid().simple().to_string()[..8]);
            let written = durable_file::write(dir, VESSEL_ID_FILE, format!("{id}\n").as_bytes(), 0o644);
            written.map_err(Root::data_error(&path))?;
            Ok(id)
        }
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(GatewayError::VesselId { path }),
        Err(e) => Err(Root::data_error(&path)(e)),
    }
}

/// Committed batches that a reader inside the gateway came too late for. They are stored; only the news of them is
/// missed.
#[derive(Debug, Default)]
struct LagMetrics {
    uplinks: Counter,
    pages: Counter,
}

impl LagMetrics {
    fn register(&self, registry: &mut Registry) {
        let gateway = registry.sub_registry_with_prefix("gateway");
        let (uplinks, pages) = (self.uplinks.clone(), self.pages.clone());
        gateway.register("uplink_batches_missed", "Committed batches that the brokers' feed was too late for", uplinks);
        gateway.register("live_batches_missed", "Committed batches that the live table was too late for", pages);
    }
}

/// Brokers get readings once these are safely on the disk, not before (invariant 4).
fn spawn_durable_feed(writer: &WriterHandle, lagged: Counter) -> broadcast::Sender<Arc<Vec<Reading>>> {
    let (sender, _) = broadcast::channel(LIVE_BATCHES_MAX);
    let (mut committed, mut durable, out) = (writer.subscribe(), writer.durable_seq(), sender.clone());
    tokio::spawn(async move {
        loop {
            match committed.recv().await {
                Ok(batch) => {
                    let last = last_seq(&batch);
                    if durable.wait_for(|seq| *seq >= last).await.is_err() {
                        return;
                    }
                    // Nobody listening is no loss: the cursor over the log serves whoever comes.
                    let _ = out.send(Arc::clone(&batch.readings));
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => drop(lagged.inc_by(missed)),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    sender
}

fn last_seq(batch: &CommittedBatch) -> u64 {
    (batch.first_seq + batch.readings.len() as u64).saturating_sub(1)
}

/// The pages show what is committed, a tick later.
fn spawn_live(writer: &WriterHandle, live: Live, lagged: Counter) {
    let mut committed = writer.subscribe();
    tokio::spawn(async move {
        loop {
            match committed.recv().await {
                Ok(batch) => live.observe(&batch.readings),
                Err(broadcast::error::RecvError::Lagged(missed)) => drop(lagged.inc_by(missed)),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
}

fn spawn_api(
    listener: TcpListener,
    state: ApiState,
    backend: &Arc<GatewayBackend>,
    token: ApiToken,
    stop: &CancellationToken,
) -> tokio::task::JoinHandle<()> {
    let health = Arc::clone(backend);
    let link = backend.link.clone();
    let sync_now = move || link.as_ref().map(LinkHandle::sync_now).is_some();
    let mut more =
        records::routes(backend.store.clone(), backend.entropy.clone(), move || health.sync_health(), sync_now);
    if let Some(updater) = backend.updates.get() {
        more = more.merge(crate::api::updates::routes(updater.clone()));
    }
    tokio::spawn(stream::publish(state.clone(), stop.clone()));
    let setup = setup::routes(&backend.config.data.dir, token, backend.clock.clone());
    tokio::spawn(serve::serve(listener, router_with(state, more, setup), stop.clone()))
}

impl RunningGateway {
    /// Stops in order; `drain`: everything goes ashore first, to a deadline, unless the shore is out of reach anyhow.
    pub async fn stop(self, drain: bool) -> GatewayReport {
        notify::stopping();
        tracing::info!("stopping: sensors, bus, store, outbox");
        self.sensors_stop.cancel();
        self.sensors.stopped().await;
        let writer = self.writer;
        let report = tokio::task::spawn_blocking(move || writer.shutdown()).await.unwrap_or_default();
        self.rest_stop.cancel();
        let offline = self.backend.link.as_ref().is_none_or(|link| link.status().offline_since.is_some());
        let drained = drain && !offline && drain_link(self.link).await;
        self.uplinks_stop.cancel();
        let backend = self.backend;
        let rejected = backend.rejected();
        if let Err(error) = self.server.await {
            tracing::error!("the server ended badly: {error}");
        }
        for uplink in self.uplinks {
            wait_for_uplink(uplink).await;
        }
        backend.store.close();
        tracing::info!(readings = report.readings, lost = report.lost, "stopped");
        let (lines, readings_rejected) = rejected;
        GatewayReport { writer: report, rejected: lines, readings_rejected, drained, buses: backend.buses_now() }
    }

    /// The records.
    pub fn store(&self) -> &RecordStore {
        &self.backend.store
    }

    /// What each bus did so far, in the order of the configuration.
    pub fn buses(&self) -> Vec<BusSnapshot> {
        self.backend.buses_now()
    }

    /// Why the gateway should be restarted; empty while it lives.
    pub fn faults(&self) -> Vec<String> {
        use crate::api::backend::Backend as _;
        self.backend.faults()
    }
}

async fn drain_link(link: Option<tokio::task::JoinHandle<Link>>) -> bool {
    let Some(link) = link else { return false };
    let Ok(mut link) = link.await else { return false };
    match tokio::time::timeout(DRAIN_TIME_MAX, link.drain()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!("not everything went ashore, the rest goes after the next start: {error}");
            false
        }
        Err(_) => {
            tracing::warn!(
                seconds = DRAIN_TIME_MAX.as_secs(),
                "not everything went ashore in time; the rest goes after the next start"
            );
            false
        }
    }
}

/// The status page holds the handles too, so they are waited for through their health, which ends with the task.
async fn wait_for_uplink(uplink: Arc<UplinkHandle>) {
    let mut health = uplink.watch();
    let ended = async { while health.changed().await.is_ok() {} };
    let _ = tokio::time::timeout(uplink::SHUTDOWN_FLUSH_MAX + Duration::from_secs(1), ended).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vessels_id_is_drawn_once_and_never_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let id = drawn_vessel_id(dir.path(), &Entropy::seeded(1)).unwrap();
        assert_eq!(drawn_vessel_id(dir.path(), &Entropy::seeded(2)).unwrap(), id);
        for bad in [&b""[..], b"\n", b"two words", b"\xff\xfe"] {
            std::fs::write(dir.path().join(VESSEL_ID_FILE), bad).unwrap();
            let told = drawn_vessel_id(dir.path(), &Entropy::seeded(3)).unwrap_err().to_string();
            assert!(told.contains(VESSEL_ID_FILE) && told.contains("set vessel.id"), "{told}");
            assert_eq!(std::fs::read(dir.path().join(VESSEL_ID_FILE)).unwrap(), bad);
        }
    }
}
