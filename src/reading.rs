//! Readings: facts that a sensor told. Immutable, never in conflict, harmless to send twice.
//!
//! A reading is (series, time, value, quality); a series is (context, path, source, instance). Paths and units are
//! Signal K's, SI inside. This module refuses to know where readings come from or go to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;

/// The most series that live at once. One costs about 300 bytes here and a line on the page; a bus that invents sources
/// (address churn, garbage talkers) must not grow memory. 100 devices of 100 quantities are 10,000.
pub const SERIES_MAX: usize = 16_384;

/// Whom a reading is about. Own-ship paths never mix with those of AIS targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// The vessel that carries this gateway.
    #[default]
    OwnShip,
    /// An AIS vessel by its MMSI.
    Vessel(u32),
    /// An AIS aid to navigation by its MMSI.
    AidToNavigation(u32),
    /// An AIS base station by its MMSI.
    ShoreStation(u32),
    /// An AIS search-and-rescue aircraft by its MMSI.
    Aircraft(u32),
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnShip => f.write_str("vessels.self"),
            Self::Vessel(mmsi) => write!(f, "vessels.urn:mrn:imo:mmsi:{mmsi:09}"),
            Self::AidToNavigation(mmsi) => write!(f, "atons.urn:mrn:imo:mmsi:{mmsi:09}"),
            Self::ShoreStation(mmsi) => write!(f, "shore.urn:mrn:imo:mmsi:{mmsi:09}"),
            Self::Aircraft(mmsi) => write!(f, "aircraft.urn:mrn:imo:mmsi:{mmsi:09}"),
        }
    }
}

impl std::str::FromStr for Context {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "vessels.self" {
            return Ok(Self::OwnShip);
        }
        let refused =
            || format!("`{text}` is not a context like `vessels.self` or `vessels.urn:mrn:imo:mmsi:244660000`");
        let (kind, mmsi) = text.split_once(".urn:mrn:imo:mmsi:").ok_or_else(refused)?;
        let mmsi = mmsi.parse().map_err(|_| refused())?;
        match kind {
            "vessels" => Ok(Self::Vessel(mmsi)),
            "atons" => Ok(Self::AidToNavigation(mmsi)),
            "shore" => Ok(Self::ShoreStation(mmsi)),
            "aircraft" => Ok(Self::Aircraft(mmsi)),
            _ => Err(refused()),
        }
    }
}

/// A value in SI units (Signal K 1.7, appendix A): K, Pa, rad, m/s, Hz, ratio, m3, J, C, degrees for positions.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A measured number.
    Float(f64),
    /// A counted number.
    Integer(i64),
    /// A state of two.
    Bool(bool),
    /// A name or an enumeration's word; at most [`TEXT_BYTES_MAX`] bytes.
    Text(Arc<str>),
    /// Degrees north and east, WGS 84.
    Position {
        /// Degrees, north positive, -90 to 90.
        latitude: f64,
        /// Degrees, east positive, -180 to 180.
        longitude: f64,
    },
    /// No value; the reading's [`Quality`] says why.
    Absent,
}

/// The longest text value kept: the longest AIS text, type 14, is 161 characters; an NMEA 2000 string 250.
pub const TEXT_BYTES_MAX: usize = 256;

impl Value {
    /// A text value, cut at [`TEXT_BYTES_MAX`] on a character's edge.
    pub fn text(text: &str) -> Self {
        let mut end = text.len().min(TEXT_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self::Text(Arc::from(&text[..end]))
    }

    /// The value as JSON: a number, bool, text, `{"latitude","longitude"}`, or null when absent or not finite.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Float(x) => serde_json::json!(x),
            Self::Integer(i) => serde_json::json!(i),
            Self::Bool(b) => serde_json::json!(b),
            Self::Text(t) => serde_json::json!(&**t),
            Self::Position { latitude, longitude } => {
                serde_json::json!({"latitude": latitude, "longitude": longitude})
            }
            Self::Absent => serde_json::Value::Null,
        }
    }
}

/// Whether a value can be used. Absence is a value: it is recorded, not skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// As measured.
    #[default]
    Good,
    /// The device says that it has no value.
    NotAvailable,
    /// The device sent a value outside what the field can mean.
    OutOfRange,
    /// Nothing came for longer than the series' time-out.
    Stale,
}

impl Quality {
    /// The name used in databases and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NotAvailable => "not_available",
            Self::OutOfRange => "out_of_range",
            Self::Stale => "stale",
        }
    }

    /// The code used in journal blocks; stable for ever.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::NotAvailable => 1,
            Self::OutOfRange => 2,
            Self::Stale => 3,
        }
    }

    /// The inverse of [`Quality::code`].
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Good),
            1 => Some(Self::NotAvailable),
            2 => Some(Self::OutOfRange),
            3 => Some(Self::Stale),
            _ => None,
        }
    }
}

/// What identifies a series, as text, the same on board and ashore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// Whom it is about.
    pub context: Context,
    /// Signal K path, such as `navigation.speedOverGround`.
    pub path: Cow<'static, str>,
    /// Bus and talker, such as `ais0.GP`.
    pub source: Arc<str>,
    /// Which of several alike (engine, tank, transducer); empty when there is one only.
    pub instance: Arc<str>,
}

/// A live series: its key and a small number that indexes tables in memory. The number is this process's own.
#[derive(Debug)]
pub struct Series {
    /// Index, dense from 0, valid in this process only; given out again when the series was retired.
    pub id: u32,
    /// Identity that lasts.
    pub key: SeriesKey,
    /// The SI unit of its values; empty when they have none, or nobody knows it.
    pub unit: &'static str,
    /// Whether another source of the same is the one to show.
    standby: AtomicBool,
    /// Whether its number may by now mean another series.
    retired: AtomicBool,
}

impl Series {
    /// A series that nobody rivals yet.
    pub const fn new(id: u32, key: SeriesKey, unit: &'static str) -> Self {
        Self { id, key, unit, standby: AtomicBool::new(false), retired: AtomicBool::new(false) }
    }

    /// Whether it is the one to show where several sources tell the same quantity. What is on standby is recorded like
    /// all others.
    pub fn is_preferred(&self) -> bool {
        !self.standby.load(Ordering::Relaxed)
    }

    /// Whether it was given up after a long silence. What speaks again under its key is a new series of that key.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Chooses it, or puts it on standby.
    pub fn set_preferred(&self, preferred: bool) {
        self.standby.store(!preferred, Ordering::Relaxed);
    }
}

impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.key == other.key
    }
}

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was measured, and by whom.
    pub series: Arc<Series>,
    /// When it was measured; the sensor's own time where it has a believable one, else `received_at`.
    pub observed_at: Stamp,
    /// When its last byte reached the gateway.
    pub received_at: Stamp,
    /// The value, SI.
    pub value: Value,
    /// Whether the value can be used.
    pub quality: Quality,
}

/// All live series of a process, bounded by [`SERIES_MAX`]. Clones share it.
#[derive(Clone, Debug)]
pub struct SeriesRegistry(Arc<RwLock<AllSeries>>, usize);

#[derive(Debug, Default)]
struct AllSeries {
    by_key: HashMap<SeriesKey, Arc<Series>>,
    /// Numbers of retired series.
    free: Vec<u32>,
}

impl Default for SeriesRegistry {
    fn default() -> Self {
        Self::with_limit(SERIES_MAX)
    }
}

impl SeriesRegistry {
    /// A registry that refuses the series after the first `limit`.
    pub fn with_limit(limit: usize) -> Self {
        Self(Arc::default(), limit)
    }

    /// The series of `key`, made when new without a unit; `None` when the limit is reached (the caller counts that).
    pub fn series(&self, key: &SeriesKey) -> Option<Arc<Series>> {
        self.series_in(key, "")
    }

    /// The same, its values in `unit`.
    pub fn series_in(&self, key: &SeriesKey, unit: &'static str) -> Option<Arc<Series>> {
        if let Some(series) = self.0.read().expect("never poisoned: no panic inside").by_key.get(key) {
            return Some(Arc::clone(series));
        }
        let mut all = self.0.write().expect("never poisoned: no panic inside");
        if let Some(series) = all.by_key.get(key) {
            return Some(Arc::clone(series));
        }
        if all.by_key.len() >= self.1 {
            return None;
        }
        // Without free numbers those given out are 0 to the length.
        let next = u32::try_from(all.by_key.len()).ok()?;
        let id = all.free.pop().unwrap_or(next);
        let series = Arc::new(Series::new(id, key.clone(), unit));
        all.by_key.insert(key.clone(), Arc::clone(&series));
        Some(series)
    }

    /// Gives a series up, and its number to the next new one.
    pub fn retire(&self, series: &Arc<Series>) {
        let mut all = self.0.write().expect("never poisoned: no panic inside");
        if all.by_key.get(&series.key).is_some_and(|known| Arc::ptr_eq(known, series)) {
            all.by_key.remove(&series.key);
            all.free.push(series.id);
            series.retired.store(true, Ordering::Relaxed);
        }
    }

    /// How many series live.
    pub fn len(&self) -> usize {
        self.0.read().expect("never poisoned: no panic inside").by_key.len()
    }

    /// Whether none live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &'static str) -> SeriesKey {
        SeriesKey { context: Context::OwnShip, path: path.into(), source: "a.GP".into(), instance: "".into() }
    }

    #[test]
    fn the_registry_gives_one_series_a_key_and_stops_at_its_limit() {
        let registry = SeriesRegistry::with_limit(2);
        let a = registry.series(&key("a")).unwrap();
        assert_eq!(registry.series(&key("a")).unwrap().id, a.id);
        assert_eq!(registry.series(&key("b")).unwrap().id, 1);
        assert!(registry.series(&key("c")).is_none());
        assert!(registry.series(&key("a")).is_some(), "known series live on at the limit");
    }

    #[test]
    fn the_number_of_a_retired_series_is_given_out_again() {
        let registry = SeriesRegistry::with_limit(2);
        let [a, b] = ["a", "b"].map(|path| registry.series(&key(path)).unwrap());
        registry.retire(&a);
        registry.retire(&a);
        assert!(a.is_retired() && !b.is_retired());
        let c = registry.series(&key("c")).unwrap();
        assert_eq!((c.id, registry.len()), (a.id, 2));
        assert!(registry.series(&key("a")).is_none(), "the limit holds");
        registry.retire(&b);
        let again = registry.series(&key("a")).unwrap();
        assert_eq!(again.id, b.id);
        registry.retire(&a);
        assert!(!again.is_retired(), "the old one of the same key is not it");
    }

    #[test]
    fn contexts_print_and_read_back() {
        for context in [Context::OwnShip, Context::Vessel(244_660_000), Context::AidToNavigation(992_351_000)] {
            assert_eq!(context.to_string().parse(), Ok(context));
        }
        assert_eq!(Context::Vessel(1_234).to_string(), "vessels.urn:mrn:imo:mmsi:000001234");
        assert!("planes.x".parse::<Context>().unwrap_err().contains("vessels.self"));
    }

    #[test]
    fn long_text_is_cut_on_a_character() {
        let Value::Text(text) = Value::text(&"\u{e9}".repeat(200)) else { panic!("text stays text") };
        assert_eq!(text.len(), TEXT_BYTES_MAX);
    }
}
