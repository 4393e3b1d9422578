//! `hawser demo`: its last line is a count that can be believed, and its exit code says the same.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

use crate::support::hawser;

const KEYS: [&str; 7] =
    ["readings_taken", "readings_stored", "readings_ashore", "records_ashore", "conflicts", "rejected", "lost"];

fn demo(dir: &tempfile::TempDir, more: &[&str]) -> Command {
    let mut command = hawser();
    command.arg("demo").arg("--dir").arg(dir.path().join("demo"));
    command.args(["--listen", "127.0.0.1:0", "--shore-listen", "127.0.0.1:0"]).args(more);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The count in the last line.
fn tally(stdout: &str) -> Json {
    let last = stdout.lines().last().unwrap_or_default();
    let tally: Json = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let keys: BTreeSet<&str> = tally.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(KEYS));
    tally
}

fn number(tally: &Json, key: &str) -> u64 {
    tally[key].as_u64().unwrap_or_else(|| panic!("{key}: {tally}"))
}

#[test]
fn a_demo_ends_with_a_count_and_nothing_lost() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ended = output(demo(&dir, &["--for", "6s"]));
    let tally = tally(&text(&ended.stdout));
    assert!(ended.status.success(), "{tally} {}", text(&ended.stderr));
    assert!(number(&tally, "readings_taken") > 100, "{tally}");
    assert_eq!(number(&tally, "lost"), 0, "{tally}");
    assert_eq!(number(&tally, "readings_taken"), number(&tally, "readings_stored") + number(&tally, "rejected"));
    assert_eq!(number(&tally, "readings_stored"), number(&tally, "readings_ashore"), "{tally}");
    assert!(number(&tally, "records_ashore") > 0, "{tally}");
}

#[test]
fn a_demo_that_loses_a_reading_says_so_and_fails() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ended = output(demo(&dir, &["--for", "3s", "--lose", "1"]));
    assert_eq!(number(&tally(&text(&ended.stdout)), "lost"), 1);
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
}

#[test]
fn a_port_in_use_is_named_with_the_option_that_moves_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    for flag in ["--listen", "--shore-listen"] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = hawser();
        command.args(["demo", "--for", "1s", "--dir"]).arg(dir.path().join("demo"));
        let other = if flag == "--listen" { "--shore-listen" } else { "--listen" };
        command.args([flag, &address.to_string(), other, "127.0.0.1:0"]);
        let ended = output(command);
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains(&address.port().to_string()) && told.contains(&format!("`{flag} ")), "{told}");
        assert!(!dir.path().join("demo").exists(), "it is said before anything is touched");
    }
}

#[test]
fn ctrl_c_ends_a_demo_in_order_with_its_count() {
    struct Guard(Child);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = demo(&dir, &[]);
    let mut running = Guard(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("it is piped"));
    let mut said = String::new();
    while !said.contains("Ctrl-C") {
        assert_ne!(lines.read_line(&mut said).expect("text"), 0, "it ended: {said}");
    }
    let pid = Pid::from_raw(i32::try_from(running.0.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it is ours");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("text");
    let status = running.0.wait().expect("it is our child");
    assert_eq!(number(&tally(&rest), "lost"), 0);
    assert!(status.success(), "{status}: {rest}");
}
