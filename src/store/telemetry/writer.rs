//! The one writer of the day files: a synchronous struct, driven by a thread in production and inline in tests.
//!
//! It refuses to lose what it took and to write a file that failed. See the module above for why a sync is enough.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::day::{OpenDay, Piece};
use super::files::{DayName, day_of, highest_number, lock, make_dir, sync_dir, unlink};
use super::recovery::{Found, finish, inspect};
use super::types::{Committed, CommittedBatch, FileOpened, OpenReason, Recovery, Synced};
use super::{TelemetryError, identity};
use crate::clock::Now;
use crate::entropy::Entropy;
use crate::reading::Reading;
use crate::store::sqlite;

/// Readings that may be committed and not yet synced; then a commit syncs by itself. 10 s at 10,000 readings/s, ten
/// times the interval of the syncs; about 12 MB.
pub const TAIL_READINGS_MAX: usize = 100_000;

/// The shortest time between two files opened for the clock's sake: a clock that flaps between two days must not open
/// ten files a second. Until then the open file goes on; its name is a help for people only.
const TURN_INTERVAL_MIN_MS: u64 = 60_000;

/// First and longest wait between tries to open a file when none can be written.
const RETRY_START_MS: u64 = 100;
const RETRY_MAX_MS: u64 = 30_000;

/// The one writer of a telemetry directory.
#[derive(Debug)]
pub struct TelemetryWriter {
    dir: PathBuf,
    /// Held until the writer is dropped.
    _lock: File,
    store_id: Uuid,
    next_seq: u64,
    durable_seq: u64,
    reserved_seq: u64,
    next_number: u64,
    day: Option<OpenDay>,
    /// Why the next file will be opened, while none is.
    why_next: OpenReason,
    /// The size at which the next file is opened.
    file_bytes_max: u64,
    tail: Vec<(CommittedBatch, Now)>,
    tail_readings: usize,
    turned_at_mono_ms: Option<u64>,
    retry_at_mono_ms: u64,
    retry_ms: u64,
}

impl TelemetryWriter {
    /// Opens the directory, made when missing: takes its lock, sets damaged files aside, finds where the sequence
    /// stands, and goes on in the newest file when it is of today's UTC day and whole, else in a new one.
    pub fn open(dir: &Path, now: &Now, entropy: &Entropy) -> Result<(Self, Recovery), TelemetryError> {
        sqlite::check_library()?;
        make_dir(dir)?;
        let lock = lock(dir)?;
        let reserved = identity::reserved(dir)?;
        let store_id = identity::store_id(dir, entropy)?;
        let mut found = inspect(dir)?;
        let unknown = found.unknown_after || (!found.any && reserved.is_some());
        let next_seq = if unknown { identity::skip_unknown(found.last_seq, reserved) } else { found.last_seq + 1 };
        let newest = found.newest.take();
        let mut writer = Self {
            dir: dir.to_owned(),
            _lock: lock,
            store_id,
            next_seq,
            durable_seq: 0,
            reserved_seq: reserved.unwrap_or(0),
            next_number: highest_number(dir)? + 1,
            day: None,
            why_next: OpenReason::Start,
            file_bytes_max: super::day::CHECK_BYTES_MAX,
            tail: Vec::new(),
            tail_readings: 0,
            turned_at_mono_ms: None,
            retry_at_mono_ms: 0,
            retry_ms: 0,
        };
        let opened = writer.take_up(newest, now)?;
        sync_dir(dir)?;
        writer.durable_seq = next_seq - 1;
        let recovery = writer.recovery(found, opened);
        Ok((writer, recovery))
    }

    /// Goes on in `newest` or opens the next file.
    fn take_up(&mut self, newest: Option<OpenDay>, now: &Now) -> Result<Option<FileOpened>, TelemetryError> {
        if let Some(day) = newest {
            let small = super::files::bytes_of(&day.path) <= super::day::CHECK_BYTES_MAX;
            if small && day.name.day == day_of(now.wall) && !day.is_full_of_series() {
                // What a killed process had committed is seen by readers, but may be in the page cache only.
                day.sync().map_err(TelemetryError::io("sync", &day.path))?;
                self.day = Some(day);
                return Ok(None);
            }
            finish(day, &self.dir)?;
        }
        self.open_next(now).map(Some)
    }

    fn recovery(&self, found: Found, opened: Option<FileOpened>) -> Recovery {
        let first_free = found.last_seq + 1;
        Recovery {
            store_id: self.store_id,
            next_seq: self.next_seq,
            opened,
            file: self.day.as_ref().map(|day| day.path.clone()).unwrap_or_default(),
            quarantined: found.quarantined,
            newer: found.newer,
            skipped: (self.next_seq > first_free).then(|| first_free..=self.next_seq - 1),
        }
    }

    /// Commits readings in one transaction. On an error nothing was taken: the caller keeps the batch and tries again.
    pub fn apply(&mut self, batch: &[Reading], now: &Now) -> Result<Committed, TelemetryError> {
        self.apply_shared(&Arc::new(batch.to_vec()), now)
    }

    /// The same without copying.
    pub fn apply_shared(&mut self, batch: &Arc<Vec<Reading>>, now: &Now) -> Result<Committed, TelemetryError> {
        let (first_seq, count) = (self.next_seq, batch.len() as u64);
        if batch.is_empty() {
            return Ok(Committed { first_seq, count, opened: None });
        }
        let last_seq = first_seq + count - 1;
        if last_seq > self.reserved_seq {
            self.reserved_seq = identity::reserve(&self.dir, last_seq)?;
        }
        let mut opened = self.ensure_day(now)?;
        if let Some(replaced) = self.commit(first_seq, batch, now)? {
            opened = Some(replaced);
        }
        self.next_seq += count;
        self.tail.push((CommittedBatch { first_seq, readings: Arc::clone(batch) }, *now));
        self.tail_readings += batch.len();
        if self.tail_readings >= TAIL_READINGS_MAX {
            // The batch was taken whatever comes of this; a failure shows at the next call.
            match self.sync(now) {
                Ok(synced) => opened = synced.opened.or(opened),
                Err(e) => tracing::error!(error = %e, "the tail is full and cannot be synced"),
            }
        }
        Ok(Committed { first_seq, count, opened })
    }

    /// Commits to the open file; when that fails, to a fresh one, once.
    fn commit(&mut self, first_seq: u64, batch: &[Reading], now: &Now) -> Result<Option<FileOpened>, TelemetryError> {
        let piece = || [Piece { first_seq, readings: batch, now: *now }];
        let Some(day) = &mut self.day else { return Err(self.unavailable(now, "no file is open")) };
        match day.commit(&piece()) {
            Ok(()) => return Ok(None),
            // Somebody else holds the lock: nothing was written, the file is as good as before.
            Err(e) if sqlite::is_busy(&e) => return Err(TelemetryError::day("commit", &day.path)(e)),
            Err(e) => self.poison(&e),
        }
        let opened = self.open_next(now)?;
        let Some(day) = &mut self.day else { return Err(self.unavailable(now, "no file is open")) };
        match day.commit(&piece()) {
            Ok(()) => Ok(Some(opened)),
            Err(e) => {
                self.poison(&e);
                self.back_off(now);
                Err(self.unavailable(now, &e.to_string()))
            }
        }
    }

    /// Makes everything committed safe from a power cut. A file that fails here is replaced, once.
    pub fn sync(&mut self, now: &Now) -> Result<Synced, TelemetryError> {
        let mut opened = None;
        if self.day.is_none() {
            opened = self.ensure_day(now)?;
        }
        if self.durable_seq + 1 < self.next_seq || opened.is_some() {
            if let Err(cause) = self.sync_day() {
                self.poison(&cause);
                opened = Some(self.open_next(now)?);
                if let Err(cause) = self.sync_day() {
                    self.poison(&cause);
                    self.back_off(now);
                    return Err(self.unavailable(now, &cause.to_string()));
                }
            }
            self.durable_seq = self.next_seq - 1;
            self.tail.clear();
            self.tail_readings = 0;
        }
        if let Some(replaced) = self.checkpoint(now)? {
            opened = Some(replaced);
        }
        Ok(Synced { durable_seq: self.durable_seq, opened })
    }

    fn sync_day(&self) -> std::io::Result<()> {
        self.day.as_ref().map_or_else(|| Err(std::io::Error::other("no file is open")), OpenDay::sync)
    }

    /// Checkpoints when it is time. Called right after a sync: the tail is empty, so that a file that fails takes
    /// nothing along.
    fn checkpoint(&mut self, now: &Now) -> Result<Option<FileOpened>, TelemetryError> {
        let Some(day) = self.day.as_mut().filter(|day| day.wants_checkpoint()) else { return Ok(None) };
        match day.checkpoint() {
            Err(e) if !sqlite::is_busy(&e) => {
                self.poison(&e);
                self.open_next(now).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The last number that is safe from a power cut; 0 when none.
    pub const fn durable_seq(&self) -> u64 {
        self.durable_seq
    }

    /// Opens the next file when one has grown to `bytes`: retention deletes whole files, and the one that is written
    /// never. Without this the bound is what is still checked and continued at a start.
    pub fn set_file_bytes_max(&mut self, bytes: u64) {
        self.file_bytes_max = bytes.min(super::day::CHECK_BYTES_MAX);
    }

    /// The number that the next reading gets.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Readings that a power cut would take now.
    pub const fn unsynced(&self) -> usize {
        self.tail_readings
    }

    /// The file that is written, if one is open.
    pub fn file(&self) -> Option<&Path> {
        self.day.as_ref().map(|day| day.path.as_path())
    }

    /// Identifies the sequence of numbers.
    pub const fn store_id(&self) -> Uuid {
        self.store_id
    }

    /// Gives the sequence a new identity: for a directory that was copied to a second vessel or restored from a
    /// backup, where the old numbers could mean other readings.
    pub fn renew_store_id(&mut self, entropy: &Entropy) -> Result<Uuid, TelemetryError> {
        self.store_id = identity::renew_store_id(&self.dir, entropy)?;
        Ok(self.store_id)
    }

    /// Syncs, seals and closes the file. An error says that the tail may not be safe; what was committed is still in
    /// the file.
    pub fn close(mut self, now: &Now) -> Result<Synced, TelemetryError> {
        let synced = self.sync(now)?;
        if let Some(day) = self.day.take() {
            finish(day, &self.dir)?;
        }
        Ok(synced)
    }

    /// Opens the next file when none is open or this one is done with.
    fn ensure_day(&mut self, now: &Now) -> Result<Option<FileOpened>, TelemetryError> {
        if let Some(day) = &self.day {
            let Some(reason) = self.turn_reason(day, now) else { return Ok(None) };
            if reason == OpenReason::Day {
                self.turned_at_mono_ms = Some(now.mono_ms);
            }
            self.close_day(reason);
        }
        if now.mono_ms < self.retry_at_mono_ms {
            return Err(self.unavailable(now, "waiting to try again"));
        }
        self.open_next(now).map(Some)
    }

    fn turn_reason(&self, day: &OpenDay, now: &Now) -> Option<OpenReason> {
        if day.is_full_of_series() {
            return Some(OpenReason::SeriesLimit);
        }
        if day.bytes() >= self.file_bytes_max {
            return Some(OpenReason::Size);
        }
        let rested = self.turned_at_mono_ms.is_none_or(|at| now.mono_ms.abs_diff(at) >= TURN_INTERVAL_MIN_MS);
        (rested && day.name.day != day_of(now.wall)).then_some(OpenReason::Day)
    }

    /// Syncs and seals the open file. When the sync fails the tail stays, and goes to the next file.
    fn close_day(&mut self, reason: OpenReason) {
        let synced = self.sync_day();
        if let Err(cause) = synced {
            self.poison(&cause);
            return;
        }
        self.durable_seq = self.next_seq - 1;
        self.tail.clear();
        self.tail_readings = 0;
        self.why_next = reason;
        let Some(day) = self.day.take() else { return };
        if let Err(e) = day.seal(&self.dir) {
            tracing::warn!(error = %e, "a day file could not be sealed; the next start tries again");
        }
    }

    /// Drops the open file for good.
    fn poison(&mut self, cause: &dyn std::fmt::Display) {
        if let Some(day) = self.day.take() {
            tracing::error!(file = %day.path.display(), %cause, "a day file failed and is not written again");
            self.why_next = OpenReason::Poisoned { file: day.path, cause: cause.to_string() };
        }
    }

    /// Opens the next file and writes the tail into it, with the numbers that it had.
    fn open_next(&mut self, now: &Now) -> Result<FileOpened, TelemetryError> {
        let name = DayName { number: self.next_number, day: day_of(now.wall) };
        let path = self.dir.join(name.to_string());
        self.next_number += 1;
        let day = OpenDay::create(&self.dir, name, self.store_id, now).and_then(|mut day| {
            let tail = self.tail.iter();
            let pieces: Vec<_> = tail
                .map(|(batch, now)| Piece { first_seq: batch.first_seq, readings: &batch.readings, now: *now })
                .collect();
            if !pieces.is_empty() {
                day.commit(&pieces).map_err(TelemetryError::day("commit the tail", &day.path))?;
            }
            Ok(day)
        });
        match day {
            Ok(day) => {
                self.day = Some(day);
                self.retry_ms = 0;
                self.retry_at_mono_ms = 0;
                let reason = std::mem::replace(&mut self.why_next, OpenReason::Start);
                Ok(FileOpened { file: path, reason })
            }
            Err(e) => {
                // Nothing was ever told to be in it. What it may hold is in the tail.
                let _ = unlink(&path);
                self.back_off(now);
                Err(self.unavailable(now, &told(&e)))
            }
        }
    }

    fn back_off(&mut self, now: &Now) {
        self.retry_ms = (self.retry_ms * 2).clamp(RETRY_START_MS, RETRY_MAX_MS);
        self.retry_at_mono_ms = now.mono_ms + self.retry_ms;
    }

    fn unavailable(&self, now: &Now, cause: &str) -> TelemetryError {
        let retry_ms = self.retry_at_mono_ms.saturating_sub(now.mono_ms);
        TelemetryError::Unavailable { dir: self.dir.clone(), retry_ms, cause: cause.to_owned() }
    }
}

fn told(error: &TelemetryError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[cfg(test)]
mod tests {
    //! Real failures: a file that may not grow (SQLITE_FULL), a descriptor that cannot be synced (a pipe), a
    //! directory that is gone.

    use std::os::fd::OwnedFd;

    use super::*;
    use crate::clock::{Clock, Stamp};
    use crate::reading::{Context, Quality, SeriesKey, SeriesRegistry, Value};
    use crate::store::telemetry::TelemetryReader;

    struct Rig {
        dir: tempfile::TempDir,
        clock: Clock,
        writer: TelemetryWriter,
        registry: SeriesRegistry,
        next: u64,
    }

    impl Rig {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let clock = Clock::manual(Stamp::parse("2026-11-21T12:00:00Z").unwrap());
            let (writer, _) = TelemetryWriter::open(&dir.path().join("t"), &clock.now(), &Entropy::seeded(1)).unwrap();
            Self { dir, clock, writer, registry: SeriesRegistry::default(), next: 1 }
        }

        /// Readings whose value is the number that they should get.
        fn batch(&self, count: u64) -> Arc<Vec<Reading>> {
            let key = |i: u64| SeriesKey {
                context: Context::OwnShip,
                path: format!("test.{}", i % 5).into(),
                source: "a.GP".into(),
                instance: "".into(),
            };
            let reading = |i| Reading {
                series: self.registry.series(&key(i)).unwrap(),
                observed_at: self.clock.now().wall,
                received_at: self.clock.now().wall,
                value: Value::Integer(i as i64),
                quality: Quality::Good,
            };
            Arc::new((self.next..self.next + count).map(reading).collect())
        }

        fn apply(&mut self, count: u64) -> Result<Committed, TelemetryError> {
            let committed = self.writer.apply_shared(&self.batch(count), &self.clock.now());
            if committed.is_ok() {
                self.next += count;
            }
            committed
        }

        fn assert_dense(&self) {
            let reader = TelemetryReader::new(&self.writer.dir);
            let batch = reader.batch_after(0, self.next - 1, usize::MAX, usize::MAX).unwrap();
            assert_eq!(batch.missing, None);
            let found: Vec<_> = batch.readings.iter().map(|r| (r.seq, r.value.clone())).collect();
            let wanted: Vec<_> = (1..self.next).map(|seq| (seq, Value::Integer(seq as i64))).collect();
            assert_eq!(found, wanted);
            assert_eq!(reader.stats().unwrap().readings, self.next - 1);
        }

        /// The open file may not grow any more.
        fn fill_file(&self) {
            let conn = self.writer.day.as_ref().unwrap().conn();
            let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            let limit: i64 = conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0)).unwrap();
            assert_eq!(limit, pages);
        }

        /// The open file's WAL cannot be synced: fdatasync(2) of a pipe fails.
        fn break_sync(&mut self) {
            let (_, pipe) = std::io::pipe().unwrap();
            self.writer.day.as_mut().unwrap().replace_wal(File::from(OwnedFd::from(pipe)));
        }
    }

    fn poisoned(opened: Option<&FileOpened>) -> bool {
        matches!(opened.map(|opened| &opened.reason), Some(OpenReason::Poisoned { .. }))
    }

    #[test]
    fn a_failed_commit_goes_to_a_fresh_file_with_the_tail_and_the_same_numbers() {
        let mut rig = Rig::new();
        rig.apply(3).unwrap();
        rig.writer.sync(&rig.clock.now()).unwrap();
        rig.apply(4).unwrap();
        rig.fill_file();
        let committed = rig.apply(2_000).unwrap();
        assert_eq!(committed.first_seq, 8);
        assert!(poisoned(committed.opened.as_ref()), "{committed:?}");
        rig.assert_dense();
        assert_eq!(rig.writer.sync(&rig.clock.now()).unwrap().durable_seq, 2_007);
        rig.apply(1).unwrap();
        rig.assert_dense();
    }

    #[test]
    fn a_failed_sync_writes_the_tail_again_and_the_later_file_counts() {
        let mut rig = Rig::new();
        rig.apply(3).unwrap();
        rig.writer.sync(&rig.clock.now()).unwrap();
        rig.apply(4).unwrap();
        rig.apply(5).unwrap();
        let first = rig.writer.file().unwrap().to_owned();
        rig.break_sync();
        let synced = rig.writer.sync(&rig.clock.now()).unwrap();
        assert_eq!(synced.durable_seq, 12);
        assert!(poisoned(synced.opened.as_ref()), "{synced:?}");
        assert_ne!(rig.writer.file().unwrap(), first);
        rig.assert_dense();
        let files = TelemetryReader::new(&rig.writer.dir).day_files().unwrap();
        let numbers: Vec<_> = files.iter().map(|file| (file.first_seq, file.last_seq, file.readings)).collect();
        assert_eq!(numbers, [(Some(1), Some(3), 3), (Some(4), Some(12), 9)]);
    }

    #[test]
    fn when_no_file_can_be_written_the_caller_keeps_the_batch_and_nothing_is_lost() {
        let mut rig = Rig::new();
        rig.apply(3).unwrap();
        rig.fill_file();
        let (dir, away) = (rig.dir.path().join("t"), rig.dir.path().join("away"));
        std::fs::rename(&dir, &away).unwrap();
        let error = rig.apply(2_000).unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(rig.writer.sync(&rig.clock.now()).is_err(), "a tail that is not safe is not called safe");
        assert_eq!(rig.writer.durable_seq(), 0);
        std::fs::rename(&away, &dir).unwrap();
        assert!(rig.apply(2_000).unwrap_err().to_string().contains("next try in"), "it waits before it tries again");
        rig.clock.advance_ms(RETRY_MAX_MS);
        assert!(poisoned(rig.apply(2_000).unwrap().opened.as_ref()));
        rig.assert_dense();
        assert_eq!(rig.writer.sync(&rig.clock.now()).unwrap().durable_seq, 2_003);
    }

    #[test]
    fn a_turn_of_the_day_with_a_failing_sync_takes_the_tail_along() {
        let mut rig = Rig::new();
        rig.apply(3).unwrap();
        rig.break_sync();
        rig.clock.advance_ms(86_400_000);
        assert!(poisoned(rig.apply(2).unwrap().opened.as_ref()));
        rig.assert_dense();
        let reopened = reopen(rig);
        reopened.assert_dense();
    }

    fn reopen(rig: Rig) -> Rig {
        let Rig { dir, clock, writer, registry, next } = rig;
        drop(writer);
        let (writer, recovery) =
            TelemetryWriter::open(&dir.path().join("t"), &clock.now(), &Entropy::seeded(1)).unwrap();
        assert_eq!((recovery.next_seq, recovery.skipped), (next, None));
        Rig { dir, clock, writer, registry, next }
    }

    #[test]
    fn a_file_that_has_grown_enough_is_followed_by_the_next_and_may_go() {
        let mut rig = Rig::new();
        rig.writer.set_file_bytes_max(1 << 20);
        let mut reasons = Vec::new();
        while reasons.len() < 3 {
            reasons.extend(rig.apply(5_000).unwrap().opened.map(|opened| opened.reason));
        }
        assert_eq!(reasons, vec![OpenReason::Size; 3]);
        rig.assert_dense();
        let files = TelemetryReader::new(&rig.writer.dir).day_files().unwrap();
        let closed: Vec<_> = files.iter().filter(|file| !file.active).map(|file| file.bytes).collect();
        assert_eq!(closed.len(), 3);
        assert!(closed.iter().all(|bytes| (1 << 20..5 << 18).contains(bytes)), "{closed:?}");
    }

    #[test]
    fn another_connection_with_the_lock_does_not_poison_the_file() {
        let mut rig = Rig::new();
        rig.apply(1).unwrap();
        let path = rig.writer.file().unwrap().to_owned();
        rig.writer.day.as_ref().unwrap().conn().busy_timeout(std::time::Duration::ZERO).unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(rig.apply(1).unwrap_err().is_transient());
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(rig.apply(1).unwrap(), Committed { first_seq: 2, count: 1, opened: None });
        assert_eq!(rig.writer.file().unwrap(), path);
    }

    #[test]
    fn the_wal_is_copied_and_used_again() {
        let mut rig = Rig::new();
        let wal = crate::store::telemetry::files::beside(rig.writer.file().unwrap(), "-wal");
        let series = Arc::clone(&rig.batch(1)[0].series);
        let text = |i: usize| Reading {
            series: Arc::clone(&series),
            observed_at: Stamp(0),
            received_at: Stamp(0),
            value: Value::text(&format!("{i:0250}")),
            quality: Quality::Good,
        };
        let batch = Arc::new((0..4_000).map(text).collect());
        let mut sizes = Vec::new();
        for round in 0..36 {
            rig.writer.apply_shared(&batch, &rig.clock.now()).unwrap();
            rig.writer.sync(&rig.clock.now()).unwrap();
            if round % 12 == 11 {
                sizes.push(std::fs::metadata(&wal).unwrap().len());
            }
        }
        assert!(sizes[0] > 8 << 20 && sizes[2] < sizes[0] + (4 << 20), "{sizes:?}");
        assert_eq!(TelemetryReader::new(&rig.writer.dir).stats().unwrap().readings, 36 * 4_000);
    }

    #[test]
    fn the_tail_is_bounded_by_a_sync_of_its_own() {
        let mut rig = Rig::new();
        for _ in 0..TAIL_READINGS_MAX / 20_000 {
            rig.apply(20_000).unwrap();
        }
        assert_eq!((rig.writer.unsynced(), rig.writer.durable_seq()), (0, TAIL_READINGS_MAX as u64));
    }
}
