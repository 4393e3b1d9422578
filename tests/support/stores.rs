//! The databases of both sides as anybody could read them: SQL on records.db, the codec on blocks of readings.
//!
//! It asks no code of the product for what SQL can tell, so that an error of the product does not hide itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hawser::store::telemetry::{TelemetryReader, block};
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value as Json;
use uuid::Uuid;

/// Readings fetched at once.
const PAGE_READINGS: usize = 4_096;
const PAGE_BYTES: usize = 16 << 20;

/// A change in a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRow {
    pub version: u64,
    pub hub_version: Option<u64>,
    pub change_id: Uuid,
    pub collection: String,
    pub entity: Uuid,
    pub kind: String,
    pub fields: Json,
    /// What took effect, where a policy let only a part.
    pub effect: Option<Json>,
    pub state: String,
    pub actor: String,
}

/// A record, tombstones included.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordState {
    pub deleted: bool,
    pub fields: Json,
    pub clocks: Json,
    pub version: u64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// `records.db` of one side.
pub struct Records(Connection);

impl Records {
    pub fn open(dir: &Path) -> Result<Self, rusqlite::Error> {
        Ok(Self(Connection::open_with_flags(dir.join("records.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?))
    }

    pub fn number(&self, sql: &str) -> u64 {
        self.0.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql, |row| row.get(0))
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let mut statement = self.0.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = statement.query_map([], read).expect("no parameters are missing");
        rows.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The head of the log.
    pub fn head(&self) -> u64 {
        self.number("SELECT coalesce(max(version), 0) FROM entity_changes")
    }

    /// The log, in order.
    pub fn log(&self) -> Vec<LoggedRow> {
        let sql =
            "SELECT version, hub_version, change_id, entity_type, entity_id, change_type, change_data, effect, state,
               actor FROM entity_changes ORDER BY version";
        self.rows(sql, |row| {
            Ok(LoggedRow {
                version: row.get(0)?,
                hub_version: row.get(1)?,
                change_id: uuid(row, 2)?,
                collection: row.get(3)?,
                entity: uuid(row, 4)?,
                kind: row.get(5)?,
                fields: json(&row.get::<_, String>(6)?),
                effect: row.get::<_, Option<String>>(7)?.map(|text| json(&text)),
                state: row.get(8)?,
                actor: row.get(9)?,
            })
        })
    }

    pub fn records(&self) -> BTreeMap<(String, Uuid), RecordState> {
        let sql = "SELECT collection, entity_id, deleted, fields, clocks, version, created_at, updated_at FROM record";
        let all = self.rows(sql, |row| {
            let state = RecordState {
                deleted: row.get(2)?,
                fields: json(&row.get::<_, String>(3)?),
                clocks: json(&row.get::<_, String>(4)?),
                version: row.get(5)?,
                created_at: row.get(6)?,
                updated_at: row.get(7)?,
            };
            Ok(((row.get(0)?, uuid(row, 1)?), state))
        });
        all.into_iter().collect()
    }

    /// First and last number of each loss of readings.
    pub fn lost_readings(&self) -> Vec<(u64, u64)> {
        self.rows("SELECT first, last FROM loss_ledger WHERE what = 'readings' ORDER BY first", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Ashore: every block as (first number, count, check sum, bytes).
    fn blocks(&self) -> Vec<(u64, u64, u32, Vec<u8>)> {
        self.rows("SELECT first_seq, count, crc32c, block FROM reading_block ORDER BY store_id, first_seq", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
    }

    fn series(&self) -> BTreeMap<u32, String> {
        let sql = "SELECT id, context, path, source, instance FROM reading_series";
        let all = self.rows(sql, |row| {
            let [context, path, source, instance]: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((row.get(0)?, format!("{context} {path} {source} {instance}")))
        });
        all.into_iter().collect()
    }

    /// Ashore: every reading as text by its number. Panics on an overlap, a hole that no ledger tells of, a wrong sum.
    pub fn readings_ashore(&self) -> BTreeMap<u64, String> {
        let (series, lost, mut all, mut next) = (self.series(), self.lost_readings(), BTreeMap::new(), 1);
        assert!(self.number("SELECT count(DISTINCT store_id) FROM reading_block") <= 1, "one store, one sequence");
        for (first, count, crc, bytes) in self.blocks() {
            while let Some((_, last)) = lost.iter().find(|(from, to)| (*from..=*to).contains(&next)) {
                next = last + 1;
            }
            assert_eq!(first, next, "ashore a block must begin where the last one ended, or behind a told loss");
            assert_eq!(crc32c::crc32c(&bytes), crc, "the check sum of block {first}");
            let readings = block::decode(&bytes).unwrap_or_else(|error| panic!("block {first}: {error}"));
            assert_eq!(readings.len() as u64, count, "the count of block {first}");
            for (seq, reading) in (first..).zip(readings) {
                let key = &series[&reading.series];
                let (observed, received) = (reading.observed_at, reading.received_at);
                let (value, quality) = (reading.value, reading.quality);
                all.insert(seq, format!("{key} {observed} {received} {value:?} {quality:?}"));
            }
            next = first + count;
        }
        all
    }
}

/// On board: every reading as text by its number.
pub fn readings_on_board(gateway_dir: &Path) -> BTreeMap<u64, String> {
    let reader = TelemetryReader::new(&gateway_dir.join("telemetry"));
    let up_to = reader.stats().expect("the day files can be read").last_seq.unwrap_or(0);
    let (mut all, mut after) = (BTreeMap::new(), 0);
    while after < up_to {
        let batch = reader.batch_after(after, up_to, PAGE_READINGS, PAGE_BYTES).expect("the day files can be read");
        assert_eq!(batch.missing, None, "nothing was pruned, so nothing may be missing on board");
        for reading in batch.readings {
            let key = &reading.key;
            let key = format!("{} {} {} {}", key.context, key.path, key.source, key.instance);
            let (observed, received) = (reading.observed_at, reading.received_at);
            let (value, quality) = (reading.value, reading.quality);
            all.insert(reading.seq, format!("{key} {observed} {received} {value:?} {quality:?}"));
        }
        after = batch.next_seq - 1;
    }
    all
}

/// `PRAGMA integrity_check` of every database below `dir`; gives how many there are.
pub fn check_integrity(dir: &Path) -> usize {
    let databases = databases(dir);
    for path in &databases {
        let open = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let verdict: String = open
            .and_then(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(verdict, "ok", "{}", path.display());
    }
    databases.len()
}

fn databases(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("the directory is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.extension().is_some_and(|extension| extension == "db") {
            found.push(path);
        }
    }
    found
}

fn uuid(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(index).map(Uuid::from_bytes)
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
