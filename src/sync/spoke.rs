//! The spoke's side: makes a request of what is not acknowledged, and takes a reply in. Each is one transaction.
//!
//! Two states of a record are kept: what the hub confirmed, in the hub's order, and the same with our own open changes
//! on top, which is what people see. A page is applied only where it starts at our cursor, rows and cursor together; so
//! a reply that comes twice, late or not at all does no harm.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ops::ControlFlow;

use uuid::Uuid;

use super::protocol::{
    Acked, CHANGES_MAX, CODE_ID_REUSED, LOSSES_MAX, NUMBER_MAX, Rejected, Reply, Request, WireChange,
};
use crate::clock::Now;
use crate::record::{Change, Collection, derive_change_id};
use crate::store::records::edit::{VERSION_OF_PENDING, apply_to_row, epoch, next_seq, see_hlc, step_epoch};
use crate::store::records::{ChangeState, Cursor, Effect, Entry, Place, RecordError, RecordRow, Rows};

/// The cursor over the hub's log.
pub const PULL_CURSOR: &str = "shore.pull";

/// What a request was made of, to take its reply in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// The epoch at the time.
    pub epoch: u64,
    /// The cursor at the time.
    pub cursor: u64,
    /// The rows of the loss ledger that were told, in order.
    pub losses: Vec<i64>,
}

/// What a reply has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Changes of ours that the hub has now.
    pub acked: usize,
    /// Changes that the hub refused for good.
    pub dead: usize,
    /// Changes of the hub's log applied.
    pub pulled: usize,
    /// Conflicts that the hub decided about our changes.
    pub conflicts: usize,
    /// The hub has more.
    pub has_more: bool,
    /// The hub's history or our epoch changed: everything open is sent again.
    pub restarted: bool,
}

/// Makes the next request: open changes up to `bytes_max` of JSON (at least one), most urgent class first; a record
/// whose change was refused is passed over, the others go on (Z29).
pub fn request(rows: &Rows<'_>, owner: &str, device: Uuid, bytes_max: usize) -> Result<(Request, Sent), RecordError> {
    let cursor = rows.cursor(PULL_CURSOR)?;
    let epoch = epoch(rows)?;
    let losses = rows.untold_losses(owner, LOSSES_MAX)?;
    let request = Request {
        vessel_id: Some(owner.to_owned()),
        device_id: Some(device),
        epoch,
        floor_seq: rows.floor_seq(owner, device, epoch, next_seq(rows)?)?,
        history_id: cursor.history_id,
        last_known_server_version: cursor.position,
        cursor_chain: Some(cursor.chain),
        page_bytes: Some(bytes_max),
        changes: open_changes(rows, owner, bytes_max)?,
        losses: losses.iter().map(|(_, loss)| loss.clone()).collect(),
        ..Request::default()
    };
    let sent = Sent { epoch, cursor: cursor.position, losses: losses.into_iter().map(|(id, _)| id).collect() };
    Ok((request, sent))
}

fn open_changes(rows: &Rows<'_>, owner: &str, bytes_max: usize) -> Result<Vec<WireChange>, RecordError> {
    let mut changes = Vec::new();
    let mut bytes = 0;
    rows.visit_outbox(owner, |logged| {
        let wire = WireChange::push(&logged);
        bytes += wire.json_bytes()?;
        if (bytes > bytes_max && !changes.is_empty()) || changes.len() == CHANGES_MAX {
            return Ok(ControlFlow::Break(()));
        }
        changes.push(wire);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(changes)
}

/// Takes a reply in. `random` feeds a new epoch, should one be needed.
pub fn take_in(
    rows: &Rows<'_>,
    owner: &str,
    sent: &Sent,
    reply: Reply,
    now: &Now,
    random: u64,
) -> Result<Taken, RecordError> {
    check_reply(&reply)?;
    let cursor = rows.cursor(PULL_CURSOR)?;
    if !cursor.history_id.is_empty() && cursor.history_id != reply.history_id {
        restart_history(rows, owner, &reply.history_id, random)?;
        return Ok(Taken { restarted: true, has_more: true, ..Taken::default() });
    }
    if reply.epoch_answered != epoch(rows)? || sent.epoch != reply.epoch_answered {
        return Ok(Taken::default());
    }
    let mut taken = Taken { conflicts: reply.conflicts.len(), ..Taken::default() };
    for id in sent.losses.iter().take(reply.losses_acked) {
        rows.loss_told(*id)?;
    }
    for Acked { change_id, version } in &reply.acked {
        taken.acked += usize::from(acknowledge(rows, owner, *change_id, *version)?);
    }
    refuse(rows, owner, &reply.rejected, now, random, &mut taken)?;
    if cursor.position == sent.cursor {
        taken.has_more = reply.has_more;
        pull(rows, owner, &reply, now, random, &mut taken)?;
    }
    Ok(taken)
}

/// Refuses a reply that no hub of ours writes, before anything of it takes effect.
fn check_reply(reply: &Reply) -> Result<(), RecordError> {
    let numbers = [reply.next_cursor, reply.latest_server_version, reply.epoch_answered];
    let versions =
        reply.acked.iter().map(|acked| acked.version).chain(reply.new_changes.iter().filter_map(|c| c.version));
    let readings = reply.readings.iter().map(|acked| acked.next);
    let fits = numbers.into_iter().chain(versions).chain(readings).all(|number| number <= NUMBER_MAX);
    if Uuid::parse_str(&reply.history_id).is_err() || !fits {
        return Err(RecordError::Refused("the reply is no hub's: its history or a number cannot be".to_owned()));
    }
    Ok(())
}

fn acknowledge(rows: &Rows<'_>, owner: &str, change_id: Uuid, version: u64) -> Result<bool, RecordError> {
    match rows.change(owner, change_id)? {
        Some((logged, _)) if logged.state == ChangeState::Pending => {
            rows.set_state(owner, change_id, ChangeState::Acked, Some(version))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// A refused change goes to the dead letters and holds its record's lane. A reused id means that this store was set
/// back: a new epoch, and a new id for that change only, since the hub never applied it.
fn refuse(
    rows: &Rows<'_>,
    owner: &str,
    rejected: &[Rejected],
    now: &Now,
    random: u64,
    taken: &mut Taken,
) -> Result<(), RecordError> {
    let mut reused = Vec::new();
    for refusal in rejected.iter().filter(|refusal| !refusal.retryable) {
        if refusal.code == CODE_ID_REUSED {
            reused.push(refusal.change_id);
        } else {
            rows.bury(owner, refusal.change_id, &refusal.code, &refusal.message, now.wall)?;
            taken.dead += 1;
        }
    }
    if !reused.is_empty() {
        step_epoch(rows, random)?;
        renumber_open(rows, owner, &reused)?;
        taken.restarted = true;
    }
    Ok(())
}

/// Gives every open change a place in the present epoch.
fn renumber_open(rows: &Rows<'_>, owner: &str, reused: &[Uuid]) -> Result<(), RecordError> {
    loop {
        let epoch = epoch(rows)?;
        let open = rows.changes_in(owner, ChangeState::Pending, usize::MAX)?;
        let mut old: Vec<_> = open.into_iter().filter(|logged| logged.change.epoch != epoch).collect();
        if old.is_empty() {
            return Ok(());
        }
        old.sort_by_key(|logged| logged.version);
        for logged in old {
            renumber(rows, owner, logged.change, reused, None)?;
        }
    }
}

fn renumber(
    rows: &Rows<'_>,
    owner: &str,
    mut change: Change,
    reused: &[Uuid],
    base_version: Option<u64>,
) -> Result<(), RecordError> {
    let old = change.change_id;
    (change.epoch, change.seq) = crate::store::records::edit::take_seq(rows)?;
    if reused.contains(&old) {
        change.change_id = derive_change_id(change.device_id, change.epoch, change.seq);
    }
    change.base_version = base_version.unwrap_or(change.base_version);
    rows.renumber(owner, old, &change)
}

/// Applies a page: each change to the confirmed state, ours on top again, and the cursor.
fn pull(
    rows: &Rows<'_>,
    owner: &str,
    reply: &Reply,
    now: &Now,
    random: u64,
    taken: &mut Taken,
) -> Result<(), RecordError> {
    let mut touched: BTreeMap<(Collection, Uuid), RecordRow> = BTreeMap::new();
    if reply.new_changes.is_empty() {
        // Everything up to the new cursor is ours and acknowledged: apply it in the hub's order.
        for logged in acked_up_to(rows, owner, reply.next_cursor)? {
            let version = logged.hub_version.unwrap_or(VERSION_OF_PENDING);
            confirm(rows, owner, &logged.change, &Effect::whole(&logged.change), version, &mut touched)?;
            rows.set_state(owner, logged.change.change_id, ChangeState::Confirmed, None)?;
        }
    }
    for wire in &reply.new_changes {
        if free_reused_id(rows, owner, wire, random)? {
            taken.restarted = true;
        }
        pull_one(rows, owner, wire, now, &mut touched)?;
        taken.pulled += 1;
    }
    for ((collection, id), base) in touched {
        show(rows, owner, collection, id, base)?;
    }
    let cursor = Cursor { position: reply.next_cursor, history_id: reply.history_id.clone(), chain: reply.next_chain };
    rows.set_cursor(PULL_CURSOR, &cursor)?;
    if !reply.has_more {
        // Acknowledged, yet not in the hub's log: a hub set back has lost it. It is sent again.
        for logged in rows.changes_in(owner, ChangeState::Acked, usize::MAX)? {
            rows.set_state(owner, logged.change.change_id, ChangeState::Pending, None)?;
        }
        show_all(rows, owner)?;
    }
    Ok(())
}

fn acked_up_to(
    rows: &Rows<'_>,
    owner: &str,
    cursor: u64,
) -> Result<Vec<crate::store::records::LoggedChange>, RecordError> {
    let mut acked = rows.changes_in(owner, ChangeState::Acked, usize::MAX)?;
    acked.retain(|logged| logged.hub_version.is_some_and(|version| version <= cursor));
    acked.sort_by_key(|logged| logged.hub_version);
    Ok(acked)
}

/// The hub has another change under the id of one of ours: this store was set back and gave the id out again. Ours gets
/// a new one, so that the hub's is not taken for it.
fn free_reused_id(rows: &Rows<'_>, owner: &str, wire: &WireChange, random: u64) -> Result<bool, RecordError> {
    match rows.change(owner, wire.change_id)? {
        Some((known, _)) if wire.hlc.is_some_and(|hlc| hlc != known.change.hlc) => {
            step_epoch(rows, random)?;
            rows.set_state(owner, wire.change_id, ChangeState::Pending, None)?;
            renumber_open(rows, owner, &[wire.change_id])?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn pull_one(
    rows: &Rows<'_>,
    owner: &str,
    wire: &WireChange,
    now: &Now,
    touched: &mut BTreeMap<(Collection, Uuid), RecordRow>,
) -> Result<(), RecordError> {
    let version = wire.version.unwrap_or(VERSION_OF_PENDING);
    let effect = Effect { kind: wire.kind, fields: wire.data.clone() };
    let change = wire.clone().into_change(Uuid::nil(), version);
    match rows.change(owner, change.change_id)? {
        Some((known, _)) if known.state == ChangeState::Confirmed && known.hub_version == Some(version) => {
            // Known already; after a new history it still rebuilds the confirmed state.
        }
        Some(_) => rows.set_state(owner, change.change_id, ChangeState::Confirmed, Some(version))?,
        None => {
            let entry = Entry {
                state: ChangeState::Confirmed,
                place: Place::Spoke(Some(version)),
                effect: None,
                logged_at: now.wall,
            };
            rows.append(owner, &change, &entry)?;
            see_hlc(rows, change.hlc.capped_at(now.wall))?;
        }
    }
    confirm(rows, owner, &change, &effect, version, touched)
}

/// Puts a change into the confirmed state of its record.
fn confirm(
    rows: &Rows<'_>,
    owner: &str,
    change: &Change,
    effect: &Effect,
    version: u64,
    touched: &mut BTreeMap<(Collection, Uuid), RecordRow>,
) -> Result<(), RecordError> {
    let row = match touched.entry((change.collection, change.entity_id)) {
        Slot::Occupied(slot) => slot.into_mut(),
        Slot::Vacant(slot) => {
            let base = match rows.base(owner, change.collection, change.entity_id)? {
                Some(base) => Some(base),
                None => rows.record(owner, change.collection, change.entity_id)?,
            };
            slot.insert(base.unwrap_or_else(RecordRow::absent))
        }
    };
    if version > row.version {
        apply_to_row(row, change, effect, version);
    }
    Ok(())
}

/// What people see: the confirmed state with our open changes on top.
fn show(rows: &Rows<'_>, owner: &str, collection: Collection, id: Uuid, base: RecordRow) -> Result<(), RecordError> {
    let overlay = rows.overlay(owner, collection, id)?;
    if overlay.is_empty() {
        rows.put_record(owner, collection, id, &base)?;
        return rows.drop_base(owner, collection, id);
    }
    rows.put_base(owner, collection, id, &base)?;
    let mut row = base;
    for logged in &overlay {
        apply_to_row(&mut row, &logged.change, &Effect::whole(&logged.change), VERSION_OF_PENDING);
    }
    rows.put_record(owner, collection, id, &row)
}

/// After the last page, every record with a confirmed state of its own is shown anew: those whose open changes were all
/// confirmed by acknowledgement, and after a new history those that the hub no longer has.
fn show_all(rows: &Rows<'_>, owner: &str) -> Result<(), RecordError> {
    for (collection, id) in rows.bases(owner)? {
        if let Some(base) = rows.base(owner, collection, id)? {
            show(rows, owner, collection, id, base)?;
        }
    }
    Ok(())
}

/// The hub was set back or replaced: its log counts anew. The confirmed state starts empty and is pulled again; every
/// change of ours that is still kept is sent again under a new epoch with its own id, so that the hub gets back what it
/// lost.
fn restart_history(rows: &Rows<'_>, owner: &str, history_id: &str, random: u64) -> Result<(), RecordError> {
    step_epoch(rows, random)?;
    for logged in rows.own_changes(owner)? {
        renumber(rows, owner, logged.change, &[], Some(0))?;
    }
    rows.tell_losses_again(owner)?;
    rows.forget_hub_versions(owner)?;
    rows.empty_bases(owner)?;
    rows.set_cursor(PULL_CURSOR, &Cursor { history_id: history_id.to_owned(), ..Cursor::default() })
}
