//! What tests with real processes stand on: a place for each, ports, starting, stopping by process id, HTTP on
//! loopback.
//!
//! It judges nothing. Nothing here speaks to anything but 127.0.0.1, and no process outlives the value that started
//! it.

#![allow(dead_code, reason = "each test takes what it needs")]

pub mod mqtt;
pub mod ship;
pub mod slow;
pub mod stores;

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a test waits for something that must happen: only a test that fails takes so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// Waits until `look` finds nothing missing; what it missed last is told when it never does.
pub async fn eventually(what: &str, mut look: impl AsyncFnMut() -> Result<(), String>) {
    let mut missing = String::new();
    let waited = tokio::time::timeout(PATIENCE, async {
        while let Err(why) = look().await {
            missing = why;
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    });
    assert!(waited.await.is_ok(), "never came: {what}; {missing}");
}

/// A loopback port that nobody listens on, below those from which the system takes the near ends of connections
/// (32768 and up on Linux): one of these could take the port while its process is dead, or connect it to itself.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = u32::from(u16::MAX) & std::process::id().wrapping_mul(97);
    loop {
        let step = u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(12_000 + (start + step) % 20_000).expect("below 32,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The product's binary, with nothing of the test's environment but the search path.
pub fn hawser() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawser"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

/// Debian puts mosquitto where only root's search path reaches.
pub fn mosquitto(config: &Path) -> Command {
    let usual = Path::new("/usr/sbin/mosquitto");
    let mut command = Command::new(if usual.exists() { usual } else { Path::new("mosquitto") });
    command.arg("-c").arg(config).stdin(Stdio::null());
    command
}

/// A process that can be killed and started again; what it says goes to a file.
pub struct Process {
    name: &'static str,
    log: PathBuf,
    command: Command,
    child: Option<Child>,
}

impl Process {
    /// Not started yet.
    pub fn new(name: &'static str, log: &Path, command: Command) -> Self {
        Self { name, log: log.to_owned(), command, child: None }
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).expect("the log can be written");
        self.command.stdout(log.try_clone().expect("a file descriptor is left")).stderr(log);
        let child = self.command.spawn().unwrap_or_else(|error| {
            panic!("{} cannot be started ({error}); a missing mosquitto: `apt-get install mosquitto`", self.name)
        });
        self.child = Some(child);
    }

    /// Panics with the end of its log when it has ended by itself.
    pub fn must_run(&mut self) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("its state can be asked"));
        if let Some(status) = ended {
            panic!("{} ended by itself: {status}\n{}", self.name, self.said());
        }
    }

    /// Its process id while it runs.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// A signal that it may outlive.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.id()).expect("a process id"));
        kill(pid, signal).expect("it is ours");
    }

    /// SIGKILL, as a power switch does it to a process.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is our child");
        }
    }

    /// A signal; then waits for its end.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        kill(pid, signal).expect("it is ours");
        for _ in 0..PATIENCE.as_millis() / LOOK_INTERVAL.as_millis() {
            if let Some(status) = child.try_wait().expect("its state can be asked") {
                return status;
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("{} does not end on {signal}\n{}", self.name, self.said());
    }

    /// The end of what it said so far.
    pub fn said(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client for loopback: no proxy, whatever the environment says, and an answer in bounded time.
pub fn http() -> reqwest::Client {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client")
}

/// GET of a JSON document; any failure is a text.
pub async fn get_json(client: &reqwest::Client, url: &str) -> Result<serde_json::Value, String> {
    json_of(client.get(url), url).await
}

/// The JSON document that a request is answered with; any failure is a text.
pub async fn json_of(request: reqwest::RequestBuilder, url: &str) -> Result<serde_json::Value, String> {
    let answer = request.send().await.map_err(|error| format!("{url}: {error}"))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| format!("{url}: {error}"))?;
    if !status.is_success() {
        return Err(format!("{url}: {status} {text}"));
    }
    serde_json::from_str(&text).map_err(|error| format!("{url}: {error}: {text}"))
}
