//! Heads and sizes: every file opens with `//!`; lines, functions and files have a limit.

use super::Finding;
use super::lexer::{Source, is_name};

/// Columns of a line, as rustfmt has it.
pub const LINE_CHARS_MAX: usize = 120;
/// Lines of a function, from its signature to its brace. Aim at 40.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file. Aim at 300.
pub const FILE_LINES_MAX: usize = 600;

/// Files that may be longer, with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Files whose lines may be longer, with the reason.
const LONG_LINES: &[(&str, &str)] = &[("tests/config/messages.rs", "a message is compared as the one line that it is")];

/// Checks one file.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let mut add = |line: usize, rule: &'static str, text: String, instead: &str| {
        found.push(Finding { file: source.file.to_owned(), line, rule, text, instead: instead.to_owned() });
    };
    if !source.text.starts_with("//!") {
        add(1, "head", "no `//!` on the first line".to_owned(), "say what the file is and what it refuses to do");
    }
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX && !LONG_FILES.iter().any(|(file, _)| *file == source.file) {
        let instead = "parts with a name of their own, or a row with the reason in LONG_FILES";
        add(1, "file length", format!("{lines} lines, the limit is {FILE_LINES_MAX}"), instead);
    }
    for (index, line) in source.text.lines().enumerate() {
        let chars = line.chars().count();
        if chars > LINE_CHARS_MAX && !LONG_LINES.iter().any(|(file, _)| *file == source.file) {
            add(index + 1, "line length", format!("{chars} columns, the limit is {LINE_CHARS_MAX}"), "break it");
        }
    }
    for (name, line, lines) in functions(source) {
        if lines > FUNCTION_LINES_MAX {
            let text = format!("`{name}` has {lines} lines, the limit is {FUNCTION_LINES_MAX}");
            add(line, "function length", text, "shorter functions with names that say what they do");
        }
    }
}

/// Name, first line and number of lines of each function with a body.
fn functions(source: &Source<'_>) -> Vec<(String, usize, usize)> {
    let mut all = Vec::new();
    for at in source.find("fn") {
        let name: String = source.code[at + 2..].trim_start().chars().take_while(|c| is_name(*c)).collect();
        let Some(open) = body(&source.code[at..]).filter(|_| !name.is_empty()) else { continue };
        let (first, last) = (source.line(at), source.line(source.closing(at + open)));
        all.push((name, first, last - first + 1));
    }
    all
}

/// Where the body opens: the first brace outside parentheses and brackets; none in a declaration.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}
