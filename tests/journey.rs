//! The way of data through the whole product: from the wire to the shore in one process, and through the binary as an
//! operator uses it. Split by question: `trip` (does everything arrive, once), `apart` (what a lost link costs:
//! nothing), `demo`, `doors` (API, broker, metrics), `service` (systemd, a hostile peer), `verbs` (the tools).
//!
//! Only loopback is spoken to: every address in here is 127.0.0.1, children get an empty environment, and `doors`
//! looks at the sockets of a running gateway.

#[path = "journey/apart.rs"]
mod apart;
#[path = "journey/demo.rs"]
mod demo;
#[path = "journey/doors.rs"]
mod doors;
#[path = "journey/restore.rs"]
mod restore;
#[path = "journey/service.rs"]
mod service;
mod support;
#[path = "journey/trip.rs"]
mod trip;
#[path = "journey/verbs.rs"]
mod verbs;

use std::net::SocketAddr;

use hawser::clock::Clock;
use hawser::sim::{self, Output, SimHandle, SimOptions};
use support::eventually;
use support::ship::Ship;

/// A simulated vessel on a bus of its own, ten rounds a second so that no test waits for it.
async fn vessel() -> (SimHandle, SocketAddr) {
    let output = Output::TcpListen(([127, 0, 0, 1], 0).into());
    let options = SimOptions { vessel_millihertz: 10_000, ..SimOptions::vessel(1, output) };
    let sim = sim::serve(options, Clock::system()).await.expect("the simulator serves");
    let address = sim.addresses()[0];
    (sim, address)
}

/// Waits until the gateway has stored some readings.
async fn readings_come(ship: &Ship) {
    eventually("readings are stored", async || {
        let durable = ship.status().await?["store"]["durable_seq"].clone();
        if durable.as_u64() > Some(100) { Ok(()) } else { Err(format!("{durable} are safe")) }
    })
    .await;
}
