//! What is kept how long: plan, then apply.
//!
//! The plan is a pure function that says why; the caller writes the loss ledger where something undelivered goes;
//! then it is applied. It refuses to believe a clock alone: a clock in 2099 or 1970 must not delete the voyage. It
//! never touches the file that is written, nor one that cannot be read: that one is an alarm and a person's to
//! decide.
//!
//! # When a file is old
//!
//! The store must have seen the time pass itself. Walking back from now through the files, newest number first, a
//! file whose last commit lies within [`GAP_MAX_MS`] before the point reached moves that point back; one that lies
//! elsewhere (1970 before the first fix, 2099 from a bad receiver, before a long lay-up) does not. A file is old when
//! the point reached by the files from it on is older than `telemetry_days`. So after a step of the clock nothing is
//! deleted by age until the new time has itself run for as long as readings are kept; meanwhile the bytes still bound
//! the disk. Without any quality of the clock nothing is deleted by age at all.
//!
//! # When there is no room
//!
//! By bytes the oldest files go, delivered or not, until the rest fits into `telemetry_bytes_max` and into what the
//! disk has room for, whichever is less ([`super::space`]). Records are not readings and are never pruned for them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::clock::{Clock, ClockQuality, Now, Stamp};
use crate::config::gateway::RetentionConfig;
use crate::store::telemetry::files;

/// The longest gap between two files that still counts as time passed: a yard period of a month.
pub const GAP_MAX_MS: i64 = 30 * DAY_MS;

/// How far a file may lie after the point reached: clocks are set by seconds, not by more than a day.
const AHEAD_MAX_MS: i64 = DAY_MS;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A day file, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayFile {
    /// Its place in the order.
    pub number: u64,
    /// The UTC day in its name; a help for people, not used in decisions.
    pub day: String,
    /// The database file.
    pub path: PathBuf,
    /// Bytes with -wal and -shm.
    pub bytes: u64,
    /// Readings in it that count (not superseded).
    pub readings: u64,
    /// The first number in it that counts; `None` when empty.
    pub first_seq: Option<u64>,
    /// The last number in it that counts; `None` when empty.
    pub last_seq: Option<u64>,
    /// When its last row was committed, by the clock of then.
    pub newest_at: Option<Stamp>,
    /// Whether it is the one that is written.
    pub active: bool,
    /// Whether it can be read. What cannot be read is never pruned: an alarm is, and a person decides.
    pub readable: bool,
}

impl DayFile {
    fn may_go(&self) -> bool {
        !self.active && self.readable
    }

    /// What in it was meant for somebody and not delivered.
    fn undelivered(&self, delivered_seq: Option<u64>) -> Option<RangeInclusive<u64>> {
        let (delivered, first, last) = (delivered_seq?, self.first_seq?, self.last_seq?);
        (last > delivered).then(|| first.max(delivered + 1)..=last)
    }
}

/// Why a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneReason {
    /// Older than `telemetry_days`, and delivered or meant for nobody (B1, B11).
    Age,
    /// The store is over `telemetry_bytes_max` and this is the oldest (B10).
    Bytes,
    /// The disk is short of room and this is the oldest.
    Space,
}

impl PruneReason {
    /// The name used in the loss ledger and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Bytes => "bytes",
            Self::Space => "space",
        }
    }
}

/// A file that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Which.
    pub file: DayFile,
    /// Why.
    pub reason: PruneReason,
    /// What in it was meant for somebody and not delivered: a row in the loss ledger, written before [`apply`].
    pub undelivered: Option<RangeInclusive<u64>>,
}

/// What a prune did (B6, B7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Readings deleted.
    pub telemetry_deleted: u64,
    /// Bytes given back.
    pub bytes_freed: u64,
    /// Files unlinked.
    pub files: u64,
    /// Milliseconds taken.
    pub duration_ms: u64,
    /// Files that could not be unlinked, and why. The next prune tries again.
    pub failed: Vec<(PathBuf, String)>,
}

/// Decides what goes, oldest first. `files` are in the order of their numbers. `delivered_seq`: the last number that
/// everybody it is meant for has acknowledged; `None`: it is meant for nobody. `space_bytes_max`: what the disk has
/// room for ([`Space::telemetry_bytes_max`](super::space::Space::telemetry_bytes_max)).
pub fn plan(
    files: &[DayFile],
    delivered_seq: Option<u64>,
    now: &Now,
    config: &RetentionConfig,
    space_bytes_max: u64,
) -> Vec<Prune> {
    let mut prunes: Vec<_> = old(files, now, config.telemetry_days)
        .filter(|file| file.may_go() && file.undelivered(delivered_seq).is_none())
        .map(|file| Prune { file: file.clone(), reason: PruneReason::Age, undelivered: None })
        .collect();
    prunes.reverse();
    let aged: BTreeSet<_> = prunes.iter().map(|prune| prune.file.path.clone()).collect();
    let stays = || files.iter().filter(|file| !aged.contains(&file.path));
    let mut bytes: u64 = stays().map(|file| file.bytes).sum();
    for file in stays().filter(|file| file.may_go()) {
        let reason = match bytes {
            _ if bytes > config.telemetry_bytes_max => PruneReason::Bytes,
            _ if bytes > space_bytes_max => PruneReason::Space,
            _ => break,
        };
        bytes -= file.bytes;
        prunes.push(Prune { file: file.clone(), reason, undelivered: file.undelivered(delivered_seq) });
    }
    prunes
}

/// The files that are old, newest first. See the module's text.
fn old<'a>(files: &'a [DayFile], now: &'a Now, days: u32) -> impl Iterator<Item = &'a DayFile> {
    let believed = now.quality != ClockQuality::None;
    let mut reached = now.wall;
    files.iter().rev().filter(move |file| {
        if let Some(at) = file.newest_at
            && (-AHEAD_MAX_MS..=GAP_MAX_MS).contains(&reached.millis_since(at))
        {
            reached = reached.min(at);
        }
        believed && now.wall.millis_since(reached) > i64::from(days) * DAY_MS
    })
}

/// Unlinks what was planned. Never fails as a whole (B9). Safe from a crash at any point: a file is there or gone,
/// what is left beside it is swept at the next start, and a plan made again comes to the same.
pub fn apply(prunes: &[Prune], clock: &Clock) -> PruneReport {
    let start_ms = clock.now().mono_ms;
    let mut report = PruneReport::default();
    let mut dirs = BTreeSet::new();
    for Prune { file, reason, undelivered } in prunes {
        match files::unlink(&file.path) {
            Ok(()) => {
                let (path, reason) = (file.path.display(), reason.name());
                tracing::info!(file = %path, reason, ?undelivered, "a day file was pruned");
                report.telemetry_deleted += file.readings;
                report.bytes_freed += file.bytes;
                report.files += 1;
                dirs.extend(file.path.parent());
            }
            Err(e) => {
                tracing::error!(file = %file.path.display(), error = %e, "a day file could not be pruned");
                report.failed.push((file.path.clone(), e.to_string()));
            }
        }
    }
    for dir in dirs {
        if let Err(e) = files::sync_dir(dir) {
            report.failed.push((dir.to_owned(), e.to_string()));
        }
    }
    report.duration_ms = clock.now().mono_ms.saturating_sub(start_ms);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Stamp = Stamp::from_millis(1_800_000_000_000);
    const CONFIG: RetentionConfig = RetentionConfig {
        telemetry_days: 90,
        telemetry_bytes_max: 1_000_000,
        acknowledged_changes_days: 35,
        interval_hours: 24,
        aggregates_days: 365,
        data_quality_days: 180,
    };

    /// A disk with room for all.
    const PLENTY: u64 = u64::MAX;

    /// A file of 100 bytes and 10 readings, last written `days` ago.
    fn file(number: u64, days: i64) -> DayFile {
        DayFile {
            number,
            day: String::new(),
            path: PathBuf::from(format!("{number}.db")),
            bytes: 100,
            readings: 10,
            first_seq: Some(number * 10 - 9),
            last_seq: Some(number * 10),
            newest_at: Some(TODAY.plus_millis(-days * DAY_MS)),
            active: days == 0,
            readable: true,
        }
    }

    fn voyage(ages: &[i64]) -> Vec<DayFile> {
        let mut files: Vec<_> = (1..).zip(ages).map(|(number, &days)| file(number, days)).collect();
        let newest = files.len() - 1;
        files.iter_mut().for_each(|file| file.active = false);
        files[newest].active = true;
        files
    }

    fn at(wall: Stamp) -> Now {
        Now { wall, ..Clock::manual(wall).now() }
    }

    fn numbers(prunes: &[Prune], reason: PruneReason) -> Vec<u64> {
        prunes.iter().filter(|prune| prune.reason == reason).map(|prune| prune.file.number).collect()
    }

    fn aged(files: &[DayFile], delivered: Option<u64>, now: &Now) -> Vec<u64> {
        numbers(&plan(files, delivered, now, &CONFIG, PLENTY), PruneReason::Age)
    }

    #[test]
    fn what_is_older_than_the_days_goes_oldest_first() {
        let files = voyage(&[120, 100, 91, 90, 60, 30, 1, 0]);
        assert_eq!(aged(&files, None, &at(TODAY)), [1, 2, 3]);
    }

    #[test]
    fn undelivered_is_never_pruned_by_age() {
        let files = voyage(&[120, 100, 91, 65, 40, 20, 0]);
        assert_eq!(aged(&files, Some(15), &at(TODAY)), [1]);
        assert_eq!(aged(&files, Some(20), &at(TODAY)), [1, 2]);
    }

    #[test]
    fn a_clock_in_2099_deletes_nothing_by_age() {
        let far = Stamp::from_millis(4_070_908_800_000);
        let mut files = voyage(&[60, 30, 1, 0]);
        assert_eq!(aged(&files, None, &at(far)), [] as [u64; 0]);
        files[3].newest_at = Some(far);
        assert_eq!(aged(&files, None, &at(far)), [] as [u64; 0], "a first file in 2099 proves nothing");
        let back = at(TODAY.plus_millis(DAY_MS));
        assert_eq!(aged(&files, None, &back), [] as [u64; 0], "and does no harm when the clock is right again");
    }

    #[test]
    fn time_that_the_store_saw_pass_counts_whatever_its_name() {
        let far = Stamp::from_millis(4_070_908_800_000);
        let mut files = voyage(&[60, 30, 0, 0, 0, 0, 0]);
        for (file, days) in files[2..].iter_mut().zip([110, 91, 62, 33, 4]) {
            file.newest_at = Some(far.plus_millis(-days * DAY_MS));
        }
        assert_eq!(aged(&files, None, &at(far)), [1, 2, 3, 4]);
    }

    #[test]
    fn a_clock_in_1970_deletes_nothing_by_age_and_its_files_hold_nothing_up() {
        let files = voyage(&[60, 30, 1, 0]);
        assert_eq!(aged(&files, None, &at(Stamp(0))), [] as [u64; 0]);
        let mut boots = voyage(&[120, 100, 70, 50, 45, 20, 0]);
        boots[3].newest_at = Some(Stamp(0));
        assert_eq!(aged(&boots, None, &at(TODAY)), [1, 2]);
    }

    #[test]
    fn after_a_long_lay_up_the_new_time_must_run_first() {
        assert_eq!(aged(&voyage(&[200, 199, 198, 1, 0]), None, &at(TODAY)), [] as [u64; 0]);
    }

    #[test]
    fn without_quality_nothing_goes_by_age_but_bytes_still_bound() {
        let files = voyage(&[120, 100, 80, 60, 30, 0]);
        let now = Now { quality: ClockQuality::None, ..at(TODAY) };
        let config = RetentionConfig { telemetry_bytes_max: 450, ..CONFIG };
        let prunes = plan(&files, None, &now, &config, PLENTY);
        assert_eq!(numbers(&prunes, PruneReason::Age), [] as [u64; 0]);
        assert_eq!(numbers(&prunes, PruneReason::Bytes), [1, 2]);
    }

    #[test]
    fn bytes_take_undelivered_too_and_say_so() {
        let files = voyage(&[3, 2, 1, 0]);
        let config = RetentionConfig { telemetry_bytes_max: 150, ..CONFIG };
        let prunes = plan(&files, Some(15), &at(TODAY), &config, PLENTY);
        let told: Vec<_> = prunes.iter().map(|prune| (prune.file.number, prune.undelivered.clone())).collect();
        assert_eq!(told, [(1, None), (2, Some(16..=20)), (3, Some(21..=30))]);
        assert!(plan(&files, None, &at(TODAY), &config, PLENTY).iter().all(|prune| prune.undelivered.is_none()));
    }

    #[test]
    fn without_room_the_oldest_go_whatever_the_quota_and_say_so() {
        let files = voyage(&[3, 2, 1, 0]);
        let config = RetentionConfig { telemetry_bytes_max: 350, ..CONFIG };
        let told = |space_bytes_max| {
            let prunes = plan(&files, Some(15), &at(TODAY), &config, space_bytes_max);
            prunes.into_iter().map(|prune| (prune.file.number, prune.reason, prune.undelivered)).collect::<Vec<_>>()
        };
        let by_quota = (1, PruneReason::Bytes, None);
        assert_eq!(told(350), std::slice::from_ref(&by_quota));
        assert_eq!(told(250), [by_quota.clone(), (2, PruneReason::Space, Some(16..=20))]);
        let last = (3, PruneReason::Space, Some(21..=30));
        assert_eq!(told(0), [by_quota, (2, PruneReason::Space, Some(16..=20)), last], "the written one stays");
    }

    #[test]
    fn neither_the_written_nor_the_unreadable_file_goes() {
        let mut files = voyage(&[120, 100, 80, 60, 30, 0]);
        files[0].readable = false;
        let config = RetentionConfig { telemetry_bytes_max: 0, ..CONFIG };
        let prunes = plan(&files, None, &at(TODAY), &config, PLENTY);
        assert_eq!(prunes.iter().map(|prune| prune.file.number).collect::<Vec<_>>(), [2, 3, 4, 5]);
    }

    #[test]
    fn a_file_that_cannot_be_removed_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = voyage(&[3, 2, 1]);
        for file in &mut files {
            file.path = dir.path().join(&file.path);
            std::fs::write(&file.path, "x").unwrap();
        }
        // A directory cannot be unlinked, not even by root.
        std::fs::remove_file(&files[0].path).unwrap();
        std::fs::create_dir(&files[0].path).unwrap();
        let prune = |file: &DayFile| Prune { file: file.clone(), reason: PruneReason::Bytes, undelivered: None };
        let report = apply(&[prune(&files[0]), prune(&files[1])], &Clock::manual(TODAY));
        assert_eq!((report.files, report.telemetry_deleted, report.bytes_freed), (1, 10, 100));
        assert_eq!(report.failed.len(), 1);
        assert!(!files[1].path.exists() && files[2].path.exists());
    }
}
