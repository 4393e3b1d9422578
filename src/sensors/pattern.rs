//! Which paths and sources a rule of the configuration means.

/// Whether `path` is what the pattern names: itself, `*`, or all below `navigation.*`.
pub fn matches_path(pattern: &str, path: &str) -> bool {
    matches(pattern, path)
}

/// Whether `source` (`gps.GP`) is what the pattern names: itself, or all of a bus (`gps.*`, `gps`).
pub fn matches_source(pattern: &str, source: &str) -> bool {
    matches(pattern, source) || source.split_once('.').is_some_and(|(bus, _)| bus == pattern)
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => text.starts_with(stem),
        None => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_one_or_all_below() {
        assert!(matches_path("navigation.position", "navigation.position"));
        assert!(matches_path("navigation.*", "navigation.position") && matches_path("*", "a"));
        assert!(!matches_path("navigation.*", "navigationX.position"));
        assert!(
            matches_source("gps.GP", "gps.GP") && matches_source("gps.*", "gps.GN") && matches_source("gps", "gps.GN")
        );
        assert!(!matches_source("gps", "gps2.GP"));
    }
}
