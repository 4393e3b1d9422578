//! With no link at all, and with one that comes and goes: nothing is lost, nothing comes twice, conflicts end equal.

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::support::ship::Ship;
use crate::support::stores::{Records, readings_on_board};
use crate::support::{eventually, get_json};
use crate::{readings_come, vessel};

const ORDER: &str = "00000000-0000-4000-8000-000000000001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_alone_is_complete() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let mut gateway = ship.gateway(&ship.write_gateway(&Ship::bus_section("bridge", bus)));
    gateway.start();
    ship.gateway_answers().await;
    readings_come(&ship).await;
    let (status, body) = ship.write_on_board(Method::POST, "/api/work-orders", &json!({"title": "Alone"})).await;
    assert_eq!(status, 201, "{body}");
    let status = ship.status().await.expect("the status");
    assert_eq!((&status["shore"]["link"], &status["brokers"]), (&json!("disabled"), &json!([])));
    assert_eq!(status["alarms"], json!([]), "no link is no alarm");
    let ready = get_json(&ship.client, &ship.url("/readyz")).await.expect("ready without any link");
    assert_eq!(ready, json!({"status": "ready", "reasons": []}));
    let taken = sim.stop().await;
    assert!(gateway.stop(Signal::SIGTERM).success());
    assert_eq!(readings_on_board(&ship.gateway_dir()).len() as u64, taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_comes_and_goes_costs_nothing() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let more = format!("{}{}", Ship::bus_section("bridge", bus), ship.shore_section());
    let mut gateway = ship.gateway(&ship.write_gateway(&more));
    let mut shore = ship.shore(&ship.write_shore("last_write_wins"));
    gateway.start();
    ship.gateway_answers().await;
    create(&ship, ORDER, "before the shore was there").await;
    readings_come(&ship).await;
    eventually("offline is told", async || {
        let status = ship.status().await?;
        let told = status["shore"]["link"] == "offline" && status["shore"]["pending_changes"] == 1;
        if told { Ok(()) } else { Err(status["shore"].to_string()) }
    })
    .await;
    shore.start();
    ship.shore_answers().await;
    ship.records_are_level().await;
    assert!(shore.stop(Signal::SIGTERM).success(), "{}", shore.said());
    create(&ship, "00000000-0000-4000-8000-000000000002", "while the shore was away").await;
    shore.start();
    ship.shore_answers().await;
    ship.records_are_level().await;
    let taken = sim.stop().await;
    ship.readings_are_ashore(taken).await;
    assert!(gateway.stop(Signal::SIGTERM).success() && shore.stop(Signal::SIGTERM).success());

    let (at_home, ashore) = databases(&ship);
    assert_eq!(at_home.records(), ashore.records());
    assert_eq!((at_home.records().len(), ashore.log().len()), (2, 2), "each order once, by one change");
    assert_eq!(readings_on_board(&ship.gateway_dir()), ashore.readings_ashore());
    assert_eq!(ashore.lost_readings(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_later_edit_wins_a_conflict() {
    conflict("last_write_wins", "from the ship", "title: incoming_later").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shore_wins_a_conflict_where_that_is_the_policy() {
    conflict("shore_wins", "from the shore", "title: shore_wins").await;
}

/// The shore edits first, then the ship, neither seeing the other: one field of both, and one of each alone.
async fn conflict(policy: &str, title: &str, reason: &str) {
    let ship = Ship::new();
    let mut gateway = ship.gateway(&ship.write_gateway(&ship.shore_section()));
    let mut shore = ship.shore(&ship.write_shore(policy));
    gateway.start();
    shore.start();
    ship.gateway_answers().await;
    create(&ship, ORDER, "as both know it").await;
    ship.shore_answers().await;
    ship.records_are_level().await;

    assert!(gateway.stop(Signal::SIGTERM).success(), "{}", gateway.said());
    let edit = json!({"title": "from the shore", "assigned_to": "Ann"});
    let (status, body) = ship.write_ashore(Method::PATCH, &format!("work_orders/{ORDER}"), &edit).await;
    assert_eq!(status, 200, "{body}");
    assert!(shore.stop(Signal::SIGTERM).success(), "{}", shore.said());
    gateway.start();
    ship.gateway_answers().await;
    let edit = json!({"title": "from the ship", "priority": "high"});
    let path = format!("/api/records/work_orders/{ORDER}");
    let (status, body) = ship.write_on_board(Method::PATCH, &path, &edit).await;
    assert_eq!(status, 200, "{body}");
    shore.start();
    ship.shore_answers().await;
    ship.records_are_level().await;

    let on_board = get_json(&ship.client, &ship.url(&path)).await.expect("the order on board");
    let list = ship.list_ashore("work_orders").await.expect("the orders ashore");
    let fields = json!({"title": title, "assigned_to": "Ann", "priority": "high"});
    for (side, record) in [("on board", &on_board), ("ashore", &list[0])] {
        for (name, value) in fields.as_object().expect("an object") {
            assert_eq!(&find(record, name), value, "{side}: {record}");
        }
    }
    assert!(gateway.stop(Signal::SIGTERM).success() && shore.stop(Signal::SIGTERM).success());
    let (at_home, ashore) = databases(&ship);
    assert_eq!(at_home.records(), ashore.records());
    assert_eq!(ashore.texts("SELECT reason FROM sync_conflicts"), [reason]);
    assert_eq!(ashore.texts("SELECT reason FROM sync_journal"), [reason], "both inputs are kept");
}

/// A field of a record, wherever the API puts fields.
fn find(record: &Json, name: &str) -> Json {
    record.get(name).or_else(|| record.get("fields")?.get(name)).cloned().unwrap_or_default()
}

async fn create(ship: &Ship, id: &str, title: &str) {
    let body = json!({"id": id, "title": title});
    let (status, body) = ship.write_on_board(Method::POST, "/api/work-orders", &body).await;
    assert_eq!(status, 201, "{body}");
}

fn databases(ship: &Ship) -> (Records, Records) {
    let open = |dir: &std::path::Path| Records::open(dir).expect("the database");
    (open(&ship.gateway_dir()), open(&ship.shore_dir()))
}
