//! A gateway on a disk that is full: killed there, it comes back by itself, and takes back nothing that it said.
//!
//! The disk is a tmpfs of its own, mounted in a user and mount namespace, which needs no privilege where the kernel
//! gives such namespaces to everybody; the gateway is entered into them and the test looks in through /proc. What it
//! does on ext4, whose blocks come back late, is seen on the box (hil/test_3_faults.py).

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hawser::clock::{Clock, Stamp};
use hawser::entropy::Entropy;
use hawser::reading::{Context, Quality, Reading, SeriesKey, SeriesRegistry, Value};
use hawser::store::space::{RESERVE_FILE, Space};
use hawser::store::telemetry::TelemetryWriter;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use support::ship::{Ship, vessel};
use support::{Process, eventually, hawser};

/// The disk. A sixteenth of it each for the reserve, for the headroom, and for the newest readings.
const DISK_MIB: u64 = 96;
const PART_BYTES: u64 = DISK_MIB << 20 >> 4;

/// Restarts on the full disk: each may take a little of the reserve.
const RESTARTS: u32 = 4;

/// Day files from before, and the least bytes of each.
const PAST_FILES: usize = 24;
const PAST_FILE_BYTES: u64 = 1 << 20;

/// A disk of its own, as large as it is said to be; gone with the value.
struct Disk {
    /// Holds the namespaces. It ends when its input does.
    keeper: Child,
    /// The data directory as the gateway sees it.
    dir: PathBuf,
}

impl Disk {
    fn mount(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).expect("a place to mount it");
        let script = format!("mount -t tmpfs -o size={DISK_MIB}m tmpfs \"$1\" && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]).arg(dir);
        let mut keeper =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare(1) of util-linux is there");
        let mut said = String::new();
        let _ = BufReader::new(keeper.stdout.as_mut().expect("it is piped")).read_line(&mut said);
        assert_eq!(said, "mounted\n", "a tmpfs in a user namespace: does this kernel give them to everybody?");
        Self { keeper, dir: dir.to_owned() }
    }

    /// The data directory as the test sees it.
    fn seen(&self) -> PathBuf {
        let inside = self.dir.strip_prefix("/").expect("it is absolute");
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(inside)
    }

    fn gateway(&self, ship: &Ship, config: &Path) -> Process {
        let mut command = Command::new("nsenter");
        command.args(["--user", "--mount", "--preserve-credentials", "--target", &self.keeper.id().to_string()]);
        command.arg(hawser().get_program()).arg("gateway").arg("--config").arg(config);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        Process::new("the gateway", &ship.path().join("gateway.log"), command)
    }

    fn space(&self) -> Space {
        Space::of(&self.seen()).expect("the disk can be asked")
    }

    fn reserve_bytes(&self) -> u64 {
        std::fs::metadata(self.seen().join(RESERVE_FILE)).map_or(0, |data| data.len())
    }

    /// A stranger's file that takes all that is free, also what comes free while it does.
    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.ballast()).expect("a last name");
        let blocks = [1_u8; 4_096];
        while file.write_all(&blocks).is_ok() {}
        assert_eq!(self.space().available_bytes, 0);
    }

    fn ballast(&self) -> PathBuf {
        self.seen().join("ballast")
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.seen().join("api_token")).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    fn day_files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.seen().join("telemetry")).expect("the folder of day files");
        let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut files: Vec<_> = names.filter(|name| name.ends_with(".db")).collect();
        files.sort();
        files
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

async fn stored(ship: &Ship) -> Result<u64, String> {
    ship.status().await?["store"]["durable_seq"].as_u64().ok_or_else(|| "no number".to_owned())
}

async fn more_is_stored(ship: &Ship) {
    let before = stored(ship).await.expect("it answers");
    eventually("it stores", async || {
        let now = stored(ship).await?;
        if now > before + 50 { Ok(()) } else { Err(format!("{now} are safe, {before} were")) }
    })
    .await;
}

async fn alarmed(ship: &Ship, text: &str) -> Result<(), String> {
    let alarms = ship.status().await?["alarms"].to_string();
    if alarms.contains(text) { Ok(()) } else { Err(alarms) }
}

/// Writes a work order; its id, or why not.
async fn order(ship: &Ship, disk: &Disk, title: &str) -> Result<String, serde_json::Value> {
    let body = json!({"title": title, "description": "x".repeat(8_000)});
    let request = ship.client.request(Method::POST, ship.url("/api/work-orders")).bearer_auth(disk.token()).json(&body);
    let answer = request.send().await.expect("it answers");
    let (status, body) = (answer.status(), answer.json::<serde_json::Value>().await.expect("JSON"));
    if status.is_success() { Ok(body["id"].as_str().expect("an id").to_owned()) } else { Err(body) }
}

async fn are_there(ship: &Ship, kept: &[String]) {
    for id in kept {
        let url = ship.url(&format!("/api/records/work_orders/{id}"));
        support::get_json(&ship.client, &url).await.unwrap_or_else(|why| panic!("an order is gone: {why}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_disk_that_a_stranger_filled_it_starts_serves_and_refuses_by_name() {
    let ship = Ship::new();
    let disk = Disk::mount(&ship.gateway_dir());
    let (sim, bus) = vessel().await;
    let mut gateway = disk.gateway(&ship, &ship.write_gateway(&Ship::bus_section("bridge", bus)));
    gateway.start();
    ship.gateway_answers().await;
    assert_eq!(disk.reserve_bytes(), PART_BYTES);
    more_is_stored(&ship).await;
    let mut kept = vec![order(&ship, &disk, "Before").await.expect("there is room")];
    disk.fill();
    for restart in 0..RESTARTS {
        if restart % 2 == 0 {
            gateway.kill()
        } else {
            assert!(gateway.stop(Signal::SIGTERM).success())
        }
        disk.fill();
        gateway.start();
        eventually("it answers on the full disk", async || {
            gateway.must_run();
            ship.status().await.map(drop)
        })
        .await;
        let refused = loop {
            match order(&ship, &disk, "On a full disk").await {
                Ok(id) => kept.push(id),
                Err(why) => break why,
            }
        };
        assert_eq!(refused["error"]["code"], "disk_full", "{refused}");
        assert!(refused["error"]["message"].to_string().contains("the disk is full"), "{refused}");
        eventually("it says so", async || alarmed(&ship, "the disk is full").await).await;
        are_there(&ship, &kept).await;
        assert!(disk.reserve_bytes() >= PART_BYTES / 2, "restart {restart}: {} are held", disk.reserve_bytes());
    }
    std::fs::remove_file(disk.ballast()).expect("room");
    more_is_stored(&ship).await;
    kept.push(order(&ship, &disk, "After").await.expect("there is room"));
    assert!(alarmed(&ship, "the disk is full:").await.is_err(), "the disk is not full any more");
    are_there(&ship, &kept).await;
    gateway.kill();
    gateway.start();
    ship.gateway_answers().await;
    assert_eq!(disk.reserve_bytes(), PART_BYTES, "all of it is there again");
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_oldest_readings_make_room_and_the_loss_is_told() {
    let ship = Ship::new();
    let disk = Disk::mount(&ship.gateway_dir());
    let past = ship.path().join("past");
    write_past(&past);
    let copied = Command::new("cp").arg("-r").arg(&past).arg(disk.seen().join("telemetry")).status();
    assert!(copied.expect("cp runs").success());
    let (sim, bus) = vessel().await;
    // Nobody listens there: all of the past is meant for a shore that has none of it.
    let more = format!("{}{}", Ship::bus_section("bridge", bus), ship.shore_section());
    let mut gateway = disk.gateway(&ship, &ship.write_gateway(&more));
    gateway.start();
    ship.gateway_answers().await;
    let kept = order(&ship, &disk, "Before").await.expect("there is room");
    // Stopped, so that it looks when all is full; its WAL has no room for the ledger either.
    gateway.signal(Signal::SIGSTOP);
    disk.fill();
    let before = disk.day_files();
    gateway.signal(Signal::SIGCONT);
    room_is_made(&ship, &disk, &before).await;

    gateway.kill();
    disk.fill();
    let before = disk.day_files();
    gateway.start();
    eventually("it answers on the full disk", async || {
        gateway.must_run();
        ship.status().await.map(drop)
    })
    .await;
    room_is_made(&ship, &disk, &before).await;
    are_there(&ship, &[kept]).await;
    sim.stop().await;
}

/// By the oldest of the files that were there `before`, as many as were in the way.
async fn room_is_made(ship: &Ship, disk: &Disk, before: &[String]) {
    eventually("it tells the loss", async || alarmed(ship, "readings were pruned before the shore had them").await)
        .await;
    eventually(
        "there is room",
        async || if disk.space().is_short() { Err(disk.day_files().join(" ")) } else { Ok(()) },
    )
    .await;
    more_is_stored(ship).await;
    order(ship, disk, "In the room that was made").await.expect("there is room");
    let after = disk.day_files();
    let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
    assert_eq!(gone, before.iter().take(gone.len()).collect::<Vec<_>>(), "the oldest go");
    let parts = usize::try_from(2 * PART_BYTES / PAST_FILE_BYTES).expect("small");
    assert!((1..=parts).contains(&gone.len()), "{} are gone, the most is {parts}", gone.len());
    assert!(disk.reserve_bytes() >= PART_BYTES - (1 << 20), "{} are held", disk.reserve_bytes());
}

/// Closed day files whose readings compress badly.
fn write_past(dir: &Path) {
    let random = Entropy::seeded(5);
    let clock = Clock::manual(Stamp::parse("2026-11-01T12:00:00Z").expect("a time"));
    let registry = SeriesRegistry::default();
    let key =
        SeriesKey { context: Context::OwnShip, path: "a.text".into(), source: "a.GP".into(), instance: "".into() };
    let series = registry.series(&key).expect("there is room for one");
    let (mut writer, _) = TelemetryWriter::open(dir, &clock.now(), &random).expect("a store");
    writer.set_file_bytes_max(PAST_FILE_BYTES);
    let text = || (0..4).map(|_| random.token()).collect::<String>();
    for _ in 0..PAST_FILES {
        let first = writer.file().map(Path::to_owned);
        while writer.file().map(Path::to_owned) == first {
            let now = clock.now();
            let reading = |_| Reading {
                series: Arc::clone(&series),
                observed_at: now.wall,
                received_at: now.wall,
                value: Value::Text(text().into()),
                quality: Quality::Good,
            };
            writer.apply(&(0..500).map(reading).collect::<Vec<_>>(), &now).expect("there is room");
        }
    }
    writer.close(&clock.now()).expect("closed");
}
