//! An edit made here: the record and its change in one transaction.

use uuid::Uuid;

use super::identity::{self, device_id, tick_hlc};
use super::log::{Entry, Place};
use super::rows::{ChangeState, DELETED_CLOCK, Effect, FieldClock, RecordRow, Rows};
use super::{RecordError, Saved};
use crate::clock::Now;
use crate::record::{self, Change, ChangeType, Collection, Fields, MadeAt, SCHEMA_VERSION};

/// What somebody wants to be different.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// In which collection.
    pub collection: Collection,
    /// Which record.
    pub entity_id: Uuid,
    /// What to do with it.
    pub kind: ChangeType,
    /// The fields to set; none for a deletion.
    pub fields: Fields,
    /// Who wants it, a name for people.
    pub actor: String,
    /// The hub's version that the author looked at; `None`: the one stored here.
    pub base_version: Option<u64>,
}

/// The longest name of an actor kept.
const ACTOR_CHARS_MAX: usize = 80;

/// Carries an edit out on board: the outbox gets it, the confirmed state waits for the hub.
pub fn apply(rows: &Rows<'_>, owner: &str, edit: Edit, now: &Now) -> Result<Saved, RecordError> {
    let current = rows.record(owner, edit.collection, edit.entity_id)?;
    check(&edit, current.as_ref())?;
    let change = author(rows, owner, edit, current.as_ref(), now)?;
    let (collection, id) = (change.collection, change.entity_id);
    let mut row = current.unwrap_or_else(RecordRow::absent);
    if rows.base(owner, collection, id)?.is_none() {
        rows.put_base(owner, collection, id, &row)?;
    }
    apply_to_row(&mut row, &change, &Effect::whole(&change), VERSION_OF_PENDING);
    rows.put_record(owner, collection, id, &row)?;
    let entry = Entry { state: ChangeState::Pending, place: Place::Spoke(None), effect: None, logged_at: now.wall };
    let version = rows.append(owner, &change, &entry)?;
    let record = (!row.deleted).then(|| row.into_record(id, true));
    Ok(Saved { change, version, record })
}

/// The hub's version of what only we know of.
pub const VERSION_OF_PENDING: u64 = 0;

/// Refuses an edit that cannot mean anything.
pub fn check(edit: &Edit, current: Option<&RecordRow>) -> Result<(), RecordError> {
    record::validate(edit.collection, &edit.fields)?;
    let lives = current.is_some_and(|row| !row.deleted);
    let (collection, id) = (edit.collection, edit.entity_id);
    match edit.kind {
        ChangeType::Created if lives => Err(RecordError::Exists { collection, id }),
        ChangeType::Updated | ChangeType::Deleted if !lives => Err(RecordError::NotFound { collection, id }),
        _ => Ok(()),
    }
}

/// Makes the change of an edit: identity, sequence, clock.
pub fn author(
    rows: &Rows<'_>,
    owner: &str,
    edit: Edit,
    current: Option<&RecordRow>,
    now: &Now,
) -> Result<Change, RecordError> {
    let device_id = device_id(rows)?;
    let (epoch, seq) = take_seq(rows)?;
    let stored_base = rows.base(owner, edit.collection, edit.entity_id)?;
    let stored_version = stored_base.as_ref().or(current).map_or(0, |row| row.version);
    Ok(Change {
        change_id: record::derive_change_id(device_id, epoch, seq),
        device_id,
        epoch,
        seq,
        collection: edit.collection,
        entity_id: edit.entity_id,
        kind: edit.kind,
        base_version: edit.base_version.unwrap_or(stored_version),
        hlc: tick_hlc(rows, now)?,
        fields: edit.fields,
        made_at: MadeAt::from(now),
        actor: edit.actor.chars().take(ACTOR_CHARS_MAX).collect(),
        schema_version: SCHEMA_VERSION,
    })
}

/// Puts the effect of a change into a row. `version` is the hub's, 0 while it has none.
pub fn apply_to_row(row: &mut RecordRow, change: &Change, effect: &Effect, version: u64) {
    let clock = FieldClock { version, hlc: change.hlc, device: change.device_id };
    if row.clocks.is_empty() {
        row.created_at = change.made_at.wall;
    }
    if row.deleted && effect.kind == ChangeType::Created {
        // Made anew after a deletion that its author knew of: nothing of the old one comes back.
        row.fields.clear();
    }
    let deletes = effect.kind == ChangeType::Deleted;
    if deletes != row.deleted || row.clocks.is_empty() {
        row.deleted = deletes;
        row.clocks.insert(DELETED_CLOCK.to_owned(), clock);
    }
    for (name, value) in &effect.fields {
        row.fields.insert(name.clone(), value.clone());
        row.clocks.insert(name.clone(), clock);
    }
    row.updated_at = change.made_at.wall;
    row.version = row.version.max(version);
}

pub use identity::{epoch, history_id, next_seq, see_hlc, set_history_id, step_epoch, take_seq};
