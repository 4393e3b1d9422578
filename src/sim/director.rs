//! Who says what is due: moves the one vessel tick by tick and fills the batches of all outputs. It refuses to write:
//! what does not fit an output's queue is dropped and counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Stamp};

use super::batch::{Batch, Ledger};
use super::devices::{Devices, Pace};
use super::packet::{Body, Packet};
use super::sentence::Spoken;
use super::serve::SimOptions;
use super::vessel::Vessel;
use super::voice::Voice;

/// Where the batches of an output go.
pub(crate) type Queued = mpsc::Sender<Arc<Batch>>;

/// What is said on one output.
pub(crate) struct Part {
    pub(crate) voice: Voice,
    pub(crate) devices: Devices,
    /// What is said since the last batch was handed over; the output is unplugged while it says so.
    pub(crate) batch: Batch,
    pub(crate) queue: Queued,
    pub(crate) ledger: Arc<Ledger>,
}

impl Part {
    /// One round of the vessel's. Pulling or putting in the plug begins a batch: what was said before goes out.
    fn say(&mut self, vessel: &Vessel, now: Stamp) {
        let round = self.voice.say(vessel, now);
        if self.batch.unplug == round.plugged {
            self.hand_over();
            self.batch.unplug = !round.plugged;
        }
        self.batch.extend(round.packets);
        self.ledger.faults(self.voice.faults());
    }

    /// What the devices say in one tick. Unplugged, they speak to nobody.
    fn measure(&mut self, tick_ms: u64) {
        let mut said: Vec<Spoken> = Vec::new();
        self.devices.tick(tick_ms, &mut said);
        if self.batch.unplug {
            self.ledger.unsent(said.iter().map(Spoken::count).sum());
            return;
        }
        self.batch.extend(said.into_iter().map(|spoken| Packet {
            count: spoken.count(),
            message: 1,
            ..Packet::noise(Body::Bytes(spoken.sentence.into_bytes()))
        }));
    }

    /// Hands the batch over. What does not fit is dropped and counted: an output never holds up another.
    fn hand_over(&mut self) {
        let next = Batch { unplug: self.batch.unplug, ..Batch::default() };
        let batch = std::mem::replace(&mut self.batch, next);
        match self.queue.try_send(Arc::new(batch)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(batch) | mpsc::error::TrySendError::Closed(batch)) => {
                self.ledger.unsent(batch.count());
            }
        }
    }
}

/// Moves the vessel and says what is due, tick by tick, until it is told to stop and a second is full.
pub(crate) struct Director {
    vessel: Arc<Mutex<Vessel>>,
    /// How often it speaks; none: it does not.
    pace: Option<Pace>,
    parts: Vec<Part>,
    clock: Clock,
    tick_ms: u64,
    tick: u64,
    timer: tokio::time::Interval,
    pub(crate) stop: CancellationToken,
}

impl Director {
    pub(crate) fn new(
        options: &SimOptions,
        vessel: Arc<Mutex<Vessel>>,
        parts: Vec<Part>,
        clock: Clock,
        stop: CancellationToken,
    ) -> Self {
        let pace = options.vessel.then(|| Pace::new(options.vessel_millihertz, 1.0));
        let tick_ms = options.tick_ms();
        let mut timer = interval(Duration::from_millis(tick_ms));
        // A tick that came late is made up for: the rate promised is kept on average.
        timer.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Self { vessel, pace, parts, clock, tick_ms, tick: 0, timer, stop }
    }

    pub(crate) async fn run(mut self) {
        self.timer.reset_immediately();
        while self.next_tick().await {
            self.tell();
            // Ticks that are made up for come at once: the outputs get their turns between them.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the next tick; false when it was stopped and a second is full.
    async fn next_tick(&mut self) -> bool {
        if self.tick.is_multiple_of(1_000 / self.tick_ms) {
            let stopped = tokio::select! {
                biased;
                () = self.stop.cancelled() => true,
                _ = self.timer.tick() => false,
            };
            if stopped {
                return false;
            }
        } else {
            self.timer.tick().await;
        }
        self.tick += 1;
        true
    }

    fn tell(&mut self) {
        let due = self.pace.as_mut().map_or(0, |pace| pace.due(self.tick_ms));
        for _ in 0..due {
            let now = self.clock.now().wall;
            // A vessel is valid at every instant, so a panic elsewhere does no harm.
            let mut vessel = self.vessel.lock().unwrap_or_else(PoisonError::into_inner);
            vessel.advance(now);
            for part in &mut self.parts {
                part.say(&vessel, now);
            }
        }
        for part in &mut self.parts {
            part.measure(self.tick_ms);
            part.hand_over();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::faults::{Fault, FaultKind, Faults};
    use crate::sim::packet::Count;
    use crate::sim::serve::FAST_TICK_MS;
    use crate::sim::{Output, Protocol};

    #[tokio::test]
    async fn an_output_stays_unplugged_for_its_rounds_however_fast_the_tick() {
        let faults = [Fault { kind: FaultKind::Unplug, probability: 0.2 }];
        let options = SimOptions { devices: 1, ..SimOptions::vessel(1, Output::Stdout) };
        let (queue, mut batches) = mpsc::channel(8_192);
        let ledger = Arc::<Ledger>::default();
        let part = Part {
            voice: Voice::new(Protocol::Nmea0183, 1, Faults::new(1, &faults)).expect("it speaks"),
            devices: Devices::new(0..1, 1_000),
            batch: Batch::default(),
            queue,
            ledger: Arc::clone(&ledger),
        };
        let vessel = Arc::new(Mutex::new(Vessel::new(1, options.start)));
        let mut director =
            Director::new(&options, vessel, vec![part], Clock::manual(Stamp(0)), CancellationToken::new());
        // 100 s, 50 ticks each.
        (0..5_000).for_each(|_| director.tell());
        drop(director);
        let mut told = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            assert!(!batch.unplug || batch.count() == Count::default(), "nothing is said into nowhere");
            told.push(batch.unplug);
        }
        let apart: Vec<usize> = told.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len).collect();
        let round_ticks = 1_000 / FAST_TICK_MS as usize;
        assert!(apart.len() > 2, "{apart:?}");
        // The last one may be cut short by the end.
        assert!(apart[..apart.len() - 1].iter().all(|ticks| *ticks >= 5 * round_ticks), "{apart:?}");
        // The device speaks once a second all the same.
        let seconds = apart.iter().sum::<usize>() / round_ticks;
        assert!(ledger.taken("").unsent.abs_diff(seconds as u64) <= apart.len() as u64, "{seconds} s");
    }
}
