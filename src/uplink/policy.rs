//! Which brokers a gateway may speak to, and how (Z19, Z20). Pure: an address in, a verdict with its reason out. It
//! resolves no names: a name without a dot, or in `.local`, `.lan`, `.internal`, counts as on board, any other as on
//! the internet.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::BrokerConfig;

/// Port of MQTT over TCP (IANA).
pub const PORT_PLAIN: u16 = 1883;

/// Port of MQTT over TLS (IANA).
pub const PORT_TLS: u16 = 8883;

/// Where a broker is.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Whether the link is encrypted (`mqtts`).
    pub tls: bool,
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name inside the address, when there is one.
    pub username: String,
    /// Password inside the address, when there is one. Never shown.
    pub password: String,
}

/// Shown without user name and password (Q10).
impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a broker was refused; each says what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not an address of a broker.
    #[error("broker `{name}`: its address must be `mqtt://host:port` or `mqtts://host:port`")]
    Address {
        /// The broker's name. The address is not repeated: it may hold a password.
        name: String,
    },
    /// Plain TCP over the internet.
    #[error("broker `{name}` at {address} is not on board: use mqtts://, anybody on the way could read and write")]
    PlainToPublic {
        /// The broker's name.
        name: String,
        /// Its address.
        address: String,
    },
    /// Nobody to be over the internet.
    #[error("broker `{name}` at {address} is not on board: set username and password, or client_cert and client_key")]
    UnauthenticatedToPublic {
        /// The broker's name.
        name: String,
        /// Its address.
        address: String,
    },
    /// An unchecked certificate over the internet.
    #[error(
        "broker `{name}` at {address} is not on board: give its authority in ca_cert, \
             tls_reject_unauthorized = false is taken on the vessel's own network only"
    )]
    UncheckedToPublic {
        /// The broker's name.
        name: String,
        /// Its address.
        address: String,
    },
    /// Half a client certificate.
    #[error("broker `{name}`: client_cert and client_key go together")]
    HalfCertificate {
        /// The broker's name.
        name: String,
    },
    /// A certificate or password that would never be used or be sent in clear.
    #[error("broker `{name}`: ca_cert and client_cert need an address with mqtts://")]
    CertificateWithoutTls {
        /// The broker's name.
        name: String,
    },
}

/// What is accepted, and said aloud at each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Certificates are not checked (Z20).
    CertificateUnchecked,
    /// A password crosses the vessel's network in clear.
    PasswordInClear,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateUnchecked => {
                "tls_reject_unauthorized is false: anybody on this network can pose as the broker; set ca_cert instead"
            }
            Self::PasswordInClear => "the password crosses the network in clear; use mqtts://",
        })
    }
}

/// Reads the address of a broker.
///
/// # Errors
/// [`PolicyError::Address`] when it is none.
pub fn address(config: &BrokerConfig) -> Result<BrokerAddress, PolicyError> {
    parse(&config.url).ok_or_else(|| PolicyError::Address { name: config.name.clone() })
}

fn parse(url: &str) -> Option<BrokerAddress> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        _ => return None,
    };
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let place = place.strip_suffix('/').unwrap_or(place);
    let (host, port) = split_port(place)?;
    let port = match port {
        Some(text) => text.parse().ok().filter(|port| *port != 0)?,
        None if tls => PORT_TLS,
        None => PORT_PLAIN,
    };
    let sound = !host.is_empty() && !host.contains(['/', '?', '#', ' ', '@', '[', ']']);
    sound.then(|| BrokerAddress {
        tls,
        host: host.to_owned(),
        port,
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

fn split_port(place: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return if after.is_empty() { Some((host, None)) } else { Some((host, Some(after.strip_prefix(':')?))) };
    }
    match place.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((place, None)),
    }
}

/// Whether `host` is on board: loopback, a private network, or a name that only a private network knows.
pub fn is_on_board(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(v4) => is_private_v4(v4),
            IpAddr::V6(v6) => v6
                .to_ipv4_mapped()
                .map_or_else(|| v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(), is_private_v4),
        };
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    !host.contains('.') || [".local", ".lan", ".internal", ".localhost"].iter().any(|end| host.ends_with(end))
}

const fn is_private_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private() || address.is_link_local()
}

/// Judges a broker of the configuration. Gives what must be warned of at each start.
///
/// # Errors
/// What may not be, with what would be accepted.
pub fn policy_check(config: &BrokerConfig) -> Result<Vec<Warning>, PolicyError> {
    let place = address(config)?;
    let name = config.name.clone();
    let by_certificate = !config.client_cert.as_os_str().is_empty();
    if by_certificate == config.client_key.as_os_str().is_empty() {
        return Err(PolicyError::HalfCertificate { name });
    }
    if !place.tls && (by_certificate || !config.ca_cert.as_os_str().is_empty()) {
        return Err(PolicyError::CertificateWithoutTls { name });
    }
    let has_password = !config.password.is_empty() || !place.password.is_empty();
    let shown = place.to_string();
    if !is_on_board(&place.host) {
        if !place.tls {
            return Err(PolicyError::PlainToPublic { name, address: shown });
        }
        if !by_certificate && !has_password {
            return Err(PolicyError::UnauthenticatedToPublic { name, address: shown });
        }
        if !config.tls_reject_unauthorized {
            return Err(PolicyError::UncheckedToPublic { name, address: shown });
        }
    }
    let mut warnings = Vec::new();
    if place.tls && !config.tls_reject_unauthorized {
        warnings.push(Warning::CertificateUnchecked);
    }
    let loopback = place.host == "localhost" || place.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !place.tls && has_password && !loopback {
        warnings.push(Warning::PasswordInClear);
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(url: &str) -> BrokerConfig {
        BrokerConfig::new("b", url)
    }

    #[test]
    fn addresses_are_read_and_shown_without_passwords() {
        for (url, shown) in [
            ("mqtt://localhost", "mqtt://localhost:1883"),
            ("mqtts://broker.example.com", "mqtts://broker.example.com:8883"),
            ("mqtt://ann:secret@192.168.1.100:1884/", "mqtt://192.168.1.100:1884"),
            ("mqtts://[fd00::1]:9", "mqtts://[fd00::1]:9"),
        ] {
            let place = address(&broker(url)).unwrap();
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{place:?}").contains("secret"));
        }
        assert_eq!(address(&broker("mqtt://ann:se:cr@et@h")).unwrap().password, "se:cr@et");
        for url in ["localhost", "http://a", "mqtt://", "mqtt://a:0", "mqtt://a:x", "mqtt://[::1", "mqtt://a/b"] {
            assert!(matches!(address(&broker(url)), Err(PolicyError::Address { .. })), "{url}");
        }
    }

    #[test]
    fn on_board_nothing_is_asked_for() {
        for url in [
            "mqtt://localhost",
            "mqtt://127.0.0.1",
            "mqtt://192.168.1.100:1883",
            "mqtt://broker",
            "mqtt://b.local",
            "mqtt://10.1.2.3",
            "mqtt://[::1]",
            "mqtt://[fe80::1]",
            "mqtt://172.16.0.1",
        ] {
            assert_eq!(policy_check(&broker(url)), Ok(vec![]), "{url}");
        }
    }

    #[test]
    fn ashore_tls_and_a_name_are_asked_for() {
        for host in ["broker.example.com", "8.8.8.8", "172.32.0.1", "[2001:db8::1]", "[::ffff:8.8.8.8]"] {
            let mut config = broker(&format!("mqtt://{host}"));
            config.password = "p".to_owned();
            assert!(matches!(policy_check(&config), Err(PolicyError::PlainToPublic { .. })), "{host}");
            config.url = format!("mqtts://{host}");
            assert_eq!(policy_check(&config), Ok(vec![]), "{host}");
            config.tls_reject_unauthorized = false;
            assert!(matches!(policy_check(&config), Err(PolicyError::UncheckedToPublic { .. })), "{host}");
            config.password.clear();
            assert!(matches!(policy_check(&config), Err(PolicyError::UnauthenticatedToPublic { .. })), "{host}");
            config.tls_reject_unauthorized = true;
            config.client_cert = "c.pem".into();
            assert!(matches!(policy_check(&config), Err(PolicyError::HalfCertificate { .. })), "{host}");
            config.client_key = "k.pem".into();
            assert_eq!(policy_check(&config), Ok(vec![]), "{host}");
        }
    }

    #[test]
    fn what_is_accepted_with_a_sigh_is_warned_of() {
        let mut config = broker("mqtts://192.168.1.100");
        config.tls_reject_unauthorized = false;
        assert_eq!(policy_check(&config), Ok(vec![Warning::CertificateUnchecked]));
        let mut config = broker("mqtt://192.168.1.100");
        config.password = "p".to_owned();
        assert_eq!(policy_check(&config), Ok(vec![Warning::PasswordInClear]));
        config.ca_cert = "ca.pem".into();
        assert!(matches!(policy_check(&config), Err(PolicyError::CertificateWithoutTls { .. })));
    }
}
