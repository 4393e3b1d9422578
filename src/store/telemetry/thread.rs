//! The thread that drives the writer: a tick that drains the bus, commits, and syncs.
//!
//! It never waits for a reading (STORE.md, fact 1). A batch that cannot be committed stays in hand and is tried again
//! at each tick; meanwhile the bus fills to its bound, sources that can wait do, and what others send is refused and
//! counted there.
//!
//! Should the thread panic, the readings in hand (at most `commit_readings_max`, not yet committed) are gone with it;
//! what was committed is in the file, and the next start recovers it. The handle then says that it no longer runs,
//! and the gateway must stop: a process that stores nothing must not look alive.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::files::bytes_of;
use super::metrics::StoreMetrics;
use super::types::{CommittedBatch, FileOpened, OpenReason};
use super::{TelemetryError, TelemetryWriter};
use crate::bus::Bus;
use crate::clock::{Clock, Now};
use crate::config::gateway::StoreConfig;
use crate::reading::Reading;

/// Batches of one tick: at 1,000 readings each and 100 ms, 640,000 readings a second, far beyond any bus.
const BATCHES_PER_TICK_MAX: u32 = 64;

/// Batches that a listener may fall behind: 6 s of ticks of 100 ms. Full behaviour: drop oldest, and the listener is
/// told how many.
pub const LISTENER_BATCHES_MAX: usize = 64;

/// Tries of the last commits at a shutdown: 5 s, well within systemd's 90 s.
const SHUTDOWN_TRIES_MAX: u32 = 50;

/// Wait between tries at a shutdown.
const SHUTDOWN_RETRY: Duration = Duration::from_millis(100);

/// How the writer fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterHealth {
    /// What fails now; `None` when all is well.
    pub failing: Option<String>,
    /// Files that failed and were replaced since the start.
    pub alarms: u64,
    /// The last file opened because another failed.
    pub last_alarm: Option<FileOpened>,
}

/// What the writer did until its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterReport {
    /// Readings committed.
    pub readings: u64,
    /// The last number that is safe from a power cut.
    pub durable_seq: u64,
    /// Readings drained from the bus, or left in it, that could not be committed at the end: lost.
    pub lost: u64,
    /// What went wrong at the end.
    pub error: Option<String>,
}

/// Starts the thread.
#[derive(Debug)]
pub struct WriterThread {
    writer: TelemetryWriter,
    bus: Bus,
    config: StoreConfig,
    clock: Clock,
    metrics: StoreMetrics,
    durable: watch::Sender<u64>,
    health: watch::Sender<WriterHealth>,
    listeners: broadcast::Sender<Arc<CommittedBatch>>,
    /// Drained and not yet committed.
    pending: Arc<Vec<Reading>>,
    synced_at_mono_ms: u64,
}

/// A running writer. Dropped without [`WriterHandle::shutdown`], the thread ends by itself in the same orderly way.
#[derive(Debug)]
pub struct WriterHandle {
    stop: SyncSender<()>,
    thread: JoinHandle<WriterReport>,
    durable: watch::Receiver<u64>,
    health: watch::Receiver<WriterHealth>,
    listeners: broadcast::Sender<Arc<CommittedBatch>>,
}

impl WriterThread {
    /// Drives `writer` from `bus` until [`WriterHandle::shutdown`].
    pub fn spawn(
        writer: TelemetryWriter,
        bus: Bus,
        config: &StoreConfig,
        clock: Clock,
        metrics: StoreMetrics,
    ) -> Result<WriterHandle, TelemetryError> {
        let (durable, durable_watch) = watch::channel(writer.durable_seq());
        let (health, health_watch) = watch::channel(WriterHealth::default());
        let listeners = broadcast::Sender::new(LISTENER_BATCHES_MAX);
        let (stop, stopped) = sync_channel(1);
        let mut this = Self {
            synced_at_mono_ms: clock.now().mono_ms,
            writer,
            bus,
            config: config.clone(),
            clock,
            metrics,
            durable,
            health,
            listeners: listeners.clone(),
            pending: Arc::default(),
        };
        this.publish();
        let thread = std::thread::Builder::new()
            .name("telemetry".to_owned())
            .spawn(move || {
                this.run(&stopped);
                this.finish()
            })
            .map_err(TelemetryError::io("start a thread for", std::path::Path::new("telemetry")))?;
        Ok(WriterHandle { stop, thread, durable: durable_watch, health: health_watch, listeners })
    }

    fn run(&mut self, stopped: &Receiver<()>) {
        let interval = Duration::from_millis(self.config.commit_interval_ms.max(1));
        while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            self.tick();
        }
    }

    /// Commits all that waits, in batches, and syncs when it is time. A flood that is never done with is left to the
    /// next tick, so that a stop is heard.
    fn tick(&mut self) {
        for _ in 0..BATCHES_PER_TICK_MAX {
            let readings_max = self.config.commit_readings_max.max(1);
            if self.pending.is_empty() {
                let mut batch = Vec::new();
                self.bus.drain_into(&mut batch, readings_max);
                self.pending = Arc::new(batch);
            }
            let full = self.pending.len() >= readings_max;
            let committed = self.pending.is_empty() || self.commit();
            self.metrics.pending.set(gauge(self.pending.len() as u64));
            self.sync_when_due();
            if !(full && committed) {
                break;
            }
        }
    }

    /// Commits what is in hand. When that fails it stays in hand.
    fn commit(&mut self) -> bool {
        let start = self.clock.now();
        match self.writer.apply_shared(&self.pending, &start) {
            Ok(committed) => {
                self.measure(&start, committed.count);
                let readings = std::mem::take(&mut self.pending);
                // An error says that nobody listens.
                let _ = self.listeners.send(Arc::new(CommittedBatch { first_seq: committed.first_seq, readings }));
                self.fare(None, committed.opened);
                true
            }
            Err(e) => {
                self.metrics.commit_errors.inc();
                self.fare(Some(&e), None);
                false
            }
        }
    }

    fn measure(&self, start: &Now, readings: u64) {
        let end = self.clock.now();
        // The wall clock has the microseconds; should it step meanwhile, the monotonic one bounds it.
        let most_us = i64::try_from(end.mono_ms - start.mono_ms + 1).unwrap_or(i64::MAX).saturating_mul(1_000);
        let us = (end.wall.0 - start.wall.0).clamp(0, most_us);
        self.metrics.commits.inc();
        self.metrics.readings.inc_by(readings);
        self.metrics.commit_seconds.observe(us as f64 / 1e6);
        self.metrics.last_commit_us.set(us);
    }

    fn sync_when_due(&mut self) {
        let now = self.clock.now();
        if now.mono_ms.saturating_sub(self.synced_at_mono_ms) < self.config.sync_interval_ms {
            return;
        }
        self.synced_at_mono_ms = now.mono_ms;
        match self.writer.sync(&now) {
            Ok(synced) => {
                self.metrics.syncs.inc();
                // A batch in hand is one that a commit refused: that failure stands until it is committed.
                if self.pending.is_empty() || synced.opened.is_some() {
                    self.fare(None, synced.opened);
                }
            }
            Err(e) => {
                self.metrics.sync_errors.inc();
                self.fare(Some(&e), None);
            }
        }
        self.publish();
    }

    fn publish(&self) {
        // A turn of the day syncs too, hence the writer's own word.
        let durable = self.writer.durable_seq();
        self.durable.send_if_modified(|seq| std::mem::replace(seq, durable) != durable);
        self.metrics.durable_seq.set(gauge(durable));
        self.metrics.active_file_bytes.set(gauge(self.writer.file().map_or(0, bytes_of)));
    }

    /// Tells how it goes, each change once.
    fn fare(&self, error: Option<&TelemetryError>, opened: Option<FileOpened>) {
        let alarm = opened.filter(|opened| matches!(opened.reason, OpenReason::Poisoned { .. }));
        if alarm.is_some() {
            self.metrics.files_poisoned.inc();
        }
        self.health.send_if_modified(|health| {
            let changed = health.failing.is_some() != error.is_some() || alarm.is_some();
            match (&health.failing, error) {
                (None, Some(e)) => tracing::error!(error = e as &dyn std::error::Error, "readings cannot be stored"),
                (Some(_), None) => tracing::info!("readings are stored again"),
                _ => {}
            }
            health.failing = error.map(ToString::to_string);
            health.alarms += u64::from(alarm.is_some());
            health.last_alarm = alarm.or(health.last_alarm.take());
            changed
        });
    }

    /// Drains the bus until it is empty, commits, syncs, seals, closes.
    fn finish(mut self) -> WriterReport {
        let mut tries = 0;
        loop {
            self.tick();
            tries += 1;
            if (self.pending.is_empty() && self.bus.waiting() == 0) || tries >= SHUTDOWN_TRIES_MAX {
                break;
            }
            std::thread::sleep(SHUTDOWN_RETRY);
        }
        let lost = (self.pending.len() + self.bus.waiting()) as u64;
        let failing = self.health.borrow().failing.clone().filter(|_| lost > 0);
        let (readings, now) = (self.metrics.readings.get(), self.clock.now());
        let before = self.writer.durable_seq();
        let (durable_seq, error) = match self.writer.close(&now) {
            Ok(synced) => (synced.durable_seq, failing),
            Err(e) => (before, Some(e.to_string())),
        };
        self.durable.send_replace(durable_seq);
        self.metrics.durable_seq.set(gauge(durable_seq));
        WriterReport { readings, durable_seq, lost, error }
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl WriterHandle {
    /// The last number that is safe from a power cut.
    pub fn durable_seq(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// How the writer fares.
    pub fn health(&self) -> watch::Receiver<WriterHealth> {
        self.health.clone()
    }

    /// What is committed from now on, before it is durable: for live pictures only. A receiver that lags loses the
    /// oldest and is told how many.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CommittedBatch>> {
        self.listeners.subscribe()
    }

    /// A source of receivers that outlives borrowing this handle.
    pub fn listeners(&self) -> broadcast::Sender<Arc<CommittedBatch>> {
        self.listeners.clone()
    }

    /// Whether the thread still runs. When not, the gateway must stop: nothing is stored any more.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Drains the bus until it is empty, commits, syncs, seals, closes. Blocking, 5 s and a sync at most. Stop the
    /// sensors first.
    pub fn shutdown(self) -> WriterReport {
        // An error says that the thread is gone; joining tells why.
        let _ = self.stop.try_send(());
        self.thread.join().unwrap_or_else(|_| WriterReport {
            durable_seq: *self.durable.borrow(),
            error: Some("the telemetry writer panicked".to_owned()),
            ..WriterReport::default()
        })
    }
}
