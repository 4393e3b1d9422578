//! The tools of an operator: each ends with 0 and says something that can be used; a bad configuration ends with 2.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hawser::shore::hex;
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::support::hawser;
use crate::support::ship::{Ship, VESSEL};
use crate::{readings_come, vessel};

const CAPTURE: &str = "$GPGLL,5000.0,N,00400.0,W,120000,A*3A\r\n$GPGLL,5000.0,N,00400.0,W,120000,A*00\r\n";

/// Runs it with `input`; exit code, standard output, standard error.
fn run(command: &mut Command, input: &str) -> (Option<i32>, String, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the binary starts");
    // A verb that does not read closes the pipe; that is its right.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let ended = child.wait_with_output().expect("it is our child");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

/// Standard output of a verb that must end well.
fn good(args: &[&str], input: &str) -> String {
    let (code, stdout, stderr) = run(hawser().args(args), input);
    assert_eq!(code, Some(0), "{args:?}: {stderr}");
    stdout
}

fn json_lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn text_of(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_answers_its_tools() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let mut gateway = ship.gateway(&ship.write_gateway(&Ship::bus_section("bridge", bus)));
    gateway.start();
    ship.gateway_answers().await;
    readings_come(&ship).await;
    let (dir, url) = (ship.gateway_dir(), ship.url(""));
    tokio::task::spawn_blocking(move || {
        let dir = text_of(&dir);
        let rows = json_lines(&good(&["query", "--data-dir", dir, "--path", "navigation.*", "--limit", "7"], ""));
        assert_eq!(rows.len(), 7);
        let path = rows[0]["path"].as_str().unwrap_or_default();
        assert!(path.starts_with("navigation.") && rows[0]["source"].as_str().is_some(), "{rows:?}");
        let status = good(&["status", "--url", &url], "");
        assert!(status.starts_with(VESSEL) && status.contains("bridge"), "{status}");
        let status = json_lines(&good(&["status", "--url", &url, "--json"], ""));
        assert_eq!(status[0]["vessel"]["id"], VESSEL);
        let pruned = json_lines(&good(&["prune", "--url", &url, "--data-dir", dir], ""));
        assert_eq!((&pruned[0]["success"], &pruned[0]["telemetryDeleted"]), (&true.into(), &0.into()));
    })
    .await
    .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    drop(sim);
    assert!(gateway.stop(Signal::SIGTERM).success());
    let (code, _, told) = run(hawser().args(["status", "--url", &ship.url("")]), "");
    assert!(code == Some(1) && told.contains("--url"), "nobody there: {told}");
}

#[test]
fn a_configuration_is_checked_with_all_errors_at_once() {
    let ship = Ship::new();
    let good_one = ship.write_gateway(&format!("{}{}", Ship::broker_section(1883), ship.shore_section()));
    let shown = good(&["check", text_of(&good_one)], "");
    assert!(shown.contains("vessel.id") && shown.contains("\"aurora\"") && shown.contains("<hidden>"), "{shown}");
    let shore = ship.write_shore("shore_wins");
    assert!(good(&["check", text_of(&shore)], "").contains("shore_wins"));

    let bad = ship.path().join("bad.toml");
    let text = "[vessel]\nid = \"mv aurora\"\n[http]\nlisten = \"everywhere\"\n[store]\ncommit_intervall_ms = 5\n";
    std::fs::write(&bad, text).expect("the temporary directory can be written");
    for verb in [&["check"][..], &["gateway", "--config"]] {
        let (code, _, told) = run(hawser().args(verb).arg(&bad), "");
        assert_eq!(code, Some(2), "{told}");
        for wrong in ["vessel.id", "http.listen", "commit_intervall_ms"] {
            assert!(told.contains(wrong), "{wrong} is not in {told}");
        }
    }
}

#[test]
fn a_token_and_its_hash_belong_together() {
    let said = good(&["token"], "");
    let quoted: Vec<&str> = said.split('"').skip(1).step_by(2).collect();
    assert_eq!(quoted.len(), 2, "{said}");
    assert_eq!(hex(&Sha256::digest(quoted[0].as_bytes())), quoted[1]);
    assert_ne!(said, good(&["token"], ""), "each is another");
}

#[test]
fn a_shell_gets_its_completions() {
    let script = good(&["completions", "bash"], "");
    assert!(script.contains("_hawser()") && script.contains("gateway") && script.contains("--data-dir"), "{script}");
}

#[test]
fn a_capture_is_decoded_from_a_file_and_from_standard_input() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("capture.nmea");
    std::fs::write(&file, CAPTURE).expect("the temporary directory can be written");
    let (code, from_file, summary) = run(hawser().args(["decode", "--format", "nmea0183"]).arg(&file), "");
    assert_eq!(code, Some(0), "{summary}");
    assert!(summary.contains("bad_checksum 1"), "{summary}");
    let rows = json_lines(&from_file);
    let position = rows.iter().find(|row| row["path"] == "navigation.position");
    assert!(position.is_some(), "{from_file}");
    assert_eq!(good(&["decode", "--format", "nmea0183", "-"], CAPTURE), from_file);
    let raw = good(&["decode", "--format", "nmea0183", "--raw", "-"], CAPTURE);
    assert!(json_lines(&raw).len() == 1 && raw.contains("GLL"), "{raw}");
    let (code, _, told) = run(hawser().args(["decode", "--format", "nmea0183", "no-such-file"]), "");
    assert!(code == Some(1) && told.contains("no-such-file"), "{told}");
}
