//! Alarms that devices tell become records of the collection `alerts`: the crew acknowledges them, the shore sees them.
//!
//! A device repeats its alarm; a record is made once, when it is raised, changed when it gets worse or better, and
//! closed when the device says that it is over. What is open is read from the store at the start, so that a restart
//! raises nothing twice. It refuses to close an alarm because its device fell silent.

mod book;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use serde_json::json;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::clock::Stamp;
use crate::entropy::Entropy;
use crate::reading::{Context, Reading};
use crate::record::{ChangeType, Collection, Fields, Record};
use crate::store::records::{Edit, RecordError, RecordStore};
use crate::wire::notification::{NOTIFICATIONS, Notification};

use book::{Book, Key, OPEN_MAX, Open, Plan, severity};

/// Records read at a time at the start.
const PAGE: usize = 500;

/// Who makes these records, in the change log.
const ACTOR: &str = "gateway";

/// Keeps the records until the feed ends. `refused` counts what is told of alarms for which there is no room.
pub async fn run(
    store: RecordStore,
    entropy: Entropy,
    refused: Counter,
    mut readings: broadcast::Receiver<Arc<Vec<Reading>>>,
) -> Result<(), RecordError> {
    let mut keeper = Keeper::open(store, entropy, refused)?;
    loop {
        match readings.recv().await {
            Ok(batch) => keeper.batch(&batch).await,
            // Devices repeat what is still true.
            Err(broadcast::error::RecvError::Lagged(batches)) => {
                tracing::warn!(batches, "alarms may be told late");
                keeper.book.missed();
            }
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
    }
}

/// Carries out what the book plans.
struct Keeper {
    store: RecordStore,
    entropy: Entropy,
    book: Book,
    refused: Counter,
    /// That there is no room was told, and none was found since.
    full: bool,
}

impl Keeper {
    /// With those that are open in the store, of devices: people's own alerts have no source.
    fn open(store: RecordStore, entropy: Entropy, refused: Counter) -> Result<Self, RecordError> {
        let mut book = Book::default();
        let mut after = Uuid::nil();
        loop {
            let page = store.list(Collection::Alerts, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(Self { store, entropy, book, refused, full: false }) };
            after = last.id;
            book.extend(page.iter().filter_map(opened));
        }
    }

    /// Any reading tells the time for those that are held: no timer is needed, for nothing ends while nothing is heard.
    async fn batch(&mut self, readings: &[Reading]) {
        for reading in readings.iter().filter(|reading| is_own_notification(reading)) {
            self.take(reading).await;
        }
        let Some(now) = readings.last().map(|reading| reading.received_at) else { return };
        for (key, record, ended_at) in self.book.due(now) {
            self.close(&key, record, ended_at, now).await;
        }
    }

    async fn take(&mut self, reading: &Reading) {
        let Some(told) = Notification::from_value(&reading.value) else { return };
        let (key, at, now) = (key_of(reading), reading.observed_at, reading.received_at);
        for (gone, record) in self.book.unlisted(&key) {
            self.close(&gone, record, at, now).await;
        }
        self.book.heard(&key, &told);
        let (kind, record, fields) = match self.book.plan(&key, &told, now) {
            Plan::Nothing => return,
            Plan::NoRoom => return self.refuse(&key),
            Plan::Hold => return self.book.hold(&key, at, None),
            Plan::Close(record) => return self.close(&key, record, at, now).await,
            Plan::Raise => {
                self.full = false;
                (ChangeType::Created, self.entropy.uuid(), raised(&key, &told, at))
            }
            Plan::Reopen(record) => (ChangeType::Updated, record, reopened(&told)),
            Plan::Change(record) => (ChangeType::Updated, record, changed(&told)),
        };
        match self.write(kind, record, fields).await {
            Ok(()) => self.book.written(key, record, &told, now),
            // The alarm is raised anew when the device repeats it.
            Err(RecordError::NotFound { .. }) => self.book.deleted(&key),
            Err(error) => {
                tracing::error!(%error, path = key.path, "an alarm could not be recorded; its device will repeat it");
            }
        }
    }

    fn refuse(&mut self, key: &Key) {
        self.refused.inc();
        if !std::mem::replace(&mut self.full, true) {
            let (path, source) = (&key.path, &key.source);
            tracing::warn!(path, source, open = OPEN_MAX, "no room for one more alarm; more of them are only counted");
        }
    }

    async fn close(&mut self, key: &Key, record: Uuid, ended_at: Stamp, now: Stamp) {
        match self.write(ChangeType::Updated, record, fields_of(json!({"cleared_at": ended_at}))).await {
            Ok(()) => self.book.closed(key, now),
            Err(RecordError::NotFound { .. }) => self.book.deleted(key),
            // A device says once that an alarm is over.
            Err(error) => {
                tracing::error!(%error, path = key.path, "the end of an alarm could not be recorded yet");
                self.book.hold(key, ended_at, Some(now));
            }
        }
    }

    async fn write(&self, kind: ChangeType, entity_id: Uuid, fields: Fields) -> Result<(), RecordError> {
        let (collection, actor) = (Collection::Alerts, ACTOR.to_owned());
        self.store.edit(Edit { collection, entity_id, kind, fields, actor, base_version: None }).await.map(drop)
    }
}

fn is_own_notification(reading: &Reading) -> bool {
    reading.series.key.context == Context::OwnShip && reading.series.key.path.starts_with(NOTIFICATIONS)
}

fn key_of(reading: &Reading) -> Key {
    let key = &reading.series.key;
    Key { path: key.path.to_string(), instance: key.instance.to_string(), source: key.source.to_string() }
}

fn opened(record: &Record) -> Option<(Key, Open)> {
    let text = |name: &str| record.fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    if record.fields.get("cleared_at").is_some_and(|value| !value.is_null()) {
        return None;
    }
    let key = Key { path: text("path")?, instance: text("instance").unwrap_or_default(), source: text("source")? };
    let open = Open {
        record: record.id,
        severity: text("severity")?,
        message: text("message").unwrap_or_default(),
        count: record.fields.get("count").and_then(serde_json::Value::as_u64).and_then(|n| u32::try_from(n).ok()),
        acknowledged: record.fields.get("acknowledged").and_then(serde_json::Value::as_bool).unwrap_or(false),
        changed_at: record.updated_at,
        listed: false,
        held_since: None,
        ended_at: None,
    };
    Some((key, open))
}

fn raised(key: &Key, told: &Notification, at: Stamp) -> Fields {
    let mut fields = changed(told);
    let what = key.path.trim_start_matches(NOTIFICATIONS);
    let title = if told.message.is_empty() { format!("{what} {}", key.instance) } else { told.message.clone() };
    let Key { path, instance, source } = key;
    let known = json!({"title": title.trim_end(), "path": path, "instance": instance, "source": source});
    fields.extend(fields_of(known));
    fields.extend(fields_of(json!({"raised_at": at})));
    fields
}

fn reopened(told: &Notification) -> Fields {
    let mut fields = changed(told);
    fields.extend(fields_of(json!({"cleared_at": null})));
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
mod tests;
