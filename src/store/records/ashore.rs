//! Ashore: the readings of each vessel, in the blocks in which they came, in the database in which the records are, so
//! that a request is one transaction.

use rusqlite::{OptionalExtension as _, params};

use super::{RecordError, Rows};
use crate::clock::Stamp;

/// A block of readings on its way into the database.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockRow {
    /// The number of its first reading.
    pub first_seq: u64,
    /// How many readings.
    pub count: u64,
    /// The earliest observation.
    pub observed_min: Stamp,
    /// The latest.
    pub observed_max: Stamp,
    /// When the hub got it.
    pub received_at: Stamp,
    /// The block, see `store::telemetry::block`.
    pub block: Vec<u8>,
}

/// The latest good value of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRow {
    /// Its number in the database.
    pub id: u32,
    /// The value as JSON.
    pub latest: String,
    /// When it was observed.
    pub latest_at: Stamp,
}

/// A vessel in a fleet's list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VesselRow {
    /// When it was last heard.
    pub last_contact_at: Option<Stamp>,
    /// Readings of it in the database.
    pub readings: u64,
    /// Live records of it.
    pub records: u64,
    /// Conflicts that wait for somebody.
    pub open_conflicts: u64,
}

impl Rows<'_> {
    /// The number wanted next of a vessel's sequence; the first is 1.
    pub fn next_reading(&self, owner: &str, store_id: &str) -> Result<u64, RecordError> {
        Ok(self.cursor(&reading_cursor(owner, store_id))?.position + 1)
    }

    /// Moves it.
    pub fn set_next_reading(&self, owner: &str, store_id: &str, next: u64) -> Result<(), RecordError> {
        let cursor = super::Cursor { position: next.saturating_sub(1), ..super::Cursor::default() };
        self.set_cursor(&reading_cursor(owner, store_id), &cursor)
    }

    /// Passes over the numbers from `next` on that are known to be lost.
    pub fn skip_told_losses(&self, owner: &str, what: &str, store_id: &str, next: u64) -> Result<u64, RecordError> {
        let sql = "SELECT max(last) FROM loss_ledger
             WHERE owner_id = ?1 AND what = ?2 AND store_id = ?3 AND first <= ?4 AND last >= ?4";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut next = next;
        while let Some(last) =
            statement.query_row(params![owner, what, store_id, next], |row| row.get::<_, Option<u64>>(0))?
        {
            next = last + 1;
        }
        Ok(next)
    }

    /// The number of a series in the database, made when new.
    pub fn reading_series(
        &self,
        owner: &str,
        [context, path, source, instance]: &[String; 4],
    ) -> Result<u32, RecordError> {
        let key = params![owner, context, path, source, instance];
        let found = self
            .0
            .prepare_cached(
                "SELECT id FROM reading_series
                 WHERE owner_id = ?1 AND context = ?2 AND path = ?3 AND source = ?4 AND instance = ?5",
            )?
            .query_row(key, |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        let sql = "INSERT INTO reading_series (owner_id, context, path, source, instance) VALUES (?1, ?2, ?3, ?4, ?5)
             RETURNING id";
        Ok(self.0.prepare_cached(sql)?.query_row(key, |row| row.get(0))?)
    }

    /// Keeps the latest value of a series, unless a later one is known.
    pub fn set_latest(&self, row: &SeriesRow) -> Result<(), RecordError> {
        let sql = "UPDATE reading_series SET latest = ?2, latest_at = ?3
             WHERE id = ?1 AND (latest_at IS NULL OR latest_at <= ?3)";
        self.0.prepare_cached(sql)?.execute(params![row.id, row.latest, row.latest_at.0])?;
        Ok(())
    }

    /// Appends a block; its place in the sequence is its key.
    pub fn append_block(&self, owner: &str, store_id: &str, row: &BlockRow) -> Result<(), RecordError> {
        let sql =
            "INSERT INTO reading_block (owner_id, store_id, first_seq, count, observed_min, observed_max, received_at,
             crc32c, block) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.0.prepare_cached(sql)?.execute(params![
            owner,
            store_id,
            row.first_seq,
            row.count,
            row.observed_min.0,
            row.observed_max.0,
            row.received_at.0,
            crc32c::crc32c(&row.block),
            row.block
        ])?;
        Ok(())
    }

    /// Notes that a vessel was heard.
    pub fn heard(&self, owner: &str, at: Stamp) -> Result<(), RecordError> {
        let sql = "INSERT INTO vessel (owner_id, last_contact_at) VALUES (?1, ?2)
             ON CONFLICT (owner_id) DO UPDATE SET last_contact_at = ?2";
        self.0.prepare_cached(sql)?.execute(params![owner, at.0])?;
        Ok(())
    }

    /// What is known of a vessel.
    pub fn vessel(&self, owner: &str) -> Result<VesselRow, RecordError> {
        let count = |sql: &str| self.0.prepare_cached(sql)?.query_row([owner], |row| row.get::<_, u64>(0));
        let contact: Option<Option<i64>> = self
            .0
            .prepare_cached("SELECT last_contact_at FROM vessel WHERE owner_id = ?1")?
            .query_row([owner], |row| row.get(0))
            .optional()?;
        Ok(VesselRow {
            last_contact_at: contact.flatten().map(Stamp),
            readings: count("SELECT coalesce(sum(count), 0) FROM reading_block WHERE owner_id = ?1")?,
            records: count("SELECT count(*) FROM record WHERE owner_id = ?1 AND deleted = 0")?,
            open_conflicts: count("SELECT count(*) FROM sync_conflicts WHERE owner_id = ?1 AND resolved = 0")?,
        })
    }

    /// The latest own-ship value of a path, whichever source had it last, as JSON.
    pub fn latest(&self, owner: &str, path: &str) -> Result<Option<serde_json::Value>, RecordError> {
        let sql = "SELECT latest FROM reading_series WHERE owner_id = ?1 AND context = 'vessels.self' AND path = ?2
             AND latest IS NOT NULL ORDER BY latest_at DESC LIMIT 1";
        let text: Option<String> = self.0.prepare_cached(sql)?.query_row([owner, path], |row| row.get(0)).optional()?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

fn reading_cursor(owner: &str, store_id: &str) -> String {
    format!("readings/{owner}/{store_id}")
}
