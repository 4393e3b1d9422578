//! Readings a second into the telemetry store, and the bytes of each, beside one plain SQLite row per reading.
//!
//! Both sides get the same batches of 1,000 readings, one of each of 1,000 series, ten batches a second of the clock:
//! decimals that wander, stamped on arrival with the jitter of a line. Hawser numbers them, commits a block a batch,
//! syncs it to the disk each second and checkpoints; contexts, paths, sources, quality, both times are kept. The peer
//! keeps series number, time and value, appends by rowid with the same PRAGMAs, and syncs where SQLite itself does.
//! Made readings are not part of the time.

use std::path::Path;
use std::sync::Arc;

use hawser::clock::{Clock, Stamp};
use hawser::entropy::Entropy;
use hawser::reading::{Context, Quality, Reading, Series, SeriesKey, SeriesRegistry, Value};
use hawser::store::sqlite::{self, Kind};
use hawser::store::telemetry::TelemetryWriter;

use super::runner::{Better, Figure, Spent, measure, median_spent, scratch};

const SERIES: usize = 1_000;
/// Of [`SERIES`] readings each.
const BATCHES: usize = 600;
const BATCHES_PER_SECOND: usize = 10;
const REPEATS: usize = 5;

/// 2026-11-21T06:41:00Z.
const START: Stamp = Stamp::from_millis(1_795_243_260_000);

/// What sensors would say.
struct Sensors {
    series: Vec<Arc<Series>>,
    /// Hundredths.
    values: Vec<i64>,
    entropy: Entropy,
}

impl Sensors {
    fn new() -> Self {
        let registry = SeriesRegistry::default();
        let series = |number: usize| {
            let path = format!("propulsion.engine{}.quantity{}", number / 10, number % 10);
            let source = format!("bus{}.YX", number % 8).as_str().into();
            let key = SeriesKey { context: Context::OwnShip, path: path.into(), source, instance: "".into() };
            registry.series(&key).expect("they are fewer than the limit")
        };
        Self { series: (0..SERIES).map(series).collect(), values: vec![10_000; SERIES], entropy: Entropy::seeded(1) }
    }

    /// One reading of each, received over the 100 ms after `at`, in the microseconds of a read each.
    fn batch(&mut self, at: Stamp) -> Vec<Reading> {
        let mut reading = |(number, series): (usize, &Arc<Series>)| {
            let value = &mut self.values[number];
            *value += self.entropy.below(7).cast_signed() - 3;
            // A read of a bus gives some 20 readings: they share its time.
            let read = number as i64 / 20 * 2_000;
            let received_at = Stamp(at.0 + read + if number.is_multiple_of(20) { 137 } else { 0 });
            let value = Value::Float(*value as f64 / 100.0);
            Reading { series: Arc::clone(series), observed_at: received_at, received_at, value, quality: Quality::Good }
        };
        self.series.iter().enumerate().map(&mut reading).collect()
    }
}

/// What a run cost, and the bytes left on the disk.
type Run = (Spent, u64);

fn hawser(dir: &Path) -> Run {
    let (clock, mut sensors, mut spent) = (Clock::manual(START), Sensors::new(), Spent::default());
    let (mut writer, _) = TelemetryWriter::open(dir, &clock.now(), &Entropy::seeded(1)).expect("an empty directory");
    for batch in 1..=BATCHES {
        let readings = Arc::new(sensors.batch(clock.now().wall));
        clock.advance_ms(1_000 / BATCHES_PER_SECOND as u64);
        let now = clock.now();
        let work = || {
            writer.apply_shared(&readings, &now)?;
            if batch.is_multiple_of(BATCHES_PER_SECOND) { writer.sync(&now).map(|_| ()) } else { Ok(()) }
        };
        let (cost, done) = measure(work);
        done.expect("the disk has room");
        spent += cost;
    }
    let (cost, closed) = measure(|| writer.close(&clock.now()));
    closed.expect("the disk has room");
    spent += cost;
    (spent, bytes(dir))
}

fn rows(dir: &Path) -> Run {
    let (clock, mut sensors, mut spent) = (Clock::manual(START), Sensors::new(), Spent::default());
    let mut conn = sqlite::open(&dir.join("rows.db"), Kind::Telemetry).expect("an empty directory");
    conn.execute_batch("CREATE TABLE reading (series INTEGER, ts INTEGER, value REAL)").expect("sound SQL");
    for _ in 0..BATCHES {
        let readings = sensors.batch(clock.now().wall);
        clock.advance_ms(1_000 / BATCHES_PER_SECOND as u64);
        let work = || -> rusqlite::Result<()> {
            let tx = conn.transaction()?;
            let mut insert = tx.prepare_cached("INSERT INTO reading VALUES (?1, ?2, ?3)")?;
            for reading in &readings {
                let Value::Float(value) = reading.value else { continue };
                insert.execute((reading.series.id, reading.received_at.0, value))?;
            }
            drop(insert);
            tx.commit()
        };
        let (cost, done) = measure(work);
        done.expect("the disk has room");
        spent += cost;
    }
    // The last connection copies the WAL into the file and unlinks it.
    spent += measure(|| drop(conn)).0;
    (spent, bytes(dir))
}

fn bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).expect("it was just written");
    files.flatten().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

/// Both figures: they come of the same runs.
pub fn take_in() -> Vec<Figure> {
    let (mut ours, mut theirs): (Vec<Run>, Vec<Run>) = Default::default();
    for _ in 0..REPEATS {
        ours.push(hawser(scratch().path()));
        theirs.push(rows(scratch().path()));
    }
    let median = |runs: &[Run]| median_spent(&runs.iter().map(|run| run.0).collect::<Vec<_>>());
    let each = |runs: &[Run]| runs.last().map_or(f64::NAN, |run| run.1 as f64) / readings();
    let (our_time, their_time) = (median(&ours), median(&theirs));
    let note = format!(
        "of processor time, {} readings in batches of {SERIES}, closing included; wall {:.0} and {:.0} k/s",
        readings(),
        readings() / our_time.wall_s / 1e3,
        readings() / their_time.wall_s / 1e3,
    );
    let rate = |spent: Spent| readings() / spent.cpu_s;
    let take_in = Figure::new("store.take_in_readings_per_s", rate(our_time), "readings/s", Better::Higher, note);
    let note =
        "on the disk, of the closed files; Hawser keeps both times, quality and clock, the rows one time".to_owned();
    let size = Figure::new("store.bytes_per_reading", each(&ours), "bytes", Better::Lower, note);
    vec![take_in.beside("sqlite rows", Some(rate(their_time))), size.beside("sqlite rows", Some(each(&theirs)))]
}

fn readings() -> f64 {
    (BATCHES * SERIES) as f64
}
