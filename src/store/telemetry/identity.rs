//! Which sequence of numbers this is, and which of them may have been given out.
//!
//! Two small files beside the day files, each replaced atomically:
//! - `store_id` names the sequence. A number means something only together with it.
//! - `seq_reserved` is a number that no reading ever went beyond. Day files tell exactly where the sequence stands;
//!   this tells it roughly when the newest of them is damaged, so that a number that may have been sent is never
//!   given out again.

use std::path::Path;

use uuid::Uuid;

use super::TelemetryError;
use super::files::{read_small, write_atomically};
use crate::entropy::Entropy;

const STORE_ID_FILE: &str = "store_id";
const RESERVED_FILE: &str = "seq_reserved";

/// Numbers reserved at a time: one small file written each 10 s at the 10,000 readings/s of A10, and the most that are
/// skipped beyond what was lost when a file is set aside.
pub const RESERVE_READINGS: u64 = 100_000;

/// Skipped when the reservation is lost too: more than a day can give out (10,000/s for 86,400 s are 0.9e9).
const BLIND_SKIP_READINGS: u64 = 1 << 32;

/// The id of the sequence, drawn at the first start. A text that is no id is an error: guessing would mix two
/// sequences.
pub fn store_id(dir: &Path, entropy: &Entropy) -> Result<Uuid, TelemetryError> {
    let path = dir.join(STORE_ID_FILE);
    match read_small(&path)? {
        None => renew_store_id(dir, entropy),
        Some(text) => {
            Uuid::parse_str(text.trim()).map_err(|e| TelemetryError::io("understand", &path)(std::io::Error::other(e)))
        }
    }
}

/// Gives the sequence a new id.
pub fn renew_store_id(dir: &Path, entropy: &Entropy) -> Result<Uuid, TelemetryError> {
    let id = entropy.uuid();
    write_atomically(dir, STORE_ID_FILE, &format!("{id}\n"))?;
    Ok(id)
}

/// The id without drawing one; for readers.
pub fn read_store_id(dir: &Path) -> Result<Option<Uuid>, TelemetryError> {
    Ok(read_small(&dir.join(STORE_ID_FILE))?.and_then(|text| Uuid::parse_str(text.trim()).ok()))
}

/// The number that no reading went beyond; `None` when the file is missing or no number.
pub fn reserved(dir: &Path) -> Result<Option<u64>, TelemetryError> {
    Ok(read_small(&dir.join(RESERVED_FILE))?.and_then(|text| text.trim().parse().ok()))
}

/// Reserves at least up to `last_seq`. Returns the new reservation.
pub fn reserve(dir: &Path, last_seq: u64) -> Result<u64, TelemetryError> {
    let reserved = last_seq.saturating_add(RESERVE_READINGS);
    write_atomically(dir, RESERVED_FILE, &format!("{reserved}\n"))?;
    Ok(reserved)
}

/// The next number when files whose numbers are not known come after `last_seq`. Pure.
pub fn skip_unknown(last_seq: u64, reserved: Option<u64>) -> u64 {
    reserved.unwrap_or_else(|| last_seq.saturating_add(BLIND_SKIP_READINGS)).max(last_seq).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_numbers_are_never_given_out_again() {
        assert_eq!(skip_unknown(10, Some(100_000)), 100_001);
        assert_eq!(skip_unknown(10, Some(5)), 11, "an old reservation does not turn the sequence back");
        assert!(skip_unknown(10, None) > 864_000_000);
    }

    #[test]
    fn the_id_lasts_until_it_is_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let entropy = Entropy::seeded(1);
        let id = store_id(dir.path(), &entropy).unwrap();
        assert_eq!(store_id(dir.path(), &entropy).unwrap(), id);
        let renewed = renew_store_id(dir.path(), &entropy).unwrap();
        assert_ne!(renewed, id);
        assert_eq!(read_store_id(dir.path()).unwrap(), Some(renewed));
        std::fs::write(dir.path().join(STORE_ID_FILE), "garbage").unwrap();
        assert!(store_id(dir.path(), &entropy).is_err());
    }
}
