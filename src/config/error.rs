//! What is wrong with a configuration: every error at once, each saying where it stands and what would be accepted.
//!
//! It refuses to print a secret: values of secret keys, and passwords inside addresses, are hidden before they get
//! here.

use std::fmt;
use std::sync::Arc;

/// The most errors that are kept. More would scroll the first ones off any terminal; the rest are counted.
pub const ERRORS_MAX: usize = 100;

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// A file. Line 0: the file as a whole.
    File {
        /// The path as it was given.
        file: Arc<str>,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable, by name.
    Environment(&'static str),
    /// A flag, by the key that it sets.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line: 0 } => f.write_str(file),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(key) => write!(f, "flag {key}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Where it stands.
    pub origin: Origin,
    /// The key, as `bus[1].address` (counted from 0); empty when the error is about no key.
    pub key: String,
    /// The value, ready to print; `None` when there is none or it must not be shown.
    pub value: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What would be accepted; empty when that is plain from the problem.
    pub accepted: String,
    /// Lines of the file with a caret below the place; empty when the line is enough.
    pub excerpt: String,
}

impl ConfigError {
    /// An error about `key` at `origin`.
    pub fn new(
        origin: Origin,
        key: impl Into<String>,
        problem: impl Into<String>,
        accepted: impl Into<String>,
    ) -> Self {
        Self {
            origin,
            key: key.into(),
            value: None,
            problem: problem.into(),
            accepted: accepted.into(),
            excerpt: String::new(),
        }
    }

    /// The same with the value that was found.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match (self.key.as_str(), &self.value) {
            ("", _) => {}
            (key, Some(value)) => write!(f, "{key} = {value}: ")?,
            (key, None) => write!(f, "{key}: ")?,
        }
        f.write_str(&self.problem)?;
        if !self.accepted.is_empty() {
            write!(f, "; accepted: {}", self.accepted)?;
        }
        f.write_str(&self.excerpt)
    }
}

/// Everything that is wrong, in the order of the file, then the environment, then the flags. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The first [`ERRORS_MAX`].
    pub errors: Vec<ConfigError>,
    /// How many more there were.
    pub more: usize,
}

impl ConfigErrors {
    pub(crate) fn new(mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by(|a, b| a.origin.cmp(&b.origin));
        let more = errors.len().saturating_sub(ERRORS_MAX);
        errors.truncate(ERRORS_MAX);
        Self { errors, more }
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self { errors: vec![error], more: 0 }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The known word that `typed` was most likely meant to be: at most a third of its letters differ.
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.chars().count() / 3).max(1);
    known
        .map(|word| (edit_distance(typed, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word)
}

/// Levenshtein's distance (1966): insertions, deletions and replacements between two words.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = || ["listen", "apply_permits"].into_iter();
        assert_eq!(nearest("lisen", known()), Some("listen"));
        assert_eq!(nearest("aply_permit", known()), Some("apply_permits"));
        assert_eq!(nearest("port", known()), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
    }

    #[test]
    fn errors_are_in_order_and_bounded() {
        let at = |line| Origin::File { file: "g.toml".into(), line };
        let mut all: Vec<_> = (1..=ERRORS_MAX + 5).rev().map(|n| ConfigError::new(at(n), "k", "bad", "")).collect();
        all.insert(0, ConfigError::new(Origin::Environment("MQTT_BROKER_URL"), "", "bad", ""));
        let text = ConfigErrors::new(all).to_string();
        assert!(text.starts_with("g.toml:1: k: bad\ng.toml:2: "), "{text}");
        assert!(text.ends_with("and 6 more"), "{text}");
    }
}
