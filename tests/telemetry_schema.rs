//! The schema of day files: every version that shipped is a fixture, and the PRAGMAs are those of the checklist.

use std::ops::ControlFlow;

use hawser::clock::{Clock, Stamp};
use hawser::entropy::Entropy;
use hawser::reading::{Context, Quality, Reading, SeriesKey, SeriesRegistry, Value};
use hawser::store::telemetry::{Query, StoredReading, TelemetryReader, TelemetryWriter};
use rusqlite::Connection;

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

fn everything(reader: &TelemetryReader) -> Vec<StoredReading> {
    let mut found = Vec::new();
    let report = reader.query(&Query::default(), |reading| {
        found.push(reading);
        ControlFlow::Continue(())
    });
    assert_eq!(report.unwrap().corrupt_blocks, 0);
    found
}

#[test]
fn the_pragmas_are_those_of_the_checklist() {
    use hawser::store::sqlite::{Kind, open};
    let dir = tempfile::tempdir().unwrap();
    let pragma = |conn: &Connection, name: &str| -> String {
        let value =
            conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(i) => i.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    let names = ["journal_mode", "synchronous", "cache_size", "temp_store", "foreign_keys", "busy_timeout"];
    let of = |kind| {
        let conn = open(&dir.path().join("x.db"), kind).unwrap();
        names.map(|name| pragma(&conn, name)).join(" ")
    };
    assert_eq!(of(Kind::Records), "wal 2 -64000 2 1 5000");
    assert_eq!(of(Kind::Telemetry), "wal 1 -2000 2 1 5000");
    assert_eq!(of(Kind::ReadOnly), "wal 1 -2000 2 1 5000");
    assert!(open(&dir.path().join("missing.db"), Kind::ReadOnly).is_err(), "reading makes no file");
}

const FIXTURE: &str = "tests/fixtures/telemetry-v1/2026-11-21.0001.day";

/// What the fixture holds: written by the program of the first schema (see `HAWSER_WRITE_FIXTURE` below).
fn fixture_readings(registry: &SeriesRegistry) -> Vec<Reading> {
    let values = [
        Value::Float(0.1 + 0.2),
        Value::Float(-0.0),
        Value::Float(f64::from_bits(0x7FF8_0000_0000_0001)),
        Value::Integer(i64::MIN),
        Value::Bool(true),
        Value::text("Hafen K\u{f6}ln"),
        Value::Position { latitude: 59.912_345_6, longitude: -10.0 / 3.0 },
        Value::Absent,
    ];
    let qualities = [Quality::Good, Quality::NotAvailable, Quality::OutOfRange, Quality::Stale];
    (0..)
        .zip(values)
        .map(|(i, value)| Reading {
            series: registry.series(&key(i % 6)).unwrap(),
            observed_at: noon().plus_millis(-(i as i64) * 250),
            received_at: Stamp(noon().0 + i as i64),
            value,
            quality: qualities[i as usize % 4],
        })
        .collect()
}

/// Bit for bit; `==` takes -0.0 for 0.0 and refuses NaN.
fn same(stored: &StoredReading, reading: &Reading) -> bool {
    let value = match (&stored.value, &reading.value) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    };
    value
        && *stored.key == reading.series.key
        && (stored.observed_at, stored.received_at, stored.quality)
            == (reading.observed_at, reading.received_at, reading.quality)
}

/// The whole climb: a day of the first schema, opened by today's program, read, gone on with, read again.
#[test]
fn a_day_of_the_first_schema_survives_the_climb() {
    let wanted = fixture_readings(&SeriesRegistry::default());
    if std::env::var_os("HAWSER_WRITE_FIXTURE").is_some() {
        write_fixture(&wanted);
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(FIXTURE, dir.path().join("2026-11-21.0001.db")).unwrap();
    let check = |reader: &TelemetryReader| {
        let found = everything(reader);
        assert!(found.len() >= wanted.len() && found.iter().zip(&wanted).all(|(a, b)| same(a, b)), "{found:#?}");
    };
    check(&TelemetryReader::new(dir.path()));
    let (now, reader) = (Clock::manual(noon()).now(), TelemetryReader::new(dir.path()));
    let (mut writer, recovery) = TelemetryWriter::open(dir.path(), &now, &Entropy::seeded(1)).unwrap();
    assert_eq!((recovery.next_seq, recovery.opened, recovery.quarantined), (9, None, vec![]));
    check(&reader);
    writer.apply(&wanted, &now).unwrap();
    writer.sync(&now).unwrap();
    check(&reader);
    assert_eq!(reader.stats().unwrap().readings, 16);
}

/// Writes the fixture anew. Only ever for a schema that has not shipped.
fn write_fixture(readings: &[Reading]) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(noon());
    let (mut writer, _) = TelemetryWriter::open(dir.path(), &clock.now(), &Entropy::seeded(1)).unwrap();
    let file = writer.file().unwrap().to_owned();
    writer.apply(&readings[..5], &clock.now()).unwrap();
    clock.advance_ms(100);
    writer.apply(&readings[5..], &clock.now()).unwrap();
    writer.close(&clock.now()).unwrap();
    std::fs::copy(file, FIXTURE).unwrap();
}
