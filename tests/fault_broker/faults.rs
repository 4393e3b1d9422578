//! The uplink against a peer that misbehaves by script: nothing is lost, and the cursor never runs ahead.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawser::reading::SeriesRegistry;
use hawser::record::Collection;
use hawser::uplink::Timing;
use uuid::Uuid;

use super::{Link, NOT_AUTHORIZED, QUOTA_EXCEEDED, Sent, fault_broker};
use crate::config;
use crate::mqtt_support::{Gateway, MemoryFeed, eventually, heard, hurried, reading};

/// What the fault broker acknowledged, and how often the cursor ran ahead of it.
#[derive(Clone, Default)]
struct Books {
    acknowledged: Arc<Mutex<HashSet<String>>>,
    ahead: Arc<Mutex<Vec<u64>>>,
}

impl Books {
    fn note(&self, payload: &[u8]) {
        let said: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        if let Some(id) = said["messageId"].as_str() {
            self.acknowledged.lock().unwrap().insert(id.to_owned());
        }
    }

    fn watch(&self, feed: &MemoryFeed) {
        let books = self.clone();
        feed.watch_cursor(Box::new(move |cursor, changes| {
            let acknowledged = books.acknowledged.lock().unwrap();
            let settled = |id: &Uuid| acknowledged.contains(&id.to_string());
            if !changes.iter().filter(|c| c.version <= cursor).all(|c| settled(&c.change.change_id)) {
                books.ahead.lock().unwrap().push(cursor);
            }
        }));
    }

    fn assert_nothing_is_lost(&self, feed: &MemoryFeed) {
        assert_eq!(*self.ahead.lock().unwrap(), [0; 0], "the cursor ran ahead of the acknowledgements");
        let acknowledged = self.acknowledged.lock().unwrap();
        let lost: Vec<_> = feed.ids().into_iter().filter(|id| !acknowledged.contains(id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}

/// Reads `publishes` without answering, then drops the link; from the fourth connection on behaves.
async fn withhold_then_drop(number: u32, mut link: Link, keeps_session: bool, books: Books) {
    link.accept(keeps_session && number > 1).await;
    let mut withheld = 0;
    let mut held = std::collections::HashMap::new();
    while let Some(sent) = link.read().await {
        if let Sent::Publish { qos: 1 | 2, packet_id, payload, .. } = &sent {
            if number < 4 {
                withheld += 1;
                // The first is acknowledged, the rest is not: the acknowledgements are late and the link breaks.
                if withheld == 1 && *packet_id > 0 {
                    books.note(payload);
                    link.behave(&sent).await;
                }
                if withheld == 15 {
                    return;
                }
                continue;
            }
            held.insert(*packet_id, payload.clone());
        }
        let settled = match &sent {
            Sent::Publish { qos: 1, packet_id, .. } | Sent::PubRel { packet_id } => held.remove(packet_id),
            _ => None,
        };
        if let Some(payload) = settled {
            books.note(&payload);
        }
        link.behave(&sent).await;
    }
}

async fn late_acknowledgements(keeps_session: bool) {
    let books = Books::default();
    let script_books = books.clone();
    let (port, broker) =
        fault_broker(move |number, link| withhold_then_drop(number, link, keeps_session, script_books.clone())).await;
    let feed = MemoryFeed::new();
    books.watch(&feed);
    for number in 1..=60 {
        feed.create(Collection::WorkOrders, number, "one of many");
    }
    let gateway = Gateway::start(config(&format!("mqtt://127.0.0.1:{port}")), &feed);
    eventually("all are acknowledged", || feed.is_delivered()).await;
    books.assert_nothing_is_lost(&feed);
    gateway.stop().await;
    broker.abort();
}

#[tokio::test]
async fn late_acknowledgements_and_a_broken_link_lose_nothing_when_the_session_is_kept() {
    late_acknowledgements(true).await;
}

#[tokio::test]
async fn late_acknowledgements_and_a_broken_link_lose_nothing_when_the_session_is_lost() {
    late_acknowledgements(false).await;
}

/// Answers bursts of five in reverse and the first change not at all, until a batch of readings comes: it goes out
/// after a tick, and the tick saves the cursor. Gives that cursor to `seen`, then behaves.
async fn answer_in_reverse(mut link: Link, feed: Arc<MemoryFeed>, books: Books, seen: tokio::sync::mpsc::Sender<u64>) {
    link.accept(false).await;
    let (mut first, mut held, mut reverse) = (None, Vec::new(), true);
    while let Some(sent) = link.read().await {
        let Sent::Publish { topic, qos: 1, packet_id, payload, .. } = sent else {
            link.behave(&sent).await;
            continue;
        };
        if topic == "vessel/telemetry/batch" {
            _ = seen.send(feed.cursor_now()).await;
            reverse = false;
            held.extend(first.take());
        }
        if reverse && first.is_none() && topic == "vessel/sync/work_orders" {
            first = Some((packet_id, payload));
            continue;
        }
        held.push((packet_id, payload));
        while (held.len() >= 5 || !reverse) && !held.is_empty() {
            for (packet_id, payload) in held.drain(..).rev() {
                books.note(&payload);
                link.puback(packet_id, 0).await;
            }
        }
    }
}

#[tokio::test]
async fn acknowledgements_out_of_order_never_move_the_cursor_over_a_hole() {
    let (books, feed) = (Books::default(), MemoryFeed::new());
    let (seen, mut cursors) = tokio::sync::mpsc::channel(16);
    let (script_books, script_feed) = (books.clone(), Arc::clone(&feed));
    let (port, broker) = fault_broker(move |_, link| {
        answer_in_reverse(link, Arc::clone(&script_feed), script_books.clone(), seen.clone())
    })
    .await;
    books.watch(&feed);
    for number in 1..=100 {
        feed.create(Collection::WorkOrders, number, "one of many");
    }
    let gateway = Gateway::start(config(&format!("mqtt://127.0.0.1:{port}")), &feed);
    let answered = || books.acknowledged.lock().unwrap().len() >= 95;
    eventually("nearly all are answered", answered).await;
    gateway.telemetry.send(Arc::new(vec![reading(&SeriesRegistry::default(), "a.b", 1.0)])).unwrap();
    assert_eq!(heard(&mut cursors).await, 0, "the first change is not acknowledged");
    eventually("all are acknowledged", || feed.is_delivered()).await;
    books.assert_nothing_is_lost(&feed);
    gateway.stop().await;
    broker.abort();
}

#[tokio::test]
async fn garbage_silence_and_refusals_are_survived() {
    let (port, broker) = fault_broker(move |number, mut link| async move {
        match number {
            // Not MQTT at all; a length that never ends; a packet in the place of CONNACK; refused; nothing said.
            1 => link.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
            2 => link.send(&[0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).await,
            3 => link.send(&[0xD0, 0]).await,
            4 => {
                link.read().await;
                link.send(&[0x20, 3, 0, NOT_AUTHORIZED, 0]).await;
            }
            5 => while link.read().await.is_some() {},
            6 => {
                // Sound first, then garbage in the middle of the stream.
                link.accept(false).await;
                link.read().await;
                link.send(&[0x40, 2, 0xFF]).await;
                link.send(&[0xFF; 64]).await;
            }
            _ => {
                link.accept(false).await;
                while let Some(sent) = link.read().await {
                    link.behave(&sent).await;
                }
            }
        }
    })
    .await;
    let feed = MemoryFeed::new();
    feed.create(Collection::Alerts, 1, "fire");
    feed.create(Collection::WorkOrders, 2, "oil");
    let timing = Timing { connect_timeout: Duration::from_millis(300), ..hurried() };
    let gateway = Gateway::start_with(config(&format!("mqtt://127.0.0.1:{port}")), &feed, timing);
    eventually("all are acknowledged in the end", || feed.is_delivered()).await;
    assert!(gateway.handle.health().metrics.reconnection_attempts >= 6);
    gateway.stop().await;
    broker.abort();
}

#[tokio::test]
async fn the_connect_says_what_the_documents_ask() {
    let (told, mut connects) = tokio::sync::mpsc::channel(4);
    let (port, broker) = fault_broker(move |_, mut link| {
        let told = told.clone();
        async move {
            if let Some(connect) = link.accept(false).await {
                _ = told.send(connect).await;
            }
        }
    })
    .await;
    let gateway = Gateway::start(config(&format!("mqtt://127.0.0.1:{port}")), &MemoryFeed::new());
    for _ in 0..2 {
        let Sent::Connect { client_id, clean_start, keep_alive_s, properties, has_will } = heard(&mut connects).await
        else {
            panic!("the first packet is CONNECT")
        };
        assert_eq!((&*client_id, clean_start, keep_alive_s, has_will), ("vessel-aurora-gateway", false, 60, true));
        // Session expiry interval 30 days (17), receive maximum 20 (33): MQTT 5, 3.1.2.11.
        let expiry = [[17].as_slice(), &2_592_000_u32.to_be_bytes()].concat();
        assert!(properties.windows(5).any(|five| five == expiry), "{properties:?}");
        assert!(properties.windows(3).any(|three| three == [33, 0, 20]), "{properties:?}");
    }
    gateway.stop.cancel();
    broker.abort();
}

async fn refused_with(reason: u8) -> (Arc<MemoryFeed>, usize) {
    let refusals = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&refusals);
    let (port, broker) = fault_broker(move |_, mut link| {
        let refusals = Arc::clone(&counted);
        async move {
            link.accept(false).await;
            while let Some(sent) = link.read().await {
                match &sent {
                    Sent::Publish { topic, packet_id, .. } if topic == "vessel/sync/crew" => {
                        *refusals.lock().unwrap() += 1;
                        link.puback(*packet_id, reason).await;
                    }
                    _ => link.behave(&sent).await,
                }
            }
        }
    })
    .await;
    let feed = MemoryFeed::new();
    feed.create(Collection::Crew, 1, "refused");
    feed.create(Collection::WorkOrders, 2, "taken");
    let gateway = Gateway::start(config(&format!("mqtt://127.0.0.1:{port}")), &feed);
    eventually("the cursor goes on", || feed.is_delivered()).await;
    assert_eq!(gateway.handle.health().metrics.dead_letters, 1);
    gateway.stop().await;
    broker.abort();
    let refusals = *refusals.lock().unwrap();
    (feed, refusals)
}

#[tokio::test]
async fn a_clear_refusal_is_a_dead_letter_at_once() {
    let (feed, refusals) = refused_with(NOT_AUTHORIZED).await;
    assert_eq!(refusals, 1);
    assert_eq!(feed.dead_letters().iter().map(|(version, _)| *version).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn an_unclear_refusal_is_tried_five_times() {
    let (feed, refusals) = refused_with(QUOTA_EXCEEDED).await;
    assert_eq!(refusals, 5);
    assert_eq!(feed.dead_letters().iter().map(|(version, _)| *version).collect::<Vec<_>>(), [1]);
}
