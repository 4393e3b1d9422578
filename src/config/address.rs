//! Where a bus is, as the operator writes it: `tcp://host:port` to connect to, `udp://address:port` to listen on (or a
//! multicast group to join), `serial:///dev/serial/by-id/...`, `can://can0`.
//!
//! It refuses to resolve names: whether a host exists is found out each time that the bus connects, not when the file
//! is read.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The longest host name: RFC 1035, section 2.3.4.
const HOST_CHARACTERS_MAX: usize = 253;

/// The address of a bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// Connect to this server (a multiplexer, a serial server), and again whenever the connection is lost.
    Tcp {
        /// Host name or IP address, IPv6 without brackets.
        host: String,
        /// Port, not 0.
        port: u16,
    },
    /// Listen for datagrams on this address of ours; port 0 takes a free one.
    Udp(SocketAddr),
    /// A serial port by the path of its device. The paths below `/dev/serial/by-id` name the adapter, not the plug.
    Serial(PathBuf),
    /// A CAN interface of the kernel.
    Can(String),
}

/// Why a text is no address. Each says what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another beginning.
    #[error(
        "`{text}` does not begin with tcp://, udp://, serial:// or can://; write tcp://host:port, udp://0.0.0.0:port, \
             serial:///dev/ttyUSB0 or can://can0"
    )]
    Scheme {
        /// What was written.
        text: String,
    },
    /// No port, or none that is a number from 1 to 65535.
    #[error("`{text}` has no port from 1 to 65535 at its end; write tcp://host:port, such as tcp://192.168.1.20:10110")]
    Port {
        /// What was written.
        text: String,
    },
    /// The host cannot be one.
    #[error("`{text}` names no host; write a name or an IP address, IPv6 in brackets: tcp://[fd00::20]:10110")]
    Host {
        /// What was written.
        text: String,
    },
    /// A UDP bus must listen on an address of this machine.
    #[error("`{text}` is no address to listen on; write udp://0.0.0.0:port, or one IP address of this machine")]
    Listen {
        /// What was written.
        text: String,
    },
    /// A serial port is a path from the root.
    #[error("`{text}` names no port; write serial:///dev/ttyUSB0, better serial:///dev/serial/by-id/...")]
    Serial {
        /// What was written.
        text: String,
    },
    /// The kernel's names of interfaces are short.
    #[error("`{text}` names no interface of 1 to 15 letters and digits; write can://can0")]
    Interface {
        /// What was written.
        text: String,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let said = || text.chars().take(HOST_CHARACTERS_MAX).collect::<String>();
        if let Some(rest) = text.strip_prefix("udp://") {
            return rest.parse().map(Self::Udp).map_err(|_| AddressError::Listen { text: said() });
        }
        if let Some(rest) = text.strip_prefix("serial://") {
            let is_path = rest.starts_with('/') && rest.len() > 1 && !rest.contains('\0');
            return is_path.then(|| Self::Serial(rest.into())).ok_or_else(|| AddressError::Serial { text: said() });
        }
        if let Some(rest) = text.strip_prefix("can://") {
            return is_interface(rest)
                .then(|| Self::Can(rest.to_owned()))
                .ok_or_else(|| AddressError::Interface { text: said() });
        }
        let rest = text.strip_prefix("tcp://").ok_or_else(|| AddressError::Scheme { text: said() })?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| AddressError::Port { text: said() })?;
        let port = port.parse().ok().filter(|&port| port != 0 && !rest.ends_with(':'));
        let port = port.ok_or_else(|| AddressError::Port { text: said() })?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string()),
            None => is_host(host).then(|| host.to_owned()),
        };
        Ok(Self::Tcp { host: host.ok_or_else(|| AddressError::Host { text: said() })?, port })
    }
}

/// What the kernel takes as a name: at most `IFNAMSIZ` less its NUL, and nothing that a path or a label would trip
/// over.
fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Letters, digits, `-`, `_`, `.`: a name that a resolver may know, or an IPv4 address.
fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=HOST_CHARACTERS_MAX).contains(&host.len()) && host.bytes().all(plain)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Serial(path) => write!(f, "serial://{}", path.display()),
            Self::Can(interface) => write!(f, "can://{interface}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print_the_same() {
        for text in ["tcp://ais-box.local:10110", "tcp://10.0.0.7:4001", "tcp://[fd00::20]:1", "udp://0.0.0.0:10110"]
            .into_iter()
            .chain(["serial:///dev/serial/by-id/usb-FTDI-0", "can://can0"])
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("udp://[::]:0".parse(), Ok(Address::Udp(SocketAddr::from(([0u16; 8], 0)))));
    }

    #[test]
    fn what_is_no_address_is_told_what_would_be_one() {
        let told = |text: &str| text.parse::<Address>().unwrap_err().to_string();
        assert!(told("192.168.1.20:10110").contains("tcp://host:port"));
        assert!(told("tcp://host").contains("port from 1 to 65535"));
        assert!(told("tcp://host:").contains("port from 1 to 65535"));
        assert!(told("tcp://host:0").contains("port from 1 to 65535"));
        assert!(told("tcp://host:70000").contains("port from 1 to 65535"));
        assert!(told("tcp://:10110").contains("names no host"));
        assert!(told("tcp://fd00::20:10110").contains("in brackets"));
        assert!(told("tcp://a b:1").contains("names no host"));
        assert!(told("udp://:10110").contains("udp://0.0.0.0:port"));
        assert!(told("udp://gateway:10110").contains("udp://0.0.0.0:port"));
        assert!(told(&"x".repeat(10_000)).len() < 500, "an error is never as long as what was wrong");
    }
}
