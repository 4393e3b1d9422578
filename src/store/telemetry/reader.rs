//! Reading the day files while they are written and pruned.
//!
//! Each call opens files for reading only and holds no snapshot for longer than a handful of rows, so that a slow
//! listener never keeps the WAL from being reset. It refuses to hide a loss: what cannot be read is counted or
//! reported as missing.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::batch::BatchBuilder;
use super::block::BlockReading;
use super::day::load_series;
use super::files::{bytes_of, quarantine_bytes};
use super::recovery::{damage, is_damage};
use super::row::{COLUMNS, JournalRow, to_sql};
use super::sequence::Extent;
use super::types::{Batch, Order, Query, QueryReport, StoredReading, TelemetryStats};
use super::view::{Health, View, Views, open_checked};
use super::{TelemetryError, identity};
use crate::reading::SeriesKey;
use crate::store::retention::DayFile;

/// Rows held at once while reading: 16 of at most 1.2 MB, usually 16 of 6 KB.
const ROWS_AT_ONCE: usize = 16;

/// Readings that [`TelemetryReader::latest`] looks back through: about a second of work. A series that was silent for
/// longer than they reach back starts as unknown.
const LATEST_READINGS_MAX: usize = 1_000_000;

/// Reads a telemetry directory; clones share what was learned of closed files. Blocking: call it off the async threads.
#[derive(Clone, Debug)]
pub struct TelemetryReader {
    views: Views,
}

impl TelemetryReader {
    /// A reader of a directory, which may not exist yet.
    pub fn new(dir: &Path) -> Self {
        Self { views: Views::new(dir) }
    }

    /// Identifies the sequence of numbers; `None` before a writer was there.
    pub fn store_id(&self) -> Result<Option<Uuid>, TelemetryError> {
        identity::read_store_id(self.views.dir())
    }

    /// What is stored.
    pub fn stats(&self) -> Result<TelemetryStats, TelemetryError> {
        let mut stats = TelemetryStats::default();
        for view in self.views.list()? {
            stats.files += 1;
            stats.bytes += bytes_of(&view.path);
            let sums = if view.health == Health::Whole { self.views.sums(&view)? } else { None };
            let Some(sums) = sums else {
                stats.unreadable_files += 1;
                continue;
            };
            stats.readings += sums.summary.readings;
            if let Some((first, last)) = view.counts {
                stats.first_seq = Some(stats.first_seq.map_or(first, |seq| seq.min(first)));
                stats.last_seq = stats.last_seq.max(Some(last));
            }
            let oldest = [stats.oldest_observed, sums.summary.observed_min];
            stats.oldest_observed = oldest.into_iter().flatten().min();
            stats.newest_observed = stats.newest_observed.max(sums.summary.observed_max);
        }
        stats.quarantine_bytes = quarantine_bytes(self.views.dir());
        Ok(stats)
    }

    /// The day files, oldest first, for [`crate::store::retention::plan`].
    pub fn day_files(&self) -> Result<Vec<DayFile>, TelemetryError> {
        let mut files = Vec::new();
        for view in self.views.list()? {
            let sums = if view.health == Health::Whole { self.views.sums(&view)? } else { None };
            let known = sums.unwrap_or_default();
            files.push(DayFile {
                number: view.name.number,
                day: view.name.day,
                bytes: bytes_of(&view.path),
                path: view.path,
                readings: known.summary.readings,
                first_seq: view.counts.map(|(first, _)| first),
                last_seq: view.counts.map(|(_, last)| last),
                newest_at: known.newest_at,
                active: view.active,
                readable: sums.is_some(),
            });
        }
        Ok(files)
    }

    /// Gives the readings asked for, one by one, memory bounded.
    pub fn query(
        &self,
        query: &Query,
        mut visit: impl FnMut(StoredReading) -> ControlFlow<()>,
    ) -> Result<QueryReport, TelemetryError> {
        let mut report = QueryReport::default();
        let mut views = self.views.list()?;
        report.unreadable_files = views.iter().filter(|view| view.health != Health::Whole).count() as u64;
        if query.order == Order::NewestFirst {
            views.reverse();
        }
        for view in views {
            if query_file(&view, query, &mut report, &mut visit)?.is_break() {
                break;
            }
        }
        Ok(report)
    }

    /// The sequence after `after_seq` up to `up_to_seq`, which must be durable already: what is not there is then
    /// missing for good. At least one reading when there is one; `bytes_max` is compared with
    /// [`StoredReading::bytes_estimate`].
    pub fn batch_after(
        &self,
        after_seq: u64,
        up_to_seq: u64,
        readings_max: usize,
        bytes_max: usize,
    ) -> Result<Batch, TelemetryError> {
        let mut builder = BatchBuilder::new(after_seq, up_to_seq, readings_max, bytes_max);
        if up_to_seq <= after_seq {
            return Ok(builder.finish());
        }
        for view in self.views.list()? {
            builder.saw(view.health);
            let wanted = view.counts.is_some_and(|(first, last)| first <= up_to_seq && last > after_seq);
            if wanted && batch_file(&view, &mut builder)?.is_break() {
                break;
            }
        }
        Ok(builder.finish())
    }

    /// The newest value of each series in the newest file that has any, for the start of the live picture.
    pub fn latest(&self) -> Result<Vec<StoredReading>, TelemetryError> {
        let mut newest: HashMap<Arc<SeriesKey>, StoredReading> = HashMap::new();
        let views = self.views.list()?;
        let Some(view) = views.iter().rev().find(|view| view.counts.is_some()) else { return Ok(Vec::new()) };
        let everything = Query { order: Order::NewestFirst, ..Query::default() };
        let Some(file) = File::open(view, &everything)? else { return Ok(Vec::new()) };
        let mut readings_left = LATEST_READINGS_MAX;
        let _ = file.walk(view, &everything, |seen| {
            let Seen::Reading(reading) = seen else { return ControlFlow::Continue(()) };
            newest.entry(Arc::clone(&reading.key)).or_insert(reading);
            readings_left -= 1;
            if readings_left == 0 || newest.len() == file.series.len() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        let mut newest: Vec<_> = newest.into_values().collect();
        newest.sort_by_key(|reading| reading.seq);
        Ok(newest)
    }
}

/// A file that is read.
struct File {
    conn: Connection,
    path: PathBuf,
    /// The series that are asked for.
    series: HashMap<u32, Arc<SeriesKey>>,
}

/// What is met in a file.
enum Seen {
    Reading(StoredReading),
    /// A row whose check sum, block or series is wrong.
    DamagedRow,
    /// Damage that ends the walk through this file.
    DamagedFile,
}

/// The rows of one step: `None` in place of one that cannot even be read.
type Rows = Vec<(u64, Option<JournalRow>)>;

impl File {
    /// Opens it; `None` when it is gone or damaged by now, or has nothing that is asked for.
    fn open(view: &View, query: &Query) -> Result<Option<Self>, TelemetryError> {
        let path = view.path.clone();
        let opened = open_checked(&path).and_then(|conn| {
            let Some(conn) = conn else { return Ok(None) };
            let all = load_series(&conn).map_err(TelemetryError::day("read the series", &path))?;
            Ok(Some((conn, all)))
        });
        let (conn, all) = match opened {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(None),
            Err(e) if damage(&e).is_some() || !path.exists() => return Ok(None),
            Err(e) => return Err(e),
        };
        let wanted = all.into_iter().filter(|(_, key)| query.matches(key));
        let series: HashMap<_, _> = wanted.map(|(number, key)| (number, Arc::new(key))).collect();
        Ok((!series.is_empty()).then_some(Self { conn, path, series }))
    }

    /// Shows the readings of what counts of the file that are asked for, in the query's order, a few rows at a time.
    fn walk(
        &self,
        view: &View,
        query: &Query,
        mut see: impl FnMut(Seen) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TelemetryError> {
        let Some(counts) = view.counts else { return Ok(ControlFlow::Continue(())) };
        let mut left = counts;
        loop {
            let rows = match read_rows(&self.conn, left, query) {
                Ok(rows) => rows,
                Err(e) if is_damage(&e) => return Ok(see(Seen::DamagedFile)),
                Err(e) => return Err(TelemetryError::day("read", &self.path)(e)),
            };
            let Some((last_row, _)) = rows.last() else { return Ok(ControlFlow::Continue(())) };
            left = match query.order {
                Order::OldestFirst => (last_row + 1, counts.1),
                Order::NewestFirst => (counts.0, last_row.saturating_sub(1)),
            };
            for (_, row) in rows {
                if self.show(row, counts, query, &mut see).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
    }

    fn show(
        &self,
        row: Option<JournalRow>,
        counts: Extent,
        query: &Query,
        see: &mut impl FnMut(Seen) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some((row, readings)) = row.and_then(|row| row.decode().ok().map(|readings| (row, readings))) else {
            return see(Seen::DamagedRow);
        };
        let show = |(place, reading): (usize, BlockReading)| {
            let seq = row.first_seq + place as u64;
            let Some(key) = self.series.get(&reading.series) else { return ControlFlow::Continue(()) };
            if seq < counts.0 || seq > counts.1 || !query.covers(reading.observed_at) {
                return ControlFlow::Continue(());
            }
            see(Seen::Reading(stored(seq, key, reading, &row)))
        };
        let mut numbered = readings.into_iter().enumerate();
        match query.order {
            Order::OldestFirst => numbered.try_for_each(show),
            Order::NewestFirst => numbered.rev().try_for_each(show),
        }
    }
}

/// The first number to be read: that of the row that `first` is in.
fn row_of(conn: &Connection, first: u64) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(first_seq), ?1) FROM journal WHERE first_seq <= ?1 AND first_seq + count > ?1";
    let row: i64 = conn.prepare_cached(sql)?.query_row([to_sql(first)], |row| row.get(0))?;
    Ok(u64::try_from(row).unwrap_or(first))
}

/// A few rows between two numbers, from the end that the query's order begins at. A statement of its own, so that no
/// snapshot is held while a caller is slow.
fn read_rows(conn: &Connection, (first, last): Extent, query: &Query) -> rusqlite::Result<Rows> {
    if first > last {
        return Ok(Rows::new());
    }
    let direction = if query.order == Order::OldestFirst { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {COLUMNS} FROM journal WHERE first_seq BETWEEN ?1 AND ?2
         AND (?3 IS NULL OR observed_max >= ?3) AND (?4 IS NULL OR observed_min < ?4)
         ORDER BY first_seq {direction} LIMIT {ROWS_AT_ONCE}"
    );
    let (from, to) = (query.from.map(|stamp| stamp.0), query.to.map(|stamp| stamp.0));
    let mut select = conn.prepare_cached(&sql)?;
    let rows = select.query_map(params![to_sql(first), to_sql(last), from, to], |row| {
        let first_seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        Ok((first_seq, JournalRow::read(row).ok()))
    })?;
    rows.collect()
}

fn stored(seq: u64, key: &Arc<SeriesKey>, reading: BlockReading, row: &JournalRow) -> StoredReading {
    StoredReading {
        seq,
        key: Arc::clone(key),
        observed_at: reading.observed_at,
        received_at: reading.received_at,
        value: reading.value,
        quality: reading.quality,
        clock_quality: row.quality(),
    }
}

fn query_file(
    view: &View,
    query: &Query,
    report: &mut QueryReport,
    visit: &mut impl FnMut(StoredReading) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, TelemetryError> {
    let Some(file) = File::open(view, query)? else { return Ok(ControlFlow::Continue(())) };
    file.walk(view, query, |seen| {
        match seen {
            Seen::DamagedRow => report.corrupt_blocks += 1,
            Seen::DamagedFile => report.unreadable_files += 1,
            Seen::Reading(_) if report.readings >= query.limit => return ControlFlow::Break(()),
            Seen::Reading(reading) => {
                report.readings += 1;
                return visit(reading);
            }
        }
        ControlFlow::Continue(())
    })
}

fn batch_file(view: &View, builder: &mut BatchBuilder) -> Result<ControlFlow<()>, TelemetryError> {
    let everything = Query::default();
    let Some(file) = File::open(view, &everything)? else {
        if view.path.exists() {
            builder.saw(Health::Damaged);
        }
        return Ok(ControlFlow::Continue(()));
    };
    let Some((first, last)) = view.counts else { return Ok(ControlFlow::Continue(())) };
    let start = row_of(&file.conn, first.max(builder.expected())).unwrap_or(first);
    let wanted = View { counts: Some((start, last.min(builder.up_to()))), ..view.clone() };
    file.walk(&wanted, &everything, |seen| match seen {
        Seen::Reading(reading) => builder.push(reading),
        Seen::DamagedRow | Seen::DamagedFile => {
            builder.saw(Health::Damaged);
            ControlFlow::Continue(())
        }
    })
}
