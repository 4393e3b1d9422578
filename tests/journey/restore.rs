//! A vessel set back to an older state of its disk: what it reads afterwards goes ashore all the same.

use std::path::Path;
use std::process::Command;

use hawser::clock::Clock;
use hawser::config::GatewayConfig;
use hawser::entropy::Entropy;
use hawser::gateway::{self, GatewayReport};
use hawser::shore;
use tokio_util::sync::CancellationToken;

use crate::support::eventually;
use crate::support::ship::Ship;
use crate::support::stores::readings_on_board;
use crate::{readings_come, vessel};

/// Runs a gateway until some readings are stored and ashore.
async fn sail(ship: &Ship, config: &GatewayConfig) -> GatewayReport {
    let gateway = gateway::start(config, Clock::system(), Entropy::system()).await.expect("the gateway starts");
    let before = readings_on_board(&ship.gateway_dir()).len() as u64;
    eventually("more readings are stored", async || {
        let durable = ship.status().await?["store"]["durable_seq"].as_u64().unwrap_or(0);
        if durable > before + 100 { Ok(()) } else { Err(format!("{durable} are safe")) }
    })
    .await;
    gateway.stop(true).await
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_after_a_restore_are_not_taken_for_those_before_it() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let more = format!("{}{}", Ship::bus_section("bridge", bus), ship.shore_section());
    let (on_board, ashore) = ship.load(&ship.write_gateway(&more), &ship.write_shore("last_write_wins"));
    let stop = CancellationToken::new();
    let shore =
        shore::start(&ashore, Clock::system(), Entropy::system(), stop.clone()).await.expect("the shore starts");
    let backup = ship.path().join("backup");
    sail(&ship, &on_board).await;
    copy(&ship.gateway_dir(), &backup);
    assert!(sail(&ship, &on_board).await.drained);

    std::fs::remove_dir_all(ship.gateway_dir()).expect("the disk is replaced");
    copy(&backup, &ship.gateway_dir());
    let gateway = gateway::start(&on_board, Clock::system(), Entropy::system()).await.expect("the gateway starts");
    eventually("the gateway asks to be started again", async || {
        let faults = gateway.faults();
        if faults.iter().any(|fault| fault.contains("set back")) { Ok(()) } else { Err(format!("{faults:?}")) }
    })
    .await;
    gateway.stop(false).await;

    let gateway = gateway::start(&on_board, Clock::system(), Entropy::system()).await.expect("the gateway starts");
    readings_come(&ship).await;
    sim.stop().await;
    assert!(gateway.stop(true).await.drained);
    stop.cancel();
    shore.stopped().await;
    let ashore = rusqlite::Connection::open(ship.shore_dir().join("records.db")).expect("the shore's database");
    let sql = "SELECT store_id, sum(count) FROM reading_block GROUP BY store_id ORDER BY max(rowid)";
    let mut statement = ashore.prepare(sql).expect("the table is there");
    let stores: Vec<(String, usize)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert_eq!(stores.len(), 2, "two sequences: {stores:?}");
    assert_eq!(stores[1].1, readings_on_board(&ship.gateway_dir()).len(), "all that is on board is ashore: {stores:?}");
}
