//! A slot on trial: started, judged, kept or left. The ledger is written before the world is changed.

use std::sync::{Arc, PoisonError};

use super::{REBOOT_MS_MAX, UpdateError, Updater};
use crate::update::health::{self, Trial, Verdict};
use crate::update::ledger::{StartedTrial, TakenBack};
use crate::update::policy::{Staged, TRIES_MAX};

impl Updater {
    /// After a start: is this the trial that was begun, or did that end elsewhere?
    ///
    /// A slot that the firmware would start again anyhow (`primary`) is on no trial, whatever the ledger says: it may
    /// not have been writable when the slot was marked good, and going back from there would lead here, for ever.
    pub(super) fn wake_up(&mut self, primary: &str) {
        let Some(booted) = self.booted().cloned() else { return };
        let begun = self.ledger.trial.as_ref().is_some_and(|trial| trial.slot == booted.name);
        self.on_trial = (begun || !booted.good) && primary != booted.name;
        if begun && !self.on_trial {
            (self.ledger.trial, self.ledger.staged) = (None, None);
            self.save_if_possible();
        } else if self.on_trial {
            tracing::info!(slot = booted.name, version = %self.running, "the running version is on trial");
        } else if let Some(trial) = self.ledger.trial.take() {
            tracing::warn!(version = trial.version, "a trial ended before it was judged: power cut, panic or hang");
            let staged = self.ledger.staged.as_mut().filter(|staged| staged.version == trial.version);
            let tries = staged.map_or(0, |staged| {
                staged.tries += 1;
                staged.tries
            });
            if tries >= TRIES_MAX {
                let why = format!("{TRIES_MAX} trials ended before they were judged: power cut, panic or hang");
                self.ledger.taken_back = Some(TakenBack::new(&trial.version, vec![why], self.clock.now().wall));
                (self.ledger.staged, self.ledger.order) = (None, None);
            }
            self.save_if_possible();
        }
    }

    /// What lies ready in the other slot, whoever put it there.
    pub(super) fn adopt(&mut self) {
        if self.installing || self.on_trial {
            return;
        }
        let ready = self.other().filter(|slot| slot.installed == Some(true) && !slot.good);
        let ready = ready.and_then(|slot| Some((slot.version.clone()?, slot.name.clone())));
        let taken_back = self.ledger.taken_back.as_ref().map(|taken| taken.version.as_str());
        let ready = ready.filter(|(version, _)| taken_back != Some(version));
        let known = self.ledger.staged.as_ref().map(|staged| (staged.version.clone(), staged.slot.clone()));
        if ready != known {
            self.ledger.staged = ready.map(|(version, slot)| Staged { version, slot, tries: 0 });
            self.save_if_possible();
        }
    }

    /// The running slot is on trial: it stays, goes, or is waited for.
    pub(super) async fn judge(&mut self, now_ms: u64) -> Result<String, UpdateError> {
        let none = health::Baseline::new();
        let now_s = now_ms / 1_000;
        let (rates, watched_s) = {
            let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            (watched.rates(now_s), watched.watched_s(now_s))
        };
        let faults = Arc::clone(&self.faults);
        let faults = tokio::task::spawn_blocking(move || faults()).await.unwrap_or_default();
        let verdict = health::judge(&Trial {
            baseline: self.ledger.trial.as_ref().map_or(&none, |trial| &trial.baseline),
            rates: &rates,
            watched_s,
            faults,
            elapsed_s: now_ms.saturating_sub(self.started_ms) / 1_000,
            deadline_s: u64::from(self.config.trial_minutes) * 60,
        });
        match verdict {
            Verdict::Wait(missing) => Ok(format!("on trial: {}", missing.join("; "))),
            Verdict::Good => self.keep().await,
            Verdict::Back(reasons) => Ok(self.give_up(reasons)),
        }
    }

    async fn keep(&mut self) -> Result<String, UpdateError> {
        // A slot whose mark cannot be written is no worse for it: it is tried again, and never a reason to reboot.
        self.rauc()?.mark_good().await?;
        tracing::info!(version = %self.running, "the running version stays: all that delivered before delivers again");
        self.on_trial = false;
        self.due.slots_ms = 0;
        let version = self.running.to_string();
        (self.ledger.trial, self.ledger.staged) = (None, None);
        self.ledger.order.take_if(|order| order.version == version);
        self.ledger.taken_back.take_if(|taken| taken.version == version);
        self.save()?;
        Ok("the running version was marked good".to_owned())
    }

    pub(super) fn give_up(&mut self, reasons: Vec<String>) -> String {
        let version = self.running.to_string();
        tracing::error!(version, ?reasons, "the running version is taken back");
        self.ledger.taken_back = Some(TakenBack::new(&version, reasons, self.clock.now().wall));
        (self.ledger.trial, self.ledger.staged, self.ledger.order) = (None, None, None);
        self.save_if_possible();
        self.reboot()
    }

    /// Starts the other slot on trial.
    pub(super) async fn start_other(&mut self, back: bool) -> Result<String, UpdateError> {
        let Some(other) = self.other().cloned() else { return Err(UpdateError::NoOther) };
        let now = self.clock.now();
        let baseline = self.watched.lock().unwrap_or_else(PoisonError::into_inner).rates(now.mono_ms / 1_000);
        let version = other.version.clone().unwrap_or_default();
        let (from, slot) = (self.running.to_string(), other.name);
        self.ledger.trial = Some(StartedTrial { version: version.clone(), slot, from, at: now.wall, baseline });
        if back {
            // Or it would be offered and installed again.
            let why = vec!["somebody on board went back to the other version".to_owned()];
            self.ledger.taken_back = Some(TakenBack::new(&self.running.to_string(), why, now.wall));
        }
        // The word was for this start, not for those after it.
        if let Some(order) = &mut self.ledger.order {
            order.now = false;
        }
        self.save()?;
        if let Err(error) = self.rauc()?.try_other().await {
            self.ledger.trial = None;
            self.save_if_possible();
            return Err(error.into());
        }
        tracing::info!(version, "the other slot is started on trial");
        Ok(self.reboot())
    }

    fn reboot(&mut self) -> String {
        let path = &self.places.reboot;
        match std::fs::write(path, "") {
            Ok(()) => {
                self.rebooting_ms = Some(self.clock.now().mono_ms);
                "the box starts again".to_owned()
            }
            Err(error) => {
                let why = format!("the box must be started again by hand: {}: {error}", path.display());
                self.tell_error(&why);
                why
            }
        }
    }

    pub(super) fn await_reboot(&mut self, since_ms: u64, now_ms: u64) -> String {
        if now_ms.saturating_sub(since_ms) < REBOOT_MS_MAX {
            return "the box starts again".to_owned();
        }
        self.rebooting_ms = None;
        self.tell_error("the box was asked to start again and did not; start it by hand");
        String::new()
    }
}
