//! The change log: the outbox, the hub's order, and each change's place in both.

use std::ops::ControlFlow;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::rows::{
    ChangeState, Effect, LoggedChange, Rows, content_hash, json, json_column, limit_param, unreadable, uuid_column,
    word_column,
};
use super::{RecordError, identity};
use crate::clock::{ClockQuality, Hlc, Stamp};
use crate::record::{Change, ChangeType, Collection, MadeAt};

const CHANGE_COLUMNS: &str = "version, hub_version, state, effect, change_id, device_id, epoch, seq, entity_type, \
     entity_id, change_type, base_version, hlc, change_data, wall, boot_id, mono_ms, clock_quality, \
     actor, schema_version";

/// What stands beside a change in the log.
pub struct Entry<'e> {
    /// Where it stands.
    pub state: ChangeState,
    /// Whose log it is.
    pub place: Place,
    /// What took effect, when not all did.
    pub effect: Option<&'e Effect>,
    /// When it is logged here.
    pub logged_at: Stamp,
}

/// Whose log a change is appended to.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// The hub's: its version is the hub's version.
    Hub,
    /// A spoke's, with the hub's version where it is known.
    Spoke(Option<u64>),
}

/// The next link of the chain over a hub's log. Two logs with one chain value at a version are the same up to it, so a
/// spoke that sends the value it has seen shows a hub that was set back and went on differently.
pub fn link_chain(before: Uuid, change_id: Uuid, hlc: Hlc) -> Uuid {
    let mut name = [0; 24];
    name[..16].copy_from_slice(change_id.as_bytes());
    name[16..].copy_from_slice(&hlc.0.to_be_bytes());
    Uuid::new_v5(&before, &name)
}

impl Rows<'_> {
    /// The last version of an owner's log; 0 when it is empty.
    pub fn head(&self, owner: &str) -> Result<u64, RecordError> {
        let mut statement =
            self.0.prepare_cached("SELECT coalesce(max(version), 0) FROM entity_changes WHERE owner_id = ?1")?;
        Ok(statement.query_row([owner], |row| row.get(0))?)
    }

    /// Appends a change to an owner's log at the next version, which it returns. At the hub it is the hub's version.
    pub fn append(&self, owner: &str, change: &Change, entry: &Entry<'_>) -> Result<u64, RecordError> {
        let version = self.head(owner)? + 1;
        let effect = entry.effect.map(json).transpose()?;
        let (hub_version, chain) = match entry.place {
            Place::Hub => {
                let before = self.chain(owner, version - 1)?.unwrap_or_default();
                (Some(version), Some(link_chain(before, change.change_id, change.hlc)))
            }
            Place::Spoke(hub_version) => (hub_version, None),
        };
        let sql = "INSERT INTO entity_changes (owner_id, version, change_id, device_id, epoch, seq, entity_type,
               entity_id, change_type, base_version, hlc, class, change_data, effect, content_hash, wall,
               boot_id, mono_ms, clock_quality, actor, schema_version, state, hub_version, chain, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
               ?22, ?23, ?24, ?25)";
        self.0.prepare_cached(sql)?.execute(params![
            owner,
            version,
            change.change_id.as_bytes(),
            change.device_id.as_bytes(),
            change.epoch,
            change.seq,
            change.collection.name(),
            change.entity_id.as_bytes(),
            change.kind.name(),
            change.base_version,
            change.hlc.0.cast_signed(),
            change.collection.class().number(),
            json(&change.fields)?,
            effect,
            content_hash(change),
            change.made_at.wall.0,
            change.made_at.boot_id.as_bytes(),
            change.made_at.mono_ms,
            change.made_at.quality.name(),
            change.actor,
            change.schema_version,
            entry.state.name(),
            hub_version,
            chain.map(Uuid::into_bytes),
            entry.logged_at.0,
        ])?;
        Ok(version)
    }

    /// The change of an id, with its content hash.
    pub fn change(&self, owner: &str, change_id: Uuid) -> Result<Option<(LoggedChange, Vec<u8>)>, RecordError> {
        let sql =
            format!("SELECT {CHANGE_COLUMNS}, content_hash FROM entity_changes WHERE owner_id = ?1 AND change_id = ?2");
        let mut statement = self.0.prepare_cached(&sql)?;
        let found = statement
            .query_row(params![owner, change_id.as_bytes()], |row| Ok((logged_change(row)?, row.get(20)?)))
            .optional()?;
        Ok(found)
    }

    /// The log after `version`, in order, at most `limit`.
    pub fn changes_after(&self, owner: &str, version: u64, limit: usize) -> Result<Vec<LoggedChange>, RecordError> {
        let sql = format!(
            "SELECT {CHANGE_COLUMNS} FROM entity_changes WHERE owner_id = ?1 AND version > ?2 ORDER BY version LIMIT ?3"
        );
        self.changes(&sql, params![owner, version, limit_param(limit)])
    }

    /// Changes of ours in one state, oldest first, most urgent class first, at most `limit`.
    pub fn changes_in(&self, owner: &str, state: ChangeState, limit: usize) -> Result<Vec<LoggedChange>, RecordError> {
        let sql = format!(
            "SELECT {CHANGE_COLUMNS} FROM entity_changes WHERE owner_id = ?1 AND state <> 'confirmed' AND state = ?2
             ORDER BY class, version LIMIT ?3"
        );
        self.changes(&sql, params![owner, state.name(), limit_param(limit)])
    }

    /// Hands the changes in the outbox to `take` until that has enough, most urgent class first, oldest first. A record
    /// with a refused change is passed over: its lane is held, the others go on (Z29).
    pub fn visit_outbox(
        &self,
        owner: &str,
        take: impl FnMut(LoggedChange) -> Result<ControlFlow<()>, RecordError>,
    ) -> Result<(), RecordError> {
        let sql = format!(
            "SELECT {CHANGE_COLUMNS} FROM entity_changes AS c
             WHERE owner_id = ?1 AND state <> 'confirmed' AND state = 'pending' AND NOT EXISTS (
               SELECT 1 FROM entity_changes AS d WHERE d.owner_id = c.owner_id AND d.entity_id = c.entity_id
                 AND d.entity_type = c.entity_type AND d.state = 'dead')
             ORDER BY class, version"
        );
        self.visit(&sql, params![owner], take)
    }

    /// Hands the log after `version` to `take`, in order, until that has enough.
    pub fn visit_log(
        &self,
        owner: &str,
        version: u64,
        take: impl FnMut(LoggedChange) -> Result<ControlFlow<()>, RecordError>,
    ) -> Result<(), RecordError> {
        let sql = format!(
            "SELECT {CHANGE_COLUMNS} FROM entity_changes WHERE owner_id = ?1 AND version > ?2 ORDER BY version"
        );
        self.visit(&sql, params![owner, version], take)
    }

    fn visit(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        mut take: impl FnMut(LoggedChange) -> Result<ControlFlow<()>, RecordError>,
    ) -> Result<(), RecordError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if take(logged_change(row)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Changes of ours to one record that the confirmed state does not hold yet, oldest first.
    pub fn overlay(&self, owner: &str, collection: Collection, id: Uuid) -> Result<Vec<LoggedChange>, RecordError> {
        let sql = format!(
            "SELECT {CHANGE_COLUMNS} FROM entity_changes
             WHERE owner_id = ?1 AND entity_id = ?2 AND entity_type = ?3 AND state IN ('pending', 'acked', 'dead')
             ORDER BY version"
        );
        self.changes(&sql, params![owner, id.as_bytes(), collection.name()])
    }

    fn changes(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<LoggedChange>, RecordError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map(params, logged_change)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The hub's chain up to `version` of its log; nil before the first. `None` when the log does not reach so far.
    pub fn chain(&self, owner: &str, version: u64) -> Result<Option<Uuid>, RecordError> {
        if version == 0 {
            return Ok(Some(Uuid::nil()));
        }
        let sql = "SELECT chain FROM entity_changes WHERE owner_id = ?1 AND version = ?2 AND chain IS NOT NULL";
        let mut statement = self.0.prepare_cached(sql)?;
        Ok(statement.query_row(params![owner, version], |row| uuid_column(row, 0)).optional()?)
    }

    /// Forgets the hub's versions: its history is another, in which they mean nothing.
    pub fn forget_hub_versions(&self, owner: &str) -> Result<(), RecordError> {
        self.0.execute("UPDATE entity_changes SET hub_version = NULL WHERE owner_id = ?1", [owner])?;
        Ok(())
    }

    /// All changes that this device made and still has, refused ones excepted, oldest first.
    pub fn own_changes(&self, owner: &str) -> Result<Vec<LoggedChange>, RecordError> {
        let sql = format!(
            "SELECT {CHANGE_COLUMNS} FROM entity_changes WHERE owner_id = ?1 AND state <> 'dead' AND device_id = ?2
             ORDER BY version"
        );
        let device = identity::device_id(self)?;
        self.changes(&sql, params![owner, device.as_bytes()])
    }

    /// Moves a change of ours on.
    pub fn set_state(
        &self,
        owner: &str,
        change_id: Uuid,
        state: ChangeState,
        hub_version: Option<u64>,
    ) -> Result<(), RecordError> {
        let sql = "UPDATE entity_changes SET state = ?3, hub_version = coalesce(?4, hub_version)
             WHERE owner_id = ?1 AND change_id = ?2";
        self.0.prepare_cached(sql)?.execute(params![owner, change_id.as_bytes(), state.name(), hub_version])?;
        Ok(())
    }

    /// Gives a change of ours a new place in the sequence of `epoch`, and a new id where `change_id` differs.
    pub fn renumber(&self, owner: &str, old: Uuid, change: &Change) -> Result<(), RecordError> {
        let sql =
            "UPDATE entity_changes SET change_id = ?3, epoch = ?4, seq = ?5, base_version = ?6, content_hash = ?7,
               state = 'pending', hub_version = NULL WHERE owner_id = ?1 AND change_id = ?2";
        self.0.prepare_cached(sql)?.execute(params![
            owner,
            old.as_bytes(),
            change.change_id.as_bytes(),
            change.epoch,
            change.seq,
            change.base_version,
            content_hash(change)
        ])?;
        Ok(())
    }

    /// How many changes are in `state`.
    pub fn count_in(&self, owner: &str, state: ChangeState) -> Result<u64, RecordError> {
        let sql = "SELECT count(*) FROM entity_changes WHERE owner_id = ?1 AND state <> 'confirmed' AND state = ?2";
        Ok(self.0.prepare_cached(sql)?.query_row([owner, state.name()], |row| row.get(0))?)
    }

    /// The lowest sequence of `epoch` that is not acknowledged, or the next one when all are (SYNC.md, `floor_seq`).
    pub fn floor_seq(&self, owner: &str, device: Uuid, epoch: u64, next: u64) -> Result<u64, RecordError> {
        let sql = "SELECT coalesce(min(seq), ?4) FROM entity_changes
             WHERE owner_id = ?1 AND state <> 'confirmed' AND state = 'pending' AND device_id = ?2 AND epoch = ?3";
        let params = params![owner, device.as_bytes(), epoch, next];
        Ok(self.0.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }
}

fn logged_change(row: &Row<'_>) -> rusqlite::Result<LoggedChange> {
    let effect: Option<String> = row.get(3)?;
    let effect = effect.map(|text| serde_json::from_str(&text)).transpose();
    Ok(LoggedChange {
        version: row.get(0)?,
        hub_version: row.get(1)?,
        state: word_column(row, 2, ChangeState::from_name)?,
        effect: effect.map_err(|e| unreadable(3, Type::Text, e))?,
        change: Change {
            change_id: uuid_column(row, 4)?,
            device_id: uuid_column(row, 5)?,
            epoch: row.get(6)?,
            seq: row.get(7)?,
            collection: word_column(row, 8, |word| word.parse().ok())?,
            entity_id: uuid_column(row, 9)?,
            kind: word_column(row, 10, ChangeType::from_name)?,
            base_version: row.get(11)?,
            hlc: Hlc(row.get::<_, i64>(12)?.cast_unsigned()),
            fields: json_column(row, 13)?,
            made_at: MadeAt {
                wall: Stamp(row.get(14)?),
                boot_id: uuid_column(row, 15)?,
                mono_ms: row.get(16)?,
                quality: word_column(row, 17, clock_quality)?,
            },
            actor: row.get(18)?,
            schema_version: row.get(19)?,
        },
    })
}

fn clock_quality(name: &str) -> Option<ClockQuality> {
    [ClockQuality::Gnss, ClockQuality::Ntp, ClockQuality::Rtc, ClockQuality::None]
        .into_iter()
        .find(|q| q.name() == name)
}
