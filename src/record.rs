//! Records: what people edit on board and ashore. Each edit is a change; changes may conflict; policies decide.
//!
//! The fields of each collection stand in one table here (field, type, merge rule). Fields not in it are kept and
//! forwarded, so that an older gateway never erases what it does not know; a wrong type is refused.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::{ClockQuality, Hlc, Now, Stamp};

/// Fields of a record or of a change, by name.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// The largest set of fields taken in one change: a long note with its photo elsewhere. Larger things are attachments.
pub const CHANGE_BYTES_MAX: usize = 64 * 1024;

/// The longest name of a field.
pub const FIELD_NAME_BYTES_MAX: usize = 64;

/// The collections that both sides edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collection {
    /// Jobs to be done on board.
    WorkOrders,
    /// Alarms and warnings, raised by the gateway or by people.
    Alerts,
    /// Machines and devices.
    Equipment,
    /// People on board. Personal data: never retained per record on a broker by default (Z7).
    Crew,
    /// Planned and done maintenance.
    Maintenance,
}

impl Collection {
    /// All, in the order of the documents.
    pub const ALL: [Self; 5] = [Self::WorkOrders, Self::Alerts, Self::Equipment, Self::Crew, Self::Maintenance];

    /// The name in topics, paths, databases and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkOrders => "work_orders",
            Self::Alerts => "alerts",
            Self::Equipment => "equipment",
            Self::Crew => "crew",
            Self::Maintenance => "maintenance",
        }
    }

    /// How urgent its changes are.
    pub const fn class(self) -> Class {
        match self {
            Self::Alerts => Class::Alert,
            _ => Class::Record,
        }
    }

    /// The known fields. Unknown ones are kept as they are.
    pub const fn fields(self) -> &'static [FieldSpec] {
        match self {
            Self::WorkOrders => WORK_ORDER_FIELDS,
            Self::Alerts => ALERT_FIELDS,
            Self::Equipment => EQUIPMENT_FIELDS,
            Self::Crew => CREW_FIELDS,
            Self::Maintenance => MAINTENANCE_FIELDS,
        }
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Collection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|c| c.name() == text).ok_or_else(|| {
            format!("`{text}` is not a collection; there are work_orders, alerts, equipment, crew, maintenance")
        })
    }
}

/// The order in which things travel when the link is narrow (SYNC.md, Classes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// P0: alerts, conflicts, commands. Strictly first.
    Alert,
    /// P1: records.
    Record,
    /// P2: aggregates.
    Aggregate,
    /// P3: raw telemetry, attachments.
    Raw,
}

impl Class {
    /// The number in the change log: 0 to 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::Alert => 0,
            Self::Record => 1,
            Self::Aggregate => 2,
            Self::Raw => 3,
        }
    }
}

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text.
    Text,
    /// A number.
    Number,
    /// true or false.
    Bool,
    /// RFC 3339 text.
    Time,
    /// An array of texts, each once.
    TextSet,
}

impl FieldType {
    fn accepts(self, value: &serde_json::Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Bool => value.is_boolean(),
            Self::Time => value.as_str().is_some_and(|text| Stamp::parse(text).is_ok()),
            Self::TextSet => value.as_array().is_some_and(|all| all.iter().all(serde_json::Value::is_string)),
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Time => "a time like 2026-11-21T06:41:00Z",
            Self::TextSet => "an array of texts",
        }
    }
}

/// How the `merge` policy joins two edits of one field (REQUIREMENTS F8 as corrected in Z5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRule {
    /// The later write stays.
    LastWrite,
    /// The larger number stays.
    Maximum,
    /// True once, true for ever.
    Or,
    /// Sets, by elements added and removed.
    AddRemove,
    /// Texts joined in the order of their clocks.
    Append,
}

/// One row of a collection's field table.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Name in JSON.
    pub name: &'static str,
    /// What it may hold; null always may.
    pub kind: FieldType,
    /// How two edits of it merge.
    pub merge: MergeRule,
}

const fn field(name: &'static str, kind: FieldType, merge: MergeRule) -> FieldSpec {
    FieldSpec { name, kind, merge }
}

use FieldType::{Bool, Number, Text, TextSet, Time};
use MergeRule::{AddRemove, Append, LastWrite, Maximum, Or};

const WORK_ORDER_FIELDS: &[FieldSpec] = &[
    field("title", Text, LastWrite),
    field("description", Text, LastWrite),
    field("status", Text, LastWrite),
    field("priority", Text, LastWrite),
    field("equipment_id", Text, LastWrite),
    field("assigned_to", Text, LastWrite),
    field("due_at", Time, LastWrite),
    field("duration", Number, Maximum),
    field("notes", Text, Append),
    field("tags", TextSet, AddRemove),
];
const ALERT_FIELDS: &[FieldSpec] = &[
    field("title", Text, LastWrite),
    field("severity", Text, LastWrite),
    field("path", Text, LastWrite),
    field("source", Text, LastWrite),
    field("instance", Text, LastWrite),
    field("message", Text, LastWrite),
    field("raised_at", Time, LastWrite),
    field("cleared_at", Time, LastWrite),
    field("acknowledged", Bool, Or),
    field("acknowledged_by", Text, LastWrite),
    field("notes", Text, Append),
];
const EQUIPMENT_FIELDS: &[FieldSpec] = &[
    field("name", Text, LastWrite),
    field("kind", Text, LastWrite),
    field("maker", Text, LastWrite),
    field("model", Text, LastWrite),
    field("serial_number", Text, LastWrite),
    field("location", Text, LastWrite),
    field("running_hours", Number, Maximum),
    field("notes", Text, Append),
    field("tags", TextSet, AddRemove),
];
const CREW_FIELDS: &[FieldSpec] = &[
    field("name", Text, LastWrite),
    field("rank", Text, LastWrite),
    field("on_board", Bool, LastWrite),
    field("signed_on_at", Time, LastWrite),
    field("signed_off_at", Time, LastWrite),
    field("notes", Text, Append),
];
const MAINTENANCE_FIELDS: &[FieldSpec] = &[
    field("title", Text, LastWrite),
    field("equipment_id", Text, LastWrite),
    field("interval_hours", Number, LastWrite),
    field("due_at", Time, LastWrite),
    field("done_at", Time, LastWrite),
    field("done_by", Text, LastWrite),
    field("duration", Number, Maximum),
    field("notes", Text, Append),
    field("tags", TextSet, AddRemove),
];

/// Why a change's fields were refused: one line a field, each saying what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidFields(pub Vec<String>);

/// Checks `fields` against the table of `collection`: types, sizes, names.
pub fn validate(collection: Collection, fields: &Fields) -> Result<(), InvalidFields> {
    let mut refused = Vec::new();
    for (name, value) in fields {
        if name == "id" {
            refused.push("`id` is the record's own and cannot be changed".to_owned());
        } else if name.is_empty() || name.len() > FIELD_NAME_BYTES_MAX {
            refused.push(format!("a field's name has 1 to {FIELD_NAME_BYTES_MAX} bytes"));
        } else if let Some(spec) = collection.fields().iter().find(|spec| spec.name == name)
            && !value.is_null()
            && !spec.kind.accepts(value)
        {
            refused.push(format!("{collection}.{name} must be {}, not {value}", spec.kind.expected()));
        }
    }
    let bytes = serde_json::to_string(fields).map_or(usize::MAX, |text| text.len());
    if bytes > CHANGE_BYTES_MAX {
        refused.push(format!("the fields have {bytes} bytes; at most {CHANGE_BYTES_MAX} are taken"));
    }
    if refused.is_empty() { Ok(()) } else { Err(InvalidFields(refused)) }
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChangeType {
    /// Makes the record.
    Created,
    /// Sets the fields that it names.
    Updated,
    /// Removes the record, leaving a tombstone.
    Deleted,
}

impl ChangeType {
    /// The name in the change log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Updated => "UPDATED",
            Self::Deleted => "DELETED",
        }
    }

    /// The inverse of [`ChangeType::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted].into_iter().find(|kind| kind.name() == name)
    }

    /// The `operation` of an MQTT message (REQUIREMENTS H7).
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Created => "create",
            Self::Updated => "update",
            Self::Deleted => "delete",
        }
    }
}

/// One edit, as its author made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Unique for ever; one effect per id.
    pub change_id: Uuid,
    /// The device that made it.
    pub device_id: Uuid,
    /// Which incarnation of the device's store made it; (device, epoch, seq) is unique.
    pub epoch: u64,
    /// Counts from 1 in each epoch.
    pub seq: u64,
    /// What it is about.
    pub collection: Collection,
    /// Which record.
    pub entity_id: Uuid,
    /// What it does.
    pub kind: ChangeType,
    /// The hub's version of the record that the author saw; 0 when the hub had none.
    pub base_version: u64,
    /// Orders true concurrents.
    pub hlc: Hlc,
    /// Only the fields that changed.
    pub fields: Fields,
    /// The author's clock when it was made.
    pub made_at: MadeAt,
    /// Who edited, a name for people.
    pub actor: String,
    /// The schema that `fields` is of.
    pub schema_version: u32,
}

/// The author's clock, all that is known of it, so that the time can be corrected afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeAt {
    /// Wall clock.
    pub wall: Stamp,
    /// Boot that `mono_ms` counts from.
    pub boot_id: Uuid,
    /// Milliseconds since that boot.
    pub mono_ms: u64,
    /// How far `wall` may be trusted.
    pub quality: ClockQuality,
}

impl From<&Now> for MadeAt {
    /// To the millisecond, which is what travels: both sides keep the same time for a change.
    fn from(now: &Now) -> Self {
        let wall = Stamp::from_millis(now.wall.millis());
        Self { wall, boot_id: now.boot_id, mono_ms: now.mono_ms, quality: now.quality }
    }
}

/// The schema of records in this release.
pub const SCHEMA_VERSION: u32 = 1;

/// Namespace of derived change ids: any fixed UUID would do; this one is Hawser's own.
const CHANGE_ID_NAMESPACE: Uuid = Uuid::from_u128(0x6861_7773_6572_4a00_8c68_616e_6765_6964);

/// The id of the change `seq` of `epoch` of `device`: derived, so that the compact form need not send it (SYNC.md).
pub fn derive_change_id(device: Uuid, epoch: u64, seq: u64) -> Uuid {
    let mut name = [0; 32];
    name[..16].copy_from_slice(device.as_bytes());
    name[16..24].copy_from_slice(&epoch.to_be_bytes());
    name[24..].copy_from_slice(&seq.to_be_bytes());
    Uuid::new_v5(&CHANGE_ID_NAMESPACE, &name)
}

/// The state of one record as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Which record.
    pub id: Uuid,
    /// The hub's version that the state rests on; 0 before the hub has seen it.
    pub version: u64,
    /// When it was made, by the author's clock.
    #[serde(rename = "createdAt")]
    pub created_at: Stamp,
    /// When it was last edited, by the author's clock.
    #[serde(rename = "updatedAt")]
    pub updated_at: Stamp,
    /// Edits not yet confirmed by the shore (D14 `_syncStatus`).
    pub pending: bool,
    /// Its fields.
    pub fields: Fields,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: serde_json::Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_wrong_type_is_refused_with_what_would_be_accepted() {
        let error = validate(Collection::WorkOrders, &fields(json!({"title": 7, "tags": ["a", 1]}))).unwrap_err();
        assert_eq!(error.0.len(), 2);
        assert!(error.to_string().contains("work_orders.title must be a text, not 7"));
    }

    #[test]
    fn unknown_fields_and_nulls_are_kept() {
        validate(Collection::Crew, &fields(json!({"shoe_size": 43, "rank": null}))).unwrap();
    }

    #[test]
    fn a_change_too_large_is_refused() {
        let error = validate(Collection::Crew, &fields(json!({"notes": "x".repeat(CHANGE_BYTES_MAX)}))).unwrap_err();
        assert!(error.to_string().contains("at most 65536"));
    }

    #[test]
    fn derived_ids_differ_by_every_part() {
        let device = Uuid::from_u128(1);
        let id = derive_change_id(device, 1, 1);
        assert_eq!(id, derive_change_id(device, 1, 1));
        assert_ne!(id, derive_change_id(device, 1, 2));
        assert_ne!(id, derive_change_id(device, 2, 1));
        assert_ne!(id, derive_change_id(Uuid::from_u128(2), 1, 1));
    }

    #[test]
    fn collections_have_names_and_read_back() {
        for collection in Collection::ALL {
            assert_eq!(collection.name().parse(), Ok(collection));
        }
        assert!("boats".parse::<Collection>().unwrap_err().contains("work_orders"));
    }
}
