//! `hawser demo`: the embedded default. A simulated vessel, a broker, a gateway and a shore, each a real part, talking
//! over real sockets; all state under one directory. At its end it counts: what the vessel told, what is stored, what
//! is ashore.

mod broker;
mod buses;

use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use broker::Broker;

use crate::clock::Clock;
use crate::config::{BrokerConfig, GatewayConfig, ShoreConfig, ShoreVesselConfig};
use crate::entropy::Entropy;
use crate::gateway::{self, GatewayError, RunningGateway, TELEMETRY_DIR};
use crate::record::{ChangeType, Collection};
use crate::shore::{self, RunningShore, ShoreError, hex};
use crate::sim::{SimError, SimHandle, Taken};
use crate::store::records::{Edit, FILE_NAME, RecordError};
use crate::store::sqlite::{self, Kind};
use crate::store::telemetry::{Query, TelemetryReader};
use crate::wire::notification::NOTIFICATIONS;

/// The vessel of the demo.
const VESSEL_ID: &str = "aurora";
const VESSEL_NAME: &str = "MV Aurora (simulated)";

/// Marks a directory as a demo's own: only such a one is emptied.
const MARKER_FILE: &str = ".hawser-demo";
const MARKER_TEXT: &str = "`hawser demo` empties this directory at its start.\n";

/// Seconds between cycles to the shore: a demo is watched, a satellite is not paid.
const SYNC_INTERVAL_S: u64 = 1;

/// What a demo is made of.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where all state is.
    pub dir: PathBuf,
    /// The page on board.
    pub listen: SocketAddr,
    /// The shore's page.
    pub shore_listen: SocketAddr,
    /// The same seed gives the same voyage.
    pub seed: u64,
    /// The simulator claims this many readings more than it tells: proves that a loss is seen.
    pub lose: u64,
}

/// What came of it: the last line of standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Readings that the simulator told, by its own count, and those that came of asking (Modbus) and of silence.
    pub readings_taken: u64,
    /// Readings in the gateway's database, by SQL.
    pub readings_stored: u64,
    /// Readings in the shore's database, by SQL.
    pub readings_ashore: u64,
    /// Records in the shore's database, by SQL.
    pub records_ashore: u64,
    /// Conflicts in the shore's database, by SQL.
    pub conflicts: u64,
    /// Readings that the gateway refused, and counted.
    pub rejected: u64,
    /// Readings that should be somewhere and are not.
    pub lost: u64,
}

impl Tally {
    /// `lost`: what was taken and is neither stored nor refused, and what is stored and not ashore.
    #[must_use]
    pub const fn with_lost(mut self) -> Self {
        let not_stored = self.readings_taken.saturating_sub(self.readings_stored + self.rejected);
        self.lost = not_stored + self.readings_stored.saturating_sub(self.readings_ashore);
        self
    }

    /// Refuses a count in which a reading is there twice: `lost` alone would not show it.
    pub const fn without_doubles(self) -> Result<Self, DemoError> {
        let on_board = self.readings_stored + self.rejected;
        if on_board > self.readings_taken {
            let (what, of) = ("stored or refused on board", "taken");
            return Err(DemoError::Doubled { what, found: on_board, of, expected: self.readings_taken });
        }
        if self.readings_ashore > self.readings_stored {
            let (what, of) = ("ashore", "stored on board");
            return Err(DemoError::Doubled { what, found: self.readings_ashore, of, expected: self.readings_stored });
        }
        Ok(self)
    }
}

/// Why a demo cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Its directory cannot be used.
    #[error("{}: {source}; `--dir DIRECTORY` moves the demo's state", .path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Its directory holds what no demo put there. Nothing was touched.
    #[error("{} is not a demo's directory; `--dir` names another", .path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
    },
    /// A port is taken.
    #[error("port {} of {} is in use; `{flag} ADDRESS:PORT` moves it", .address.port(), .address.ip())]
    PortInUse {
        /// Which.
        address: SocketAddr,
        /// The option that moves it.
        flag: &'static str,
    },
    /// The broker cannot be started.
    #[error("mosquitto cannot be started: {0}; install the package mosquitto")]
    Broker(std::io::Error),
    /// The broker was started and does not take connections.
    #[error("mosquitto {problem}; it says: {said}")]
    BrokerNotReady {
        /// What it did instead.
        problem: String,
        /// The last lines of its log.
        said: String,
    },
    /// The simulator cannot.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The gateway cannot.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The shore cannot.
    #[error(transparent)]
    Shore(#[from] ShoreError),
    /// More readings are somewhere than there were: some are there twice.
    #[error("{found} readings are {what}, and only {expected} were {of}: some are there twice")]
    Doubled {
        /// Where they are.
        what: &'static str,
        /// How many.
        found: u64,
        /// Where they came from.
        of: &'static str,
        /// How many there were.
        expected: u64,
    },
    /// A database cannot be counted.
    #[error("the databases cannot be counted: {0}")]
    Count(String),
}

/// A demo that runs.
struct Demo {
    broker: Broker,
    shore: RunningShore,
    shore_stop: CancellationToken,
    gateway: RunningGateway,
    sim: SimHandle,
}

/// Runs until `stop`, then shuts everything down in order and counts. `started` is told where to look.
pub async fn run(
    options: &DemoOptions,
    clock: Clock,
    entropy: Entropy,
    stop: CancellationToken,
    started: impl FnOnce(&str),
) -> Result<Tally, DemoError> {
    let demo = Demo::start(options, &clock, &entropy).await?;
    started(&demo.where_to_look());
    stop.cancelled().await;
    demo.stop(options).await
}

impl Demo {
    async fn start(options: &DemoOptions, clock: &Clock, entropy: &Entropy) -> Result<Self, DemoError> {
        check_port(options.listen, "--listen")?;
        check_port(options.shore_listen, "--shore-listen")?;
        let dir = &options.dir;
        empty_dir(dir)?;
        let mut broker = Broker::start(dir)?;
        broker.ready().await?;
        let (sim, buses) = buses::serve(options.seed, dir, clock).await?;
        let vessel_token = entropy.token();
        let shore_stop = CancellationToken::new();
        let shore_config = shore_config(options, &vessel_token);
        let shore = shore::start(&shore_config, clock.clone(), entropy.clone(), shore_stop.clone()).await?;
        let mut config = gateway_config(options, broker.port, &format!("http://{}", shore.address), vessel_token);
        buses.into_config(&mut config);
        let gateway = gateway::start(&config, clock.clone(), entropy.clone()).await?;
        first_work_order(&gateway).await.map_err(GatewayError::from)?;
        buses::wait_until_open(&gateway).await;
        sim.begin();
        Ok(Self { broker, shore, shore_stop, gateway, sim })
    }

    fn where_to_look(&self) -> String {
        format!(
            "The page on board:    http://{}\nThe shore's page:     http://{}\n\
             The broker on board:  mqtt://127.0.0.1:{}\n\
             To write on board:    Authorization: Bearer {}\nCtrl-C stops everything in order.",
            self.gateway.address,
            self.shore.address,
            self.broker.port,
            self.gateway.token.0.reveal()
        )
    }

    /// The vessel falls silent first; then the gateway drains ashore; then the shore and the broker go.
    async fn stop(self, options: &DemoOptions) -> Result<Tally, DemoError> {
        let told = self.sim.stop_by_output().await;
        let report = self.gateway.stop(true).await;
        self.shore_stop.cancel();
        self.shore.stopped().await;
        self.broker.stop();
        let mut tally = count(&options.dir)?;
        let sum = |of: fn(&Taken) -> u64| told.iter().map(of).sum::<u64>();
        let own: u64 = report.buses.iter().map(buses::made_on_board).sum();
        tally.rejected = report.readings_rejected;
        tally.readings_taken = sum(|taken| taken.readings) + own;
        // An alarm that a device repeats becomes a reading when it changes: those that are stored were taken. No other
        // reading can be lost behind them.
        tally.readings_taken += alarms(&options.dir)?.min(sum(|taken| taken.maybe)) + options.lose;
        tally.with_lost().without_doubles()
    }
}

/// Counts are of this run only, so the last one's state goes; of what no demo wrote nothing does. The marker stays
/// throughout, so that an emptying which was cut short can be repeated.
fn empty_dir(dir: &Path) -> Result<(), DemoError> {
    std::fs::create_dir_all(dir).map_err(data_error(dir))?;
    let marker = dir.join(MARKER_FILE);
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(data_error(dir))?;
    if entries.is_empty() {
        return std::fs::write(&marker, MARKER_TEXT).map_err(data_error(&marker));
    }
    if !entries.iter().any(|entry| entry.file_name() == MARKER_FILE) {
        return Err(DemoError::NotOurs { path: dir.to_owned() });
    }
    for path in entries.iter().map(std::fs::DirEntry::path).filter(|path| *path != marker) {
        let is_dir = path.symlink_metadata().is_ok_and(|data| data.is_dir());
        let removed = if is_dir { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.map_err(data_error(&path))?;
    }
    Ok(())
}

fn data_error(path: &Path) -> impl FnOnce(std::io::Error) -> DemoError + use<> {
    let path = path.to_owned();
    move |source| DemoError::Data { path, source }
}

/// Named before anything is started, so that nothing must be taken down again.
fn check_port(address: SocketAddr, flag: &'static str) -> Result<(), DemoError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(_) => Err(DemoError::PortInUse { address, flag }),
    }
}

fn gateway_dir(dir: &Path) -> PathBuf {
    dir.join("gateway")
}

fn shore_dir(dir: &Path) -> PathBuf {
    dir.join("shore")
}

fn gateway_config(options: &DemoOptions, broker_port: u16, shore_url: &str, token: String) -> GatewayConfig {
    let mut config = GatewayConfig::default();
    VESSEL_ID.clone_into(&mut config.vessel.id);
    VESSEL_NAME.clone_into(&mut config.vessel.name);
    config.data.dir = gateway_dir(&options.dir);
    config.http.listen = options.listen;
    config.broker.push(BrokerConfig::new("board", &format!("mqtt://127.0.0.1:{broker_port}")));
    shore_url.clone_into(&mut config.shore.url);
    config.shore.token = token;
    config.shore.interval_s = SYNC_INTERVAL_S;
    // Whatever machine this is, a demonstration does not change its system.
    config.update.enabled = false;
    config
}

fn shore_config(options: &DemoOptions, vessel_token: &str) -> ShoreConfig {
    let mut config = ShoreConfig::default();
    config.data.dir = shore_dir(&options.dir);
    config.http.listen = options.shore_listen;
    config.vessel.push(ShoreVesselConfig {
        id: VESSEL_ID.to_owned(),
        name: VESSEL_NAME.to_owned(),
        update_version_max: String::new(),
        token_sha256: hex(&Sha256::digest(vessel_token.as_bytes())),
    });
    config
}

/// Something for the shore to see beside readings.
async fn first_work_order(gateway: &RunningGateway) -> Result<(), RecordError> {
    let fields = serde_json::json!({"title": "Check the bilge pump", "status": "open", "priority": "normal"});
    let edit = Edit {
        collection: Collection::WorkOrders,
        entity_id: uuid::Uuid::from_u128(1),
        kind: ChangeType::Created,
        fields: fields.as_object().cloned().unwrap_or_default(),
        actor: "demo".to_owned(),
        base_version: None,
    };
    gateway.store().edit(edit).await.map(|_| ())
}

/// How many of the stored readings are alarms.
fn alarms(dir: &Path) -> Result<u64, DemoError> {
    let path = Some(format!("{NOTIFICATIONS}*"));
    let telemetry = TelemetryReader::new(&gateway_dir(dir).join(TELEMETRY_DIR));
    let report = telemetry.query(&Query { path, ..Query::default() }, |_| ControlFlow::Continue(()));
    report.map(|report| report.readings as u64).map_err(|e| DemoError::Count(e.to_string()))
}

/// Counts both databases with SQL, as anybody could with a SQLite shell.
fn count(dir: &Path) -> Result<Tally, DemoError> {
    let failed = |e: &dyn std::fmt::Display| DemoError::Count(e.to_string());
    let telemetry = TelemetryReader::new(&gateway_dir(dir).join(TELEMETRY_DIR));
    let stored = telemetry.stats().map_err(|e| failed(&e))?.readings;
    let ashore = sqlite::open(&shore_dir(dir).join(FILE_NAME), Kind::ReadOnly).map_err(|e| failed(&e))?;
    let number = |sql: &str| ashore.query_row(sql, [], |row| row.get::<_, u64>(0)).map_err(|e| failed(&e));
    Ok(Tally {
        readings_stored: stored,
        readings_ashore: number("SELECT coalesce(sum(count), 0) FROM reading_block")?,
        records_ashore: number("SELECT count(*) FROM record WHERE deleted = 0")?,
        conflicts: number("SELECT count(*) FROM sync_conflicts")?,
        ..Tally::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_counts_what_is_nowhere_and_what_is_not_ashore() {
        let tally =
            Tally { readings_taken: 10, readings_stored: 7, readings_ashore: 5, rejected: 2, ..Tally::default() };
        assert_eq!(tally.with_lost().lost, 3);
        let whole = Tally { readings_taken: 7, readings_stored: 7, readings_ashore: 7, ..Tally::default() };
        assert_eq!(whole.with_lost().lost, 0);
    }

    #[test]
    fn only_a_directory_of_a_demo_is_emptied() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("demo");
        for _ in 0..2 {
            empty_dir(&dir).unwrap();
            let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, [MARKER_FILE]);
            std::fs::create_dir(dir.join("gateway")).unwrap();
            std::fs::write(dir.join("gateway/records.db"), "old").unwrap();
            std::fs::write(dir.join("mosquitto.log"), "old").unwrap();
        }
        std::fs::remove_file(dir.join(MARKER_FILE)).unwrap();
        let told = empty_dir(&dir).unwrap_err().to_string();
        assert!(told.contains("is not a demo's directory; `--dir` names another"), "{told}");
        assert_eq!(std::fs::read_to_string(dir.join("gateway/records.db")).unwrap(), "old");
    }

    #[test]
    fn a_reading_that_is_there_twice_is_told_with_both_figures() {
        let whole =
            Tally { readings_taken: 9, readings_stored: 7, readings_ashore: 7, rejected: 2, ..Tally::default() };
        assert_eq!(whole.without_doubles().unwrap(), whole);
        let on_board = Tally { readings_taken: 8, ..whole }.without_doubles().unwrap_err().to_string();
        assert!(on_board.contains("9 readings") && on_board.contains("only 8 were taken"), "{on_board}");
        let ashore = Tally { readings_ashore: 8, ..whole }.without_doubles().unwrap_err().to_string();
        assert!(ashore.contains("8 readings are ashore") && ashore.contains("only 7"), "{ashore}");
    }
}
