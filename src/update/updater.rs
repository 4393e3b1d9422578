//! The task that carries out what [`policy`] and [`health`](super::health) decide.
//!
//! It looks at the world every two seconds, takes one step, and writes into the ledger before it acts, so that it can
//! be cut off anywhere. What the sensors deliver is counted by a task of its own, so that a slow link delays no count.

mod install;
mod trial;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use semver::Version;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::health::{BASELINE_S_MIN, Watch};
use super::installer::{Installer, InstallerError, Slot};
use super::ledger::{Ledger, LedgerFile};
use super::offers::{Offer, Place};
use super::policy::{self, LinkCost, Rules, Situation, Step};
use super::{Doing, OfferStatus, UpdateStatus, route};
use crate::clock::{Clock, ClockQuality};
use crate::config::gateway::ShoreLinkConfig;
use crate::config::{DayWindow, UpdateConfig};
use crate::entropy::Entropy;
use crate::reading::Reading;

/// Between two looks at the world, usually.
pub const TICK: Duration = Duration::from_secs(2);

/// Between two tries to reach RAUC where there was none.
const ABSENT_MS: u64 = 60_000;

/// Looks that are left out after the start: what the wires bring first is more urgent, and a box that boots has little
/// to spare.
const QUIET_TICKS: u32 = 8;

/// Between two looks at the slots while nothing happens: RAUC asks the firmware each time.
const SLOTS_MS: u64 = 600_000;

/// How long a reboot may take to happen before it is told as a failure.
const REBOOT_MS_MAX: u64 = 120_000;

/// The version in a slot that no update has written: RAUC knows none.
const AS_DELIVERED: &str = "the version as delivered";

/// Orders that wait for the task.
const ORDERS_MAX: usize = 4;

const MINUTES_PER_DAY: i64 = 24 * 60;
const MILLIS_PER_MINUTE: i64 = 60_000;

/// Where the outside world is.
#[derive(Clone, Debug)]
pub struct Places {
    /// The D-Bus to reach RAUC on; `None`: the system's.
    pub bus: Option<String>,
    /// os-release(5), which names the version of the system.
    pub os_release: PathBuf,
    /// Below it USB sticks are mounted.
    pub sticks: PathBuf,
    /// Making this file asks for a reboot.
    pub reboot: PathBuf,
}

impl Default for Places {
    /// Those of the image (`os/common`).
    fn default() -> Self {
        Self {
            bus: None,
            os_release: "/etc/os-release".into(),
            sticks: "/run/hawser/usb".into(),
            reboot: "/run/hawser-gateway/reboot".into(),
        }
    }
}

/// What the updater is given.
pub struct UpdateParts {
    /// What it may do.
    pub config: UpdateConfig,
    /// The shore that it asks.
    pub shore: ShoreLinkConfig,
    /// Where its ledger is.
    pub data_dir: PathBuf,
    /// The schema of what is stored there.
    pub schema: u32,
    /// The time.
    pub clock: Clock,
    /// For pauses.
    pub entropy: Entropy,
    /// What the store has committed.
    pub readings: broadcast::Receiver<Arc<Vec<Reading>>>,
    /// What is wrong with the services now; may block shortly.
    pub faults: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Where the outside world is.
    pub places: Places,
    /// Between two looks at it.
    pub tick: Duration,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// RAUC.
    #[error(transparent)]
    Installer(#[from] InstallerError),
    /// The shore could not be asked, and no stick has a bundle.
    #[error("{0}")]
    NotAsked(String),
    /// There is nothing to install.
    #[error("nothing newer is known; name a bundle to install an older one")]
    NothingNewer,
    /// The bundle cannot read what is stored.
    #[error("version {version} is of data schema {schema}; what is stored here is of schema {here} and would be lost")]
    OlderSchema {
        /// The bundle's version.
        version: Version,
        /// The bundle's schema.
        schema: u32,
        /// The schema here.
        here: u32,
    },
    /// The source is neither a file's absolute path nor an URL.
    #[error("`{0}` is no bundle: an absolute path of this box, or an https:// address")]
    Source(String),
    /// The running slot is on trial.
    #[error("the running version is on trial; wait for its end, or roll it back")]
    OnTrial,
    /// A bundle is being written, or the box is about to reboot.
    #[error("{0}; wait for its end")]
    Busy(&'static str),
    /// The other slot holds nothing that ever ran well.
    #[error("the other slot holds nothing that ever ran well here")]
    NoOther,
    /// The ledger cannot be written.
    #[error("what must be known after the reboot cannot be kept: {0}")]
    Ledger(String),
    /// The updater has ended.
    #[error("the updater has stopped with the gateway")]
    Stopped,
}

impl UpdateError {
    /// Whether asking again later may work.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::OnTrial | Self::Busy(_) | Self::NotAsked(_) | Self::Installer(InstallerError::Silent))
    }
}

/// An order of somebody on board.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Command {
    Check,
    Install { source: Option<String>, now: bool, metered: bool },
    Rollback,
}

type Answer = oneshot::Sender<Result<UpdateStatus, UpdateError>>;

/// What others hold of a running updater.
#[derive(Clone, Debug)]
pub struct UpdateHandle {
    status: watch::Receiver<UpdateStatus>,
    commands: mpsc::Sender<(Command, Answer)>,
}

impl UpdateHandle {
    /// How it stands.
    pub fn status(&self) -> UpdateStatus {
        self.status.borrow().clone()
    }

    /// Whether its task is gone: it ends with the gateway alone.
    pub fn has_ended(&self) -> bool {
        self.status.has_changed().is_err()
    }

    /// Looks for bundles now.
    pub async fn check(&self) -> Result<UpdateStatus, UpdateError> {
        self.command(Command::Check).await
    }

    /// Wants a bundle installed and started: this one, or the newest that is known. `now`: without waiting for berth
    /// and hour; `metered`: over a metered link too.
    pub async fn install(&self, source: Option<String>, now: bool, metered: bool) -> Result<UpdateStatus, UpdateError> {
        self.command(Command::Install { source, now, metered }).await
    }

    /// Goes back to the other slot, at once.
    pub async fn rollback(&self) -> Result<UpdateStatus, UpdateError> {
        self.command(Command::Rollback).await
    }

    async fn command(&self, command: Command) -> Result<UpdateStatus, UpdateError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send((command, answer)).await.map_err(|_| UpdateError::Stopped)?;
        answered.await.map_err(|_| UpdateError::Stopped)?
    }
}

/// Starts the updater.
pub fn spawn(parts: UpdateParts) -> UpdateHandle {
    let running = running_version(&parts.places.os_release);
    let (status, seen) = watch::channel(UpdateStatus { version: running.to_string(), ..UpdateStatus::default() });
    let (commands, orders) = mpsc::channel(ORDERS_MAX);
    let watched = Arc::new(Mutex::new(Watch::new(parts.clock.now().mono_ms / 1_000)));
    let UpdateParts { config, shore, data_dir, schema, clock, entropy, readings, faults, places, tick, stop } = parts;
    tokio::spawn(count(readings, Arc::clone(&watched), clock.clone()));
    let file = LedgerFile::new(&data_dir);
    let updater = Updater {
        rules: Rules { approval: config.approval, moored: config.moored, window: window(&config.window) },
        ledger: file.load(),
        started_ms: clock.now().mono_ms,
        config,
        shore,
        schema,
        clock,
        entropy,
        faults,
        places,
        running,
        file,
        watched,
        status,
        installer: None,
        compatible: String::new(),
        slots: Vec::new(),
        offer: None,
        sticks: Vec::new(),
        installing: false,
        on_trial: false,
        rebooting_ms: None,
        due: Due::default(),
    };
    tokio::spawn(updater.run(orders, tick, stop));
    UpdateHandle { status: seen, commands }
}

/// The configuration was checked when it was read.
fn window(text: &str) -> Option<DayWindow> {
    text.parse().ok()
}

/// `VERSION_ID` of os-release(5); a system that has none like ours runs the version of this program.
fn running_version(os_release: &std::path::Path) -> Version {
    let text = std::fs::read_to_string(os_release).unwrap_or_default();
    let named = text.lines().find_map(|line| line.strip_prefix("VERSION_ID=")).map(|text| text.trim_matches('"'));
    let own = || Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Version::new(0, 0, 0));
    named.and_then(|text| Version::parse(text).ok()).unwrap_or_else(own)
}

/// Counts what is recorded until the feed ends.
async fn count(mut readings: broadcast::Receiver<Arc<Vec<Reading>>>, watched: Arc<Mutex<Watch>>, clock: Clock) {
    loop {
        let batch = readings.recv().await;
        let now_s = clock.now().mono_ms / 1_000;
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        match batch {
            Ok(batch) => watched.add(&batch, now_s),
            Err(broadcast::error::RecvError::Lagged(_)) => watched.missed(now_s),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// When something is done next, and how often it failed in a row.
#[derive(Debug, Default)]
struct Due {
    connect_ms: u64,
    slots_ms: u64,
    check_ms: u64,
    check_failures: u32,
    install_ms: u64,
    install_failures: u32,
}

struct Updater {
    config: UpdateConfig,
    shore: ShoreLinkConfig,
    rules: Rules,
    schema: u32,
    clock: Clock,
    entropy: Entropy,
    faults: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    places: Places,
    running: Version,
    file: LedgerFile,
    ledger: Ledger,
    watched: Arc<Mutex<Watch>>,
    status: watch::Sender<UpdateStatus>,
    started_ms: u64,
    installer: Option<Installer>,
    compatible: String,
    slots: Vec<Slot>,
    offer: Option<Offer>,
    sticks: Vec<PathBuf>,
    installing: bool,
    on_trial: bool,
    rebooting_ms: Option<u64>,
    due: Due,
}

impl Updater {
    async fn run(mut self, mut orders: mpsc::Receiver<(Command, Answer)>, tick: Duration, stop: CancellationToken) {
        let (mut tick, mut quiet) = (tokio::time::interval(tick), QUIET_TICKS);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                order = orders.recv() => {
                    let Some((command, answer)) = order else { return };
                    let done = self.obey(command).await;
                    self.step().await;
                    // Whoever asked may have gone.
                    let _ = answer.send(done.map(|()| self.status.borrow().clone()));
                }
                _ = tick.tick() => match quiet {
                    0 => self.step().await,
                    _ => quiet -= 1,
                },
            }
        }
    }

    /// Looks, decides, acts; tells how it stands.
    async fn step(&mut self) {
        let why = match self.advance().await {
            Ok(why) => why,
            Err(UpdateError::Installer(error @ InstallerError::Absent(_))) => {
                self.installer = None;
                self.due.connect_ms = self.clock.now().mono_ms + ABSENT_MS;
                error.to_string()
            }
            Err(error) => {
                self.tell_error(&error.to_string());
                error.to_string()
            }
        };
        self.tell(why);
    }

    /// One step; what is waited for, in a sentence.
    async fn advance(&mut self) -> Result<String, UpdateError> {
        let now_ms = self.clock.now().mono_ms;
        if self.installer.is_none() && now_ms < self.due.connect_ms {
            return Ok(self.status.borrow().why.clone());
        }
        if let Some(at) = self.rebooting_ms {
            return Ok(self.await_reboot(at, now_ms));
        }
        self.look(now_ms).await?;
        if self.on_trial {
            return self.judge(now_ms).await;
        }
        if self.installing {
            return self.follow().await;
        }
        let sticks = self.bundles_on_sticks().await;
        if now_ms >= self.due.check_ms || sticks != self.sticks {
            self.sticks = sticks;
            self.check_when_due(now_ms).await;
        }
        match policy::decide(&self.rules, &self.situation(now_ms).await) {
            Step::Rest(why) => Ok(why.sentence().to_owned()),
            Step::Start => self.start_other(false).await,
            Step::Install(_) if now_ms < self.due.install_ms => {
                let wait_s = (self.due.install_ms - now_ms) / 1_000;
                Ok(format!("the installation failed and is tried again in {wait_s} s"))
            }
            Step::Install(offer) => self.begin(&offer).await,
        }
    }

    /// Connects to RAUC and looks at the slots, now and then.
    async fn look(&mut self, now_ms: u64) -> Result<(), UpdateError> {
        let first = self.slots.is_empty();
        let installer = match &self.installer {
            Some(installer) => installer.clone(),
            None => Installer::connect(self.places.bus.as_deref()).await?,
        };
        if first {
            // All of it or nothing: what fails here is asked again at the next look.
            let (slots, primary) = (installer.slots().await?, installer.primary().await?);
            self.compatible = installer.compatible().await?;
            self.installing = installer.progress().await?.is_some();
            self.slots = slots;
            self.wake_up(&primary);
        } else if now_ms >= self.due.slots_ms {
            self.slots = installer.slots().await?;
        }
        if now_ms >= self.due.slots_ms {
            self.due.slots_ms = now_ms + SLOTS_MS;
        }
        self.installer = Some(installer);
        self.adopt();
        Ok(())
    }

    fn booted(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.booted)
    }

    fn other(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| !slot.booted)
    }

    fn rauc(&self) -> Result<Installer, UpdateError> {
        self.installer.clone().ok_or_else(|| InstallerError::Absent("not reached yet".to_owned()).into())
    }

    fn save(&mut self) -> Result<(), UpdateError> {
        self.file.save(&self.ledger).map_err(|error| UpdateError::Ledger(error.to_string()))
    }

    /// Keeps what it can: a box whose disk is full or read-only still has to get out of a bad slot.
    fn save_if_possible(&mut self) {
        if let Err(error) = self.save() {
            self.tell_error(&error.to_string());
        }
    }

    async fn situation(&self, now_ms: u64) -> Situation<'_> {
        let now = self.clock.now();
        let minute = (now.quality != ClockQuality::None)
            .then(|| now.wall.millis().div_euclid(MILLIS_PER_MINUTE).rem_euclid(MINUTES_PER_DAY))
            .and_then(|minute| u16::try_from(minute).ok());
        let link = match self.offer.as_ref().map(|offer| &offer.place) {
            Some(Place::Url(url)) => self.link_cost(url).await,
            _ => LinkCost::None,
        };
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        Situation {
            running: &self.running,
            schema: self.schema,
            on_trial: self.on_trial,
            installing: self.installing,
            staged: self.ledger.staged.as_ref(),
            offer: self.offer.as_ref(),
            order: self.ledger.order.as_ref(),
            taken_back: self.ledger.taken_back.as_ref().map(|taken| taken.version.as_str()),
            mooring: watched.mooring(now_ms / 1_000),
            link,
            minute,
            measured: watched.watched_s(now_ms / 1_000) >= BASELINE_S_MIN,
        }
    }

    async fn link_cost(&self, url: &str) -> LinkCost {
        let Ok(url) = reqwest::Url::parse(url) else { return LinkCost::None };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return LinkCost::None };
        let host = host.trim_matches(['[', ']']);
        let Ok(mut found) = tokio::net::lookup_host((host, port)).await else { return LinkCost::None };
        found.next().map_or(LinkCost::None, |address| route::cost(address, &self.config.cheap_links))
    }

    async fn obey(&mut self, command: Command) -> Result<(), UpdateError> {
        if self.rebooting_ms.is_some() {
            return Err(UpdateError::Busy("the box is about to start again"));
        }
        // What nobody has found out yet is found out first, and what changed meanwhile.
        self.due.slots_ms = 0;
        self.look(self.clock.now().mono_ms).await?;
        match command {
            Command::Check => {
                self.check().await?;
                self.due.check_ms = self.clock.now().mono_ms + u64::from(self.config.check_interval_hours) * 3_600_000;
                Ok(())
            }
            Command::Install { source, now, metered } => self.order(source, now, metered).await,
            Command::Rollback => self.roll_back().await,
        }
    }

    fn tell_error(&self, text: &str) {
        if self.status.borrow().last_error != text {
            tracing::warn!("updates: {text}");
            self.status.send_modify(|status| text.clone_into(&mut status.last_error));
        }
    }

    fn tell(&self, why: String) {
        let offer = self.offer.as_ref().filter(|offer| offer.version > self.running).map(|offer| OfferStatus {
            version: offer.version.to_string(),
            place: offer.place.source(),
            bytes: offer.bytes,
        });
        let doing = if self.rebooting_ms.is_some() {
            Doing::Rebooting
        } else if self.booted().is_none() {
            Doing::Nothing
        } else if self.on_trial {
            Doing::Judging
        } else if self.installing {
            Doing::Installing
        } else {
            Doing::Resting
        };
        let staged = self.ledger.staged.as_ref().map(|staged| staged.version.clone());
        let wanted = staged.as_ref().or(offer.as_ref().map(|offer| &offer.version));
        let approved = self.ledger.order.as_ref().is_some_and(|order| wanted == Some(&order.version));
        self.status.send_modify(|status| {
            status.slot = self.booted().map(|slot| slot.boot_name.clone()).unwrap_or_default();
            status.on_trial = self.on_trial;
            let other = self.other().filter(|slot| slot.good);
            status.other_version = other.map(|slot| slot.version.clone().unwrap_or_else(|| AS_DELIVERED.to_owned()));
            (status.offer, status.staged, status.approved) = (offer, staged, approved);
            (status.doing, status.why) = (doing, why);
            status.taken_back = self.ledger.taken_back.clone();
            if doing != Doing::Installing {
                status.percent = 0;
            }
        });
    }
}
