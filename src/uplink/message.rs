//! What is said on the topics: the messages of REQUIREMENTS H7, as JSON. Pure; the same change always gives the same
//! bytes, with the same `messageId` (Z22), so that a consumer can drop repeats.

use serde::Serialize;
use uuid::Uuid;

use crate::clock::Stamp;
use crate::reading::Reading;
use crate::record::{ChangeType, Class, Collection, Fields, Record};
use crate::uplink::feed::{ConflictNotice, LoggedChange};
use crate::uplink::topics::Topics;

/// How surely a message is delivered to the broker (MQTT 5, 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qos {
    /// Sent once, not acknowledged.
    AtMostOnce,
    /// Sent until acknowledged.
    AtLeastOnce,
    /// Four packets a message; once per hop and session, no more (Z21).
    ExactlyOnce,
}

impl Qos {
    /// 0, 1 or 2.
    pub const fn number(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }
}

impl TryFrom<u8> for Qos {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            other => Err(format!("QoS {other} does not exist; there are 0, 1 and 2")),
        }
    }
}

/// One publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// What; empty clears a retained topic.
    pub payload: Vec<u8>,
    /// How surely.
    pub qos: Qos,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
}

impl Message {
    /// Bytes it takes in a queue or a packet, without the few of the header.
    pub fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len()
    }
}

/// A message could not be written as JSON (L4).
#[derive(Debug, thiserror::Error)]
#[error("the message for `{topic}` cannot be written as JSON: {source}")]
pub struct Unserialisable {
    /// Where it should have gone.
    pub topic: String,
    /// Why not.
    pub source: serde_json::Error,
}

/// QoS of a collection's topics: 2 for alerts, 1 for the rest (H1, H2).
pub const fn qos_of(collection: Collection) -> Qos {
    match collection.class() {
        Class::Alert => Qos::ExactlyOnce,
        _ => Qos::AtLeastOnce,
    }
}

/// Place of a message in a run of catch-up: `sequence` counts from 1 to `total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub sequence: u64,
    /// Of how many.
    pub total: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    r#type: &'static str,
    entity: Collection,
    operation: &'static str,
    data: &'a Fields,
    timestamp: Stamp,
    message_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

/// The change as it goes to all who listen now: retained, so that the last one is always there (Z7).
pub fn change(topics: &Topics, logged: &LoggedChange) -> Result<Message, Unserialisable> {
    let collection = logged.change.collection;
    let qos = qos_of(collection);
    Ok(Message {
        payload: change_payload(&topics.collection(collection), logged, None)?,
        topic: topics.collection(collection),
        qos,
        retain: true,
    })
}

/// The change as it goes to those who missed it: QoS 1, not retained (H5).
pub fn catchup(topics: &Topics, logged: &LoggedChange, place: Place) -> Result<Message, Unserialisable> {
    let topic = topics.catchup(logged.change.collection);
    let payload = change_payload(&topic, logged, Some(place))?;
    Ok(Message { topic, payload, qos: Qos::AtLeastOnce, retain: false })
}

fn change_payload(topic: &str, logged: &LoggedChange, place: Option<Place>) -> Result<Vec<u8>, Unserialisable> {
    let change = &logged.change;
    let mut data = change.fields.clone();
    data.insert("id".to_owned(), change.entity_id.to_string().into());
    let envelope = Envelope {
        r#type: if place.is_some() { "catchup" } else { "data_change" },
        entity: change.collection,
        operation: change.kind.operation(),
        data: &data,
        timestamp: change.made_at.wall,
        message_id: change.change_id,
        sequence: place.map(|p| p.sequence),
        total: place.map(|p| p.total),
    };
    to_json(topic, &envelope)
}

/// The state of a record, retained for late joiners (Z7). Its hub version and sync status are left out: they change
/// without a change in the log, and a retained message must not grow stale.
pub fn state(topics: &Topics, collection: Collection, record: &Record) -> Result<Message, Unserialisable> {
    let topic = topics.record(collection, record.id);
    let mut data = record.fields.clone();
    data.insert("id".to_owned(), record.id.to_string().into());
    data.insert("createdAt".to_owned(), record.created_at.to_string().into());
    data.insert("updatedAt".to_owned(), record.updated_at.to_string().into());
    let content = to_json(&topic, &data)?;
    let envelope = Envelope {
        r#type: "state",
        entity: collection,
        operation: ChangeType::Updated.operation(),
        data: &data,
        timestamp: record.updated_at,
        message_id: Uuid::new_v5(&record.id, &content),
        sequence: None,
        total: None,
    };
    Ok(Message { payload: to_json(&topic, &envelope)?, topic, qos: qos_of(collection), retain: true })
}

/// Clears what the broker retains of a record.
pub fn cleared(topics: &Topics, collection: Collection, id: Uuid) -> Message {
    Message { topic: topics.record(collection, id), payload: Vec::new(), qos: qos_of(collection), retain: true }
}

/// The gateway's presence, also its will (H3, I4).
pub fn status(topics: &Topics, online: bool, now: Stamp) -> Message {
    let status = if online { "online" } else { "offline" };
    let payload = format!(r#"{{"status":"{status}","timestamp":"{now}"}}"#).into_bytes();
    Message { topic: topics.status(), payload, qos: Qos::AtLeastOnce, retain: true }
}

#[derive(Serialize)]
struct Conflicts<'a> {
    r#type: &'static str,
    open: usize,
    conflicts: &'a [ConflictNotice],
    timestamp: Stamp,
}

/// The open conflicts (H4).
pub fn conflicts(topics: &Topics, open: &[ConflictNotice], now: Stamp) -> Result<Message, Unserialisable> {
    let topic = topics.conflicts();
    let body = Conflicts { r#type: "conflicts", open: open.len(), conflicts: open, timestamp: now };
    Ok(Message { payload: to_json(&topic, &body)?, topic, qos: Qos::AtLeastOnce, retain: true })
}

#[derive(Serialize)]
struct ReadingBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    context: String,
    path: String,
    source: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    instance: String,
    value: serde_json::Value,
    quality: &'static str,
    timestamp: Stamp,
}

impl ReadingBody {
    fn new(reading: &Reading, kind: Option<&'static str>) -> Self {
        let key = &reading.series.key;
        Self {
            r#type: kind,
            context: key.context.to_string(),
            path: key.path.to_string(),
            source: key.source.to_string(),
            instance: key.instance.to_string(),
            value: reading.value.to_json(),
            quality: reading.quality.name(),
            timestamp: reading.observed_at,
        }
    }
}

/// One live value, QoS 0, not retained (H6).
pub fn live(topics: &Topics, reading: &Reading) -> Result<Message, Unserialisable> {
    let topic = topics.live(&reading.series.key);
    let payload = to_json(&topic, &ReadingBody::new(reading, Some("telemetry")))?;
    Ok(Message { topic, payload, qos: Qos::AtMostOnce, retain: false })
}

#[derive(Serialize)]
struct BatchBody {
    r#type: &'static str,
    readings: Vec<ReadingBody>,
}

/// The values of a second, QoS 1, not retained.
pub fn batch(topics: &Topics, readings: &[Reading]) -> Result<Message, Unserialisable> {
    let topic = topics.batch();
    let readings = readings.iter().map(|r| ReadingBody::new(r, None)).collect();
    let payload = to_json(&topic, &BatchBody { r#type: "telemetry_batch", readings })?;
    Ok(Message { topic, payload, qos: Qos::AtLeastOnce, retain: false })
}

fn to_json(topic: &str, body: &impl Serialize) -> Result<Vec<u8>, Unserialisable> {
    serde_json::to_vec(body).map_err(|source| Unserialisable { topic: topic.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::BrokerConfig;
    use crate::reading::{Context, Quality, SeriesKey, SeriesRegistry, Value};
    use crate::record::{Change, SCHEMA_VERSION};

    const AT: Stamp = Stamp::from_millis(1_793_491_200_123);

    fn topics() -> Topics {
        Topics::new(&BrokerConfig::new("board", "mqtt://localhost"), "aurora").unwrap()
    }

    fn logged(collection: Collection, kind: ChangeType) -> LoggedChange {
        let fields = serde_json::json!({"title": "Change the oil"}).as_object().unwrap().clone();
        let change = Change {
            change_id: Uuid::from_u128(3),
            device_id: Uuid::from_u128(1),
            epoch: 1,
            seq: 9,
            collection,
            entity_id: Uuid::from_u128(2),
            kind,
            base_version: 0,
            hlc: crate::clock::Hlc::default(),
            fields,
            made_at: (&Clock::manual(AT).now()).into(),
            actor: "ann".to_owned(),
            schema_version: SCHEMA_VERSION,
        };
        LoggedChange { version: 9, change }
    }

    fn text(message: &Message) -> &str {
        std::str::from_utf8(&message.payload).unwrap()
    }

    #[test]
    fn a_change_is_said_exactly_as_h7_has_it() {
        let message = change(&topics(), &logged(Collection::WorkOrders, ChangeType::Created)).unwrap();
        assert_eq!(
            text(&message),
            concat!(
                r#"{"type":"data_change","entity":"work_orders","operation":"create","#,
                r#""data":{"id":"00000000-0000-0000-0000-000000000002","title":"Change the oil"},"#,
                r#""timestamp":"2026-11-01T00:00:00.123Z","messageId":"00000000-0000-0000-0000-000000000003"}"#
            )
        );
        assert_eq!((message.qos, message.retain), (Qos::AtLeastOnce, true));
        let alert = change(&topics(), &logged(Collection::Alerts, ChangeType::Updated)).unwrap();
        assert_eq!((alert.qos, alert.retain), (Qos::ExactlyOnce, true));
    }

    #[test]
    fn catch_up_says_its_place_and_is_not_retained() {
        let place = Place { sequence: 4, total: 250 };
        let message = catchup(&topics(), &logged(Collection::Alerts, ChangeType::Deleted), place).unwrap();
        assert_eq!(
            text(&message),
            concat!(
                r#"{"type":"catchup","entity":"alerts","operation":"delete","#,
                r#""data":{"id":"00000000-0000-0000-0000-000000000002","title":"Change the oil"},"#,
                r#""timestamp":"2026-11-01T00:00:00.123Z","messageId":"00000000-0000-0000-0000-000000000003","#,
                r#""sequence":4,"total":250}"#
            )
        );
        assert_eq!((message.qos, message.retain), (Qos::AtLeastOnce, false));
    }

    #[test]
    fn the_state_of_a_record_has_an_id_that_only_its_content_moves() {
        let mut record = Record {
            id: Uuid::from_u128(2),
            version: 7,
            created_at: AT,
            updated_at: AT,
            pending: true,
            fields: serde_json::json!({"title": "Oil"}).as_object().unwrap().clone(),
        };
        let first = state(&topics(), Collection::Equipment, &record).unwrap();
        let said: serde_json::Value = serde_json::from_slice(&first.payload).unwrap();
        assert_eq!(said["type"], "state");
        assert_eq!(said["data"]["title"], "Oil");
        assert_eq!(said["data"]["createdAt"], "2026-11-01T00:00:00.123Z");
        record.version = 8;
        record.pending = false;
        assert_eq!(state(&topics(), Collection::Equipment, &record).unwrap(), first);
        record.fields.insert("title".to_owned(), "Water".into());
        assert_ne!(state(&topics(), Collection::Equipment, &record).unwrap().payload, first.payload);
        assert!(cleared(&topics(), Collection::Equipment, record.id).payload.is_empty());
    }

    #[test]
    fn status_and_conflicts_are_said_so() {
        let message = status(&topics(), false, AT);
        assert_eq!(text(&message), r#"{"status":"offline","timestamp":"2026-11-01T00:00:00.123Z"}"#);
        assert_eq!((message.qos, message.retain), (Qos::AtLeastOnce, true));
        let notice = ConflictNotice {
            id: Uuid::from_u128(4),
            entity: Collection::Crew,
            entity_id: Uuid::from_u128(5),
            reason: "rank edited on both sides".to_owned(),
            detected_at: AT,
        };
        assert_eq!(
            text(&conflicts(&topics(), &[notice], AT).unwrap()),
            concat!(
                r#"{"type":"conflicts","open":1,"conflicts":[{"id":"00000000-0000-0000-0000-000000000004","#,
                r#""entity":"crew","entityId":"00000000-0000-0000-0000-000000000005","#,
                r#""reason":"rank edited on both sides","detectedAt":"2026-11-01T00:00:00.123Z"}],"#,
                r#""timestamp":"2026-11-01T00:00:00.123Z"}"#
            )
        );
    }

    #[test]
    fn readings_are_said_live_and_in_batches() {
        let key = SeriesKey {
            context: Context::OwnShip,
            path: "navigation.speedOverGround".into(),
            source: "gps0.GP".into(),
            instance: "".into(),
        };
        let reading = Reading {
            series: SeriesRegistry::default().series(&key).unwrap(),
            observed_at: AT,
            received_at: AT,
            value: Value::Float(5.5),
            quality: Quality::Good,
        };
        let body = concat!(
            r#""context":"vessels.self","path":"navigation.speedOverGround","source":"gps0.GP","#,
            r#""value":5.5,"quality":"good","timestamp":"2026-11-01T00:00:00.123Z"}"#
        );
        let message = live(&topics(), &reading).unwrap();
        assert_eq!(text(&message), format!(r#"{{"type":"telemetry",{body}"#));
        assert_eq!((message.qos, message.retain), (Qos::AtMostOnce, false));
        let message = batch(&topics(), &[reading]).unwrap();
        assert_eq!(text(&message), format!(r#"{{"type":"telemetry_batch","readings":[{{{body}]}}"#));
        assert_eq!((message.qos, message.retain), (Qos::AtLeastOnce, false));
    }

    #[test]
    fn only_three_qos_exist() {
        assert_eq!((0..4).map(Qos::try_from).filter(Result::is_ok).count(), 3);
        assert!(Qos::try_from(3).unwrap_err().contains("0, 1 and 2"));
    }
}
