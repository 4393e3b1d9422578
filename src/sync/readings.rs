//! Readings ashore: collected behind a cursor on board, taken in once by the hub.
//!
//! The hub knows the next number it wants of each sequence; a batch that starts later is not taken, one that starts
//! earlier is cut. So a batch that is lost, doubled or late does no harm, and a hole is filled either by the readings
//! or by a row of the loss ledger, never by silence. A hub that was set back simply wants an earlier number again.

use super::hub::HubError;
use super::protocol::{ProtocolError, ReadingBatch, ReadingsAcked, WireValue};
use crate::clock::Stamp;
use crate::reading::{Context, Quality, Value};
use crate::store::records::{BlockRow, Cursor, Loss, RecordError, Rows, SeriesRow};
use crate::store::telemetry::block::{BLOCK_READINGS_MAX, BlockItem, encode};
use crate::store::telemetry::{MissingReason, StoredReading, TelemetryError, TelemetryReader};

/// The cursor over the telemetry's sequence: its last number that the shore's database holds.
pub const PUSH_CURSOR: &str = "shore.readings";

/// The `what` of a loss of readings.
pub const LOSS_READINGS: &str = "readings";

/// JSON bytes of a reading after compression, to size a batch by bytes sent: 14 measured on the simulated vessel.
const BYTES_PER_READING: usize = 16;

/// Readings collected for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// What to send; empty when nothing waits, to learn where the hub stands.
    pub batch: ReadingBatch,
    /// Numbers before the batch that no file holds any more.
    pub missing: Option<Loss>,
}

/// The cursor after an acknowledgement; it may go back.
pub fn cursor_after(acked: &ReadingsAcked) -> Cursor {
    Cursor { position: acked.next.saturating_sub(1), history_id: acked.store_id.clone(), ..Cursor::default() }
}

/// Collects what follows `cursor` up to `durable_seq`: only what is safely on the disk is sent, since a number that was
/// sent must never be given out again (invariant 4). A cursor of another store starts at the beginning.
pub fn collect(
    telemetry: &TelemetryReader,
    store_id: &str,
    cursor: &Cursor,
    durable_seq: u64,
    bytes_max: usize,
) -> Result<Collected, TelemetryError> {
    let after = if cursor.history_id == store_id { cursor.position } else { 0 };
    let readings_max = (bytes_max / BYTES_PER_READING).clamp(1, BLOCK_READINGS_MAX);
    let found = telemetry.batch_after(after, durable_seq, readings_max, bytes_max * 4)?;
    let missing = found.missing.map(|hole| Loss {
        what: LOSS_READINGS.to_owned(),
        store_id: store_id.to_owned(),
        first: hole.first,
        last: hole.last,
        count: hole.count(),
        reason: match hole.reason {
            MissingReason::Gone => "pruned or set aside before the shore had them".to_owned(),
            MissingReason::Corrupt => "unreadable: check sum or pages wrong".to_owned(),
            MissingReason::Newer => "in a file of a newer program".to_owned(),
        },
    });
    let mut batch = ReadingBatch { store_id: store_id.to_owned(), first: found.first_seq, ..ReadingBatch::default() };
    let mut numbers = std::collections::HashMap::new();
    for reading in &found.readings {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let number = *numbers.entry(std::sync::Arc::clone(&reading.key)).or_insert_with(|| {
            batch.series.push(series_texts(reading));
            next
        });
        batch.rows.push(wire_row(number, reading));
    }
    Ok(Collected { batch, missing })
}

fn series_texts(reading: &StoredReading) -> [String; 4] {
    let key = &reading.key;
    [key.context.to_string(), key.path.to_string(), key.source.to_string(), key.instance.to_string()]
}

fn wire_row(series: u32, reading: &StoredReading) -> (u32, i64, i64, WireValue, u8) {
    let value = to_wire(&reading.value);
    (series, reading.observed_at.0, reading.received_at.0, value, reading.quality.code())
}

fn to_wire(value: &Value) -> WireValue {
    match value {
        Value::Float(x) if x.is_finite() => WireValue::Float(*x),
        Value::Float(x) => WireValue::Bits { bits: x.to_bits().to_string() },
        Value::Integer(i) => WireValue::Integer { int: i.to_string() },
        Value::Bool(b) => WireValue::Bool(*b),
        Value::Text(text) => WireValue::Text(text.to_string()),
        Value::Position { latitude, longitude } => WireValue::Position([*latitude, *longitude]),
        Value::Absent => WireValue::Absent(None),
    }
}

fn from_wire(value: &WireValue) -> Option<Value> {
    Some(match value {
        WireValue::Bool(b) => Value::Bool(*b),
        WireValue::Float(x) => Value::Float(*x),
        WireValue::Text(text) => Value::text(text),
        WireValue::Position([latitude, longitude]) => Value::Position { latitude: *latitude, longitude: *longitude },
        WireValue::Integer { int } => Value::Integer(int.parse().ok()?),
        WireValue::Bits { bits } => Value::Float(f64::from_bits(bits.parse().ok()?)),
        WireValue::Absent(_) => Value::Absent,
    })
}

/// Takes a batch into the hub's database; answers the number wanted next.
pub fn take_in(rows: &Rows<'_>, owner: &str, batch: &ReadingBatch, at: Stamp) -> Result<ReadingsAcked, HubError> {
    check(batch)?;
    let mut next = rows.next_reading(owner, &batch.store_id)?;
    next = rows.skip_told_losses(owner, LOSS_READINGS, &batch.store_id, next)?;
    let end = batch.first.saturating_add(batch.rows.len() as u64);
    if batch.first <= next && next < end {
        let skipped = usize::try_from(next - batch.first).unwrap_or(usize::MAX);
        store(rows, owner, batch, skipped, next, at)?;
        next = rows.skip_told_losses(owner, LOSS_READINGS, &batch.store_id, end)?;
    }
    rows.set_next_reading(owner, &batch.store_id, next)?;
    Ok(ReadingsAcked { store_id: batch.store_id.clone(), next })
}

/// The longest names taken: a Signal K path has some 100 bytes.
const NAME_BYTES_MAX: usize = 256;

fn check(batch: &ReadingBatch) -> Result<(), ProtocolError> {
    let bad = |what: String| Err(ProtocolError::BadReadings(what));
    if batch.rows.len() > BLOCK_READINGS_MAX {
        return bad(format!("{} rows; at most {BLOCK_READINGS_MAX} are taken", batch.rows.len()));
    }
    if batch.store_id.is_empty()
        || batch.store_id.len() > NAME_BYTES_MAX
        || (batch.first == 0 && !batch.rows.is_empty())
    {
        return bad("storeId must be given and first must be 1 or more".to_owned());
    }
    for series in &batch.series {
        if series.iter().any(|text| text.len() > NAME_BYTES_MAX) || series[0].parse::<Context>().is_err() {
            return bad(format!(
                "series {series:?}: context, path, source, instance of at most {NAME_BYTES_MAX} bytes"
            ));
        }
    }
    for (place, (series, _, _, value, quality)) in batch.rows.iter().enumerate() {
        if *series as usize >= batch.series.len()
            || Quality::from_code(*quality).is_none()
            || from_wire(value).is_none()
        {
            return bad(format!("row {place}: no such series or quality, or a value that is none"));
        }
    }
    Ok(())
}

fn store(
    rows: &Rows<'_>,
    owner: &str,
    batch: &ReadingBatch,
    skipped: usize,
    first_seq: u64,
    at: Stamp,
) -> Result<(), RecordError> {
    let mut ids = Vec::with_capacity(batch.series.len());
    for series in &batch.series {
        ids.push(rows.reading_series(owner, series)?);
    }
    let mut latest: std::collections::BTreeMap<u32, SeriesRow> = std::collections::BTreeMap::new();
    let mut values = Vec::with_capacity(batch.rows.len());
    for (series, observed, received, value, quality) in &batch.rows[skipped..] {
        let (id, observed) = (ids[*series as usize], Stamp(*observed));
        let value = from_wire(value).unwrap_or(Value::Absent);
        let quality = Quality::from_code(*quality).unwrap_or(Quality::OutOfRange);
        let shown = || SeriesRow { id, latest: value.to_json().to_string(), latest_at: observed };
        if quality == Quality::Good && latest.get(&id).is_none_or(|known| known.latest_at <= observed) {
            latest.insert(id, shown());
        }
        values.push((id, observed, Stamp(*received), value, quality));
    }
    let items = values.iter().map(|(series, observed_at, received_at, value, quality)| BlockItem {
        series: *series,
        observed_at: *observed_at,
        received_at: *received_at,
        value,
        quality: *quality,
    });
    let block = encode(items);
    let observed = || values.iter().map(|(_, observed_at, ..)| *observed_at);
    rows.append_block(
        owner,
        &batch.store_id,
        &BlockRow {
            first_seq,
            count: values.len() as u64,
            observed_min: observed().min().unwrap_or_default(),
            observed_max: observed().max().unwrap_or_default(),
            received_at: at,
            block,
        },
    )?;
    for row in latest.values() {
        rows.set_latest(row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cross_the_wire_bit_for_bit() {
        let values = [
            Value::Float(1.0),
            Value::Float(-0.0),
            Value::Float(0.1 + 0.2),
            Value::Float(f64::NAN),
            Value::Float(f64::NEG_INFINITY),
            Value::Integer(i64::MAX),
            Value::Integer(1),
            Value::Bool(true),
            Value::text("north \"1\""),
            Value::Position { latitude: 52.1, longitude: -4.0 },
            Value::Absent,
        ];
        for value in values {
            let json = serde_json::to_string(&to_wire(&value)).unwrap();
            let back = from_wire(&serde_json::from_str(&json).unwrap()).unwrap();
            assert_eq!(format!("{back:?}"), format!("{value:?}"), "{json}");
            if let (Value::Float(a), Value::Float(b)) = (&value, &back) {
                assert_eq!(a.to_bits(), b.to_bits());
            }
        }
    }
}
