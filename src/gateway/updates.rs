//! The updater as the gateway starts it, and what the gateway says of its own health to a version on trial.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::backend::GatewayBackend;
use crate::api::backend::Backend as _;
use crate::config::Url;
use crate::durable_file;
use crate::reading::Reading;
use crate::store;
use crate::update::UpdateParts;
use crate::update::updater::{Places, TICK};

/// The file that tells an installer which schema is stored here: a bundle of an older one is refused (the image's
/// RAUC handler reads it).
const SCHEMA_FILE: &str = "schema";

/// Starts it, unless the configuration says otherwise; `backend.updates` has it from then on.
pub fn spawn(
    backend: &Arc<GatewayBackend>,
    readings: broadcast::Receiver<Arc<Vec<Reading>>>,
    stop: &CancellationToken,
) {
    keep_schema(&backend.config.data.dir);
    if !backend.config.update.enabled {
        return;
    }
    let judged = Arc::clone(backend);
    let handle = crate::update::spawn(UpdateParts {
        config: backend.config.update.clone(),
        shore: backend.config.shore.clone(),
        data_dir: backend.config.data.dir.clone(),
        schema: store::SCHEMA,
        clock: backend.clock.clone(),
        entropy: backend.entropy.clone(),
        readings,
        faults: Arc::new(move || faults(&judged)),
        places: Places::default(),
        tick: TICK,
        stop: stop.clone(),
    });
    // Once: nobody else sets it.
    let _ = backend.updates.set(handle);
}

fn keep_schema(dir: &Path) {
    let text = format!("{}\n", store::SCHEMA);
    if std::fs::read_to_string(dir.join(SCHEMA_FILE)).is_ok_and(|known| known == text) {
        return;
    }
    if let Err(error) = durable_file::write(dir, SCHEMA_FILE, text.as_bytes(), 0o644) {
        tracing::warn!(%error, "the schema of the data cannot be told to installers");
    }
}

/// What speaks against a version: a part that failed, a broker on board that is not reached, data that the system below
/// could not give us, for then nothing is known of what delivered before. Brokers and the shore behind a link are no
/// part of it: offline is no fault.
fn faults(backend: &GatewayBackend) -> Vec<String> {
    let mut found = backend.not_ready();
    found.extend(super::alarm_of_system(&backend.config.data));
    for (config, uplink) in backend.config.broker.iter().zip(&backend.uplinks) {
        let on_board = Url::parse(&config.url, &["mqtt", "mqtts"]).is_ok_and(|url| url.is_loopback());
        if on_board && !uplink.health().connected {
            found.push(format!("the broker {} is not reached", config.name));
        }
    }
    found
}
