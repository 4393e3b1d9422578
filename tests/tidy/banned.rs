//! What may not be called outside its home, and what may not be in the tree at all. Each with its replacement.

use super::Finding;
use super::lexer::Source;

/// Where a ban holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In all of our code.
    Everywhere,
    /// In `src/`, its unit tests too.
    Product,
    /// In `src/` outside tests.
    ProductNotTests,
}
use Where::{Everywhere, Product, ProductNotTests};

struct Ban {
    calls: &'static [&'static str],
    place: Where,
    /// Files, or directories with a slash at the end, where it is allowed.
    homes: &'static [&'static str],
    instead: &'static str,
}

const CLOCK: &[&str] = &["src/clock.rs"];
const ENTROPY: &[&str] = &["src/entropy.rs"];
/// The verbs: what they print is what a person asked for.
const TALKERS: &[&str] =
    &["src/main.rs", "src/demo.rs", "src/decode.rs", "src/replay.rs", "src/sim/serve.rs", "src/cli.rs", "src/cli/"];

const BANS: &[Ban] = &[
    Ban {
        calls: &["SystemTime::now", "Timestamp::now", "Zoned::now", "Utc::now", "Local::now"],
        place: Product,
        homes: CLOCK,
        instead: "take a `Clock` and ask `clock.now().wall` (invariant 8)",
    },
    Ban {
        calls: &["Instant::now"],
        place: Product,
        homes: CLOCK,
        instead: "`clock.now().mono_ms`; at an I/O edge tokio's sleep, timeout or interval",
    },
    Ban {
        calls: &["thread_rng", "rand::", "getrandom", "fastrand::", "Uuid::new_v4", "Uuid::now_v7", "RandomState::new"],
        place: Product,
        homes: ENTROPY,
        instead: "take an `Entropy` (invariant 8)",
    },
    Ban {
        calls: &["unbounded_channel", "mpsc::unbounded", "UnboundedSender", "UnboundedReceiver", "mpsc::channel()"],
        place: Everywhere,
        homes: &[],
        instead: "a channel with a named bound and a stated full behaviour (invariant 6)",
    },
    Ban {
        calls: &["todo!", "unimplemented!", "dbg!"],
        place: Everywhere,
        homes: &[],
        instead: "the finished code, or nothing",
    },
    Ban {
        calls: &["println!", "print!", "eprintln!", "eprint!"],
        place: ProductNotTests,
        homes: TALKERS,
        instead: "`tracing`, or return the text to the verb that prints it",
    },
    Ban {
        calls: &[".unwrap()", ".unwrap_err()", ".unwrap_unchecked()"],
        place: ProductNotTests,
        homes: &[],
        instead: "`?`, or `expect` with why it cannot fail",
    },
    Ban { calls: &[".expect(\"\")"], place: Everywhere, homes: &[], instead: "`expect` with why it cannot fail" },
    Ban {
        calls: &["process::exit", "process::abort"],
        place: ProductNotTests,
        // The second Ctrl-C of somebody who will not wait.
        homes: &["src/main.rs", "src/cli/serve.rs"],
        instead: "return an error; `main` chooses the exit code",
    },
    Ban { calls: &["#[ignore"], place: Everywhere, homes: &[], instead: "a test that runs, or none" },
];

/// Checks the calls of one file.
pub fn calls(source: &Source<'_>, found: &mut Vec<Finding>) {
    for ban in BANS {
        let home = |home: &&str| source.file == *home || (home.ends_with('/') && source.file.starts_with(*home));
        if ban.homes.iter().any(home) || (ban.place != Everywhere && !source.file.starts_with("src/")) {
            continue;
        }
        for call in ban.calls {
            for at in source.find(call) {
                if ban.place == ProductNotTests && source.is_test(at) {
                    continue;
                }
                let (line, instead) = (source.line(at), ban.instead.to_owned());
                let text = format!("`{call}`");
                found.push(Finding { file: source.file.to_owned(), line, rule: "banned call", text, instead });
            }
        }
    }
}

/// Written in two parts, so that this file does not hold what it forbids.
const REGISTRIES: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("rsproxy", ".cn"),
    ("registry.npm", "js.org"),
    ("registry.yarn", "pkg.com"),
    ("npm", "mirror.com"),
    ("pypi", ".org"),
    ("python", "hosted.org"),
    ("proxy.golang", ".org"),
    ("deb.debian", ".org"),
    ("security.debian", ".org"),
    ("archive.ubuntu", ".com"),
    ("ftp.debian", ".org"),
    ("dl-cdn.alpine", "linux.org"),
];

/// Files that tools write with a registry's name in them.
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "fuzz/Cargo.lock"];

/// Punctuation that looks like ASCII and is not: it breaks searching, and pasting into a shell.
const LOOKALIKES: &[(char, &str)] = &[
    ('\u{2012}', "-"),
    ('\u{2013}', "-"),
    ('\u{2014}', ": or ("),
    ('\u{2015}', "-"),
    ('\u{2212}', "-"),
    ('\u{2018}', "'"),
    ('\u{2019}', "'"),
    ('\u{201c}', "\""),
    ('\u{201d}', "\""),
    ('\u{2026}', "..."),
    ('\u{2022}', "-"),
    ('\u{2190}', "<-"),
    ('\u{2192}', "->"),
    ('\u{a0}', "a space"),
    ('\u{200b}', "nothing"),
    ('\u{feff}', "nothing"),
];

/// Checks what no file may hold, of whatever kind.
pub fn anywhere(file: &str, text: &str, found: &mut Vec<Finding>) {
    for (index, line) in text.lines().enumerate() {
        let mut add = |rule: &'static str, text: String, instead: &str| {
            let (file, instead) = (file.to_owned(), instead.to_owned());
            found.push(Finding { file, line: index + 1, rule, text, instead });
        };
        for (head, tail) in REGISTRIES {
            let host = format!("{head}{tail}");
            if line.contains(&host) && !LOCK_FILES.contains(&file) {
                add("registry", format!("`{host}`"), "the tool's own configuration; the tree names no registry");
            }
        }
        if holds_work_path(line) {
            add("machine path", "a path of one machine".to_owned(), "a path from the root of the tree");
        }
        if line.contains("-----BEGIN") && line.contains(&format!("PRIVATE {}", "KEY")) {
            add("private key", "a private key".to_owned(), "a key made when the test runs");
        }
        if file.ends_with(".rs") && ["FIX", "TO"].iter().zip(["ME", "DO"]).any(|(a, b)| marked(line, a, b)) {
            add("marker", "a note to finish it later".to_owned(), "the finished code, or an issue");
        }
        if let Some((bad, instead)) = LOOKALIKES.iter().find(|(bad, _)| file.starts_with("src/") && line.contains(*bad))
        {
            add("punctuation", format!("U+{:04X}", u32::from(*bad)), instead);
        }
    }
}

fn marked(line: &str, head: &str, tail: &str) -> bool {
    let word = format!("{head}{tail}");
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|part| part == word)
}

fn holds_work_path(line: &str) -> bool {
    let path = format!("/{}/", "work");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | '*'))
    })
}
