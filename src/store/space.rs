//! Room on the disk of the data: how much there is, how much must stay free, and the reserve with which a full disk
//! can be started on.
//!
//! # When the disk is full
//!
//! SQLite needs room to open a database: its WAL, the index of it, a count of openings. So a gateway that is started
//! on a full disk could not open what it has, and would be restarted for ever. Three things keep it going:
//!
//! 1. [`Reserve`]: a file that holds nothing but blocks. It is deleted before the stores open where there is no room,
//!    and made again of what is left once they are open, before the first reading can take it.
//! 2. Retention keeps [`Space::headroom_bytes`] free: oldest readings go first ([`Space::telemetry_bytes_max`]),
//!    as much as is missing and no more. Readings are never pruned below [`Space::readings_kept_bytes`], nor is the
//!    file that is written; records and their log are never pruned for readings.
//! 3. Day files are short on a small disk ([`Space::day_file_bytes_max`]), so that a prune costs a sixteenth of the
//!    past and not a day.
//!
//! What is left when a stranger's files filled the disk: the gateway runs, serves, raises an alarm, and refuses what
//! it cannot keep. It never deletes what it did not write. The reserve is no room for anybody's data: a restart on a
//! full disk takes a little of it for good, until there is room again.
//!
//! Decisions are functions of [`Space`]; only [`Space::of`] and [`Reserve`] touch the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;

const MIB: u64 = 1 << 20;

/// The part of a disk for each of reserve, headroom and one day file.
const SHARE: u64 = 16;

/// Bounds of the reserve. Opening takes less than 1 MiB, beside the WAL of a day file that a crash left open, which is
/// copied into the file before it is cut: 8 MiB and a commit (`day::CHECKPOINT_BYTES`).
const RESERVE_BYTES_MIN: u64 = 4 * MIB;
const RESERVE_BYTES_MAX: u64 = 16 * MIB;

/// Bounds of what stays free: a minute at 10,000 readings/s is 3 MiB, and looks are seconds apart.
const HEADROOM_BYTES_MIN: u64 = 4 * MIB;
const HEADROOM_BYTES_MAX: u64 = 64 * MIB;

/// Bounds of a day file. The upper one is what is still checked and continued at a start.
const DAY_FILE_BYTES_MIN: u64 = 4 * MIB;
const DAY_FILE_BYTES_MAX: u64 = crate::store::telemetry::day::CHECK_BYTES_MAX;

/// Less than this and databases may not open: twice what an opening was seen to take.
const FULL_BYTES: u64 = 2 * MIB;

/// Left beside a reserve that is made of the last that there is: file systems need some blocks to say what is whose.
/// Whoever writes takes it, so that each restart on a full disk costs the reserve as much.
const SPARE_BYTES: u64 = MIB / 8;

/// The reserve grows by whole steps.
const STEP_BYTES: u64 = MIB / 16;

/// The reserve's name in the data directory.
pub const RESERVE_FILE: &str = "disk_reserve";

/// How much room there is on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes of the file system.
    pub total_bytes: u64,
    /// Bytes that we may still write; what is kept for root does not count.
    pub available_bytes: u64,
}

impl Space {
    /// Of the file system that a directory is on.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let told = statvfs(dir)?;
        let block = told.fragment_size();
        let bytes = |blocks: u64| blocks.saturating_mul(block);
        Ok(Self { total_bytes: bytes(told.blocks()), available_bytes: bytes(told.blocks_available()) })
    }

    /// What retention keeps free.
    pub fn headroom_bytes(&self) -> u64 {
        (self.total_bytes / SHARE).clamp(HEADROOM_BYTES_MIN, HEADROOM_BYTES_MAX)
    }

    /// How large the reserve is when there is room.
    pub fn reserve_bytes(&self) -> u64 {
        (self.total_bytes / SHARE).clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX)
    }

    /// The newest readings that no lack of room takes away.
    pub fn readings_kept_bytes(&self) -> u64 {
        self.headroom_bytes()
    }

    /// Less is free than retention keeps free.
    pub fn is_short(&self) -> bool {
        self.available_bytes < self.headroom_bytes()
    }

    /// So little is free that databases may not open and writes fail.
    pub const fn is_full(&self) -> bool {
        self.available_bytes < FULL_BYTES
    }

    /// The bytes that telemetry may have for the sake of room: what it has and what is free, less the headroom and what
    /// the reserve lacks. `used_bytes`: of the day files; `reserved_bytes`: that the reserve holds.
    pub fn telemetry_bytes_max(&self, used_bytes: u64, reserved_bytes: u64) -> u64 {
        let lacking = self.reserve_bytes().saturating_sub(reserved_bytes);
        let room = used_bytes.saturating_add(self.available_bytes);
        room.saturating_sub(self.headroom_bytes()).saturating_sub(lacking).max(self.readings_kept_bytes())
    }

    /// The size at which the next day file is opened, of telemetry that may have `telemetry_bytes_max`.
    pub fn day_file_bytes_max(&self, telemetry_bytes_max: u64) -> u64 {
        (telemetry_bytes_max.min(self.total_bytes) / SHARE).clamp(DAY_FILE_BYTES_MIN, DAY_FILE_BYTES_MAX)
    }

    /// How large the reserve should be now that holds `held_bytes`; never smaller. All of it where room stays beside
    /// it; after it was given up, what there is, so that nobody else takes it.
    fn reserve_wanted(&self, held_bytes: u64, given_up: bool) -> u64 {
        let lacking = self.reserve_bytes().saturating_sub(held_bytes);
        let beside = if given_up { SPARE_BYTES } else { self.headroom_bytes() };
        if self.available_bytes >= lacking + self.headroom_bytes() {
            held_bytes + lacking
        } else {
            held_bytes + lacking.min(self.available_bytes.saturating_sub(beside)) / STEP_BYTES * STEP_BYTES
        }
    }
}

/// The file that holds room for the next start. What fails with it is told in the log and stops nothing.
#[derive(Clone, Debug)]
pub struct Reserve {
    dir: PathBuf,
    path: PathBuf,
}

impl Reserve {
    /// Of a data directory.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), path: dir.join(RESERVE_FILE) }
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |data| data.len())
    }

    /// Deletes it where the disk is full. Whether it did: then [`Reserve::keep`] must follow.
    pub fn give_up_when_full(&self) -> bool {
        let space = Space::of(&self.dir);
        if !space.as_ref().is_ok_and(Space::is_full) {
            return false;
        }
        let held_bytes = self.held_bytes();
        // Synced: a journalling file system gives freed blocks out only when the deletion is on the disk.
        match fs::remove_file(&self.path).and_then(|()| File::open(&self.dir)?.sync_all()) {
            Ok(()) => tracing::warn!(held_bytes, "the disk is full: the reserve is given up"),
            Err(error) => tracing::error!(file = %self.path.display(), %error, "the disk is full, without a reserve"),
        }
        true
    }

    /// Makes it, or makes it larger, as room allows.
    pub fn keep(&self, given_up: bool) {
        let kept =
            Space::of(&self.dir).and_then(|space| self.allocate(space.reserve_wanted(self.held_bytes(), given_up)));
        if let Err(error) = kept {
            tracing::warn!(file = %self.path.display(), %error, "the reserve for a full disk could not be made");
        }
    }

    fn allocate(&self, wanted_bytes: u64) -> io::Result<()> {
        let held_bytes = self.held_bytes();
        if wanted_bytes <= held_bytes {
            return Ok(());
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        let length = i64::try_from(wanted_bytes).map_err(io::Error::other)?;
        if let Err(error) = posix_fallocate(&file, 0, length) {
            // Blocks of an attempt that failed half-way go back.
            file.set_len(held_bytes)?;
            return Err(error.into());
        }
        file.sync_all()?;
        tracing::debug!(wanted_bytes, "the reserve is kept");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn space(total_mib: u64, available_mib: u64) -> Space {
        Space { total_bytes: total_mib * MIB, available_bytes: available_mib * MIB }
    }

    #[test]
    fn the_parts_of_a_disk_grow_with_it_within_bounds() {
        let parts = |total| {
            let space = space(total, 0);
            let file = space.day_file_bytes_max(u64::MAX);
            [space.reserve_bytes(), space.headroom_bytes(), file].map(|bytes| bytes / MIB)
        };
        assert_eq!(parts(32), [4, 4, 4]);
        assert_eq!(parts(256), [16, 16, 16]);
        assert_eq!(parts(2_048), [16, 64, 128]);
        assert_eq!(parts(1 << 20), [16, 64, 256]);
        assert_eq!(space(1 << 20, 0).day_file_bytes_max(320 * MIB), 20 * MIB, "a small quota means small files too");
    }

    #[test]
    fn readings_may_have_what_they_have_and_what_is_free_less_the_headroom() {
        let quota =
            |available, used, reserved| space(2_048, available).telemetry_bytes_max(used * MIB, reserved * MIB) / MIB;
        assert_eq!(quota(1_000, 500, 16), 1_436);
        assert_eq!(quota(1_000, 500, 0), 1_420, "the reserve comes before readings");
        assert_eq!(quota(10, 500, 16), 446, "as much goes as is missing");
        assert_eq!(quota(64, 500, 16), 500, "and nothing when nothing is");
        assert_eq!(quota(0, 70, 0), 64, "the newest stay whatever else is on the disk");
        assert_eq!(space(0, 0).telemetry_bytes_max(0, 0), HEADROOM_BYTES_MIN);
    }

    #[test]
    fn short_comes_before_full() {
        let state = |available| (space(2_048, available).is_short(), space(2_048, available).is_full());
        assert_eq!(
            [64, 63, 2, 1, 0].map(state),
            [(false, false), (true, false), (true, false), (true, true), (true, true)]
        );
    }

    #[test]
    fn the_reserve_is_made_of_plenty_or_of_what_it_was_itself() {
        let wanted = |available, held, given_up| space(2_048, available).reserve_wanted(held * MIB, given_up) / MIB;
        assert_eq!(wanted(1_000, 0, false), 16);
        assert_eq!(wanted(80, 0, false), 16);
        assert_eq!(wanted(79, 0, false), 15, "never out of the headroom");
        assert_eq!(wanted(10, 0, false), 0);
        assert_eq!(wanted(15, 0, true), 14, "unless it was its own room a moment ago");
        let own = space(2_048, 15).reserve_wanted(0, true);
        assert!(own + SPARE_BYTES <= 15 * MIB && own + SPARE_BYTES + STEP_BYTES >= 15 * MIB, "{own}");
        assert_eq!(wanted(0, 14, true), 14);
        assert_eq!(wanted(1_000, 14, false), 16);
        assert_eq!(wanted(1_000, 20, false), 20, "it does not shrink");
    }

    #[test]
    fn the_reserve_holds_blocks_and_stays_where_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(dir.path());
        assert_eq!(reserve.held_bytes(), 0);
        reserve.keep(false);
        let held = reserve.held_bytes();
        let data = fs::metadata(dir.path().join(RESERVE_FILE)).unwrap();
        let blocks = std::os::unix::fs::MetadataExt::blocks(&data) * 512;
        assert!(held > 0 && blocks >= held, "{held} bytes, {blocks} in blocks");
        assert!(!reserve.give_up_when_full());
        assert_eq!(reserve.held_bytes(), held);
    }
}
