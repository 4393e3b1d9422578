//! The uplink against a real mosquitto, seen by a real subscriber, and against a peer that misbehaves by script.
//!
//! No test waits for a time: each waits for what must come, with the patience of a minute.

mod fault_broker;
mod mqtt_support;

use std::sync::Arc;
use std::time::Duration;

use hawser::clock::Stamp;
use hawser::config::BrokerConfig;
use hawser::reading::SeriesRegistry;
use hawser::record::{ChangeType, Collection};
use hawser::uplink::metrics::{BrokerLabel, PublishedLabels};
use hawser::uplink::{ConflictNotice, SubscriptionEvent};
use mqtt_support::{Gate, Gateway, MemoryFeed, Mosquitto, Subscriber, eventually, free_port, heard, reading};
use uuid::Uuid;

fn config(url: &str) -> BrokerConfig {
    BrokerConfig::new("board", url)
}

fn label() -> BrokerLabel {
    BrokerLabel { broker: "board".to_owned() }
}

/// Each change must have come, and those of one record in the order of the log.
fn assert_all_came_in_order(subscriber: &Subscriber, feed: &MemoryFeed) {
    let (came, made) = (subscriber.change_ids(), feed.ids());
    let missing: Vec<_> = made.iter().filter(|id| !came.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {} changes never came: {missing:?}", missing.len(), made.len());
    let mut records: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
    for got in subscriber.got() {
        let (id, json) = (got.text("messageId"), got.json());
        if ["data_change", "catchup"].contains(&json["type"].as_str().unwrap_or_default()) {
            let row = records.entry(json["data"]["id"].to_string()).or_default();
            if !row.contains(&id) {
                row.push(id);
            }
        }
    }
    for row in records.values() {
        assert!(row.is_sorted(), "the changes of a record came out of order: {row:?}");
    }
}

#[tokio::test]
async fn each_change_goes_out_with_the_qos_and_retain_of_the_documents() {
    let broker = Mosquitto::start().await;
    let subscriber = Subscriber::start(broker.port, "#").await;
    let feed = MemoryFeed::new();
    let gateway = Gateway::start(config(&broker.url()), &feed);
    for (number, collection) in Collection::ALL.into_iter().enumerate() {
        feed.create(collection, number as u128 + 1, "first");
    }
    eventually("all changes are acknowledged", || feed.is_delivered()).await;
    eventually("all changes came", || subscriber.change_ids().len() == 5).await;
    for (number, collection) in Collection::ALL.into_iter().enumerate() {
        let qos = if collection == Collection::Alerts { 2 } else { 1 };
        let change = &subscriber.on(&format!("vessel/sync/{collection}"))[0];
        assert_eq!((change.qos, change.retain), (qos, true), "{collection}");
        assert_eq!(change.text("operation"), "create");
        assert_eq!(change.text("entity"), collection.name());
        let id = Uuid::from_u128(number as u128 + 1);
        let states = subscriber.on(&format!("vessel/sync/{collection}/{id}"));
        if collection == Collection::Crew {
            assert!(states.is_empty(), "crew records are not retained one by one");
        } else {
            assert_eq!((states[0].qos, states[0].retain), (qos, true), "{collection}");
            assert_eq!(states[0].json()["data"]["title"], "first");
        }
    }
    let status = &subscriber.on("vessel/sync/system/status")[0];
    assert_eq!((status.qos, status.retain, &*status.text("status")), (1, true, "online"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_late_joiner_gets_the_state_of_every_record_and_a_delete_clears_it() {
    let broker = Mosquitto::start().await;
    let feed = MemoryFeed::new();
    let gateway = Gateway::start(config(&broker.url()), &feed);
    for number in 1..=250 {
        feed.create(Collection::Equipment, number, "pump");
    }
    let gone = Uuid::from_u128(7);
    feed.edit(Collection::Equipment, gone, ChangeType::Deleted, "");
    feed.edit(Collection::Equipment, Uuid::from_u128(8), ChangeType::Updated, "pump 8");
    eventually("all changes are acknowledged", || feed.is_delivered()).await;
    let late = Subscriber::start(broker.port, "vessel/sync/equipment/#").await;
    // One topic a record, and the last change on the collection's own.
    eventually("all states came", || late.got().len() == 250).await;
    assert!(late.on(&format!("vessel/sync/equipment/{gone}")).is_empty());
    let eighth = late.on(&format!("vessel/sync/equipment/{}", Uuid::from_u128(8)));
    assert_eq!(eighth[0].json()["data"]["title"], "pump 8");
    gateway.stop().await;
}

#[tokio::test]
async fn crew_is_retained_one_by_one_only_when_asked_for() {
    let broker = Mosquitto::start().await;
    let feed = MemoryFeed::new();
    let id = feed.create(Collection::Crew, 1, "ann");
    let gateway = Gateway::start(BrokerConfig { retain_crew: true, ..config(&broker.url()) }, &feed);
    eventually("the change is acknowledged", || feed.is_delivered()).await;
    let late = Subscriber::start(broker.port, &format!("vessel/sync/crew/{id}")).await;
    eventually("the state came", || late.got().len() == 1).await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_status_says_online_then_offline_at_a_clean_stop() {
    let broker = Mosquitto::start().await;
    let subscriber = Subscriber::start(broker.port, "vessel/sync/system/status").await;
    let feed = MemoryFeed::new();
    let gateway = Gateway::start(config(&broker.url()), &feed);
    gateway.online().await;
    feed.create(Collection::WorkOrders, 1, "at the last moment");
    gateway.stop().await;
    assert!(feed.is_delivered(), "a clean stop flushes");
    eventually("both came", || subscriber.got().len() == 2).await;
    let said: Vec<_> = subscriber.got().iter().map(|got| got.text("status")).collect();
    assert_eq!(said, ["online", "offline"]);
}

/// Runs a gateway in a runtime of its own and takes that away, as a crash would.
fn crash_once_online(config: BrokerConfig, feed: &Arc<MemoryFeed>, before: impl FnOnce(&MemoryFeed) + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let gateway = Gateway::start(config, feed);
        gateway.online().await;
        before(feed);
        eventually("delivered before the crash", || feed.is_delivered()).await;
    });
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_will_says_offline_when_the_gateway_vanishes_and_it_resumes_after_a_restart() {
    let broker = Mosquitto::start().await;
    let subscriber = Subscriber::start(broker.port, "vessel/sync/#").await;
    let feed = MemoryFeed::new();
    let (crashing, url) = (Arc::clone(&feed), broker.url());
    tokio::task::spawn_blocking(move || {
        crash_once_online(config(&url), &crashing, |feed| _ = feed.create(Collection::Alerts, 1, "fire"));
    })
    .await
    .unwrap();
    let offline = || subscriber.on("vessel/sync/system/status").iter().any(|got| got.text("status") == "offline");
    eventually("the will came", offline).await;
    // The broker kept the session of the process that crashed; the new one knows nothing of it and must get on.
    feed.create(Collection::Alerts, 2, "flood");
    let gateway = Gateway::start(config(&broker.url()), &feed);
    eventually("the change after the restart is acknowledged", || feed.is_delivered()).await;
    eventually("it came", || subscriber.change_ids().len() == 2).await;
    let last = subscriber.on("vessel/sync/system/status").last().cloned().unwrap();
    assert_eq!(last.text("status"), "online");
    gateway.stop().await;
}

#[tokio::test]
async fn a_broker_killed_mid_stream_loses_no_change() {
    let mut broker = Mosquitto::start().await;
    let gate = Gate::to(broker.port).await;
    let mut subscriber = Subscriber::start(broker.port, "#").await;
    let feed = MemoryFeed::new();
    let gateway = Gateway::start(config(&gate.url()), &feed);
    let collections = [Collection::WorkOrders, Collection::Alerts, Collection::Maintenance];
    let writer = {
        let feed = Arc::clone(&feed);
        tokio::spawn(async move {
            for number in 0..600_u128 {
                // Ten records, each edited again and again.
                let (id, collection) = (Uuid::from_u128(number % 10 + 1), collections[(number % 10 % 3) as usize]);
                feed.edit(collection, id, ChangeType::Updated, &format!("edit {number}"));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    };
    for (round, after) in [(2, 100), (3, 300)] {
        eventually("some are through", || feed.cursor_now() > after).await;
        broker.kill();
        gate.set(false);
        broker.restart().await;
        // Who is not subscribed gets nothing: MQTT. The gateway is let in when the subscriber is back.
        subscriber.ready_again(round).await;
        gate.set(true);
    }
    writer.await.unwrap();
    eventually("all are acknowledged", || feed.is_delivered()).await;
    eventually("all came", || subscriber.change_ids().len() == 600).await;
    assert_all_came_in_order(&subscriber, &feed);
    assert_eq!(gateway.handle.health().metrics.dead_letters, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_broker_that_lost_its_memory_is_refilled() {
    let mut broker = Mosquitto::start().await;
    let feed = MemoryFeed::new();
    let gateway = Gateway::start(config(&broker.url()), &feed);
    for number in 1..=130 {
        feed.create(Collection::Maintenance, number, "grease");
    }
    eventually("all are acknowledged", || feed.is_delivered()).await;
    broker.kill();
    eventually("the uplink has seen it", || !gateway.handle.health().connected).await;
    broker.restart().await;
    gateway.online().await;
    eventually("the queue is flushed again", || gateway.handle.health().metrics.queue_flushes == 2).await;
    let late = Subscriber::start(broker.port, "vessel/sync/maintenance/+").await;
    eventually("all states are retained again", || late.got().len() == 130).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_broker_absent_at_the_start_is_caught_up_from_the_log_when_it_fell_behind_the_ring() {
    let port = free_port().await;
    let feed = MemoryFeed::new();
    let gate = Gate::to(port).await;
    let small = BrokerConfig { queue_messages_max: 50, ..config(&gate.url()) };
    let gateway = Gateway::start(small, &feed);
    for number in 0..250_u128 {
        feed.edit(Collection::WorkOrders, Uuid::from_u128(number % 20 + 1), ChangeType::Updated, &number.to_string());
    }
    eventually("the depth is shown", || gateway.handle.health().depth == 250).await;
    assert_eq!(gateway.handle.health().utilization_percent, 100.0);
    // The gateway is let in when the subscriber is there.
    gate.set(false);
    let broker = Mosquitto::start_on(port, "").await;
    let subscriber = Subscriber::start(broker.port, "vessel/sync/#").await;
    gate.set(true);
    eventually("all are acknowledged", || feed.is_delivered()).await;
    eventually("all came", || subscriber.change_ids().len() == 250).await;
    assert_all_came_in_order(&subscriber, &feed);
    let caught = subscriber.on("vessel/sync/catchup/work_orders");
    assert!(caught.iter().all(|got| got.qos == 1 && !got.retain && got.text("type") == "catchup"));
    let last = caught.last().unwrap().json();
    assert_eq!((last["sequence"].as_u64(), last["total"].as_u64()), (Some(250), Some(250)));
    assert!(subscriber.on("vessel/sync/work_orders").is_empty(), "nothing was live");
    assert_eq!(gateway.handle.health().metrics.catchup_messages, 250);
    // Who missed some may ask (K1).
    gateway.handle.request_catchup(240).unwrap();
    eventually("ten came again", || subscriber.on("vessel/sync/catchup/work_orders").len() == 260).await;
    gateway.stop().await;
}

#[tokio::test]
async fn live_values_and_batches_go_out() {
    let broker = Mosquitto::start().await;
    let subscriber = Subscriber::start(broker.port, "vessel/telemetry/#").await;
    let gateway = Gateway::start(config(&broker.url()), &MemoryFeed::new());
    gateway.online().await;
    let registry = SeriesRegistry::default();
    let fast: Vec<_> = (0..100).map(|n| reading(&registry, "navigation.speedOverGround", f64::from(n))).collect();
    gateway.telemetry.send(Arc::new(fast)).unwrap();
    let live = "vessel/telemetry/live/navigation/speedOverGround";
    eventually("live values came", || subscriber.on(live).len() == 2).await;
    eventually("a batch came", || !subscriber.on("vessel/telemetry/batch").is_empty()).await;
    let values: Vec<_> = subscriber.on(live).iter().map(|got| got.json()["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [0.0, 99.0], "the first at once, the newest when a second is over");
    assert!(subscriber.on(live).iter().all(|got| got.qos == 0 && !got.retain));
    let batch = &subscriber.on("vessel/telemetry/batch")[0];
    assert_eq!((batch.qos, batch.retain, &*batch.text("type")), (1, false, "telemetry_batch"));
    assert_eq!(batch.json()["readings"].as_array().unwrap().len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn open_conflicts_are_retained() {
    let broker = Mosquitto::start().await;
    let feed = MemoryFeed::new();
    let gateway = Gateway::start(config(&broker.url()), &feed);
    gateway.online().await;
    let notice = ConflictNotice {
        id: Uuid::from_u128(4),
        entity: Collection::WorkOrders,
        entity_id: Uuid::from_u128(5),
        reason: "status edited on both sides".to_owned(),
        detected_at: Stamp::from_millis(0),
    };
    feed.set_conflicts(vec![notice]);
    let subscriber = Subscriber::start(broker.port, "vessel/sync/conflicts").await;
    let one_open = || subscriber.got().last().is_some_and(|got| got.json()["open"] == 1);
    eventually("the conflict came", one_open).await;
    let got = subscriber.got().last().cloned().unwrap();
    assert_eq!((got.qos, got.retain), (1, true));
    gateway.stop().await;
}

#[tokio::test]
async fn subscriptions_are_remembered_offline_and_end() {
    let port = free_port().await;
    let gateway = Gateway::start(config(&format!("mqtt://127.0.0.1:{port}")), &MemoryFeed::new());
    assert!(gateway.handle.subscribe("a/#/b").is_err(), "no pattern");
    gateway.handle.unsubscribe("never/asked/for").unwrap();
    let mut first = gateway.handle.subscribe("shore/commands/+").unwrap();
    let mut second = gateway.handle.subscribe("shore/commands/+").unwrap();
    eventually("both are one", || gateway.handle.health().active_subscriptions == 1).await;
    let broker = Mosquitto::start_on(port, "").await;
    let speaker = Subscriber::start(broker.port, "vessel/sync/system/status").await;
    gateway.online().await;
    let options = rumqttc::PublishOptions::at_least_once().retained();
    speaker.client.publish("shore/commands/reboot", b"now".to_vec(), options).await.unwrap();
    for events in [&mut first, &mut second] {
        let SubscriptionEvent::Incoming(incoming) = heard(events).await else { panic!("it was not refused") };
        assert_eq!((&*incoming.topic, &*incoming.payload), ("shore/commands/reboot", &b"now"[..]));
    }
    gateway.handle.unsubscribe("shore/commands/+").unwrap();
    assert!(first.recv().await.is_none(), "it ends");
    gateway.stop().await;
}

#[tokio::test]
async fn every_metric_moves() {
    let port = free_port().await;
    let feed = MemoryFeed::new();
    let small = BrokerConfig { queue_messages_max: 4, ..config(&format!("mqtt://127.0.0.1:{port}")) };
    let gateway = Gateway::start(small, &feed);
    let (metrics, one) = (gateway.metrics.clone(), label());
    let registry = SeriesRegistry::default();
    let paths = ["a.b", "a.c", "a.d", "a.e", "a.f", "a.g"];
    gateway.telemetry.send(Arc::new(paths.map(|path| reading(&registry, path, 1.0)).to_vec())).unwrap();
    feed.create(Collection::Alerts, 1, "fire");
    eventually("queued", || metrics.queued.get_or_create(&one).get() >= 4).await;
    eventually("dropped", || metrics.dropped.get_or_create(&one).get() >= 2).await;
    eventually("tried again", || metrics.reconnection_attempts.get_or_create(&one).get() > 0).await;
    eventually("depth", || metrics.queue_depth.get_or_create(&one).get() >= 4).await;
    eventually("utilization", || metrics.queue_utilization.get_or_create(&one).get() == 100.0).await;
    assert_eq!(metrics.connection_status.get_or_create(&one).get(), 0);
    let _broker = Mosquitto::start_on(port, "max_packet_size 2000").await;
    eventually("connected", || metrics.connection_status.get_or_create(&one).get() == 1).await;
    let published = PublishedLabels { broker: "board".to_owned(), entity_type: "alerts", operation: "create", qos: 2 };
    eventually("published", || metrics.published.get_or_create(&published).get() == 1).await;
    eventually("flushed", || metrics.queue_flushes.get_or_create(&one).get() == 1).await;
    assert_eq!(metrics.publish_failures.get_or_create(&one).get(), 0);
    // Larger than the broker takes: a dead letter, and the next change goes on.
    feed.create(Collection::WorkOrders, 2, &"x".repeat(5_000));
    feed.create(Collection::WorkOrders, 3, "small");
    eventually("failed", || metrics.publish_failures.get_or_create(&one).get() >= 1).await;
    eventually("the cursor goes on", || feed.is_delivered()).await;
    assert!(feed.dead_letters().iter().all(|(version, _)| *version == 2) && !feed.dead_letters().is_empty());
    gateway.stop().await;
    assert_eq!(metrics.connection_status.get_or_create(&one).get(), 0);
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_delays_and_loses_nothing() {
    let broker = Mosquitto::start().await;
    let feed = MemoryFeed::new();
    feed.fail(true);
    let gateway = Gateway::start(config(&broker.url()), &feed);
    feed.create(Collection::WorkOrders, 1, "before");
    feed.fail(false);
    eventually("delivered when the store answers", || feed.is_delivered()).await;
    feed.fail(true);
    feed.create(Collection::WorkOrders, 2, "meanwhile");
    feed.fail(false);
    eventually("delivered again", || feed.is_delivered()).await;
    gateway.stop().await;
}

/// Runs openssl in `dir`, which makes the certificates of the test anew each time: none is kept in the tree.
fn openssl(dir: &std::path::Path, arguments: &str) {
    let output = std::process::Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    let output = output.unwrap_or_else(|error| {
        panic!("openssl cannot be started ({error}); install it with `apt-get install openssl`")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_client_certificate_over_tls_is_enough_and_an_unknown_authority_is_refused() {
    let files = tempfile::tempdir().unwrap();
    let dir = files.path();
    std::fs::write(dir.join("san"), "subjectAltName=IP:127.0.0.1").unwrap();
    for name in ["ca", "other"] {
        openssl(
            dir,
            &format!("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"),
        );
    }
    for name in ["server", "client"] {
        openssl(dir, &format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out {name}.pem"
            ),
        );
    }
    let path = |name: &str| dir.join(name);
    // Started by root, mosquitto would become another user, who cannot read the files of the test.
    let tls = format!(
        "user root\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        path("ca.pem").display(),
        path("server.pem").display(),
        path("server.key").display()
    );
    let broker = Mosquitto::start_on(free_port().await, &tls).await;
    let url = format!("mqtts://127.0.0.1:{}", broker.port);
    let sound = BrokerConfig {
        ca_cert: path("ca.pem"),
        client_cert: path("client.pem"),
        client_key: path("client.key"),
        ..config(&url)
    };
    let feed = MemoryFeed::new();
    feed.create(Collection::WorkOrders, 1, "over TLS");
    let wary = Gateway::start(BrokerConfig { ca_cert: path("other.pem"), ..sound.clone() }, &feed);
    eventually("it tried again and again", || wary.handle.health().tries > 3).await;
    assert!(wary.handle.health().last_error.contains("UnknownIssuer"), "{}", wary.handle.health().last_error);
    wary.stop().await;
    assert_eq!(feed.cursor_now(), 0);
    let gateway = Gateway::start(sound, &feed);
    eventually("the change is acknowledged", || feed.is_delivered()).await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_unchecked_certificate_on_board_is_taken_with_a_warning_in_the_health() {
    let unchecked = BrokerConfig { tls_reject_unauthorized: false, ..config("mqtts://127.0.0.1:1") };
    let gateway = Gateway::start(unchecked, &MemoryFeed::new());
    assert!(gateway.handle.health().warnings[0].contains("tls_reject_unauthorized"));
    gateway.stop().await;
}
