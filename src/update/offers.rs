//! Which bundles there are: the shore is asked, USB sticks are looked at.
//!
//! Asking costs a few hundred bytes and an answer without a body when there is nothing newer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::installer::Access;
use crate::config::gateway::ShoreLinkConfig;
use crate::http_client::{self, ClientError};

/// Where the shore tells of bundles, and under which it serves them.
pub const OFFERS_PATH: &str = "/api/updates";

/// The longest question, over a slow link.
const ASK_TIME_MAX: Duration = Duration::from_secs(60);

/// Bundles on sticks that are looked at; a stick with more is not for this.
const STICK_FILES_MAX: usize = 16;

/// Where a bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind a link.
    Url(String),
    /// On this machine.
    File(PathBuf),
}

impl Place {
    /// As RAUC takes it, and as people read it.
    pub fn source(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// A bundle that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its version.
    pub version: Version,
    /// The schema of the data that it reads and writes.
    pub schema: u32,
    /// Where it is.
    pub place: Place,
    /// Its size.
    pub bytes: u64,
}

/// The question to the shore: `GET /api/updates?compatible=...&after=...`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferQuery {
    /// For which kind of box.
    pub compatible: String,
    /// Newer than this.
    pub after: Version,
}

/// The shore's answer; HTTP 204 without a body when it has nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferReply {
    /// The file's name: `GET /api/updates/{name}` loads it, in ranges.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The schema of the data that it reads and writes.
    pub schema: u32,
    /// Its size.
    pub bytes: u64,
}

/// Why the shore could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// No shore is configured.
    #[error("no shore is configured (shore.url)")]
    NoShore,
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No answer.
    #[error("no answer from the shore: {0}")]
    Unreachable(String),
    /// It said no, or is not the shore.
    #[error("the shore answers HTTP {0} to a question for updates")]
    Refused(StatusCode),
}

/// Asks the shore for the newest bundle after `query.after`.
pub async fn ask(shore: &ShoreLinkConfig, query: &OfferQuery) -> Result<Option<Offer>, OfferError> {
    if shore.url.is_empty() {
        return Err(OfferError::NoShore);
    }
    let base = format!("{}{OFFERS_PATH}", shore.url.trim_end_matches('/'));
    let unreachable = |error: reqwest::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        OfferError::Unreachable(cause)
    };
    let http = http_client::shore(shore, ASK_TIME_MAX)?;
    let answer = http.get(&base).query(query).bearer_auth(&shore.token).send().await.map_err(unreachable)?;
    match answer.status() {
        StatusCode::NO_CONTENT => Ok(None),
        StatusCode::OK => {
            let OfferReply { name, version, schema, bytes } = answer.json().await.map_err(unreachable)?;
            Ok(Some(Offer { version, schema, place: Place::Url(format!("{base}/{name}")), bytes }))
        }
        other => Err(OfferError::Refused(other)),
    }
}

/// What RAUC needs to load from there: the vessel's token for the shore and for nobody else.
pub fn access(shore: &ShoreLinkConfig, place: &Place) -> Access {
    let base = shore.url.trim_end_matches('/');
    match place {
        Place::Url(url) if !base.is_empty() && url.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')) => {
            Access {
                headers: vec![format!("Authorization: Bearer {}", shore.token)],
                ca_cert: Some(shore.ca_cert.display().to_string()).filter(|path| !path.is_empty()),
            }
        }
        _ => Access::default(),
    }
}

/// The bundles on sticks, each of which is mounted below `folder`.
pub fn on_sticks(folder: &Path) -> Vec<PathBuf> {
    let read = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_bundle = |path: &PathBuf| path.extension().is_some_and(|end| end == "raucb");
    let mut found: Vec<PathBuf> = read(folder)
        .flat_map(|stick| read(&stick.path()).map(|entry| entry.path()).collect::<Vec<_>>())
        .filter(is_bundle)
        .take(STICK_FILES_MAX)
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_for_the_shore_alone() {
        let shore = ShoreLinkConfig {
            url: "https://shore.example".to_owned(),
            token: "secret".to_owned(),
            ..ShoreLinkConfig::default()
        };
        let url = |text: &str| access(&shore, &Place::Url(text.to_owned()));
        assert_eq!(url("https://shore.example/api/updates/a.raucb").headers, ["Authorization: Bearer secret"]);
        for other in ["https://shore.example.evil/a", "https://other/a", "http://shore.example/a"] {
            assert_eq!(url(other), Access::default(), "{other}");
        }
        assert_eq!(access(&shore, &Place::File("/a".into())), Access::default());
        assert_eq!(access(&ShoreLinkConfig::default(), &Place::Url("https://a/b".to_owned())), Access::default());
    }

    #[test]
    fn bundles_on_sticks_are_found_and_other_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(on_sticks(dir.path()).is_empty() && on_sticks(&dir.path().join("none")).is_empty());
        let stick = dir.path().join("sda1");
        std::fs::create_dir(&stick).unwrap();
        for name in ["b.raucb", "a.raucb", "photo.jpg"] {
            std::fs::write(stick.join(name), "").unwrap();
        }
        assert_eq!(on_sticks(dir.path()), [stick.join("a.raucb"), stick.join("b.raucb")]);
    }
}
