//! Rules between keys: duplicates, what belongs together, what may not leave the vessel unprotected (Z7, Z19, Z20).
//!
//! Pure. A required value that was refused by itself is empty here and is passed over.

use std::collections::HashMap;

use super::draft::Origins;
use super::error::ConfigError;
use super::url::Url;
use super::{Address, BrokerConfig, Format, GatewayConfig, Parity, Protocol, ShoreConfig};

/// What the rules found.
pub(super) struct Findings<'a> {
    pub origins: &'a Origins,
    pub errors: &'a mut Vec<ConfigError>,
    pub warnings: &'a mut Vec<String>,
}

impl Findings<'_> {
    fn refuse(&mut self, key: &str, value: Option<&str>, problem: impl Into<String>, accepted: &str) {
        let mut error = ConfigError::new(self.origins.of(key), key, problem, accepted);
        error.value = value.map(|value| format!("{value:?}"));
        self.errors.push(error);
    }

    /// Whether the value of `key` was refused by itself, so that it only seems to be missing.
    fn is_refused(&self, key: &str) -> bool {
        self.errors.iter().any(|error| error.key == key)
    }

    /// Refuses each value of `section[].key` that an earlier table has too. `values`: table index and value.
    fn refuse_twins<'a>(&mut self, section: &str, key: &str, values: impl Iterator<Item = (usize, &'a str)>) {
        let mut first = HashMap::new();
        for (index, value) in values.filter(|(_, value)| !value.is_empty()) {
            let earlier = *first.entry(value).or_insert(index);
            if earlier != index {
                let problem = format!("{section}[{earlier}] has the same");
                self.refuse(&format!("{section}[{index}].{key}"), Some(value), problem, "one that no other has");
            }
        }
    }
}

/// The rules of `gateway.toml`.
pub(super) fn gateway(config: &GatewayConfig, found: &mut Findings<'_>) {
    found.refuse_twins("bus", "name", config.bus.iter().map(|bus| bus.name.as_str()).enumerate());
    let open = config.bus.iter().enumerate().filter(|(_, bus)| bus.enabled);
    found.refuse_twins("bus", "address", open.map(|(index, bus)| (index, bus.address.as_str())));
    check_buses(config, found);
    check_devices(config, found);
    check_quality(config, found);
    found.refuse_twins("broker", "name", config.broker.iter().map(|broker| broker.name.as_str()).enumerate());
    found.refuse_twins("broker", "url", config.broker.iter().map(|broker| broker.url.as_str()).enumerate());
    for (index, broker) in config.broker.iter().enumerate() {
        check_prefixes(&format!("broker[{index}]"), broker, found);
        check_protection(&format!("broker[{index}]"), broker, found);
    }
    let shore = &config.shore;
    if !shore.url.is_empty() && shore.token.is_empty() && !found.is_refused("shore.token") {
        found.refuse("shore.url", Some(&shore.url), "shore.token is missing", "with the token that the shore gave out");
    }
    if shore.batch_bytes_start > shore.batch_bytes_max {
        let problem = format!("{} is more than shore.batch_bytes_max", shore.batch_bytes_start);
        found.refuse("shore.batch_bytes_start", None, problem, &format!("at most {}", shore.batch_bytes_max));
    }
}

/// What can be spoken where, and what else that needs.
fn check_buses(config: &GatewayConfig, found: &mut Findings<'_>) {
    for (index, bus) in config.bus.iter().enumerate() {
        let key = |name: &str| format!("bus[{index}].{name}");
        let Ok(address) = bus.address.parse::<Address>() else { continue };
        let shown = Some(bus.address.as_str());
        if let Some(accepted) = wrong_transport(bus.protocol, &address) {
            let problem = format!("no {} is spoken there", bus.protocol.name());
            found.refuse(&key("address"), shown, problem, accepted);
        } else if let Some(accepted) = wrong_format(bus.protocol, bus.format, &address) {
            found.refuse(&key("format"), None, format!("not what carries {}", bus.protocol.name()), accepted);
        }
        let is_serial = matches!(address, Address::Serial(_));
        if !is_serial && (bus.baud != 0 || bus.parity != Parity::None) {
            found.refuse(&key("baud"), None, "only a serial port has a rate and a parity", "neither, or serial://");
        }
        let is_group = matches!(&address, Address::Udp(udp) if udp.ip().is_ipv4() && udp.ip().is_multicast());
        if !bus.interfaces.is_empty() && !is_group {
            let accepted = "[], or an IPv4 group such as udp://239.192.0.1:60001";
            found.refuse(&key("interfaces"), None, "only a multicast group is joined on interfaces", accepted);
        }
        if matches!(&address, Address::Udp(udp) if udp.ip().is_ipv6() && udp.ip().is_multicast()) {
            found.refuse(&key("address"), shown, "groups of IPv6 are not joined", "a group of IPv4 (224.0.0.0/4)");
        }
        let has_dbc = !bus.dbc.as_os_str().is_empty();
        if has_dbc != (bus.protocol == Protocol::Can) && !found.is_refused(&key("dbc")) {
            let problem = if has_dbc { "only a `can` bus is described by one" } else { "missing" };
            found.refuse(&key("dbc"), None, problem, "the path of a DBC file, with protocol = \"can\"");
        }
        let is_by_order = ["/ttyUSB", "/ttyACM"].iter().any(|stem| bus.address.contains(stem));
        if is_serial && is_by_order && !bus.address.contains("/by-") {
            let advice = "ports get their numbers in the order of plugging; /dev/serial/by-id/... stays the same";
            found.warnings.push(format!("{} = {:?}: {advice}", key("address"), bus.address));
        }
        let is_asked = config.device.iter().any(|device| device.enabled && device.bus == bus.name);
        if bus.enabled && bus.protocol == Protocol::Modbus && !is_asked {
            let problem = "no [[device]] of it is enabled, so that nobody is asked; it is not opened";
            found.warnings.push(format!("{} = {:?}: {problem}", key("name"), bus.name));
        }
    }
}

/// What would do, where the protocol is not spoken over such an address.
const fn wrong_transport(protocol: Protocol, address: &Address) -> Option<&'static str> {
    match (protocol, address) {
        (Protocol::Nmea0183, Address::Can(_)) => Some("tcp://, udp:// or serial://"),
        (Protocol::Iec61162_450, Address::Udp(_)) => None,
        (Protocol::Iec61162_450, _) => Some("udp://group:port, such as udp://239.192.0.1:60001"),
        (Protocol::Modbus, Address::Udp(_) | Address::Can(_)) => Some("tcp://host:502 or serial:///dev/..."),
        _ => None,
    }
}

/// What would do, where such a format does not carry the protocol.
const fn wrong_format(protocol: Protocol, format: Format, address: &Address) -> Option<&'static str> {
    let is_carrier = matches!(format, Format::Ydwg | Format::Actisense | Format::Candump);
    match (protocol, format) {
        (Protocol::Modbus, Format::Default) => None,
        (Protocol::Modbus, Format::Tcp) if matches!(address, Address::Tcp { .. }) => None,
        (Protocol::Modbus, Format::Rtu) => None,
        (Protocol::Modbus, _) => Some("\"tcp\" (over tcp:// only), \"rtu\" or \"default\""),
        (_, Format::Default) if protocol.is_can() && !matches!(address, Address::Can(_)) => {
            Some("\"ydwg\", \"actisense\" or \"candump\"; only can:// carries bare frames")
        }
        (_, Format::Default) => None,
        _ if protocol.is_can() && is_carrier && !matches!(address, Address::Can(_)) => None,
        _ if protocol.is_can() && !matches!(address, Address::Can(_)) => Some("\"ydwg\", \"actisense\" or \"candump\""),
        _ => Some("\"default\""),
    }
}

fn check_devices(config: &GatewayConfig, found: &mut Findings<'_>) {
    let (mut units, mut paths) = (HashMap::new(), HashMap::new());
    for (index, device) in config.device.iter().enumerate() {
        let key = |name: &str| format!("device[{index}].{name}");
        let bus = config.bus.iter().find(|bus| bus.name == device.bus);
        if bus.is_none_or(|bus| bus.protocol != Protocol::Modbus) && !found.is_refused(&key("bus")) {
            let problem = if bus.is_some() { "not a modbus bus" } else { "no bus has this name" };
            found.refuse(&key("bus"), Some(&device.bus), problem, "the name of a [[bus]] with protocol = \"modbus\"");
        }
        let is_line = bus.is_some_and(|bus| bus.address.starts_with("serial:") || bus.format == Format::Rtu);
        if is_line && !(1..=247).contains(&device.unit) && !found.is_refused(&key("unit")) {
            let problem = format!("{}: not an address on a line", device.unit);
            found.refuse(&key("unit"), None, problem, "1 to 247");
        }
        let twin = *paths.entry((&device.map, &device.instance)).or_insert(index);
        if device.enabled && twin != index && config.device[twin].enabled {
            let problem = format!("device[{twin}] has the same map and instance, so that both have the same paths");
            let accepted = "an instance of its own for each device of a map";
            found.refuse(&key("instance"), Some(&device.instance), problem, accepted);
        }
        let first = *units.entry((&device.bus, device.unit)).or_insert(index);
        if first != index && !found.is_refused(&key("unit")) {
            let problem = format!("{}: device[{first}] is the same unit of this bus", device.unit);
            found.refuse(&key("unit"), None, problem, "a unit id of its own on each bus");
        }
    }
}

fn check_quality(config: &GatewayConfig, found: &mut Findings<'_>) {
    if config.quality.stale_min_s > config.quality.stale_max_s {
        let problem = format!("{} is more than quality.stale_max_s", config.quality.stale_min_s);
        found.refuse("quality.stale_min_s", None, problem, &format!("at most {}", config.quality.stale_max_s));
    }
}

fn check_prefixes(table: &str, broker: &BrokerConfig, found: &mut Findings<'_>) {
    let prefixes = [("sync_prefix", &broker.sync_prefix), ("telemetry_prefix", &broker.telemetry_prefix)];
    for (key, prefix) in prefixes {
        if broker.shared && !prefix.contains("{vessel_id}") {
            let problem = "several vessels share this broker and would overwrite each other's topics";
            let accepted = "a prefix that holds {vessel_id}, such as vessels/{vessel_id}/sync, or shared = false";
            found.refuse(&format!("{table}.{key}"), Some(prefix), problem, accepted);
        }
    }
    if broker.sync_prefix == broker.telemetry_prefix {
        let key = format!("{table}.telemetry_prefix");
        found.refuse(&key, Some(&broker.telemetry_prefix), "sync_prefix is the same", "a prefix of its own");
    }
}

/// Z19 and Z20: on board a login and TLS are the operator's choice; ashore they are not.
fn check_protection(table: &str, broker: &BrokerConfig, found: &mut Findings<'_>) {
    let Ok(url) = Url::parse(&broker.url, &["mqtt", "mqtts"]) else { return };
    let (plain, ashore) = (url.scheme == "mqtt", broker.shared || !url.is_on_board());
    let (certificate, key) = (!broker.client_cert.as_os_str().is_empty(), !broker.client_key.as_os_str().is_empty());
    let url_key = format!("{table}.url");
    if certificate != key {
        let (set, absent) = if key { ("client_key", "client_cert") } else { ("client_cert", "client_key") };
        found.refuse(&format!("{table}.{set}"), None, format!("{absent} is missing"), "both or neither");
    }
    if ashore && plain {
        let problem = "a broker ashore without TLS: login and data would travel in clear";
        found.refuse(&url_key, Some(&broker.url), problem, "mqtts://host:port, or a host on the vessel's own network");
    }
    if ashore && broker.username.is_empty() && !certificate {
        let problem = "a broker ashore without a login";
        found.refuse(&url_key, Some(&broker.url), problem, "with username and password, or client_cert and client_key");
    }
    if !broker.tls_reject_unauthorized {
        check_unchecked(table, broker, ashore, plain, found);
    }
    if plain && (certificate || !broker.ca_cert.as_os_str().is_empty()) {
        found.warnings.push(format!("{url_key}: mqtt:// uses no TLS, so the certificates of {table} are not used"));
    }
}

fn check_unchecked(table: &str, broker: &BrokerConfig, ashore: bool, plain: bool, found: &mut Findings<'_>) {
    let key = format!("{table}.tls_reject_unauthorized");
    if ashore && !broker.tls_unchecked_ashore {
        let problem =
            "false: a broker ashore whose certificate is not checked can be impersonated by anyone on the way";
        found.refuse(&key, None, problem, "true (with ca_cert), or tls_unchecked_ashore = true as well");
    } else if !plain {
        let name = &broker.name;
        found
            .warnings
            .push(format!("{key} = false: anyone on the way can pose as broker `{name}` and read everything"));
    }
}

/// The rules of `shore.toml`.
pub(super) fn shore(config: &ShoreConfig, found: &mut Findings<'_>) {
    found.refuse_twins("vessel", "id", config.vessel.iter().map(|vessel| vessel.id.as_str()).enumerate());
    let tokens: Vec<String> = config.vessel.iter().map(|vessel| vessel.token_sha256.to_ascii_lowercase()).collect();
    found.refuse_twins("vessel", "token_sha256", tokens.iter().map(String::as_str).enumerate());
}
