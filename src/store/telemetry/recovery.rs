//! What stands in the directory at the start: which files are whole, where the sequence stands, what must be set aside.
//!
//! Damage is set aside, never repaired and never deleted. A file of a newer program is left alone. A full disk or a
//! held lock is neither: it is an error, and nothing is moved.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::TelemetryError;
use super::day::{CHECK_BYTES_MAX, OpenDay, extent};
use super::files::{DayName, QuarantinedFile, bytes_of, has_wal, list, quarantine, sweep};
use super::schema::{APPLICATION_ID, SCHEMA_VERSION};
use super::sequence::Extent;
use crate::store::sqlite::{self, Kind, SqliteError};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The highest number in any whole file; 0 when none.
    pub last_seq: u64,
    /// Whether files whose numbers are not known come after those of `last_seq`.
    pub unknown_after: bool,
    /// The newest file, open, when it is whole; synced by the caller, then continued or sealed.
    pub newest: Option<OpenDay>,
    /// Whether there was any day file.
    pub any: bool,
    /// What was set aside.
    pub quarantined: Vec<QuarantinedFile>,
    /// What a newer program wrote.
    pub newer: Vec<PathBuf>,
}

enum State {
    Whole(Option<Extent>, Option<Box<OpenDay>>),
    Damaged(String),
    Newer,
}

/// Looks at all day files, sets damaged ones aside, and finishes the closing of those that a crash left open.
pub fn inspect(dir: &Path) -> Result<Found, TelemetryError> {
    let mut found = Found { quarantined: sweep(dir)?, ..Found::default() };
    let files = list(dir)?;
    found.any = !files.is_empty() || !found.quarantined.is_empty();
    let newest = files.last().map(|(_, path)| path.clone());
    for (name, path) in files {
        let is_newest = newest.as_ref() == Some(&path);
        match state(&path, &name, is_newest)? {
            State::Whole(extent, day) => {
                if let Some((_, last)) = extent {
                    found.last_seq = found.last_seq.max(last);
                    found.unknown_after = false;
                }
                match day {
                    Some(day) if is_newest => found.newest = Some(*day),
                    Some(day) => finish(*day, dir)?,
                    None => {}
                }
            }
            State::Damaged(cause) => {
                found.quarantined.push(quarantine(dir, &path, &cause)?);
                found.unknown_after = true;
            }
            State::Newer => {
                found.newer.push(path);
                found.unknown_after = true;
            }
        }
    }
    Ok(found)
}

/// Makes safe and seals a file that a crash left open.
pub fn finish(day: OpenDay, dir: &Path) -> Result<(), TelemetryError> {
    day.sync().map_err(TelemetryError::io("sync", &day.path))?;
    let path = day.path.clone();
    if let Err(e) = day.seal(dir) {
        // It stays readable with its WAL; the next start tries again.
        tracing::warn!(file = %path.display(), error = %e, "a day file could not be sealed");
    }
    Ok(())
}

fn state(path: &Path, name: &DayName, is_newest: bool) -> Result<State, TelemetryError> {
    let open = is_newest || has_wal(path);
    match look(path).and_then(|numbers| {
        if !open {
            return Ok((numbers, None));
        }
        let day = OpenDay::open(path.to_owned(), name.clone())?;
        let numbers = day.extent().map_err(TelemetryError::day("read", path))?;
        Ok((numbers, Some(Box::new(day))))
    }) {
        Ok((numbers, Some(day))) if is_newest && bytes_of(path) <= CHECK_BYTES_MAX => match day.check() {
            Ok(None) => Ok(State::Whole(numbers, Some(day))),
            Ok(Some(cause)) => Ok(State::Damaged(cause)),
            Err(e) if is_damage(&e) => Ok(State::Damaged(e.to_string())),
            Err(e) => Err(TelemetryError::day("check", path)(e)),
        },
        Ok((numbers, day)) => Ok(State::Whole(numbers, day)),
        Err(TelemetryError::Sqlite(SqliteError::Newer { .. })) => Ok(State::Newer),
        Err(e) => match damage(&e) {
            Some(cause) => Ok(State::Damaged(cause)),
            None => Err(e),
        },
    }
}

/// Opens for reading only, so that a file of a newer program is not touched.
fn look(path: &Path) -> Result<Option<Extent>, TelemetryError> {
    if !path.is_file() {
        return Err(TelemetryError::io("open", path)(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let conn = open_to_read(path)?;
    if sqlite::check_schema(&conn, path, APPLICATION_ID, SCHEMA_VERSION)? == 0 {
        return Ok(None);
    }
    extent(&conn).map_err(TelemetryError::day("read", path))
}

/// Opens a day file for reading only.
pub fn open_to_read(path: &Path) -> Result<Connection, TelemetryError> {
    let conn = sqlite::open(path, Kind::ReadOnly)?;
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(TelemetryError::day("set up", path))?;
    Ok(conn)
}

/// What is wrong with the file itself; `None` when the error is about something else (a lock, a full disk, memory).
pub fn damage(error: &TelemetryError) -> Option<String> {
    let told = |source: &dyn std::fmt::Display| Some(format!("{error}: {source}"));
    match error {
        TelemetryError::Sqlite(e) if e.is_damage() => Some(chain(e)),
        TelemetryError::Sqlite(SqliteError::Open { source, .. }) if is_damage(source) => Some(chain(error)),
        TelemetryError::Day { source, .. } if is_damage(source) => told(source),
        TelemetryError::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => told(source),
        _ => None,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// SQLite's extended codes of a read that failed: `SQLITE_IOERR_READ`, `_SHORT_READ`, `_CORRUPTFS`
/// (sqlite.org/rescode.html).
const READ_FAILED: [i32; 3] = [10 | 1 << 8, 10 | 2 << 8, 10 | 33 << 8];

/// Whether the file is damaged: no database, corrupt pages, a sector that cannot be read, a table that is missing.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    let read_failed = error.sqlite_error().is_some_and(|e| READ_FAILED.contains(&e.extended_code));
    // A plain "SQL logic error" of these fixed statements says that the schema is not what its version promises.
    let schema = matches!(error.sqlite_error_code(), Some(ErrorCode::Unknown));
    let types = matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    );
    sqlite::is_corrupt(error) || read_failed || schema || types
}
