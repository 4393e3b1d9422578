//! Names and places of day files.

use std::path::PathBuf;

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
