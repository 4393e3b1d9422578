//! What goes in and out of a gateway by HTTP and MQTT: who may write, where a work order is seen, what is counted. And
//! that its sockets reach nothing but loopback.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;

use crate::support::mqtt::Subscriber;
use crate::support::ship::Ship;
use crate::support::{eventually, get_json};
use crate::{readings_come, vessel};

/// REQUIREMENTS Q4, with the prefix of this product. Counters end in `_total`.
const METRICS: [&str; 9] = [
    "hawser_mqtt_messages_published_total",
    "hawser_mqtt_messages_queued_total",
    "hawser_mqtt_messages_dropped_total",
    "hawser_mqtt_publish_failures_total",
    "hawser_mqtt_reconnection_attempts_total",
    "hawser_mqtt_queue_flushes_total",
    "hawser_mqtt_queue_depth",
    "hawser_mqtt_queue_utilization_percent",
    "hawser_mqtt_connection_status",
];

const TOPIC: &str = "vessel/sync/work_orders";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_order_needs_a_token_and_is_seen_everywhere() {
    let ship = Ship::new();
    let more = format!("{}{}", Ship::broker_section(ship.broker_port), ship.shore_section());
    let mut processes =
        [ship.broker(), ship.shore(&ship.write_shore("last_write_wins")), ship.gateway(&ship.write_gateway(&more))];
    processes.iter_mut().for_each(crate::support::Process::start);
    let subscriber = Subscriber::start(ship.broker_port, "vessel/sync/#");
    ship.gateway_answers().await;
    ship.shore_answers().await;

    let order = json!({"title": "Check the bilge pump", "status": "open"});
    let refused = ship.client.post(ship.url("/api/work-orders")).json(&order).send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    let none = get_json(&ship.client, &ship.url("/api/records/work_orders")).await.expect("a list");
    assert_eq!(none, json!([]), "who has no token changes nothing");
    let (status, saved) = ship.write_on_board(Method::POST, "/api/work-orders", &order).await;
    assert_eq!(status, 201, "{saved}");
    let list = get_json(&ship.client, &ship.url("/api/records/work_orders")).await.expect("a list");
    assert_eq!((list.as_array().map(Vec::len), &list[0]["id"]), (Some(1), &saved["id"]), "{list}");

    eventually("the order is published", async || heard(&subscriber, &saved["changeId"])).await;
    let late = Subscriber::start(ship.broker_port, TOPIC);
    eventually("the order is retained for who comes late", async || heard(&late, &saved["changeId"])).await;
    eventually("the order is ashore", async || {
        let list = ship.list_ashore("work_orders").await?;
        if list[0]["id"] == saved["id"] { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    let text = ship.client.get(ship.url("/metrics")).send().await.expect("an answer").text().await.expect("text");
    for name in METRICS {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name}{{"))), "{name} is missing\n{text}");
    }
    let published =
        format!("{}{{broker=\"board\",entity_type=\"work_orders\",operation=\"create\",qos=\"1\"}} 1", METRICS[0]);
    assert!(text.lines().any(|line| line == published), "{published} is missing\n{text}");
    only_loopback(processes[2].id());
    only_loopback(processes[1].id());
    for process in &mut processes[1..] {
        let status = process.stop(Signal::SIGTERM);
        assert!(status.success(), "{status}\n{}", process.said());
    }
}

fn heard(subscriber: &Subscriber, change_id: &serde_json::Value) -> Result<(), String> {
    let all = subscriber.got();
    let of_topic: Vec<_> = all.iter().filter(|got| got.topic == TOPIC).collect();
    let Some(got) = of_topic.iter().find(|got| &got.json["messageId"] == change_id) else {
        return Err(format!("{all:?}"));
    };
    assert_eq!((got.qos, got.retain, of_topic.len()), (1, true, 1), "{got:?}");
    assert_eq!((&got.json["operation"], &got.json["entity"]), (&json!("create"), &json!("work_orders")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telemetry_is_counted_and_pruned_on_demand() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let mut gateway = ship.gateway(&ship.write_gateway(&Ship::bus_section("bridge", bus)));
    gateway.start();
    ship.gateway_answers().await;
    readings_come(&ship).await;
    let stats = get_json(&ship.client, &ship.url("/api/telemetry/stats")).await.expect("figures");
    assert!(stats["telemetryRows"].as_u64() > Some(100), "{stats}");
    let refused = ship.client.post(ship.url("/api/telemetry/prune")).send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    let (status, pruned) = ship.write_on_board(Method::POST, "/api/telemetry/prune", &json!({})).await;
    let keys: BTreeSet<&str> = pruned.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!((status, keys), (200, BTreeSet::from(["success", "duration", "telemetryDeleted"])));
    assert_eq!((&pruned["success"], &pruned["telemetryDeleted"]), (&json!(true), &json!(0)), "all is young");
    assert!(pruned["duration"].is_number());
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let health = get_json(&ship.client, &ship.url(path)).await.expect("an answer");
        assert_eq!(health, json!({"status": status, "reasons": []}));
    }
    let taken = sim.stop().await;
    assert!(gateway.stop(Signal::SIGTERM).success());
    assert_eq!(crate::support::stores::readings_on_board(&ship.gateway_dir()).len() as u64, taken);
}

/// Every socket of a process, from the kernel's tables (proc(5), `/proc/net/tcp`): both ends are loopback or nothing.
fn only_loopback(pid: u32) {
    let link = |fd: std::fs::DirEntry| std::fs::read_link(fd.path()).map(|to| to.to_string_lossy().into_owned());
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let inodes: BTreeSet<String> = descriptors
        .filter_map(|fd| link(fd.ok()?).ok()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    let mut seen = 0;
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if !inodes.contains(columns[9]) {
                continue;
            }
            seen += 1;
            for end in &columns[1..3] {
                let (address, port) = end.split_once(':').expect("address:port");
                let nothing = address.bytes().all(|digit| digit == b'0') && port == "0000";
                assert!(address == "0100007F" || nothing, "a socket beyond loopback: {line}");
            }
        }
    }
    assert!(seen > 0, "a server has a socket");
}
