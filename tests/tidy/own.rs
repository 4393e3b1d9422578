//! The checker's own tests: for each rule a bad snippet that must be caught and a good one that must pass.

use super::lexer::Source;
use super::{Finding, check};

fn found(file: &str, code: &str) -> Vec<String> {
    check(file, &format!("//! Head.\n{code}\n")).iter().map(Finding::to_string).collect()
}

/// Asserts that `code` in `file` breaks `rule` on its first line, and nothing else.
fn caught(file: &str, code: &str, rule: &str) {
    let found = found(file, code);
    assert!(found.iter().any(|line| line.starts_with(&format!("{file}:2: {rule}: "))), "{rule}, {code}: {found:?}");
}

fn passes(file: &str, code: &str) {
    assert_eq!(found(file, code), Vec::<String>::new(), "{file}: {code}");
}

#[test]
fn a_finding_says_where_what_and_what_instead() {
    let line = found("src/bus.rs", "let t = Instant::now();").join("\n");
    let instead = "`clock.now().mono_ms`; at an I/O edge tokio's sleep, timeout or interval";
    assert_eq!(line, format!("src/bus.rs:2: banned call: `Instant::now`; instead: {instead}"));
}

#[test]
fn heads() {
    assert_eq!(check("src/bus.rs", "use std::fmt;\n")[0].rule, "head");
    assert_eq!(check("tests/bus.rs", "")[0].rule, "head");
    passes("src/bus.rs", "use std::fmt;");
}

#[test]
fn lengths() {
    let function = |lines: usize| format!("fn long(x: [u8; 3]) -> u8 {{\n{}}}", "    let _ = '{';\n".repeat(lines - 2));
    caught("src/bus.rs", &function(71), "function length");
    passes("src/bus.rs", &function(70));
    passes("src/bus.rs", &format!("trait T {{\n    fn declared(&self);\n{}}}", "    const A: u8 = 1;\n".repeat(80)));
    caught("src/bus.rs", &format!("// {}", "x".repeat(118)), "line length");
    passes("src/bus.rs", &format!("// {}", "x".repeat(117)));
    assert!(found("src/bus.rs", &"\n".repeat(600)).join("").contains("file length"));
    passes("src/bus.rs", &"\n".repeat(598));
}

#[test]
fn calls_outside_their_home() {
    for code in ["std::time::SystemTime::now()", "jiff::Timestamp::now()", "Uuid::new_v4()", "getrandom::fill(b)"] {
        caught("src/store/mod.rs", code, "banned call");
        passes("tests/store.rs", code);
    }
    passes("src/clock.rs", "SystemTime::now()");
    passes("src/entropy.rs", "getrandom::fill(b)");
    for code in
        ["todo!()", "dbg!(x)", "mpsc::unbounded_channel()", "std::sync::mpsc::channel()", "#[ignore]\nfn x() {}"]
    {
        caught("src/store/mod.rs", code, "banned call");
        caught("tests/store.rs", code, "banned call");
    }
    for code in ["println!(\"x\")", "x.unwrap()", "std::process::exit(1)"] {
        caught("src/store/mod.rs", code, "banned call");
        passes("tests/store.rs", code);
        passes("src/store/mod.rs", &format!("#[cfg(test)]\nmod tests {{\n    fn f() {{ {code} }}\n}}"));
        caught("src/store/mod.rs", &format!("fn f() {{ {code} }}\n#[cfg(test)]\nmod tests {{}}"), "banned call");
    }
    passes("src/main.rs", "fn main() { println!(\"x\"); std::process::exit(1) }");
    caught("src/store/mod.rs", "fn f() { x.expect(\"\") }", "banned call");
}

#[test]
fn code_that_only_looks_like_a_banned_call_passes() {
    for code in [
        "mpsc::channel(8)",
        "operand::Kind",
        "x.unwrap_or_default()",
        "x.expect(\"why\")",
        "// never todo!() nor Instant::now()",
        "/* dbg!(x) /* nested */ todo!() */",
        "let a = \"todo!() \\\" dbg!()\";",
        "let a = r#\"todo!() \" dbg!()\"#;",
        "let a = br\"todo!()\";",
        "let (a, b) = ('\"', \"todo!()\");",
        "let (a, b) = ('\\'', \"todo!()\");",
        "let a = b'\\\\'; // todo!()",
        "fn f<'a>(x: &'a str) -> &'a str { x } // todo!()",
    ] {
        passes("src/store/mod.rs", code);
    }
    caught("src/store/mod.rs", "let a = \"x\"; todo!()", "banned call");
    caught("src/store/mod.rs", "fn f<'a>(x: &'a str) { todo!() }", "banned call");
    caught("src/store/mod.rs", "let (a, b) = ('\"', '\"'); todo!()", "banned call");
}

#[test]
fn the_code_keeps_its_places() {
    let text = "//! \u{e9}\nlet a = \"\u{1f6a2}\nb\"; /* c\n */ dbg";
    let source = Source::new("src/bus.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert_eq!(source.line(source.find("dbg")[0]), 4);
}

#[test]
fn layers() {
    for (file, code) in [
        ("src/sensors/tcp.rs", "use crate::store::telemetry::Writer;"),
        ("src/store/mod.rs", "use crate::{clock::Stamp, uplink};"),
        ("src/store/mod.rs", "fn f(x: crate::sync::Plan) {}"),
        ("src/uplink/mod.rs", "use crate::{reading::{Value, Path}, sync::hub};"),
        ("src/clock.rs", "use crate::reading::Reading;"),
        ("src/shore.rs", "use crate::wire::nmea0183;"),
        ("src/api/mod.rs", "use crate::gateway;"),
        ("src/wire/mod.rs", "use tokio::net::TcpStream;"),
        ("src/wire/mod.rs", "use std::fs::File;"),
        ("src/wire/can/mod.rs", "use std::time::Instant;"),
        ("src/sync/hub.rs", "use super::super::api;"),
        ("src/galley.rs", "struct Cook;"),
    ] {
        let found = found(file, code);
        assert!(found.iter().any(|line| line.contains(": layers: ")), "{file}: {code}: {found:?}");
    }
    for (file, code) in [
        ("src/sensors/tcp.rs", "use crate::wire::nmea0183::Decoder;\nuse tokio::net::TcpStream;"),
        ("src/store/records/mod.rs", "use crate::store::sqlite;\nuse crate::clock::Clock;"),
        ("src/wire/mod.rs", "use crate::clock::Stamp; // no tokio, no std::fs"),
        ("src/main.rs", "use hawser::{gateway, shore};"),
        ("src/api/mod.rs", "crate::macro_of_no_layer!();"),
        ("tests/trip.rs", "use hawser::{shore, sensors};"),
    ] {
        passes(file, code);
    }
}

#[test]
fn what_no_file_may_hold() {
    let host = ["crates", ".io"].concat();
    caught("README.md", &format!("see https://{host}/x"), "registry");
    passes("Cargo.lock", &format!("registry+https://github.com/rust-lang/{host}-index"));
    let dir = ["/wo", "rk/"].concat();
    caught("Makefile", &format!("cd {dir}main"), "machine path");
    caught("src/bus.rs", &format!("// see {dir}notes"), "machine path");
    passes("Makefile", &format!("cd build{dir}x"));
    let block = ["-----BEGIN EC PRIVATE ", "KEY-----"].concat();
    caught("configs/x.pem", &block, "private key");
    passes("configs/x.pem", "-----BEGIN CERTIFICATE-----");
    caught("src/bus.rs", &["// FIX", "ME later"].concat(), "marker");
    passes("src/bus.rs", "// a method to do it");
    caught("src/bus.rs", "// a \u{2014} b", "punctuation");
    passes("src/bus.rs", "// 3 \u{d7} 4 \u{f7} 2, IEC 61162-1 \u{a7}8");
    passes("tests/bus.rs", "let a = \"\u{2014}\";");
}
