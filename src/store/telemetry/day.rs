//! A day file that is open for writing: commit, sync, checkpoint, seal.
//!
//! It decides nothing: the writer says when. It refuses to repair: after an error the writer drops it and never comes
//! back.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::TelemetryError;
use super::block::BLOCK_READINGS_MAX;
use super::files::{DayName, beside, bytes_of, sync_dir};
use super::row::{INSERT, JournalRow};
use super::schema::{APPLICATION_ID, MIGRATIONS};
use super::sequence::Extent;
use super::summary::Summary;
use crate::clock::Now;
use crate::reading::{Reading, SERIES_MAX, Series, SeriesKey};
use crate::store::sqlite::{self, Kind};

/// Series that one file may know. Restarts and passing ships bring new ones all day; readers hold the table in
/// memory, some 200 bytes each. Full behaviour: the next file is opened.
pub const FILE_SERIES_MAX: usize = 4 * SERIES_MAX;

/// Bytes committed after which the WAL is copied into the database: twice SQLite's own 1,000 pages, 6 to 13 % less wear
/// (STORE.md, 3), and 8 MB to copy take an eMMC about 0.2 s.
const CHECKPOINT_BYTES: u64 = 8 << 20;

/// A file larger than this is neither checked nor counted at the start, and not continued: reading it would keep the
/// buses waiting (100 MB/s of an eMMC: 3 s). The next number is opened instead.
pub const CHECK_BYTES_MAX: u64 = 256 << 20;

/// Pages that a commit dirties beside its blocks: the tree above them and the commit's own.
const COMMIT_OVERHEAD_BYTES: u64 = 2 * 4_096;

/// How long sealing waits for readers. What is not sealed now is sealed at the next start; nothing depends on it.
const SEAL_WAIT: Duration = Duration::from_millis(100);

/// Readings of one apply.
pub struct Piece<'a> {
    /// The number of the first.
    pub first_seq: u64,
    /// The readings.
    pub readings: &'a [Reading],
    /// When.
    pub now: Now,
}

/// A day file that is open for writing.
#[derive(Debug)]
pub struct OpenDay {
    conn: Connection,
    /// The database file.
    pub path: PathBuf,
    /// Its name.
    pub name: DayName,
    /// Our own descriptor of the WAL. Held from the start, since the kernel reports a failed write-back to the
    /// descriptors that were open at the time. SQLite keeps no locks on this file, so that closing it is harmless.
    wal: File,
    series: SeriesTable,
    committed_since_checkpoint: u64,
    /// Bytes of the database with what the WAL holds for it, about: the blocks, exact after each checkpoint.
    bytes: u64,
    /// The sums so far; `None` for a file so large that counting it would keep the start waiting.
    summary: Option<Summary>,
}

impl OpenDay {
    /// Makes a new file and makes its name safe.
    pub fn create(dir: &Path, name: DayName, store_id: Uuid, now: &Now) -> Result<Self, TelemetryError> {
        let path = dir.join(name.to_string());
        let day = Self::open(path, name)?;
        let meta = "INSERT OR REPLACE INTO meta (key, value) VALUES ('store_id', ?1), ('created_at', ?2)";
        day.conn
            .execute(meta, params![store_id.to_string(), now.wall.to_string()])
            .map_err(TelemetryError::day("write meta", &day.path))?;
        sync_dir(dir)?;
        Ok(day)
    }

    /// Opens a file that was inspected, to go on in it or to seal it.
    pub fn open(path: PathBuf, name: DayName) -> Result<Self, TelemetryError> {
        let mut conn = sqlite::open(&path, Kind::Telemetry)?;
        let prepare = |conn: &Connection| -> rusqlite::Result<()> {
            // Checkpoints are ours: SQLite's own swallow their errors. And a poisoned file is not written by closing
            // it.
            conn.pragma_update(None, "wal_autocheckpoint", 0)?;
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            Ok(())
        };
        prepare(&conn).map_err(TelemetryError::day("set up", &path))?;
        sqlite::migrate(&mut conn, APPLICATION_ID, MIGRATIONS)?;
        let summary = take_summary(&conn, &path).map_err(TelemetryError::day("count", &path))?;
        let series = SeriesTable::load(&conn).map_err(TelemetryError::day("read the series", &path))?;
        let wal_path = beside(&path, "-wal");
        let wal = File::open(&wal_path).map_err(TelemetryError::io("open", &wal_path))?;
        let bytes = database_bytes(&conn).map_err(TelemetryError::day("measure", &path))?;
        Ok(Self { conn, path, name, wal, series, committed_since_checkpoint: 0, bytes, summary })
    }

    /// SQLite's own check of the whole file: `None`, or the first thing wrong.
    pub fn check(&self) -> rusqlite::Result<Option<String>> {
        let found: String = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((found != "ok").then_some(found))
    }

    /// The numbers in it.
    pub fn extent(&self) -> rusqlite::Result<Option<Extent>> {
        extent(&self.conn)
    }

    /// Whether it knows so many series that the next file should be opened.
    pub fn is_full_of_series(&self) -> bool {
        self.series.by_key.len() >= FILE_SERIES_MAX
    }

    /// Bytes that it will have when it is closed, about.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Commits readings in one transaction, as rows of at most [`BLOCK_READINGS_MAX`].
    pub fn commit(&mut self, pieces: &[Piece<'_>]) -> rusqlite::Result<()> {
        // Immediate: another writer (a person with a shell) shows here, before anything was written.
        let tx = Transaction::new(&mut self.conn, TransactionBehavior::Immediate)?;
        let mut bytes = 0;
        let mut summary = self.summary;
        let mut numbers = Vec::with_capacity(BLOCK_READINGS_MAX.min(pieces.iter().map(|p| p.readings.len()).sum()));
        for piece in pieces {
            let mut first_seq = piece.first_seq;
            for readings in piece.readings.chunks(BLOCK_READINGS_MAX) {
                numbers.clear();
                for reading in readings {
                    numbers.push(self.series.number(&tx, &reading.series)?);
                }
                let row = JournalRow::build(first_seq, readings, &numbers, &piece.now);
                row.insert(&mut *tx.prepare_cached(INSERT)?)?;
                bytes += row.block.len() as u64;
                summary = summary.map(|sums| sums.with(&row));
                first_seq += row.count;
            }
        }
        tx.commit()?;
        self.committed_since_checkpoint += COMMIT_OVERHEAD_BYTES + bytes;
        self.bytes += bytes;
        self.summary = summary;
        Ok(())
    }

    /// Makes everything committed safe from a power cut.
    pub fn sync(&self) -> std::io::Result<()> {
        self.wal.sync_data()
    }

    /// Whether enough was committed for a checkpoint.
    pub const fn wants_checkpoint(&self) -> bool {
        self.committed_since_checkpoint >= CHECKPOINT_BYTES
    }

    /// Copies the WAL into the database as far as readers allow; what they hold back stays in the WAL for the next
    /// time.
    pub fn checkpoint(&mut self) -> rusqlite::Result<()> {
        if self.run_checkpoint("PASSIVE")? {
            self.committed_since_checkpoint = 0;
            self.bytes = database_bytes(&self.conn)?;
        }
        Ok(())
    }

    /// Runs a checkpoint; whether all of the WAL is in the database now.
    fn run_checkpoint(&self, mode: &str) -> rusqlite::Result<bool> {
        let (busy, log, done): (i64, i64, i64) =
            self.conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        Ok(busy == 0 && log == done)
    }

    /// Closes the file so that it is one file, which any SQLite can read from a read-only disk: its sums are kept,
    /// the WAL is copied and cut, the journal mode is changed back. Whatever of it fails, nothing is lost:
    /// [`OpenDay::sync`] came before.
    pub fn seal(self, dir: &Path) -> Result<(), TelemetryError> {
        let Self { conn, path, .. } = &self;
        let seal = || -> rusqlite::Result<()> {
            conn.busy_timeout(SEAL_WAIT)?;
            // The one commit of the file that rewrites its header in place; FULL closes NORMAL's gap in rollback mode.
            conn.pragma_update(None, "synchronous", "FULL")?;
            self.summary.as_ref().map_or(Ok(()), |sums| sums.seal(conn))?;
            if self.run_checkpoint("TRUNCATE")? {
                conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
            }
            Ok(())
        };
        seal().map_err(TelemetryError::day("seal", path))?;
        sync_dir(dir)
    }

    #[cfg(test)]
    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Puts a descriptor in the WAL's place, to see a sync fail.
    #[cfg(test)]
    pub(super) fn replace_wal(&mut self, wal: File) {
        self.wal = wal;
    }
}

/// Bytes of the database with what the WAL holds for it.
fn database_bytes(conn: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma| conn.query_row(pragma, [], |row| row.get::<_, u32>(0));
    Ok(u64::from(number("PRAGMA page_count")?) * u64::from(number("PRAGMA page_size")?))
}

/// The sums of a file that is about to get rows again: those kept, else counted where that is quick.
fn take_summary(conn: &Connection, path: &Path) -> rusqlite::Result<Option<Summary>> {
    let kept = Summary::sealed(conn)?;
    Summary::unseal(conn)?;
    match kept {
        None if bytes_of(path) <= CHECK_BYTES_MAX => Summary::default().count_on(conn, u64::MAX).map(Some),
        kept => Ok(kept),
    }
}

/// The numbers of a file, by its rows. A count that no row can have is damage.
pub fn extent(conn: &Connection) -> rusqlite::Result<Option<Extent>> {
    let first = conn.query_row("SELECT min(first_seq) FROM journal", [], |row| row.get::<_, Option<i64>>(0))?;
    let last = conn
        .query_row("SELECT first_seq, count FROM journal ORDER BY first_seq DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let (Some(first), Some((last_row, count))) = (first, last) else { return Ok(None) };
    let count = count.clamp(1, BLOCK_READINGS_MAX as i64);
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(Some((number(first), number(last_row.saturating_add(count - 1)))))
}

/// The numbers that a file gives to series, and those that live now.
#[derive(Debug, Default)]
struct SeriesTable {
    by_key: HashMap<SeriesKey, u32>,
    /// By the process's own number; the series beside it says whether that number still means the same.
    live: Vec<Option<(Arc<Series>, u32)>>,
}

impl SeriesTable {
    fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let by_key = load_series(conn)?.into_iter().map(|(number, key)| (key, number)).collect();
        Ok(Self { by_key, live: Vec::new() })
    }

    /// The number of a series, written to the table when new.
    fn number(&mut self, tx: &Transaction<'_>, series: &Arc<Series>) -> rusqlite::Result<u32> {
        let place = series.id as usize;
        if let Some(Some((known, number))) = self.live.get(place)
            && Arc::ptr_eq(known, series)
        {
            return Ok(*number);
        }
        let number = match self.by_key.get(&series.key) {
            Some(number) => *number,
            None => self.add(tx, &series.key)?,
        };
        if place < FILE_SERIES_MAX {
            if self.live.len() <= place {
                self.live.resize(place + 1, None);
            }
            self.live[place] = Some((Arc::clone(series), number));
        }
        Ok(number)
    }

    fn add(&mut self, tx: &Transaction<'_>, key: &SeriesKey) -> rusqlite::Result<u32> {
        let mut insert =
            tx.prepare_cached("INSERT INTO series (context, path, source, instance) VALUES (?1, ?2, ?3, ?4)")?;
        let number = insert.insert(params![key.context.to_string(), key.path, &*key.source, &*key.instance])?;
        let number = u32::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, number))?;
        self.by_key.insert(key.clone(), number);
        Ok(number)
    }
}

/// The series of a file. One whose context is none of ours is left out: its readings count as damaged.
pub fn load_series(conn: &Connection) -> rusqlite::Result<Vec<(u32, SeriesKey)>> {
    let mut select = conn.prepare("SELECT id, context, path, source, instance FROM series")?;
    let rows = select.query_map([], |row| {
        let context = row.get::<_, String>(1)?.parse().ok();
        let (path, source, instance) = (row.get::<_, String>(2)?, row.get::<_, String>(3)?, row.get::<_, String>(4)?);
        Ok((row.get::<_, u32>(0)?, context.map(|context| (context, path, source, instance))))
    })?;
    rows.filter_map(|row| {
        row.map(|(number, key)| {
            let (context, path, source, instance) = key?;
            let key = SeriesKey { context, path: path.into(), source: source.into(), instance: instance.into() };
            Some((number, key))
        })
        .transpose()
    })
    .collect()
}
