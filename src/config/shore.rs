//! Every key of `shore.toml`, with its default. `configs/shore.toml` shows them all; a test keeps the two together.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The configuration of `hawser shore`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShoreConfig {
    /// Where everything is kept.
    pub data: ShoreDataConfig,
    /// The fleet's page and the sync endpoint.
    pub http: ShoreHttpConfig,
    /// How conflicts are decided.
    pub sync: ShoreSyncConfig,
    /// The bundles that vessels are offered.
    pub updates: ShoreUpdatesConfig,
    /// The vessels that may sync.
    pub vessel: Vec<ShoreVesselConfig>,
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShoreDataConfig {
    /// The data directory.
    pub dir: PathBuf,
}

impl Default for ShoreDataConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("/var/lib/hawser-shore") }
    }
}

/// The fleet's page and the sync endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShoreHttpConfig {
    /// Address and port. Loopback by default; put a TLS terminator before it.
    pub listen: SocketAddr,
    /// Sync requests that are applied at once; more are told to come back (SYNC.md, Shore).
    pub apply_permits: usize,
}

/// Local port of the shore (DESIGN.md, Names).
pub const SHORE_PORT: u16 = 8090;

impl Default for ShoreHttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], SHORE_PORT)), apply_permits: 64 }
    }
}

/// How conflicts are decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShoreSyncConfig {
    /// The policy of the deployment (F2, `CONFLICT_POLICY`).
    pub conflict_policy: ConflictPolicy,
}

/// Who wins when two sides edited one field without having seen each other's edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPolicy {
    /// The later edit, by hybrid clock, then by device.
    #[default]
    LastWriteWins,
    /// What the shore has.
    ShoreWins,
}

/// The bundles that vessels are offered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShoreUpdatesConfig {
    /// The folder of signed bundles (`*.raucb`); empty: none is offered.
    pub dir: PathBuf,
}

/// A vessel that may sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShoreVesselConfig {
    /// The vessel's id.
    pub id: String,
    /// The name that people read.
    #[serde(default)]
    pub name: String,
    /// The newest version that it is offered, as in 1.2.3; empty: the newest that there is.
    #[serde(default)]
    pub update_version_max: String,
    /// SHA-256 of the vessel's token in hex; `hawser token` prints both.
    pub token_sha256: String,
}
