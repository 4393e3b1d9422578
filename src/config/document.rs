//! The file: read within a limit, parsed with its places, its keys compared with the known ones.
//!
//! A file that is no TOML is refused with every syntax error in it and nothing else: what a broken file meant is not
//! guessed at.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeArray, DeTable, DeValue};

use super::draft::{Draft, Setting};
use super::error::{ConfigError, ConfigErrors, Origin, nearest};
use super::kind::Raw;
use super::schema::{Section, section};

/// The largest file that is read: a shore with 10,000 vessels of 200 bytes is 2 MB.
pub const FILE_BYTES_MAX: u64 = 4 << 20;

/// Characters of a line that an excerpt shows.
const EXCERPT_CHARS_MAX: usize = 100;

/// Reads `path` into `draft`.
pub(super) fn read_file(path: &Path, draft: &mut Draft) -> Result<(), ConfigErrors> {
    let file: Arc<str> = path.display().to_string().into();
    let whole = |problem: String, accepted: &str| {
        ConfigErrors::from(ConfigError::new(Origin::File { file: Arc::clone(&file), line: 0 }, "", problem, accepted))
    };
    let mut bytes = Vec::new();
    // One byte more than the limit tells a file that is too large; the size that the system reports may be 0 for a
    // pipe.
    let read = File::open(path).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(match error.kind() {
            std::io::ErrorKind::NotFound => whole("not found".into(), "a file, as `--config FILE`"),
            std::io::ErrorKind::IsADirectory => whole("a directory".into(), "a file"),
            _ => whole(format!("cannot be read: {error}"), "a file that this user may read"),
        });
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(whole("too large".into(), &format!("at most {FILE_BYTES_MAX} bytes")));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => read_text(&file, text, draft),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let origin = Origin::File { file: Arc::clone(&file), line };
            Err(ConfigError::new(origin, "", "not UTF-8", "a text file saved as UTF-8").into())
        }
    }
}

/// Reads `text`, called `file` in messages, into `draft`.
pub(super) fn read_text(file: &str, text: &str, draft: &mut Draft) -> Result<(), ConfigErrors> {
    let places = Places::new(file, text);
    let (document, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        return Err(ConfigErrors::new(syntax.iter().map(|error| places.syntax_error(error)).collect()));
    }
    for (key, value) in document.get_ref() {
        let origin = places.origin(&key.span());
        match section(draft.sections, key.get_ref()) {
            Some(section) => read_section(section, value.get_ref(), &origin, &places, draft),
            None => {
                let accepted = known_sections(draft.sections, key.get_ref());
                draft.errors.push(ConfigError::new(origin, &**key.get_ref(), "unknown key", accepted));
            }
        }
    }
    Ok(())
}

fn known_sections(sections: &'static [Section], typed: &str) -> String {
    let shown = |section: &Section| {
        let name = section.name;
        if section.tables_max.is_some() { format!("[[{name}]]") } else { format!("[{name}]") }
    };
    // A key that was written above the first table, or under one that does not hold it.
    if let Some(home) = sections.iter().find(|section| section.key(typed).is_some()) {
        return format!("{typed} under {}", shown(home));
    }
    match nearest(typed, sections.iter().map(|section| section.name)).and_then(|name| section(sections, name)) {
        Some(near) => shown(near),
        None => sections.iter().map(shown).collect::<Vec<_>>().join(", "),
    }
}

fn read_section(section: &'static Section, value: &DeValue<'_>, origin: &Origin, places: &Places, draft: &mut Draft) {
    match (section.tables_max, value) {
        (None, DeValue::Table(table)) => read_table(section, 0, table, origin, places, draft),
        (Some(max), DeValue::Array(array)) => {
            for (index, element) in array.iter().enumerate() {
                let origin = places.origin(&element.span());
                let name = section.table_name(index);
                match element.get_ref() {
                    DeValue::Table(_) if index >= max => {
                        let accepted = format!("at most {max} [[{}]]", section.name);
                        draft.errors.push(ConfigError::new(origin, name, "too many", accepted));
                        break;
                    }
                    DeValue::Table(table) => read_table(section, index, table, &origin, places, draft),
                    _ => {
                        // The rest is not looked at: an array of something else was meant.
                        draft.errors.push(wrong_shape(section, origin, name, element.get_ref()));
                        break;
                    }
                }
            }
        }
        _ => draft.errors.push(wrong_shape(section, origin.clone(), section.name.to_owned(), value)),
    }
}

fn wrong_shape(section: &Section, origin: Origin, key: String, value: &DeValue<'_>) -> ConfigError {
    let (name, array) = (section.name, section.tables_max.is_some());
    let accepted = if array { format!("[[{name}]], once for each") } else { format!("[{name}], once") };
    ConfigError::new(origin, key, with_article(value.type_str()), accepted)
}

fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}

fn read_table(
    section: &'static Section,
    index: usize,
    table: &DeTable<'_>,
    origin: &Origin,
    places: &Places,
    draft: &mut Draft,
) {
    let mut errors = Vec::new();
    let sections = draft.sections;
    let settings = &mut draft.table(section, index, origin).settings;
    for (name, value) in table {
        match section.key(name.get_ref()) {
            Some(key) => {
                let origin = places.origin(&name.span());
                settings.insert(key.name, Setting { raw: raw(value.get_ref()), origin });
            }
            None => {
                let full = format!("{}.{}", section.table_name(index), name.get_ref());
                let accepted = known_keys(section, sections, name.get_ref());
                errors.push(ConfigError::new(places.origin(&name.span()), full, "unknown key", accepted));
            }
        }
    }
    draft.errors.append(&mut errors);
}

fn known_keys(section: &Section, sections: &'static [Section], typed: &str) -> String {
    let mut names = section.keys.iter().map(|key| key.name);
    if let Some(near) = nearest(typed, names.clone()) {
        return near.to_owned();
    }
    if sections.iter().any(|other| other.key(typed).is_some()) {
        return known_sections(sections, typed);
    }
    let first = names.next().unwrap_or_default().to_owned();
    names.fold(first, |all, name| format!("{all}, {name}"))
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Raw::Integer(number),
            Err(_) => Raw::Other(number.as_str().to_owned()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(value) => Raw::Float(value),
            Err(_) => Raw::Other(number.as_str().to_owned()),
        },
        DeValue::Array(items) => list(items),
        DeValue::Datetime(time) => Raw::Other(time.to_string()),
        DeValue::Table(_) => Raw::Other(format!("({})", with_article(value.type_str()))),
    }
}

/// A list of texts; of anything else it is no list that a key may hold.
fn list(items: &DeArray<'_>) -> Raw {
    let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
    texts.collect::<Option<_>>().map_or_else(|| Raw::Other("(an array)".to_owned()), Raw::List)
}

/// Turns byte offsets into lines.
struct Places<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(file: &str, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file: file.into(), text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let line = self.starts.partition_point(|start| *start <= span.start);
        Origin::File { file: Arc::clone(&self.file), line }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let problem = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        let mut found = ConfigError::new(self.origin(&span), "", problem, "");
        found.excerpt = self.excerpt(&span);
        found
    }

    /// The line with a caret below the place. A line that may hold a password is not shown.
    fn excerpt(&self, span: &Range<usize>) -> String {
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = self.starts[line - 1];
        let text = self.text[start..].lines().next().unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        if ["password", "token", "@"].iter().any(|word| lower.contains(word)) {
            return String::new();
        }
        let before = self.text.get(start..span.start).unwrap_or_default().chars().count();
        if before > EXCERPT_CHARS_MAX {
            return String::new();
        }
        let shown: String =
            text.chars().take(EXCERPT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("\n  {line} | {shown}\n  {:width$} | {:before$}^", "", "", width = line.to_string().len())
    }
}
