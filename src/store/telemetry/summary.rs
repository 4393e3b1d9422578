//! The sums of a day file: how many readings, from when to when. Kept when the file is sealed, counted by SQL until
//! then.
//!
//! Counting goes on from where it stopped, so that asking for statistics never reads a day twice.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::row::{JournalRow, to_sql};
use crate::clock::Stamp;

/// The sums of the rows up to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Readings.
    pub readings: u64,
    /// The oldest observation.
    pub observed_min: Option<Stamp>,
    /// The newest observation.
    pub observed_max: Option<Stamp>,
    /// The `first_seq` of the last row counted; 0 before any.
    pub last_row: u64,
}

/// The keys in `meta`; together or not at all.
const KEYS: [&str; 4] = ["sealed_readings", "sealed_observed_min", "sealed_observed_max", "sealed_last_row"];

impl Summary {
    /// Counts on over the rows after those counted, up to the number `end`; of a row that reaches beyond only what
    /// counts.
    pub fn count_on(self, conn: &Connection, end: u64) -> rusqlite::Result<Self> {
        let sql = "SELECT coalesce(sum(min(count, ?2 - first_seq + 1)), 0), min(observed_min), max(observed_max),
                          coalesce(max(first_seq), ?1)
                   FROM journal WHERE first_seq > ?1 AND first_seq <= ?2";
        conn.prepare_cached(sql)?.query_row(params![to_sql(self.last_row), to_sql(end)], |row| {
            let (readings, last_row): (i64, i64) = (row.get(0)?, row.get(3)?);
            let (oldest, newest): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
            Ok(Self {
                readings: self.readings + u64::try_from(readings).unwrap_or(0),
                observed_min: [self.observed_min, oldest.map(Stamp)].into_iter().flatten().min(),
                observed_max: self.observed_max.max(newest.map(Stamp)),
                last_row: u64::try_from(last_row).unwrap_or(self.last_row),
            })
        })
    }

    /// What was kept when the file was sealed.
    pub fn sealed(conn: &Connection) -> rusqlite::Result<Option<Self>> {
        let mut select = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        let mut numbers = [0i64; KEYS.len()];
        for (number, key) in numbers.iter_mut().zip(KEYS) {
            match select.query_row([key], |row| row.get(0)).optional()? {
                Some(value) => *number = value,
                None => return Ok(None),
            }
        }
        let [readings, oldest, newest, last_row] = numbers;
        Ok(Some(Self {
            readings: u64::try_from(readings).unwrap_or(0),
            observed_min: Some(Stamp(oldest)),
            observed_max: Some(Stamp(newest)),
            last_row: u64::try_from(last_row).unwrap_or(0),
        }))
    }

    /// With one more row.
    pub fn with(self, row: &JournalRow) -> Self {
        Self {
            readings: self.readings + row.count,
            observed_min: Some(self.observed_min.map_or(row.observed_min, |oldest| oldest.min(row.observed_min))),
            observed_max: self.observed_max.max(Some(row.observed_max)),
            last_row: row.first_seq,
        }
    }

    /// Keeps the sums of a file that gets no more rows. An empty file keeps none.
    pub fn seal(&self, conn: &Connection) -> rusqlite::Result<()> {
        let Self { readings, observed_min: Some(oldest), observed_max: Some(newest), last_row } = *self else {
            return Ok(());
        };
        let values = [to_sql(readings), oldest.0, newest.0, to_sql(last_row)];
        let tx = conn.unchecked_transaction()?;
        for (key, value) in KEYS.into_iter().zip(values) {
            tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", params![key, value])?;
        }
        tx.commit()
    }

    /// Forgets the sums of a file that gets rows again.
    pub fn unseal(conn: &Connection) -> rusqlite::Result<()> {
        conn.execute("DELETE FROM meta WHERE key IN (?1, ?2, ?3, ?4)", KEYS)?;
        Ok(())
    }
}
