//! The nine metrics of REQUIREMENTS Q4, a few more of ours, and the health of Q1 to Q3. Counting only; it refuses to
//! judge.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::uplink::message::Qos;
use crate::uplink::topics::SYNC_TOPICS;

/// Which broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BrokerLabel {
    /// Its name in the configuration.
    pub broker: String,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PublishedLabels {
    /// Which broker.
    pub broker: String,
    /// A collection, `telemetry`, `status` or `conflicts`.
    pub entity_type: &'static str,
    /// `create`, `update`, `delete`, `state`, `catchup`, `live` or `batch`.
    pub operation: &'static str,
    /// 0, 1 or 2.
    pub qos: u8,
}

type Gauge64 = Gauge<f64, AtomicU64>;

/// The metrics of all brokers. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct UplinkMetrics {
    /// Messages that the broker acknowledged (QoS 1, 2) or that were sent (QoS 0).
    pub published: Family<PublishedLabels, Counter>,
    /// Messages that entered the ring.
    pub queued: Family<BrokerLabel, Counter>,
    /// Live messages dropped from the ring: too many or too old.
    pub dropped: Family<BrokerLabel, Counter>,
    /// Publications that failed: not serialisable, refused by the broker or the client.
    pub publish_failures: Family<BrokerLabel, Counter>,
    /// Tries to connect after the first.
    pub reconnection_attempts: Family<BrokerLabel, Counter>,
    /// Times that the queue was empty again after a connect.
    pub queue_flushes: Family<BrokerLabel, Counter>,
    /// Messages that wait: in the ring, and changes in the log.
    pub queue_depth: Family<BrokerLabel, Gauge>,
    /// `queue_depth` against the ring's bound, 0 to 100.
    pub queue_utilization: Family<BrokerLabel, Gauge64>,
    /// 1 online, 0 offline.
    pub connection_status: Family<BrokerLabel, Gauge>,
    /// Changes served from the log because the ring could not hold them, or sent again.
    pub catchup: Family<BrokerLabel, Counter>,
    /// Changes that the broker can never take.
    pub dead_letters: Family<BrokerLabel, Counter>,
    /// Batches of readings that came faster than the uplink took them.
    pub telemetry_lagged: Family<BrokerLabel, Counter>,
    /// Incoming messages dropped because a subscriber did not take them.
    pub incoming_dropped: Family<BrokerLabel, Counter>,
}

impl UplinkMetrics {
    /// Registers all under names without the prefix `hawser`, which the registry adds; counters get `_total`.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("mqtt_messages_published", "Messages acknowledged by or sent to the broker", self.published.clone());
        r.register("mqtt_messages_queued", "Messages that entered the queue", self.queued.clone());
        r.register("mqtt_messages_dropped", "Live messages dropped from the queue", self.dropped.clone());
        r.register("mqtt_publish_failures", "Publications that failed", self.publish_failures.clone());
        r.register("mqtt_reconnection_attempts", "Tries to connect again", self.reconnection_attempts.clone());
        r.register("mqtt_queue_flushes", "Times the queue was emptied after a connect", self.queue_flushes.clone());
        r.register("mqtt_queue_depth", "Messages that wait, changes in the log included", self.queue_depth.clone());
        r.register("mqtt_queue_utilization_percent", "Queue depth against its bound", self.queue_utilization.clone());
        r.register("mqtt_connection_status", "1 connected, 0 not", self.connection_status.clone());
        r.register("mqtt_catchup_messages", "Changes served as catch-up from the log", self.catchup.clone());
        r.register("mqtt_dead_letters", "Changes that the broker can never take", self.dead_letters.clone());
        r.register("mqtt_telemetry_lagged_batches", "Batches of readings missed", self.telemetry_lagged.clone());
        r.register("mqtt_incoming_dropped", "Incoming messages nobody took in time", self.incoming_dropped.clone());
    }
}

/// The state of one broker's uplink, for people (Q1 to Q3). The api room serves [`UplinkHealth::mqtt`] and the whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UplinkHealth {
    /// The broker's name.
    pub name: String,
    /// Its address without password.
    pub broker: String,
    /// Whether it listens.
    pub connected: bool,
    /// Tries since the last success.
    pub tries: u64,
    /// Why it does not listen, in words; empty when it does.
    pub last_error: String,
    /// Messages that wait: in the ring, and changes in the log.
    pub depth: u64,
    /// `depth` against the bound, 0 to 100.
    pub utilization_percent: f64,
    /// The bound.
    pub queue_messages_max: usize,
    /// Bytes in the ring.
    pub queue_bytes: usize,
    /// Messages on the way, not yet acknowledged.
    pub in_flight: usize,
    /// The last change acknowledged with all before it.
    pub cursor: u64,
    /// The newest change in the log.
    pub head: u64,
    /// Patterns subscribed to.
    pub active_subscriptions: usize,
    /// What was warned of at the start.
    pub warnings: Vec<String>,
    /// Counts since the start.
    pub metrics: UplinkCounts,
}

/// Counts since the start, as in the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UplinkCounts {
    /// Acknowledged or sent.
    pub messages_published: u64,
    /// Entered the ring.
    pub messages_queued: u64,
    /// Dropped from the ring.
    pub messages_dropped: u64,
    /// Failed.
    pub publish_failures: u64,
    /// Tries after the first.
    pub reconnection_attempts: u64,
    /// Times emptied after a connect.
    pub queue_flushes: u64,
    /// Served from the log.
    pub catchup_messages: u64,
    /// Can never be taken.
    pub dead_letters: u64,
}

/// Counts for one broker, in the metrics and in its health at once.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: UplinkMetrics,
    label: BrokerLabel,
    counts: UplinkCounts,
}

impl Tally {
    pub(crate) fn new(metrics: UplinkMetrics, broker: &str) -> Self {
        let label = BrokerLabel { broker: broker.to_owned() };
        metrics.connection_status.get_or_create(&label).set(0);
        // From the start at 0: an alert on a counter that does not exist yet never fires.
        let m = &metrics;
        let counters = [&m.queued, &m.dropped, &m.publish_failures, &m.reconnection_attempts, &m.queue_flushes];
        for counter in
            counters.into_iter().chain([&m.catchup, &m.dead_letters, &m.telemetry_lagged, &m.incoming_dropped])
        {
            drop(counter.get_or_create(&label));
        }
        Self { metrics, label, counts: UplinkCounts::default() }
    }

    pub(crate) const fn counts(&self) -> &UplinkCounts {
        &self.counts
    }

    pub(crate) fn published(&mut self, entity_type: &'static str, operation: &'static str, qos: Qos) {
        let labels = PublishedLabels { broker: self.label.broker.clone(), entity_type, operation, qos: qos.number() };
        self.metrics.published.get_or_create(&labels).inc();
        self.counts.messages_published += 1;
    }

    pub(crate) fn queued(&mut self, messages: u64) {
        self.metrics.queued.get_or_create(&self.label).inc_by(messages);
        self.counts.messages_queued += messages;
    }

    pub(crate) fn dropped(&mut self, messages: u64) {
        self.metrics.dropped.get_or_create(&self.label).inc_by(messages);
        self.counts.messages_dropped += messages;
    }

    pub(crate) fn failed(&mut self) {
        self.metrics.publish_failures.get_or_create(&self.label).inc();
        self.counts.publish_failures += 1;
    }

    pub(crate) fn tried_again(&mut self) {
        self.metrics.reconnection_attempts.get_or_create(&self.label).inc();
        self.counts.reconnection_attempts += 1;
    }

    pub(crate) fn flushed(&mut self) {
        self.metrics.queue_flushes.get_or_create(&self.label).inc();
        self.counts.queue_flushes += 1;
    }

    pub(crate) fn caught_up(&mut self) {
        self.metrics.catchup.get_or_create(&self.label).inc();
        self.counts.catchup_messages += 1;
    }

    pub(crate) fn dead_letter(&mut self) {
        self.metrics.dead_letters.get_or_create(&self.label).inc();
        self.counts.dead_letters += 1;
    }

    pub(crate) fn lagged(&self, batches: u64) {
        self.metrics.telemetry_lagged.get_or_create(&self.label).inc_by(batches);
    }

    pub(crate) fn incoming_dropped(&self) {
        self.metrics.incoming_dropped.get_or_create(&self.label).inc();
    }

    pub(crate) fn gauges(&self, connected: bool, depth: u64, utilization_percent: f64) {
        self.metrics.connection_status.get_or_create(&self.label).set(connected.into());
        self.metrics.queue_depth.get_or_create(&self.label).set(i64::try_from(depth).unwrap_or(i64::MAX));
        self.metrics.queue_utilization.get_or_create(&self.label).set(utilization_percent);
    }
}

/// `GET /api/mqtt/health` (Q1, Q2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MqttHealth {
    /// `connected` or `disconnected`.
    pub status: &'static str,
    /// Address without password.
    pub broker: String,
    /// QoS of the sync topics but alerts.
    pub qos_level: u8,
    /// Messages that wait.
    pub queued_messages: u64,
    /// Patterns subscribed to.
    pub active_subscriptions: usize,
    /// Kinds of sync topics (Z28: the real count).
    pub topics: usize,
}

impl UplinkHealth {
    /// The short form of Q1 and Q2.
    pub fn mqtt(&self) -> MqttHealth {
        MqttHealth {
            status: if self.connected { "connected" } else { "disconnected" },
            broker: self.broker.clone(),
            qos_level: 1,
            queued_messages: self.depth,
            active_subscriptions: self.active_subscriptions,
            topics: SYNC_TOPICS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nine_metrics_have_the_names_of_q4() {
        let metrics = UplinkMetrics::default();
        let label = BrokerLabel { broker: "board".to_owned() };
        let published =
            PublishedLabels { broker: "board".to_owned(), entity_type: "alerts", operation: "create", qos: 2 };
        metrics.published.get_or_create(&published).inc();
        for counter in [
            &metrics.queued,
            &metrics.dropped,
            &metrics.publish_failures,
            &metrics.reconnection_attempts,
            &metrics.queue_flushes,
        ] {
            counter.get_or_create(&label).inc();
        }
        metrics.queue_depth.get_or_create(&label).set(3);
        metrics.queue_utilization.get_or_create(&label).set(0.5);
        metrics.connection_status.get_or_create(&label).set(1);
        let mut registry = Registry::with_prefix("hawser");
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"hawser_mqtt_messages_published_total{broker="board",entity_type="alerts",operation="create",qos="2"} 1"#,
            r#"hawser_mqtt_messages_queued_total{broker="board"} 1"#,
            r#"hawser_mqtt_messages_dropped_total{broker="board"} 1"#,
            r#"hawser_mqtt_publish_failures_total{broker="board"} 1"#,
            r#"hawser_mqtt_reconnection_attempts_total{broker="board"} 1"#,
            r#"hawser_mqtt_queue_flushes_total{broker="board"} 1"#,
            r#"hawser_mqtt_queue_depth{broker="board"} 3"#,
            r#"hawser_mqtt_queue_utilization_percent{broker="board"} 0.5"#,
            r#"hawser_mqtt_connection_status{broker="board"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn health_reads_as_the_documents_have_it() {
        let health = UplinkHealth { connected: true, broker: "mqtt://b:1".to_owned(), depth: 4, ..Default::default() };
        assert_eq!(
            serde_json::to_value(health.mqtt()).unwrap(),
            serde_json::json!({"status": "connected", "broker": "mqtt://b:1", "qosLevel": 1, "queuedMessages": 4,
                "activeSubscriptions": 0, "topics": 8})
        );
    }
}
