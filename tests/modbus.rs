//! Modbus over pseudo-terminals, over TCP and with serial frames over TCP: against the simulated devices with all their
//! faults, against devices that are played word by word, and against somebody else's server. Nothing here is timed:
//! events are waited for, and only a hang ends in a failure.

#[path = "modbus/pty.rs"]
mod pty;
#[path = "modbus/pymodbus.rs"]
mod pymodbus;
#[path = "modbus/rig.rs"]
mod rig;
#[path = "modbus/zeek.rs"]
mod zeek;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawser::config::gateway::Format;
use hawser::reading::{Quality, Value};
use hawser::sim::modbus::{Device, Fault, ModbusDevices};
use hawser::wire::modbus::map::{BUILTIN, Meaning, ValueSpec, builtin};
use hawser::wire::modbus::rtu;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use rig::{MapFile, Rig, assert_none_is_wrong, of_address};

/// Short, so that lost questions cost a test little; a loaded machine answers far sooner.
const QUICK: Duration = Duration::from_millis(80);

/// Simulated devices whose registers say their own address, by unit id.
fn devices(units: &[u8], map: &MapFile) -> Arc<ModbusDevices> {
    let device = |unit: &u8| Device {
        unit: *unit,
        map: map.map(),
        instance: format!("u{unit}"),
        values: Arc::new(|path: &str| of_address(path)),
    };
    ModbusDevices::new(units.iter().map(device).collect())
}

/// Plays a device on a serial line: `answer` is told the number of each question and its bytes; it says what goes back.
async fn play(mut port: pty::Devices, mut answer: impl FnMut(usize, &[u8; 8]) -> Vec<u8>) {
    let mut question = [0; 8];
    for number in 0.. {
        if port.read_exact(&mut question).await.is_err() {
            return;
        }
        port.write_all(&answer(number, &question)).await.expect("the line is open");
    }
}

/// The frame that answers a question for holding registers, each saying its own address.
fn own_address(question: &[u8; 8]) -> Vec<u8> {
    let word = |at: usize| u16::from_be_bytes([question[at], question[at + 1]]);
    let (address, count) = (word(2), word(4));
    let mut frame = vec![question[0], question[1], (2 * count) as u8];
    // A 32-bit value says its first register's address in its second.
    let said = |at: u16| if count == 2 { [0, 1_000 + address][usize::from(at)] } else { 1_000 + address + at };
    frame.extend((0..count).flat_map(|at| said(at).to_be_bytes()));
    frame.extend(rtu::checksum(&frame).to_le_bytes());
    frame
}

#[tokio::test]
async fn no_fault_on_a_serial_line_makes_a_reading_and_each_is_counted() {
    for (fault, reason) in [
        (Fault::Dead, "modbus_timeout"),
        (Fault::WrongUnit, "modbus_wrong_unit"),
        (Fault::WrongFunction, "modbus_wrong_function"),
        (Fault::WrongLength, "modbus_wrong_length"),
        (Fault::Short(2), "modbus_short_answer"),
        (Fault::WrongChecksum, "modbus_checksum"),
        (Fault::Exception(4), "modbus_exception_server_device_failure"),
        (Fault::Garbage(vec![0xFF; 40]), "modbus_wrong_unit"),
        (Fault::Garbage(vec![1, 3, 250, 0, 0]), "modbus_short_answer"),
    ] {
        let map = MapFile::of(&[(0, "u16"), (1, "u16"), (40, "u16"), (80, "u32")]);
        let (port, address, _open) = pty::pair();
        let devices = devices(&[1], &map);
        devices.set_fault(1, fault.clone());
        let server = tokio::spawn(Arc::clone(&devices).serve_serial(port));
        let rig = Rig::new(&address, Format::Default, &[(1, map.name())], QUICK);
        rig.until(reason, |rig| rig.rejected(reason) > 0).await;
        assert!(rig.readings().is_empty(), "{fault:?}");
        devices.set_fault(1, Fault::None);
        rig.until("it is read again", |rig| rig.last().len() == 4 && rig.readings().len() > 20).await;
        assert_none_is_wrong(&rig.stop().await);
        server.abort();
    }
}

#[tokio::test]
async fn answers_to_somebody_else_are_dropped_and_ours_is_heard_behind_them() {
    let map = MapFile::of(&[(0, "u16"), (1, "u16"), (40, "u16"), (80, "u32")]);
    let (port, address, _open) = pty::pair();
    let devices = devices(&[1], &map);
    devices.set_fault(1, Fault::Foreign);
    let server = tokio::spawn(Arc::clone(&devices).serve_serial(port));
    let rig = Rig::new(&address, Format::Default, &[(1, map.name())], QUICK);
    rig.until("it is read", |rig| rig.last().len() == 4 && rig.readings().len() > 20).await;
    assert!(rig.rejected("modbus_wrong_unit") > 4 && rig.rejected("modbus_timeout") == 0, "{:?}", rig.bus().rejected);
    assert_none_is_wrong(&rig.stop().await);
    server.abort();
}

/// tokio-modbus#324, as it happens: the answer comes when the next question is out.
#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next() {
    let map = MapFile::of(&[(0, "u16"), (40, "u16"), (80, "u32")]);
    let (port, address, _open) = pty::pair();
    let asked: Arc<Mutex<Vec<[u8; 8]>>> = Arc::default();
    let noted = Arc::clone(&asked);
    let device = tokio::spawn(play(port, move |number, question| {
        noted.lock().expect("no panic inside").push(*question);
        let before = noted.lock().expect("no panic inside")[number.saturating_sub(1)];
        match number {
            0 => Vec::new(),
            1 => [own_address(&before), own_address(question)].concat(),
            _ => own_address(question),
        }
    }));
    let rig = Rig::new(&address, Format::Default, &[(1, map.name())], QUICK);
    rig.until("all three are read", |rig| rig.last().len() == 3 && rig.readings().len() > 20).await;
    assert_eq!((rig.rejected("modbus_timeout"), rig.rejected("modbus_wrong_length")), (1, 1));
    assert_none_is_wrong(&rig.stop().await);
    let asked = asked.lock().expect("no panic inside").clone();
    assert_ne!(asked[0][4..6], asked[1][4..6], "another length: {asked:x?}");
    device.abort();
}

#[tokio::test]
async fn a_late_answer_over_tcp_costs_neither_the_next_nor_the_connection() {
    let map = MapFile::of(&[(0, "u16"), (40, "u16")]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = format!("tcp://{}", listener.local_addr().expect("bound"));
    let devices = devices(&[1], &map);
    devices.set_fault(1, Fault::Slow(2 * QUICK));
    let server = tokio::spawn(Arc::clone(&devices).serve_tcp(listener));
    let rig = Rig::new(&address, Format::Default, &[(1, map.name())], QUICK);
    rig.until("an answer was late", |rig| rig.rejected("modbus_late_answer") > 0).await;
    devices.set_fault(1, Fault::None);
    rig.until("both are read", |rig| rig.last().len() == 2 && rig.readings().len() > 20).await;
    assert_eq!(rig.bus().reconnects, 0);
    assert_none_is_wrong(&rig.stop().await);
    server.abort();
}

#[tokio::test]
async fn a_dead_unit_costs_its_neighbours_nothing_they_would_notice() {
    let map = MapFile::of(&[(0, "u16"), (40, "u32")]);
    let (port, address, _open) = pty::pair();
    let devices = devices(&[1, 2, 3], &map);
    devices.set_fault(2, Fault::Dead);
    let server = tokio::spawn(Arc::clone(&devices).serve_serial(port));
    let on_line: Vec<_> = [1, 2, 3].map(|unit| (unit, map.name())).to_vec();
    let rig = Rig::new(&address, Format::Default, &on_line, QUICK);
    rig.until("the good units are polled", |_| devices.asked(1) > 100 && devices.asked(3) > 100).await;
    assert!(devices.asked(2) * 20 < devices.asked(1), "{} of {}", devices.asked(2), devices.asked(1));
    let readings = rig.stop().await;
    assert!(readings.iter().all(|reading| &*reading.series.key.source != "power.unit2"));
    assert_none_is_wrong(&readings);
    server.abort();
}

#[tokio::test]
async fn a_line_on_which_somebody_babbles_is_not_asked_on() {
    let map = MapFile::of(&[(0, "u16")]);
    let (mut port, address, _open) = pty::pair();
    let babble = tokio::spawn(async move { while port.write_all(&[1, 3, 2, 0xAB, 0xCD, 7]).await.is_ok() {} });
    let rig = Rig::new(&address, Format::Default, &[(1, map.name())], QUICK);
    rig.until("it gives up", |rig| rig.bus().last_error.contains("never silent")).await;
    assert!(rig.rejected("modbus_unasked_byte") > 1_000, "{:?}", rig.bus().rejected);
    babble.abort();
    assert!(rig.stop().await.is_empty());
}

#[tokio::test]
async fn a_server_of_something_else_is_left_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = format!("tcp://{}", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let map = MapFile::of(&[(0, "u16")]);
    let rig = Rig::new(&address, Format::Default, &[(1, map.name())], QUICK);
    rig.until("it came back", |rig| rig.bus().reconnects >= 2).await;
    assert!(rig.rejected("modbus_header") >= 2 && rig.bus().last_error.contains("does not speak Modbus TCP"));
    assert!(rig.stop().await.is_empty());
    server.abort();
}

/// A value that `spec` can carry, told apart from its neighbours by `at`.
fn carried(spec: &ValueSpec, at: usize) -> Value {
    match &spec.meaning {
        Meaning::Quantity { scale, max, unit, .. } => {
            let number = (100.0 + at as f64) * scale;
            Value::Float(unit.to_si(if number > *max { *max / 2.0 } else { number }))
        }
        Meaning::Words(words) => Value::text(&words[at % words.len()].1),
        other => panic!("no built-in map has {other:?}"),
    }
}

/// Every value of every built-in map, from the simulator's registers (built by other code) to readings.
#[tokio::test]
async fn the_built_in_maps_carry_every_value_over_each_transport() {
    for (name, _) in BUILTIN {
        let map = builtin(name).expect("listed").expect("sound");
        let expected: Vec<_> = map.values.iter().enumerate().map(|(at, v)| (v.path_of("u7"), carried(v, at))).collect();
        let values = expected.clone();
        let of_path =
            move |path: &str| values.iter().find(|(p, _)| p == path).map_or(Value::Absent, |(_, v)| v.clone());
        let device = Device { unit: 7, map, instance: "u7".into(), values: Arc::new(of_path) };
        for format in [Format::Tcp, Format::Rtu] {
            let devices = ModbusDevices::new(vec![device.clone()]);
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            let address = format!("tcp://{}", listener.local_addr().expect("bound"));
            let server = tokio::spawn(async move {
                if format == Format::Tcp {
                    return devices.serve_tcp(listener).await;
                }
                let (stream, _) = listener.accept().await.expect("the rig connects");
                // It ends as the rig hangs up.
                let _ = devices.serve_serial(stream).await;
            });
            let rig = Rig::new(&address, format, &[(7, name)], Duration::from_secs(5));
            rig.until("every value is read", |rig| rig.last().len() == expected.len()).await;
            let last = rig.last();
            for (path, value) in &expected {
                let got = &last[&("power.unit7".to_owned(), path.clone())];
                let same = match (got, value) {
                    (Value::Float(got), Value::Float(value)) => (got - value).abs() <= 1e-6 * value.abs(),
                    _ => got == value,
                };
                assert!(same, "{name}: {path}: {got:?}, not {value:?}");
            }
            assert!(rig.stop().await.iter().all(|reading| reading.quality == Quality::Good));
            server.abort();
        }
    }
}
