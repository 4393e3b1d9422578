//! Who this store is: device, epoch, history; and whether it was set back to an older state.
//!
//! A restored backup would give sequence numbers out again. A file beside the database counts its openings and is
//! synced to the disk; a database that counts fewer was set back, and starts a new epoch (as a spoke) and a new history
//! (as a hub). When the whole directory was set back the hub notices instead, by a change id with another content
//! (SYNC.md, Identity).

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use rusqlite::Connection;
use uuid::Uuid;

use super::RecordError;
use super::rows::Rows;
use crate::clock::{ClockQuality, Hlc, Now};
use crate::entropy::Entropy;

/// The file that counts openings (SYNC.md: `boot.counter`).
const COUNTER_FILE: &str = "boot.counter";

/// First part of the name under which the history of one owner's log stands.
const OWNER_HISTORY: &str = "history_id/";

/// Random bits in the step to a new epoch, so that two copies of one store never step to the same.
const EPOCH_RANDOM_BITS: u32 = 20;

/// Who this store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// This device; for ever.
    pub device_id: Uuid,
    /// This history of the log, told to spokes; new when the store was set back.
    pub history_id: Uuid,
}

/// How the store was found at its opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Made now.
    New,
    /// As it was left.
    Continued,
    /// Older than it should be: restored from a backup.
    SetBack,
}

impl Identity {
    /// Finds out who the store in `dir` is, counting this opening.
    pub fn establish(dir: &Path, connection: &mut Connection, entropy: &Entropy) -> Result<(Self, Start), RecordError> {
        let counted = read_counter(dir)?;
        let transaction = connection.transaction()?;
        let rows = Rows(&transaction);
        let stored = rows.number("openings")?;
        let start = match (rows.identity("device_id")?, stored < counted) {
            (None, _) => Start::New,
            (Some(_), true) => Start::SetBack,
            (Some(_), false) => Start::Continued,
        };
        if start == Start::New {
            rows.set_identity("device_id", &entropy.uuid().to_string())?;
        }
        if start != Start::Continued {
            transaction.execute("DELETE FROM identity WHERE name LIKE ?1 || '%'", [OWNER_HISTORY])?;
            rows.set_identity("history_id", &entropy.uuid().to_string())?;
            step_epoch(&rows, entropy.next_u64())?;
        }
        let openings = stored.max(counted) + 1;
        rows.set_identity("openings", &openings.to_string())?;
        let identity = Self { device_id: uuid(&rows, "device_id")?, history_id: uuid(&rows, "history_id")? };
        transaction.commit()?;
        write_counter(dir, openings)?;
        Ok((identity, start))
    }
}

fn uuid(rows: &Rows<'_>, name: &str) -> Result<Uuid, RecordError> {
    let text = rows.identity(name)?.unwrap_or_default();
    Uuid::parse_str(&text)
        .map_err(|_| RecordError::Refused(format!("records.db: identity `{name}` is `{text}`, not a UUID")))
}

/// This device's id, from inside a transaction.
pub fn device_id(rows: &Rows<'_>) -> Result<Uuid, RecordError> {
    uuid(rows, "device_id")
}

/// The hub's history of an owner's log, from inside a transaction. It is the store's own until that log alone proved to
/// be set back.
pub fn history_id(rows: &Rows<'_>, owner: &str) -> Result<Uuid, RecordError> {
    let own = format!("{OWNER_HISTORY}{owner}");
    if rows.identity(&own)?.is_some() { uuid(rows, &own) } else { uuid(rows, "history_id") }
}

/// Starts a new history of one owner's log; the other owners' go on.
pub fn set_history_id(rows: &Rows<'_>, owner: &str, history_id: Uuid) -> Result<(), RecordError> {
    rows.set_identity(&format!("{OWNER_HISTORY}{owner}"), &history_id.to_string())
}

/// The present epoch.
pub fn epoch(rows: &Rows<'_>) -> Result<u64, RecordError> {
    rows.number("epoch")
}

/// The sequence number that the next change gets.
pub fn next_seq(rows: &Rows<'_>) -> Result<u64, RecordError> {
    Ok(rows.number("last_seq")? + 1)
}

/// Starts a new epoch, in which sequence numbers count from 1 again.
pub fn step_epoch(rows: &Rows<'_>, random: u64) -> Result<u64, RecordError> {
    let step = 1 + ((random & ((1 << EPOCH_RANDOM_BITS) - 1)) << 8);
    let epoch = epoch(rows)? + step;
    rows.set_identity("epoch", &epoch.to_string())?;
    rows.set_identity("last_seq", "0")?;
    Ok(epoch)
}

/// Gives out the next (epoch, seq).
pub fn take_seq(rows: &Rows<'_>) -> Result<(u64, u64), RecordError> {
    let seq = next_seq(rows)?;
    rows.set_identity("last_seq", &seq.to_string())?;
    Ok((epoch(rows)?, seq))
}

/// A hybrid clock so far ahead of a wall clock that can be trusted was set by one that could not (SYNC.md, Clocks (2)).
const HLC_AHEAD_MS_MAX: i64 = 24 * 3_600 * 1_000;

/// Moves the hybrid clock on, persisted in the same transaction. One that a wrong wall clock once threw years ahead
/// comes back with the first wall clock that can be trusted: the order of this device's own edits rests on their
/// sequence.
pub fn tick_hlc(rows: &Rows<'_>, now: &Now) -> Result<Hlc, RecordError> {
    let last = Hlc(rows.number("hlc")?);
    let trusted = matches!(now.quality, ClockQuality::Gnss | ClockQuality::Ntp);
    let astray = trusted && last.wall().millis_since(now.wall) > HLC_AHEAD_MS_MAX;
    let hlc = if astray { Hlc::at(now.wall) } else { last.tick(now.wall) };
    rows.set_identity("hlc", &hlc.0.to_string())?;
    Ok(hlc)
}

/// Takes over a clock seen elsewhere, so that what is written after seeing it is later.
pub fn see_hlc(rows: &Rows<'_>, seen: Hlc) -> Result<(), RecordError> {
    if seen.0 > rows.number("hlc")? {
        rows.set_identity("hlc", &seen.0.to_string())?;
    }
    Ok(())
}

fn read_counter(dir: &Path) -> Result<u64, RecordError> {
    let path = dir.join(COUNTER_FILE);
    match fs::read_to_string(&path) {
        // An unreadable count says nothing: the hub's check by content remains.
        Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(RecordError::File { path, source }),
    }
}

/// Temporary file, sync, rename, sync of the directory: after a power cut it is the old count or the new one.
fn write_counter(dir: &Path, openings: u64) -> Result<(), RecordError> {
    let path = dir.join(COUNTER_FILE);
    let temporary = dir.join(format!("{COUNTER_FILE}.new"));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        writeln!(file, "{openings}")?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| RecordError::File { path: path.clone(), source })
}
