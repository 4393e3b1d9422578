//! Updates as a vessel goes through them: a real shore serves signed bundles, a real D-Bus carries the orders, the
//! slots are a scripted RAUC's ([`board`]); reboots and hours cost nothing.

#[path = "update/board.rs"]
mod board;
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use board::{Board, Content, Rauc};
use hawser::clock::{Clock, Stamp};
use hawser::config::gateway::ShoreLinkConfig;
use hawser::config::{ShoreConfig, ShoreVesselConfig, UpdateApproval, UpdateConfig};
use hawser::entropy::Entropy;
use hawser::reading::{Context, Quality, Reading, SeriesKey, SeriesRegistry, Value};
use hawser::shore::{self, RunningShore, hex};
use hawser::update::updater::Places;
use hawser::update::{Doing, UpdateError, UpdateHandle, UpdateParts, UpdateStatus};
use sha2::{Digest as _, Sha256};
use support::eventually;
use support::ship::Ship;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The kind of box.
pub const COMPATIBLE: &str = "hawser-aarch64-efi";

const TOKEN: &str = "the-token-of-the-vessel";
const SCHEMA: u32 = 3;
const SPEED: &str = "navigation.speedOverGround";

/// A D-Bus of our own; it ends with the value.
struct DBus {
    child: Child,
    address: String,
}

impl DBus {
    fn start(dir: &Path) -> Self {
        let address = format!("unix:path={}", dir.join("bus").display());
        let config = dir.join("bus.conf");
        let text = format!(
            "<busconfig><listen>{address}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>"
        );
        std::fs::write(&config, text).expect("a file");
        let child = Command::new("dbus-daemon").arg("--nofork").arg("--config-file").arg(&config).spawn();
        Self { child: child.expect("dbus-daemon: `apt-get install dbus-daemon`"), address }
    }
}

impl Drop for DBus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bundle as far as the shore and the scripted RAUC look: a payload, and the manifest inside a signature.
fn write_bundle(path: &Path, version: &str, schema: u32) {
    let keys = path.parent().expect("a folder");
    let (key, cert) = (keys.join("key.pem"), keys.join("cert.pem"));
    let run = |words: &[&str], input: &str| {
        let mut command = Command::new("openssl");
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl: `apt-get install openssl`");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{words:?}");
        output.stdout
    };
    let (key_path, cert_path) = (key.to_str().expect("text"), cert.to_str().expect("text"));
    if !key.exists() {
        let curve = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let names = ["-subj", "/CN=signer", "-keyout", key_path, "-out", cert_path];
        run(&[&curve[..], &names].concat(), "");
    }
    let manifest = format!(
        "[update]\ncompatible={COMPATIBLE}\nversion={version}\n[bundle]\nformat=verity\n\
         [meta.hawser]\nschema={schema}\n"
    );
    let sign = ["cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", cert_path, "-inkey", key_path];
    let message = run(&sign, &manifest);
    let mut bytes = vec![0x5a; 10_000];
    bytes.extend(&message);
    bytes.extend((message.len() as u64).to_be_bytes());
    let half = path.with_extension("half");
    std::fs::write(&half, bytes).expect("a file");
    std::fs::rename(half, path).expect("a name");
}

/// A vessel with its shore.
struct Vessel {
    dir: tempfile::TempDir,
    bus: DBus,
    board: Arc<Mutex<Board>>,
    _rauc: zbus::Connection,
    shore: RunningShore,
    clock: Clock,
    registry: SeriesRegistry,
    feed: broadcast::Sender<Arc<Vec<Reading>>>,
    faults: Arc<Mutex<Vec<String>>>,
    updates: Option<UpdateHandle>,
    stop: CancellationToken,
    config: UpdateConfig,
}

impl Vessel {
    async fn new() -> Self {
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["shore", "bundles", "data", "sticks/sda1", "scratch"] {
            std::fs::create_dir_all(dir.path().join(name)).expect("a folder");
        }
        let bus = DBus::start(dir.path());
        let board = Arc::new(Mutex::new(Board::new()));
        let rauc = serve_rauc(&bus, &board, &dir.path().join("scratch")).await;
        let mut config = ShoreConfig::default();
        config.data.dir = dir.path().join("shore");
        config.http.listen = ([127, 0, 0, 1], 0).into();
        config.updates.dir = dir.path().join("bundles");
        config.vessel.push(ShoreVesselConfig {
            id: "aurora".to_owned(),
            name: String::new(),
            update_version_max: "0.9.0".to_owned(),
            token_sha256: hex(&Sha256::digest(TOKEN)),
        });
        let shore = shore::start(&config, Clock::system(), Entropy::seeded(1), CancellationToken::new()).await;
        let vessel = Self {
            bus,
            board,
            _rauc: rauc,
            shore: shore.expect("a shore"),
            clock: Clock::manual(Stamp::parse("2026-11-21T03:00:00Z").expect("a time")),
            registry: SeriesRegistry::default(),
            feed: broadcast::channel(256).0,
            faults: Arc::default(),
            updates: None,
            stop: CancellationToken::new(),
            config: UpdateConfig { window: "02:00-05:00".to_owned(), ..UpdateConfig::default() },
            dir,
        };
        vessel.set_version("0.1.0");
        vessel
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn set_version(&self, version: &str) {
        let text = format!("ID=hawser\nVERSION_ID={version}\n");
        std::fs::write(self.path("os-release"), text).expect("a file");
    }

    fn publish(&self, version: &str, schema: u32) {
        write_bundle(&self.path(&format!("bundles/hawser-{version}.raucb")), version, schema);
    }

    /// The gateway starts.
    fn start(&mut self) -> UpdateHandle {
        self.stop = CancellationToken::new();
        let faults = Arc::clone(&self.faults);
        let handle = hawser::update::spawn(UpdateParts {
            config: self.config.clone(),
            shore: ShoreLinkConfig {
                url: format!("http://{}", self.shore.address),
                token: TOKEN.to_owned(),
                ..ShoreLinkConfig::default()
            },
            data_dir: self.path("data"),
            schema: SCHEMA,
            clock: self.clock.clone(),
            entropy: Entropy::seeded(7),
            readings: self.feed.subscribe(),
            faults: Arc::new(move || faults.lock().expect("the list").clone()),
            places: Places {
                bus: Some(self.bus.address.clone()),
                os_release: self.path("os-release"),
                sticks: self.path("sticks"),
                reboot: self.path("reboot"),
            },
            tick: Duration::from_millis(20),
            stop: self.stop.clone(),
        });
        self.updates = Some(handle.clone());
        handle
    }

    fn status(&self) -> UpdateStatus {
        self.updates.as_ref().expect("it was started").status()
    }

    /// Waits for a status that fits.
    async fn until(&self, what: &str, fits: impl Fn(&UpdateStatus) -> bool) -> UpdateStatus {
        eventually(what, async || {
            let status = self.status();
            if fits(&status) { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
        self.status()
    }

    /// Time passes while the sources deliver a reading a second each.
    async fn sail(&self, seconds: u64, sources: &[&str], speed_m_per_s: f64) {
        for _ in 0..seconds {
            let reading = |source: &&str| {
                let source: Arc<str> = (**source).into();
                let key = SeriesKey { context: Context::OwnShip, path: SPEED.into(), source, instance: "".into() };
                Reading {
                    series: self.registry.series(&key).expect("there is room"),
                    observed_at: Stamp(0),
                    received_at: Stamp(0),
                    value: Value::Float(speed_m_per_s),
                    quality: Quality::Good,
                }
            };
            let batch: Vec<Reading> = sources.iter().map(reading).collect();
            if !batch.is_empty() {
                let _ = self.feed.send(Arc::new(batch));
            }
            // The counting task has to see each second of its own.
            tokio::time::sleep(Duration::from_micros(500)).await;
            self.clock.advance_ms(1_000);
        }
    }

    async fn reboot_is_asked(&self) {
        eventually("a reboot", async || {
            let asked = self.path("reboot").exists();
            if asked { Ok(()) } else { Err(format!("{:?}", self.status())) }
        })
        .await;
    }

    /// The box starts again, with the version that lies in the slot that the firmware chooses.
    async fn power_cycle(&mut self) -> UpdateHandle {
        self.stop.cancel();
        // A power cut ends everything at once; here a step that was begun goes on to its end.
        let old = self.updates.take().expect("it was started");
        let ended = async || if old.has_ended() { Ok(()) } else { Err("it goes on".to_owned()) };
        eventually("the end of the updater before", ended).await;
        let _ = std::fs::remove_file(self.path("reboot"));
        let version = {
            let mut board = self.board.lock().expect("the board");
            board.reboot();
            board.slots[board.booted].version.clone().unwrap_or_else(|| "0.1.0".to_owned())
        };
        self.set_version(&version);
        self.clock.advance_ms(30_000);
        self.start()
    }

    fn booted(&self) -> usize {
        self.board.lock().expect("the board").booted
    }
}

async fn serve_rauc(bus: &DBus, board: &Arc<Mutex<Board>>, scratch: &Path) -> zbus::Connection {
    let mut tries = 0;
    loop {
        let rauc = Rauc { board: Arc::clone(board), scratch: scratch.to_owned() };
        let built = zbus::connection::Builder::address(bus.address.as_str())
            .name("de.pengutronix.rauc")
            .serve_at("/", rauc)
            .build()
            .await;
        match built {
            Ok(connection) => return connection,
            Err(error) if tries > 500 => panic!("no D-Bus: {error}"),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const ALL: &[&str] = &["gps.GP", "engine.0"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_shore_to_a_good_slot_twice() {
    let mut vessel = Vessel::new().await;
    let mut updates = vessel.start();
    for (version, slot) in [("0.2.0", 1), ("0.3.0", 0)] {
        vessel.publish(version, SCHEMA);
        vessel.publish("1.0.0", SCHEMA); // beyond what this vessel is offered
        updates.check().await.expect("the shore answers");
        let status = vessel.until("installed", |status| status.staged.as_deref() == Some(version)).await;
        assert!(!status.approved && status.why.contains("must agree"), "{status:?}");
        let headers = vessel.board.lock().expect("the board").loads.last().expect("it was loaded").1.clone();
        assert_eq!(headers, [format!("Authorization: Bearer {TOKEN}")]);

        updates.install(None, false, false).await.expect("it may");
        vessel.until("under way", |status| status.why.contains("measured") || status.why.contains("lies still")).await;
        vessel.sail(130, ALL, 6.0).await;
        vessel.until("under way", |status| status.why.contains("lies still")).await;
        assert!(!vessel.path("reboot").exists());
        vessel.sail(610, ALL, 0.1).await;
        vessel.reboot_is_asked().await;

        updates = vessel.power_cycle().await;
        assert_eq!(vessel.booted(), slot);
        let status = vessel.until("on trial", |status| status.on_trial).await;
        assert_eq!((status.doing, status.version.as_str()), (Doing::Judging, version));
        vessel.sail(40, &ALL[..1], 0.1).await;
        vessel.until("the engine is missed", |status| status.why.contains("engine.0 delivers 0.00")).await;
        assert!(!vessel.board.lock().expect("the board").boot_order.contains(&slot));
        vessel.sail(90, ALL, 0.1).await;
        let status = vessel.until("good", |status| !status.on_trial).await;
        assert_eq!((status.staged, status.taken_back, status.last_error.as_str()), (None, None, ""));
        assert_eq!(vessel.board.lock().expect("the board").boot_order[0], slot);
    }
    // A good slot is not judged again, whatever falls silent.
    vessel.power_cycle().await;
    vessel.until("at rest", |status| status.doing == Doing::Resting).await;
    vessel.sail(1_200, &[], 0.0).await;
    assert!(!vessel.path("reboot").exists() && !vessel.status().on_trial);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_stays_away_takes_the_version_back() {
    let mut vessel = Vessel::new().await;
    vessel.publish("0.2.0", SCHEMA);
    let updates = vessel.start();
    vessel.sail(130, ALL, 0.1).await;
    updates.install(None, true, false).await.expect("it may");
    vessel.reboot_is_asked().await;
    vessel.power_cycle().await;
    vessel.until("on trial", |status| status.on_trial).await;
    vessel.sail(620, &ALL[..1], 0.1).await;
    vessel.reboot_is_asked().await;
    let updates = vessel.power_cycle().await;
    let status = vessel.until("back", |status| status.doing == Doing::Resting).await;
    assert_eq!((vessel.booted(), status.version.as_str(), status.on_trial), (0, "0.1.0", false));
    let taken = status.taken_back.expect("it was taken back");
    assert!(taken.version == "0.2.0" && taken.reasons[0].starts_with("engine.0"), "{taken:?}");

    // Not again by itself; again when somebody says so.
    updates.check().await.expect("the shore answers");
    let status = vessel.until("at rest", |status| status.why.contains("was taken back")).await;
    assert_eq!((status.staged, status.approved), (None, false));
    updates.install(None, true, false).await.expect("it may");
    vessel.reboot_is_asked().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trials_that_nobody_could_judge_are_repeated_and_then_given_up() {
    let mut vessel = Vessel::new().await;
    vessel.config.approval = UpdateApproval::Automatic;
    vessel.publish("0.2.0", SCHEMA);
    vessel.start();
    for _ in 0..3 {
        vessel.sail(760, ALL, 0.1).await;
        vessel.reboot_is_asked().await;
        vessel.power_cycle().await;
        vessel.until("on trial", |status| status.on_trial).await;
        assert_eq!(vessel.booted(), 1);
        vessel.power_cycle().await; // a power cut, before there is a verdict
        vessel.until("back", |status| status.doing == Doing::Resting).await;
        assert_eq!(vessel.booted(), 0);
    }
    let taken = vessel.status().taken_back.expect("it was given up");
    assert!(taken.reasons[0].contains("before they were judged"), "{taken:?}");
    vessel.sail(760, ALL, 0.1).await;
    assert!(!vessel.path("reboot").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_slot_is_not_judged_because_the_ledger_could_not_be_written() {
    let mut vessel = Vessel::new().await;
    let ledger = r#"{"trial":{"version":"0.1.0","slot":"rootfs.0","from":"0.0.9","at":"2026-11-21T02:00:00Z",
                    "baseline":{"engine.0":5.0}}}"#;
    std::fs::write(vessel.path("data/update.json"), ledger).expect("a file");
    vessel.start();
    vessel.until("awake", |status| !status.slot.is_empty()).await;
    vessel.sail(700, &[], 0.0).await;
    assert!(!vessel.path("reboot").exists() && !vessel.status().on_trial, "{:?}", vessel.status());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_services_counts_as_much_as_a_silent_source() {
    let mut vessel = Vessel::new().await;
    vessel.publish("0.2.0", SCHEMA);
    let updates = vessel.start();
    updates.install(None, true, false).await.expect("it may");
    vessel.reboot_is_asked().await;
    vessel.faults.lock().expect("the list").push("the broker onboard is not reached".to_owned());
    vessel.power_cycle().await;
    vessel.until("on trial", |status| status.why.contains("the broker onboard")).await;
    vessel.sail(620, ALL, 0.1).await;
    vessel.reboot_is_asked().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_brings_on_a_stick_or_names() {
    let mut vessel = Vessel::new().await;
    vessel.board.lock().expect("the board").slots[1] = Content { version: None, installed: None };
    let updates = vessel.start();
    assert_eq!(updates.install(None, false, false).await, Err(UpdateError::NothingNewer));
    assert_eq!(updates.rollback().await, Err(UpdateError::NoOther));
    assert!(matches!(updates.install(Some("b.raucb".to_owned()), true, false).await, Err(UpdateError::Source(_))));

    let old = vessel.path("old.raucb");
    write_bundle(&old, "0.2.0", SCHEMA - 1);
    let refused = updates.install(Some(old.display().to_string()), true, false).await;
    assert!(matches!(refused, Err(UpdateError::OlderSchema { schema: 2, here: 3, .. })), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("would be lost"));
    let text = vessel.path("text.raucb");
    std::fs::write(&text, "no bundle").expect("a file");
    let refused = updates.install(Some(text.display().to_string()), true, false).await;
    assert!(matches!(refused, Err(UpdateError::Installer(_))), "{refused:?}");

    // A stick is seen without a word; the token of the shore is not for it.
    write_bundle(&vessel.path("sticks/sda1/hawser.raucb"), "0.2.0", SCHEMA);
    let status = vessel.until("installed", |status| status.staged.is_some()).await;
    assert_eq!(status.staged.as_deref(), Some("0.2.0"));
    let load = vessel.board.lock().expect("the board").loads.last().cloned().expect("it was loaded");
    assert!(load.0.ends_with("sda1/hawser.raucb") && load.1.is_empty(), "{load:?}");

    // An older version, by name.
    let older = vessel.path("older.raucb");
    write_bundle(&older, "0.0.9", SCHEMA);
    updates.install(Some(older.display().to_string()), true, false).await.expect("it may");
    vessel.reboot_is_asked().await;
    vessel.power_cycle().await;
    let status = vessel.until("on trial", |status| status.on_trial).await;
    assert_eq!(status.version, "0.0.9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_to_the_other_version_and_a_broken_installation() {
    let mut vessel = Vessel::new().await;
    vessel.publish("0.2.0", SCHEMA);
    vessel.board.lock().expect("the board").failures = 1;
    let updates = vessel.start();
    let status = vessel.until("failed", |status| !status.last_error.is_empty()).await;
    assert!(status.last_error.contains("the link broke"), "{status:?}");
    vessel.until("a pause", |status| status.why.contains("tried again in")).await;
    vessel.sail(70, ALL, 0.1).await;
    let status = vessel.until("installed", |status| status.staged.is_some()).await;
    assert_eq!(status.last_error, "");
    updates.install(None, true, false).await.expect("it may");
    vessel.reboot_is_asked().await;
    let updates = vessel.power_cycle().await;
    vessel.until("on trial", |status| status.on_trial).await;
    assert_eq!(updates.install(None, true, false).await, Err(UpdateError::OnTrial));
    vessel.sail(100, ALL, 0.1).await;
    vessel.until("good", |status| !status.on_trial).await;

    // The version from the yard is in the other slot, and has run well there.
    assert_eq!(updates.status().other_version.as_deref(), Some("the version as delivered"));
    updates.rollback().await.expect("it may");
    vessel.reboot_is_asked().await;
    vessel.power_cycle().await;
    vessel.until("on trial", |status| status.on_trial).await;
    vessel.sail(100, ALL, 0.1).await;
    let status = vessel.until("good", |status| !status.on_trial).await;
    assert_eq!((vessel.booted(), status.version.as_str()), (0, "0.1.0"));
    assert_eq!(vessel.board.lock().expect("the board").boot_order[0], 0);
    assert_eq!(status.taken_back.expect("somebody did").version, "0.2.0");
    vessel.sail(760, ALL, 0.1).await;
    assert!(!vessel.path("reboot").exists(), "it must not go forward again by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_rauc_is_told_and_left_alone() {
    let mut vessel = Vessel::new().await;
    vessel._rauc.clone().close().await.expect("it closes");
    let updates = vessel.start();
    let status = vessel.until("told", |status| !status.why.is_empty()).await;
    assert_eq!((status.doing, status.on_trial), (Doing::Nothing, false));
    assert!(status.why.contains("no RAUC"), "{status:?}");
    assert!(matches!(updates.install(None, true, false).await, Err(UpdateError::Installer(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_agrees_with_the_code_from_the_console() {
    const CODE: &str = "KDHRBTCM";
    let vessel = Vessel::new().await;
    let ready = Content { version: Some("0.9.0".to_owned()), installed: Some("ok") };
    vessel.board.lock().expect("the board").slots[1] = ready;
    let ship = Ship::new();
    std::fs::create_dir_all(ship.gateway_dir()).expect("a folder");
    std::fs::write(ship.gateway_dir().join("setup_code"), CODE).expect("a file");
    let mut command = support::hawser();
    command.env("DBUS_SYSTEM_BUS_ADDRESS", &vessel.bus.address);
    command.arg("gateway").arg("--config").arg(ship.write_gateway(""));
    let mut gateway = support::Process::new("the gateway", &ship.path().join("gateway.log"), command);
    gateway.start();
    ship.gateway_answers().await;
    let base = format!("http://127.0.0.1:{}", ship.gateway_port);
    let node = tokio::process::Command::new("node")
        .args(["--test", "update.test.mjs"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser"))
        .env("BASE_URL", &base)
        .env("SETUP_CODE", CODE)
        .output()
        .await
        .expect("node: `make setup`");
    assert!(node.status.success(), "{}\n{}", String::from_utf8_lossy(&node.stdout), gateway.said());
    assert!(!ship.gateway_dir().join("setup_code").exists(), "the code is good once");
    let told = support::hawser().args(["update", "status", "--url", &base]).output().expect("it runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("ready   0.9.0, agreed to") && told.contains("hawser-a"), "{told}");
    let mut refused = support::hawser();
    refused.args(["update", "rollback", "--url", &base, "--data-dir"]);
    let refused = refused.arg(ship.gateway_dir()).output().expect("it runs");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing that ever ran well"), "{refused:?}");
}
