//! What `hawser check` prints: every key, its value, and where the value came from. Secrets are hidden.

use std::fmt::Write as _;

use super::draft::Origins;
use super::error::Origin;
use super::schema::Section;
use super::{Loaded, Setting};

/// Lists every key of `config` with its value and origin.
pub(super) fn settings(sections: &'static [Section], config: &toml::Table, origins: &Origins) -> Vec<Setting> {
    let mut all = Vec::new();
    for section in sections {
        let tables = match config.get(section.name) {
            Some(toml::Value::Array(tables)) => tables.as_slice(),
            Some(table) => std::slice::from_ref(table),
            None => &[],
        };
        for (index, table) in tables.iter().enumerate() {
            for key in section.keys {
                let name = format!("{}.{}", section.table_name(index), key.name);
                let value = match table.get(key.name) {
                    Some(toml::Value::String(text)) if key.secret && !text.is_empty() => "<hidden>".to_owned(),
                    Some(toml::Value::String(text)) => format!("{text:?}"),
                    Some(value) => value.to_string(),
                    None => continue,
                };
                let origin = origins.exact(&name).unwrap_or_default();
                all.push(Setting { key: name, value, origin, idle: key.idle });
            }
        }
    }
    all
}

/// Every key as `key = value  # origin`, one a line, then the warnings.
pub fn render_check<T>(loaded: &Loaded<T>) -> String {
    let width = |text: fn(&Setting) -> usize| loaded.settings.iter().map(text).max().unwrap_or(0).min(WIDTH_MAX);
    let (keys, values) = (width(|setting| setting.key.len()), width(|setting| setting.value.len()));
    let mut text = String::new();
    for Setting { key, value, origin, idle } in &loaded.settings {
        let named = if matches!(origin, Origin::Environment(_)) { "environment variable " } else { "" };
        let note = if idle.is_empty() { String::new() } else { format!("; no effect yet: {idle}") };
        let _ = writeln!(text, "{key:keys$} = {value:values$}  # {named}{origin}{note}");
    }
    for name in &loaded.absent {
        let _ = writeln!(text, "# no [[{name}]]");
    }
    for warning in &loaded.warnings {
        let _ = writeln!(text, "# warning: {warning}");
    }
    text
}

/// Columns are aligned up to this width; a longer value pushes its own line only.
const WIDTH_MAX: usize = 40;
