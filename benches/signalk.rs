//! Signal K server as a peer of the whole gateway: installed once into `target/bench-peers`, started without plugins.
//!
//! Where npm or the network is missing the peer is left out, after [`INSTALL_MAX`] at the latest. It is told to keep
//! nothing: no history and no logs, so that it does less than a gateway that stores every reading.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::{Process, free_port, wait_until};
use super::runner::{progress, target_dir};

/// The name in the figures.
pub const NAME: &str = "signalk-server";

/// One version, so that figures can be compared over time; it runs on Node.js 20.
const PACKAGE: &str = "signalk-server@2.23.0";

/// 600 packages, a minute on a good line.
const INSTALL_MAX: Duration = Duration::from_secs(180);

/// Slower than any start seen: 5 to 9 s.
const START_MAX: Duration = Duration::from_secs(60);

/// Where the server's program is; installs it when it is not there.
fn program() -> Option<PathBuf> {
    let prefix = target_dir().join("bench-peers");
    let program = prefix.join("node_modules/signalk-server/bin/signalk-server");
    if !program.exists() {
        progress("installing Signal K server as a peer, 3 minutes at most");
        std::fs::create_dir_all(&prefix).ok()?;
        let mut npm = Command::new("timeout");
        npm.arg(INSTALL_MAX.as_secs().to_string()).args([
            "npm",
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]);
        npm.arg("--silent").arg("--omit=dev").arg("--prefix").arg(&prefix).arg(PACKAGE);
        let installed = npm.status().is_ok_and(|status| status.success());
        if !installed {
            // Half an installation must not be taken for one next time.
            let _ = std::fs::remove_dir_all(&prefix);
            progress("Signal K server cannot be installed here: its values are left out");
        }
    }
    program.exists().then_some(program)
}

/// Starts the server with a connection to each of these NMEA 0183 servers; the time from before exec(2) until it
/// answers over HTTP. `None` where it cannot be had.
pub fn start(dir: &Path, buses: &[SocketAddr]) -> Option<(Process, Duration)> {
    let program = program()?;
    let port = free_port();
    let provider = |bus: &SocketAddr| {
        let target = serde_json::json!({"type": "tcp", "host": bus.ip(), "port": bus.port().to_string()});
        let options = serde_json::json!({"type": "NMEA0183", "logging": false, "subOptions": target});
        let element = serde_json::json!({"type": "providers/simple", "options": options});
        serde_json::json!({"id": format!("bus{}", bus.port()), "enabled": true, "pipeElements": [element]})
    };
    let providers: Vec<_> = buses.iter().map(provider).collect();
    let settings = serde_json::json!({
        "interfaces": {}, "port": port, "ssl": false, "mdns": false, "pipedProviders": providers,
    });
    std::fs::write(dir.join("settings.json"), settings.to_string()).ok()?;
    let mut command = Command::new("node");
    command.arg(program).arg("-c").arg(dir).env("SIGNALK_NODE_CONFIG_DIR", dir).env("PORT", port.to_string());
    command.env("TCPSTREAMPORT", free_port().to_string()).env("DISABLEPLUGINS", "1");
    let since = Instant::now();
    let process = Process::spawn(&mut command).ok()?;
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait_until(START_MAX, listens).then(|| (process, since.elapsed()))
}
