//! What a key may hold, and what to say when it holds something else. Pure: no file, no network, no name is resolved.

use std::net::SocketAddr;

use super::address::{Address, AddressError};
use super::update::DayWindow;
use super::url::{Url, without_login};

/// A value as the file, the environment or a flag gave it.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// true or false.
    Bool(bool),
    /// A fraction.
    Float(f64),
    /// Texts.
    List(Vec<String>),
    /// Something that no key may hold, ready to print: a date, a table, an array of others, a number too large.
    Other(String),
}

/// What a key may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One line of text.
    Text {
        /// Its longest form.
        bytes_max: usize,
    },
    /// Letters, digits, `-`, `_`.
    Name {
        /// Its longest form.
        bytes_max: usize,
        /// Whether it may be left empty.
        may_be_empty: bool,
    },
    /// true or false.
    Switch,
    /// A whole number from `min` to `max`.
    Count {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A number from `min` to `max`.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A list of texts.
    Texts {
        /// How many.
        items_max: usize,
        /// The longest form of each.
        bytes_max: usize,
    },
    /// A Signal K path, or the beginning of one and `*`.
    Pattern,
    /// A path. Whether it exists is for whoever opens it to find out: the file may be checked on another machine.
    Path {
        /// Whether it may be left empty.
        may_be_empty: bool,
    },
    /// A numeric address and port to listen on.
    Listen,
    /// Where a bus is.
    Address,
    /// Where a broker is.
    BrokerUrl,
    /// Where the shore is; empty: nowhere.
    ShoreUrl,
    /// The first part of MQTT topics.
    TopicPrefix,
    /// A SHA-256 in hex.
    Sha256,
    /// Hours of a day; empty: all.
    Window,
    /// A version of Hawser; empty: any.
    Version,
    /// One word of a few.
    Word {
        /// Those that work.
        accepted: &'static [&'static str],
        /// Those that the documents name and that are not built yet.
        planned: &'static [&'static str],
    },
}

/// A value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with it.
    pub problem: String,
    /// What would do.
    pub accepted: String,
}

impl Refusal {
    fn new(problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self { problem: problem.into(), accepted: accepted.into() }
    }
}

/// The longest path of Linux (`PATH_MAX` of limits.h, with its NUL).
const PATH_BYTES_MAX: usize = 4_095;
/// Longer than any path of Signal K.
const PATH_PATTERN_BYTES_MAX: usize = 128;
/// A prefix is sent in every message; MQTT would allow 65,535 bytes for the whole topic.
const TOPIC_PREFIX_BYTES_MAX: usize = 128;
/// Hex digits of a SHA-256.
const SHA256_DIGITS: usize = 64;
/// Characters of a value that a message shows.
const SHOWN_CHARS_MAX: usize = 80;

const BROKER_ACCEPTED: &str = "mqtt://host:port or mqtts://host:port";
const SHORE_ACCEPTED: &str = "https://host:port, http:// only to loopback, or \"\" for no shore";
const WINDOW_ACCEPTED: &str = "two times UTC such as 02:00-05:00, or \"\" for any time";
const VERSION_ACCEPTED: &str = "a version such as 1.2.3, or \"\" for the newest";
const PREFIX_ACCEPTED: &str = "levels parted by `/`, without + # or spaces, such as vessels/{vessel_id}/sync";

impl Raw {
    /// The value as a message shows it: one line, bounded, without logins.
    pub fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) => format!("{:?}", without_login(text)),
            Self::Integer(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Float(number) => number.to_string(),
            Self::List(texts) => format!("{texts:?}"),
            Self::Other(text) => text.clone(),
        };
        match text.char_indices().nth(SHOWN_CHARS_MAX) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }

    fn text(&self, accepted: &str) -> Result<&str, Refusal> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Refusal::new("not a text in quotes", accepted)),
        }
    }
}

impl Kind {
    /// Turns the text of a variable or flag into a value. What does not fit stays a text, for [`Kind::check`] to
    /// refuse.
    pub fn read(self, text: &str) -> Raw {
        let raw = match self {
            Self::Switch => text.parse().ok().map(Raw::Bool),
            Self::Count { .. } => text.parse().ok().map(Raw::Integer),
            Self::Number { .. } => text.parse().ok().map(Raw::Float),
            Self::Texts { .. } => Some(Raw::List(text.split(',').map(|part| part.trim().to_owned()).collect())),
            _ => None,
        };
        raw.unwrap_or_else(|| Raw::Text(text.to_owned()))
    }

    /// Whether `raw` may stand here.
    pub fn check(self, raw: &Raw) -> Result<(), Refusal> {
        match self {
            Self::Text { bytes_max } => check_line(raw, bytes_max),
            Self::Name { bytes_max, may_be_empty } => check_name(raw, bytes_max, may_be_empty),
            Self::Switch => match raw {
                Raw::Bool(_) => Ok(()),
                _ => Err(Refusal::new("not a switch", "true or false")),
            },
            Self::Count { min, max } => check_count(raw, min, max),
            Self::Number { min, max } => check_number(raw, min, max),
            Self::Texts { items_max, bytes_max } => check_texts(raw, items_max, bytes_max),
            Self::Pattern => check_pattern(raw),
            Self::Path { may_be_empty } => check_path(raw, may_be_empty),
            Self::Listen => check_listen(raw),
            Self::Address => check_address(raw),
            Self::BrokerUrl => check_url(raw.text(BROKER_ACCEPTED)?, &["mqtt", "mqtts"], BROKER_ACCEPTED).map(drop),
            Self::ShoreUrl => check_shore_url(raw),
            Self::TopicPrefix => check_topic_prefix(raw.text(PREFIX_ACCEPTED)?),
            Self::Sha256 => check_sha256(raw),
            Self::Window => check_parsed::<DayWindow>(raw, "not two times of a day", WINDOW_ACCEPTED),
            Self::Version => check_parsed::<semver::Version>(raw, "not a version", VERSION_ACCEPTED),
            Self::Word { accepted, planned } => check_word(raw, accepted, planned),
        }
    }
}

fn check_line(raw: &Raw, bytes_max: usize) -> Result<(), Refusal> {
    let accepted = format!("one line of at most {bytes_max} bytes");
    let text = raw.text(&accepted)?;
    if text.len() > bytes_max {
        Err(Refusal::new(format!("{} bytes long", text.len()), accepted))
    } else if text.chars().any(char::is_control) {
        Err(Refusal::new("holds a control character", accepted))
    } else {
        Ok(())
    }
}

fn check_name(raw: &Raw, bytes_max: usize, may_be_empty: bool) -> Result<(), Refusal> {
    let accepted = format!("1 to {bytes_max} letters, digits, - or _");
    let text = raw.text(&accepted)?;
    if text.is_empty() && !may_be_empty {
        Err(Refusal::new("empty", accepted))
    } else if text.len() > bytes_max {
        Err(Refusal::new(format!("{} bytes long", text.len()), accepted))
    } else if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
        Err(Refusal::new(format!("holds {bad:?}"), accepted))
    } else {
        Ok(())
    }
}

fn check_count(raw: &Raw, min: i64, max: i64) -> Result<(), Refusal> {
    let accepted = format!("{min} to {max}");
    match raw {
        Raw::Integer(number) if *number < min => Err(Refusal::new("too small", accepted)),
        Raw::Integer(number) if *number > max => Err(Refusal::new("too large", accepted)),
        Raw::Integer(_) => Ok(()),
        _ => Err(Refusal::new("not a whole number", accepted)),
    }
}

fn check_number(raw: &Raw, min: f64, max: f64) -> Result<(), Refusal> {
    let accepted = format!("{min} to {max}");
    #[expect(clippy::cast_precision_loss, reason = "a number beyond 2^53 is out of any range here")]
    let number = match raw {
        Raw::Float(number) => *number,
        Raw::Integer(number) => *number as f64,
        _ => return Err(Refusal::new("not a number", accepted)),
    };
    if (min..=max).contains(&number) { Ok(()) } else { Err(Refusal::new("out of range", accepted)) }
}

fn check_texts(raw: &Raw, items_max: usize, bytes_max: usize) -> Result<(), Refusal> {
    let accepted = format!("a list of at most {items_max} texts in quotes, such as [\"a\", \"b\"]");
    let Raw::List(texts) = raw else { return Err(Refusal::new("not a list of texts", accepted)) };
    if texts.len() > items_max {
        return Err(Refusal::new(format!("{} texts", texts.len()), accepted));
    }
    texts.iter().try_for_each(|text| check_line(&Raw::Text(text.clone()), bytes_max))
}

/// Signal K 1.7, "Paths": camel-case words and ids parted by dots.
fn check_pattern(raw: &Raw) -> Result<(), Refusal> {
    const ACCEPTED: &str = "a path such as navigation.position, or the beginning of some: navigation.*";
    let text = raw.text(ACCEPTED)?;
    let stem = text.strip_suffix(".*").unwrap_or(text);
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if text == "*" || (text.len() <= PATH_PATTERN_BYTES_MAX && stem.split('.').all(is_word)) {
        Ok(())
    } else {
        Err(Refusal::new("not a path", ACCEPTED))
    }
}

fn check_path(raw: &Raw, may_be_empty: bool) -> Result<(), Refusal> {
    let accepted = "a path such as /var/lib/hawser";
    let text = raw.text(accepted)?;
    if text.is_empty() && !may_be_empty {
        Err(Refusal::new("empty", accepted))
    } else if text.len() > PATH_BYTES_MAX || text.contains('\0') {
        Err(Refusal::new("not a path", accepted))
    } else {
        Ok(())
    }
}

fn check_listen(raw: &Raw) -> Result<(), Refusal> {
    let accepted = "a numeric address and port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
    match raw.text(accepted)?.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::new("not an address and port", accepted)),
    }
}

fn check_address(raw: &Raw) -> Result<(), Refusal> {
    let accepted = "tcp://host:port (connect), udp://address:port (listen), serial:///dev/... or can://interface";
    let problem = match raw.text(accepted)?.parse::<Address>() {
        Ok(_) => return Ok(()),
        Err(AddressError::Scheme { .. }) => "not an address",
        Err(AddressError::Port { .. }) => "no port from 1 to 65535 at its end",
        Err(AddressError::Host { .. }) => "names no host; IPv6 stands in brackets",
        Err(AddressError::Listen { .. }) => "not a numeric address to listen on",
        Err(AddressError::Serial { .. }) => "no path of a port",
        Err(AddressError::Interface { .. }) => "no name of an interface",
    };
    Err(Refusal::new(problem, accepted))
}

fn check_url(text: &str, schemes: &[&str], accepted: &str) -> Result<Url, Refusal> {
    Url::parse(text, schemes).map_err(|problem| Refusal::new(problem, accepted))
}

fn check_shore_url(raw: &Raw) -> Result<(), Refusal> {
    let text = raw.text(SHORE_ACCEPTED)?;
    if text.is_empty() {
        return Ok(());
    }
    let url = check_url(text, &["https", "http"], SHORE_ACCEPTED)?;
    if url.scheme == "http" && !url.is_loopback() {
        return Err(Refusal::new("the token and the data would travel in clear", SHORE_ACCEPTED));
    }
    Ok(())
}

/// MQTT 5, 4.7: levels parted by `/`; `+` and `#` are wildcards; a leading `$` is the server's own.
fn check_topic_prefix(text: &str) -> Result<(), Refusal> {
    let plain = text.replace("{vessel_id}", "");
    let problem = if text.is_empty() || text.len() > TOPIC_PREFIX_BYTES_MAX {
        format!("not 1 to {TOPIC_PREFIX_BYTES_MAX} bytes long")
    } else if text.starts_with(['/', '$']) || text.ends_with('/') || text.contains("//") {
        "an empty level, or a leading $".to_owned()
    } else if plain.contains(['{', '}']) {
        "a placeholder other than {vessel_id}".to_owned()
    } else if plain.contains(|c: char| matches!(c, '+' | '#') || c.is_whitespace() || c.is_control()) {
        "a wildcard, a space or a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(problem, PREFIX_ACCEPTED))
}

fn check_sha256(raw: &Raw) -> Result<(), Refusal> {
    let accepted = "64 hex digits, as `hawser token` prints them";
    let text = raw.text(accepted)?;
    if text.len() == SHA256_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err(Refusal::new("not a SHA-256", accepted))
    }
}

fn check_parsed<T: std::str::FromStr>(raw: &Raw, problem: &str, accepted: &str) -> Result<(), Refusal> {
    let text = raw.text(accepted)?;
    if text.is_empty() || text.parse::<T>().is_ok() { Ok(()) } else { Err(Refusal::new(problem, accepted)) }
}

fn check_word(raw: &Raw, accepted: &[&str], planned: &[&str]) -> Result<(), Refusal> {
    let words = accepted.join(", ");
    let text = raw.text(&words)?;
    if accepted.contains(&text) {
        Ok(())
    } else if planned.contains(&text) {
        Err(Refusal::new("planned but not built yet", words))
    } else {
        Err(Refusal::new("not known", words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: Kind, text: &str) -> String {
        kind.check(&kind.read(text)).err().map_or_else(String::new, |refusal| refusal.problem)
    }

    #[test]
    fn bus_addresses() {
        for good in ["tcp://10.0.0.5:10110", "tcp://[::1]:1", "tcp://nav.local:10110", "udp://0.0.0.0:10110"] {
            assert_eq!(problem(Kind::Address, good), "", "{good}");
        }
        for bad in ["", "tpc://10.0.0.5:10110", "tcp://:10110", "tcp://a", "tcp://a:0", "udp://nav:1", "udp://1.2.3.4"]
        {
            assert_ne!(problem(Kind::Address, bad), "", "{bad}");
        }
    }

    #[test]
    fn shore_addresses() {
        for good in ["", "https://shore.example.com", "https://10.0.0.1:8090/", "http://127.0.0.1:8090"] {
            assert_eq!(problem(Kind::ShoreUrl, good), "", "{good}");
        }
        assert!(problem(Kind::ShoreUrl, "http://shore.example.com").contains("in clear"));
        assert!(problem(Kind::ShoreUrl, "libsql://db.example.com").contains("scheme"));
    }

    #[test]
    fn topic_prefixes() {
        for good in ["vessel/sync", "vessels/{vessel_id}/sync", "a"] {
            assert_eq!(problem(Kind::TopicPrefix, good), "", "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "$SYS", "a/#", "a/+/b", "a b", "{vessel}", "{vessel_id", "a\0"] {
            assert_ne!(problem(Kind::TopicPrefix, bad), "", "{bad}");
        }
    }

    #[test]
    fn a_long_value_is_cut_and_a_line_break_is_escaped() {
        assert_eq!(Raw::Text("a\nb".to_owned()).shown(), r#""a\nb""#);
        assert_eq!(Raw::Text("x".repeat(500)).shown().len(), SHOWN_CHARS_MAX + 3);
        assert_eq!(Raw::Text("mqtt://u:p@h".to_owned()).shown(), "\"mqtt://<hidden>@h\"");
    }
}
