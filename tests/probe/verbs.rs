//! `hawser probe` and `hawser devices` as an integrator uses them: what is on which output, and the exit codes.

use std::process::{Command, Stdio};

use crate::{BEFORE, DEPTH, appended, talker};
use hawser::sensors::probe::Probed;
use hawser::wire::modbus::map::{BUILTIN, builtin};

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawser"));
    let ended = command.env_clear().args(args).stdin(Stdio::null()).output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_can_be_appended_and_nothing_else_is_on_standard_output() {
    let address = format!("tcp://{}", talker(DEPTH).await);
    let probe = move |more: &[&str]| run(&[&["probe", &address, "--for", "3s"], more].concat());
    let (code, stdout, stderr) = probe(&["--name", "depth"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("2 s of 3 s: "), "progress: {stderr}");
    let config = appended(&Probed { config: stdout, understood: true, hints: Vec::new() });
    assert_eq!((config.bus.len(), &*config.bus[1].name), (2, "depth"));
    let (code, stdout, stderr) = probe(&["--protocol", "nmea2000"]);
    assert_eq!((code, &*stdout), (Some(1), ""), "no frames there: {stderr}");
    assert!(stderr.contains("is it the right port?"), "{stderr}");
}

#[test]
fn what_cannot_be_asked_for_is_bad_usage() {
    for (args, why) in [
        (&["tcp://127.0.0.1"][..], "tcp://host:port"),
        (&["tcp://127.0.0.1:1", "--baud", "4800"], "serial://"),
        (&["tcp://127.0.0.1:1", "--parity", "even"], "serial://"),
        (&["tcp://127.0.0.1:1", "--protocol", "morse"], "iec61162-450"),
        (&["tcp://127.0.0.1:1", "--units", "1"], "--protocol modbus"),
        (&["tcp://127.0.0.1:1", "--protocol", "modbus", "--units", "0-5"], "1-10,17"),
        (&["can://can0", "--protocol", "modbus"], "serial:///dev/"),
    ] {
        let (code, stdout, stderr) = run(&[&["probe"], args].concat());
        assert_eq!((code, &*stdout), (Some(2), ""), "{args:?}: {stderr}");
        assert!(stderr.contains(why), "{args:?}: {stderr}");
    }
    let (code, _, stderr) = run(&["probe", "can://nocan0", "--for", "1s"]);
    assert!(code == Some(1) && stderr.contains("nocan0") && stderr.contains("ip link"), "{stderr}");
}

#[test]
fn maps_are_listed_printed_and_checked() {
    let (code, listed, _) = run(&["devices"]);
    assert_eq!(code, Some(0));
    for (name, text) in BUILTIN {
        let map = builtin(name).expect("it is built in").expect("it is sound");
        let line =
            format!("{name}: {} {} ({}), {} values", map.manufacturer, map.model, map.function, map.values.len());
        assert!(listed.contains(&line) && listed.contains(&map.document), "{line} is not in\n{listed}");
        assert_eq!(run(&["devices", name]), (Some(0), (*text).to_owned(), String::new()));
    }
    let (code, stdout, stderr) = run(&["devices", "enigma"]);
    assert!(code == Some(2) && stdout.is_empty() && stderr.contains("eastron-sdm630"), "{stderr}");

    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("meter.toml");
    let path = file.to_str().expect("UTF-8");
    let (_, meter) = BUILTIN[0];
    std::fs::write(&file, meter).expect("the temporary directory can be written");
    let (code, stdout, stderr) = run(&["devices", "--check", path]);
    assert!(code == Some(0) && stdout.contains("meter.toml: Eastron"), "{stdout}{stderr}");
    std::fs::write(&file, meter.replacen("unit = \"V\"", "unit = \"volt\"", 1)).expect("it can be written again");
    let (code, _, stderr) = run(&["devices", "--check", path]);
    assert_eq!(code, Some(2));
    for part in ["meter.toml:", "value[0].unit", "`volt`", "accepted: "] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    let (code, _, stderr) = run(&["devices", "--check", &format!("{path}.none")]);
    assert!(code == Some(2) && stderr.contains("meter.toml.none") && BEFORE.contains("[vessel]"), "{stderr}");
}
