//! Every message of the configuration, word for word: a message is part of the product.

use hawser::config::{parse_gateway, parse_shore};

use super::{env, no_env};

fn refused(text: &str) -> String {
    match parse_gateway("g.toml", text, &no_env, &[]) {
        Ok(_) => "accepted".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn refused_env(text: &str, variables: &[(&str, &str)]) -> String {
    match parse_gateway("g.toml", text, &env(variables), &[]) {
        Ok(_) => "accepted".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn check(cases: &[(&str, &str)], refused: impl Fn(&str) -> String) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, expected, refused(text)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(text, expected, found)| format!("--- for\n{text}\n--- expected\n{expected}\n--- found\n{found}\n"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const BUS: &str = "[[bus]]\nname = \"nav\"\nprotocol = \"nmea0183\"\naddress = \"tcp://10.0.0.5:10110\"\n";

#[test]
fn values() {
    let cases = [
        (
            "[http]\nlisten = \"8080\"",
            "g.toml:2: http.listen = \"8080\": not an address and port; accepted: a numeric address and port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080",
        ),
        (
            "[http]\nlisten = 8080",
            "g.toml:2: http.listen = 8080: not a text in quotes; accepted: a numeric address and port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080",
        ),
        (
            "[vessel]\nid = \"MV Aurora\"",
            "g.toml:2: vessel.id = \"MV Aurora\": holds ' '; accepted: 1 to 64 letters, digits, - or _",
        ),
        (
            "[vessel]\nname = \"a\\nb\"",
            "g.toml:2: vessel.name = \"a\\nb\": holds a control character; accepted: one line of at most 256 bytes",
        ),
        ("[data]\ndir = \"\"", "g.toml:2: data.dir = \"\": empty; accepted: a path such as /var/lib/hawser"),
        ("[store]\ncommit_interval_ms = 5", "g.toml:2: store.commit_interval_ms = 5: too small; accepted: 10 to 1000"),
        (
            "[store]\nsync_interval_ms = 10001",
            "g.toml:2: store.sync_interval_ms = 10001: too large; accepted: 100 to 10000",
        ),
        (
            "[store]\ncommit_readings_max = 0",
            "g.toml:2: store.commit_readings_max = 0: too small; accepted: 1 to 100000",
        ),
        ("[retention]\ntelemetry_days = 0", "g.toml:2: retention.telemetry_days = 0: too small; accepted: 1 to 3650"),
        (
            "[retention]\ntelemetry_days = 1.5",
            "g.toml:2: retention.telemetry_days = 1.5: not a whole number; accepted: 1 to 3650",
        ),
        (
            "[retention]\ntelemetry_days = \"90\"",
            "g.toml:2: retention.telemetry_days = \"90\": not a whole number; accepted: 1 to 3650",
        ),
        (
            "[retention]\ntelemetry_days = 99999999999999999999",
            "g.toml:2: retention.telemetry_days = 99999999999999999999: not a whole number; accepted: 1 to 3650",
        ),
        (
            "[retention]\ntelemetry_days = 2026-11-21",
            "g.toml:2: retention.telemetry_days = 2026-11-21: not a whole number; accepted: 1 to 3650",
        ),
        (
            "[retention]\ntelemetry_days = [1]",
            "g.toml:2: retention.telemetry_days = (an array): not a whole number; accepted: 1 to 3650",
        ),
    ];
    check(&cases, refused);
}

#[test]
fn values_of_the_shore() {
    let cases = [
        ("[shore]\nreadings = \"yes\"", "g.toml:2: shore.readings = \"yes\": not a switch; accepted: true or false"),
        (
            "[shore]\nurl = \"http://shore.example.com\"\ntoken = \"t\"",
            "g.toml:2: shore.url = \"http://shore.example.com\": the token and the data would travel in clear; accepted: https://host:port, http:// only to loopback, or \"\" for no shore",
        ),
        (
            "[shore]\nurl = \"https://u:pw@shore.example.com\"\ntoken = \"t\"",
            "g.toml:2: shore.url = \"https://<hidden>@shore.example.com\": a login inside an address would be shown in logs; it has keys of its own; accepted: https://host:port, http:// only to loopback, or \"\" for no shore",
        ),
        (
            "[shore]\ntoken = 5",
            "g.toml:2: shore.token = <hidden>: not a text in quotes; accepted: one line of at most 256 bytes",
        ),
        (
            "[sync]\nconflict_policy = \"vessel_wins\"",
            "g.toml:2: sync.conflict_policy = \"vessel_wins\": planned but not built yet; accepted: last_write_wins, shore_wins",
        ),
        (
            "[update]\nwindow = \"2-5\"",
            "g.toml:2: update.window = \"2-5\": not two times of a day; accepted: two times UTC such as 02:00-05:00, or \"\" for any time",
        ),
        (
            "[sync]\nconflict_policy = \"newest\"",
            "g.toml:2: sync.conflict_policy = \"newest\": not known; accepted: last_write_wins, shore_wins",
        ),
    ];
    check(&cases, refused);
}

#[test]
fn keys_and_tables() {
    let cases = [
        ("[http]\nlisen = 1", "g.toml:2: http.lisen: unknown key; accepted: listen"),
        ("[http]\nport = 80", "g.toml:2: http.port: unknown key; accepted: listen, names"),
        ("[data]\nurl = 1", "g.toml:2: data.url: unknown key; accepted: url under [[broker]]"),
        ("[vessel]\ncolour = \"red\"", "g.toml:2: vessel.colour: unknown key; accepted: id, name"),
        ("[retension]\ntelemetry_days = 1", "g.toml:1: retension: unknown key; accepted: [retention]"),
        ("telemetry_days = 1", "g.toml:1: telemetry_days: unknown key; accepted: telemetry_days under [retention]"),
        (
            "[wifi]",
            "g.toml:1: wifi: unknown key; accepted: [vessel], [data], [http], [[bus]], [[device]], [quality], [[series]], [[priority]], [store], [retention], [[broker]], [shore], [sync], [update]",
        ),
        ("[bus]\nname = \"nav\"", "g.toml:1: bus: a table; accepted: [[bus]], once for each"),
        ("bus = 7", "g.toml:1: bus: an integer; accepted: [[bus]], once for each"),
        ("bus = [7]", "g.toml:1: bus[0]: an integer; accepted: [[bus]], once for each"),
        ("[[http]]\nlisten = \"127.0.0.1:1\"", "g.toml:1: http: an array; accepted: [http], once"),
        (
            "\n[[bus]]\nname = \"nav\"",
            "g.toml:2: bus[0].protocol: missing; accepted: nmea0183, iec61162-450, nmea2000, j1939, can, modbus\ng.toml:2: bus[0].address: missing; accepted: tcp://host:port (connect), udp://address:port (listen), serial:///dev/... or can://interface",
        ),
    ];
    check(&cases, refused);
}

/// The words after the place are the parser's own. A line that may hold a secret is not shown.
#[test]
fn syntax() {
    let cases = [
        (
            "[http]\nlisten = \n",
            "g.toml:2: string values must be quoted, expected literal string\n  2 | listen = \n    |          ^",
        ),
        (
            "[http\nlisten = 1\n\n[data]\ndir = \"x\n",
            "g.toml:1: unclosed table, expected `]`\n  1 | [http\n    |      ^\ng.toml:5: invalid basic string, expected `\"`\n  5 | dir = \"x\n    |         ^",
        ),
        ("[http]\nlisten = \"a\"\nlisten = \"b\"\n", "g.toml:3: duplicate key\n  3 | listen = \"b\"\n    | ^"),
        ("[shore]\ntoken = hunter2\n", "g.toml:2: string values must be quoted, expected literal string"),
    ];
    check(&cases, refused);
}

#[test]
fn buses() {
    let second = |name: &str, address: &str| {
        format!("{BUS}[[bus]]\nname = \"{name}\"\nprotocol = \"nmea0183\"\naddress = \"{address}\"\n")
    };
    let (twin, typo) = (second("nav", "tcp://10.0.0.5:10110"), second("ais", "tpc://10.0.0.5:10110"));
    let cases = [
        (
            twin.as_str(),
            "g.toml:6: bus[1].name = \"nav\": bus[0] has the same; accepted: one that no other has\ng.toml:8: bus[1].address = \"tcp://10.0.0.5:10110\": bus[0] has the same; accepted: one that no other has",
        ),
        (
            typo.as_str(),
            "g.toml:8: bus[1].address = \"tpc://10.0.0.5:10110\": not an address; accepted: tcp://host:port (connect), udp://address:port (listen), serial:///dev/... or can://interface",
        ),
        (
            "[[bus]]\nname = \"nav.1\"\nprotocol = \"nmea2001\"\naddress = \"udp://nav:1\"\n",
            "g.toml:2: bus[0].name = \"nav.1\": holds '.'; accepted: 1 to 64 letters, digits, - or _\ng.toml:3: bus[0].protocol = \"nmea2001\": not known; accepted: nmea0183, iec61162-450, nmea2000, j1939, can, modbus\ng.toml:4: bus[0].address = \"udp://nav:1\": not a numeric address to listen on; accepted: tcp://host:port (connect), udp://address:port (listen), serial:///dev/... or can://interface",
        ),
    ];
    check(&cases, refused);
    let off = format!("{}enabled = false\n", second("spare", "tcp://10.0.0.5:10110"));
    assert_eq!(refused(&off), "accepted", "a bus that is not opened may have the address of another");
    let many: String = (0..65)
        .map(|n| format!("[[bus]]\nname=\"b{n}\"\nprotocol=\"nmea0183\"\naddress=\"udp://[::]:{}\"\n", n + 1))
        .collect();
    assert_eq!(refused(&many), "g.toml:257: bus[64]: too many; accepted: at most 64 [[bus]]");
}

/// Z7, Z19, Z20. Each case is the lines that follow the name of a broker.
#[test]
fn brokers() {
    let ashore = "url = \"mqtts://mqtt.example.com\"\nusername = \"a\"\n";
    let with = |more: &str| format!("{ashore}{more}");
    let unchecked = with("tls_reject_unauthorized = false");
    let shared = with("shared = true\ntelemetry_prefix = \"v/{vessel_id}/t\"");
    let half = with("client_cert = \"c.pem\"");
    let placeholder = with("sync_prefix = \"v/{vessel}/s\"");
    let same = with("telemetry_prefix = \"vessel/sync\"");
    let cases = [
        (
            "url = \"mqtt://mqtt.example.com\"",
            "g.toml:3: broker[0].url = \"mqtt://mqtt.example.com\": a broker ashore without TLS: login and data would travel in clear; accepted: mqtts://host:port, or a host on the vessel's own network\ng.toml:3: broker[0].url = \"mqtt://mqtt.example.com\": a broker ashore without a login; accepted: with username and password, or client_cert and client_key",
        ),
        (
            "url = \"http://localhost\"",
            "g.toml:3: broker[0].url = \"http://localhost\": not a scheme that is spoken here; accepted: mqtt://host:port or mqtts://host:port",
        ),
        (
            "url = \"mqtt://localhost:1883/topic\"",
            "g.toml:3: broker[0].url = \"mqtt://localhost:1883/topic\": more than scheme, host and port; accepted: mqtt://host:port or mqtts://host:port",
        ),
        (
            &unchecked,
            "g.toml:5: broker[0].tls_reject_unauthorized: false: a broker ashore whose certificate is not checked can be impersonated by anyone on the way; accepted: true (with ca_cert), or tls_unchecked_ashore = true as well",
        ),
        (
            &shared,
            "g.toml:1: broker[0].sync_prefix = \"vessel/sync\": several vessels share this broker and would overwrite each other's topics; accepted: a prefix that holds {vessel_id}, such as vessels/{vessel_id}/sync, or shared = false",
        ),
        (&half, "g.toml:5: broker[0].client_cert: client_key is missing; accepted: both or neither"),
        (
            &placeholder,
            "g.toml:5: broker[0].sync_prefix = \"v/{vessel}/s\": a placeholder other than {vessel_id}; accepted: levels parted by `/`, without + # or spaces, such as vessels/{vessel_id}/sync",
        ),
        (
            &same,
            "g.toml:5: broker[0].telemetry_prefix = \"vessel/sync\": sync_prefix is the same; accepted: a prefix of its own",
        ),
        (ashore, "accepted"),
        (&with("tls_reject_unauthorized = false\ntls_unchecked_ashore = true"), "accepted"),
        ("url = \"mqtt://192.168.1.100:1883\"", "accepted"),
        ("url = \"mqtts://localhost\"\ntls_reject_unauthorized = false", "accepted"),
    ];
    check(&cases, |lines| refused(&format!("[[broker]]\nname = \"b\"\n{lines}\n")));
    let one = "[[broker]]\nname = \"b\"\nurl = \"mqtt://localhost\"\n";
    let twins = "g.toml:5: broker[1].name = \"b\": broker[0] has the same; accepted: one that no other has\ng.toml:6: broker[1].url = \"mqtt://localhost\": broker[0] has the same; accepted: one that no other has";
    assert_eq!(refused(&format!("{one}{one}")), twins);
}

#[test]
fn variables() {
    let cases: [(&[(&str, &str)], &str); 11] = [
        (
            &[("MQTT_BROKER_URL", "localhost")],
            "MQTT_BROKER_URL: broker[0].url = \"localhost\": not an address; accepted: mqtt://host:port or mqtts://host:port",
        ),
        (
            &[("MQTT_BROKER_URL", "mqtts://m.example.com")],
            "MQTT_BROKER_URL: broker[0].url = \"mqtts://m.example.com\": a broker ashore without a login; accepted: with username and password, or client_cert and client_key",
        ),
        (
            &[("MQTT_MAX_QUEUE_SIZE", "lots")],
            "MQTT_MAX_QUEUE_SIZE: broker[0].queue_messages_max = \"lots\": not a whole number; accepted: 1 to 1000000",
        ),
        (
            &[("MQTT_TLS_REJECT_UNAUTHORIZED", "0")],
            "MQTT_TLS_REJECT_UNAUTHORIZED: broker[0].tls_reject_unauthorized = \"0\": not a switch; accepted: true or false",
        ),
        (
            &[("TELEMETRY_RETENTION_DAYS", "-1")],
            "TELEMETRY_RETENTION_DAYS: retention.telemetry_days = -1: too small; accepted: 1 to 3650",
        ),
        (
            &[("CONFLICT_POLICY", "manual")],
            "CONFLICT_POLICY: sync.conflict_policy = \"manual\": planned but not built yet; accepted: last_write_wins, shore_wins",
        ),
        (
            &[("SHORE_URL", "https://s.example.com")],
            "SHORE_URL: shore.url = \"https://s.example.com\": shore.token is missing; accepted: with the token that the shore gave out",
        ),
        (
            &[("TURSO_SYNC_URL", "libsql://db.example.com"), ("TURSO_AUTH_TOKEN", "t")],
            "TURSO_SYNC_URL: shore.url = \"libsql://db.example.com\": not a scheme that is spoken here; accepted: https://host:port, http:// only to loopback, or \"\" for no shore",
        ),
        (
            &[("LOCAL_DB_KEY", "hunter2")],
            "LOCAL_DB_KEY: set, but the databases are not encrypted by this program; they would be stored in clear; accepted: not set, and the data directory on an encrypted volume (dm-crypt)",
        ),
        (
            &[("LOCAL_MODE", "false")],
            "LOCAL_MODE: false means: no vessel services, and `hawser gateway` is nothing else; accepted: true, or not set; ashore run `hawser shore`",
        ),
        (&[("LOCAL_MODE", "on")], "LOCAL_MODE: \"on\" is no switch; accepted: true or false"),
    ];
    for (variables, expected) in cases {
        assert_eq!(refused_env("", variables), expected);
    }
    let fleet = "[[broker]]\nname = \"fleet\"\nurl = \"mqtt://localhost\"\n";
    let expected = "MQTT_USERNAME: sets username of the broker called `default`, and there is none; accepted: with MQTT_BROKER_URL, or with name = \"default\" under a [[broker]]";
    assert_eq!(refused_env(fleet, &[("MQTT_USERNAME", "a")]), expected);
}

#[test]
fn flags() {
    let refused = |key, value| parse_gateway("g.toml", BUS, &no_env, &[(key, value)]).unwrap_err().to_string();
    let unknown = |key| {
        format!(
            "flag {key}: {key}: unknown key, or a table that is not there; accepted: a key that `hawser check` shows, such as http.listen"
        )
    };
    for key in ["http", "http.port", "http[0].listen", "bus.name", "bus[1].name", "bus[x].name", "bus[0.name"] {
        assert_eq!(refused(key, "x"), unknown(key));
    }
    assert_eq!(
        refused("bus[0].enabled", "x"),
        "flag bus[0].enabled: bus[0].enabled = \"x\": not a switch; accepted: true or false"
    );
}

#[test]
fn vessels_of_the_shore() {
    let hash = |digit: &str| digit.repeat(64);
    let vessel = |id: &str, hash: &str| format!("[[vessel]]\nid = \"{id}\"\ntoken_sha256 = \"{hash}\"\n");
    let refused = |text: String| match parse_shore("s.toml", &text, &env(&[("LOCAL_MODE", "true")]), &[]) {
        Ok(_) => "accepted".to_owned(),
        Err(errors) => errors.to_string(),
    };
    let mode = "LOCAL_MODE: true means: vessel services, and `hawser shore` has none; accepted: false, or not set; on board run `hawser gateway`";
    let short = "s.toml:2: vessel[0].id = \"\": empty; accepted: 1 to 64 letters, digits, - or _\ns.toml:3: vessel[0].token_sha256 = \"abc\": not a SHA-256; accepted: 64 hex digits, as `hawser token` prints them";
    assert_eq!(refused(vessel("", "abc")), format!("{short}\n{mode}"));
    let (lower, upper) = (hash("a"), hash("A"));
    let twins = format!(
        "s.toml:5: vessel[1].id = \"v\": vessel[0] has the same; accepted: one that no other has\ns.toml:6: vessel[1].token_sha256 = \"{lower}\": vessel[0] has the same; accepted: one that no other has"
    );
    assert_eq!(refused(vessel("v", &lower) + &vessel("v", &upper)), format!("{twins}\n{mode}"));
}

/// A file of one bus called `b`, and more.
fn bus(protocol: &str, address: &str, more: &str) -> String {
    refused(&format!("[[bus]]\nname = \"b\"\nprotocol = \"{protocol}\"\naddress = \"{address}\"\n{more}"))
}

#[test]
fn what_is_spoken_where() {
    assert_eq!(
        bus("nmea0183", "can://can0", ""),
        "g.toml:4: bus[0].address = \"can://can0\": no nmea0183 is spoken there; accepted: tcp://, udp:// or serial://"
    );
    assert_eq!(
        bus("iec61162-450", "tcp://10.0.0.1:1", ""),
        "g.toml:4: bus[0].address = \"tcp://10.0.0.1:1\": no iec61162-450 is spoken there; accepted: udp://group:port, such as udp://239.192.0.1:60001"
    );
    assert_eq!(
        bus("nmea2000", "tcp://10.0.0.1:1457", ""),
        "g.toml:1: bus[0].format: not what carries nmea2000; accepted: \"ydwg\", \"actisense\" or \"candump\"; only can:// carries bare frames"
    );
    assert_eq!(
        bus("modbus", "serial:///dev/ttyS1", "format = \"tcp\""),
        "g.toml:5: bus[0].format: not what carries modbus; accepted: \"tcp\" (over tcp:// only), \"rtu\" or \"default\""
    );
    assert_eq!(
        bus("nmea0183", "tcp://10.0.0.1:1", "format = \"ydwg\""),
        "g.toml:5: bus[0].format: not what carries nmea0183; accepted: \"default\""
    );
    assert_eq!(
        bus("can", "can://can0", ""),
        "g.toml:1: bus[0].dbc: missing; accepted: the path of a DBC file, with protocol = \"can\""
    );
    assert_eq!(
        bus("nmea0183", "serial://ttyUSB0", "baud = -1\ninterfaces = [\"eth0\", 7]"),
        "g.toml:4: bus[0].address = \"serial://ttyUSB0\": no path of a port; accepted: tcp://host:port (connect), udp://address:port (listen), serial:///dev/... or can://interface\ng.toml:5: bus[0].baud = -1: too small; accepted: 0 to 4000000\ng.toml:6: bus[0].interfaces = (an array): not a list of texts; accepted: a list of at most 8 texts in quotes, such as [\"a\", \"b\"]"
    );
    assert_eq!(
        bus("nmea0183", "udp://[ff02::1]:1", "baud = 4800\ninterfaces = [\"eth0\"]"),
        "g.toml:4: bus[0].address = \"udp://[ff02::1]:1\": groups of IPv6 are not joined; accepted: a group of IPv4 (224.0.0.0/4)\ng.toml:5: bus[0].baud: only a serial port has a rate and a parity; accepted: neither, or serial://\ng.toml:6: bus[0].interfaces: only a multicast group is joined on interfaces; accepted: [], or an IPv4 group such as udp://239.192.0.1:60001"
    );
    for (protocol, address, more) in [
        ("modbus", "serial:///dev/ttyS1", "parity = \"even\""),
        ("nmea0183", "serial:///dev/serial/by-id/x", ""),
        ("iec61162-450", "udp://239.192.0.1:60001", "interfaces = [\"eth0\", \"10.0.0.1\"]"),
        ("nmea2000", "can://can0", ""),
        ("j1939", "udp://0.0.0.0:1", "format = \"ydwg\""),
        ("can", "tcp://10.0.0.1:1", "format = \"candump\"\ndbc = \"a.dbc\""),
        ("modbus", "tcp://10.0.0.1:502", "format = \"rtu\""),
    ] {
        assert_eq!(bus(protocol, address, more), "accepted", "{protocol} {address}");
    }
}

#[test]
fn units_rules_and_priorities() {
    let map =
        |bus: &str, unit: u16, map: &str| format!("[[device]]\nbus = \"{bus}\"\nunit = {unit}\nmap = \"{map}\"\n");
    let unit = |bus: &str, unit: u16| map(bus, unit, "m");
    assert_eq!(
        bus("modbus", "tcp://a:502", &(map("b", 1, "m") + &map("c", 1, "n") + &map("b", 1, "o") + &map("b", 256, "p"))),
        "g.toml:10: device[1].bus = \"c\": no bus has this name; accepted: the name of a [[bus]] with protocol = \"modbus\"\ng.toml:15: device[2].unit: 1: device[0] is the same unit of this bus; accepted: a unit id of its own on each bus\ng.toml:19: device[3].unit = 256: too large; accepted: 0 to 255"
    );
    assert_eq!(
        bus("modbus", "serial:///dev/ttyS1", &unit("b", 255)),
        "g.toml:7: device[0].unit: 255: not an address on a line; accepted: 1 to 247"
    );
    let twins = "[[device]]\nbus = \"b\"\nunit = 1\nmap = \"m\"\n[[device]]\nbus = \"b\"\nunit = 2\nmap = \"m\"\n";
    assert_eq!(
        bus("modbus", "tcp://a:502", twins),
        "g.toml:9: device[1].instance = \"0\": device[0] has the same map and instance, so that both have the same paths; accepted: an instance of its own for each device of a map"
    );
    assert_eq!(
        bus("nmea0183", "tcp://a:1", &unit("b", 1)),
        "g.toml:6: device[0].bus = \"b\": not a modbus bus; accepted: the name of a [[bus]] with protocol = \"modbus\""
    );
    assert_eq!(
        refused("[quality]\nstale_min_s = 20\nstale_max_s = 10\n[[series]]\npath = \"a..b\"\ndead_band = -0.5\n"),
        "g.toml:2: quality.stale_min_s: 20 is more than quality.stale_max_s; accepted: at most 10\ng.toml:5: series[0].path = \"a..b\": not a path; accepted: a path such as navigation.position, or the beginning of some: navigation.*\ng.toml:6: series[0].dead_band = -0.5: out of range; accepted: 0 to 1000000000000"
    );
    assert_eq!(
        refused("[[priority]]\npath = \"navigation.*\"\n"),
        "g.toml:1: priority[0].sources: missing; accepted: a list of at most 16 texts in quotes, such as [\"a\", \"b\"]"
    );
}

#[test]
fn every_error_of_a_file_is_told_at_once() {
    let text = "color = 1\n\n[http]\nlisten = \"x\"\nlisen = 1\n\n[[bus]]\nname = \"a b\"\nprotocol = \"canbus\"\n\n[shore]\nurl = \"https://s.example.com\"\n";
    let found = refused_env(text, &[("LOCAL_DB_KEY", "k"), ("TELEMETRY_RETENTION_DAYS", "x")]);
    let places: Vec<&str> = found.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "g.toml:1",
        "g.toml:4",
        "g.toml:5",
        "g.toml:7",
        "g.toml:8",
        "g.toml:9",
        "g.toml:12",
        "LOCAL_DB_KEY",
        "TELEMETRY_RETENTION_DAYS",
    ];
    assert_eq!(places, expected, "{found}");
}

#[test]
fn what_is_accepted_and_should_be_known() {
    let warnings = |protocol: &str, address: &str, more: &str| {
        let text = format!("[[bus]]\nname = \"b\"\nprotocol = \"{protocol}\"\naddress = \"{address}\"\n{more}");
        parse_gateway("g.toml", &text, &no_env, &[]).unwrap().warnings
    };
    let by_order = "ports get their numbers in the order of plugging; /dev/serial/by-id/... stays the same";
    for port in ["/dev/ttyUSB0", "/dev/ttyACM1"] {
        let told = format!("bus[0].address = \"serial://{port}\": {by_order}");
        assert_eq!(warnings("nmea0183", &format!("serial://{port}"), ""), [told]);
    }
    for port in ["/dev/ttyS0", "/dev/serial/by-id/usb-ACME-if00"] {
        assert!(warnings("nmea0183", &format!("serial://{port}"), "").is_empty(), "{port}");
    }
    let unit = "[[device]]\nbus = \"b\"\nunit = 1\nmap = \"m\"\n";
    let idle = "bus[0].name = \"b\": no [[device]] of it is enabled, so that nobody is asked; it is not opened";
    assert_eq!(warnings("modbus", "tcp://a:502", ""), [idle]);
    assert_eq!(warnings("modbus", "tcp://a:502", &format!("{unit}enabled = false\n")), [idle]);
    assert!(
        warnings("modbus", "tcp://a:502", unit).is_empty()
            && warnings("modbus", "tcp://a:502", "enabled = false\n").is_empty()
    );
}
