//! The gateway under systemd, and beside a peer that means it harm.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;

use hawser::entropy::Entropy;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::ship::Ship;
use crate::support::{PATIENCE, Process, eventually, hawser};
use crate::{readings_come, vessel};

#[test]
fn systemd_is_told_ready_alive_and_stopping() {
    let ship = Ship::new();
    let path = ship.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut command = hawser();
    command.arg("gateway").arg("--config").arg(ship.write_gateway(""));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "500000");
    let mut gateway = Process::new("the gateway", &ship.path().join("gateway.log"), command);
    gateway.start();
    let hear = || {
        let mut bytes = [0; 512];
        let count = socket.recv(&mut bytes).expect("systemd is told something");
        String::from_utf8_lossy(&bytes[..count]).trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    let status = gateway.stop(Signal::SIGTERM);
    let mut last = hear();
    while last == "WATCHDOG=1" {
        last = hear();
    }
    assert_eq!(last, "STOPPING=1");
    assert_eq!(status.code(), Some(0), "{}", gateway.said());
}

#[tokio::test]
async fn what_the_system_below_says_of_the_data_is_an_alarm() {
    let ship = Ship::new();
    let told = ship.path().join("why");
    std::fs::write(&told, "/data is locked: plug in the stick\nand this is for nobody\n").expect("a file");
    let mut command = hawser();
    command.arg("gateway").arg("--config").arg(ship.write_gateway("")).env("DATA_ALARM_FILE", &told);
    let mut gateway = Process::new("the gateway", &ship.path().join("gateway.log"), command);
    gateway.start();
    ship.gateway_answers().await;
    let status = ship.status().await.expect("it answers");
    assert_eq!(status["alarms"], json!(["/data is locked: plug in the stick"]));
}

/// Sentences with a checksum that does not fit.
const BAD_CHECKSUMS: usize = 50;

/// Bytes of noise, and of a sentence that never ends.
const NOISE_BYTES: usize = 64 * 1_024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_one_bus_is_counted_and_costs_the_other_nothing() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let evil = hostile_peer().await;
    let more = format!("{}{}", Ship::bus_section("bridge", bus), Ship::bus_section("evil", evil));
    let mut gateway = ship.gateway(&ship.write_gateway(&more));
    gateway.start();
    ship.gateway_answers().await;
    readings_come(&ship).await;
    eventually("the garbage is counted by reason", async || {
        let status = ship.status().await?;
        let evil = status["buses"].as_array().and_then(|all| all.iter().find(|bus| bus["name"] == "evil"));
        let counts = evil.ok_or("no such bus")?["rejected_by_reason"].clone();
        let count = |reason: &str| counts[reason].as_u64().unwrap_or(0);
        let all_told = count("bad_checksum") >= BAD_CHECKSUMS as u64 && count("too_long") > 0;
        if all_told && count("not_a_sentence") > 0 { Ok(()) } else { Err(counts.to_string()) }
    })
    .await;
    let status = ship.status().await.expect("the status");
    let buses = status["buses"].as_array().expect("a list");
    let of = |name: &str| buses.iter().find(|bus| bus["name"] == name).expect("both are there");
    assert_eq!((&of("evil")["readings"], &of("bridge")["rejected"]), (&0.into(), &0.into()), "{status}");
    let taken = sim.stop().await;
    assert!(gateway.stop(Signal::SIGTERM).success(), "{}", gateway.said());
    let stored = crate::support::stores::readings_on_board(&ship.gateway_dir());
    assert_eq!(stored.len() as u64, taken, "nothing of the good bus is lost, nothing of the bad one stored");
}

/// A TCP server that tells each client noise, wrong checksums, and a sentence without an end; then it hangs up.
async fn hostile_peer() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    // No byte that starts a sentence: how much of the noise is counted under which reason is then known.
    let random = Entropy::seeded(3);
    let byte = |_| u8::try_from(random.below(256)).expect("a byte");
    let noise = (0..NOISE_BYTES).map(byte).filter(|byte| !b"$!\\".contains(byte));
    let mut garbage: Vec<u8> = noise.collect();
    garbage.extend_from_slice(b"\r\n");
    garbage.extend("$GPGLL,5000.0,N,00400.0,W,120000,A*00\r\n".repeat(BAD_CHECKSUMS).bytes());
    garbage.extend_from_slice(b"$GP");
    garbage.resize(garbage.len() + NOISE_BYTES, b'A');
    tokio::spawn(async move {
        loop {
            let Ok((mut client, _)) = listener.accept().await else { continue };
            let _ = client.write_all(&garbage).await;
            let _ = client.shutdown().await;
        }
    });
    address
}
