//! The messages of `POST /api/sync/v2` in their JSON form (REQUIREMENTS D6 to D8, SYNC.md, Request and Response).
//!
//! A client that sends only the documents' names (`lastKnownServerVersion`, `changes`) is served too: repeats are known
//! by `changeId`. Unknown keys are ignored, so that a newer side can add some.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::{ClockQuality, Hlc, Now, Stamp};
use crate::record::{Change, ChangeType, Collection, Fields, MadeAt, SCHEMA_VERSION};
use crate::store::records::{LoggedChange, Loss, RecordError};

/// Changes in one request or one page; the bytes are bounded by the batch size.
pub const CHANGES_MAX: usize = 2_000;

/// The largest request or reply, after decompression: the largest batch (256 KiB) of readings as JSON, four times over.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// Losses in one request.
pub const LOSSES_MAX: usize = 100;

/// The largest number that the databases on both sides hold.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

/// What a spoke sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// The vessel whose log this is; must be the token's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vessel_id: Option<String>,
    /// The device that sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<Uuid>,
    /// The device's present epoch.
    pub epoch: u64,
    /// The lowest sequence number of the epoch that is not acknowledged yet.
    pub floor_seq: u64,
    /// The history that the cursor counts in; empty at first contact.
    pub history_id: String,
    /// The cursor: all of the hub's log up to here is applied.
    pub last_known_server_version: u64,
    /// The chain over the hub's log up to the cursor: a hub with another one there was set back, even if it does not
    /// know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor_chain: Option<Uuid>,
    /// The most changes wanted back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
    /// The most bytes of changes wanted back; one change comes always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_bytes: Option<usize>,
    /// Changes made here, in order.
    pub changes: Vec<WireChange>,
    /// Losses that the hub does not know of yet; taken before anything else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// Readings after the last acknowledged one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readings: Option<ReadingBatch>,
}

/// What the hub answers. What places it (history, epoch, cursor) must be there: any other JSON is not a hub's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// The hub's history. When it differs from the request's nothing was applied: start again from cursor 0.
    pub history_id: String,
    /// The epoch that this answers; a reply for another than the present one is ignored.
    pub epoch_answered: u64,
    /// Changes whose effect is in the hub's database, with their versions.
    #[serde(default)]
    pub acked: Vec<Acked>,
    /// Changes that the hub refuses.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
    /// Acknowledged changes that met another edit.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    /// The hub's log after the cursor, in order, as it took effect.
    #[serde(default)]
    pub new_changes: Vec<WireChange>,
    /// Where the cursor stands once the page is applied.
    pub next_cursor: u64,
    /// The chain over the hub's log up to `next_cursor`.
    #[serde(default)]
    pub next_chain: Uuid,
    /// The last version of the hub's log.
    pub latest_server_version: u64,
    /// Whether there is another page.
    pub has_more: bool,
    /// How many of the losses sent are written down.
    #[serde(default)]
    pub losses_acked: usize,
    /// What became of the readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readings: Option<ReadingsAcked>,
    /// The hub's clock.
    pub server_time: Stamp,
}

/// A change whose effect is in the hub's database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acked {
    /// Which.
    pub change_id: Uuid,
    /// Its place in the hub's log.
    pub version: u64,
}

/// A change that the hub refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// Which.
    pub change_id: Uuid,
    /// Why, for programs: `invalid`, `id_reused`.
    pub code: String,
    /// Why, for people.
    pub message: String,
    /// Whether the same change may be taken later.
    pub retryable: bool,
}

/// The code of a refusal because the id already stands for another change: the sender's store was set back.
pub const CODE_ID_REUSED: &str = "id_reused";

/// The code of a refusal because the change cannot be understood.
pub const CODE_INVALID: &str = "invalid";

/// An acknowledged change that met another edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Which.
    pub change_id: Uuid,
    /// What was decided, and why.
    pub reason: String,
}

/// A change on the wire: the documents' names first, then what SYNC.md adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireChange {
    /// Unique for ever.
    pub change_id: Uuid,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: ChangeType,
    /// In which collection.
    pub entity_type: Collection,
    /// Which record.
    pub entity_id: Uuid,
    /// The fields that changed; from the hub, those that took effect.
    #[serde(default)]
    pub data: Fields,
    /// The author's wall clock.
    pub timestamp: Stamp,
    /// How often it was sent before.
    #[serde(default)]
    pub retry_count: u32,
    /// From the hub: its place in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The hub's version of the record that the author saw; without it the request's cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_version: Option<u64>,
    /// The author's hybrid clock; without it the timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hlc: Option<Hlc>,
    /// The author's device; without it the request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<Uuid>,
    /// The author's epoch.
    #[serde(default)]
    pub epoch: u64,
    /// The author's sequence number.
    #[serde(default)]
    pub seq: u64,
    /// Who edited, for people.
    #[serde(default)]
    pub actor: String,
    /// Boot of the author's clock.
    #[serde(default)]
    pub boot_id: Uuid,
    /// Milliseconds since that boot.
    #[serde(default)]
    pub mono_ms: u64,
    /// How far the timestamp may be trusted.
    #[serde(default)]
    pub clock_quality: ClockQuality,
    /// The schema of `data`.
    #[serde(default = "first_schema")]
    pub schema_version: u32,
}

const fn first_schema() -> u32 {
    SCHEMA_VERSION
}

impl WireChange {
    /// A change of ours, as it is pushed.
    pub fn push(logged: &LoggedChange) -> Self {
        Self::new(&logged.change, logged.change.kind, &logged.change.fields, None)
    }

    /// A change of the log, as it took effect.
    pub fn pull(logged: &LoggedChange) -> Self {
        let effect = logged.effect();
        Self::new(&logged.change, effect.kind, &effect.fields, Some(logged.version))
    }

    fn new(change: &Change, kind: ChangeType, fields: &Fields, version: Option<u64>) -> Self {
        Self {
            change_id: change.change_id,
            kind,
            entity_type: change.collection,
            entity_id: change.entity_id,
            data: fields.clone(),
            timestamp: change.made_at.wall,
            retry_count: 0,
            version,
            base_version: Some(change.base_version),
            hlc: Some(change.hlc),
            device_id: Some(change.device_id),
            epoch: change.epoch,
            seq: change.seq,
            actor: change.actor.clone(),
            boot_id: change.made_at.boot_id,
            mono_ms: change.made_at.mono_ms,
            clock_quality: change.made_at.quality,
            schema_version: change.schema_version,
        }
    }

    /// Bytes of it as JSON.
    pub fn json_bytes(&self) -> Result<usize, RecordError> {
        serde_json::to_string(self).map(|text| text.len()).map_err(RecordError::Encode)
    }

    /// The change inside, with what a plain client leaves out taken from its request.
    pub fn into_change(self, sender: Uuid, cursor: u64) -> Change {
        Change {
            change_id: self.change_id,
            device_id: self.device_id.unwrap_or(sender),
            epoch: self.epoch,
            seq: self.seq,
            collection: self.entity_type,
            entity_id: self.entity_id,
            kind: self.kind,
            base_version: self.base_version.unwrap_or(cursor),
            hlc: self.hlc.unwrap_or_else(|| Hlc::at(self.timestamp)),
            fields: self.data,
            made_at: MadeAt {
                wall: self.timestamp,
                boot_id: self.boot_id,
                mono_ms: self.mono_ms,
                quality: self.clock_quality,
            },
            actor: self.actor,
            schema_version: self.schema_version,
        }
    }
}

/// Readings with rising sequence numbers, columns kept short: `series` is a table that `rows` index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadingBatch {
    /// The sequence that the numbers count in.
    pub store_id: String,
    /// The number of the first row; the others follow without a hole.
    pub first: u64,
    /// `[context, path, source, instance]`.
    pub series: Vec<[String; 4]>,
    /// `[series, observed_at, received_at, value, quality]`, times in microseconds since the Unix epoch.
    pub rows: Vec<(u32, i64, i64, WireValue, u8)>,
}

/// A value of a reading. Numbers, texts and states are themselves; a position is `[latitude, longitude]`; an integer is
/// `{"int": n}`, so that 1 and 1.0 stay apart; a number that JSON cannot hold is `{"bits": n}`, an f64's bits as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WireValue {
    /// A state of two.
    Bool(bool),
    /// A measured number.
    Float(f64),
    /// A text.
    Text(String),
    /// Latitude, longitude.
    Position([f64; 2]),
    /// A counted number.
    Integer {
        /// The number, as text: JSON readers lose integers above 2^53.
        int: String,
    },
    /// A number that is not finite.
    Bits {
        /// Bits of the f64, as text.
        bits: String,
    },
    /// No value.
    Absent(Option<()>),
}

/// What became of a batch of readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadingsAcked {
    /// The sequence.
    pub store_id: String,
    /// The number that the hub's database wants next: all before it are in it, or are known losses.
    pub next: u64,
}

/// What the hub says when it cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The request is for a vessel that the token is not of.
    #[error("the token is of vessel `{token_of}`, the request of `{asked}`; each vessel syncs only its own log")]
    ForeignVessel {
        /// The token's vessel.
        token_of: String,
        /// The request's.
        asked: String,
    },
    /// Too much at once.
    #[error("{count} changes in one request; at most {CHANGES_MAX} are taken")]
    TooManyChanges {
        /// How many came.
        count: usize,
    },
    /// Too many losses at once.
    #[error("{count} losses in one request; at most {LOSSES_MAX} are taken")]
    TooManyLosses {
        /// How many came.
        count: usize,
    },
    /// A number that no database holds.
    #[error("`{name}` is larger than {NUMBER_MAX}")]
    NumberTooLarge {
        /// Its name.
        name: &'static str,
    },
    /// A reading batch that cannot be understood.
    #[error("the batch of readings: {0}")]
    BadReadings(String),
}

/// Fills in what a reply needs beside its content.
pub fn empty_reply(history_id: Uuid, epoch_answered: u64, now: &Now) -> Reply {
    Reply { history_id: history_id.to_string(), epoch_answered, server_time: now.wall, ..Reply::default() }
}
