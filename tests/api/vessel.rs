//! A small real backend, and a vessel under way whose values move, for the tests of the HTTP room and of its page.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawser::api::status::{
    BrokerState, BrokerStatus, BusState, BusStatus, Link, RecordsStatus, ShoreStatus, StoreStatus, VesselStatus,
};
use hawser::api::{ApiMetrics, Backend, BackendError, HistoryQuery, HistoryRow, Live, Pruned, Status, TelemetryStats};
use hawser::clock::{Clock, Stamp};
use hawser::reading::{Context, Quality, Reading, SeriesKey, SeriesRegistry, Value};
use prometheus_client::registry::Registry;
use serde_json::json;

/// Rows that `history` has of any path but `empty`.
pub const HISTORY_ROWS: usize = 5_000;

/// Targets in sight.
const TARGETS: u32 = 24;

/// Path, instance, source, mean, swing and period in seconds of what the vessel measures, SI.
const MEASURED: [(&str, &str, &str, f64, f64, f64); 29] = [
    ("navigation.speedOverGround", "", "gps.GP", 6.4, 0.5, 37.0),
    ("navigation.courseOverGroundTrue", "", "gps.GP", 0.82, 0.05, 53.0),
    ("navigation.headingTrue", "", "gyro.HE", 0.79, 0.06, 41.0),
    ("navigation.rateOfTurn", "", "gyro.HE", 0.0, 0.004, 23.0),
    ("navigation.speedThroughWater", "", "log.VD", 6.1, 0.4, 31.0),
    ("navigation.gnss.satellites", "", "gps.GP", 11.0, 0.0, 10.0),
    ("navigation.gnss.horizontalDilution", "", "gps.GP", 0.9, 0.1, 60.0),
    ("navigation.trip.log", "", "log.VD", 254_000.0, 900.0, 600.0),
    ("environment.depth.belowTransducer", "", "sounder.SD", 23.4, 4.0, 67.0),
    ("environment.wind.speedApparent", "", "wind.WI", 9.1, 2.5, 19.0),
    ("environment.wind.angleApparent", "", "wind.WI", -0.6, 0.3, 29.0),
    ("environment.water.temperature", "", "sounder.YX", 285.4, 0.2, 300.0),
    ("environment.outside.temperature", "", "meteo.WI", 281.9, 0.4, 300.0),
    ("environment.outside.pressure", "", "meteo.WI", 101_630.0, 40.0, 500.0),
    ("environment.outside.relativeHumidity", "", "meteo.WI", 0.78, 0.03, 300.0),
    ("propulsion.revolutions", "port", "engine.ER", 24.8, 0.3, 11.0),
    ("propulsion.revolutions", "starboard", "engine.ER", 24.7, 0.4, 13.0),
    ("propulsion.oilPressure", "port", "engine.ER", 412_000.0, 6_000.0, 17.0),
    ("propulsion.oilPressure", "starboard", "engine.ER", 405_000.0, 7_000.0, 21.0),
    ("propulsion.coolantTemperature", "port", "engine.ER", 355.2, 0.8, 90.0),
    ("propulsion.coolantTemperature", "starboard", "engine.ER", 354.1, 0.7, 80.0),
    ("propulsion.fuel.rate", "port", "engine.ER", 1.1e-5, 1e-6, 15.0),
    ("propulsion.runTime", "port", "engine.ER", 51_840_000.0, 400.0, 1_000.0),
    ("steering.rudderAngle", "", "steer.RS", 0.02, 0.12, 9.0),
    ("steering.autopilot.target.headingTrue", "", "steer.AG", 0.8, 0.0, 10.0),
    ("electrical.batteries.voltage", "house", "power.XX", 25.9, 0.2, 45.0),
    ("electrical.batteries.current", "house", "power.XX", -14.0, 6.0, 33.0),
    ("tanks.fuel.currentLevel", "1", "power.XX", 0.63, 0.01, 400.0),
    ("tanks.freshWater.currentLevel", "1", "power.XX", 0.41, 0.01, 350.0),
];

/// SI units of the paths above, as the wire room names them.
fn unit_of(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or_default();
    match last {
        "position" => "deg",
        "speedOverGround" | "speedThroughWater" | "speedApparent" => "m/s",
        "courseOverGroundTrue" | "headingTrue" | "angleApparent" | "rudderAngle" => "rad",
        "rateOfTurn" => "rad/s",
        "log" | "belowTransducer" => "m",
        "temperature" | "coolantTemperature" => "K",
        "pressure" | "oilPressure" => "Pa",
        "relativeHumidity" | "currentLevel" => "ratio",
        "revolutions" => "Hz",
        "rate" => "m3/s",
        "runTime" => "s",
        "voltage" => "V",
        "current" => "A",
        _ => "",
    }
}

/// The backend.
pub struct Vessel {
    clock: Clock,
    registry: Mutex<Registry>,
    series: SeriesRegistry,
    prunes: AtomicU64,
    step: AtomicU64,
    broken: Mutex<Option<String>>,
    started_at: Stamp,
}

impl Vessel {
    pub fn new(clock: Clock, metrics: ApiMetrics) -> Self {
        let mut registry = Registry::with_prefix("hawser");
        metrics.register(&mut registry);
        Self {
            started_at: clock.now().wall,
            clock,
            registry: Mutex::new(registry),
            series: SeriesRegistry::default(),
            prunes: AtomicU64::new(0),
            step: AtomicU64::new(0),
            broken: Mutex::new(None),
        }
    }

    pub fn prunes(&self) -> u64 {
        self.prunes.load(Ordering::SeqCst)
    }

    pub fn break_store(&self, why: &str) {
        *self.broken.lock().unwrap() = Some(why.to_owned());
    }

    fn whole(&self) -> Result<(), BackendError> {
        self.broken.lock().unwrap().clone().map_or(Ok(()), |why| Err(BackendError::Failed(why)))
    }

    fn reading(&self, context: Context, path: &'static str, place: (&str, &str), value: Value) -> Reading {
        let (instance, source) = place;
        let key = SeriesKey { context, path: path.into(), source: source.into(), instance: instance.into() };
        let now = self.clock.now().wall;
        Reading {
            series: self.series.series_in(&key, unit_of(path)).unwrap(),
            observed_at: now.plus_millis(-40),
            received_at: now,
            value,
            quality: Quality::Good,
        }
    }

    /// What all sensors say now. One of them died long ago, one says that it has no value.
    pub fn readings(&self) -> Vec<Reading> {
        let t = self.step.load(Ordering::Relaxed) as f64 / 4.0;
        let mut readings: Vec<_> = MEASURED
            .iter()
            .map(|&(path, instance, source, mean, swing, period)| {
                let value = mean + swing * (TAU * t / period).sin() + swing / 9.0 * (TAU * t / 2.3).sin();
                self.reading(Context::OwnShip, path, (instance, source), Value::Float(value))
            })
            .collect();
        let position = |north: f64, east: f64| Value::Position { latitude: 53.9812 + north, longitude: 7.1234 + east };
        readings.push(self.reading(
            Context::OwnShip,
            "navigation.position",
            ("", "gps.GP"),
            position(t * 4e-5, t * 6e-5),
        ));
        let mut dead =
            self.reading(Context::OwnShip, "navigation.magneticVariation", ("", "old.HC"), Value::Float(0.02));
        dead.received_at = self.started_at.plus_millis(-95_000);
        readings.push(dead);
        let mut absent =
            self.reading(Context::OwnShip, "environment.depth.surfaceToTransducer", ("", "sounder.SD"), Value::Absent);
        absent.quality = Quality::NotAvailable;
        readings.push(absent);
        for i in 0..TARGETS {
            let vessel = Context::Vessel(244_660_000 + i * 137);
            let angle = TAU * f64::from(i) / f64::from(TARGETS);
            let place = position(0.02 * f64::from(i % 7) * angle.sin(), 0.05 * f64::from(i % 5 + 1) * angle.cos());
            readings.push(self.reading(vessel, "navigation.position", ("", "ais.AI"), place));
            readings.push(self.reading(
                vessel,
                "navigation.speedOverGround",
                ("", "ais.AI"),
                Value::Float(f64::from(i % 9)),
            ));
            let course = self.reading(vessel, "navigation.courseOverGroundTrue", ("", "ais.AI"), Value::Float(angle));
            readings.push(course);
            if i % 3 == 0 {
                readings.push(self.reading(vessel, "name", ("", "ais.AI"), Value::text(&format!("NORDLICHT {i}"))));
            }
        }
        readings
    }
}

/// Lets the vessel sail, four steps a second, until the task ends.
pub async fn sail(vessel: Arc<Vessel>, live: Live) {
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    loop {
        ticks.tick().await;
        vessel.step.fetch_add(1, Ordering::Relaxed);
        live.observe(&vessel.readings());
    }
}

impl Backend for Vessel {
    fn status(&self) -> Status {
        let now = self.clock.now();
        let step = self.step.load(Ordering::Relaxed);
        let ago = |ms: i64| Some(now.wall.plus_millis(-ms));
        let bus = |name: &str, port: u16, rate: f64| BusStatus {
            name: name.to_owned(),
            protocol: "nmea0183".to_owned(),
            address: format!("tcp://192.168.1.20:{port}"),
            state: BusState::Open,
            readings_per_s: rate + (step % 7) as f64 * 0.3,
            readings: step * 11,
            sentences: step * 3,
            last_data_at: ago(200),
            ..BusStatus::default()
        };
        let noisy = BusStatus {
            rejected: 3,
            rejected_by_reason: [("checksum".to_owned(), 3)].into(),
            ..bus("bridge", 10110, 41.0)
        };
        let lost = BusStatus {
            state: BusState::Closed,
            readings_per_s: 0.0,
            last_data_at: ago(95_000),
            last_error: Some("connection refused".to_owned()),
            ..bus("old", 10112, 0.0)
        };
        Status {
            vessel: VesselStatus { id: "test".to_owned(), name: "MV Noordzee Vrijheid".to_owned() },
            version: "0.1.0".to_owned(),
            started_at: Some(self.started_at),
            now: now.wall,
            clock_quality: now.quality,
            buses: vec![noisy, bus("engine", 10111, 57.2), lost],
            store: StoreStatus {
                bytes: 1_830_000_000,
                bytes_max: 4_294_967_296,
                readings: 812_345_678 + step * 40,
                durable_seq: 812_345_678 + step * 40,
                last_seq: 812_345_678 + step * 40 + step % 3 * 25,
                waiting: step % 5 * 8,
                files: 61,
                oldest: ago(60 * 86_400_000),
                ..StoreStatus::default()
            },
            records: RecordsStatus { head: 1_284, pending: 6, dead_letters: 0, conflicts: 2 },
            brokers: vec![broker(step)],
            update: None,
            shore: shore(now.wall, step),
            alarms: vec!["Bus `old` has been silent for 95 s: connection refused".to_owned()],
        }
    }

    fn faults(&self) -> Vec<String> {
        self.broken.lock().unwrap().iter().cloned().collect()
    }

    fn not_ready(&self) -> Vec<String> {
        self.faults()
    }

    fn metrics(&self, out: &mut String) -> fmt::Result {
        prometheus_client::encoding::text::encode(out, &self.registry.lock().unwrap())
    }

    fn telemetry_stats(&self) -> Result<TelemetryStats, BackendError> {
        self.whole()?;
        Ok(TelemetryStats { telemetry_rows: 812_345_678, database_size_mb: 1_830.0, retention_days: 90 })
    }

    fn prune(&self) -> Result<Pruned, BackendError> {
        self.whole()?;
        self.prunes.fetch_add(1, Ordering::SeqCst);
        Ok(Pruned { readings_deleted: 42 })
    }

    fn history(&self, query: &HistoryQuery, row: &mut dyn FnMut(HistoryRow) -> bool) -> Result<(), BackendError> {
        self.whole()?;
        let rows = if query.path == "empty" { 0 } else { HISTORY_ROWS };
        let start = Stamp::parse("2026-11-21T00:00:00Z").unwrap();
        for i in 0..rows {
            let next = HistoryRow {
                observed_at: start.plus_millis(i64::try_from(i).unwrap() * 1_000),
                source: "gps.GP".into(),
                instance: "".into(),
                value: Value::Float(i as f64 / 10.0),
                quality: Quality::Good,
            };
            if !row(next) {
                break;
            }
        }
        Ok(())
    }

    fn mqtt_health(&self) -> serde_json::Value {
        json!({"status": "connected", "broker": "mqtt://localhost:1883", "qosLevel": 1, "queuedMessages": 0})
    }

    fn reliable_sync_health(&self) -> serde_json::Value {
        json!({"status": "connected"})
    }
}

fn broker(step: u64) -> BrokerStatus {
    BrokerStatus {
        name: "onboard".to_owned(),
        url: "mqtt://localhost:1883".to_owned(),
        state: BrokerState::Connected,
        cursor: 1_278,
        head: 1_284,
        ring_messages: step % 9 * 12,
        ring_messages_max: 10_000,
        ring_bytes: step % 9 * 12 * 210,
        dropped: 0,
        published: step * 44,
    }
}

fn shore(now: Stamp, step: u64) -> ShoreStatus {
    ShoreStatus {
        configured: true,
        link: Link::Offline,
        last_success_at: Some(now.plus_millis(-5 * 3_600_000)),
        offline_since: Some(now.plus_millis(-4 * 3_600_000)),
        cursor: 1_277,
        pending_changes: 6,
        readings_acknowledged_seq: 801_000_000 + step,
        bytes_sent: 48_211_034,
        bytes_received: 1_204_511,
        ..ShoreStatus::default()
    }
}
