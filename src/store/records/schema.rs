//! The schema of the record database, one migration a step. A landed step is never edited: add the next one.
//!
//! Times are microseconds since the Unix epoch, UUIDs are 16-byte blobs, JSON is text. `entity_changes` has the columns
//! of REQUIREMENTS D1 with SYNC.md's; `user_id` is `owner_id` (a vessel), and the primary key is the row number, since
//! `(owner_id, change_id)` identifies a change already and a second text key would be written with every one.

use crate::store::sqlite::Migration;

/// All steps, oldest first; `PRAGMA user_version` counts those applied.
pub const MIGRATIONS: &[Migration] = &[Migration(V1)];

const V1: &str = "
CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE record (
  owner_id TEXT NOT NULL, collection TEXT NOT NULL, entity_id BLOB NOT NULL,
  version INTEGER NOT NULL, deleted INTEGER NOT NULL, fields TEXT NOT NULL, clocks TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, collection, entity_id)
) WITHOUT ROWID;
CREATE INDEX record_updated_at ON record (owner_id, collection, updated_at);
CREATE INDEX record_created_at ON record (owner_id, collection, created_at);

-- What the hub has confirmed of a record that has edits of ours on top. No row: `record` is what it confirmed.
CREATE TABLE record_base (
  owner_id TEXT NOT NULL, collection TEXT NOT NULL, entity_id BLOB NOT NULL,
  version INTEGER NOT NULL, deleted INTEGER NOT NULL, fields TEXT NOT NULL, clocks TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, collection, entity_id)
) WITHOUT ROWID;

CREATE TABLE entity_changes (
  id INTEGER PRIMARY KEY,
  owner_id TEXT NOT NULL, version INTEGER NOT NULL, change_id BLOB NOT NULL,
  device_id BLOB NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  entity_type TEXT NOT NULL, entity_id BLOB NOT NULL, change_type TEXT NOT NULL,
  base_version INTEGER NOT NULL, hlc INTEGER NOT NULL, class INTEGER NOT NULL,
  change_data TEXT NOT NULL, effect TEXT, content_hash BLOB NOT NULL,
  wall INTEGER NOT NULL, boot_id BLOB NOT NULL, mono_ms INTEGER NOT NULL, clock_quality TEXT NOT NULL,
  actor TEXT NOT NULL, schema_version INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'acked', 'confirmed', 'dead')),
  hub_version INTEGER, chain BLOB, created_at INTEGER NOT NULL,
  UNIQUE (owner_id, change_id), UNIQUE (owner_id, version)
);
-- Queries on open changes say `state <> 'confirmed'` too, so that this index serves them: the log grows, it does not.
CREATE INDEX entity_changes_open ON entity_changes (owner_id, state, class, version) WHERE state <> 'confirmed';
CREATE INDEX entity_changes_entity ON entity_changes (owner_id, entity_id, version);

-- How far each destination has taken the log, and how far we have taken each source.
CREATE TABLE cursor (name TEXT PRIMARY KEY, position INTEGER NOT NULL, history_id TEXT NOT NULL DEFAULT '',
  chain BLOB) WITHOUT ROWID;

CREATE TABLE sync_conflicts (
  id INTEGER PRIMARY KEY, owner_id TEXT NOT NULL, entity_type TEXT NOT NULL, entity_id BLOB NOT NULL,
  change_id BLOB NOT NULL, version INTEGER NOT NULL, fields TEXT NOT NULL, reason TEXT NOT NULL,
  resolved INTEGER NOT NULL, detected_at INTEGER NOT NULL,
  UNIQUE (owner_id, change_id)
);
-- Both inputs of every automatic decision, so that it can be read and undone.
CREATE TABLE sync_journal (
  id INTEGER PRIMARY KEY, owner_id TEXT NOT NULL, change_id BLOB NOT NULL, policy TEXT NOT NULL, reason TEXT NOT NULL,
  ours TEXT NOT NULL, theirs TEXT NOT NULL, outcome TEXT NOT NULL, decided_at INTEGER NOT NULL
);
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY, owner_id TEXT NOT NULL, change_id BLOB NOT NULL UNIQUE, code TEXT NOT NULL,
  message TEXT NOT NULL,
  refused_at INTEGER NOT NULL
);
-- Every loss, as a row that is itself synced first: what, from, to, how many, why.
CREATE TABLE loss_ledger (
  id INTEGER PRIMARY KEY, owner_id TEXT NOT NULL, what TEXT NOT NULL, store_id TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL,
  lost_at INTEGER NOT NULL, hub_acknowledged INTEGER NOT NULL DEFAULT 0,
  UNIQUE (owner_id, what, store_id, first, last, reason)
);
CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL
);

-- Ashore: the readings of each vessel, in the blocks in which they came.
CREATE TABLE vessel (
  owner_id TEXT PRIMARY KEY, last_contact_at INTEGER
) WITHOUT ROWID;
CREATE TABLE reading_series (
  id INTEGER PRIMARY KEY, owner_id TEXT NOT NULL, context TEXT NOT NULL, path TEXT NOT NULL,
  source TEXT NOT NULL, instance TEXT NOT NULL, latest TEXT, latest_at INTEGER,
  UNIQUE (owner_id, context, path, source, instance)
);
CREATE TABLE reading_block (
  owner_id TEXT NOT NULL, store_id TEXT NOT NULL, first_seq INTEGER NOT NULL, count INTEGER NOT NULL,
  observed_min INTEGER NOT NULL, observed_max INTEGER NOT NULL, received_at INTEGER NOT NULL,
  crc32c INTEGER NOT NULL, block BLOB NOT NULL,
  PRIMARY KEY (owner_id, store_id, first_seq)
);
";
