//! The record store as the uplink sees it.

use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;
use crate::record::{Collection, Record};
use crate::store::records::{Cursor, RecordError, RecordStore};
use crate::uplink::{ChangeFeed, FeedError, LoggedChange};

/// The record store with a runtime to wait for its writer.
pub struct RecordFeed {
    store: RecordStore,
    clock: Clock,
    runtime: tokio::runtime::Handle,
}

impl RecordFeed {
    /// Inside a runtime.
    pub fn new(store: RecordStore, clock: Clock) -> Self {
        Self { store, clock, runtime: tokio::runtime::Handle::current() }
    }
}

fn feed_error(operation: &'static str) -> impl FnOnce(RecordError) -> FeedError {
    move |error| FeedError { operation, transient: !matches!(error, RecordError::Closed), cause: error.to_string() }
}

fn cursor_name(destination: &str) -> String {
    format!("mqtt/{destination}")
}

impl ChangeFeed for RecordFeed {
    fn changes_after(&self, version: u64, limit: usize) -> Result<Vec<LoggedChange>, FeedError> {
        let read = self.store.read(|rows| rows.changes_after(self.store.owner(), version, limit));
        let changes = read.map_err(feed_error("read the change log"))?;
        Ok(changes.into_iter().map(|logged| LoggedChange { version: logged.version, change: logged.change }).collect())
    }

    fn head(&self) -> watch::Receiver<u64> {
        self.store.head()
    }

    fn cursor(&self, destination: &str) -> Result<u64, FeedError> {
        let read = self.store.read(|rows| rows.cursor(&cursor_name(destination)));
        read.map(|cursor| cursor.position).map_err(feed_error("read the cursor"))
    }

    fn set_cursor(&self, destination: &str, version: u64) -> Result<(), FeedError> {
        let name = cursor_name(destination);
        let cursor = Cursor { position: version, ..Cursor::default() };
        let write = self.store.write(move |rows| rows.set_cursor(&name, &cursor));
        self.runtime.block_on(write).map_err(feed_error("move the cursor"))
    }

    fn record(&self, collection: Collection, id: Uuid) -> Result<Option<Record>, FeedError> {
        match self.store.get(collection, id) {
            Ok(record) => Ok(Some(record)),
            Err(RecordError::NotFound { .. }) => Ok(None),
            Err(error) => Err(feed_error("read a record")(error)),
        }
    }

    fn all_records(&self, collection: Collection, after: Option<Uuid>, limit: usize) -> Result<Vec<Record>, FeedError> {
        self.store.list(collection, after.unwrap_or_default(), limit).map_err(feed_error("list records"))
    }

    fn dead_letter(&self, destination: &str, version: u64, reason: &str) -> Result<(), FeedError> {
        let at = self.clock.now().wall;
        let detail = format!("{destination}: change {version}: {reason}");
        let write = self.store.write(move |rows| rows.audit(at, "uplink", "dead_letter", &detail));
        self.runtime.block_on(write).map_err(feed_error("keep a dead letter"))
    }
}
