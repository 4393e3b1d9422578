//! Configuration: typed, default < file < environment < flag, every error at once with file, line, key and value.
//!
//! The way of a value: `document`, `environment` and the flags put a `Draft` together; each value is checked
//! against [`schema`]; what passed is deserialised; `rules` checks what concerns two keys. It refuses unknown keys, and
//! it never opens what a path names nor resolves a host: `hawser check` must work on a desk ashore.

pub mod address;
mod document;
mod draft;
mod environment;
mod error;
pub mod gateway;
mod kind;
mod render;
mod rules;
pub mod schema;
pub mod shore;
pub mod update;
mod url;

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use draft::Draft;
use environment::{Side, Variable};
use rules::Findings;
use schema::Section;

pub use address::{Address, AddressError};
pub use document::FILE_BYTES_MAX;
pub use environment::{DEFAULT_BROKER, DEFAULT_BROKER_URL};
pub use error::{ConfigError, ConfigErrors, ERRORS_MAX, Origin};
pub use gateway::{
    BrokerConfig, BusConfig, DeviceConfig, Format, GatewayConfig, Parity, PriorityConfig, Protocol, QualityConfig,
    SeriesConfig,
};
pub use kind::{Kind, Raw, Refusal};
pub use render::render_check;
pub use shore::{ConflictPolicy, ShoreConfig, ShoreVesselConfig};
pub use update::{DayWindow, UpdateApproval, UpdateConfig};
pub use url::Url;

/// A configuration that passed every check.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The values.
    pub config: T,
    /// Every key with its value, ready to print, and where it came from; in the order of the samples.
    pub settings: Vec<Setting>,
    /// Arrays of tables that are empty.
    pub absent: Vec<&'static str>,
    /// What is accepted but should be known: to be logged at each start (Z20).
    pub warnings: Vec<String>,
}

/// One key of a [`Loaded`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The full name, as `bus[1].address`.
    pub key: String,
    /// The value as TOML; `<hidden>` for a secret.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Why it has no effect yet; empty when it has.
    pub idle: &'static str,
}

/// Where the text of the file comes from.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    None,
    File(&'a Path),
    Text(&'a str, &'a str),
}

/// Loads the configuration of `hawser gateway`. `flags` are full keys with values, as `("http.listen", "[::]:8080")`.
/// Without a `path` there is no file; a path that cannot be read is an error.
pub fn load_gateway(
    path: Option<&Path>,
    env: &impl Fn(&str) -> Option<String>,
    flags: &[(&str, &str)],
) -> Result<Loaded<GatewayConfig>, ConfigErrors> {
    load(path.map_or(Source::None, Source::File), env, flags)
}

/// Loads the configuration of `hawser shore`; see [`load_gateway`].
pub fn load_shore(
    path: Option<&Path>,
    env: &impl Fn(&str) -> Option<String>,
    flags: &[(&str, &str)],
) -> Result<Loaded<ShoreConfig>, ConfigErrors> {
    load(path.map_or(Source::None, Source::File), env, flags)
}

/// Like [`load_gateway`], from a text that is called `file` in messages.
pub fn parse_gateway(
    file: &str,
    text: &str,
    env: &impl Fn(&str) -> Option<String>,
    flags: &[(&str, &str)],
) -> Result<Loaded<GatewayConfig>, ConfigErrors> {
    load(Source::Text(file, text), env, flags)
}

/// Like [`load_shore`], from a text that is called `file` in messages.
pub fn parse_shore(
    file: &str,
    text: &str,
    env: &impl Fn(&str) -> Option<String>,
    flags: &[(&str, &str)],
) -> Result<Loaded<ShoreConfig>, ConfigErrors> {
    load(Source::Text(file, text), env, flags)
}

/// What the two configurations differ in.
trait Program: Default + Serialize + DeserializeOwned {
    const SECTIONS: &'static [Section];
    const VARIABLES: &'static [Variable];
    const SIDE: Side;

    fn check_rules(&self, found: &mut Findings<'_>);
}

impl Program for GatewayConfig {
    const SECTIONS: &'static [Section] = schema::GATEWAY;
    const VARIABLES: &'static [Variable] = environment::GATEWAY;
    const SIDE: Side = Side::Vessel;

    fn check_rules(&self, found: &mut Findings<'_>) {
        rules::gateway(self, found);
    }
}

impl Program for ShoreConfig {
    const SECTIONS: &'static [Section] = schema::SHORE;
    const VARIABLES: &'static [Variable] = environment::SHORE;
    const SIDE: Side = Side::Shore;

    fn check_rules(&self, found: &mut Findings<'_>) {
        rules::shore(self, found);
    }
}

fn load<T: Program>(
    source: Source<'_>,
    env: &impl Fn(&str) -> Option<String>,
    flags: &[(&str, &str)],
) -> Result<Loaded<T>, ConfigErrors> {
    let mut draft = Draft::new(T::SECTIONS);
    match source {
        Source::None => {}
        Source::File(path) => document::read_file(path, &mut draft)?,
        Source::Text(file, text) => document::read_text(file, text, &mut draft)?,
    }
    let mut warnings = environment::apply(&mut draft, T::SIDE, T::VARIABLES, env);
    for (key, value) in flags {
        draft.set_flag(key, value);
    }
    let (document, origins) = draft.check();
    let mut errors = draft.errors;
    let config: T = deserialise(document)?;
    config.check_rules(&mut Findings { origins: &origins, errors: &mut errors, warnings: &mut warnings });
    if !errors.is_empty() {
        return Err(ConfigErrors::new(errors));
    }
    let shown = toml::Table::try_from(&config).map_err(|error| disagreement("", &error.to_string()))?;
    let settings = render::settings(T::SECTIONS, &shown, &origins);
    let absent = T::SECTIONS
        .iter()
        .filter(|section| section.tables_max.is_some() && draft.tables.get(section.name).is_none_or(Vec::is_empty));
    Ok(Loaded { config, settings, absent: absent.map(|section| section.name).collect(), warnings })
}

fn deserialise<T: Program>(document: toml::Table) -> Result<T, ConfigErrors> {
    serde_path_to_error::deserialize(toml::Value::Table(document))
        .map_err(|error| disagreement(&error.path().to_string(), error.inner().message()))
}

/// The table of keys passed what the typed structs refuse. A fault of this program, caught by a test; still no panic.
fn disagreement(key: &str, problem: &str) -> ConfigErrors {
    ConfigError::new(Origin::Default, key, problem, "").into()
}
