//! The three processes, who dies when, and what the gateway said of itself meanwhile.

use std::time::Duration;

use hawser::entropy::Entropy;
use hawser::store::telemetry::TelemetryReader;
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::support::mqtt::Subscriber;
use crate::support::ship::Ship;
use crate::support::stores::Records;
use crate::support::{Process, eventually, get_json};

/// The latest moment of a kill after the last start, milliseconds.
const KILL_AFTER_MS_MAX: u64 = 700;

/// Between two looks at the status.
const STATUS_INTERVAL: Duration = Duration::from_millis(40);

/// Who may die, in this order in [`Fleet`] and in the count of kills.
pub const NAMES: [&str; 3] = ["gateway", "broker", "shore"];
const BROKER: usize = 1;

pub struct Fleet {
    processes: [Process; 3],
    pub kills: [u32; 3],
}

impl Fleet {
    pub fn start(ship: &Ship, gateway_more: &str) -> Self {
        let (gateway, shore) = (ship.write_gateway(gateway_more), ship.write_shore("last_write_wins"));
        let mut processes = [ship.gateway(&gateway), ship.broker(), ship.shore(&shore)];
        processes.iter_mut().for_each(Process::start);
        Self { processes, kills: [0; 3] }
    }

    /// Kills one of the three at a random moment and starts it again at once, `cycles` times.
    pub async fn suffer(&mut self, cycles: u32, random: &Entropy, subscriber: &Subscriber) {
        for _ in 0..cycles {
            tokio::time::sleep(Duration::from_millis(random.below(KILL_AFTER_MS_MAX + 1))).await;
            self.processes.iter_mut().for_each(Process::must_run);
            let victim = usize::try_from(random.below(3)).expect("small");
            if victim == BROKER {
                subscriber.is_cut_off();
            }
            self.processes[victim].kill();
            self.processes[victim].start();
            self.kills[victim] += 1;
        }
    }

    /// Stops gateway and shore in order; both must say that they ended well.
    pub fn stop(&mut self) {
        for place in [0, 2] {
            let status = self.processes[place].stop(Signal::SIGTERM);
            assert!(status.success(), "{} after SIGTERM: {status}\n{}", NAMES[place], self.processes[place].said());
        }
    }

    /// The end of every log, for a failure.
    pub fn said(&self) -> String {
        NAMES.iter().zip(&self.processes).map(|(name, process)| format!("--- {name}\n{}\n", process.said())).collect()
    }
}

/// What the gateway reported, whoever of it answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    pub answers: u64,
    pub durable_seq_max: u64,
    pub acknowledged_seq_max: u64,
}

/// Asks for the status again and again; panics when a promise is taken back.
pub async fn watch_status(client: reqwest::Client, url: String, stop: CancellationToken) -> Reported {
    let mut told = Reported::default();
    while !stop.is_cancelled() {
        if let Ok(status) = get_json(&client, &url).await {
            let durable = status["store"]["durable_seq"].as_u64().expect("durable_seq");
            let acknowledged = status["shore"]["readings_acknowledged_seq"].as_u64().expect("a number");
            assert!(durable >= told.durable_seq_max, "safe up to {} was said, now {durable}", told.durable_seq_max);
            assert!(
                acknowledged >= told.acknowledged_seq_max,
                "ashore up to {}, now {acknowledged}",
                told.acknowledged_seq_max
            );
            assert_eq!(status["alarms"], Json::Array(vec![]), "kill -9 is no reason for an alarm");
            told.answers += 1;
            told.durable_seq_max = durable;
            told.acknowledged_seq_max = acknowledged;
        }
        tokio::time::sleep(STATUS_INTERVAL).await;
    }
    told
}

/// What was taken off the bus and is not committed yet is in no number: a commit has come by after this.
const COMMITTED_AFTER: Duration = Duration::from_secs(1);

/// Waits until all that was written on either side is on both, and at the broker. The buses must be silent.
pub async fn drained(ship: &Ship) {
    nothing_waits(ship).await;
    tokio::time::sleep(COMMITTED_AFTER).await;
    nothing_waits(ship).await;
}

async fn nothing_waits(ship: &Ship) {
    let found = |what: &str, is: &Json, want: &Json| {
        if is == want { Ok(()) } else { Err(format!("{what} is {is}, not {want}")) }
    };
    eventually("everything is ashore", async || {
        let status = ship.status().await?;
        // Not the status' own last number: that is some seconds old at times.
        let stored = TelemetryReader::new(&ship.gateway_dir().join("telemetry")).stats();
        let last_seq = stored.map_err(|error| error.to_string())?.last_seq.unwrap_or(0);
        let shore_head = Records::open(&ship.shore_dir()).map_err(|error| error.to_string())?.head();
        let (store, records, shore) = (&status["store"], &status["records"], &status["shore"]);
        found("waiting", &store["waiting"], &0.into())?;
        found("durable_seq", &store["durable_seq"], &last_seq.into())?;
        found("readings ashore", &shore["readings_acknowledged_seq"], &store["durable_seq"])?;
        found("pending", &records["pending"], &0.into())?;
        found("the cursor over the shore's log", &shore["cursor"], &shore_head.into())?;
        found("the broker's cursor", &status["brokers"][0]["cursor"], &records["head"])
    })
    .await;
}
