//! What the updater must know after a reboot: a small file in the data directory, replaced whole.
//!
//! A file that cannot be read is set aside and a fresh one begins: an update that is forgotten is installed again, a
//! trial that is forgotten is judged by the services alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::health::Baseline;
use super::policy::{Order, Staged};
use crate::clock::Stamp;
use crate::durable_file;

/// Its name in the data directory.
pub const FILE_NAME: &str = "update.json";

/// Where a file that could not be read goes.
const DAMAGED_NAME: &str = "update.json.damaged";

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// What is installed in the other slot and was not judged.
    pub staged: Option<Staged>,
    /// The slot that was last started to be judged.
    pub trial: Option<StartedTrial>,
    /// What somebody asked for.
    pub order: Option<Order>,
    /// The version that was last taken back.
    pub taken_back: Option<TakenBack>,
}

/// Written before the box reboots into a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartedTrial {
    /// The version in that slot.
    pub version: String,
    /// The slot, by RAUC's name.
    pub slot: String,
    /// The version that ran before.
    pub from: String,
    /// When.
    pub at: Stamp,
    /// What each source delivered then.
    pub baseline: Baseline,
}

/// A version that did not stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// Which.
    pub version: String,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
    /// When.
    pub at: Stamp,
}

/// Reasons that are kept: the first sources that are missing tell enough.
const REASONS_MAX: usize = 20;

impl TakenBack {
    /// With the first of the reasons.
    pub fn new(version: &str, mut reasons: Vec<String>, at: Stamp) -> Self {
        reasons.truncate(REASONS_MAX);
        Self { version: version.to_owned(), reasons, at }
    }
}

/// The file.
#[derive(Debug)]
pub struct LedgerFile(PathBuf);

impl LedgerFile {
    /// In this data directory.
    pub fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// What was kept; nothing when there is no file.
    pub fn load(&self) -> Ledger {
        let path = self.0.join(FILE_NAME);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ledger::default(),
            Err(error) => return self.set_aside(&path, &error.to_string()),
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| self.set_aside(&path, &error.to_string()))
    }

    fn set_aside(&self, path: &Path, why: &str) -> Ledger {
        tracing::error!(path = %path.display(), why, "what was known of updates cannot be read; it is set aside");
        if let Err(error) = std::fs::rename(path, self.0.join(DAMAGED_NAME)) {
            tracing::warn!(%error, "it could not be set aside");
        }
        Ledger::default()
    }

    /// Keeps it; it is on the disk when this returns.
    pub fn save(&self, ledger: &Ledger) -> std::io::Result<()> {
        durable_file::write(&self.0, FILE_NAME, &serde_json::to_vec_pretty(ledger)?, 0o640)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_whole_and_a_damaged_one_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = LedgerFile::new(dir.path());
        assert_eq!(file.load(), Ledger::default());
        let ledger = Ledger {
            taken_back: Some(TakenBack::new("1.2.3", vec!["why".to_owned(); 2 * REASONS_MAX], Stamp(7_000))),
            trial: Some(StartedTrial {
                version: "1.2.3".to_owned(),
                slot: "rootfs.1".to_owned(),
                from: "1.2.2".to_owned(),
                at: Stamp(5_000),
                baseline: [("gps.GP".to_owned(), 4.25)].into(),
            }),
            ..Ledger::default()
        };
        file.save(&ledger).unwrap();
        assert_eq!(file.load(), ledger);
        std::fs::write(dir.path().join(FILE_NAME), "{").unwrap();
        assert_eq!(file.load(), Ledger::default());
        assert_eq!(std::fs::read(dir.path().join(DAMAGED_NAME)).unwrap(), b"{");
    }
}
