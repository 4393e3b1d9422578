//! The record store through its handle, on a real disk.

use serde_json::json;

use super::*;
use crate::clock::Stamp;
use crate::record::ChangeType;

fn open(dir: &Path) -> (RecordStore, Start) {
    let clock = Clock::manual(Stamp::from_millis(1_800_000_000_000));
    RecordStore::open(dir, "aurora", &clock, &Entropy::seeded(1)).unwrap()
}

fn create(id: u128, title: &str) -> Edit {
    Edit {
        collection: Collection::WorkOrders,
        entity_id: Uuid::from_u128(id),
        kind: ChangeType::Created,
        fields: json!({"title": title}).as_object().unwrap().clone(),
        actor: "chief".into(),
        base_version: None,
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (store, start) = open(dir.path());
    assert_eq!(start, Start::New);
    let saved = store.edit(create(1, "Bilge pump")).await.unwrap();
    assert_eq!((saved.version, saved.change.seq), (1, 1));
    let device = store.identity().device_id;
    store.close();
    assert!(matches!(store.edit(create(2, "late")).await, Err(RecordError::Closed)));
    drop(store);
    let (store, start) = open(dir.path());
    assert_eq!((start, store.identity().device_id), (Start::Continued, device));
    let record = store.get(Collection::WorkOrders, Uuid::from_u128(1)).unwrap();
    assert_eq!((record.fields["title"].as_str(), record.pending), (Some("Bilge pump"), true));
    assert_eq!(store.edit(create(2, "next")).await.unwrap().change.seq, 2);
    assert_eq!(*store.head().borrow(), 2);
}

#[tokio::test]
async fn a_database_set_back_starts_a_new_epoch_and_a_new_history() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let first = store.edit(create(1, "a")).await.unwrap();
    let history = store.identity().history_id;
    store.close();
    drop(store);
    let old = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    drop(open(dir.path()));
    std::fs::write(dir.path().join(FILE_NAME), old).unwrap();
    let (store, start) = open(dir.path());
    assert_eq!(start, Start::SetBack);
    assert_ne!(store.identity().history_id, history);
    let second = store.edit(create(2, "b")).await.unwrap();
    assert!(second.change.epoch > first.change.epoch);
    assert_eq!(second.change.seq, 1);
}

#[tokio::test]
async fn one_bad_edit_does_not_undo_its_neighbours_in_the_group() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let edits = (1..=20_u32).map(|i| {
        let mut edit = create(u128::from(i), "x");
        if i % 5 == 0 {
            edit.fields.insert("title".into(), json!(i));
        }
        let store = store.clone();
        async move { store.edit(edit).await }
    });
    let outcomes = futures_util::future::join_all(edits).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 16);
    assert_eq!(store.list(Collection::WorkOrders, Uuid::nil(), 100).unwrap().len(), 16);
    let seqs: Vec<u64> =
        store.read(|rows| rows.changes_after("aurora", 0, 100)).unwrap().iter().map(|c| c.change.seq).collect();
    assert_eq!(seqs, (1..=16).collect::<Vec<_>>(), "a refused edit takes no number");
}

#[tokio::test]
async fn edits_that_mean_nothing_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let update = Edit { kind: ChangeType::Updated, ..create(9, "x") };
    assert!(matches!(store.edit(update).await, Err(RecordError::NotFound { .. })));
    store.edit(create(1, "x")).await.unwrap();
    assert!(matches!(store.edit(create(1, "x")).await, Err(RecordError::Exists { .. })));
    store.edit(Edit { kind: ChangeType::Deleted, fields: Default::default(), ..create(1, "") }).await.unwrap();
    assert!(store.get(Collection::WorkOrders, Uuid::from_u128(1)).is_err());
}

#[test]
fn the_record_database_has_the_pragmas_of_the_requirements() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let connection = sqlite::open(&dir.path().join(FILE_NAME), sqlite::Kind::Records).unwrap();
    let pragma = |name: &str| -> String {
        connection.query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2");
    assert_eq!(pragma("cache_size"), "-64000");
}

#[tokio::test]
async fn a_write_that_panics_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let broken: Result<(), _> = store.write(|_| panic!("a job breaks")).await;
    assert!(matches!(broken, Err(RecordError::NotCommitted(_))));
    assert_eq!(store.edit(create(1, "after")).await.unwrap().version, 1);
}

#[tokio::test]
async fn when_sqlite_rolls_the_group_back_nobody_is_told_that_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    // What an I/O error does inside a statement, done by hand.
    let job = store.write(|rows| Ok(rows.0.execute_batch("ROLLBACK")?));
    let (broken, edit) = tokio::join!(job, store.edit(create(1, "same group")));
    assert!(broken.is_err());
    let stored = store.get(Collection::WorkOrders, Uuid::from_u128(1)).is_ok();
    assert_eq!(edit.is_ok(), stored, "told as it is");
    assert!(store.edit(create(2, "the next group")).await.is_ok());
}

#[test]
fn a_store_of_another_vessel_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let clock = Clock::manual(Stamp::from_millis(1_800_000_000_000));
    let error = RecordStore::open(dir.path(), "borealis", &clock, &Entropy::seeded(1)).unwrap_err();
    assert!(error.to_string().contains("set vessel.id = \"aurora\""), "{error}");
}
