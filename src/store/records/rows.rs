//! The rows of the record database as Rust values, and the statements on them inside one transaction.
//!
//! [`Rows`] decides nothing: policies are in `sync::plan`, what happens in which order is in `sync::hub`, `sync::spoke`
//! and [`super::edit`].

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::RecordError;
use crate::clock::{Hlc, Stamp};
use crate::record::{Change, ChangeType, Collection, Fields, Record};

/// Who last wrote a field, and at which version of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldClock {
    /// The hub's version at which it was written; 0 while only we know of it.
    pub version: u64,
    /// The writer's clock, capped at receipt.
    pub hlc: Hlc,
    /// The writer.
    pub device: Uuid,
}

/// The key under which the clock of "deleted" stands beside those of the fields; no field may be named so.
pub const DELETED_CLOCK: &str = "";

/// A record as it is stored, tombstones included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordRow {
    /// The hub's version of the last change in it.
    pub version: u64,
    /// A tombstone.
    pub deleted: bool,
    /// Fields by name.
    pub fields: Fields,
    /// Who wrote each field.
    pub clocks: BTreeMap<String, FieldClock>,
    /// Author's clock of the change that made it.
    pub created_at: Stamp,
    /// Author's clock of the last change in it.
    pub updated_at: Stamp,
}

impl RecordRow {
    /// A record that does not exist: what the hub confirmed of one that only we have made.
    pub fn absent() -> Self {
        Self { deleted: true, ..Self::default() }
    }

    /// The record as it is shown; `pending` when edits of ours wait for the hub.
    pub fn into_record(self, id: Uuid, pending: bool) -> Record {
        Record {
            id,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            pending,
            fields: self.fields,
        }
    }
}

/// Where a change of ours stands on its way to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeState {
    /// In the outbox.
    Pending,
    /// The hub has it; its place among the others' changes is not applied here yet.
    Acked,
    /// Part of the confirmed state.
    Confirmed,
    /// Refused for good; holds its record's lane.
    Dead,
}

impl ChangeState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Acked => "acked",
            Self::Confirmed => "confirmed",
            Self::Dead => "dead",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Acked, Self::Confirmed, Self::Dead].into_iter().find(|state| state.name() == name)
    }
}

/// A change in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedChange {
    /// Its place in this store's log, dense from 1 for each owner.
    pub version: u64,
    /// The hub's version, once known. At the hub the same as `version`.
    pub hub_version: Option<u64>,
    /// Where it stands.
    pub state: ChangeState,
    /// What took effect, when a policy let only a part; `None`: all of it.
    pub effect: Option<Effect>,
    /// The change as its author made it.
    pub change: Change,
}

/// What a change does to a record. Replaying the effects of a log in order gives the hub's state, with no policy at
/// hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// `DELETED` leaves the record deleted, the others leave it alive.
    pub kind: ChangeType,
    /// The fields that are set.
    pub fields: Fields,
}

impl Effect {
    /// All that the author wanted.
    pub fn whole(change: &Change) -> Self {
        Self { kind: change.kind, fields: change.fields.clone() }
    }
}

impl LoggedChange {
    /// What took effect.
    pub fn effect(&self) -> Effect {
        self.effect.clone().unwrap_or_else(|| Effect::whole(&self.change))
    }
}

/// A loss, told to the shore before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// `readings`, `messages`, ...
    pub what: String,
    /// The sequence that `first` and `last` count in.
    pub store_id: String,
    /// First number lost.
    pub first: u64,
    /// Last number lost.
    pub last: u64,
    /// How many.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// What makes two changes of one id the same: everything that has an effect.
pub fn content_hash(change: &Change) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(change.device_id.as_bytes());
    hash.update(change.entity_id.as_bytes());
    hash.update(change.collection.name());
    hash.update(change.kind.name());
    hash.update(change.hlc.0.to_be_bytes());
    // A map of serde_json keeps its keys sorted, so equal fields have equal text.
    hash.update(serde_json::to_string(&change.fields).unwrap_or_default());
    hash.finalize().into()
}

/// Statements on the record database inside one transaction.
pub struct Rows<'c>(pub &'c Connection);

const RECORD_COLUMNS: &str = "version, deleted, fields, clocks, created_at, updated_at";

impl Rows<'_> {
    /// A named value of this store's identity.
    pub fn identity(&self, name: &str) -> Result<Option<String>, RecordError> {
        let mut statement = self.0.prepare_cached("SELECT value FROM identity WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Sets a named value of this store's identity.
    pub fn set_identity(&self, name: &str, value: &str) -> Result<(), RecordError> {
        let mut statement = self.0.prepare_cached("INSERT OR REPLACE INTO identity (name, value) VALUES (?1, ?2)")?;
        statement.execute([name, value])?;
        Ok(())
    }

    /// A number of this store's identity; 0 when never set.
    pub fn number(&self, name: &str) -> Result<u64, RecordError> {
        Ok(self.identity(name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// The record as it is shown, tombstones included.
    pub fn record(&self, owner: &str, collection: Collection, id: Uuid) -> Result<Option<RecordRow>, RecordError> {
        self.record_from("record", owner, collection, id)
    }

    /// What the hub confirmed of a record that has edits of ours on top.
    pub fn base(&self, owner: &str, collection: Collection, id: Uuid) -> Result<Option<RecordRow>, RecordError> {
        self.record_from("record_base", owner, collection, id)
    }

    fn record_from(
        &self,
        table: &str,
        owner: &str,
        collection: Collection,
        id: Uuid,
    ) -> Result<Option<RecordRow>, RecordError> {
        let sql =
            format!("SELECT {RECORD_COLUMNS} FROM {table} WHERE owner_id = ?1 AND collection = ?2 AND entity_id = ?3");
        let mut statement = self.0.prepare_cached(&sql)?;
        Ok(statement.query_row(params![owner, collection.name(), id.as_bytes()], record_row).optional()?)
    }

    /// Writes the record as it is shown.
    pub fn put_record(
        &self,
        owner: &str,
        collection: Collection,
        id: Uuid,
        row: &RecordRow,
    ) -> Result<(), RecordError> {
        self.put_record_into("record", owner, collection, id, row)
    }

    /// Writes what the hub confirmed.
    pub fn put_base(&self, owner: &str, collection: Collection, id: Uuid, row: &RecordRow) -> Result<(), RecordError> {
        self.put_record_into("record_base", owner, collection, id, row)
    }

    fn put_record_into(
        &self,
        table: &str,
        owner: &str,
        collection: Collection,
        id: Uuid,
        row: &RecordRow,
    ) -> Result<(), RecordError> {
        let sql = format!(
            "INSERT OR REPLACE INTO {table} (owner_id, collection, entity_id, {RECORD_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        );
        self.0.prepare_cached(&sql)?.execute(params![
            owner,
            collection.name(),
            id.as_bytes(),
            row.version,
            row.deleted,
            json(&row.fields)?,
            json(&row.clocks)?,
            row.created_at.0,
            row.updated_at.0
        ])?;
        Ok(())
    }

    /// Forgets the confirmed state: `record` is it now.
    pub fn drop_base(&self, owner: &str, collection: Collection, id: Uuid) -> Result<(), RecordError> {
        let sql = "DELETE FROM record_base WHERE owner_id = ?1 AND collection = ?2 AND entity_id = ?3";
        self.0.prepare_cached(sql)?.execute(params![owner, collection.name(), id.as_bytes()])?;
        Ok(())
    }

    /// Live records of a collection after `after`, in the order of their ids, at most `limit`.
    pub fn list(
        &self,
        owner: &str,
        collection: Collection,
        after: Uuid,
        limit: usize,
    ) -> Result<Vec<(Uuid, RecordRow)>, RecordError> {
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, entity_id FROM record
             WHERE owner_id = ?1 AND collection = ?2 AND entity_id > ?3 AND deleted = 0 ORDER BY entity_id LIMIT ?4"
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        let rows = statement
            .query_map(params![owner, collection.name(), after.as_bytes(), limit_param(limit)], |row| {
                Ok((uuid_column(row, 6)?, record_row(row)?))
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Records that have a confirmed state beside the one that is shown.
    pub fn bases(&self, owner: &str) -> Result<Vec<(Collection, Uuid)>, RecordError> {
        let sql = "SELECT collection, entity_id FROM record_base WHERE owner_id = ?1";
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement
            .query_map([owner], |row| Ok((word_column(row, 0, |word| word.parse().ok())?, uuid_column(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives every record an empty confirmed state; what is shown stays until the hub's log has been read again.
    pub fn empty_bases(&self, owner: &str) -> Result<(), RecordError> {
        let sql =
            "INSERT OR REPLACE INTO record_base (owner_id, collection, entity_id, version, deleted, fields, clocks,
               created_at, updated_at)
             SELECT owner_id, collection, entity_id, 0, 1, '{}', '{}', 0, 0 FROM record WHERE owner_id = ?1";
        self.0.execute(sql, [owner])?;
        Ok(())
    }

    /// How far a destination or source has come.
    pub fn cursor(&self, name: &str) -> Result<Cursor, RecordError> {
        let mut statement = self.0.prepare_cached("SELECT position, history_id, chain FROM cursor WHERE name = ?1")?;
        let found = statement.query_row([name], |row| {
            let chain: Option<[u8; 16]> = row.get(2)?;
            let chain = chain.map(Uuid::from_bytes).unwrap_or_default();
            Ok(Cursor { position: row.get(0)?, history_id: row.get(1)?, chain })
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    /// Moves a cursor.
    pub fn set_cursor(&self, name: &str, cursor: &Cursor) -> Result<(), RecordError> {
        let sql = "INSERT OR REPLACE INTO cursor (name, position, history_id, chain) VALUES (?1, ?2, ?3, ?4)";
        let chain = cursor.chain.as_bytes();
        self.0.prepare_cached(sql)?.execute(params![name, cursor.position, cursor.history_id, chain])?;
        Ok(())
    }

    /// Sets a refused change aside.
    pub fn bury(&self, owner: &str, change_id: Uuid, code: &str, message: &str, at: Stamp) -> Result<(), RecordError> {
        let sql = "INSERT OR IGNORE INTO dead_letters (owner_id, change_id, code, message, refused_at)
             VALUES (?1, ?2, ?3, ?4, ?5)";
        self.0.prepare_cached(sql)?.execute(params![owner, change_id.as_bytes(), code, message, at.0])?;
        self.set_state(owner, change_id, ChangeState::Dead, None)
    }

    /// Writes a loss down; told twice it is one row.
    pub fn write_loss(&self, owner: &str, loss: &Loss, at: Stamp, acknowledged: bool) -> Result<(), RecordError> {
        let sql = "INSERT OR IGNORE INTO loss_ledger (owner_id, what, store_id, first, last, count, reason, lost_at,
             hub_acknowledged) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.0.prepare_cached(sql)?.execute(params![
            owner,
            loss.what,
            loss.store_id,
            loss.first,
            loss.last,
            loss.count,
            loss.reason,
            at.0,
            acknowledged
        ])?;
        Ok(())
    }

    /// Losses that the hub does not know yet, oldest first, at most `limit`.
    pub fn untold_losses(&self, owner: &str, limit: usize) -> Result<Vec<(i64, Loss)>, RecordError> {
        let sql = "SELECT id, what, store_id, first, last, count, reason FROM loss_ledger
             WHERE owner_id = ?1 AND hub_acknowledged = 0 ORDER BY id LIMIT ?2";
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map(params![owner, limit_param(limit)], |row| {
            let loss = Loss {
                what: row.get(1)?,
                store_id: row.get(2)?,
                first: row.get(3)?,
                last: row.get(4)?,
                count: row.get(5)?,
                reason: row.get(6)?,
            };
            Ok((row.get(0)?, loss))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The hub's history is another: it may have lost what it was told.
    pub fn tell_losses_again(&self, owner: &str) -> Result<(), RecordError> {
        self.0.execute("UPDATE loss_ledger SET hub_acknowledged = 0 WHERE owner_id = ?1", [owner])?;
        Ok(())
    }

    /// The hub knows of a loss.
    pub fn loss_told(&self, id: i64) -> Result<(), RecordError> {
        self.0.prepare_cached("UPDATE loss_ledger SET hub_acknowledged = 1 WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Writes an action of a person or of the gateway into the audit log.
    pub fn audit(&self, at: Stamp, actor: &str, action: &str, detail: &str) -> Result<(), RecordError> {
        let sql = "INSERT INTO audit_log (at, actor, action, detail) VALUES (?1, ?2, ?3, ?4)";
        self.0.prepare_cached(sql)?.execute(params![at.0, actor, action, detail])?;
        Ok(())
    }
}

/// A place in a log, or in a sequence of readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// All up to here has been taken.
    pub position: u64,
    /// What `position` counts in: a hub's history, a telemetry store; empty at first contact.
    pub history_id: String,
    /// The hub's chain at `position`.
    pub chain: Uuid,
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, RecordError> {
    serde_json::to_string(value).map_err(RecordError::Encode)
}

pub(super) fn limit_param(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn json_column<T: serde::de::DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(index)?.as_str()?).map_err(|e| unreadable(index, Type::Text, e))
}

pub(super) fn uuid_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    Uuid::from_slice(row.get_ref(index)?.as_blob()?).map_err(|e| unreadable(index, Type::Blob, e))
}

pub(super) fn unreadable(
    index: usize,
    kind: Type,
    e: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, kind, Box::new(e))
}

pub(super) fn word_column<T>(row: &Row<'_>, index: usize, read: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let word = row.get_ref(index)?.as_str()?;
    read(word).ok_or_else(|| {
        let message = format!("`{word}` is a word that this release does not know");
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, message.into())
    })
}

fn record_row(row: &Row<'_>) -> rusqlite::Result<RecordRow> {
    Ok(RecordRow {
        version: row.get(0)?,
        deleted: row.get(1)?,
        fields: json_column(row, 2)?,
        clocks: json_column(row, 3)?,
        created_at: Stamp(row.get(4)?),
        updated_at: Stamp(row.get(5)?),
    })
}
