//! The next version of the program, made of this one and of what differs, written to where it lies in the other slot.
//!
//! Most of an update is the program, and a changed line moves nearly every block of it. A bundle may therefore carry,
//! beside the images, what differs from versions that boxes are likely to run (os/image/delta.py, which defines the
//! file). The bundle's hook has this done before RAUC writes the slot: RAUC then finds the program's blocks in it, each
//! by its hash, and loads only the others. Nothing rests on the result: a delta that is wrong costs bytes, no more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// dm-verity hashes blocks of so many bytes, and RAUC looks for such ones.
const BLOCK_BYTES: usize = 4096;

/// Longer than the line at the file's head ever is.
const HEAD_BYTES_MAX: u64 = 4096;

/// Ten times the program: a file that asks for more is none of ours.
const PROGRAM_BYTES_MAX: usize = 256 << 20;

/// Why there is nothing to be found in the slot. RAUC loads the blocks then.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// The bundle has none for this program; most have.
    #[error("the bundle has no {}: the whole program is loaded", .0.display())]
    None(PathBuf),
    /// A file or the slot.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file's first line.
    #[error("{}: its first line: {why}", .path.display())]
    Head {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The file's first line.
#[derive(Debug, Deserialize)]
struct Head {
    /// Where the program lies in the slot; a whole number of blocks.
    at: u64,
    /// Its length.
    bytes: usize,
    /// Where in the slot the hash of its first block lies; those of the others follow.
    hashes_at: u64,
    /// What the hashes begin with, in base64.
    salt: String,
}

/// Writes the bundle's program into `slot`, with the hashes that dm-verity has of it. `program` is the one that runs.
/// Returns its length.
pub fn apply(bundle: &Path, program: &Path, slot: &Path) -> Result<usize, DeltaError> {
    let base = fs::read(program).map_err(failed(program))?;
    let path = bundle.join(name(&base));
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(DeltaError::None(path)),
        opened => opened.map_err(failed(&path))?,
    };
    let mut file = BufReader::new(file);
    let head = read_head(&mut file, &path)?;
    let mut made = Vec::with_capacity(head.bytes.next_multiple_of(BLOCK_BYTES));
    bsdiff::patch(&base, &mut file, &mut made).map_err(failed(&path))?;
    if made.len() != head.bytes {
        return Err(DeltaError::Head { path, why: format!("{} bytes, and it makes {}", head.bytes, made.len()) });
    }
    // The rest of the file's last block is empty in the image.
    made.resize(made.len().next_multiple_of(BLOCK_BYTES), 0);
    let salt = BASE64_STANDARD.decode(&head.salt);
    let hashes = hash_blocks(&made, &salt.map_err(|why| DeltaError::Head { path, why: format!("its salt: {why}") })?);
    let device = OpenOptions::new().write(true).open(slot).map_err(failed(slot))?;
    device.write_all_at(&made, head.at).map_err(failed(slot))?;
    device.write_all_at(&hashes, head.hashes_at).map_err(failed(slot))?;
    device.sync_data().map_err(failed(slot))?;
    Ok(head.bytes)
}

/// The file for boxes that run a program.
fn name(program: &[u8]) -> String {
    Sha256::digest(program).iter().fold("delta-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DeltaError {
    let path = path.to_owned();
    move |error| DeltaError::Io { path, error }
}

fn read_head(file: &mut impl io::BufRead, path: &Path) -> Result<Head, DeltaError> {
    let mut line = Vec::new();
    io::Read::take(file, HEAD_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed(path))?;
    let wrong = |why: String| DeltaError::Head { path: path.to_owned(), why };
    let head: Head = serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
    if head.bytes > PROGRAM_BYTES_MAX {
        return Err(wrong(format!("{} bytes; at most {PROGRAM_BYTES_MAX}", head.bytes)));
    }
    Ok(head)
}

/// dm-verity's hashes of the data's blocks: of the salt and the block (kernel, admin-guide/device-mapper/verity).
fn hash_blocks(data: &[u8], salt: &[u8]) -> Vec<u8> {
    let salted = Sha256::new_with_prefix(salt);
    data.chunks(BLOCK_BYTES).flat_map(|block| salted.clone().chain_update(block).finalize()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &[u8] = b"salt";
    const HASHES_AT: u64 = 100 * 4096;

    struct Bench {
        folder: tempfile::TempDir,
        old: Vec<u8>,
    }

    impl Bench {
        /// A program, and a slot full of something else.
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let old: Vec<u8> = (0..40_000_u32).flat_map(|number| (number * number).to_le_bytes()).collect();
            fs::write(folder.path().join("program"), &old).expect("a program");
            fs::write(folder.path().join("slot"), vec![0xaa; 128 * BLOCK_BYTES]).expect("a slot");
            Self { folder, old }
        }

        /// Puts a delta to `new` into the bundle.
        fn offer(&self, new: &[u8], bytes: usize, salt: &str) {
            let head = serde_json::json!({"at": 4096, "bytes": bytes, "hashes_at": HASHES_AT, "salt": salt});
            let mut delta = format!("{head}\n").into_bytes();
            bsdiff::diff(&self.old, new, &mut delta).expect("a delta");
            fs::write(self.folder.path().join(name(&self.old)), delta).expect("a bundle");
        }

        fn apply(&self) -> Result<usize, DeltaError> {
            let at = |name| self.folder.path().join(name);
            apply(self.folder.path(), &at("program"), &at("slot"))
        }

        fn slot(&self) -> Vec<u8> {
            fs::read(self.folder.path().join("slot")).expect("the slot")
        }
    }

    #[test]
    fn the_program_and_its_hashes_lie_where_they_belong_and_nothing_else_is_touched() {
        let (before, salt) = (Bench::new(), BASE64_STANDARD.encode(SALT));
        let mut new = before.old.clone();
        new.splice(500..510, *b"a longer line than there was");
        before.offer(&new, new.len(), &salt);
        assert_eq!(before.apply().expect("applied"), new.len());
        let slot = before.slot();
        let end = 4096 + new.len().next_multiple_of(BLOCK_BYTES);
        assert_eq!(slot[4096..4096 + new.len()], new);
        assert!(slot[4096 + new.len()..end].iter().all(|byte| *byte == 0));
        let hashes = usize::try_from(HASHES_AT).expect("small");
        let block = Sha256::digest([SALT, &slot[4096..8192]].concat());
        assert_eq!(slot[hashes..hashes + 32], block[..]);
        let behind = hashes + (end - 4096) / BLOCK_BYTES * 32;
        assert!(slot[..4096].iter().chain(&slot[behind..]).all(|byte| *byte == 0xaa));
    }

    #[test]
    fn another_program_finds_none() {
        assert!(matches!(Bench::new().apply(), Err(DeltaError::None(_))));
    }

    #[test]
    fn a_delta_that_does_not_fit_writes_nothing() {
        let (before, salt) = (Bench::new(), BASE64_STANDARD.encode(SALT));
        for (bytes, salt, told) in [
            (before.old.len() + 1, salt.as_str(), "and it makes"),
            (before.old.len(), "?", "its salt"),
            (PROGRAM_BYTES_MAX + 1, salt.as_str(), "at most"),
        ] {
            before.offer(&before.old, bytes, salt);
            let error = before.apply().expect_err("refused").to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(before.slot().iter().all(|byte| *byte == 0xaa));
    }
}
