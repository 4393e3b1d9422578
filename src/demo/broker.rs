//! The broker of a demo: a mosquitto of its own, on a free port, with the configuration that is shipped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{DemoError, data_error};

/// The broker's configuration, as it is shipped; the line that says where it listens is replaced.
const MOSQUITTO_CONF: &str = include_str!("../../configs/mosquitto.conf");
const MOSQUITTO_LISTENER: &str = "listener 1883 127.0.0.1";

/// How long the broker gets to end before it is killed.
const BROKER_STOP_MAX: Duration = Duration::from_secs(5);

/// How long it gets to take its first connection; some milliseconds are usual.
const BROKER_START_MAX: Duration = Duration::from_secs(5);

/// Between looks at it.
const BROKER_STEP: Duration = Duration::from_millis(20);

/// Lines of its log that an error shows: the reason is at the end.
const LOG_LINES_SHOWN: usize = 3;

/// A mosquitto of the demo's own.
pub(super) struct Broker {
    child: Child,
    /// Where it listens on loopback.
    pub(super) port: u16,
    log: PathBuf,
}

impl Broker {
    /// Starts it with its files in `dir`.
    pub(super) fn start(dir: &Path) -> Result<Self, DemoError> {
        let port = free_port().map_err(DemoError::Broker)?;
        let path = dir.join("mosquitto.conf");
        let text = MOSQUITTO_CONF.replace(MOSQUITTO_LISTENER, &format!("listener {port} 127.0.0.1"));
        std::fs::write(&path, text).map_err(data_error(&path))?;
        let log = dir.join("mosquitto.log");
        let log_file = std::fs::File::create(&log).map_err(data_error(&log))?;
        let child = Command::new(broker_program())
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .map_err(DemoError::Broker)?;
        Ok(Self { child, port, log })
    }

    /// Waits until it takes connections.
    pub(super) async fn ready(&mut self) -> Result<(), DemoError> {
        let connected = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return Err(format!("ended at once ({status})"));
                }
                tokio::time::sleep(BROKER_STEP).await;
            }
            Ok(())
        };
        let late = || Err(format!("takes no connection within {} s", BROKER_START_MAX.as_secs()));
        let outcome = tokio::time::timeout(BROKER_START_MAX, connected).await.unwrap_or_else(|_| late());
        outcome.map_err(|problem| DemoError::BrokerNotReady { problem, said: last_lines(&self.log) })
    }

    /// Asks it to end, waits, and only then kills.
    pub(super) fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).unwrap_or(i32::MAX);
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        let mut waited = Duration::ZERO;
        while waited < BROKER_STOP_MAX && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(BROKER_STEP);
            waited += BROKER_STEP;
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a log, on one line.
fn last_lines(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join(" | ");
    if last.is_empty() { "nothing".to_owned() } else { last }
}

/// Debian puts mosquitto where only root's PATH reaches.
fn broker_program() -> PathBuf {
    let usual = Path::new("/usr/sbin/mosquitto");
    if usual.exists() { usual.to_owned() } else { PathBuf::from("mosquitto") }
}

/// A TCP port of loopback that is free now.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broker_that_ends_at_once_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("mosquitto.log");
        std::fs::write(&log, "1\n2\n3\nError: Address already in use\n").unwrap();
        let child = Command::new("false").spawn().unwrap();
        let mut broker = Broker { child, port: free_port().unwrap(), log };
        let told = broker.ready().await.unwrap_err().to_string();
        assert!(told.contains("ended at once") && told.contains("2 | 3 | Error: Address already in use"), "{told}");
    }

    #[test]
    fn the_shipped_broker_configuration_has_the_line_that_the_demo_replaces() {
        assert_eq!(MOSQUITTO_CONF.matches(MOSQUITTO_LISTENER).count(), 1);
    }
}
