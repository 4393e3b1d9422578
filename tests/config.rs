//! Configuration: the samples under `configs/`, precedence, what `check` shows, and any mutation of a sample.
//!
//! The messages, word for word, are in `config/messages.rs`.

#[path = "config/messages.rs"]
mod messages;

use std::path::{Path, PathBuf};

use hawser::config::schema::{GATEWAY, SHORE, Section};
use hawser::config::{
    BrokerConfig, BusConfig, ConfigErrors, ConflictPolicy, GatewayConfig, Loaded, Origin, Protocol, ShoreConfig,
    load_gateway, load_shore, parse_gateway, parse_shore, render_check,
};
use proptest::prelude::*;

fn no_env(_: &str) -> Option<String> {
    None
}

fn env<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn gateway(text: &str) -> Result<Loaded<GatewayConfig>, ConfigErrors> {
    parse_gateway("gateway.toml", text, &no_env, &[])
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name)
}

fn sample_text(name: &str) -> String {
    std::fs::read_to_string(sample(name)).unwrap()
}

/// The sample with its examples made real: every line from `# [[` on loses its `# `, up to the next `[`.
fn with_examples(text: &str) -> String {
    let mut example = false;
    let lines = text.lines().map(|line| {
        example = line.starts_with("# [[") || (example && line.starts_with('#'));
        if example { line.strip_prefix("# ").unwrap_or("") } else { line }
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_samples_are_the_defaults() {
    let gateway = load_gateway(Some(&sample("gateway.toml")), &no_env, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(gateway.config, GatewayConfig::default());
    assert_eq!(gateway.warnings, Vec::<String>::new());
    let shore = load_shore(Some(&sample("shore.toml")), &no_env, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(shore.config, ShoreConfig::default());
}

#[test]
fn the_examples_in_the_samples_are_accepted_and_show_the_defaults() {
    let loaded = gateway(&with_examples(&sample_text("gateway.toml"))).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.config.broker, [BrokerConfig::new("default", "mqtt://localhost:1883")]);
    let [nav, power] = loaded.config.bus.as_slice() else { panic!("two buses: {:?}", loaded.config.bus) };
    assert_eq!(nav, &BusConfig::new("nav", Protocol::Nmea0183, "tcp://192.168.1.50:10110"));
    assert_eq!(power, &BusConfig::new("power", Protocol::Modbus, "tcp://192.168.1.60:502"));
    let text = with_examples(&sample_text("shore.toml"));
    let loaded = parse_shore("shore.toml", &text, &no_env, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.config.vessel[0].id, "mv-aurora");
}

#[test]
fn the_samples_name_and_explain_every_key() {
    for (name, sections) in [("gateway.toml", GATEWAY), ("shore.toml", SHORE)] {
        let text = with_examples(&sample_text(name));
        for section in sections {
            assert_explained(name, &text, section);
        }
        let long = sample_text(name).lines().find(|line| line.len() > 84).map(str::to_owned);
        assert_eq!(long, None, "{name}: too long for a terminal at the quay");
    }
}

fn assert_explained(file: &str, text: &str, section: &Section) {
    let name = section.name;
    let header = if section.tables_max.is_some() { format!("[[{name}]]") } else { format!("[{name}]") };
    let lines = text.lines().skip_while(|line| *line != header).skip(1).take_while(|line| !line.starts_with('['));
    let lines: Vec<&str> = lines.collect();
    for key in section.keys {
        let at = lines.iter().position(|line| line.starts_with(&format!("{} = ", key.name)));
        let at = at.unwrap_or_else(|| panic!("{file}: {header} lacks {}", key.name));
        assert!(at > 0 && lines[at - 1].starts_with("# "), "{file}: {header} {} has no comment", key.name);
    }
}

/// A key of a struct without a row in the table could never be set, and one in the table without a field never read.
#[test]
fn the_tables_of_keys_and_the_structs_agree() {
    let loaded = gateway(&with_examples(&sample_text("gateway.toml"))).unwrap();
    assert_same_keys(GATEWAY, &toml::Table::try_from(&loaded.config).unwrap());
    let loaded = parse_shore("s", &with_examples(&sample_text("shore.toml")), &no_env, &[]).unwrap();
    assert_same_keys(SHORE, &toml::Table::try_from(&loaded.config).unwrap());
}

fn assert_same_keys(sections: &[Section], config: &toml::Table) {
    let mut known: Vec<String> = Vec::new();
    for section in sections {
        known.extend(section.keys.iter().map(|key| format!("{}.{}", section.name, key.name)));
    }
    let mut typed = Vec::new();
    for (name, value) in config {
        let table = value.as_array().map_or(value, |tables| &tables[0]);
        typed.extend(table.as_table().unwrap().keys().map(|key| format!("{name}.{key}")));
    }
    known.sort();
    typed.sort();
    assert_eq!(known, typed);
}

#[test]
fn default_gives_way_to_file_to_environment_to_flag() {
    let text = "[retention]\ntelemetry_days = 10\ninterval_hours = 10\naggregates_days = 10\n";
    let set = [("TELEMETRY_RETENTION_DAYS", "20"), ("AGGREGATES_RETENTION_DAYS", "20"), ("CONFLICT_POLICY", "")];
    let loaded = parse_gateway("g.toml", text, &env(&set), &[("retention.aggregates_days", "30")]).unwrap();
    let shown = |key: &str| {
        let setting = loaded.settings.iter().find(|setting| setting.key == key).unwrap();
        format!("{} from {}", setting.value, setting.origin)
    };
    assert_eq!(shown("retention.interval_hours"), "10 from g.toml:3");
    assert_eq!(shown("retention.telemetry_days"), "20 from TELEMETRY_RETENTION_DAYS");
    assert_eq!(shown("retention.aggregates_days"), "30 from flag retention.aggregates_days");
    assert_eq!(shown("retention.data_quality_days"), "180 from default");
    assert_eq!(shown("sync.conflict_policy"), "\"last_write_wins\" from default", "an empty variable is not set");
    assert_eq!((loaded.config.retention.telemetry_days, loaded.config.retention.aggregates_days), (20, 30));
}

/// A bad value that is replaced does no harm: the operator may be mending it with a flag.
#[test]
fn only_the_value_that_remains_is_checked() {
    let text = "[retention]\ntelemetry_days = 0\n";
    assert!(gateway(text).is_err());
    let loaded = parse_gateway("g.toml", text, &env(&[("TELEMETRY_RETENTION_DAYS", "7")]), &[]).unwrap();
    assert_eq!(loaded.config.retention.telemetry_days, 7);
}

#[test]
fn the_mqtt_variables_make_the_default_broker() {
    let all = [
        ("MQTT_BROKER_URL", "mqtts://broker.example.com:8883"),
        ("MQTT_USERNAME", "aurora"),
        ("MQTT_PASSWORD", "secret"),
        ("MQTT_CA_CERT", "/etc/ca.pem"),
        ("MQTT_MAX_QUEUE_SIZE", "500"),
        ("MQTT_TLS_REJECT_UNAUTHORIZED", "true"),
    ];
    let made = parse_gateway("g", "", &env(&all), &[]).unwrap().config.broker;
    let mut expected = BrokerConfig::new("default", "mqtts://broker.example.com:8883");
    expected.username = "aurora".to_owned();
    expected.password = "secret".to_owned();
    expected.ca_cert = "/etc/ca.pem".into();
    expected.queue_messages_max = 500;
    assert_eq!(made, [expected]);
    let made = parse_gateway("g", "", &env(&[("MQTT_MAX_QUEUE_SIZE", "7")]), &[]).unwrap().config.broker;
    assert_eq!((made[0].url.as_str(), made[0].queue_messages_max), ("mqtt://localhost:1883", 7));
}

#[test]
fn the_mqtt_variables_change_the_broker_called_default_and_no_other() {
    let broker = |name, host| format!("[[broker]]\nname = \"{name}\"\nurl = \"mqtt://{host}\"\n");
    let text = broker("fleet", "10.0.0.1") + &broker("default", "10.0.0.2");
    let made = parse_gateway("g", &text, &env(&[("MQTT_USERNAME", "aurora")]), &[]).unwrap().config.broker;
    assert_eq!((made[0].username.as_str(), made[1].username.as_str()), ("", "aurora"));
}

#[test]
fn old_names_are_read_and_new_ones_win() {
    let old = [("TURSO_SYNC_URL", "https://old.example.com"), ("TURSO_AUTH_TOKEN", "t")];
    let shore = parse_gateway("g", "", &env(&old), &[]).unwrap().config.shore;
    assert_eq!((shore.url.as_str(), shore.token.as_str()), ("https://old.example.com", "t"));
    let both = [old[0], old[1], ("SHORE_URL", "https://new.example.com")];
    let loaded = parse_gateway("g", "", &env(&both), &[]).unwrap();
    assert_eq!(loaded.config.shore.url, "https://new.example.com");
    assert_eq!(loaded.warnings, ["TURSO_SYNC_URL is not used: SHORE_URL is set, to something else"]);
}

#[test]
fn the_shore_reads_its_policy_and_no_vessel_variables() {
    let set = [("CONFLICT_POLICY", "shore_wins"), ("MQTT_BROKER_URL", "nonsense"), ("LOCAL_MODE", "false")];
    let loaded = parse_shore("s", "", &env(&set), &[]).unwrap();
    assert_eq!(loaded.config.sync.conflict_policy, ConflictPolicy::ShoreWins);
}

#[test]
fn check_shows_every_value_and_origin_and_no_secret() {
    let text = "[[broker]]\nname = \"fleet\"\nurl = \"mqtts://10.0.0.1\"\npassword = \"hunter2\"\n\
                tls_reject_unauthorized = false\n";
    let set = [("SHORE_URL", "https://shore.example.com"), ("SHORE_TOKEN", "hunter3")];
    let shown = render_check(&parse_gateway("gateway.toml", text, &env(&set), &[("http.listen", "[::]:80")]).unwrap());
    let squeezed = shown.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    for line in [
        "http.listen = \"[::]:80\" # flag http.listen\n",
        "retention.telemetry_days = 90 # default\n",
        "retention.aggregates_days = 365 # default; no effect yet: there are no aggregates to prune\n",
        "broker[0].url = \"mqtts://10.0.0.1\" # gateway.toml:3\n",
        "broker[0].password = <hidden> # gateway.toml:4\n",
        "shore.token = <hidden> # environment variable SHORE_TOKEN\n",
        "# no [[bus]]\n",
        "# warning: broker[0].tls_reject_unauthorized = false: anyone on the way can pose as broker `fleet` and read \
         everything\n",
    ] {
        assert!(squeezed.contains(line), "no line {line} in\n{shown}");
    }
    assert!(!shown.contains("hunter"), "{shown}");
    let keys: usize = GATEWAY
        .iter()
        .filter(|section| !["bus", "device", "series", "priority"].contains(&section.name))
        .map(|section| section.keys.len())
        .sum();
    assert_eq!(shown.lines().count(), keys + 5);
}

#[test]
fn files_that_cannot_be_read_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    let message = |path: &Path| load_gateway(Some(path), &no_env, &[]).unwrap_err().to_string();
    let shown = file.display();
    assert_eq!(message(&file), format!("{shown}: not found; accepted: a file, as `--config FILE`"));
    assert_eq!(message(dir.path()), format!("{}: a directory; accepted: a file", dir.path().display()));
    std::fs::write(&file, b"[http]\nlisten = \"\xff\"\n").unwrap();
    assert_eq!(message(&file), format!("{shown}:2: not UTF-8; accepted: a text file saved as UTF-8"));
    std::fs::write(&file, vec![b'#'; 4 << 20]).unwrap();
    load_gateway(Some(&file), &no_env, &[]).unwrap();
    std::fs::write(&file, vec![b'#'; (4 << 20) + 1]).unwrap();
    assert_eq!(message(&file), format!("{shown}: too large; accepted: at most 4194304 bytes"));
    assert!(message(Path::new("/proc/self/mem")).starts_with("/proc/self/mem: cannot be read: "));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    let text = format!("\u{feff}{}", sample_text("gateway.toml").replace('\n', "\r\n"));
    assert_eq!(gateway(&text).unwrap().config, GatewayConfig::default());
    assert!(gateway("\r\n\r\nx = 1\r\n").unwrap_err().to_string().starts_with("gateway.toml:3: x: "));
}

#[test]
fn many_errors_are_counted_not_all_printed() {
    let text: String = (0..500).map(|n| format!("zz{n} = 1\n")).collect();
    let errors = gateway(&text).unwrap_err();
    assert_eq!((errors.errors.len(), errors.more), (100, 400));
    assert!(errors.to_string().ends_with("\nand 400 more"));
}

/// `hawser demo` starts a broker from the sample with a port of its own: the line to replace must be there, once.
#[test]
fn the_sample_of_the_broker_starts_a_broker_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sample = sample_text("mosquitto.conf");
    let listeners: Vec<&str> = sample.lines().filter(|line| line.starts_with("listener")).collect();
    assert_eq!(listeners, ["listener 1883 127.0.0.1"]);
    let file = dir.path().join("mosquitto.conf");
    std::fs::write(&file, sample.replace(listeners[0], &format!("listener {port} 127.0.0.1"))).unwrap();
    let broker = ["/usr/sbin/mosquitto", "mosquitto"].into_iter().find_map(|program| {
        std::process::Command::new(program).arg("-c").arg(&file).stderr(std::process::Stdio::piped()).spawn().ok()
    });
    let mut broker = broker.expect("mosquitto is installed, as for every test of the broker");
    let mut answered = false;
    while !answered && broker.try_wait().unwrap().is_none() {
        answered = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let _ = broker.kill();
    let said = broker.wait_with_output().unwrap().stderr;
    assert!(answered, "the broker stopped: {}", String::from_utf8_lossy(&said));
}

/// One edit of a text: at a ten-thousandth of it, some characters are replaced by others.
fn mutation() -> impl Strategy<Value = (usize, usize, String)> {
    let paste = prop_oneof![
        Just("[[bus]]\n".to_owned()),
        Just("[http]\n".to_owned()),
        Just("bus = 1\n".to_owned()),
        Just("= -1\n".to_owned()),
        "[\\[\\]{}=\"'#., \n\ta-z0-9\u{e9}\u{1f6a2}-]{0,12}",
        any::<String>(),
    ];
    (0..10_000usize, 0..30usize, paste)
}

fn mutate(text: &str, edits: &[(usize, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, cut, paste) in edits {
        let start = at * chars.len() / 10_000;
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, paste.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn any_mutation_is_taken_or_refused_with_a_place(
        edits in prop::collection::vec(mutation(), 1..6),
        value in any::<String>(),
    ) {
        let text = mutate(&with_examples(&sample_text("gateway.toml")), &edits);
        let set = [("MQTT_BROKER_URL", value.as_str()), ("TELEMETRY_RETENTION_DAYS", value.as_str())];
        if let Err(errors) = parse_gateway("g.toml", &text, &env(&set), &[("http.listen", &value)]) {
            prop_assert!(!errors.errors.is_empty());
            for error in &errors.errors {
                prop_assert_ne!(&error.origin, &Origin::Default, "{}", error);
                let line = error.to_string();
                let known = ["g.toml:", "MQTT_BROKER_URL: ", "TELEMETRY_RETENTION_DAYS: ", "flag http.listen: "];
                prop_assert!(known.iter().any(|place| line.starts_with(place)), "{}", line);
                prop_assert_eq!(error.excerpt.is_empty(), !line.contains('\n'), "{}", line);
            }
        }
    }
}
