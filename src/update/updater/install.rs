//! Bundles: found, inspected, written into the other slot.

use super::{UpdateError, Updater};
use crate::update::installer::InstallerError;
use crate::update::offers::{self, Offer, OfferError, OfferQuery, Place};
use crate::update::policy::{Order, Why};

/// First and longest pause after an installation or a question that failed.
const PAUSE_MS_MIN: u64 = 60_000;
const PAUSE_MS_MAX: u64 = 6 * 3_600_000;

impl Updater {
    /// Begins to write a bundle into the other slot. What lay there is gone from now on.
    pub(super) async fn begin(&mut self, offer: &Offer) -> Result<String, UpdateError> {
        self.ledger.staged = None;
        self.save()?;
        let access = offers::access(&self.shore, &offer.place);
        tracing::info!(version = %offer.version, from = offer.place.source(), "installing");
        if let Err(error) = self.rauc()?.install(&offer.place.source(), &access).await {
            self.installation_failed(&error.to_string());
            return Err(error.into());
        }
        self.installing = true;
        Ok(Why::Installing.sentence().to_owned())
    }

    /// Watches the installation until it ends.
    pub(super) async fn follow(&mut self) -> Result<String, UpdateError> {
        let installer = self.rauc()?;
        if let Some(progress) = installer.progress().await? {
            self.status.send_modify(|status| status.percent = progress.percent);
            return Ok(format!("installing, {} %: {}", progress.percent, progress.message));
        }
        self.installing = false;
        self.due.slots_ms = 0;
        let error = installer.last_error().await?;
        if error.is_empty() {
            self.due.install_failures = 0;
            self.status.send_modify(|status| status.last_error.clear());
            tracing::info!("the bundle is installed in the other slot");
            return Ok("the bundle is installed in the other slot".to_owned());
        }
        self.installation_failed(&error);
        Ok(format!("the installation failed: {error}"))
    }

    fn installation_failed(&mut self, error: &str) {
        self.tell_error(&format!("the installation failed: {error}"));
        let pause_ms = pause_ms(self.due.install_failures, self.entropy.unit());
        self.due.install_failures = self.due.install_failures.saturating_add(1);
        self.due.install_ms = self.clock.now().mono_ms + pause_ms;
    }

    pub(super) async fn check_when_due(&mut self, now_ms: u64) {
        let every_ms = u64::from(self.config.check_interval_hours) * 3_600_000;
        match self.check().await {
            Ok(()) => {
                self.due.check_failures = 0;
                self.due.check_ms = now_ms + every_ms;
            }
            Err(error) => {
                tracing::debug!("{error}");
                let pause_ms = pause_ms(self.due.check_failures, self.entropy.unit()).min(every_ms);
                self.due.check_failures = self.due.check_failures.saturating_add(1);
                self.due.check_ms = now_ms + pause_ms;
            }
        }
    }

    /// Looks for bundles on sticks and ashore; the newest is kept. Without a shore, sticks are all there is.
    pub(super) async fn check(&mut self) -> Result<(), UpdateError> {
        if let Some(offer) = self.ordered_by_name().await? {
            self.offer = Some(offer);
            return Ok(());
        }
        let mut best = self.best_on_sticks().await?;
        let query = OfferQuery { compatible: self.compatible.clone(), after: self.running.clone() };
        let asked = offers::ask(&self.shore, &query).await;
        let outcome = match asked {
            Ok(found) => {
                best = newer(best, found);
                let at = self.clock.now().wall;
                self.status.send_modify(|status| status.checked_at = Some(at));
                Ok(())
            }
            Err(OfferError::NoShore) => Ok(()),
            Err(_) if best.is_some() => Ok(()),
            Err(error) => Err(UpdateError::NotAsked(error.to_string())),
        };
        if outcome.is_ok() {
            self.offer = best;
        }
        outcome
    }

    /// The bundle that somebody named, after a restart.
    async fn ordered_by_name(&self) -> Result<Option<Offer>, UpdateError> {
        let source = self.ledger.order.as_ref().and_then(|order| order.source.as_deref());
        let Some(place) = source.map(place).transpose()? else { return Ok(None) };
        match self.inspect(place).await {
            Ok(offer) => Ok(Some(offer)),
            // A stick that was pulled, a link that is down: others are looked for.
            Err(UpdateError::Installer(InstallerError::Refused(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The files alone: a stick that comes or goes is seen at once.
    pub(super) async fn bundles_on_sticks(&self) -> Vec<std::path::PathBuf> {
        let folder = self.places.sticks.clone();
        tokio::task::spawn_blocking(move || offers::on_sticks(&folder)).await.unwrap_or_default()
    }

    async fn best_on_sticks(&mut self) -> Result<Option<Offer>, UpdateError> {
        let mut best = None;
        for path in self.bundles_on_sticks().await {
            match self.inspect(Place::File(path.clone())).await {
                Ok(offer) => best = newer(best, Some(offer)),
                Err(UpdateError::Installer(error @ InstallerError::Refused(_))) => {
                    self.tell_error(&format!("{}: {error}", path.display()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(best)
    }

    pub(super) async fn inspect(&self, place: Place) -> Result<Offer, UpdateError> {
        let manifest = self.rauc()?.inspect(&place.source(), &offers::access(&self.shore, &place)).await?;
        let bytes = match &place {
            Place::File(path) => std::fs::metadata(path).map_or(0, |facts| facts.len()),
            Place::Url(_) => 0,
        };
        Ok(Offer { version: manifest.version, schema: manifest.schema, place, bytes })
    }

    pub(super) async fn order(&mut self, source: Option<String>, now: bool, metered: bool) -> Result<(), UpdateError> {
        if self.on_trial {
            return Err(UpdateError::OnTrial);
        }
        let version = match &source {
            // Agreed to while it is on its way.
            None if self.installing && self.offer.is_some() => self.newest_known().await?,
            _ if self.installing => return Err(UpdateError::Busy("a bundle is being written")),
            Some(source) => {
                let offer = self.inspect(place(source)?).await?;
                if offer.schema < self.schema {
                    let (version, schema) = (offer.version, offer.schema);
                    return Err(UpdateError::OlderSchema { version, schema, here: self.schema });
                }
                let version = offer.version.to_string();
                self.offer = Some(offer);
                self.ledger.staged = None;
                version
            }
            None => self.newest_known().await?,
        };
        self.ledger.taken_back.take_if(|taken| taken.version == version);
        if let Some(staged) = &mut self.ledger.staged {
            staged.tries = 0;
        }
        self.ledger.order = Some(Order { version, source, now, metered });
        self.due.install_ms = 0;
        self.save()
    }

    /// What `install` without a name means: the newest that is known, or what lies ready.
    async fn newest_known(&mut self) -> Result<String, UpdateError> {
        if self.offer.as_ref().is_none_or(|offer| offer.version <= self.running)
            && let Err(error) = self.check().await
            && self.ledger.staged.is_none()
        {
            return Err(error);
        }
        let good = |offer: &&Offer| offer.version > self.running && offer.schema >= self.schema;
        let offered = self.offer.as_ref().filter(good).map(|offer| offer.version.to_string());
        let staged = self.ledger.staged.as_ref().map(|staged| staged.version.clone());
        offered.or(staged).ok_or(UpdateError::NothingNewer)
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), UpdateError> {
        if self.installing {
            return Err(UpdateError::Busy("a bundle is being written"));
        }
        if self.on_trial {
            self.give_up(vec!["somebody on board took it back".to_owned()]);
            return Ok(());
        }
        if !self.other().is_some_and(|slot| slot.good) {
            return Err(UpdateError::NoOther);
        }
        self.start_other(true).await.map(drop)
    }
}

fn newer(one: Option<Offer>, two: Option<Offer>) -> Option<Offer> {
    one.into_iter().chain(two).max_by(|a, b| a.version.cmp(&b.version))
}

fn place(source: &str) -> Result<Place, UpdateError> {
    if source.starts_with("https://") || source.starts_with("http://") {
        Ok(Place::Url(source.to_owned()))
    } else if source.starts_with('/') {
        Ok(Place::File(source.into()))
    } else {
        Err(UpdateError::Source(source.to_owned()))
    }
}

/// A minute doubling to six hours, with jitter: links vanish for weeks.
fn pause_ms(failures: u32, unit: f64) -> u64 {
    let ceiling = PAUSE_MS_MAX.min(PAUSE_MS_MIN << failures.min(20));
    ceiling / 2 + (ceiling as f64 / 2.0 * unit) as u64
}
