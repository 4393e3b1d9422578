//! What must be true at the end, from the files of both sides, which are closed by then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::crew::{Attempt, Outcome, Wish};
use super::fleet::Reported;
use crate::support::ship::Ship;
use crate::support::stores::{LoggedRow, Records, check_integrity, readings_on_board};

/// What is told of a run.
#[derive(Debug, Default)]
pub struct Summary {
    pub acknowledged: usize,
    pub unknown: usize,
    pub conflicts: u64,
    pub readings: u64,
    pub lost: u64,
    pub databases: usize,
}

pub fn judge(ship: &Ship, board: &[Attempt], ashore: &[Attempt], reported: Reported) -> Summary {
    let databases = check_integrity(ship.path());
    let on_board = Records::open(&ship.gateway_dir()).expect("the gateway's database");
    let at_shore = Records::open(&ship.shore_dir()).expect("the shore's database");
    let (board_log, shore_log) = (on_board.log(), at_shore.log());
    logs_agree(&board_log, &shore_log);
    let all: Vec<&Attempt> = board.iter().chain(ashore).collect();
    every_acknowledgement_is_kept(&all, &board_log, &shore_log);
    versions_stand(board, &board_log, ashore, &shore_log);
    records_agree(&on_board, &at_shore);
    records_are_what_the_log_says(&at_shore, &shore_log);
    last_acknowledged_state_stands(&all, &at_shore, &shore_log);
    for (side, records) in [("on board", &on_board), ("ashore", &at_shore)] {
        assert_eq!(records.number("SELECT count(*) FROM record_base"), 0, "{side}: all is confirmed");
        assert_eq!(records.number("SELECT count(*) FROM dead_letters"), 0, "{side}: nothing was refused");
        assert_eq!(records.number("SELECT count(*) FROM audit_log"), 0, "{side}: kill -9 is no restored backup");
    }
    let (readings, lost) = readings_are_ashore(ship, &on_board, &at_shore, reported);
    let acknowledged = all.iter().filter(|attempt| attempt.outcome != Outcome::Unknown).count();
    let conflicts = at_shore.number("SELECT count(*) FROM sync_conflicts");
    Summary { acknowledged, unknown: all.len() - acknowledged, conflicts, readings, lost, databases }
}

/// Every change id of what was acknowledged.
pub fn acknowledged_ids(attempts: &[Attempt]) -> BTreeSet<String> {
    let id = |attempt: &Attempt| match &attempt.outcome {
        Outcome::Acknowledged { change_id, .. } => Some(change_id.to_string()),
        Outcome::Unknown => None,
    };
    attempts.iter().filter_map(id).collect()
}

/// The same changes on both sides, each once, each at the place that the shore gave it.
fn logs_agree(board: &[LoggedRow], shore: &[LoggedRow]) {
    for (side, log) in [("on board", board), ("ashore", shore)] {
        let ids: BTreeSet<Uuid> = log.iter().map(|row| row.change_id).collect();
        assert_eq!(ids.len(), log.len(), "{side} a change is in the log twice");
        let dense = log.iter().zip(1..).all(|(row, place)| row.version == place);
        assert!(dense, "{side} the log has a hole");
        let open: Vec<_> = log.iter().filter(|row| row.state != "confirmed").collect();
        assert!(open.is_empty(), "{side} not confirmed: {open:?}");
    }
    let by_id: BTreeMap<Uuid, &LoggedRow> = board.iter().map(|row| (row.change_id, row)).collect();
    assert_eq!(board.len(), shore.len(), "both logs hold the same changes");
    for row in shore {
        let here = by_id.get(&row.change_id).unwrap_or_else(|| panic!("not on board: {row:?}"));
        assert_eq!(here.hub_version, Some(row.version), "the place of {row:?}");
        assert_eq!((here.entity, &here.kind, &here.actor), (row.entity, &row.kind, &row.actor), "{row:?}");
    }
}

/// Acknowledged: there, once, as asked. Not acknowledged: there at most once. Nothing that nobody asked for.
fn every_acknowledgement_is_kept(all: &[&Attempt], board: &[LoggedRow], shore: &[LoggedRow]) {
    for (side, log) in [("on board", board), ("ashore", shore)] {
        // The name of the actor is the text of the request, and no two requests have the same.
        let by_text: BTreeMap<&str, &LoggedRow> = log.iter().map(|row| (row.actor.as_str(), row)).collect();
        assert_eq!(by_text.len(), log.len(), "{side} a request took effect twice");
        let asked: BTreeMap<&str, &Attempt> = all.iter().map(|attempt| (attempt.text.as_str(), *attempt)).collect();
        let unasked: Vec<_> = log.iter().filter(|row| !asked.contains_key(row.actor.as_str())).collect();
        assert!(unasked.is_empty(), "{side} nobody asked for {unasked:?}");
        for attempt in all {
            let Outcome::Acknowledged { change_id, .. } = attempt.outcome else { continue };
            let row = by_text.get(attempt.text.as_str());
            let row = row.unwrap_or_else(|| panic!("{side} acknowledged and lost: {attempt:?}"));
            assert_eq!((row.change_id, row.entity), (change_id, attempt.entity), "{side}: {attempt:?}");
            let kind = match attempt.wish {
                Wish::Create => "CREATED",
                Wish::Update => "UPDATED",
                Wish::Delete => "DELETED",
            };
            assert_eq!(row.kind, kind, "{side}: {attempt:?}");
        }
    }
}

/// The version that was told with an acknowledgement is still the change's place in the log of the side that told it.
fn versions_stand(board: &[Attempt], board_log: &[LoggedRow], ashore: &[Attempt], shore_log: &[LoggedRow]) {
    for (attempts, log) in [(board, board_log), (ashore, shore_log)] {
        let places: BTreeMap<Uuid, u64> = log.iter().map(|row| (row.change_id, row.version)).collect();
        for attempt in attempts {
            if let Outcome::Acknowledged { change_id, version } = attempt.outcome {
                assert_eq!(places[&change_id], version, "{attempt:?}");
            }
        }
    }
}

/// Both sides show the same, field by field, with the same clocks, versions and times.
fn records_agree(on_board: &Records, at_shore: &Records) {
    let (board, shore) = (on_board.records(), at_shore.records());
    let differ: Vec<_> = board.iter().filter(|(key, record)| shore.get(key) != Some(record)).take(3).collect();
    let there: Vec<_> = differ.iter().map(|(key, _)| shore.get(key)).collect();
    assert!(differ.is_empty(), "on board {differ:#?}\nashore {there:#?}");
    assert_eq!(board.len(), shore.len(), "ashore there is no record more");
}

/// What took effect of a change: its kind and its fields.
fn effect(row: &LoggedRow) -> (String, Map<String, Json>) {
    let (kind, fields) = match &row.effect {
        Some(effect) => (effect["kind"].as_str().unwrap_or_default().to_owned(), &effect["fields"]),
        None => (row.kind.clone(), &row.fields),
    };
    (kind, fields.as_object().cloned().unwrap_or_default())
}

/// The log, played from its beginning, gives every record: no effect is missing, none was applied twice or out of
/// order.
fn records_are_what_the_log_says(shore: &Records, log: &[LoggedRow]) {
    let mut played: BTreeMap<(String, Uuid), (bool, Map<String, Json>)> = BTreeMap::new();
    for row in log {
        let (kind, fields) = effect(row);
        let (deleted, all) = played.entry((row.collection.clone(), row.entity)).or_default();
        *deleted = kind == "DELETED";
        all.extend(fields);
    }
    let records = shore.records();
    assert_eq!(records.len(), played.len(), "as many records as the log is about");
    for (key, (deleted, fields)) in played {
        let record = &records[&key];
        assert_eq!((record.deleted, &record.fields), (deleted, &Json::Object(fields)), "{key:?}");
    }
}

/// An owner asks one thing after another, so his last acknowledged one, or a later one that he had no answer to, is
/// what his fields show.
fn last_acknowledged_state_stands(all: &[&Attempt], shore: &Records, log: &[LoggedRow]) {
    let records: BTreeMap<Uuid, _> = shore.records().into_iter().map(|((_, id), record)| (id, record)).collect();
    let mut by_entity: BTreeMap<Uuid, Vec<&Attempt>> = BTreeMap::new();
    for attempt in all.iter().filter(|attempt| !attempt.text.starts_with("visitor")) {
        by_entity.entry(attempt.entity).or_default().push(attempt);
    }
    for (entity, attempts) in by_entity {
        let Some(last) = attempts.iter().rposition(|attempt| attempt.outcome != Outcome::Unknown) else { continue };
        let record = &records[&entity];
        let may_be: Vec<&&Attempt> = attempts[last..].iter().collect();
        let visited = log.iter().any(|row| row.entity == entity && row.actor.starts_with("visitor"));
        let title = record.fields["title"].as_str().unwrap_or_default();
        let shows = |attempt: &&&Attempt| match attempt.wish {
            Wish::Delete => record.deleted || visited,
            Wish::Create | Wish::Update => !record.deleted && title == attempt.text,
        };
        assert!(may_be.iter().any(shows), "{entity}: one of {may_be:?} should be seen, not {record:?}");
    }
}

/// All readings that are on board are ashore, the same ones under the same numbers; gives how many, and how many were
/// lost.
fn readings_are_ashore(ship: &Ship, on_board: &Records, at_shore: &Records, reported: Reported) -> (u64, u64) {
    let (board, shore) = (readings_on_board(&ship.gateway_dir()), at_shore.readings_ashore());
    let differ = board.iter().find(|(seq, reading)| shore.get(seq) != Some(reading));
    assert_eq!(differ, None, "ashore it is {:?}", differ.and_then(|(seq, _)| shore.get(seq)));
    assert_eq!(board.len(), shore.len(), "ashore there is what is on board, and no more");
    let counted = at_shore.number("SELECT coalesce(sum(count), 0) FROM reading_block");
    assert_eq!(counted, board.len() as u64, "the sum of the blocks ashore");
    let last = board.keys().next_back().copied().unwrap_or(0);
    assert!(last >= reported.durable_seq_max, "safe up to {} was said, {last} is there", reported.durable_seq_max);
    let dense = board.keys().zip(1..).all(|(seq, place)| *seq == place);
    assert!(dense, "a number is missing on board");
    let lost = |records: &Records| records.lost_readings().iter().map(|(first, last)| last - first + 1).sum::<u64>();
    assert_eq!(lost(on_board), lost(at_shore), "both know of the same losses");
    (board.len() as u64, lost(at_shore))
}
