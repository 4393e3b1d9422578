//! Bundles for the fleet: which one a vessel is offered, and its bytes in ranges.
//!
//! The folder is looked at anew for each question, so putting a file there is all there is to publishing; what a file
//! says of itself is kept as long as its size and time stay. It refuses to judge a signature: the boxes do. A bundle is
//! put there by renaming it into place: a half copied one has no end and is passed over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path as UrlPath, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use semver::Version;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::Shore;
use crate::api::backend::BackendError;
use crate::api::error::ApiError;
use crate::update::bundle::{self, BundleFacts};
use crate::update::offers::{OFFERS_PATH, OfferQuery, OfferReply};

/// Bundles that are looked at: years of releases for a few kinds of box.
const BUNDLES_MAX: usize = 256;

/// The bundles of a folder.
#[derive(Debug, Default)]
pub struct Bundles {
    dir: PathBuf,
    known: Mutex<HashMap<String, Known>>,
}

/// What a file said when it was last read.
#[derive(Clone, Debug)]
struct Known {
    bytes: u64,
    changed_at: SystemTime,
    /// `None`: it is no bundle, which was told.
    facts: Option<BundleFacts>,
}

impl Bundles {
    /// Those in `dir`; an empty path is a shore that offers none.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), known: Mutex::default() }
    }

    /// The newest bundle for a kind of box after a version, up to `most`. Reads files.
    fn newest(&self, query: &OfferQuery, most: Option<&Version>) -> Option<OfferReply> {
        let fits = |known: &Known| {
            let facts = known.facts.clone()?;
            let in_reach = facts.version > query.after && most.is_none_or(|most| facts.version <= *most);
            (in_reach && facts.compatible == query.compatible).then_some(facts)
        };
        let reply = |(name, known): (String, Known)| {
            let BundleFacts { version, schema, .. } = fits(&known)?;
            Some(OfferReply { name, version, schema, bytes: known.bytes })
        };
        self.look().into_iter().filter_map(reply).max_by(|a, b| a.version.cmp(&b.version))
    }

    /// All bundles by name; what is new or has changed is read.
    fn look(&self) -> HashMap<String, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().filter_map(Result::ok);
        let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
        let found = named.filter(|(name, _)| is_name(name)).take(BUNDLES_MAX).filter_map(|(name, path)| {
            let facts = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let (bytes, changed_at) = (facts.len(), facts.modified().ok()?);
            let same = known.get(&name).filter(|known| known.bytes == bytes && known.changed_at == changed_at);
            let now = same.cloned().unwrap_or_else(|| Known { bytes, changed_at, facts: read(&path) });
            Some((name, now))
        });
        let found: HashMap<_, _> = found.collect();
        known.clone_from(&found);
        found
    }
}

fn read(path: &Path) -> Option<BundleFacts> {
    match bundle::read(path) {
        Ok(facts) => {
            tracing::info!(path = %path.display(), version = %facts.version, "a bundle is offered");
            Some(facts)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), "not offered: {error}");
            None
        }
    }
}

/// A file directly in the folder: no way out of it, nothing hidden.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    name.ends_with(bundle::SUFFIX) && !name.starts_with('.') && name.bytes().all(plain)
}

/// The routes, for vessels with their tokens.
pub fn routes() -> Router<Shore> {
    Router::new().route(OFFERS_PATH, get(offer)).route(&format!("{OFFERS_PATH}/{{name}}"), get(load))
}

async fn offer(
    State(shore): State<Shore>,
    headers: HeaderMap,
    query: Result<Query<OfferQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let vessel = shore.vessel_of(&headers)?;
    let Query(query) = query.map_err(|rejection| ApiError::Other {
        status: rejection.status(),
        code: "bad_query",
        message: rejection.body_text(),
        hint: "ask with ?compatible=<kind of box>&after=<version such as 1.2.3>".into(),
    })?;
    // Checked when the configuration was read; empty is no version and no limit.
    let most = Version::parse(&vessel.update_version_max).ok();
    let id = vessel.id.clone();
    let found = tokio::task::spawn_blocking(move || shore.0.bundles.newest(&query, most.as_ref())).await;
    let found = found.map_err(|error| BackendError::Failed(format!("the call broke: {error}")))?;
    Ok(match found {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(reply) => {
            tracing::debug!(vessel = id, version = %reply.version, "offered");
            axum::Json(reply).into_response()
        }
    })
}

/// The bytes of a bundle, in the ranges that are asked for (RFC 9110, 14): RAUC loads only blocks that changed.
async fn load(
    State(shore): State<Shore>,
    UrlPath(name): UrlPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    shore.vessel_of(request.headers())?;
    let missing = || ApiError::Other {
        status: StatusCode::NOT_FOUND,
        code: "no_such_bundle",
        message: format!("there is no bundle `{name}`"),
        hint: format!("GET {OFFERS_PATH} names the one for this vessel").into(),
    };
    if shore.0.bundles.dir.as_os_str().is_empty() || !is_name(&name) {
        return Err(missing());
    }
    let file = ServeFile::new(shore.0.bundles.dir.join(&name));
    let response = file.oneshot(request).await.unwrap_or_else(|never| match never {});
    if response.status() == StatusCode::NOT_FOUND {
        return Err(missing());
    }
    Ok(response.map(axum::body::Body::new))
}
