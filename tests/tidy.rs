//! Style as an ordinary test (STYLE.md, habit 12): layers, file heads, lengths, banned calls, and what must not be in
//! the tree at all. Each finding is printed as `file:line: rule: text; instead: replacement`.
//!
//! It reads text, not types: a rule that needs a compiler is clippy's. A finding that is right to ignore gets a row
//! with its reason in one of the tables here, never a marker in the code.

#[path = "tidy/banned.rs"]
mod banned;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/own.rs"]
mod own;
#[path = "tidy/sizes.rs"]
mod sizes;

use std::fmt;
use std::path::Path;

use lexer::Source;

/// One thing to mend.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    file: String,
    line: usize,
    rule: &'static str,
    text: String,
    instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, text, instead } = self;
        write!(f, "{file}:{line}: {rule}: {text}; instead: {instead}")
    }
}

/// Where Rust code of ours is.
const CODE: [&str; 4] = ["src", "tests", "benches", "fuzz"];

/// Directories that hold nothing of ours.
const SKIPPED: [&str; 5] = ["target", ".git", "node_modules", "__pycache__", "fuzz/target"];

/// A text file larger than this is data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Everything wrong in one file.
fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    banned::anywhere(file, text, &mut found);
    if file.ends_with(".rs") && CODE.iter().any(|dir| file.starts_with(&format!("{dir}/"))) {
        let source = Source::new(file, text);
        sizes::check(&source, &mut found);
        banned::calls(&source, &mut found);
        layers::check(&source, &mut found);
    }
    found.sort_by_key(|finding| finding.line);
    found
}

fn visit(root: &Path, dir: &str, each: &mut impl FnMut(&str, &str)) {
    let mut entries: Vec<_> = std::fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().expect("file names are UTF-8");
        let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
        let kind = entry.file_type().unwrap();
        if SKIPPED.contains(&name.as_str()) || SKIPPED.contains(&path.as_str()) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            visit(root, &path, each);
        } else if entry.metadata().unwrap().len() <= TEXT_BYTES_MAX
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            each(&path, &text);
        }
    }
}

#[test]
fn the_tree_is_tidy() {
    let (mut found, mut files) = (Vec::new(), 0);
    visit(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut |file, text| {
        files += 1;
        found.append(&mut check(file, text));
    });
    assert!(files > 10, "found only {files} files to check");
    let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} findings\n{}", lines.len(), lines.join("\n"));
}
