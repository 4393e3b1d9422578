//! Names and places of day files: listing, quarantine, the lock, and what makes a name survive a power cut.
//!
//! It refuses to delete what might be data: a doubtful file moves to `quarantine/`. It never opens a `.db` or `-shm`
//! file by itself: closing any descriptor of them drops the POSIX locks that SQLite holds in this process.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::TelemetryError;
use crate::clock::Stamp;
use crate::durable_file;

/// Where damaged files are set aside.
pub const QUARANTINE_DIR: &str = "quarantine";

/// Held for as long as a writer lives.
const LOCK_FILE: &str = "lock";

/// What SQLite puts beside a database in WAL mode.
const SIDE_FILES: [&str; 2] = ["-wal", "-shm"];

/// The name of a day file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayName {
    /// The order.
    pub number: u64,
    /// The UTC day of its first commit: a help for people.
    pub day: String,
}

impl fmt::Display for DayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}.db", self.day, self.number)
    }
}

impl DayName {
    /// Reads `2026-11-21.0007.db`.
    pub fn parse(name: &str) -> Option<Self> {
        let (day, number) = name.strip_suffix(".db")?.split_once('.')?;
        let shape = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let number = number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()))?;
        shape.then(|| Self { number, day: day.to_owned() })
    }
}

/// The UTC day as it stands in a name. A clock beyond the years 0 to 9999 gets a day that sorts and parses all the
/// same.
pub fn day_of(wall: Stamp) -> String {
    let day = wall.utc_day();
    let plain = day.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if plain { day } else { "0000-01-01".to_owned() }
}

/// A file that was set aside, never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedFile {
    /// Where it was.
    pub from: PathBuf,
    /// Where it is now.
    pub to: PathBuf,
    /// What is wrong with it.
    pub cause: String,
}

/// The day files of a directory, by number. A directory that does not exist has none.
pub fn list(dir: &Path) -> Result<Vec<(DayName, PathBuf)>, TelemetryError> {
    let mut found: Vec<_> =
        names(dir)?.into_iter().filter_map(|name| Some((DayName::parse(name.to_str()?)?, dir.join(&name)))).collect();
    found.sort();
    Ok(found)
}

fn names(dir: &Path) -> Result<Vec<OsString>, TelemetryError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(TelemetryError::io("list", dir)(e)),
    };
    entries.map(|entry| Ok(entry.map_err(TelemetryError::io("list", dir))?.file_name())).collect()
}

/// The highest number ever used here, quarantine included.
pub fn highest_number(dir: &Path) -> Result<u64, TelemetryError> {
    let quarantine = dir.join(QUARANTINE_DIR);
    let set_aside = names(&quarantine)?;
    // `2026-11-21.0007.db` and, where one was there already, `2026-11-21.0007.db.1`.
    let set_aside = set_aside.iter().filter_map(|name| {
        let name = name.to_str()?;
        DayName::parse(name.get(..name.find(".db")? + 3)?)
    });
    let here = list(dir)?;
    Ok(here.into_iter().map(|(name, _)| name).chain(set_aside).map(|name| name.number).max().unwrap_or(0))
}

/// `path` with `suffix` behind its name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Bytes of a database with its side files; what is not there has none.
pub fn bytes_of(path: &Path) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |m| m.len());
    size(path) + SIDE_FILES.iter().map(|suffix| size(&beside(path, suffix))).sum::<u64>()
}

/// Whether a WAL with something in it stands beside the database: it was not closed to the end.
pub fn has_wal(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|m| m.len() > 0)
}

/// Bytes in quarantine.
pub fn quarantine_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir.join(QUARANTINE_DIR)) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|m| m.len()).sum()
}

/// Makes names that were made, moved or removed in a directory survive a power cut.
pub fn sync_dir(dir: &Path) -> Result<(), TelemetryError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(TelemetryError::io("sync", dir))
}

/// Makes the directory when missing, safe from a power cut.
pub fn make_dir(dir: &Path) -> Result<(), TelemetryError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(TelemetryError::io("create", dir))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

/// Writes a small file so that a power cut leaves the old or the new one: beside it, synced, renamed, directory synced.
pub fn write_atomically(dir: &Path, name: &str, text: &str) -> Result<(), TelemetryError> {
    durable_file::write(dir, name, text.as_bytes(), 0o644).map_err(TelemetryError::io("write", &dir.join(name)))
}

/// A small file's text; `None` when there is none.
pub fn read_small(path: &Path) -> Result<Option<String>, TelemetryError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(TelemetryError::io("read", path)(e)),
    }
}

/// Takes the directory for this writer (flock(2)); the lock goes with the file, also when the process is killed.
pub fn lock(dir: &Path) -> Result<File, TelemetryError> {
    let path = dir.join(LOCK_FILE);
    let options = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = options.map_err(TelemetryError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(TelemetryError::Locked { dir: dir.to_owned() }),
        Err(fs::TryLockError::Error(e)) => Err(TelemetryError::io("lock", &path)(e)),
    }
}

/// Moves a database with its side files to `quarantine/`. The database goes first: were it to stay behind without its
/// WAL, the next start might take it for whole. Side files left behind by a crash are moved by [`sweep`].
pub fn quarantine(dir: &Path, path: &Path, cause: &str) -> Result<QuarantinedFile, TelemetryError> {
    let to = set_aside(dir, path)?;
    for suffix in SIDE_FILES {
        let side = beside(path, suffix);
        if side.exists() {
            fs::rename(&side, beside(&to, suffix)).map_err(TelemetryError::io("set aside", &side))?;
        }
    }
    sync_dir(&dir.join(QUARANTINE_DIR))?;
    sync_dir(dir)?;
    Ok(QuarantinedFile { from: path.to_owned(), to, cause: cause.to_owned() })
}

fn set_aside(dir: &Path, path: &Path) -> Result<PathBuf, TelemetryError> {
    let quarantine = dir.join(QUARANTINE_DIR);
    make_dir(&quarantine)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (0..u32::MAX)
        .map(|n| if n == 0 { quarantine.join(&name) } else { quarantine.join(format!("{name}.{n}")) })
        .find(|to| !to.exists());
    let to = free.unwrap_or_else(|| quarantine.join(&name));
    fs::rename(path, &to).map_err(TelemetryError::io("set aside", path))?;
    Ok(to)
}

/// Clears side files whose database is gone, left by a crash in the middle of a quarantine or a prune: one with bytes
/// in it is set aside, an empty one and a `-shm` (which SQLite rebuilds) removed. Returns what was set aside.
pub fn sweep(dir: &Path) -> Result<Vec<QuarantinedFile>, TelemetryError> {
    let mut moved = Vec::new();
    for name in names(dir)? {
        let Some(name) = name.to_str() else { continue };
        let Some((database, suffix)) = SIDE_FILES.iter().find_map(|s| Some((name.strip_suffix(s)?, *s))) else {
            continue;
        };
        if DayName::parse(database).is_none() || dir.join(database).exists() {
            continue;
        }
        let path = dir.join(name);
        if suffix == "-wal" && fs::metadata(&path).is_ok_and(|m| m.len() > 0) {
            let to = set_aside(dir, &path)?;
            moved.push(QuarantinedFile { from: path, to, cause: "its database is gone".to_owned() });
        } else {
            fs::remove_file(&path).map_err(TelemetryError::io("remove", &path))?;
        }
    }
    Ok(moved)
}

/// Unlinks a database, then its side files. A crash in between leaves side files for [`sweep`], never half a database.
pub fn unlink(path: &Path) -> Result<(), TelemetryError> {
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(TelemetryError::io("remove", path)(e)),
        _ => Ok(()),
    };
    remove(path)?;
    SIDE_FILES.iter().try_for_each(|suffix| remove(&beside(path, suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_and_read_back() {
        let name = DayName { number: 7, day: "2026-11-21".into() };
        assert_eq!(name.to_string(), "2026-11-21.0007.db");
        assert_eq!(DayName::parse("2026-11-21.0007.db"), Some(name));
        assert_eq!(DayName::parse("2026-11-21.123456.db").map(|n| n.number), Some(123_456));
        for other in ["records.db", "2026-11-21.+7.db", "2026-11-21.0007.db-wal", "x.1.db", "2026-11-21..db"] {
            assert_eq!(DayName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn absurd_clocks_make_names_that_parse() {
        for wall in [Stamp(i64::MIN), Stamp(-1), Stamp(0), Stamp(i64::MAX)] {
            let name = DayName { number: 1, day: day_of(wall) };
            assert_eq!(DayName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn quarantine_keeps_all_of_a_file_and_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for round in 0..2 {
            for suffix in ["", "-wal", "-shm"] {
                fs::write(dir.join(format!("2026-11-21.0007.db{suffix}")), suffix).unwrap();
            }
            let moved = quarantine(dir, &dir.join("2026-11-21.0007.db"), "test").unwrap();
            assert_eq!(fs::read(beside(&moved.to, "-wal")).unwrap(), b"-wal", "round {round}");
        }
        assert_eq!(list(dir).unwrap(), []);
        assert_eq!(highest_number(dir).unwrap(), 7);
    }

    #[test]
    fn orphans_with_bytes_are_set_aside_and_empty_ones_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::write(dir.join("2026-11-21.0001.db-wal"), "rows").unwrap();
        fs::write(dir.join("2026-11-21.0001.db-shm"), "index").unwrap();
        fs::write(dir.join("2026-11-21.0002.db-wal"), "").unwrap();
        fs::write(dir.join("2026-11-21.0003.db"), "x").unwrap();
        fs::write(dir.join("2026-11-21.0003.db-wal"), "rows").unwrap();
        assert_eq!(sweep(dir).unwrap().len(), 1);
        let mut left = names(dir).unwrap();
        left.sort();
        assert_eq!(left, ["2026-11-21.0003.db", "2026-11-21.0003.db-wal", QUARANTINE_DIR]);
    }
}
