//! What systemd is told (sd_notify(3)): ready, stopping, and alive while the gateway has no fault. Without systemd
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backend::GatewayBackend;
use crate::api::backend::Backend as _;

/// The service is up.
pub fn ready() {
    tell(&[sd_notify::NotifyState::Ready]);
}

/// The service is going down.
pub fn stopping() {
    tell(&[sd_notify::NotifyState::Stopping]);
}

fn tell(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd could not be notified: {error}");
    }
}

/// Feeds the watchdog at half its time while there is no fault; a gateway with one is restarted by systemd.
pub async fn watchdog(backend: Arc<GatewayBackend>, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let every = (limit / 2).max(Duration::from_millis(100));
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let faults = backend.faults();
        if faults.is_empty() {
            tell(&[sd_notify::NotifyState::Watchdog]);
        } else {
            tracing::error!(?faults, "the watchdog is not fed");
        }
    }
}
