//! Opening SQLite files: the version gate, the PRAGMAs A1 to A6 applied and checked back, migrations over
//! `user_version`.
//!
//! It knows no table. It refuses a SQLite older than [`SQLITE_VERSION_MIN`], a file of another application, and a file
//! newer than the program: an old program must not write what it does not understand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// The oldest SQLite that is trusted: those before it can corrupt the file when a WAL reset races a checkpoint
/// (DESIGN.md, Record store). As `sqlite3_libversion_number()` prints it: 3.51.3.
pub const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Milliseconds that a connection waits for a lock (A6).
pub const BUSY_TIMEOUT_MS: u32 = 5_000;

/// What a connection is for; decides durability and cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The record database: `synchronous=FULL` (Z1), a cache of 64 MB (A3).
    Records,
    /// The day file that is written: `synchronous=NORMAL` with syncs of our own (invariant 4), a small cache.
    Telemetry,
    /// Any file, for reading.
    ReadOnly,
}

impl Kind {
    /// `PRAGMA cache_size`; negative: KiB.
    const fn cache_size(self) -> i64 {
        match self {
            Self::Records => -64_000,
            // A journal is appended to: nothing is read again. 64 MB here would eat the memory goal (STORE.md, fact 5).
            Self::Telemetry | Self::ReadOnly => -2_000,
        }
    }

    /// `PRAGMA synchronous`: 1 is NORMAL, 2 is FULL.
    const fn synchronous(self) -> i64 {
        match self {
            Self::Records => 2,
            Self::Telemetry | Self::ReadOnly => 1,
        }
    }
}

/// What can go wrong when a file is opened.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The library is too old.
    #[error(
        "SQLite {found} can corrupt a WAL file; at least {} is needed. Install a build with SQLite bundled",
        version_text(SQLITE_VERSION_MIN)
    )]
    TooOld {
        /// The version that is linked.
        found: String,
    },
    /// The file could not be opened or set up.
    #[error("cannot {what} {}", path.display())]
    Open {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// A PRAGMA did not take.
    #[error("{}: PRAGMA {pragma} is {found}, not {wanted}", path.display())]
    Pragma {
        /// Which file.
        path: PathBuf,
        /// Which PRAGMA.
        pragma: &'static str,
        /// What it should be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The file belongs to another application.
    #[error("{} is not ours: its application id is {found:#010x}, not {wanted:#010x}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        found: u32,
        /// What it should be.
        wanted: u32,
    },
    /// The file was written by a newer program.
    #[error(
        "{} has schema version {found}; this program knows up to {known}. Install the newer program again",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version of the file.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// A migration failed; the file is as it was before.
    #[error("{}: cannot migrate from schema version {from} to {to}", path.display())]
    Migration {
        /// Which file.
        path: PathBuf,
        /// From this version.
        from: u32,
        /// To this one.
        to: u32,
        /// Why not.
        source: rusqlite::Error,
    },
}

impl SqliteError {
    fn open(what: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Open { what, path, source }
    }

    /// Whether trying again can help: somebody else holds the lock.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Migration { source, .. } => is_busy(source),
            _ => false,
        }
    }

    /// Whether there is no room on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Migration { source, .. } => is_full(source),
            _ => false,
        }
    }

    /// Whether the file itself is damaged or somebody else's, so that it should be set aside.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Migration { source, .. } => is_corrupt(source),
            Self::Foreign { .. } => true,
            _ => false,
        }
    }
}

/// Whether a lock was in the way.
pub fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// `SQLITE_IOERR_SHMSIZE`: the index of a WAL could not be made as large as it must be (sqlite.org/rescode.html).
const SHM_SIZE: i32 = 10 | 19 << 8;

/// Whether there is no room on the disk.
pub fn is_full(error: &rusqlite::Error) -> bool {
    let no_index = error.sqlite_error().is_some_and(|e| e.extended_code == SHM_SIZE);
    no_index || error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether the file is damaged, or no database.
pub fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// One step of a schema: SQL that leads from the version before to the next. Its place in the list is its version,
/// from 1. A step that has shipped is never changed.
#[derive(Clone, Copy, Debug)]
pub struct Migration(pub &'static str);

/// Refuses a SQLite library that is too old. Call it first at the start; [`open`] does too.
pub fn check_library() -> Result<(), SqliteError> {
    check_version(rusqlite::version_number())
}

fn check_version(number: i32) -> Result<(), SqliteError> {
    if number < SQLITE_VERSION_MIN {
        return Err(SqliteError::TooOld { found: version_text(number) });
    }
    Ok(())
}

/// `3051003` as `3.51.3` (sqlite.org/c3ref/c_source_id.html: X*1000000 + Y*1000 + Z).
fn version_text(number: i32) -> String {
    format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000)
}

/// Opens a file with the PRAGMAs of its kind, each checked back. Writing kinds make the file; reading never does.
pub fn open(path: &Path, kind: Kind) -> Result<Connection, SqliteError> {
    check_library()?;
    let flags = match kind {
        Kind::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Kind::Records | Kind::Telemetry => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(SqliteError::open("open", path))?;
    conn.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS.into())).map_err(SqliteError::open("set up", path))?;
    if kind != Kind::ReadOnly {
        // A reader takes the mode of the file: a closed day is no longer in WAL mode.
        set(&conn, path, "journal_mode", "wal", "wal")?;
    }
    let (synchronous, cache_size) = (kind.synchronous().to_string(), kind.cache_size().to_string());
    set(&conn, path, "synchronous", &synchronous, &synchronous)?;
    set(&conn, path, "cache_size", &cache_size, &cache_size)?;
    set(&conn, path, "temp_store", "2", "2")?;
    set(&conn, path, "foreign_keys", "1", "1")?;
    check(&conn, path, "busy_timeout", &BUSY_TIMEOUT_MS.to_string())?;
    Ok(conn)
}

fn set(conn: &Connection, path: &Path, pragma: &'static str, value: &str, wanted: &str) -> Result<(), SqliteError> {
    conn.execute_batch(&format!("PRAGMA {pragma} = {value}")).map_err(SqliteError::open("set up", path))?;
    check(conn, path, pragma, wanted)
}

fn check(conn: &Connection, path: &Path, pragma: &'static str, wanted: &str) -> Result<(), SqliteError> {
    let found = conn
        .query_row(&format!("PRAGMA {pragma}"), [], |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(i) => i.to_string(),
                other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
            })
        })
        .map_err(SqliteError::open("read back PRAGMAs of", path))?;
    if found == wanted {
        return Ok(());
    }
    Err(SqliteError::Pragma { path: path.to_owned(), pragma, wanted: wanted.to_owned(), found })
}

/// The schema version of an open file, after the checks that every reader makes: ours, and not newer than `known`.
/// 0 is a file in which nothing was made yet.
pub fn check_schema(conn: &Connection, path: &Path, application_id: u32, known: u32) -> Result<u32, SqliteError> {
    // One transaction: a writer may be making the file this instant.
    let look = || -> rusqlite::Result<(u32, u32, i64)> {
        let tx = conn.unchecked_transaction()?;
        let number = |pragma: &str| tx.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0));
        let tables = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((number("application_id")?.cast_unsigned(), number("user_version")?.cast_unsigned(), tables))
    };
    let (id, version, tables) = look().map_err(SqliteError::open("read the header of", path))?;
    let untouched = id == 0 && version == 0 && tables == 0;
    if id != application_id && !untouched {
        return Err(SqliteError::Foreign { path: path.to_owned(), found: id, wanted: application_id });
    }
    if version > known {
        return Err(SqliteError::Newer { path: path.to_owned(), found: version, known });
    }
    Ok(version)
}

/// Brings a file to the newest schema, one transaction a step. Returns the version it had.
pub fn migrate(conn: &mut Connection, application_id: u32, steps: &[Migration]) -> Result<u32, SqliteError> {
    let path = PathBuf::from(conn.path().unwrap_or_default());
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found = check_schema(conn, &path, application_id, known)?;
    for (from, step) in (found..known).zip(&steps[found as usize..]) {
        let to = from + 1;
        migrate_step(conn, application_id, step, to).map_err(|source| SqliteError::Migration {
            path: path.clone(),
            from,
            to,
            source,
        })?;
    }
    Ok(found)
}

fn migrate_step(conn: &mut Connection, application_id: u32, step: &Migration, to: u32) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    tx.execute_batch(step.0)?;
    tx.pragma_update(None, "application_id", application_id.cast_signed())?;
    tx.pragma_update(None, "user_version", to)?;
    tx.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u32 = 0x4877_5400;
    const STEPS: [Migration; 2] = [
        Migration("CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)"),
        Migration("ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1"),
    ];

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        (dir, path)
    }

    #[test]
    fn a_library_that_corrupts_is_refused_and_the_bundled_one_is_not() {
        for old in [3_007_017, 3_050_004, 3_051_002] {
            assert!(matches!(check_version(old), Err(SqliteError::TooOld { .. })), "{old}");
        }
        for good in [3_051_003, 3_052_000, 4_000_000] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        let told = check_version(3_051_002).unwrap_err().to_string();
        assert!(told.contains("3.51.2") && told.contains("3.51.3"), "{told}");
        check_library().unwrap();
    }

    #[test]
    fn a_file_climbs_step_by_step_and_a_second_time_nothing_happens() {
        let (_dir, path) = file();
        let mut conn = open(&path, Kind::Records).unwrap();
        assert_eq!(migrate(&mut conn, ID, &STEPS[..1]).unwrap(), 0);
        assert_eq!(migrate(&mut conn, ID, &STEPS).unwrap(), 1);
        assert_eq!(migrate(&mut conn, ID, &STEPS).unwrap(), 2);
        assert_eq!(conn.query_row("SELECT y FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
        assert_eq!(check_schema(&conn, &path, ID, 2).unwrap(), 2);
    }

    #[test]
    fn a_newer_file_is_refused_by_name_with_both_versions() {
        let (_dir, path) = file();
        let mut conn = open(&path, Kind::Records).unwrap();
        migrate(&mut conn, ID, &STEPS).unwrap();
        let error = migrate(&mut conn, ID, &STEPS[..1]).unwrap_err();
        assert!(matches!(error, SqliteError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("x.db"), "{error}");
    }

    #[test]
    fn a_file_of_another_application_is_refused_and_an_untouched_one_taken() {
        let (_dir, path) = file();
        let mut conn = open(&path, Kind::Records).unwrap();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(migrate(&mut conn, ID, &STEPS), Err(SqliteError::Foreign { .. })));
        let other = path.with_file_name("y.db");
        let mut conn = open(&other, Kind::Records).unwrap();
        migrate(&mut conn, ID + 1, &STEPS).unwrap();
        assert!(matches!(migrate(&mut conn, ID, &STEPS), Err(SqliteError::Foreign { .. })));
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let (_dir, path) = file();
        let mut conn = open(&path, Kind::Records).unwrap();
        let broken = [STEPS[0], Migration("CREATE TABLE b (x); SELECT nothing FROM nowhere")];
        let error = migrate(&mut conn, ID, &broken).unwrap_err();
        assert!(matches!(error, SqliteError::Migration { from: 1, to: 2, .. }), "{error}");
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!((tables, check_schema(&conn, &path, ID, 2).unwrap()), (1, 1));
    }

    #[test]
    fn a_pragma_that_does_not_take_is_told() {
        let (_dir, path) = file();
        let conn = open(&path, Kind::Records).unwrap();
        let error = set(&conn, &path, "cache_size", "-1", "-2").unwrap_err().to_string();
        assert!(error.contains("cache_size is -1, not -2"), "{error}");
    }

    #[test]
    fn garbage_is_damage_and_a_lock_is_not() {
        let (_dir, path) = file();
        std::fs::write(&path, "x".repeat(5_000)).unwrap();
        let error = open(&path, Kind::Records).unwrap_err();
        assert!(error.is_damage() && !error.is_transient(), "{error}");
    }
}
