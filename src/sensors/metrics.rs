//! The buses as metrics, read from their counters at each scrape. Labels are bounded: bus names are configured, reasons
//! fixed.
//!
//! It refuses to count anything itself: one number, one place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::clock::Clock;

use super::stats::{BusSnapshot, BusState, BusStats};

/// The metrics of all buses.
#[derive(Clone, Debug)]
pub struct SensorMetrics {
    buses: Vec<Arc<BusStats>>,
    clock: Clock,
}

/// A counter of each bus: name without `_total`, help, and where it is found.
type BusCounter = (&'static str, &'static str, fn(&BusSnapshot) -> u64);

const COUNTERS: [BusCounter; 8] = [
    ("sensor_readings", "Readings handed over", |bus| bus.readings),
    ("sensor_sentences", "Sound sentences received, decoded or not", |bus| bus.sentences),
    ("sensor_bytes", "Bytes received", |bus| bus.bytes),
    ("sensor_reconnects", "Times the bus was opened again", |bus| bus.reconnects),
    ("sensor_standby", "Readings of sources that another one is preferred to", |bus| bus.standby),
    ("sensor_thinned", "Readings not kept because of a dead band or a rate limit", |bus| bus.thinned),
    ("sensor_restarts", "Times the task of the bus broke and was started again", |bus| bus.restarts),
    ("sensor_observed_at_implausible", "Readings dated by arrival since their own time was not believed", |bus| {
        bus.observed_at_implausible
    }),
];

/// A counter of each bus and reason.
type ReasonCounter = (&'static str, &'static str, fn(&BusSnapshot) -> &BTreeMap<&'static str, u64>);

const BY_REASON: [ReasonCounter; 2] = [
    ("sensor_rejected", "Messages or readings dropped, by reason", |bus| &bus.rejected),
    ("sensor_ignored", "Sound messages passed over on purpose, by reason", |bus| &bus.ignored),
];

impl SensorMetrics {
    /// The metrics of `buses`.
    pub fn new(buses: Vec<Arc<BusStats>>, clock: Clock) -> Self {
        Self { buses, clock }
    }

    /// Adds them to `registry`, which has the prefix `hawser`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }
}

impl Collector for SensorMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let now = self.clock.now();
        let buses: Vec<BusSnapshot> = self.buses.iter().map(|bus| bus.snapshot(now)).collect();
        for (name, help, value) in COUNTERS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for bus in &buses {
                let labels = [("bus", bus.name.as_str())];
                ConstCounter::new(value(bus)).encode(metric.encode_family(&labels)?)?;
            }
        }
        for (name, help, reasons) in BY_REASON {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for bus in &buses {
                for (reason, count) in reasons(bus) {
                    let labels = [("bus", bus.name.as_str()), ("reason", *reason)];
                    ConstCounter::new(*count).encode(metric.encode_family(&labels)?)?;
                }
            }
        }
        let help = "Series that are silent for too long";
        let mut metric = encoder.encode_descriptor("sensor_stale_series", help, None, MetricType::Gauge)?;
        for bus in &buses {
            let labels = [("bus", bus.name.as_str())];
            ConstGauge::new(bus.stale_series).encode(metric.encode_family(&labels)?)?;
        }
        let help = "1 for the state that the bus is in, 0 for the others";
        let mut metric = encoder.encode_descriptor("sensor_bus_state", help, None, MetricType::Gauge)?;
        for bus in &buses {
            for state in BusState::ALL {
                let labels = [("bus", bus.name.as_str()), ("state", state.name())];
                ConstGauge::new(i64::from(bus.state == state)).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::config::Protocol;

    #[test]
    fn a_scrape_shows_every_counter_with_its_labels() {
        let stats = Arc::new(BusStats::new("ais0", Protocol::Nmea0183, "tcp://a:1", BusState::Open));
        let clock = Clock::manual(Stamp(0));
        stats.handed_over(7, clock.now());
        stats.rejected("bad_checksum", 3);
        let mut registry = Registry::with_prefix("hawser");
        SensorMetrics::new(vec![stats], clock).register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "hawser_sensor_readings_total{bus=\"ais0\"} 7",
            "hawser_sensor_rejected_total{bus=\"ais0\",reason=\"bad_checksum\"} 3",
            "hawser_sensor_sentences_total{bus=\"ais0\"} 0",
            "hawser_sensor_bytes_total{bus=\"ais0\"} 0",
            "hawser_sensor_reconnects_total{bus=\"ais0\"} 0",
            "hawser_sensor_bus_state{bus=\"ais0\",state=\"open\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
