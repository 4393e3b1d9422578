//! What the uplink needs of the record store: the change log, its cursors, and the state of records. Defined here and
//! implemented by the store's owner, so that the uplink can be tested without it. It refuses to know what a database
//! is.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Stamp;
use crate::record::{Change, Collection, Record};

/// A change and its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedChange {
    /// Place in the log: 1, 2, 3 and so on, never given twice.
    pub version: u64,
    /// The change.
    pub change: Change,
}

/// A conflict that waits for people (REQUIREMENTS F14, F15), as shown on `{sync_prefix}/conflicts`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConflictNotice {
    /// Which conflict.
    pub id: Uuid,
    /// In which collection.
    pub entity: Collection,
    /// Which record.
    pub entity_id: Uuid,
    /// Why, for people.
    pub reason: String,
    /// When it was found.
    pub detected_at: Stamp,
}

/// The log could not be read or the cursor not be written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} failed: {cause}")]
pub struct FeedError {
    /// What was tried: `read the change log`.
    pub operation: &'static str,
    /// Why it failed, with what the operator can do.
    pub cause: String,
    /// Whether the same call may succeed later.
    pub transient: bool,
}

impl FeedError {
    /// Whether the same call may succeed later. The uplink tries again each second either way: a poisoned store is
    /// reopened.
    pub const fn is_transient(&self) -> bool {
        self.transient
    }
}

/// The record store as the uplink sees it. Methods that return a `Result` may block on the disk: the uplink calls them
/// on the blocking pool. The others are cheap and called anywhere.
pub trait ChangeFeed: Send + Sync + 'static {
    /// At most `limit` changes after `version`, in the order of the log.
    fn changes_after(&self, version: u64, limit: usize) -> Result<Vec<LoggedChange>, FeedError>;

    /// The newest version in the log, 0 when it is empty; wakes the uplink when it moves. Only committed changes count.
    fn head(&self) -> watch::Receiver<u64>;

    /// The last version that `destination` acknowledged; 0 when it is new.
    fn cursor(&self, destination: &str) -> Result<u64, FeedError>;

    /// Moves the cursor of `destination`, durably.
    fn set_cursor(&self, destination: &str, version: u64) -> Result<(), FeedError>;

    /// The state of a record now; `None` when it was deleted or never was.
    fn record(&self, collection: Collection, id: Uuid) -> Result<Option<Record>, FeedError>;

    /// At most `limit` live records of a collection in the order of their ids, after `after`.
    fn all_records(&self, collection: Collection, after: Option<Uuid>, limit: usize) -> Result<Vec<Record>, FeedError>;

    /// Keeps a change that `destination` can never take, durably, so that people see it (L4). Twice is as once.
    fn dead_letter(&self, destination: &str, version: u64, reason: &str) -> Result<(), FeedError>;

    /// The open conflicts, newest first, at most some dozens; wakes the uplink when they change.
    fn conflicts(&self) -> watch::Receiver<Arc<Vec<ConflictNotice>>> {
        watch::channel(Arc::default()).1
    }
}
