//! What can go wrong in the telemetry store.

use std::path::{Path, PathBuf};

use crate::store::sqlite::SqliteError;

/// What can go wrong in the telemetry store.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Another process writes here.
    #[error(
        "{} is in use: another gateway writes here. Stop it first, or give this one its own data.dir",
        dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// A file or directory could not be handled.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// A statement failed in a day file.
    #[error("cannot {what} in {}", path.display())]
    Day {
        /// What was tried.
        what: &'static str,
        /// In which file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// The day file and the fresh one that should take its place both failed; the batch was not taken.
    #[error("no day file can be written in {}; next try in {retry_ms} ms: {cause}", dir.display())]
    Unavailable {
        /// The directory.
        dir: PathBuf,
        /// Milliseconds until the next try.
        retry_ms: u64,
        /// What failed last.
        cause: String,
    },
}

impl TelemetryError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn day(what: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Day { what, path, source }
    }

    /// Whether trying again later can help. The batch stays with the caller.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Sqlite(e) => e.is_transient(),
            Self::Day { source, .. } => crate::store::sqlite::is_busy(source),
            Self::Locked { .. } | Self::Io { .. } => false,
        }
    }
}
