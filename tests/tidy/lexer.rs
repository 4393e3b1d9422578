//! Just enough of Rust's lexer to tell code from comments and texts, and tests from the rest.
//!
//! The code keeps its length and line breaks: every other character of a comment or a text becomes a space.

/// One Rust file.
pub struct Source<'a> {
    /// Path from the root of the tree.
    pub file: &'a str,
    /// As it was written.
    pub text: &'a str,
    /// Without comments and the insides of texts.
    pub code: String,
    /// Byte ranges of `code` that only tests compile.
    tests: Vec<std::ops::Range<usize>>,
}

impl<'a> Source<'a> {
    /// Reads `text`.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let code = blank(text);
        let tests = if is_test_file(file) { std::iter::once(0..code.len()).collect() } else { test_items(&code) };
        Self { file, text, code, tests }
    }

    /// Whether the byte `at` is compiled for tests only.
    pub fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The line of the byte `at`, from 1.
    pub fn line(&self, at: usize) -> usize {
        1 + self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
    }

    /// Where `pattern` stands in the code, not as the tail of a longer name.
    pub fn find(&self, pattern: &str) -> Vec<usize> {
        let starts_name = pattern.starts_with(is_name);
        let ends_name = pattern.ends_with(is_name);
        let whole = |at: &usize| {
            let before = self.code[..*at].chars().next_back();
            let after = self.code[*at + pattern.len()..].chars().next();
            !(starts_name && before.is_some_and(is_name) || ends_name && after.is_some_and(is_name))
        };
        self.code.match_indices(pattern).map(|(at, _)| at).filter(whole).collect()
    }

    /// The byte after the brace that closes the one at `open`.
    pub fn closing(&self, open: usize) -> usize {
        closing(&self.code, open)
    }
}

fn is_test_file(file: &str) -> bool {
    file.starts_with("tests/")
        || file.starts_with("benches/")
        || file.ends_with("/tests.rs")
        || file.contains("/tests/")
}

/// Whether `c` may be part of a name.
pub fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let marks = code.match_indices("#[cfg(test)]").chain(code.match_indices("#[cfg(all(test"));
    marks
        .map(|(at, _)| {
            let end = code[at..].find(['{', ';']).map_or(code.len(), |offset| at + offset);
            let braced = code[end..].starts_with('{');
            at..if braced { closing(code, end) } else { end }
        })
        .collect()
}

fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let before = out.chars().next_back();
        let (kept_head, skipped, kept_tail) = token(rest, before.is_some_and(is_name));
        out.push_str(&rest[..kept_head]);
        out.extend(rest[kept_head..kept_head + skipped].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
        let tail = kept_head + skipped;
        out.push_str(&rest[tail..tail + kept_tail]);
        rest = &rest[(tail + kept_tail).max(c.len_utf8())..];
    }
    out
}

/// How many bytes at the start of `rest` to keep, then to blank, then to keep.
fn token(rest: &str, in_name: bool) -> (usize, usize, usize) {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    if rest.starts_with("//") {
        (0, rest.find('\n').unwrap_or(rest.len()), 0)
    } else if rest.starts_with("/*") {
        (0, block_comment(rest), 0)
    } else if let Some((open, close)) = raw_text(rest).filter(|_| !in_name) {
        let inside = rest[open..].find(&close).unwrap_or(rest.len() - open);
        (open, inside, close.len().min(rest.len() - open - inside))
    } else if let Some(text) = rest.strip_prefix('"') {
        let inside = plain_text(text);
        (1, inside, usize::from(1 + inside < rest.len()))
    } else if rest.starts_with('\'') {
        character(rest)
    } else {
        (first, 0, 0)
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"`, `br#"` and so on: the length of the opening and the text of the closing.
fn raw_text(rest: &str) -> Option<(usize, String)> {
    let after = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..]
        .starts_with('"')
        .then(|| (rest.len() - after.len() + hashes + 1, format!("\"{}", "#".repeat(hashes))))
}

fn plain_text(inside: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    inside.len()
}

/// A character, as `'{'`, is blanked; a lifetime, as `'a`, is code.
fn character(rest: &str) -> (usize, usize, usize) {
    let mut chars = rest.char_indices().skip(1);
    let (first, second) = (chars.next(), chars.next());
    match (first, second) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            let end = rest[from..].find('\'').map_or(rest.len(), |offset| from + offset);
            (1, end - 1, usize::from(end < rest.len()))
        }
        (Some((_, c)), Some((_, '\''))) => (1, c.len_utf8(), 1),
        _ => (1, 0, 0),
    }
}
