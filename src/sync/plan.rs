//! What happens when two sides edited one record: a pure function from (what is there, what comes, policy) to an effect
//! that names its reason. It is given no clock and no database.
//!
//! Causality comes first: who had seen the value that he replaced wins, whatever any clock says. Only true concurrents
//! are ranked, by hybrid clock capped at receipt, then by device (SYNC.md, Clocks (4), (5); REQUIREMENTS Z2). A field
//! that both sides set to the same is no conflict (F5). An update beats a concurrent deletion: work is not thrown away.

use serde::{Deserialize, Serialize};

use crate::clock::{Hlc, Stamp};
use crate::config::ConflictPolicy;
use crate::record::{Change, ChangeType, Fields};
use crate::store::records::{DELETED_CLOCK, Effect, FieldClock, RecordRow};

/// What to do with a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What takes effect.
    pub effect: Effect,
    /// Fields, or the deletion ([`DELETED_CLOCK`]), that met an edit which the author had not seen.
    pub conflicts: Vec<FieldConflict>,
}

/// A field that two sides edited apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldConflict {
    /// The field's name; empty for the deletion of the record.
    pub field: String,
    /// What was decided.
    pub reason: Reason,
}

/// Why a conflict was decided as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The change that came was later, and stays.
    IncomingLater,
    /// What was there was later, and stays.
    StoredLater,
    /// Policy `shore_wins`: what the shore has stays.
    ShoreWins,
    /// An update met a deletion that its author had not seen; the record lives.
    UpdateBeatsDelete,
    /// A deletion met an update that its author had not seen; the record lives.
    DeleteYieldsToUpdate,
}

impl Reason {
    /// The reason as a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IncomingLater => "incoming_later",
            Self::StoredLater => "stored_later",
            Self::ShoreWins => "shore_wins",
            Self::UpdateBeatsDelete => "update_beats_delete",
            Self::DeleteYieldsToUpdate => "delete_yields_to_update",
        }
    }
}

/// Decides what `incoming`, received at `receipt`, does to `stored`.
pub fn plan(stored: Option<&RecordRow>, incoming: &Change, policy: ConflictPolicy, receipt: Stamp) -> Plan {
    let Some(stored) = stored else {
        return Plan { effect: Effect::whole(incoming), conflicts: Vec::new() };
    };
    let author = Author { change: incoming, hlc: incoming.hlc.capped_at(receipt), policy };
    if incoming.kind == ChangeType::Deleted { author.delete(stored) } else { author.update(stored) }
}

/// The incoming change with its clock as far as it is believed.
struct Author<'c> {
    change: &'c Change,
    hlc: Hlc,
    policy: ConflictPolicy,
}

impl Author<'_> {
    /// Whether the author knew of what `clock` tells: it is within what he had seen, or his own.
    fn saw(&self, clock: &FieldClock) -> bool {
        clock.version <= self.change.base_version || clock.device == self.change.device_id
    }

    fn is_later_than(&self, clock: &FieldClock) -> bool {
        (self.hlc, self.change.device_id) > (clock.hlc, clock.device)
    }

    fn delete(&self, stored: &RecordRow) -> Plan {
        let unseen = stored.clocks.iter().any(|(name, clock)| name != DELETED_CLOCK && !self.saw(clock));
        if stored.deleted || !unseen {
            return Plan { effect: Effect::whole(self.change), conflicts: Vec::new() };
        }
        let conflict = FieldConflict { field: DELETED_CLOCK.to_owned(), reason: Reason::DeleteYieldsToUpdate };
        Plan { effect: Effect { kind: ChangeType::Updated, fields: Fields::new() }, conflicts: vec![conflict] }
    }

    fn update(&self, stored: &RecordRow) -> Plan {
        let mut conflicts = Vec::new();
        let kind = self.revive(stored, &mut conflicts);
        let mut fields = Fields::new();
        if kind != ChangeType::Deleted {
            for (name, value) in &self.change.fields {
                if self.takes(stored, name, value, &mut conflicts) {
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        Plan { effect: Effect { kind, fields }, conflicts }
    }

    /// Whether the record lives after an update.
    fn revive(&self, stored: &RecordRow, conflicts: &mut Vec<FieldConflict>) -> ChangeType {
        let unseen_deletion = stored.deleted && !stored.clocks.get(DELETED_CLOCK).is_some_and(|clock| self.saw(clock));
        if !unseen_deletion {
            return self.change.kind;
        }
        let (kind, reason) = match self.policy {
            ConflictPolicy::LastWriteWins => (self.change.kind, Reason::UpdateBeatsDelete),
            ConflictPolicy::ShoreWins => (ChangeType::Deleted, Reason::ShoreWins),
        };
        conflicts.push(FieldConflict { field: DELETED_CLOCK.to_owned(), reason });
        kind
    }

    /// Whether the incoming value of a field replaces the stored one.
    fn takes(
        &self,
        stored: &RecordRow,
        name: &str,
        value: &serde_json::Value,
        conflicts: &mut Vec<FieldConflict>,
    ) -> bool {
        let Some(clock) = stored.clocks.get(name) else { return true };
        if self.saw(clock) {
            return true;
        }
        if stored.fields.get(name) == Some(value) {
            return false;
        }
        let (takes, reason) = match self.policy {
            ConflictPolicy::ShoreWins => (false, Reason::ShoreWins),
            ConflictPolicy::LastWriteWins if self.is_later_than(clock) => (true, Reason::IncomingLater),
            ConflictPolicy::LastWriteWins => (false, Reason::StoredLater),
        };
        conflicts.push(FieldConflict { field: name.to_owned(), reason });
        takes
    }
}

/// All conflicts of a plan in one line for people: `status: incoming_later, title: stored_later`.
pub fn describe(conflicts: &[FieldConflict]) -> String {
    let name = |c: &FieldConflict| if c.field == DELETED_CLOCK { "deletion".to_owned() } else { c.field.clone() };
    conflicts.iter().map(|c| format!("{}: {}", name(c), c.reason.name())).collect::<Vec<_>>().join(", ")
}
