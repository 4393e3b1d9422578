//! Records and their change log: one SQLite file, WAL, `synchronous=FULL`. "Stored" is said only after the commit.
//!
//! The log is the outbox: a change and its record are one transaction, and each destination (shore, broker) has a
//! cursor over the log (invariant 3). [`RecordStore`] is a handle: writes go to one thread that commits them in groups,
//! reads use a connection of their own. This room decides no conflict and knows no link; see `sync`.

mod ashore;
pub mod edit;
mod identity;
mod log;
mod rows;
mod schema;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::watch;
use uuid::Uuid;

pub use ashore::{BlockRow, SeriesRow, VesselRow};
pub use edit::Edit;
pub use identity::{Identity, Start};
pub use log::{Entry, Place, link_chain};
pub use rows::{
    ChangeState, Cursor, DELETED_CLOCK, Effect, FieldClock, LoggedChange, Loss, RecordRow, Rows, content_hash,
};
pub use schema::MIGRATIONS;

use self::writer::WriterThread;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::record::{Collection, InvalidFields, Record};
use crate::store::sqlite::{self, SqliteError};

/// The record database's name in the data directory.
pub const FILE_NAME: &str = "records.db";

/// `PRAGMA application_id` of the record database: "HwRc".
pub const APPLICATION_ID: u32 = 0x4877_5263;

/// What can go wrong with records.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] SqliteError),
    /// A statement failed.
    #[error("the record database refused a statement: {0}; free space and the disk's health are the usual causes")]
    Sqlite(#[from] rusqlite::Error),
    /// A value could not be written as JSON.
    #[error("a value could not be written as JSON: {0}")]
    Encode(serde_json::Error),
    /// A file beside the database could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The fields of an edit do not fit their collection.
    #[error(transparent)]
    Invalid(#[from] InvalidFields),
    /// There is no such record.
    #[error("there is no {collection} record {id}")]
    NotFound {
        /// In which collection.
        collection: Collection,
        /// Which id.
        id: Uuid,
    },
    /// There is such a record already.
    #[error("there is a {collection} record {id} already; PATCH changes it")]
    Exists {
        /// In which collection.
        collection: Collection,
        /// Which id.
        id: Uuid,
    },
    /// Something asked for what this store does not do.
    #[error("{0}")]
    Refused(String),
    /// There is no room. What was said to be stored is; this was not.
    #[error("the disk is full: there is no room in {} for more", .path.display())]
    DiskFull {
        /// The record database.
        path: PathBuf,
    },
    /// The group of writes that this one was in could not be confirmed.
    #[error("the disk did not confirm the write: {0}; look whether it took effect, then try again")]
    NotCommitted(String),
    /// The writer has ended.
    #[error("the record store is closed")]
    Closed,
}

impl RecordError {
    /// A full disk by its name, whichever way it showed while the database at `path` was written.
    fn naming_full_disk(self, path: &Path) -> Self {
        let full = match &self {
            Self::Open(error) => error.is_full(),
            Self::Sqlite(error) => sqlite::is_full(error),
            _ => false,
        };
        if full { Self::DiskFull { path: path.to_owned() } } else { self }
    }
}

/// A handle on the record store; clones share it.
#[derive(Clone, Debug)]
pub struct RecordStore {
    owner: Arc<str>,
    identity: Identity,
    writer: Arc<WriterThread>,
    reader: Arc<Mutex<Connection>>,
    head: watch::Receiver<u64>,
}

impl RecordStore {
    /// Opens `<dir>/records.db`, making or migrating it. `owner` is whose log [`RecordStore::head`] follows: the
    /// vessel's id on board; ashore each vessel has its own and `owner` is empty.
    pub fn open(dir: &Path, owner: &str, clock: &Clock, entropy: &Entropy) -> Result<(Self, Start), RecordError> {
        let path = dir.join(FILE_NAME);
        Self::open_file(dir, path.clone(), owner, clock, entropy).map_err(|error| error.naming_full_disk(&path))
    }

    fn open_file(
        dir: &Path,
        path: PathBuf,
        owner: &str,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Result<(Self, Start), RecordError> {
        let mut connection = sqlite::open(&path, sqlite::Kind::Records)?;
        sqlite::migrate(&mut connection, APPLICATION_ID, MIGRATIONS)?;
        let (identity, start) = Identity::establish(dir, &mut connection, entropy)?;
        check_owner(&connection, owner)?;
        let (head_sender, head) = watch::channel(Rows(&connection).head(owner)?);
        let reader = sqlite::open(&path, sqlite::Kind::ReadOnly)?;
        let writer = WriterThread::spawn(connection, path, owner.into(), head_sender, clock.clone());
        let store = Self {
            owner: owner.into(),
            identity,
            writer: Arc::new(writer),
            reader: Arc::new(Mutex::new(reader)),
            head,
        };
        Ok((store, start))
    }

    /// Whose records these are.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Who this store is among devices and histories, as at its opening.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Follows the last version of the owner's log.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.head.clone()
    }

    /// Runs `job` in the writer's next transaction; returns once that is safely on the disk. An error of `job` undoes
    /// what `job` did and nothing else.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Rows<'_>) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        self.writer.run(job).await
    }

    /// Runs `job` on the reading connection: it sees the last commit. Short reads only; long ones page.
    pub fn read<T>(&self, job: impl FnOnce(&Rows<'_>) -> Result<T, RecordError>) -> Result<T, RecordError> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // One snapshot for all statements of the job.
        let snapshot = connection.unchecked_transaction()?;
        job(&Rows(&snapshot))
    }

    /// Makes, changes or deletes a record of the owner's.
    pub async fn edit(&self, edit: Edit) -> Result<Saved, RecordError> {
        let owner = Arc::clone(&self.owner);
        let now = self.writer.clock().now();
        self.write(move |rows| edit::apply(rows, &owner, edit, &now)).await
    }

    /// One live record.
    pub fn get(&self, collection: Collection, id: Uuid) -> Result<Record, RecordError> {
        let (row, pending) = self.read(|rows| {
            let row = rows.record(&self.owner, collection, id)?;
            Ok((row, rows.base(&self.owner, collection, id)?.is_some()))
        })?;
        match row {
            Some(row) if !row.deleted => Ok(row.into_record(id, pending)),
            _ => Err(RecordError::NotFound { collection, id }),
        }
    }

    /// Live records after the id `after`, in the order of their ids.
    pub fn list(&self, collection: Collection, after: Uuid, limit: usize) -> Result<Vec<Record>, RecordError> {
        self.read(|rows| {
            let all = rows.list(&self.owner, collection, after, limit)?;
            all.into_iter()
                .map(|(id, row)| Ok(row.into_record(id, rows.base(&self.owner, collection, id)?.is_some())))
                .collect()
        })
    }

    /// Ends the writer after what it was given; waits for it.
    pub fn close(&self) {
        self.writer.close();
    }
}

/// A store keeps the records of the vessel that made it: under another name its records would be gone from view and its
/// open changes never be sent.
fn check_owner(connection: &Connection, owner: &str) -> Result<(), RecordError> {
    let rows = Rows(connection);
    match rows.identity("owner")? {
        None => rows.set_identity("owner", owner),
        Some(known) if known == owner => Ok(()),
        Some(known) => Err(RecordError::Refused(format!(
            "records.db is of vessel `{known}`, not `{owner}`; set vessel.id = \"{known}\" or use another data.dir"
        ))),
    }
}

/// What an edit has become.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The change in the log.
    pub change: crate::record::Change,
    /// Its place in the log.
    pub version: u64,
    /// The record as it is shown now; `None` when it was deleted.
    pub record: Option<Record>,
}

#[cfg(test)]
mod tests;
