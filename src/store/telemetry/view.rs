//! The day files as a reader sees them: which there are, what counts of each. Remembers what can no longer change.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

use super::TelemetryError;
use super::day::extent;
use super::files::{DayName, list};
use super::recovery::{damage, open_to_read};
use super::row::to_sql;
use super::schema::{APPLICATION_ID, SCHEMA_VERSION};
use super::sequence::{Extent, visible};
use super::summary::Summary;
use crate::clock::Stamp;
use crate::store::sqlite::{self, SqliteError};

/// Whether a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Whole,
    /// Its pages are wrong.
    Damaged,
    /// A newer program wrote it.
    Newer,
}

/// A day file.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: DayName,
    /// The database.
    pub path: PathBuf,
    /// The numbers of it that count.
    pub counts: Option<Extent>,
    /// Whether it can be read.
    pub health: Health,
    /// Whether it is the newest, which may be written now.
    pub active: bool,
}

/// The sums of what counts of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Readings and observations.
    pub summary: Summary,
    /// When the last row was committed.
    pub newest_at: Option<Stamp>,
}

/// What is known of a file and cannot change, or only grow.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The numbers, once a later file was there: a file is never written again after that.
    extent: Option<Option<Extent>>,
    /// The sums up to a number.
    sums: Option<(u64, Summary)>,
}

/// A directory of day files. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Views {
    dir: Arc<Path>,
    known: Arc<Mutex<HashMap<PathBuf, Known>>>,
}

impl Views {
    /// Of a directory, which may not exist yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: Arc::from(dir), known: Arc::default() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Known>> {
        // Each entry is valid at every instant, so a panic elsewhere while it was locked does no harm.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All files, by number. One that is pruned meanwhile is left out.
    pub fn list(&self) -> Result<Vec<View>, TelemetryError> {
        // The names first: a number seen in a later file was no longer written to the one before when that was read.
        let files = list(&self.dir)?;
        self.known().retain(|path, _| files.iter().any(|(_, present)| present == path));
        let count = files.len();
        let (mut views, mut extents) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (place, (name, path)) in files.into_iter().enumerate() {
            let active = place + 1 == count;
            let Some((numbers, health)) = self.look(&path, active)? else { continue };
            extents.push(numbers);
            views.push(View { name, path, counts: None, health, active });
        }
        for (view, counts) in views.iter_mut().zip(visible(&extents)) {
            view.counts = counts;
        }
        Ok(views)
    }

    /// The numbers and health of a file; `None` when it is gone.
    fn look(&self, path: &Path, active: bool) -> Result<Option<(Option<Extent>, Health)>, TelemetryError> {
        if let Some(numbers) = self.known().get(path).and_then(|known| known.extent) {
            return Ok(Some((numbers, Health::Whole)));
        }
        match open_checked(path).and_then(|conn| match conn {
            Some(conn) => extent(&conn).map_err(TelemetryError::day("read", path)),
            None => Ok(None),
        }) {
            Ok(numbers) => {
                if !active {
                    self.known().entry(path.to_owned()).or_default().extent = Some(numbers);
                }
                Ok(Some((numbers, Health::Whole)))
            }
            Err(_) if !path.exists() => Ok(None),
            Err(TelemetryError::Sqlite(SqliteError::Newer { .. })) => Ok(Some((None, Health::Newer))),
            Err(e) if damage(&e).is_some() => Ok(Some((None, Health::Damaged))),
            Err(e) => Err(e),
        }
    }

    /// The sums of what counts of a file. Reads only the rows that came since it was last asked.
    pub fn sums(&self, view: &View) -> Result<Option<Sums>, TelemetryError> {
        let Some((_, end)) = view.counts else { return Ok(Some(Sums::default())) };
        let before = self.known().get(&view.path).and_then(|known| known.sums);
        let sums = open_checked(&view.path).and_then(|conn| {
            let Some(conn) = conn else { return Ok(Sums::default()) };
            count(&conn, end, before, view.active).map_err(TelemetryError::day("count", &view.path))
        });
        match sums {
            Ok(sums) => {
                self.known().entry(view.path.clone()).or_default().sums = Some((end, sums.summary));
                Ok(Some(sums))
            }
            Err(e) if !view.path.exists() || damage(&e).is_some() => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Counts what counts, going on from `before` where that is still valid: the same end, or a growing file.
fn count(conn: &Connection, end: u64, before: Option<(u64, Summary)>, active: bool) -> rusqlite::Result<Sums> {
    let start = match before {
        Some((until, summary)) if until == end || (active && until < end) => summary,
        _ => Summary::sealed(conn)?.filter(|sealed| sealed.last_row <= end).unwrap_or_default(),
    };
    let summary = start.count_on(conn, end)?;
    let newest_at = conn
        .query_row(
            "SELECT committed_at FROM journal WHERE first_seq <= ?1 ORDER BY first_seq DESC LIMIT 1",
            [to_sql(end)],
            |row| row.get(0),
        )
        .optional()?
        .map(Stamp);
    Ok(Sums { summary, newest_at })
}

/// Opens a day file for reading after the checks; `None` when nothing was made in it yet.
pub fn open_checked(path: &Path) -> Result<Option<Connection>, TelemetryError> {
    let conn = open_to_read(path)?;
    let version = sqlite::check_schema(&conn, path, APPLICATION_ID, SCHEMA_VERSION)?;
    Ok((version > 0).then_some(conn))
}
