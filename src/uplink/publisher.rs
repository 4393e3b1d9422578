//! The MQTT client behind a trait of a few methods, and its implementation on `rumqttc` (the fork that keeps what it
//! sent until it is acknowledged). I/O only: it decides nothing about when to connect or what to send.
//!
//! One task owns rumqttc's event loop, because a connect that is dropped half way starts from the beginning. It
//! connects when told and reports when the link broke; the waits between are the session's.

use std::future::Future;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, IncomingPacketSizeLimit, LastWill, MqttOptions, Packet,
    PublishNoticeError, PublishOptions, QoS, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::BrokerConfig;
use crate::uplink::message::{Message, Qos};
use crate::uplink::session::Answer;
use crate::uplink::{UplinkError, policy, tls};

/// The broker keeps our session this long while we are away (Z11): 30 days, longer than a crossing.
pub const SESSION_EXPIRY_S: u32 = 30 * 24 * 3_600;

/// Messages at QoS 1 and 2 that may be on the way at once, in both directions (SYNC.md, MQTT). Mosquitto's own default.
pub const RECEIVE_MAXIMUM: u16 = 20;

/// Messages at QoS 0 handed to the client and not yet written to the link: one page of a busy engine room.
pub const QOS0_WRITING_MAX: usize = 64;

/// Seconds of silence after which the link is probed (I3).
pub const KEEPALIVE_S: u16 = 60;

/// How long a connect may take, CONNACK included (I3).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest packet taken from a broker: 16 times the largest change.
pub const INCOMING_PACKET_BYTES_MAX: u32 = 1 << 20;

/// Events that wait between the client's task and the uplink; then the client waits, and with it the broker.
const EVENTS_MAX: usize = 64;

/// Requests that wait in the client: all that may be on the way, and a burst of subscriptions.
const REQUESTS_MAX: usize = 256;

const _: () = assert!(RECEIVE_MAXIMUM as usize + QOS0_WRITING_MAX < REQUESTS_MAX);

/// What became of a message that was handed to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// PUBACK or PUBCOMP came; at QoS 0 it was written to the link.
    Acknowledged,
    /// The broker said no.
    Refused {
        /// In its words.
        reason: String,
        /// Whether it would say so again (Z4: a clear answer).
        clear: bool,
    },
    /// The session it belonged to is gone. Whether the broker had it is not known.
    Lost,
}

/// A message from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Where it was published.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether it was kept from earlier.
    pub retained: bool,
}

/// What the client reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The broker accepted us.
    Connected {
        /// What it kept.
        answer: Answer,
        /// The largest packet that it takes, when it has a limit.
        packet_bytes_max: Option<u32>,
    },
    /// The link broke or never stood. Nothing is tried until the next [`MqttClient::connect`].
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// What became of a message.
    Settled {
        /// The number it was handed over with.
        ticket: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// The broker answered a subscription.
    Subscribed {
        /// The pattern.
        pattern: String,
        /// Why not, when it refused.
        refused: Option<String>,
    },
    /// A message came.
    Incoming(Incoming),
}

/// The client's queue is full, or it is closed. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the MQTT client takes no more at the moment")]
pub struct NotTaken;

/// An MQTT client.
pub trait MqttClient: Send + 'static {
    /// Begins one try to connect, with `will` to be published when we vanish.
    fn connect(&mut self, will: Message);

    /// What happens next. May be dropped at any time without loss.
    fn next(&mut self) -> impl Future<Output = ClientEvent> + Send;

    /// Hands a message over; what becomes of it is reported under `ticket`.
    ///
    /// # Errors
    /// The client is full or closed.
    fn publish(&mut self, ticket: u64, message: &Message) -> Result<(), NotTaken>;

    /// Asks for messages that match `pattern`, at QoS 1.
    ///
    /// # Errors
    /// The client is full or closed.
    fn subscribe(&mut self, pattern: &str) -> Result<(), NotTaken>;

    /// Asks for them no more.
    ///
    /// # Errors
    /// The client is full or closed.
    fn unsubscribe(&mut self, pattern: &str) -> Result<(), NotTaken>;

    /// Reports no more what becomes of the messages handed over so far.
    fn forget(&mut self);

    /// Says good-bye; [`ClientEvent::Disconnected`] follows.
    fn disconnect(&mut self);
}

/// The client on `rumqttc`.
pub struct RumqttClient {
    client: AsyncClient,
    events: mpsc::Receiver<ClientEvent>,
    connects: mpsc::Sender<Message>,
    notices: JoinSet<ClientEvent>,
    _driver: JoinSet<()>,
}

impl RumqttClient {
    /// Makes a client for `config`; connects to nothing yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address or a TLS file cannot be used.
    pub fn new(config: &BrokerConfig, vessel_id: &str, connect_timeout: Duration) -> Result<Self, UplinkError> {
        let (client, event_loop) = AsyncClient::builder(options(config, vessel_id, connect_timeout)?)
            .capacity(REQUESTS_MAX)
            .try_build()
            .map_err(|error| UplinkError::Client { broker: config.name.clone(), cause: error.to_string() })?;
        let (events_in, events) = mpsc::channel(EVENTS_MAX);
        let (connects, connects_out) = mpsc::channel(1);
        let mut driver = JoinSet::new();
        driver.spawn(drive(event_loop, connects_out, events_in));
        Ok(Self { client, events, connects, notices: JoinSet::new(), _driver: driver })
    }
}

/// The name by which a broker knows the gateway (Z11): stable, so that a session resumes and none is left behind.
pub fn client_id(vessel_id: &str) -> String {
    format!("vessel-{vessel_id}-gateway")
}

fn options(config: &BrokerConfig, vessel_id: &str, connect_timeout: Duration) -> Result<MqttOptions, UplinkError> {
    let place = policy::address(config)?;
    let mut options = MqttOptions::new(client_id(vessel_id), (place.host.clone(), place.port));
    options.set_keep_alive(KEEPALIVE_S);
    options.set_clean_start(false);
    options.set_connect_timeout(connect_timeout);
    options.set_session_expiry_interval(Some(SESSION_EXPIRY_S));
    options.set_receive_maximum(Some(RECEIVE_MAXIMUM));
    options.set_outgoing_inflight_upper_limit(RECEIVE_MAXIMUM);
    options.set_max_request_batch(usize::from(RECEIVE_MAXIMUM));
    options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(INCOMING_PACKET_BYTES_MAX));
    let first = |ours: &str, inside: &str| if ours.is_empty() { inside.to_owned() } else { ours.to_owned() };
    let username = first(&config.username, &place.username);
    let password = first(&config.password, &place.password);
    match (username.is_empty(), password.is_empty()) {
        (true, true) => {}
        (false, true) => _ = options.set_username(username),
        (true, false) => _ = options.set_password(password.into_bytes()),
        (false, false) => _ = options.set_credentials(username, password.into_bytes()),
    }
    if place.tls {
        options.set_transport(Transport::tls_with_config(tls::configuration(config)?));
    }
    Ok(options)
}

/// Owns the event loop: one connection for each will that comes in.
async fn drive(mut event_loop: EventLoop, mut connects: mpsc::Receiver<Message>, events: mpsc::Sender<ClientEvent>) {
    while let Some(will) = connects.recv().await {
        let last_will = LastWill::new(will.topic, will.payload, rumqtt_qos(will.qos), will.retain, None);
        event_loop.options.set_last_will(last_will);
        let reason = hold(&mut event_loop, &events).await;
        if events.send(ClientEvent::Disconnected { reason }).await.is_err() {
            return;
        }
    }
}

/// Connects and stays connected as long as it goes; gives why it ended.
async fn hold(event_loop: &mut EventLoop, events: &mpsc::Sender<ClientEvent>) -> String {
    loop {
        let event = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                let clean_start = event_loop.options.clean_start();
                event_loop.options.set_clean_start(false);
                let packet_bytes_max = ack.properties.as_ref().and_then(|p| p.max_packet_size);
                let answer = Answer { session_present: ack.session_present, clean_start };
                ClientEvent::Connected { answer, packet_bytes_max }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => ClientEvent::Incoming(Incoming {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: publish.payload.to_vec(),
                retained: publish.retain,
            }),
            Ok(_) => continue,
            // The broker kept the session of an earlier process, of whose packet ids nothing is known here: MQTT 5,
            // 3.2.2.1.1, asks to start afresh. What that process had in flight goes out again from the log.
            Err(ConnectionError::SessionStateMismatch { clean_start: false, session_present: true }) => {
                event_loop.options.set_clean_start(true);
                continue;
            }
            Err(error) => return error.to_string(),
        };
        if events.send(event).await.is_err() {
            return "the uplink has gone".to_owned();
        }
    }
}

impl MqttClient for RumqttClient {
    fn connect(&mut self, will: Message) {
        // Room for one: a second try is never asked for before the first was reported as over.
        _ = self.connects.try_send(will);
    }

    async fn next(&mut self) -> ClientEvent {
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => return event,
                    // The task cannot end while we hold its sender, unless the runtime is going down.
                    None => std::future::pending().await,
                },
                Some(done) = self.notices.join_next(), if !self.notices.is_empty() => {
                    if let Ok(event) = done { return event }
                }
            }
        }
    }

    fn publish(&mut self, ticket: u64, message: &Message) -> Result<(), NotTaken> {
        let options = PublishOptions::new(rumqtt_qos(message.qos)).retain(message.retain);
        let notice = self
            .client
            .try_publish_tracked(message.topic.clone(), message.payload.clone(), options)
            .map_err(|_| NotTaken)?;
        self.notices.spawn(async move {
            let outcome =
                notice.wait_completion_async().await.map_or_else(|error| outcome(&error), |()| Outcome::Acknowledged);
            ClientEvent::Settled { ticket, outcome }
        });
        Ok(())
    }

    fn subscribe(&mut self, pattern: &str) -> Result<(), NotTaken> {
        let notice = self.client.try_subscribe_tracked(pattern, QoS::AtLeastOnce).map_err(|_| NotTaken)?;
        let pattern = pattern.to_owned();
        self.notices.spawn(async move {
            let refused = notice.wait_completion_async().await.err().map(|error| error.to_string());
            ClientEvent::Subscribed { pattern, refused }
        });
        Ok(())
    }

    fn unsubscribe(&mut self, pattern: &str) -> Result<(), NotTaken> {
        self.client.try_unsubscribe(pattern).map_err(|_| NotTaken)
    }

    fn forget(&mut self) {
        self.notices = JoinSet::new();
    }

    fn disconnect(&mut self) {
        // Full or closed: then there is no link to say good-bye on.
        _ = self.client.try_disconnect_now();
    }
}

const fn rumqtt_qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

fn outcome(error: &PublishNoticeError) -> Outcome {
    use rumqttc::{PubAckReason as Ack, PubRecReason as Rec};
    let clear = match error {
        PublishNoticeError::V5PubAck(reason) => {
            matches!(reason, Ack::NotAuthorized | Ack::TopicNameInvalid | Ack::PayloadFormatInvalid)
        }
        PublishNoticeError::V5PubRec(reason) => {
            matches!(reason, Rec::NotAuthorized | Rec::TopicNameInvalid | Rec::PayloadFormatInvalid)
        }
        // The broker forgot the packet id between PUBREC and PUBREL: it has the message, or lost it in a crash.
        PublishNoticeError::V5PubComp(_) => false,
        PublishNoticeError::RetainNotSupported => true,
        _ => return Outcome::Lost,
    };
    Outcome::Refused { reason: error.to_string(), clear }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_set_up_as_the_documents_ask() {
        let options = options(&BrokerConfig::new("b", "mqtt://ann:pw@localhost"), "aurora", CONNECT_TIMEOUT).unwrap();
        assert_eq!(options.client_id(), "vessel-aurora-gateway");
        assert!(!options.clean_start());
        assert_eq!(options.session_expiry_interval(), Some(2_592_000));
        assert_eq!(options.receive_maximum(), Some(20));
        assert_eq!(options.keep_alive(), Duration::from_secs(60));
        assert_eq!(options.connect_timeout(), Duration::from_secs(10));
        assert!(matches!(options.auth(), rumqttc::ConnectAuth::UsernamePassword { username, .. } if username == "ann"));
    }

    #[test]
    fn a_clear_no_differs_from_an_unclear_one() {
        let clear = PublishNoticeError::V5PubAck(rumqttc::PubAckReason::NotAuthorized);
        assert!(matches!(outcome(&clear), Outcome::Refused { clear: true, .. }));
        let unclear = PublishNoticeError::V5PubAck(rumqttc::PubAckReason::QuotaExceeded);
        assert!(matches!(outcome(&unclear), Outcome::Refused { clear: false, .. }));
        assert_eq!(outcome(&PublishNoticeError::SessionReset), Outcome::Lost);
    }
}
