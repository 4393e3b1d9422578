//! The tables of known keys: section, key, what it may hold. The loader, `hawser check` and the tests of the samples
//! all read them; a test keeps them and the typed structs together. Defaults are not here but with the structs.

use super::kind::Kind;
use Kind::{
    Address, BrokerUrl, Count, Listen, Name, Number, Path, Pattern, Sha256, ShoreUrl, Switch, Text, Texts, TopicPrefix,
    Version, Window, Word,
};

/// A table of the file, or an array of tables.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// Whether it is an array (`[[name]]`), and then the most tables it may hold.
    pub tables_max: Option<usize>,
    /// Its keys.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Whether a table without it is refused.
    pub required: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Why it has no effect yet; empty when it has.
    pub idle: &'static str,
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, required: false, secret: false, idle: "" }
}

const fn required(name: &'static str, kind: Kind) -> Key {
    Key { required: true, ..key(name, kind) }
}

const fn secret(name: &'static str) -> Key {
    Key { secret: true, ..key(name, LINE) }
}

const fn idle(name: &'static str, kind: Kind, why: &'static str) -> Key {
    Key { idle: why, ..key(name, kind) }
}

/// Ten years: longer than a gateway's storage lives.
const DAYS_MAX: i64 = 3_650;
/// A name goes into sources, topics, metric labels and client ids; MQTT 3.1.1 servers may stop at 23 bytes, ours do
/// not.
const NAME: Kind = Name { bytes_max: 64, may_be_empty: false };
/// Names for people, user names, passwords, tokens.
const LINE: Kind = Text { bytes_max: 256 };
const POLICY: Kind =
    Word { accepted: &["last_write_wins", "shore_wins"], planned: &["vessel_wins", "manual", "merge"] };
const DAYS: Kind = Count { min: 1, max: DAYS_MAX };
/// A batch below 1 KiB is mostly headers; one above 8 MiB does not pass the shore's request limit.
const BATCH_BYTES: Kind = Count { min: 1 << 10, max: 8 << 20 };

/// The most buses: a gateway has a handful of ports; each bus costs a task and its buffers (about 4 MB).
pub const BUSES_MAX: usize = 64;
/// The most Modbus units: as many as one serial line can address.
pub const DEVICES_MAX: usize = 247;
/// The most rules for series, and for priorities: each reading of a new series looks through them once.
pub const RULES_MAX: usize = 256;
/// The most sources of one priority: more than a bridge has of anything.
const SOURCES_MAX: usize = 16;
/// Network interfaces of a gateway.
const INTERFACES_MAX: usize = 8;

/// Names of a gateway on board.
const HOST_NAMES_MAX: usize = 16;
/// 4 Mbit/s: the fastest that Linux names (B4000000).
const BAUD_MAX: i64 = 4_000_000;
/// A second to a day.
const SECONDS: Kind = Count { min: 1, max: 86_400 };
const PROTOCOL: Kind =
    Word { accepted: &["nmea0183", "iec61162-450", "nmea2000", "j1939", "can", "modbus"], planned: &[] };
const FORMAT: Kind = Word { accepted: &["default", "ydwg", "actisense", "candump", "tcp", "rtu"], planned: &[] };
/// The most brokers: each holds a queue of up to its `queue_bytes_max`.
pub const BROKERS_MAX: usize = 16;
/// The most vessels of one shore on embedded SQLite (SYNC.md, Shore: 1,000 vessels is the load that was planned).
pub const VESSELS_MAX: usize = 10_000;

/// The keys of `gateway.toml`.
pub const GATEWAY: &[Section] = &[
    Section {
        name: "vessel",
        tables_max: None,
        keys: &[key("id", Name { bytes_max: 64, may_be_empty: true }), key("name", LINE)],
    },
    Section {
        name: "data",
        tables_max: None,
        keys: &[key("dir", Path { may_be_empty: false }), key("alarm_file", Path { may_be_empty: true })],
    },
    Section {
        name: "http",
        tables_max: None,
        keys: &[key("listen", Listen), key("names", Texts { items_max: HOST_NAMES_MAX, bytes_max: 253 })],
    },
    Section {
        name: "bus",
        tables_max: Some(BUSES_MAX),
        keys: &[
            required("name", NAME),
            required("protocol", PROTOCOL),
            required("address", Address),
            key("format", FORMAT),
            key("baud", Count { min: 0, max: BAUD_MAX }),
            key("parity", Word { accepted: &["none", "even", "odd"], planned: &[] }),
            key("interfaces", Texts { items_max: INTERFACES_MAX, bytes_max: 64 }),
            key("dbc", Path { may_be_empty: true }),
            key("enabled", Switch),
        ],
    },
    Section {
        name: "device",
        tables_max: Some(DEVICES_MAX),
        keys: &[
            required("bus", NAME),
            required("unit", Count { min: 0, max: 255 }),
            required("map", Path { may_be_empty: false }),
            key("instance", NAME),
            // Below 50 ms a 9,600 baud line cannot carry one request; an hour is not a poll any more.
            key("poll_interval_ms", Count { min: 50, max: 3_600_000 }),
            key("enabled", Switch),
        ],
    },
    Section {
        name: "quality",
        tables_max: None,
        keys: &[
            key("stale", Switch),
            key("stale_intervals", Count { min: 2, max: 100 }),
            key("stale_min_s", SECONDS),
            key("stale_max_s", SECONDS),
        ],
    },
    Section {
        name: "series",
        tables_max: Some(RULES_MAX),
        keys: &[
            required("path", Pattern),
            key("source", Text { bytes_max: 128 }),
            key("stale_after_s", Count { min: 0, max: 86_400 }),
            // No quantity in SI units needs more: 1e12 J are 278 MWh.
            key("dead_band", Number { min: 0.0, max: 1e12 }),
            key("interval_min_ms", Count { min: 0, max: 3_600_000 }),
            key("keep_alive_s", SECONDS),
        ],
    },
    Section {
        name: "priority",
        tables_max: Some(RULES_MAX),
        keys: &[
            required("path", Pattern),
            required("sources", Texts { items_max: SOURCES_MAX, bytes_max: 128 }),
            key("failover_s", SECONDS),
        ],
    },
    Section {
        name: "store",
        tables_max: None,
        keys: &[
            // Below 10 ms the tick costs more than the work; above 1 s the pages lag behind the wire.
            key("commit_interval_ms", Count { min: 10, max: 1_000 }),
            key("commit_readings_max", Count { min: 1, max: 100_000 }),
            // What a power cut may cost; below 100 ms flash wears, above 10 s nobody would call it stored.
            key("sync_interval_ms", Count { min: 100, max: 10_000 }),
        ],
    },
    Section {
        name: "retention",
        tables_max: None,
        keys: &[
            key("telemetry_days", DAYS),
            idle("aggregates_days", DAYS, "there are no aggregates to prune"),
            idle("data_quality_days", DAYS, "there are no data-quality metrics to prune"),
            // One busy day must fit, or every day would be pruned at once; 16 TiB is beyond any device planned.
            key("telemetry_bytes_max", Count { min: 64 << 20, max: 16 << 40 }),
            idle("acknowledged_changes_days", DAYS, "all changes are kept"),
            key("interval_hours", Count { min: 1, max: 168 }),
        ],
    },
    Section { name: "broker", tables_max: Some(BROKERS_MAX), keys: BROKER },
    Section {
        name: "shore",
        tables_max: None,
        keys: &[
            key("url", ShoreUrl),
            secret("token"),
            key("ca_cert", Path { may_be_empty: true }),
            // At least 5 s between cycles (C4).
            key("interval_s", Count { min: 5, max: 86_400 }),
            key("readings", Switch),
            key("batch_bytes_start", BATCH_BYTES),
            key("batch_bytes_max", BATCH_BYTES),
        ],
    },
    Section {
        name: "sync",
        tables_max: None,
        keys: &[idle("conflict_policy", POLICY, "the shore decides, by its own policy")],
    },
    Section {
        name: "update",
        tables_max: None,
        keys: &[
            key("enabled", Switch),
            key("approval", Word { accepted: &["on_board", "automatic"], planned: &[] }),
            key("moored", Switch),
            key("window", Window),
            key("cheap_links", Texts { items_max: INTERFACES_MAX, bytes_max: 16 }),
            // A question costs about 500 bytes: each hour for a month are 360 kB.
            key("check_interval_hours", Count { min: 1, max: 744 }),
            // What the image takes back by itself is not judged any more: hawser-trial.timer, 15 minutes.
            key("trial_minutes", Count { min: 1, max: 14 }),
        ],
    },
];

const BROKER: &[Key] = &[
    required("name", NAME),
    required("url", BrokerUrl),
    key("username", LINE),
    secret("password"),
    key("ca_cert", Path { may_be_empty: true }),
    key("client_cert", Path { may_be_empty: true }),
    key("client_key", Path { may_be_empty: true }),
    key("tls_reject_unauthorized", Switch),
    key("tls_unchecked_ashore", Switch),
    key("sync_prefix", TopicPrefix),
    key("telemetry_prefix", TopicPrefix),
    key("shared", Switch),
    key("retain_crew", Switch),
    key("queue_messages_max", Count { min: 1, max: 1_000_000 }),
    key("queue_bytes_max", Count { min: 64 << 10, max: 256 << 20 }),
    key("queue_age_max_s", Count { min: 1, max: 86_400 }),
];

/// The keys of `shore.toml`.
pub const SHORE: &[Section] = &[
    Section { name: "data", tables_max: None, keys: &[key("dir", Path { may_be_empty: false })] },
    Section {
        name: "http",
        tables_max: None,
        keys: &[key("listen", Listen), key("apply_permits", Count { min: 1, max: 4_096 })],
    },
    Section { name: "sync", tables_max: None, keys: &[key("conflict_policy", POLICY)] },
    Section { name: "updates", tables_max: None, keys: &[key("dir", Path { may_be_empty: true })] },
    Section {
        name: "vessel",
        tables_max: Some(VESSELS_MAX),
        keys: &[
            required("id", NAME),
            key("name", LINE),
            key("update_version_max", Version),
            required("token_sha256", Sha256),
        ],
    },
];

/// The section called `name`.
pub fn section(sections: &'static [Section], name: &str) -> Option<&'static Section> {
    sections.iter().find(|section| section.name == name)
}

impl Section {
    /// The key called `name`.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// How table `index` is called in messages: `http`, `bus[1]`.
    pub fn table_name(&self, index: usize) -> String {
        if self.tables_max.is_some() { format!("{}[{index}]", self.name) } else { self.name.to_owned() }
    }
}
