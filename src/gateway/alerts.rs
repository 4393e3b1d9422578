//! Alarms that devices tell become records of the collection `alerts`: the crew acknowledges them, the shore sees them.
//!
//! A device repeats its alarm; a record is made once, when it is raised, changed when it gets worse or better, and
//! closed when the device says that it is over. What is open is read from the store at the start, so that a restart
//! raises nothing twice. It refuses to close an alarm because its device fell silent.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::clock::Stamp;
use crate::entropy::Entropy;
use crate::reading::{Context, Reading};
use crate::record::{ChangeType, Collection, Fields, Record};
use crate::store::records::{Edit, RecordError, RecordStore};
use crate::wire::notification::{AlarmState, NOTIFICATIONS, Notification};

/// Alarms that are open at a time; a bus that invents more is broken. One that finds no room is told in the log.
const OPEN_MAX: usize = 500;

/// The least time between two records of one alarm: one that comes and goes each second is one alarm, not 3,600.
const RAISE_INTERVAL_MIN_MS: i64 = 60_000;

/// Records read at a time at the start.
const PAGE: usize = 500;

/// Who makes these records, in the change log.
const ACTOR: &str = "gateway";

/// Which alarm: its path and source.
type Key = (String, String);

/// The alarms that are open.
#[derive(Debug, Default)]
struct Book {
    open: HashMap<Key, Open>,
    /// When each alarm was last raised; only of those that are not open, bounded like these.
    raised: HashMap<Key, Stamp>,
}

#[derive(Clone, Debug, PartialEq)]
struct Open {
    record: Uuid,
    severity: String,
    message: String,
}

/// What is to be done about a notification.
#[derive(Clone, Debug, PartialEq)]
enum Plan {
    /// It is known.
    Nothing,
    /// More are open than can be real.
    NoRoom,
    /// It came and went a moment ago.
    Flaps,
    /// A new one.
    Raise,
    /// Worse, better, or in other words.
    Change(Uuid),
    /// It is over.
    Close(Uuid),
}

impl Book {
    /// What a notification means, with what is open. Pure.
    fn plan(&self, key: &Key, told: &Notification, at: Stamp) -> Plan {
        let severity = severity(told.state);
        match (self.open.get(key), told.state) {
            (None, AlarmState::Normal) => Plan::Nothing,
            (Some(open), AlarmState::Normal) => Plan::Close(open.record),
            (Some(open), _) if open.severity == severity && open.message == told.message => Plan::Nothing,
            (Some(open), _) => Plan::Change(open.record),
            (None, _) if self.open.len() >= OPEN_MAX => Plan::NoRoom,
            (None, _) => {
                let again = self.raised.get(key).is_some_and(|last| at.millis_since(*last) < RAISE_INTERVAL_MIN_MS);
                if again { Plan::Flaps } else { Plan::Raise }
            }
        }
    }

    fn raise(&mut self, key: Key, open: Open, at: Stamp) {
        if self.raised.len() >= OPEN_MAX {
            self.raised.retain(|_, raised| at.millis_since(*raised) < RAISE_INTERVAL_MIN_MS);
        }
        self.raised.insert(key.clone(), at);
        self.open.insert(key, open);
    }
}

const fn severity(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Normal => "normal",
        AlarmState::Alert => "caution",
        AlarmState::Warn => "warning",
        AlarmState::Alarm => "alarm",
        AlarmState::Emergency => "emergency",
    }
}

/// Keeps the records until the feed ends.
pub async fn run(
    store: RecordStore,
    entropy: Entropy,
    mut readings: broadcast::Receiver<Arc<Vec<Reading>>>,
) -> Result<(), RecordError> {
    let mut book = read_open(&store)?;
    loop {
        match readings.recv().await {
            Ok(batch) => {
                for reading in batch.iter().filter(|reading| is_own_notification(reading)) {
                    take(&store, &entropy, &mut book, reading).await;
                }
            }
            // Devices repeat what is still true.
            Err(broadcast::error::RecvError::Lagged(batches)) => tracing::warn!(batches, "alarms may be told late"),
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
    }
}

fn is_own_notification(reading: &Reading) -> bool {
    reading.series.key.context == Context::OwnShip && reading.series.key.path.starts_with(NOTIFICATIONS)
}

/// Those that are open in the store, of devices: people's own alerts have no source.
fn read_open(store: &RecordStore) -> Result<Book, RecordError> {
    let mut book = Book::default();
    let mut after = Uuid::nil();
    loop {
        let page = store.list(Collection::Alerts, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(book) };
        after = last.id;
        book.open.extend(page.iter().filter_map(opened));
    }
}

fn opened(record: &Record) -> Option<(Key, Open)> {
    let text = |name: &str| record.fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    if record.fields.get("cleared_at").is_some_and(|value| !value.is_null()) {
        return None;
    }
    let open = Open { record: record.id, severity: text("severity")?, message: text("message").unwrap_or_default() };
    Some(((text("path")?, text("source")?), open))
}

async fn take(store: &RecordStore, entropy: &Entropy, book: &mut Book, reading: &Reading) {
    let Some(told) = Notification::from_value(&reading.value) else { return };
    let series = &reading.series.key;
    let key = (series.path.clone().into_owned(), series.source.to_string());
    let plan = book.plan(&key, &told, reading.observed_at);
    let (kind, record, fields) = match plan {
        Plan::Nothing | Plan::Flaps => return,
        Plan::NoRoom => {
            tracing::warn!(path = key.0, source = key.1, open = OPEN_MAX, "no room for one more alarm");
            return;
        }
        Plan::Raise => (ChangeType::Created, entropy.uuid(), raised(&key, &told, reading.observed_at)),
        Plan::Change(record) => (ChangeType::Updated, record, changed(&told)),
        Plan::Close(record) => (ChangeType::Updated, record, fields_of(json!({"cleared_at": reading.observed_at}))),
    };
    let edit = Edit {
        collection: Collection::Alerts,
        entity_id: record,
        kind,
        fields,
        actor: ACTOR.to_owned(),
        base_version: None,
    };
    match store.edit(edit).await {
        // Somebody deleted the record: the alarm is raised anew when the device repeats it.
        Err(RecordError::NotFound { .. }) => drop(book.open.remove(&key)),
        Err(error) => {
            tracing::error!(%error, path = key.0, "an alarm could not be recorded; its device will repeat it")
        }
        Ok(_) if matches!(plan, Plan::Close(_)) => drop(book.open.remove(&key)),
        Ok(_) => {
            let open = Open { record, severity: severity(told.state).to_owned(), message: told.message };
            if plan == Plan::Raise {
                book.raise(key, open, reading.observed_at);
            } else {
                book.open.insert(key, open);
            }
        }
    }
}

fn raised(key: &Key, told: &Notification, at: Stamp) -> Fields {
    let mut fields = changed(told);
    let title = if told.message.is_empty() { key.0.trim_start_matches(NOTIFICATIONS) } else { &told.message };
    fields.extend(fields_of(json!({"title": title, "path": key.0, "source": key.1, "raised_at": at})));
    fields
}

fn changed(told: &Notification) -> Fields {
    let mut fields = fields_of(json!({"severity": severity(told.state), "message": told.message}));
    // What a device calls acknowledged was acknowledged at the device; that it is not says nothing of our crew.
    if told.acknowledged == Some(true) {
        fields.extend(fields_of(json!({"acknowledged": true})));
    }
    let codes = json!({"spn": told.spn, "fmi": told.fmi, "count": told.count});
    fields.extend(fields_of(codes).into_iter().filter(|(_, value)| !value.is_null()));
    fields
}

fn fields_of(value: serde_json::Value) -> Fields {
    match value {
        serde_json::Value::Object(fields) => fields,
        _ => Fields::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        (format!("notifications.propulsion.0.spn{number}.fmi1"), "engine.address0".to_owned())
    }

    fn open(severity: &str) -> Open {
        Open { record: Uuid::nil(), severity: severity.to_owned(), message: "oil".to_owned() }
    }

    fn told(state: AlarmState) -> Notification {
        Notification::new(state, "oil")
    }

    #[test]
    fn an_alarm_is_raised_once_changed_when_it_changes_and_closed_when_it_is_over() {
        let (mut book, at) = (Book::default(), Stamp::from_millis(0));
        assert_eq!(book.plan(&key(1), &told(AlarmState::Normal), at), Plan::Nothing);
        assert_eq!(book.plan(&key(1), &told(AlarmState::Warn), at), Plan::Raise);
        book.raise(key(1), open("warning"), at);
        assert_eq!(book.plan(&key(1), &told(AlarmState::Warn), at), Plan::Nothing);
        assert_eq!(book.plan(&key(1), &told(AlarmState::Alarm), at), Plan::Change(Uuid::nil()));
        assert_eq!(book.plan(&key(1), &told(AlarmState::Normal), at), Plan::Close(Uuid::nil()));
    }

    #[test]
    fn one_that_flaps_is_one_a_minute_and_there_are_never_too_many() {
        let mut book = Book::default();
        book.raise(key(1), open("alarm"), Stamp::from_millis(0));
        book.open.clear();
        let plan = |book: &Book, ms| book.plan(&key(1), &told(AlarmState::Alarm), Stamp::from_millis(ms));
        assert_eq!(plan(&book, 59_999), Plan::Flaps);
        assert_eq!(plan(&book, 60_000), Plan::Raise);
        for number in 0..OPEN_MAX {
            book.raise(key(number), open("alarm"), Stamp::from_millis(0));
        }
        assert_eq!(book.plan(&key(OPEN_MAX), &told(AlarmState::Alarm), Stamp::from_millis(0)), Plan::NoRoom);
        assert!(book.raised.len() <= OPEN_MAX);
    }
}
