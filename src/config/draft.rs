//! A configuration while it is put together: what was set, by whom, and every complaint so far.
//!
//! Later settings replace earlier ones (default < file < environment < flag); only what remains is checked. It knows no
//! rule between two keys; those are in `rules`.

use std::collections::{BTreeMap, HashMap};

use super::error::{ConfigError, Origin};
use super::kind::{Kind, Raw};
use super::schema::{Key, Section, section};

/// A value and where it came from.
#[derive(Debug)]
pub(super) struct Setting {
    pub raw: Raw,
    pub origin: Origin,
}

/// One table, or one element of an array of tables.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub origin: Origin,
    pub settings: BTreeMap<&'static str, Setting>,
}

/// All tables and the complaints.
#[derive(Debug)]
pub(super) struct Draft {
    pub sections: &'static [Section],
    pub tables: HashMap<&'static str, Vec<Table>>,
    pub errors: Vec<ConfigError>,
}

/// Where every key and every table that somebody set came from, by its full name.
#[derive(Debug, Default)]
pub(super) struct Origins(HashMap<String, Origin>);

impl Origins {
    /// Where `key` was set; else where its table starts, since that is where a default is to be replaced.
    pub fn of(&self, key: &str) -> Origin {
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        self.exact(key).or_else(|| self.exact(table)).unwrap_or_default()
    }

    /// Where `key` was set, if it was.
    pub fn exact(&self, key: &str) -> Option<Origin> {
        self.0.get(key).cloned()
    }
}

impl Draft {
    pub fn new(sections: &'static [Section]) -> Self {
        Self { sections, tables: HashMap::new(), errors: Vec::new() }
    }

    /// How many tables `section` has so far.
    pub fn count(&self, section: &str) -> usize {
        self.tables.get(section).map_or(0, Vec::len)
    }

    /// Table `index` of `section`, made when it is the next one.
    pub fn table(&mut self, section: &'static Section, index: usize, origin: &Origin) -> &mut Table {
        let tables = self.tables.entry(section.name).or_default();
        if tables.len() <= index {
            tables.push(Table { origin: origin.clone(), settings: BTreeMap::new() });
        }
        let last = tables.len() - 1;
        &mut tables[index.min(last)]
    }

    /// Sets one key from the text of a variable or a flag.
    pub fn set_text(&mut self, section: &'static Section, index: usize, key: &'static Key, text: &str, origin: Origin) {
        let raw = key.kind.read(text);
        self.table(section, index, &origin).settings.insert(key.name, Setting { raw, origin });
    }

    /// Sets the key called `name`, such as `http.listen` or `bus[0].enabled`, from a flag.
    pub fn set_flag(&mut self, name: &str, text: &str) {
        let origin = Origin::Flag(name.to_owned());
        match self.find(name) {
            Some((section, index, key)) => self.set_text(section, index, key, text, origin),
            None => self.errors.push(ConfigError::new(
                origin,
                name,
                "unknown key, or a table that is not there",
                "a key that `hawser check` shows, such as http.listen",
            )),
        }
    }

    fn find(&self, name: &str) -> Option<(&'static Section, usize, &'static Key)> {
        let (table, key) = name.split_once('.')?;
        let (name, index) = match table.strip_suffix(']').and_then(|table| table.split_once('[')) {
            Some((name, index)) => (name, Some(index.parse::<usize>().ok()?)),
            None => (table, None),
        };
        let section = section(self.sections, name)?;
        let key = section.key(key)?;
        match (section.tables_max, index) {
            (None, None) => Some((section, 0, key)),
            (Some(_), Some(index)) if index < self.count(name) => Some((section, index, key)),
            _ => None,
        }
    }

    /// Checks every value by itself. Returns those that passed, as a document, and where they came from; what did not
    /// pass is in `errors` and left at its default, so that the rules between keys can still be checked.
    pub fn check(&mut self) -> (toml::Table, Origins) {
        let (mut document, mut origins) = (toml::Table::new(), Origins::default());
        for section in self.sections {
            let mut checked = Vec::new();
            for (index, table) in self.tables.get(section.name).into_iter().flatten().enumerate() {
                checked.push(toml::Value::Table(check_table(section, index, table, &mut origins, &mut self.errors)));
            }
            if section.tables_max.is_some() {
                document.insert(section.name.to_owned(), toml::Value::Array(checked));
            } else if let Some(table) = checked.pop() {
                document.insert(section.name.to_owned(), table);
            }
        }
        (document, origins)
    }
}

fn check_table(
    section: &Section,
    index: usize,
    table: &Table,
    origins: &mut Origins,
    errors: &mut Vec<ConfigError>,
) -> toml::Table {
    let table_name = section.table_name(index);
    let mut checked = toml::Table::new();
    for key in section.keys {
        let name = format!("{table_name}.{}", key.name);
        let Some(setting) = table.settings.get(key.name) else {
            if key.required {
                errors.push(missing(table, name, key));
                checked.insert(key.name.to_owned(), placeholder(key));
            }
            continue;
        };
        origins.0.insert(name.clone(), setting.origin.clone());
        match key.kind.check(&setting.raw) {
            Ok(()) => {
                checked.insert(key.name.to_owned(), value(&setting.raw));
            }
            Err(refusal) => {
                let shown = if key.secret { "<hidden>".to_owned() } else { setting.raw.shown() };
                let error = ConfigError::new(setting.origin.clone(), name, refusal.problem, refusal.accepted);
                errors.push(error.with_value(shown));
                if key.required {
                    checked.insert(key.name.to_owned(), placeholder(key));
                }
            }
        }
    }
    origins.0.insert(table_name, table.origin.clone());
    checked
}

fn missing(table: &Table, name: String, key: &Key) -> ConfigError {
    let accepted = key.kind.check(&Raw::Other(String::new())).err().map(|refusal| refusal.accepted);
    ConfigError::new(table.origin.clone(), name, "missing", accepted.unwrap_or_default())
}

/// Stands for a required value that was refused; the rules between keys pass over it.
fn placeholder(key: &Key) -> toml::Value {
    match key.kind {
        Kind::Word { accepted, .. } => toml::Value::String(accepted[0].to_owned()),
        Kind::Count { min, .. } => toml::Value::Integer(min),
        Kind::Texts { .. } => toml::Value::Array(Vec::new()),
        _ => toml::Value::String(String::new()),
    }
}

fn value(raw: &Raw) -> toml::Value {
    match raw {
        Raw::Text(text) | Raw::Other(text) => toml::Value::String(text.clone()),
        Raw::Integer(number) => toml::Value::Integer(*number),
        Raw::Bool(value) => toml::Value::Boolean(*value),
        Raw::Float(number) => toml::Value::Float(*number),
        Raw::List(texts) => toml::Value::Array(texts.iter().cloned().map(toml::Value::String).collect()),
    }
}
