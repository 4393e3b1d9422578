//! The hub's side: takes changes in, orders them, hands out the log. One request is one transaction.
//!
//! The storage stands behind [`HubStorage`], whose methods are whole transactions, so that a server database can take
//! SQLite's place with a version counter for each vessel. Nothing of a request is kept in memory: any server may answer
//! the next one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use uuid::Uuid;

use super::plan::{self, FieldConflict};
use super::protocol::{
    Acked, CHANGES_MAX, CODE_ID_REUSED, CODE_INVALID, Conflict, LOSSES_MAX, NUMBER_MAX, ProtocolError, Rejected, Reply,
    Request, WireChange, empty_reply,
};
use super::readings;
use crate::clock::{Now, Stamp};
use crate::config::ConflictPolicy;
use crate::entropy::Entropy;
use crate::record::{Change, validate};
use crate::store::records::edit::{Edit, apply_to_row, author, check, history_id, see_hlc, set_history_id};
use crate::store::records::{
    ChangeState, Effect, Entry, LoggedChange, Place, RecordError, RecordRow, RecordStore, Rows, content_hash,
};

/// Changes in a page when the spoke asks for no number.
pub const PAGE_CHANGES: usize = 500;

/// Bytes of changes in a page; a quarter of the largest reply, so that whatever stands beside them fits.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

const _: () = assert!(PAGE_BYTES_MAX + 2 * crate::record::CHANGE_BYTES_MAX < super::protocol::BODY_BYTES_MAX);

/// Why the hub could not answer.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The request breaks the protocol; sending it again will not help.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The database did not take it; the same request may be sent again.
    #[error(transparent)]
    Storage(#[from] RecordError),
}

/// What the hub's database does; each method is one transaction.
pub trait HubStorage: Send + Sync {
    /// Takes a request in and answers it.
    fn exchange(&self, owner: &str, request: Request, now: Now)
    -> impl Future<Output = Result<Reply, HubError>> + Send;

    /// An edit made at the hub itself, in the log of `owner`.
    fn edit(&self, owner: &str, edit: Edit, now: Now) -> impl Future<Output = Result<LoggedChange, HubError>> + Send;
}

/// The hub on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteHub {
    store: RecordStore,
    policy: ConflictPolicy,
    entropy: Entropy,
}

impl SqliteHub {
    /// A hub over `store` that decides conflicts by `policy`.
    pub const fn new(store: RecordStore, policy: ConflictPolicy, entropy: Entropy) -> Self {
        Self { store, policy, entropy }
    }
}

impl HubStorage for SqliteHub {
    async fn exchange(&self, owner: &str, request: Request, now: Now) -> Result<Reply, HubError> {
        check_request(owner, &request)?;
        let (owner, policy, fresh) = (owner.to_owned(), self.policy, self.entropy.uuid());
        // A protocol error undoes what the request did; it is carried out of the transaction as a value.
        let (refusal, told) = tokio::sync::oneshot::channel();
        let outcome = self
            .store
            .write(move |rows| match exchange(rows, &owner, request, policy, &now, fresh) {
                Ok(reply) => Ok(reply),
                Err(HubError::Storage(error)) => Err(error),
                Err(HubError::Protocol(error)) => {
                    let message = error.to_string();
                    let _ = refusal.send(error);
                    Err(RecordError::Refused(message))
                }
            })
            .await;
        match (outcome, told.await) {
            (Err(_), Ok(protocol)) => Err(protocol.into()),
            (outcome, _) => Ok(outcome?),
        }
    }

    async fn edit(&self, owner: &str, edit: Edit, now: Now) -> Result<LoggedChange, HubError> {
        let (owner, policy) = (owner.to_owned(), self.policy);
        Ok(self.store.write(move |rows| edit_at_hub(rows, &owner, edit, policy, &now)).await?)
    }
}

/// Refuses a request that breaks the protocol, before the database is asked.
pub fn check_request(owner: &str, request: &Request) -> Result<(), ProtocolError> {
    if let Some(asked) = &request.vessel_id
        && asked != owner
    {
        return Err(ProtocolError::ForeignVessel { token_of: owner.to_owned(), asked: asked.clone() });
    }
    if request.changes.len() > CHANGES_MAX {
        return Err(ProtocolError::TooManyChanges { count: request.changes.len() });
    }
    if request.losses.len() > LOSSES_MAX {
        return Err(ProtocolError::TooManyLosses { count: request.losses.len() });
    }
    let losses = request.losses.iter().flat_map(|loss| [loss.first, loss.last, loss.count]).map(|n| ("losses", n));
    let numbers = [("epoch", request.epoch), ("lastKnownServerVersion", request.last_known_server_version)];
    let first = request.readings.iter().map(|batch| ("readings.first", batch.first));
    match numbers.into_iter().chain(losses).chain(first).find(|(_, number)| *number > NUMBER_MAX) {
        Some((name, _)) => Err(ProtocolError::NumberTooLarge { name }),
        None => Ok(()),
    }
}

/// One request, inside one transaction. `fresh` names a new history, should this one prove to be set back.
pub fn exchange(
    rows: &Rows<'_>,
    owner: &str,
    request: Request,
    policy: ConflictPolicy,
    now: &Now,
    fresh: Uuid,
) -> Result<Reply, HubError> {
    if was_set_back(rows, owner, &request)? {
        set_history_id(rows, owner, fresh)?;
        rows.audit(now.wall, "hub", "new_history", "a spoke has seen versions that this database does not have")?;
    }
    rows.heard(owner, now.wall)?;
    let history = history_id(rows, owner)?;
    let mut reply = empty_reply(history, request.epoch, now);
    if !request.history_id.is_empty() && request.history_id != reply.history_id {
        return Ok(reply);
    }
    let sender = request.device_id.unwrap_or_else(|| plain_client(owner));
    let cursor = request.last_known_server_version;
    let head_before = rows.head(owner)?;
    for loss in &request.losses {
        rows.write_loss(owner, loss, now.wall, true)?;
        reply.losses_acked += 1;
    }
    let mut held = BTreeSet::new();
    for wire in request.changes {
        let change = wire.into_change(sender, cursor);
        let lane = (change.collection, change.entity_id);
        let refused = reply.rejected.len();
        // After a refusal the later changes of that record wait: they may rest on the one refused.
        if !held.contains(&lane) {
            take(rows, owner, change, policy, now.wall, &mut reply)?;
        }
        if reply.rejected.len() > refused {
            held.insert(lane);
        }
    }
    if let Some(batch) = &request.readings {
        reply.readings = Some(readings::take_in(rows, owner, batch, now.wall)?);
    }
    let page = Page {
        changes: request.page.unwrap_or(PAGE_CHANGES).clamp(1, CHANGES_MAX),
        bytes: request.page_bytes.unwrap_or(PAGE_BYTES_MAX).min(PAGE_BYTES_MAX),
    };
    // Who knows no history and is past the end knows another log: it is given this one from the start.
    let stranger = request.history_id.is_empty() && cursor > head_before;
    fill_page(rows, owner, if stranger { 0 } else { cursor }, head_before, &page, &mut reply)?;
    Ok(reply)
}

/// Whether a spoke of this very history has seen what this database does not hold: it was set back to an older state in
/// a way that its own opening counter could not show.
fn was_set_back(rows: &Rows<'_>, owner: &str, request: &Request) -> Result<bool, RecordError> {
    let cursor = request.last_known_server_version;
    if cursor == 0 || request.history_id != history_id(rows, owner)?.to_string() {
        return Ok(false);
    }
    let here = rows.chain(owner, cursor)?;
    Ok(here.is_none() || request.cursor_chain.is_some_and(|seen| here != Some(seen)))
}

/// The device of a client that names none: one for each owner, so that its repeats and its order are known.
fn plain_client(owner: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, owner.as_bytes())
}

/// Takes one change in, once for each id.
fn take(
    rows: &Rows<'_>,
    owner: &str,
    change: Change,
    policy: ConflictPolicy,
    receipt: Stamp,
    reply: &mut Reply,
) -> Result<(), RecordError> {
    let change_id = change.change_id;
    let refused =
        |code: &str, message: String| Rejected { change_id, code: code.to_owned(), message, retryable: false };
    if let Some((known, hash)) = rows.change(owner, change_id)? {
        if hash == content_hash(&change) {
            reply.acked.push(Acked { change_id, version: known.version });
        } else {
            let message = "this id stands for another change: the sender's store was set back".to_owned();
            reply.rejected.push(refused(CODE_ID_REUSED, message));
        }
        return Ok(());
    }
    if [change.epoch, change.seq, change.base_version, change.made_at.mono_ms].iter().any(|n| *n > NUMBER_MAX) {
        reply
            .rejected
            .push(refused(CODE_INVALID, format!("epoch, seq, baseVersion and monoMs are at most {NUMBER_MAX}")));
        return Ok(());
    }
    if let Err(invalid) = validate(change.collection, &change.fields) {
        reply.rejected.push(refused(CODE_INVALID, invalid.to_string()));
        return Ok(());
    }
    let (version, conflicts) = apply(rows, owner, &change, policy, receipt, receipt)?;
    reply.acked.push(Acked { change_id, version });
    if !conflicts.is_empty() {
        reply.conflicts.push(Conflict { change_id, reason: plan::describe(&conflicts) });
    }
    Ok(())
}

/// Orders a change: next version, its effect on the record, and what was decided. Its clock is believed up to
/// `believed_until`.
fn apply(
    rows: &Rows<'_>,
    owner: &str,
    change: &Change,
    policy: ConflictPolicy,
    receipt: Stamp,
    believed_until: Stamp,
) -> Result<(u64, Vec<FieldConflict>), RecordError> {
    let stored = rows.record(owner, change.collection, change.entity_id)?;
    let plan = plan::plan(stored.as_ref(), change, policy, believed_until);
    let whole = plan.effect == Effect::whole(change);
    let effect = (!whole).then_some(&plan.effect);
    let entry = Entry { state: ChangeState::Confirmed, place: Place::Hub, effect, logged_at: receipt };
    let version = rows.append(owner, change, &entry)?;
    if !plan.conflicts.is_empty() {
        write_conflict(rows, owner, change, stored.as_ref(), &plan, version, policy, receipt)?;
    }
    let mut row = stored.unwrap_or_else(RecordRow::absent);
    let believed = Change { hlc: change.hlc.capped_at(believed_until), ..change.clone() };
    apply_to_row(&mut row, &believed, &plan.effect, version);
    rows.put_record(owner, change.collection, change.entity_id, &row)?;
    see_hlc(rows, believed.hlc)?;
    Ok((version, plan.conflicts))
}

/// Both inputs of a decision are kept, so that it can be read and undone.
#[expect(clippy::too_many_arguments, reason = "one row of a table")]
fn write_conflict(
    rows: &Rows<'_>,
    owner: &str,
    change: &Change,
    stored: Option<&RecordRow>,
    plan: &plan::Plan,
    version: u64,
    policy: ConflictPolicy,
    receipt: Stamp,
) -> Result<(), RecordError> {
    let fields: BTreeSet<&str> = plan.conflicts.iter().map(|c| c.field.as_str()).collect();
    let json = |value: serde_json::Value| value.to_string();
    rows.0.prepare_cached(
        "INSERT OR IGNORE INTO sync_conflicts (owner_id, entity_type, entity_id, change_id, version, fields, reason,
           resolved, detected_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)",
    )?
    .execute(rusqlite::params![
        owner,
        change.collection.name(),
        change.entity_id.as_bytes(),
        change.change_id.as_bytes(),
        version,
        json(serde_json::json!(fields)),
        plan::describe(&plan.conflicts),
        receipt.0
    ])?;
    rows.0
        .prepare_cached(
            "INSERT INTO sync_journal (owner_id, change_id, policy, reason, ours, theirs, outcome, decided_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(rusqlite::params![
            owner,
            change.change_id.as_bytes(),
            serde_json::to_string(&policy).unwrap_or_default().trim_matches('"'),
            plan::describe(&plan.conflicts),
            json(serde_json::json!(stored.map(|row| (&row.fields, &row.clocks, row.deleted)))),
            json(serde_json::json!({"type": change.kind, "data": change.fields, "baseVersion": change.base_version})),
            json(serde_json::json!(plan.effect)),
            receipt.0
        ])?;
    Ok(())
}

/// The bounds of a page; one change goes always.
struct Page {
    changes: usize,
    bytes: usize,
}

/// The page after the cursor. When the spoke had seen everything before this request, all that is new is its own and
/// acknowledged with versions already: the cursor moves without sending anything back.
fn fill_page(
    rows: &Rows<'_>,
    owner: &str,
    cursor: u64,
    head_before: u64,
    page: &Page,
    reply: &mut Reply,
) -> Result<(), RecordError> {
    reply.latest_server_version = rows.head(owner)?;
    if cursor == head_before && reply.conflicts.is_empty() {
        return end_page(rows, owner, reply.latest_server_version, reply);
    }
    let (mut end, mut bytes) = (cursor, 0);
    rows.visit_log(owner, cursor, |logged| {
        let wire = WireChange::pull(&logged);
        bytes += wire.json_bytes()?;
        let full = reply.new_changes.len() == page.changes || bytes > page.bytes;
        if full && !reply.new_changes.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        end = logged.version;
        reply.new_changes.push(wire);
        Ok(ControlFlow::Continue(()))
    })?;
    end_page(rows, owner, end, reply)
}

fn end_page(rows: &Rows<'_>, owner: &str, cursor: u64, reply: &mut Reply) -> Result<(), RecordError> {
    reply.next_cursor = cursor;
    reply.next_chain = rows.chain(owner, cursor)?.unwrap_or_default();
    reply.has_more = cursor < reply.latest_server_version;
    Ok(())
}

/// An edit made ashore goes the same way as one from a vessel; its author has seen what is stored.
pub fn edit_at_hub(
    rows: &Rows<'_>,
    owner: &str,
    edit: Edit,
    policy: ConflictPolicy,
    now: &Now,
) -> Result<LoggedChange, RecordError> {
    let stored = rows.record(owner, edit.collection, edit.entity_id)?;
    check(&edit, stored.as_ref())?;
    let change = author(rows, owner, edit, stored.as_ref(), now)?;
    // Our own clock, which may stand after `now`: another job came later and was first in the group.
    apply(rows, owner, &change, policy, now.wall, change.hlc.wall())?;
    let (logged, _) = rows.change(owner, change.change_id)?.ok_or(RecordError::Closed)?;
    Ok(logged)
}
