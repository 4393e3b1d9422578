//! Turns pages of the change log and of the records into messages. Blocking: it reads the store, so it runs on the
//! blocking pool. It keeps no state and sends nothing.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::record::{ChangeType, Class, Collection, Record};
use crate::uplink::feed::{ChangeFeed, FeedError, LoggedChange};
use crate::uplink::message::{self, Message, Place, Unserialisable};
use crate::uplink::ring::Weigh;
use crate::uplink::topics::Topics;

/// Changes or records read at once (K4).
pub const PAGE_MAX: usize = 100;

/// For whose sake a message goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A change of the log: its acknowledgement moves the cursor.
    Change {
        /// Its place in the log.
        version: u64,
    },
    /// The log or the store again; may be lost, is then repeated from there.
    Again,
    /// A live value or a batch; may be lost.
    Telemetry,
    /// The gateway's presence or the open conflicts; said again at the next connect.
    Notice,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The message.
    pub message: Message,
    /// For whose sake.
    pub origin: Origin,
    /// `entity_type` in the metrics.
    pub entity_type: &'static str,
    /// `operation` in the metrics.
    pub operation: &'static str,
}

impl Weigh for Queued {
    fn bytes(&self) -> usize {
        self.message.bytes()
    }
}

/// How a page of changes goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To those who listen.
    Live,
    /// To those who missed it; the first of the page has this place.
    CatchUp(Place),
    /// As catch-up, acknowledged once before.
    Repeat(Place),
}

/// A change as messages.
#[derive(Debug)]
pub struct Outgoing {
    /// Its place in the log.
    pub version: u64,
    /// Its lane in the ring.
    pub class: Class,
    /// Its messages, or why there can be none.
    pub messages: Result<Vec<Queued>, Unserialisable>,
}

/// The state of a record as a message, or why there can be none.
pub type State = (Uuid, Result<Queued, Unserialisable>);

/// What is needed to read; clones share it.
#[derive(Clone)]
pub struct Reader {
    /// The store.
    pub feed: Arc<dyn ChangeFeed>,
    /// The names.
    pub topics: Arc<Topics>,
    /// Whether crew records are retained one by one (Z7).
    pub retain_crew: bool,
}

impl Reader {
    /// At most `limit` changes after `version`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn changes(&self, version: u64, limit: usize, mode: Mode) -> Result<Vec<Outgoing>, FeedError> {
        let page = self.feed.changes_after(version, limit)?;
        let mut outgoing = Vec::with_capacity(page.len());
        // Only the last change of a record in the page says its state: it is the state now, whichever change asks for
        // it.
        let mut stated = HashSet::new();
        for (index, logged) in page.iter().enumerate().rev() {
            let says_state = !matches!(mode, Mode::Repeat(_))
                && self.is_retained(logged.change.collection)
                && stated.insert((logged.change.collection, logged.change.entity_id));
            let messages = self.messages(logged, mode, index as u64, says_state)?;
            let class = logged.change.collection.class();
            outgoing.push(Outgoing { version: logged.version, class, messages });
        }
        outgoing.reverse();
        Ok(outgoing)
    }

    fn messages(
        &self,
        logged: &LoggedChange,
        mode: Mode,
        index: u64,
        says_state: bool,
    ) -> Result<Result<Vec<Queued>, Unserialisable>, FeedError> {
        let change = &logged.change;
        let at = |first: Place| Place { sequence: first.sequence + index, total: first.total };
        let (event, operation, origin) = match mode {
            Mode::Live => {
                let origin = Origin::Change { version: logged.version };
                (message::change(&self.topics, logged), change.kind.operation(), origin)
            }
            Mode::CatchUp(first) => {
                let origin = Origin::Change { version: logged.version };
                (message::catchup(&self.topics, logged, at(first)), "catchup", origin)
            }
            Mode::Repeat(first) => (message::catchup(&self.topics, logged, at(first)), "catchup", Origin::Again),
        };
        let entity_type = change.collection.name();
        let mut all = match event {
            Ok(message) => vec![Queued { message, origin, entity_type, operation }],
            Err(unserialisable) => return Ok(Err(unserialisable)),
        };
        if says_state {
            match self.state(logged)? {
                Ok(message) => all.push(Queued { message, origin, entity_type, operation: "state" }),
                Err(unserialisable) => return Ok(Err(unserialisable)),
            }
        }
        Ok(Ok(all))
    }

    fn state(&self, logged: &LoggedChange) -> Result<Result<Message, Unserialisable>, FeedError> {
        let change = &logged.change;
        let record = match change.kind {
            ChangeType::Deleted => None,
            ChangeType::Created | ChangeType::Updated => self.feed.record(change.collection, change.entity_id)?,
        };
        Ok(match record {
            Some(record) => message::state(&self.topics, change.collection, &record),
            None => Ok(message::cleared(&self.topics, change.collection, change.entity_id)),
        })
    }

    /// At most `limit` states of a collection after `after`, by the ids of their records; empty when there are no more.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn states(&self, collection: Collection, after: Option<Uuid>, limit: usize) -> Result<Vec<State>, FeedError> {
        if !self.is_retained(collection) {
            return Ok(Vec::new());
        }
        let records = self.feed.all_records(collection, after, limit)?;
        let state = |record: &Record| {
            let message = message::state(&self.topics, collection, record)?;
            Ok(Queued { message, origin: Origin::Again, entity_type: collection.name(), operation: "state" })
        };
        Ok(records.iter().map(|record| (record.id, state(record))).collect())
    }

    fn is_retained(&self, collection: Collection) -> bool {
        collection != Collection::Crew || self.retain_crew
    }
}
