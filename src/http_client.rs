//! The HTTP client that speaks to the shore, for whoever on board does: the same trust and the same name.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::gateway::ShoreLinkConfig;

/// How long the connection may take: three round trips of a geostationary link under load.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(20);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The authority's file cannot be read.
    #[error("shore.ca_cert {}: {source}", .path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The authority's file holds no certificate.
    #[error("shore.ca_cert {} holds no certificate in PEM: {source}", .path.display())]
    CaContent {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: reqwest::Error,
    },
    /// HTTP cannot be spoken.
    #[error("HTTP cannot be spoken: {0}")]
    Build(#[source] reqwest::Error),
}

/// A client whose requests take at most `time_max`. It follows no redirect: a captive portal is not the shore.
pub fn shore(config: &ShoreLinkConfig, time_max: Duration) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .timeout(time_max)
        .connect_timeout(CONNECT_TIME_MAX)
        .user_agent(concat!("hawser/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none());
    let path = &config.ca_cert;
    if !path.as_os_str().is_empty() {
        let pem = std::fs::read(path).map_err(|source| ClientError::CaFile { path: path.clone(), source })?;
        let trusted = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|source| ClientError::CaContent { path: path.clone(), source })?;
        builder = builder.tls_certs_only(trusted);
    } else if config.url.starts_with("http://") {
        // A box without certificates can still speak to a shore on loopback.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(ClientError::Build)
}
