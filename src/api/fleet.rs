//! The fleet's page ashore: which vessels there are, when each was last heard of, what came from it, where it is.
//!
//! The shore fills a [`FleetStatus`]; this renders it and hands it out as `GET /api/fleet`. It writes nothing and
//! decides nothing; who may look is for the TLS terminator before it, or the loopback default.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::backend::BackendError;
use super::error::ApiError;
use super::pages;
use crate::clock::Stamp;

/// Most vessels of one answer; a page of more helps nobody.
pub const VESSELS_SHOWN_MAX: usize = 1_000;

/// All that the fleet's page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// The shore's clock.
    pub now: Stamp,
    /// Version of the program.
    pub version: String,
    /// The vessels, in the order shown.
    pub vessels: Vec<FleetVessel>,
}

/// One vessel, as the shore knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetVessel {
    /// Name among the fleet.
    pub id: String,
    /// Name that people read; may be empty.
    pub name: String,
    /// When it last synced.
    pub last_contact_at: Option<Stamp>,
    /// Readings of it kept ashore.
    pub readings: u64,
    /// Records of it, all collections.
    pub records: u64,
    /// Conflicts that wait for a person.
    pub pending_conflicts: u64,
    /// Where it was when last heard.
    pub position: Option<FleetPosition>,
    /// Its speed over ground then, m/s.
    pub speed_m_per_s: Option<f64>,
}

/// Degrees, WGS 84.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetPosition {
    /// North positive.
    pub latitude: f64,
    /// East positive.
    pub longitude: f64,
}

/// Whoever knows the fleet. May block: it is asked on a blocking thread.
pub trait FleetSource: Send + Sync + 'static {
    /// The fleet now; at most [`VESSELS_SHOWN_MAX`] vessels are shown.
    fn fleet(&self) -> Result<FleetStatus, BackendError>;
}

/// Routes `/`, `/api/fleet` and the page's files. Put [`super::protect`] around them and the shore's own.
pub fn routes(source: Arc<dyn FleetSource>) -> Router {
    Router::new().route("/", get(page)).route("/api/fleet", get(fleet)).with_state(source).merge(pages::asset_routes())
}

async fn ask(source: Arc<dyn FleetSource>) -> Result<FleetStatus, ApiError> {
    let asked = tokio::task::spawn_blocking(move || source.fleet()).await;
    let mut fleet = asked.map_err(|error| BackendError::Failed(format!("the call broke: {error}")))??;
    fleet.vessels.truncate(VESSELS_SHOWN_MAX);
    Ok(fleet)
}

async fn fleet(State(source): State<Arc<dyn FleetSource>>) -> Result<Json<FleetStatus>, ApiError> {
    ask(source).await.map(Json)
}

async fn page(State(source): State<Arc<dyn FleetSource>>) -> Result<Response, ApiError> {
    Ok(Html(fleet_page(&ask(source).await?).into_string()).into_response())
}

/// The page with the number of vessels; `fleet.js` draws them at once and again every five seconds.
pub fn fleet_page(fleet: &FleetStatus) -> Markup {
    let count = fleet.vessels.len();
    let body = html! {
        (pages::top_bar("Fleet", "fleet-title", "UTC, shore"))
        main class="fleet" {
            p id="count" class="note" { (count) @if count == 1 { " vessel" } @else { " vessels" } }
            div id="fleet" class="vessels" {}
            noscript { ul { @for vessel in &fleet.vessels { li { (vessel.id) " " (vessel.name) } } } }
        }
        footer {
            span id="version" { "Hawser shore " (fleet.version) }
            nav aria-label="Data" { a href="/api/fleet" { "Fleet as JSON" } }
        }
    };
    pages::document("Fleet - Hawser", "/assets/fleet.js", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vessels_name_is_text_never_markup() {
        let vessel = FleetVessel { name: "<script>alert(1)</script>".to_owned(), ..FleetVessel::default() };
        let page = fleet_page(&FleetStatus { vessels: vec![vessel], ..FleetStatus::default() }).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert"), "{page}");
    }
}
