//! Against pymodbus, somebody else's server: over Modbus TCP and with serial frames over TCP. `scripts/setup test`
//! installs it; what is missing is named, never skipped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hawser::config::gateway::Format;
use hawser::reading::Value;

use super::rig::{MapFile, Rig};

/// The server, ended by its id whatever becomes of the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(framer: &str) -> (Server, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/modbus/bin/python");
    assert!(python.is_file(), "pymodbus is missing: `scripts/setup test` installs it");
    let mut child = Command::new(python)
        .arg(root.join("tests/modbus/pymodbus_server.py"))
        .arg(framer)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output is ours")).read_line(&mut line).expect("it prints its port");
    let port: u16 = line.trim().parse().expect("a port");
    (Server(child), format!("tcp://127.0.0.1:{port}"))
}

/// The second device of the server, with a register that it does not have.
const OTHER: &str = r#"
value = [
    { path = "test.x.a", table = "holding", address = 0, type = "i16" },
    { path = "test.x.b", table = "holding", address = 1, type = "u16" },
    { path = "test.x.c", table = "holding", address = 2, type = "i32" },
    { path = "test.x.d", table = "holding", address = 4, type = "u32" },
    { path = "test.x.none", table = "holding", address = 6, type = "u16" },
    { path = "test.x.e", table = "holding", address = 7, type = "i64" },
    { path = "test.x.f", table = "holding", address = 11, type = "f64", unit = "V" },
    { path = "test.x.g", table = "holding", address = 15, type = "string", registers = 4 },
]
"#;

async fn reads_everything(framer: &str, format: Format) {
    let (_server, address) = serve(framer);
    let other = MapFile::with_head(OTHER, "");
    let rig = Rig::new(&address, format, &[(1, "eastron-sdm630"), (2, other.name())], Duration::from_secs(5));
    let seen = |source: &str, path: &str, value: Value| {
        let key = (format!("power.{source}"), path.to_owned());
        move |rig: &Rig| rig.last().get(&key) == Some(&value)
    };
    for (source, path, value) in [
        ("unit1", "electrical.ac.u1.phase.A.lineNeutralVoltage", Value::Float(230.25)),
        ("unit1", "electrical.ac.u1.phase.C.current", Value::Float(12.5)),
        ("unit1", "electrical.ac.u1.phase.A.frequency", Value::Float(50.0)),
        ("unit1", "electrical.ac.u1.total.energyImported", Value::Float(1_234.5 * 3.6e6)),
        ("unit1", "electrical.ac.u1.phase.B.realPower", Value::Float(0.0)),
        ("unit2", "test.x.a", Value::Integer(-12_345)),
        ("unit2", "test.x.b", Value::Integer(54_321)),
        ("unit2", "test.x.c", Value::Integer(-123_456_789)),
        ("unit2", "test.x.d", Value::Integer(3_456_789_012)),
        ("unit2", "test.x.e", Value::Integer(-1_234_567_890_123)),
        ("unit2", "test.x.f", Value::Float(std::f64::consts::E)),
        ("unit2", "test.x.g", Value::text("HAWSER 1")),
    ] {
        rig.until(&format!("{source} {path} = {value:?}"), seen(source, path, value.clone())).await;
    }
    rig.until("the hole is found", |rig| rig.rejected("modbus_register_excluded") == 1).await;
    assert!(rig.rejected("modbus_exception_illegal_data_address") >= 2, "{:?}", rig.bus().rejected);
    let reasons: Vec<_> = rig.bus().rejected.into_keys().collect();
    let expected = ["modbus_exception_illegal_data_address", "modbus_register_excluded"];
    assert!(reasons.iter().all(|r| expected.contains(r) || *r == "modbus_poll_overrun"), "{reasons:?}");
    let bus = rig.bus();
    let who: Vec<_> = bus.sources.iter().map(|s| (&*s.source, &*s.manufacturer, &*s.model)).collect();
    assert_eq!(who, [("unit1", "Eastron", "SDM630-Modbus"), ("unit2", "Test", "Device")]);
    assert!(bus.sentences > 0 && bus.bytes > 0 && bus.readings > 0);
    let wrong = |reading: &&hawser::reading::Reading| &*reading.series.key.path == "test.x.none";
    assert_eq!(rig.stop().await.iter().filter(wrong).count(), 0);
}

#[tokio::test]
async fn pymodbus_over_modbus_tcp() {
    reads_everything("socket", Format::Tcp).await;
}

#[tokio::test]
async fn pymodbus_with_serial_frames_over_tcp() {
    reads_everything("rtu", Format::Rtu).await;
}
