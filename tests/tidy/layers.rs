//! Layers (DESIGN.md): a module names only what stands to its left. `wire` knows neither network, files, time nor
//! SQLite.

use super::Finding;
use super::lexer::{Source, is_name};

/// What each module of `src/` may name besides itself. A module that is not here has no place yet.
const LAYERS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("entropy", &[]),
    // Small files that are whole after a power cut; knows nothing of what they mean.
    ("durable_file", &[]),
    ("reading", &["clock"]),
    ("record", &["clock", "reading"]),
    ("config", &["clock", "reading", "record"]),
    // The one way to speak HTTP to the shore.
    ("http_client", &["config"]),
    ("wire", BASE),
    ("bus", &["reading", "clock", "wire"]),
    ("sensors", &["durable_file", "reading", "record", "clock", "entropy", "config", "wire", "bus"]),
    // Beside the sensors: a vessel that is simulated or played back knows wires and never the store.
    ("sim", &["reading", "record", "clock", "entropy", "config", "wire"]),
    ("replay", &["reading", "record", "clock", "entropy", "config", "wire", "sim"]),
    ("decode", &["reading", "record", "clock", "entropy", "config", "wire"]),
    ("store", &["durable_file", "reading", "record", "clock", "entropy", "config", "wire", "bus"]),
    ("uplink", LEFT_OF_UPLINK),
    ("sync", LEFT_OF_UPLINK),
    ("update", LEFT_OF_UPLINK),
    (
        "api",
        &[
            "durable_file",
            "reading",
            "record",
            "clock",
            "entropy",
            "config",
            "wire",
            "bus",
            "store",
            "uplink",
            "sync",
            "update",
        ],
    ),
    ("gateway", ALL_OF_THE_VESSEL),
    // Shares only what is free of wires and buses.
    ("shore", &["reading", "record", "clock", "entropy", "config", "store", "sync", "update", "api"]),
    ("demo", EVERYTHING),
    ("cli", EVERYTHING),
    ("main", EVERYTHING),
    ("lib", EVERYTHING),
];

const BASE: &[&str] = &["reading", "record", "clock", "entropy", "config"];
const LEFT_OF_UPLINK: &[&str] =
    &["durable_file", "http_client", "reading", "record", "clock", "entropy", "config", "wire", "bus", "store"];
const ALL_OF_THE_VESSEL: &[&str] = &[
    "durable_file",
    "reading",
    "record",
    "clock",
    "entropy",
    "config",
    "wire",
    "bus",
    "sensors",
    "store",
    "uplink",
    "sync",
    "update",
    "api",
];
const EVERYTHING: &[&str] = &["*"];

/// What `wire` may not know (invariant 1).
const NOT_IN_WIRE: &[&str] = &[
    "tokio",
    "rusqlite",
    "reqwest",
    "axum",
    "rumqttc",
    "nix",
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant",
    "Clock",
];

/// Checks the names that one file uses.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let Some(module) = module(source.file) else { return };
    let mut add = |at: usize, text: String, instead: String| {
        let (file, line) = (source.file.to_owned(), source.line(at));
        found.push(Finding { file, line, rule: "layers", text, instead });
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        let instead = "a row in LAYERS of tests/tidy/layers.rs".to_owned();
        return add(0, format!("`{module}` has no place in the layers"), instead);
    };
    for (at, name) in named(source) {
        let known = LAYERS.iter().any(|(known, _)| *known == name);
        if known && name != module && !allowed.contains(&name.as_str()) && !allowed.contains(&"*") {
            let left = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
            add(at, format!("`{module}` names `{name}`"), format!("{module} may name {left}; hand the rest in"));
        }
    }
    for at in source.find("super::super") {
        add(at, "`super::super`".to_owned(), "`crate::`, so that the layer can be seen".to_owned());
    }
    if module == "wire" {
        for name in NOT_IN_WIRE {
            for at in source.find(name).into_iter().filter(|at| !source.is_test(*at)) {
                add(at, format!("`wire` knows `{name}`"), "bytes in, values out (invariant 1)".to_owned());
            }
        }
    }
}

/// The module of a file: what stands first below `src/`.
fn module(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    Some(inside.split_once('/').map_or(inside, |(module, _)| module).trim_end_matches(".rs"))
}

/// Every module named by `crate::x`, `crate::{x, y::z}` or the same with `hawser`, and where.
fn named(source: &Source<'_>) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for root in ["crate::", "hawser::"] {
        for at in source.find(root) {
            let rest = &source.code[at + root.len()..];
            if rest.trim_start().starts_with('{') {
                let open = at + root.len() + rest.find('{').unwrap_or_default();
                let group = &source.code[open + 1..source.closing(open).saturating_sub(1).max(open + 1)];
                all.extend(members(group).into_iter().map(|name| (at, name)));
            } else {
                all.push((at, first_name(rest)));
            }
        }
    }
    all
}

/// The first name of each member of a group: `a::{b, c}, d` gives a and d.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                names.push(first_name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.push(first_name(&group[start..]));
    names
}

fn first_name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_name(*c)).collect()
}
