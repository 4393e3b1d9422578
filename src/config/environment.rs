//! The environment variables (REQUIREMENTS P), and which key each one sets.
//!
//! An empty variable counts as not set, as container and unit files leave them. `LOCAL_DB_KEY` and a `LOCAL_MODE` of
//! the other program are refused: starting while ignoring them would be a lie.

use super::draft::Draft;
use super::error::{ConfigError, Origin};
use super::kind::Raw;
use super::schema::{Key, Section, section};

/// One variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// An older name, read when `name` is not set (C9).
    pub alias: Option<&'static str>,
    /// The section of its key. In `broker` it means the broker called [`DEFAULT_BROKER`].
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
}

/// The broker that the `MQTT_` variables are about.
pub const DEFAULT_BROKER: &str = "default";

/// Where that broker is when nothing says so (P, I11).
pub const DEFAULT_BROKER_URL: &str = "mqtt://localhost:1883";

const fn variable(name: &'static str, section: &'static str, key: &'static str) -> Variable {
    Variable { name, alias: None, section, key }
}

/// What `hawser gateway` reads.
pub const GATEWAY: &[Variable] = &[
    variable("DATA_ALARM_FILE", "data", "alarm_file"),
    variable("TELEMETRY_RETENTION_DAYS", "retention", "telemetry_days"),
    variable("AGGREGATES_RETENTION_DAYS", "retention", "aggregates_days"),
    variable("DATA_QUALITY_RETENTION_DAYS", "retention", "data_quality_days"),
    variable("CONFLICT_POLICY", "sync", "conflict_policy"),
    Variable { alias: Some("TURSO_SYNC_URL"), ..variable("SHORE_URL", "shore", "url") },
    Variable { alias: Some("TURSO_AUTH_TOKEN"), ..variable("SHORE_TOKEN", "shore", "token") },
    variable("MQTT_BROKER_URL", "broker", "url"),
    variable("MQTT_USERNAME", "broker", "username"),
    variable("MQTT_PASSWORD", "broker", "password"),
    variable("MQTT_CA_CERT", "broker", "ca_cert"),
    variable("MQTT_MAX_QUEUE_SIZE", "broker", "queue_messages_max"),
    variable("MQTT_TLS_REJECT_UNAUTHORIZED", "broker", "tls_reject_unauthorized"),
];

/// What `hawser shore` reads.
pub const SHORE: &[Variable] = &[variable("CONFLICT_POLICY", "sync", "conflict_policy")];

/// Which program starts, for `LOCAL_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `hawser gateway`: `LOCAL_MODE` must be true.
    Vessel,
    /// `hawser shore`: it must be false.
    Shore,
}

/// A variable that is set.
struct Found {
    key: &'static Key,
    section: &'static Section,
    origin: Origin,
    text: String,
}

/// Reads `variables` from `env` into `draft`; returns warnings.
pub(super) fn apply(
    draft: &mut Draft,
    side: Side,
    variables: &'static [Variable],
    env: &impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let env = |name: &str| env(name).filter(|text| !text.is_empty());
    refuse_what_cannot_be_honoured(draft, side, &env);
    let mut warnings = Vec::new();
    let mut for_broker = Vec::new();
    for variable in variables {
        let Some(found) = find(draft.sections, variable, &env, &mut warnings) else { continue };
        if variable.section == "broker" {
            for_broker.push(found);
        } else {
            draft.set_text(found.section, 0, found.key, &found.text, found.origin);
        }
    }
    apply_to_broker(draft, for_broker);
    warnings
}

fn find(
    sections: &'static [Section],
    variable: &'static Variable,
    env: &impl Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Option<Found> {
    let new = env(variable.name).map(|text| (variable.name, text));
    let old = variable.alias.and_then(|alias| env(alias).map(|text| (alias, text)));
    if let (Some((name, text)), Some((alias, other))) = (&new, &old)
        && text != other
    {
        warnings.push(format!("{alias} is not used: {name} is set, to something else"));
    }
    let (name, text) = new.or(old)?;
    let section = section(sections, variable.section)?;
    Some(Found { key: section.key(variable.key)?, section, origin: Origin::Environment(name), text })
}

fn apply_to_broker(draft: &mut Draft, found: Vec<Found>) {
    let Some(first) = found.first() else { return };
    let (broker, origin) = (first.section, first.origin.clone());
    let names = draft.tables.get(broker.name).into_iter().flatten().map(|table| table.settings.get("name"));
    let place = names.map(|name| name.map(|setting| &setting.raw)).position(|raw| match raw {
        Some(Raw::Text(name)) => name == DEFAULT_BROKER,
        _ => false,
    });
    let count = draft.count(broker.name);
    let names_url = found.iter().any(|found| found.key.name == "url");
    if place.is_none() && count > 0 && !names_url {
        for Found { key, origin, .. } in found {
            let problem = format!("sets {} of the broker called `{DEFAULT_BROKER}`, and there is none", key.name);
            let accepted = format!("with MQTT_BROKER_URL, or with name = \"{DEFAULT_BROKER}\" under a [[broker]]");
            draft.errors.push(ConfigError::new(origin, "", problem, accepted));
        }
        return;
    }
    let index = place.unwrap_or(count);
    if place.is_none() {
        for (name, text) in [("name", DEFAULT_BROKER), ("url", DEFAULT_BROKER_URL)] {
            let key = broker.key(name).expect("the schema has the two required keys of a broker");
            draft.set_text(broker, index, key, text, origin.clone());
        }
    }
    for Found { key, section, origin, text } in found {
        draft.set_text(section, index, key, &text, origin);
    }
}

fn refuse_what_cannot_be_honoured(draft: &mut Draft, side: Side, env: &impl Fn(&str) -> Option<String>) {
    let mut refuse = |name: &'static str, problem: String, accepted: &str| {
        draft.errors.push(ConfigError::new(Origin::Environment(name), "", problem, accepted));
    };
    if env("LOCAL_DB_KEY").is_some() {
        refuse(
            "LOCAL_DB_KEY",
            "set, but the databases are not encrypted by this program; they would be stored in clear".to_owned(),
            "not set, and the data directory on an encrypted volume (dm-crypt)",
        );
    }
    let Some(mode) = env("LOCAL_MODE") else { return };
    match (side, mode.as_str()) {
        (Side::Vessel, "true") | (Side::Shore, "false") => {}
        (Side::Vessel, "false") => {
            let problem = "false means: no vessel services, and `hawser gateway` is nothing else".to_owned();
            refuse("LOCAL_MODE", problem, "true, or not set; ashore run `hawser shore`");
        }
        (Side::Shore, "true") => {
            let problem = "true means: vessel services, and `hawser shore` has none".to_owned();
            refuse("LOCAL_MODE", problem, "false, or not set; on board run `hawser gateway`");
        }
        _ => refuse("LOCAL_MODE", format!("{} is no switch", Raw::Text(mode).shown()), "true or false"),
    }
}
