//! A subscriber that hears everything and comes back by itself, and a gate that lets the gateway to the broker only
//! while the subscriber is there: what a broker acknowledged while nobody listened is rightly heard by nobody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, Publish, QoS, SubscribeFilterInput};
use serde_json::Value as Json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub topic: String,
    pub json: Json,
    pub qos: u8,
    pub retain: bool,
}

impl From<Publish> for Got {
    fn from(publish: Publish) -> Self {
        Self {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            json: serde_json::from_slice(&publish.payload).unwrap_or(Json::Null),
            qos: publish.qos as u8,
            retain: publish.retain,
        }
    }
}

pub struct Subscriber {
    got: Arc<Mutex<Vec<Got>>>,
    present: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Subscriber {
    /// Subscribes to `pattern` with QoS 1, as soon as there is a broker, and again after each loss.
    pub fn start(port: u16, pattern: &str) -> Self {
        let mut options = MqttOptions::new(format!("subscriber-{}", Uuid::new_v4()), ("127.0.0.1", port));
        options.set_incoming_packet_size_limit(rumqttc::IncomingPacketSizeLimit::Unlimited);
        let (client, mut event_loop) = AsyncClient::builder(options).capacity(16).build();
        let (got, present) = (Arc::new(Mutex::new(Vec::new())), watch::Sender::new(false));
        let (kept, telling, pattern) = (Arc::clone(&got), present.clone(), pattern.to_owned());
        let task = tokio::spawn(async move {
            loop {
                match event_loop.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let filter = SubscribeFilterInput::new(pattern.clone(), QoS::AtLeastOnce).preserve_retain(true);
                        client.try_subscribe_many([filter]).expect("room for one request");
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => drop(telling.send_replace(true)),
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        kept.lock().expect("no panic while held").push(Got::from(publish));
                    }
                    Ok(_) => {}
                    Err(_) => {
                        telling.send_replace(false);
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
        });
        Self { got, present, task }
    }

    /// Whoever is about to kill the broker says so first, so that the gate is shut in time.
    pub fn is_cut_off(&self) {
        self.present.send_replace(false);
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic while held").clone()
    }

    /// `messageId` of every change heard, live or as catch-up, and how many messages that were.
    pub fn change_ids(&self) -> (BTreeSet<String>, usize) {
        let got = self.got();
        let ids: Vec<String> = got
            .iter()
            .filter(|got| got.json["type"] == "data_change" || got.json["type"] == "catchup")
            .filter_map(|got| got.json["messageId"].as_str().map(str::to_owned))
            .collect();
        (ids.iter().cloned().collect(), ids.len())
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The way from the gateway to the broker.
pub struct Gate {
    pub port: u16,
    task: JoinHandle<()>,
}

impl Gate {
    pub async fn before(broker_port: u16, subscriber: &Subscriber) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::free_port())).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let present = subscriber.present.subscribe();
        let task = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else { continue };
                tokio::spawn(carry(near, broker_port, present.clone()));
            }
        });
        Self { port, task }
    }
}

async fn carry(mut near: TcpStream, port: u16, mut present: watch::Receiver<bool>) {
    if present.wait_for(|present| *present).await.is_err() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = present.wait_for(|present| !*present) => {}
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
