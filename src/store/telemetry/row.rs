//! One row of the journal: the readings of one commit with what was known of the time, and a check sum over all of it.

use rusqlite::{Row, Statement, params};
use uuid::Uuid;

use super::block::{self, BLOCK_READINGS_MAX, BlockError, BlockItem, BlockReading};
use crate::clock::{ClockQuality, Now, Stamp};
use crate::reading::Reading;

/// The columns of [`JournalRow::read`], in its order.
pub const COLUMNS: &str =
    "first_seq, count, committed_at, boot_id, mono_ms, clock_quality, observed_min, observed_max, crc32c, block";

/// Writes what [`JournalRow::insert`] binds.
pub const INSERT: &str = "INSERT INTO journal (first_seq, count, committed_at, boot_id, mono_ms, clock_quality,
     observed_min, observed_max, crc32c, block) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// A row of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalRow {
    /// The number of its first reading.
    pub first_seq: u64,
    /// How many readings.
    pub count: u64,
    /// When it was committed, by the clock of then.
    pub committed_at: Stamp,
    /// The boot that `mono_ms` counts from, 16 bytes.
    pub boot_id: Vec<u8>,
    /// Milliseconds since that boot.
    pub mono_ms: u64,
    /// How far the clock could be trusted: `gnss`, `ntp`, `rtc`, `none`.
    pub clock_quality: String,
    /// The oldest observation in it.
    pub observed_min: Stamp,
    /// The newest observation in it.
    pub observed_max: Stamp,
    /// CRC32C over all the other columns.
    pub crc32c: u32,
    /// The readings, see [`block`].
    pub block: Vec<u8>,
}

/// Why a row does not count. Its readings are missing from the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The check sum is wrong.
    #[error("journal row {first_seq}: the check sum is wrong")]
    Checksum {
        /// The row.
        first_seq: u64,
    },
    /// The block is none.
    #[error("journal row {first_seq}: {source}")]
    Block {
        /// The row.
        first_seq: u64,
        /// Why not.
        source: BlockError,
    },
    /// The block holds another number of readings than the row says.
    #[error("journal row {first_seq}: {found} readings in the block, {count} in the row")]
    Count {
        /// The row.
        first_seq: u64,
        /// What the row says.
        count: u64,
        /// What the block holds.
        found: u64,
    },
}

/// A number of the sequence as SQLite holds it. 2^63 readings are 29 million years at 10,000/s.
pub const fn to_sql(number: u64) -> i64 {
    if number > i64::MAX as u64 { i64::MAX } else { number as i64 }
}

fn from_sql(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

impl JournalRow {
    /// The row of at most [`BLOCK_READINGS_MAX`] readings; `series` has the table's number of each one's series.
    pub fn build(first_seq: u64, readings: &[Reading], series: &[u32], now: &Now) -> Self {
        debug_assert!(readings.len() <= BLOCK_READINGS_MAX && readings.len() == series.len());
        let items = readings.iter().zip(series).map(|(reading, &series)| BlockItem {
            series,
            observed_at: reading.observed_at,
            received_at: reading.received_at,
            value: &reading.value,
            quality: reading.quality,
        });
        let observed = readings.iter().map(|reading| reading.observed_at);
        let mut row = Self {
            first_seq,
            count: readings.len() as u64,
            committed_at: now.wall,
            boot_id: now.boot_id.as_bytes().to_vec(),
            mono_ms: now.mono_ms,
            clock_quality: now.quality.name().to_owned(),
            observed_min: observed.clone().min().unwrap_or_default(),
            observed_max: observed.max().unwrap_or_default(),
            crc32c: 0,
            block: block::encode(items),
        };
        row.crc32c = row.checksum();
        row
    }

    /// A row out of [`COLUMNS`].
    pub fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            first_seq: from_sql(row, 0)?,
            count: from_sql(row, 1)?,
            committed_at: Stamp(row.get(2)?),
            boot_id: row.get(3)?,
            mono_ms: from_sql(row, 4)?,
            clock_quality: row.get(5)?,
            observed_min: Stamp(row.get(6)?),
            observed_max: Stamp(row.get(7)?),
            crc32c: row.get(8)?,
            block: row.get(9)?,
        })
    }

    /// Executes [`INSERT`].
    pub fn insert(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        statement.execute(params![
            to_sql(self.first_seq),
            to_sql(self.count),
            self.committed_at.0,
            self.boot_id,
            to_sql(self.mono_ms),
            self.clock_quality,
            self.observed_min.0,
            self.observed_max.0,
            self.crc32c,
            self.block,
        ])?;
        Ok(())
    }

    /// CRC32C over all columns but itself, so that a bent number or time is found as a bent block is.
    pub fn checksum(&self) -> u32 {
        let numbers = [self.first_seq, self.count, self.mono_ms].map(u64::to_le_bytes).concat();
        let times = [self.committed_at, self.observed_min, self.observed_max].map(|t| t.0.to_le_bytes()).concat();
        let texts: [&[u8]; 3] = [&self.boot_id, self.clock_quality.as_bytes(), &self.block];
        let head = crc32c::crc32c_append(crc32c::crc32c(&numbers), &times);
        texts.iter().fold(head, |crc, bytes| crc32c::crc32c_append(crc, bytes))
    }

    /// The readings, after check sum and block were checked.
    pub fn decode(&self) -> Result<Vec<BlockReading>, RowError> {
        let first_seq = self.first_seq;
        if self.checksum() != self.crc32c {
            return Err(RowError::Checksum { first_seq });
        }
        let readings = block::decode(&self.block).map_err(|source| RowError::Block { first_seq, source })?;
        let found = readings.len() as u64;
        if found != self.count {
            return Err(RowError::Count { first_seq, count: self.count, found });
        }
        Ok(readings)
    }

    /// The quality of the clock; a name from elsewhere is no quality.
    pub fn quality(&self) -> ClockQuality {
        let known = [ClockQuality::Gnss, ClockQuality::Ntp, ClockQuality::Rtc];
        known.into_iter().find(|quality| quality.name() == self.clock_quality).unwrap_or_default()
    }

    /// The boot; nil when it is none.
    pub fn boot(&self) -> Uuid {
        Uuid::from_slice(&self.boot_id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::reading::{Context, Quality, SeriesKey, SeriesRegistry, Value};

    fn row() -> JournalRow {
        let key = SeriesKey { context: Context::OwnShip, path: "a".into(), source: "b".into(), instance: "".into() };
        let reading = |at| Reading {
            series: SeriesRegistry::default().series(&key).unwrap(),
            observed_at: Stamp(at),
            received_at: Stamp(at + 1),
            value: Value::Float(0.5),
            quality: Quality::Good,
        };
        JournalRow::build(7, &[reading(20), reading(10)], &[1, 1], &Clock::manual(Stamp(1_000)).now())
    }

    #[test]
    fn a_row_knows_its_span_and_decodes() {
        let row = row();
        assert_eq!((row.observed_min, row.observed_max, row.count), (Stamp(10), Stamp(20), 2));
        assert_eq!(row.decode().unwrap()[1].observed_at, Stamp(10));
        assert_eq!(row.quality(), ClockQuality::Rtc);
        assert_eq!(row.boot(), Uuid::from_u128(1));
    }

    #[test]
    fn a_bit_in_any_column_is_found() {
        let bends: [fn(&mut JournalRow); 8] = [
            |r| r.first_seq ^= 1,
            |r| r.count ^= 1,
            |r| r.committed_at.0 ^= 1,
            |r| r.boot_id[3] ^= 1,
            |r| r.mono_ms ^= 1,
            |r| r.clock_quality.push('x'),
            |r| r.observed_max.0 ^= 1,
            |r| r.block[2] ^= 1,
        ];
        for bend in bends {
            let mut row = row();
            bend(&mut row);
            assert!(matches!(row.decode(), Err(RowError::Checksum { .. })), "{row:?}");
        }
    }

    #[test]
    fn a_count_that_lies_is_found_even_with_a_right_check_sum() {
        let mut row = row();
        row.count = 3;
        row.crc32c = row.checksum();
        assert_eq!(row.decode(), Err(RowError::Count { first_seq: 7, count: 3, found: 2 }));
    }
}
