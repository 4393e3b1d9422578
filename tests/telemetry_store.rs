//! The telemetry store over real files: killed, copied while open, bent, stepped in time, pruned while read.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hawser::bus::Bus;
use hawser::clock::{Clock, ClockQuality, Stamp};
use hawser::config::gateway::{RetentionConfig, StoreConfig};
use hawser::entropy::Entropy;
use hawser::reading::{Context, Quality, Reading, SeriesKey, SeriesRegistry, Value};
use hawser::store::retention;
use hawser::store::telemetry::{
    MissingReason, OpenReason, Order, Query, Recovery, StoreMetrics, StoredReading, TelemetryError, TelemetryReader,
    TelemetryWriter, WriterThread,
};
use proptest::prelude::*;
use rusqlite::Connection;

const DAY_MS: u64 = 86_400_000;

fn noon() -> Stamp {
    Stamp::parse("2026-11-21T12:00:00Z").unwrap()
}

fn key(series: u64) -> SeriesKey {
    SeriesKey {
        context: if series == 4 { Context::Vessel(244_660_000) } else { Context::OwnShip },
        path: ["navigation.speedOverGround", "navigation.position", "environment.depth.belowTransducer"]
            [(series % 3) as usize]
            .into(),
        source: format!("bus{}.GP", series % 2).into(),
        instance: if series == 5 { "port".into() } else { "".into() },
    }
}

/// A vessel's store; the value of a reading is the number that it should get.
struct Store {
    dir: PathBuf,
    clock: Clock,
    writer: TelemetryWriter,
    registry: SeriesRegistry,
    next: u64,
}

impl Store {
    fn open(dir: &Path, clock: &Clock) -> (Self, Recovery) {
        let (writer, recovery) = TelemetryWriter::open(dir, &clock.now(), &Entropy::seeded(1)).unwrap();
        let (dir, clock, registry) = (dir.to_owned(), clock.clone(), SeriesRegistry::default());
        (Self { dir, clock, next: writer.next_seq(), writer, registry }, recovery)
    }

    fn fresh() -> (tempfile::TempDir, Self) {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Self::open(dir.path(), &Clock::manual(noon()));
        (dir, store)
    }

    fn batch(&self, count: u64) -> Vec<Reading> {
        let wall = self.clock.now().wall;
        (self.next..self.next + count)
            .map(|seq| Reading {
                series: self.registry.series(&key(seq % 6)).unwrap(),
                observed_at: wall.plus_millis(seq as i64 % 7 - 3),
                received_at: wall,
                value: Value::Float(seq as f64),
                quality: Quality::Good,
            })
            .collect()
    }

    fn apply(&mut self, count: u64) -> Option<OpenReason> {
        let committed = self.writer.apply(&self.batch(count), &self.clock.now()).unwrap();
        assert_eq!((committed.first_seq, committed.count), (self.next, count));
        self.next += count;
        committed.opened.map(|opened| opened.reason)
    }

    fn sync(&mut self) {
        assert_eq!(self.writer.sync(&self.clock.now()).unwrap().durable_seq, self.next - 1);
    }

    fn reader(&self) -> TelemetryReader {
        TelemetryReader::new(&self.dir)
    }

    fn assert_dense(&self) {
        assert_eq!(numbers(&self.reader()), (1..self.next).collect::<Vec<_>>());
        assert_eq!(self.reader().stats().unwrap().readings, self.next - 1);
        assert_eq!(batched(&self.reader(), self.next - 1), (1..self.next).collect::<Vec<_>>());
    }

    /// As killed: nothing is closed, nothing synced.
    fn kill(self) -> (PathBuf, Clock) {
        drop(self.writer);
        (self.dir, self.clock)
    }
}

fn everything(reader: &TelemetryReader, query: &Query) -> Vec<StoredReading> {
    let mut found = Vec::new();
    let report = reader.query(query, |reading| {
        found.push(reading);
        ControlFlow::Continue(())
    });
    assert_eq!(report.unwrap().readings, found.len());
    found
}

fn numbers(reader: &TelemetryReader) -> Vec<u64> {
    let found = everything(reader, &Query::default());
    found
        .iter()
        .map(|reading| {
            assert_eq!(reading.value, Value::Float(reading.seq as f64));
            assert_eq!(*reading.key, key(reading.seq % 6));
            reading.seq
        })
        .collect()
}

/// The sequence in some fifty batches, as the uplink takes it; fails on a hole.
fn batched(reader: &TelemetryReader, up_to: u64) -> Vec<u64> {
    let (mut found, mut cursor) = (Vec::new(), 0);
    while cursor < up_to {
        let batch = reader.batch_after(cursor, up_to, 1 + up_to as usize / 50, usize::MAX).unwrap();
        assert_eq!(batch.missing, None);
        assert_eq!(batch.first_seq, cursor + 1);
        found.extend(batch.readings.iter().map(|reading| reading.seq));
        cursor = batch.next_seq - 1;
    }
    found
}

/// Copies a directory by another process: closing a descriptor of an open database in this one would drop its locks.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

fn day_files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".db"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_copy_of_an_open_store_opens_whole_and_goes_on() {
    let (dir, mut store) = Store::fresh();
    store.apply(100);
    store.sync();
    store.apply(50);
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy");
    copy(dir.path(), &to);
    let (mut copied, recovery) = Store::open(&to, &store.clock);
    assert_eq!((recovery.next_seq, recovery.opened, recovery.quarantined), (151, None, vec![]));
    copied.apply(10);
    copied.assert_dense();
    store.apply(10);
    store.assert_dense();
}

/// What the disk may hold after a power cut: all that was synced, and any beginning of what came after. No checkpoint
/// ran in between, so that only the WAL differs.
#[test]
fn a_power_cut_takes_only_what_was_not_called_safe() {
    let (_dir, mut store) = Store::fresh();
    store.apply(300);
    store.sync();
    let wal = PathBuf::from(format!("{}-wal", store.writer.file().unwrap().display()));
    let safe = std::fs::metadata(&wal).unwrap().len();
    for _ in 0..5 {
        store.apply(40);
    }
    let all = std::fs::metadata(&wal).unwrap().len();
    assert!(all > safe);
    for cut in [safe, safe + 1, safe + 4_000, (safe + all) / 2, all - 1, all] {
        let elsewhere = tempfile::tempdir().unwrap();
        let to = elsewhere.path().join("copy");
        copy(&store.dir, &to);
        std::fs::remove_file(to.join(wal.file_name().unwrap()).with_extension("db-shm")).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(to.join(wal.file_name().unwrap())).unwrap();
        file.set_len(cut).unwrap();
        let (mut found, recovery) = Store::open(&to, &store.clock);
        assert!((301..=501).contains(&recovery.next_seq), "cut at {cut}: {}", recovery.next_seq);
        assert_eq!(recovery.next_seq % 40, 301 % 40, "whole commits");
        assert_eq!(recovery.quarantined, []);
        found.apply(7);
        found.assert_dense();
    }
}

#[test]
fn a_killed_writer_goes_on_in_the_same_file_with_the_next_number() {
    let (_dir, mut store) = Store::fresh();
    let id = store.writer.store_id();
    store.apply(5);
    let (path, clock) = store.kill();
    let (mut store, recovery) = Store::open(&path, &clock);
    assert_eq!((recovery.next_seq, recovery.store_id, recovery.skipped), (6, id, None));
    assert_eq!(store.writer.durable_seq(), 5, "what is found is made safe before it is told");
    store.apply(5);
    store.assert_dense();
    assert_eq!(day_files(&path).len(), 1);
}

#[test]
fn a_closed_day_is_one_file_that_reads_from_a_read_only_place() {
    let (_dir, mut store) = Store::fresh();
    store.apply(500);
    let (path, clock) = (store.dir.clone(), store.clock.clone());
    let file = store.writer.file().unwrap().to_owned();
    assert_eq!(store.writer.close(&clock.now()).unwrap().durable_seq, 500);
    for side in ["-wal", "-shm"] {
        assert!(!PathBuf::from(format!("{}{side}", file.display())).exists(), "{side}");
    }
    let uri = format!("file:{}?immutable=1", file.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(uri, flags).unwrap();
    let (counted, kept): (i64, i64) = conn
        .query_row(
            "SELECT (SELECT sum(count) FROM journal), (SELECT value FROM meta WHERE key = 'sealed_readings')",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!((counted, kept), (500, 500));
    let (mut store, recovery) = Store::open(&path, &clock);
    assert_eq!(recovery.opened, None, "the same day goes on in the same file");
    store.apply(5);
    store.assert_dense();
}

#[test]
fn midnight_and_clock_steps_open_the_next_file_and_keep_the_sequence() {
    let (_dir, mut store) = Store::fresh();
    assert_eq!(store.apply(10), None);
    store.clock.advance_ms(DAY_MS / 2);
    assert_eq!(store.apply(10), Some(OpenReason::Day));
    for wall in ["1970-01-01T00:00:00Z", "2099-06-01T00:00:00Z", "2026-11-22T09:00:00Z"] {
        store.clock.advance_ms(60_000);
        store.clock.step_wall_to(Stamp::parse(wall).unwrap());
        assert_eq!(store.apply(10), Some(OpenReason::Day), "{wall}");
    }
    let names = day_files(&store.dir);
    let mut by_number = names.clone();
    by_number.sort_by_key(|name| name[11..15].to_owned());
    let wanted = ["2026-11-21.0001", "2026-11-22.0002", "1970-01-01.0003", "2099-06-01.0004", "2026-11-22.0005"];
    assert_eq!(by_number, wanted.map(|name| format!("{name}.db")));
    store.assert_dense();
    let (path, clock) = store.kill();
    let (store, recovery) = Store::open(&path, &clock);
    assert_eq!((recovery.next_seq, recovery.opened), (51, None));
    store.assert_dense();
}

#[test]
fn a_clock_that_flaps_does_not_open_a_file_each_time() {
    let (_dir, mut store) = Store::fresh();
    for i in 0..100 {
        store.clock.step_wall_to(noon().plus_millis(if i % 2 == 0 { DAY_MS as i64 } else { 0 }));
        store.apply(1);
        store.clock.advance_ms(100);
    }
    assert_eq!(day_files(&store.dir).len(), 2);
    store.assert_dense();
}

#[test]
fn a_second_writer_is_told_that_the_directory_is_in_use() {
    let (dir, store) = Store::fresh();
    let error = TelemetryWriter::open(dir.path(), &store.clock.now(), &Entropy::seeded(1)).unwrap_err();
    assert!(matches!(error, TelemetryError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("is in use"), "{error}");
    drop(store.writer);
    TelemetryWriter::open(dir.path(), &store.clock.now(), &Entropy::seeded(1)).unwrap();
}

/// Ten rows of ten readings, the day closed.
fn closed_day() -> (tempfile::TempDir, PathBuf, Clock) {
    let (dir, mut store) = Store::fresh();
    for _ in 0..10 {
        store.apply(10);
    }
    let (file, clock) = (store.writer.file().unwrap().to_owned(), store.clock.clone());
    store.writer.close(&clock.now()).unwrap();
    (dir, file, clock)
}

#[test]
fn a_corrupt_block_is_skipped_counted_and_reported_as_missing() {
    let (dir, file, _) = closed_day();
    let conn = Connection::open(&file).unwrap();
    conn.execute("UPDATE journal SET block = zeroblob(length(block)) WHERE first_seq = 41", []).unwrap();
    drop(conn);
    let reader = TelemetryReader::new(dir.path());
    let mut seen = Vec::new();
    let report = reader
        .query(&Query::default(), |reading| {
            seen.push(reading.seq);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(report.corrupt_blocks, 1);
    assert_eq!(seen, (1..=40).chain(51..=100).collect::<Vec<_>>());
    let before = reader.batch_after(0, 100, 1_000, usize::MAX).unwrap();
    assert_eq!((before.readings.len(), before.next_seq, before.missing), (40, 41, None));
    let behind = reader.batch_after(40, 100, 1_000, usize::MAX).unwrap();
    let missing = behind.missing.unwrap();
    assert_eq!((missing.first, missing.last, missing.reason), (41, 50, MissingReason::Corrupt));
    assert_eq!((behind.first_seq, behind.readings.len(), behind.next_seq), (51, 50, 101));
}

#[test]
fn a_corrupt_file_is_set_aside_and_no_number_is_given_out_twice() {
    for damage in ["garbage", "header", "page", "foreign"] {
        let (dir, file, clock) = closed_day();
        match damage {
            "garbage" => std::fs::write(&file, "not a database at all, but long enough to be read as one?").unwrap(),
            "foreign" => Connection::open(&file).unwrap().pragma_update(None, "application_id", 7).unwrap(),
            _ => {
                let mut bytes = std::fs::read(&file).unwrap();
                let at = if damage == "header" { 16 } else { 4_096 * 3 };
                bytes[at..at + 60].fill(0xA5);
                std::fs::write(&file, bytes).unwrap();
            }
        }
        let (mut store, recovery) = Store::open(dir.path(), &clock);
        assert_eq!(recovery.quarantined.len(), 1, "{damage}");
        assert!(recovery.quarantined[0].to.starts_with(dir.path().join("quarantine")), "{damage}");
        assert!(recovery.quarantined[0].to.exists() && !file.exists(), "{damage}");
        assert!(!recovery.quarantined[0].cause.is_empty());
        assert!(recovery.next_seq > 100, "{damage}: {}", recovery.next_seq);
        assert_eq!(recovery.skipped, Some(1..=recovery.next_seq - 1));
        store.apply(10);
        store.sync();
        let batch = store.reader().batch_after(0, store.next - 1, 100, usize::MAX).unwrap();
        let missing = batch.missing.unwrap();
        assert_eq!((missing.first, missing.last), (1, recovery.next_seq - 1), "{damage}");
        assert_eq!(batch.readings.len(), 10);
        assert!(store.reader().stats().unwrap().quarantine_bytes > 0);
    }
}

#[test]
fn damage_in_an_older_file_costs_that_file_only() {
    let (dir, file, clock) = closed_day();
    clock.advance_ms(DAY_MS);
    let (mut store, _) = Store::open(dir.path(), &clock);
    store.apply(10);
    store.sync();
    std::fs::write(&file, "garbage").unwrap();
    let reader = store.reader();
    let batch = reader.batch_after(0, 110, 100, usize::MAX).unwrap();
    let missing = batch.missing.unwrap();
    assert_eq!((missing.first, missing.last, missing.reason), (1, 100, MissingReason::Corrupt));
    assert_eq!(batch.readings.len(), 10);
    assert_eq!(reader.stats().unwrap().unreadable_files, 1);
    let files = reader.day_files().unwrap();
    let plenty = RetentionConfig { telemetry_bytes_max: 0, ..RetentionConfig::default() };
    assert_eq!(
        retention::plan(&files, None, &clock.now(), &plenty, u64::MAX),
        [],
        "what cannot be read is not deleted"
    );
    let (path, clock) = store.kill();
    let (store, recovery) = Store::open(&path, &clock);
    assert_eq!((recovery.quarantined.len(), recovery.next_seq, recovery.skipped), (1, 111, None));
    assert_eq!(numbers(&store.reader()), (101..=110).collect::<Vec<_>>());
}

#[test]
fn a_file_of_a_newer_program_is_left_alone_and_taking_in_goes_on() {
    let (dir, file, clock) = closed_day();
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&file).unwrap();
    let (mut store, recovery) = Store::open(dir.path(), &clock);
    assert_eq!((recovery.newer, recovery.quarantined), (vec![file.clone()], vec![]));
    assert!(recovery.next_seq > 100);
    store.apply(10);
    store.sync();
    let batch = store.reader().batch_after(0, store.next - 1, 100, usize::MAX).unwrap();
    assert_eq!(batch.missing.unwrap().reason, MissingReason::Newer);
    assert_eq!(batch.readings.len(), 10);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn queries_find_what_is_asked_for_and_nothing_else() {
    let (_dir, mut store) = Store::fresh();
    for _ in 0..30 {
        store.apply(60);
        store.clock.advance_ms(1_000);
    }
    let reader = store.reader();
    let ask = |query: Query| everything(&reader, &query);
    let speed = ask(Query { path: Some("navigation.speedOverGround".into()), ..Query::default() });
    assert_eq!(speed.len(), 600);
    let navigation = ask(Query { path: Some("navigation.*".into()), ..Query::default() });
    assert_eq!(navigation.len(), 1_200);
    let other = ask(Query { context: Some(Context::Vessel(244_660_000)), ..Query::default() });
    assert!(other.len() == 300 && other.iter().all(|r| r.key.context == Context::Vessel(244_660_000)));
    let source = ask(Query { source: Some("bus1.GP".into()), limit: 5, ..Query::default() });
    assert_eq!(source.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    let newest = ask(Query { limit: 3, order: Order::NewestFirst, ..Query::default() });
    assert_eq!(newest.iter().map(|r| r.seq).collect::<Vec<_>>(), [1_800, 1_799, 1_798]);
    let (from, to) = (noon().plus_millis(5_000), noon().plus_millis(7_000));
    let some = ask(Query { from: Some(from), to: Some(to), ..Query::default() });
    let all = ask(Query::default());
    let wanted: Vec<_> = all.into_iter().filter(|r| r.observed_at >= from && r.observed_at < to).collect();
    assert_eq!(some, wanted);
    assert!(!some.is_empty());
    assert_eq!(some[0].clock_quality, ClockQuality::Rtc);
    let mut visits = 0;
    let stop = |_| {
        visits += 1;
        if visits == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert_eq!(reader.query(&Query::default(), stop).unwrap().readings, 4);
}

#[test]
fn the_latest_value_of_each_series_is_found_for_the_start() {
    let (_dir, mut store) = Store::fresh();
    store.apply(100);
    let latest = store.reader().latest().unwrap();
    assert_eq!(latest.iter().map(|r| r.seq).collect::<Vec<_>>(), [95, 96, 97, 98, 99, 100]);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(TelemetryReader::new(empty.path()).latest().unwrap(), []);
    let nothing = TelemetryReader::new(&empty.path().join("not there"));
    assert_eq!(nothing.stats().unwrap(), Default::default());
}

#[test]
fn what_a_crash_in_the_middle_of_a_prune_leaves_is_swept() {
    let (_dir, mut store) = Store::fresh();
    store.apply(100);
    let file = store.writer.file().unwrap().to_owned();
    store.clock.advance_ms(DAY_MS);
    store.apply(10);
    let (dir, clock) = store.kill();
    let side = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(side("-shm"), "index").unwrap();
    std::fs::write(side("-wal"), "").unwrap();
    let (store, recovery) = Store::open(&dir, &clock);
    assert_eq!((recovery.next_seq, recovery.quarantined), (111, vec![]));
    assert!(!side("-shm").exists() && !side("-wal").exists());
    assert_eq!(store.reader().batch_after(0, 110, 1_000, usize::MAX).unwrap().missing.unwrap().last, 100);
}

#[test]
fn readers_go_on_while_days_are_written_and_pruned() {
    let (_dir, mut store) = Store::fresh();
    store.apply(500);
    let reader = store.reader();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watching = {
        let (reader, done) = (reader.clone(), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut rounds = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) || rounds == 0 {
                let mut last = 0;
                let report = reader.query(&Query::default(), |reading| {
                    assert!(reading.seq > last && reading.value == Value::Float(reading.seq as f64));
                    last = reading.seq;
                    ControlFlow::Continue(())
                });
                assert_eq!(report.unwrap().corrupt_blocks, 0);
                reader.stats().unwrap();
                rounds += 1;
            }
        })
    };
    let config = RetentionConfig { telemetry_bytes_max: 400_000, ..RetentionConfig::default() };
    let mut deleted = 0;
    for _ in 0..12 {
        store.clock.advance_ms(DAY_MS);
        for _ in 0..20 {
            store.apply(100);
        }
        store.sync();
        let plan = retention::plan(&reader.day_files().unwrap(), None, &store.clock.now(), &config, u64::MAX);
        let report = retention::apply(&plan, &store.clock);
        assert_eq!(report.failed, []);
        deleted += report.telemetry_deleted;
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    watching.join().unwrap();
    assert!(deleted > 0, "the test must prune");
    let stats = reader.stats().unwrap();
    assert_eq!(stats.readings + deleted, store.next - 1);
    assert_eq!(stats.first_seq, Some(deleted + 1));
    assert_eq!(numbers(&reader), (deleted + 1..store.next).collect::<Vec<_>>());
    let batch = reader.batch_after(0, store.next - 1, 10, usize::MAX).unwrap();
    let missing = batch.missing.unwrap();
    assert_eq!((missing.first, missing.last, missing.reason), (1, deleted, MissingReason::Gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thread_stores_all_that_the_bus_took_tells_when_it_is_safe_and_ends_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let (writer, _) = TelemetryWriter::open(dir.path(), &clock.now(), &Entropy::system()).unwrap();
    let bus = Bus::default();
    let config = StoreConfig { commit_interval_ms: 5, commit_readings_max: 50, sync_interval_ms: 20 };
    let metrics = StoreMetrics::default();
    let handle = WriterThread::spawn(writer, bus.clone(), &config, clock, metrics.clone()).unwrap();
    let (mut live, mut durable) = (handle.subscribe(), handle.durable_seq());
    let registry = SeriesRegistry::default();
    let lanes = [bus.lane(), bus.lane()];
    let reading = |i: u64| Reading {
        series: registry.series(&key(i % 6)).unwrap(),
        observed_at: noon(),
        received_at: noon(),
        value: Value::Integer(i as i64),
        quality: Quality::Good,
    };
    for round in 0..20 {
        for lane in &lanes {
            assert_eq!(lane.push(&mut (0..60).map(reading).collect()), 0);
        }
        if round == 5 {
            let first = live.recv().await.unwrap();
            assert_eq!(first.first_seq, 1);
            durable.wait_for(|seq| *seq >= first.readings.len() as u64).await.unwrap();
        }
    }
    assert!(handle.is_running());
    let report = tokio::task::spawn_blocking(|| handle.shutdown()).await.unwrap();
    assert_eq!((report.readings, report.durable_seq, report.lost, report.error), (2_400, 2_400, 0, None));
    assert_eq!(*durable.borrow(), 2_400);
    assert_eq!(metrics.readings.get(), 2_400);
    let stats = TelemetryReader::new(dir.path()).stats().unwrap();
    assert_eq!((stats.readings, stats.last_seq), (2_400, Some(2_400)));
    let mut registry = prometheus_client::registry::Registry::with_prefix("hawser");
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("hawser_telemetry_readings_total 2400"), "{text}");
}

#[derive(Clone, Debug)]
enum Step {
    Apply(u64),
    Sync,
    Close,
    Kill,
    Pass(u64),
    TurnClock(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1u64..40).prop_map(Step::Apply),
        1 => (4_000u64..9_000).prop_map(Step::Apply),
        2 => Just(Step::Sync),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        2 => (0u64..200_000).prop_map(Step::Pass),
        1 => (-20_000i64..20_000).prop_map(Step::TurnClock),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_sequence_is_dense_and_every_reading_is_itself(
        steps in prop::collection::vec(any_step(), 1..25),
    ) {
        let (_dir, mut store) = Store::fresh();
        for step in steps {
            match step {
                Step::Apply(count) => { store.apply(count); }
                Step::Sync => store.sync(),
                Step::Close => {
                    let (path, clock, next) = (store.dir.clone(), store.clock.clone(), store.next);
                    store.writer.close(&clock.now()).unwrap();
                    store = Store::open(&path, &clock).0;
                    prop_assert_eq!(store.next, next);
                }
                Step::Kill => {
                    let next = store.next;
                    let (path, clock) = store.kill();
                    store = Store::open(&path, &clock).0;
                    prop_assert_eq!(store.next, next);
                }
                Step::Pass(ms) => store.clock.advance_ms(ms),
                Step::TurnClock(days) => store.clock.step_wall_to(noon().plus_millis(days * DAY_MS as i64)),
            }
        }
        store.assert_dense();
    }
}
