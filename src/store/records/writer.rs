//! The one thread that writes records. It commits in groups: what came while the last commit was being synced goes into
//! the next, so that a `synchronous=FULL` commit of a few milliseconds carries hundreds of edits.
//!
//! Each job has a savepoint: its failure is its own. After a commit that failed the connection is closed and opened
//! again before anything else is written (invariant 7), and every job of that group is told so.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::RecordError;
use super::rows::Rows;
use crate::clock::Clock;
use crate::store::sqlite;

/// Jobs that wait for the writer; more wait in their callers. Four groups.
const JOBS_MAX: usize = 1_024;

/// Jobs in one commit (DESIGN.md, Record store).
const GROUP_JOBS_MAX: usize = 256;

/// Longest that a commit waits for its group to fill (DESIGN.md, Record store).
const GROUP_MS_MAX: u64 = 5;

/// Between two tries to open the database again after a failed commit.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// A job's two halves: what it does inside the transaction, and how it is told whether that was committed.
trait Job: Send {
    fn run(&mut self, rows: &Rows<'_>) -> bool;
    fn settle(self: Box<Self>, committed: &Result<u64, RecordError>, path: &Path);
}

struct JobOf<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, RecordError>>,
    reply: oneshot::Sender<Result<T, RecordError>>,
}

impl<T: Send, F: FnOnce(&Rows<'_>) -> Result<T, RecordError> + Send> Job for JobOf<T, F> {
    fn run(&mut self, rows: &Rows<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = work(rows);
        let good = outcome.is_ok();
        self.outcome = Some(outcome);
        good
    }

    fn settle(self: Box<Self>, committed: &Result<u64, RecordError>, path: &Path) {
        let outcome = match (committed, self.outcome) {
            (_, Some(Err(own))) => Err(own.naming_full_disk(path)),
            (Err(RecordError::DiskFull { .. }), _) => Err(RecordError::DiskFull { path: path.to_owned() }),
            (Err(why), _) => Err(RecordError::NotCommitted(why.to_string())),
            (Ok(_), Some(done)) => done,
            (Ok(_), None) => Err(RecordError::NotCommitted("the write itself broke".to_owned())),
        };
        // A caller that went away does not need to know.
        let _ = self.reply.send(outcome);
    }
}

type BoxedJob = Box<dyn Job>;

/// The writer's thread, seen from outside.
#[derive(Debug)]
pub struct WriterThread {
    jobs: Mutex<Option<SyncSender<BoxedJob>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Clock,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl WriterThread {
    pub fn spawn(
        connection: Connection,
        path: PathBuf,
        owner: Arc<str>,
        head: watch::Sender<u64>,
        clock: Clock,
    ) -> Self {
        let (sender, receiver) = sync_channel(JOBS_MAX);
        let mut writer = Writer { connection: Some(connection), path, owner, head, clock: clock.clone() };
        let thread = std::thread::Builder::new()
            .name("records".into())
            .spawn(move || writer.work(&receiver))
            .expect("a thread can be started while the program starts");
        Self { jobs: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), clock }
    }

    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rows<'_>) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let (reply, answer) = oneshot::channel();
        let job: BoxedJob = Box::new(JobOf { work: Some(work), outcome: None, reply });
        let sender = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(RecordError::Closed)?;
        match sender.try_send(job) {
            Ok(()) => {}
            Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return Err(RecordError::Closed),
            Err(std::sync::mpsc::TrySendError::Full(job)) => {
                let sent = tokio::task::spawn_blocking(move || sender.send(job)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return Err(RecordError::Closed);
                }
            }
        }
        answer.await.unwrap_or(Err(RecordError::Closed))
    }

    /// Ends the thread after what it was given.
    pub fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the record writer had panicked; what it had acknowledged is in the database");
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs a job; one that panics fails alone, the others and the writer go on.
fn run_guarded(job: &mut BoxedJob, rows: &Rows<'_>) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run(rows))).unwrap_or_else(|_| {
        tracing::error!("a write panicked; it is undone and its caller told");
        false
    })
}

struct Writer {
    connection: Option<Connection>,
    path: PathBuf,
    owner: Arc<str>,
    head: watch::Sender<u64>,
    clock: Clock,
}

impl Writer {
    fn work(&mut self, jobs: &Receiver<BoxedJob>) {
        while let Ok(first) = jobs.recv() {
            let group = self.gather(first, jobs);
            self.commit(group);
        }
        if let Some(connection) = self.connection.take() {
            // The WAL goes into the file, so that a copy of the file alone is whole.
            let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }

    /// Takes what waits already. It never sleeps for more: the commit itself is the time in which the next group
    /// gathers.
    fn gather(&self, first: BoxedJob, jobs: &Receiver<BoxedJob>) -> Vec<BoxedJob> {
        let deadline_ms = self.clock.now().mono_ms + GROUP_MS_MAX;
        let mut group = vec![first];
        while group.len() < GROUP_JOBS_MAX && self.clock.now().mono_ms <= deadline_ms {
            match jobs.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        group
    }

    fn commit(&mut self, mut group: Vec<BoxedJob>) {
        let committed = self.try_commit(&mut group).map_err(|e| e.naming_full_disk(&self.path));
        match &committed {
            Ok(head) => {
                self.head.send_if_modified(|last| std::mem::replace(last, *head) != *head);
            }
            Err(why) => {
                tracing::error!(path = %self.path.display(), %why, "a group of writes was not committed; reopening");
                self.connection = None;
            }
        }
        for job in group {
            job.settle(&committed, &self.path);
        }
    }

    fn try_commit(&mut self, group: &mut [BoxedJob]) -> Result<u64, RecordError> {
        if self.connection.is_none() {
            self.connection = Some(self.reopen()?);
        }
        let connection = self.connection.as_mut().ok_or(RecordError::Closed)?;
        let mut transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for job in group {
            let savepoint = transaction.savepoint()?;
            let good = run_guarded(job, &Rows(&savepoint));
            // SQLite itself rolls everything back on some errors (a full disk, an I/O error); whatever followed would
            // be a transaction of its own, committed while its caller is told that it is not.
            if savepoint.is_autocommit() {
                return Err(RecordError::NotCommitted("SQLite rolled the group back".to_owned()));
            }
            if good {
                savepoint.commit()?;
            }
        }
        let head = Rows(&transaction).head(&self.owner)?;
        transaction.commit()?;
        Ok(head)
    }

    fn reopen(&self) -> Result<Connection, RecordError> {
        std::thread::sleep(REOPEN_PAUSE);
        Ok(sqlite::open(&self.path, sqlite::Kind::Records)?)
    }
}
