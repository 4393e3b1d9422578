//! The latest value of every series, and the events that carry changes to those who watch.
//!
//! Events are serialised once for all clients, at most [`EVENTS_PER_SECOND_MAX`] a second, with the changed series
//! only; nothing is noted, serialised or sent while nobody watches. It keeps no history: that is the store's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};

use super::metrics::ApiMetrics;
use crate::clock::Stamp;
use crate::reading::{Quality, Reading, SERIES_MAX, Series, Value};

/// An eye follows no more, and a phone's battery pays for each.
pub const EVENTS_PER_SECOND_MAX: u32 = 4;

/// Time between two events with values.
pub const EVENT_INTERVAL: Duration = Duration::from_millis(1_000 / EVENTS_PER_SECOND_MAX as u64);

/// Events that a slow client may be behind: some 6 s. Further behind, it misses them and is given a fresh snapshot.
pub const EVENTS_BEHIND_MAX: usize = 32;

/// The table; clones share it.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    table: Mutex<Table>,
    events: broadcast::Sender<Event>,
    somebody_came: Notify,
    metrics: ApiMetrics,
}

#[derive(Default)]
struct Table {
    rows: Vec<Option<Row>>,
    changed: Vec<u32>,
    watchers: usize,
}

#[derive(Clone)]
struct Row {
    latest: Latest,
    changed: bool,
    introduced: bool,
}

/// The newest of one series.
#[derive(Clone)]
struct Latest {
    series: Arc<Series>,
    observed_at: Stamp,
    received_at: Stamp,
    value: Value,
    quality: Quality,
}

/// What goes to all watchers: bytes of a server-sent event, shared, or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole event as it goes over the wire.
    Frame(Bytes),
    /// The gateway stops.
    End,
}

/// A value as the API shows it. The parts that name the series are left out where the client has them by `id`.
#[derive(Serialize)]
struct View<'a> {
    id: u32,
    #[serde(flatten)]
    key: Option<KeyView<'a>>,
    value: serde_json::Value,
    quality: Quality,
    /// Whether another source of the same is the one to show.
    standby: bool,
    observed_at: Stamp,
    received_at: Stamp,
}

#[derive(Serialize)]
struct KeyView<'a> {
    context: String,
    path: &'a str,
    source: &'a str,
    instance: &'a str,
    unit: &'static str,
}

#[derive(Serialize)]
struct Values<'a> {
    now: Stamp,
    values: Vec<View<'a>>,
}

impl Live {
    /// An empty table.
    pub fn new(metrics: ApiMetrics) -> Self {
        let (events, _) = broadcast::channel(EVENTS_BEHIND_MAX);
        Self(Arc::new(Inner { table: Mutex::default(), events, somebody_came: Notify::new(), metrics }))
    }

    /// Takes in what was read. Cheap: one lock, one slot a reading; call it with whole batches.
    pub fn observe(&self, readings: &[Reading]) {
        let mut table = self.table();
        for reading in readings {
            if !table.put(reading) {
                self.0.metrics.live_refused.inc();
            }
        }
    }

    /// All latest values as JSON, `{"now","values":[..]}`, ordered by series number.
    pub fn snapshot(&self, now: Stamp) -> String {
        let rows: Vec<Latest> = self
            .table()
            .rows
            .iter()
            .flatten()
            .map(|row| row.latest.clone())
            .filter(|latest| !latest.series.is_retired())
            .collect();
        let values = rows.iter().map(|latest| self.view(latest, true)).collect();
        json(&Values { now, values })
    }

    /// How many series have a value.
    pub fn len(&self) -> usize {
        self.table().rows.iter().flatten().count()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.table().watchers
    }

    /// Begins to watch. What changes from now on comes through the [`Watch`]; take a snapshot after this, not before.
    pub fn watch(&self) -> Watch {
        let events = self.0.events.subscribe();
        self.table().watchers += 1;
        self.0.metrics.live_clients.inc();
        self.0.somebody_came.notify_one();
        Watch { live: self.clone(), events }
    }

    /// Returns when somebody watches.
    pub async fn somebody_watches(&self) {
        while self.watchers() == 0 {
            self.0.somebody_came.notified().await;
        }
    }

    /// Sends what changed since the last time to all watchers; returns how many series that were.
    pub fn send_changes(&self, now: Stamp) -> usize {
        let changed = self.table().take_changed();
        if !changed.is_empty() {
            let values = changed.iter().map(|(latest, is_new)| self.view(latest, *is_new)).collect();
            self.send("values", &json(&Values { now, values }));
        }
        changed.len()
    }

    /// Sends one event to all watchers.
    pub fn send(&self, name: &str, data: &str) {
        // Nobody there to receive is no error.
        drop(self.0.events.send(Event::Frame(frame(name, data))));
    }

    /// Ends the stream of every watcher.
    pub fn end(&self) {
        drop(self.0.events.send(Event::End));
    }

    fn view<'a>(&self, latest: &'a Latest, with_key: bool) -> View<'a> {
        let key = &latest.series.key;
        View {
            id: latest.series.id,
            key: with_key.then(|| KeyView {
                context: key.context.to_string(),
                path: &key.path,
                source: &key.source,
                instance: &key.instance,
                unit: latest.series.unit,
            }),
            value: latest.value.to_json(),
            quality: latest.quality,
            standby: !latest.series.is_preferred(),
            observed_at: latest.observed_at,
            received_at: latest.received_at,
        }
    }

    /// The table is whole at every instant, so a panic elsewhere while it was locked does no harm.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Puts one reading; false when its series is beyond the bound.
    fn put(&mut self, reading: &Reading) -> bool {
        let index = reading.series.id as usize;
        if index >= SERIES_MAX {
            return false;
        }
        if index >= self.rows.len() {
            self.rows.resize_with(index + 1, || None);
        }
        let row = self.rows[index].get_or_insert_with(|| Row {
            latest: Latest::from(reading),
            changed: false,
            introduced: false,
        });
        if !Arc::ptr_eq(&row.latest.series, &reading.series) {
            // The number of a series that was given up means another one now.
            row.introduced = false;
        }
        row.latest = Latest::from(reading);
        if self.watchers > 0 && !row.changed {
            row.changed = true;
            self.changed.push(reading.series.id);
        }
        true
    }

    /// What changed, each with whether watchers see its series for the first time.
    fn take_changed(&mut self) -> Vec<(Latest, bool)> {
        let mut taken = Vec::with_capacity(self.changed.len());
        for id in self.changed.drain(..) {
            if let Some(row) = self.rows.get_mut(id as usize).and_then(Option::as_mut) {
                taken.push((row.latest.clone(), !row.introduced));
                row.changed = false;
                row.introduced = true;
            }
        }
        taken
    }
}

impl From<&Reading> for Latest {
    fn from(reading: &Reading) -> Self {
        Self {
            series: Arc::clone(&reading.series),
            observed_at: reading.observed_at,
            received_at: reading.received_at,
            value: reading.value.clone(),
            quality: reading.quality,
        }
    }
}

/// One who watches. Dropping it ends that.
pub struct Watch {
    live: Live,
    events: broadcast::Receiver<Event>,
}

/// What a watcher is told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// An event to pass on.
    Frame(Bytes),
    /// It was too slow: events are lost to it, and only a snapshot makes it whole again.
    Lagged,
    /// No more will come.
    End,
}

impl Watch {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Next {
        match self.events.recv().await {
            Ok(Event::Frame(frame)) => Next::Frame(frame),
            Err(RecvError::Lagged(_)) => {
                self.live.0.metrics.live_lagged.inc();
                Next::Lagged
            }
            Ok(Event::End) | Err(RecvError::Closed) => Next::End,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut table = self.live.table();
        table.watchers -= 1;
        if table.watchers == 0 {
            table.take_changed();
        }
        drop(table);
        self.live.0.metrics.live_clients.dec();
    }
}

/// A server-sent event (WHATWG HTML, section 9.2). JSON has no line break, so one data line holds it.
pub fn frame(name: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// Plain data always serialises; should it ever not, watchers are told null rather than the gateway falling.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Context, SeriesKey, SeriesRegistry};

    fn reading(registry: &SeriesRegistry, path: &str, value: f64) -> Reading {
        let key = SeriesKey {
            context: Context::OwnShip,
            path: path.to_owned().into(),
            source: "gps.GP".into(),
            instance: "".into(),
        };
        Reading {
            series: registry.series_in(&key, "m").unwrap(),
            observed_at: Stamp(0),
            received_at: Stamp(1_000),
            value: Value::Float(value),
            quality: Quality::Good,
        }
    }

    fn live() -> (Live, SeriesRegistry) {
        (Live::new(ApiMetrics::default()), SeriesRegistry::default())
    }

    fn text(next: Next) -> String {
        let Next::Frame(bytes) = next else { panic!("{next:?} is no frame") };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_watcher_hears_of_changes_once_each() {
        let (live, registry) = live();
        let mut watch = live.watch();
        live.observe(&[reading(&registry, "a", 1.0), reading(&registry, "a", 2.0), reading(&registry, "b", 3.0)]);
        assert_eq!(live.send_changes(Stamp(0)), 2);
        assert_eq!(live.send_changes(Stamp(0)), 0);
        let first = text(watch.next().await);
        assert!(first.starts_with("event: values\ndata: {") && first.ends_with("}\n\n"), "{first}");
        assert!(first.contains(r#""path":"a""#) && first.contains("2.0") && !first.contains("1.0,"), "{first}");
        live.observe(&[reading(&registry, "a", 4.0)]);
        assert_eq!(live.send_changes(Stamp(0)), 1);
        assert!(!text(watch.next().await).contains("path"), "a known series is told by its number");
    }

    #[test]
    fn nothing_is_noted_while_nobody_watches() {
        let (live, registry) = live();
        live.observe(&[reading(&registry, "a", 1.0)]);
        assert_eq!(live.send_changes(Stamp(0)), 0);
        let watch = live.watch();
        assert!(live.snapshot(Stamp(0)).contains(r#""value":1.0"#));
        live.observe(&[reading(&registry, "a", 2.0)]);
        drop(watch);
        assert_eq!((live.watchers(), live.send_changes(Stamp(0))), (0, 0));
    }

    #[tokio::test]
    async fn a_slow_watcher_lags_within_the_bound_and_is_told() {
        let (live, _) = live();
        let mut slow = live.watch();
        for i in 0..10 * EVENTS_BEHIND_MAX {
            live.send("status", &i.to_string());
        }
        assert_eq!(slow.next().await, Next::Lagged);
        let mut kept = 0;
        live.end();
        while let Next::Frame(_) = slow.next().await {
            kept += 1;
        }
        assert!(kept <= EVENTS_BEHIND_MAX, "{kept} kept");
        assert_eq!(live.0.metrics.live_lagged.get(), 2);
    }

    #[test]
    fn a_series_beyond_the_bound_is_refused_and_counted() {
        let (live, registry) = live();
        let mut far = reading(&registry, "a", 1.0);
        far.series = Arc::new(Series::new(u32::MAX, far.series.key.clone(), ""));
        live.observe(&[far]);
        assert!(live.is_empty());
        assert_eq!(live.0.metrics.live_refused.get(), 1);
    }

    #[test]
    fn absence_and_infinity_are_null_with_their_quality() {
        let (live, registry) = live();
        let mut absent = reading(&registry, "a", f64::INFINITY);
        absent.quality = Quality::OutOfRange;
        live.observe(&[absent]);
        let text = live.snapshot(Stamp(0));
        assert!(text.contains(r#""value":null,"quality":"out_of_range""#), "{text}");
    }
}
