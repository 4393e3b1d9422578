//! A vessel, its broker and its shore as processes, each configured by a file in one temporary directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hawser::clock::Clock;
use hawser::config::{GatewayConfig, ShoreConfig, load_gateway, load_shore};
use hawser::entropy::Entropy;
use hawser::shore::hex;
use hawser::sim::{self, Output, SimHandle, SimOptions};
use hawser::store::telemetry::TelemetryReader;
use reqwest::Method;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::stores::Records;
use super::{Process, eventually, free_port, get_json, hawser, http, json_of, mosquitto};

/// The vessel of all tests.
pub const VESSEL: &str = "aurora";

/// The broker's configuration as it is shipped; the line that says where it listens is replaced.
const MOSQUITTO_CONF: &str = include_str!("../../configs/mosquitto.conf");
const MOSQUITTO_LISTENER: &str = "listener 1883 127.0.0.1";

/// A simulated vessel on a bus of its own, ten rounds a second so that no test waits for it.
pub async fn vessel() -> (SimHandle, SocketAddr) {
    let output = Output::TcpListen(([127, 0, 0, 1], 0).into());
    let options = SimOptions { vessel_millihertz: 10_000, ..SimOptions::vessel(1, output) };
    let sim = sim::serve(options, Clock::system()).await.expect("the simulator serves");
    let address = sim.addresses()[0];
    (sim, address)
}

/// Where everything of a ship is, and its configurations.
pub struct Ship {
    dir: tempfile::TempDir,
    token: String,
    pub gateway_port: u16,
    pub shore_port: u16,
    pub broker_port: u16,
    pub client: reqwest::Client,
}

impl Ship {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let token = Entropy::system().token();
        let [gateway_port, shore_port, broker_port] = std::array::from_fn(|_| free_port());
        Self { dir, token, gateway_port, shore_port, broker_port, client: http() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn gateway_dir(&self) -> PathBuf {
        self.dir.path().join("gateway")
    }

    pub fn shore_dir(&self) -> PathBuf {
        self.dir.path().join("shore")
    }

    /// `gateway.toml`: the vessel and its addresses, then `more`.
    pub fn write_gateway(&self, more: &str) -> PathBuf {
        let (dir, port) = (self.gateway_dir(), self.gateway_port);
        let head =
            format!("[vessel]\nid = \"{VESSEL}\"\n[data]\ndir = {dir:?}\n[http]\nlisten = \"127.0.0.1:{port}\"\n");
        self.write("gateway.toml", &format!("{head}{more}"))
    }

    /// The shore as the gateway's configuration names it. Five seconds are the least that is taken.
    pub fn shore_section(&self) -> String {
        self.shore_section_by(self.shore_port)
    }

    /// The same by a way of the test's own.
    pub fn shore_section_by(&self, port: u16) -> String {
        let token = &self.token;
        format!("[shore]\nurl = \"http://127.0.0.1:{port}\"\ntoken = \"{token}\"\ninterval_s = 5\n")
    }

    pub fn bus_section(name: &str, address: std::net::SocketAddr) -> String {
        format!("[[bus]]\nname = \"{name}\"\nprotocol = \"nmea0183\"\naddress = \"tcp://{address}\"\n")
    }

    pub fn broker_section(port: u16) -> String {
        format!("[[broker]]\nname = \"board\"\nurl = \"mqtt://127.0.0.1:{port}\"\n")
    }

    pub fn write_shore(&self, policy: &str) -> PathBuf {
        let (dir, port) = (self.shore_dir(), self.shore_port);
        let hash = hex(&Sha256::digest(self.token.as_bytes()));
        self.write(
            "shore.toml",
            &format!(
                "[data]\ndir = {dir:?}\n[http]\nlisten = \"127.0.0.1:{port}\"\n[sync]\nconflict_policy = \"{policy}\"\n\
                 [[vessel]]\nid = \"{VESSEL}\"\nname = \"MV Aurora\"\ntoken_sha256 = \"{hash}\"\n"
            ),
        )
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("the temporary directory can be written");
        path
    }

    pub fn gateway(&self, config: &Path) -> Process {
        let mut command = hawser();
        command.arg("gateway").arg("--config").arg(config);
        Process::new("the gateway", &self.path().join("gateway.log"), command)
    }

    pub fn shore(&self, config: &Path) -> Process {
        let mut command = hawser();
        command.arg("shore").arg("--config").arg(config);
        Process::new("the shore", &self.path().join("shore.log"), command)
    }

    /// Mosquitto with the shipped configuration on a port of its own.
    pub fn broker(&self) -> Process {
        let text = MOSQUITTO_CONF.replace(MOSQUITTO_LISTENER, &format!("listener {} 127.0.0.1", self.broker_port));
        let config = self.write("mosquitto.conf", &text);
        Process::new("mosquitto", &self.path().join("mosquitto.log"), mosquitto(&config))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.gateway_port)
    }

    pub fn shore_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.shore_port)
    }

    /// The shore's way to this vessel's records.
    pub fn shore_records(&self, collection: &str) -> String {
        self.shore_url(&format!("/api/vessels/{VESSEL}/records/{collection}"))
    }

    /// The vessel's records as the shore lists them, to whoever has its token.
    pub async fn list_ashore(&self, collection: &str) -> Result<Json, String> {
        let url = self.shore_records(collection);
        json_of(self.client.get(&url).bearer_auth(self.token_ashore()), &url).await
    }

    pub async fn status(&self) -> Result<Json, String> {
        get_json(&self.client, &self.url("/api/status")).await
    }

    pub async fn gateway_answers(&self) {
        eventually("the gateway answers", async || self.status().await.map(|_| ())).await;
    }

    pub async fn shore_answers(&self) {
        let url = self.shore_url("/healthz");
        eventually("the shore answers", async || get_json(&self.client, &url).await.map(|_| ())).await;
    }

    /// A write on board with the token; the answer's status and body.
    pub async fn write_on_board(&self, method: Method, path: &str, body: &Json) -> (u16, Json) {
        self.write_to(method, &self.url(path), body, &self.token_on_board()).await
    }

    /// A write to the vessel's records ashore; `path` begins with the collection.
    pub async fn write_ashore(&self, method: Method, path: &str, body: &Json) -> (u16, Json) {
        self.write_to(method, &self.shore_records(path), body, &self.token_ashore()).await
    }

    async fn write_to(&self, method: Method, url: &str, body: &Json, token: &str) -> (u16, Json) {
        let sent = self.client.request(method, url).bearer_auth(token).json(body).send().await;
        let answer = sent.unwrap_or_else(|error| panic!("{url}: {error}"));
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Waits until nothing of the records waits for the shore and the shore's log is on board.
    pub async fn records_are_level(&self) {
        eventually("the records of both sides are level", async || {
            let status = self.status().await?;
            let head = Records::open(&self.shore_dir()).map_err(|error| error.to_string())?.head();
            let (pending, cursor) = (&status["records"]["pending"], &status["shore"]["cursor"]);
            if *pending == 0 && *cursor == head {
                Ok(())
            } else {
                Err(format!("{pending} pending, {cursor} of {head}"))
            }
        })
        .await;
    }

    /// Waits until the store has `count` readings and the shore has all that is stored. The buses must be silent.
    pub async fn readings_are_ashore(&self, count: u64) {
        let reader = TelemetryReader::new(&self.gateway_dir().join("telemetry"));
        eventually("all readings are ashore", async || {
            let stored = reader.stats().map_err(|error| error.to_string())?.readings;
            let acknowledged = self.status().await?["shore"]["readings_acknowledged_seq"].clone();
            let done = stored == count && acknowledged == count;
            if done { Ok(()) } else { Err(format!("{stored} stored, {acknowledged} ashore of {count}")) }
        })
        .await;
    }

    pub fn token_on_board(&self) -> String {
        token_in(&self.gateway_dir())
    }

    pub fn token_ashore(&self) -> String {
        token_in(&self.shore_dir())
    }

    /// The configurations as the binary would read them, for rooms that run inside the test.
    pub fn load(&self, gateway: &Path, shore: &Path) -> (GatewayConfig, ShoreConfig) {
        let none = |_: &str| None;
        let gateway = load_gateway(Some(gateway), &none, &[]).expect("a sound gateway.toml");
        let shore = load_shore(Some(shore), &none, &[]).expect("a sound shore.toml");
        (gateway.config, shore.config)
    }
}

fn token_in(dir: &Path) -> String {
    let path = dir.join("api_token");
    std::fs::read_to_string(&path).map(|text| text.trim().to_owned()).unwrap_or_default()
}
