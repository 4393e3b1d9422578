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

use support::eventually;
use support::ship::{Ship, vessel};

/// Waits until the gateway has stored some readings.
async fn readings_come(ship: &Ship) {
    eventually("readings are stored", async || {
        let durable = ship.status().await?["store"]["durable_seq"].clone();
        if durable.as_u64() > Some(100) { Ok(()) } else { Err(format!("{durable} are safe")) }
    })
    .await;
}
