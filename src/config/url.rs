//! Addresses of brokers and of the shore: scheme, host, port, and whether the host is on board.
//!
//! It refuses a user name or password inside an address, because addresses are logged and shown, and resolves no name.

use std::net::IpAddr;

/// `scheme://host:port`, nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// In lower case.
    pub scheme: String,
    /// A name or a numeric address, without brackets.
    pub host: String,
    /// `None`: the scheme's own.
    pub port: Option<u16>,
}

/// Names that never leave the vessel's own network: RFC 6762 (`local`), RFC 8375 (`home.arpa`), and the usual private
/// ones.
const LOCAL_SUFFIXES: [&str; 5] = [".local", ".lan", ".localhost", ".internal", ".home.arpa"];

impl Url {
    /// Reads `text`; the error says what is wrong with it, without quoting it.
    pub fn parse(text: &str, schemes: &[&str]) -> Result<Self, &'static str> {
        let url = reqwest::Url::parse(text).map_err(|_| "not an address")?;
        if !schemes.contains(&url.scheme()) {
            return Err("not a scheme that is spoken here");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a login inside an address would be shown in logs; it has keys of its own");
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("more than scheme, host and port");
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        if host.is_empty() {
            return Err("no host");
        }
        if url.port() == Some(0) {
            return Err("port 0 cannot be connected to");
        }
        Ok(Self { scheme: url.scheme().to_owned(), host, port: url.port() })
    }

    /// Whether the host is this machine, by number or by the name `localhost`.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// Whether the host is on the vessel's own network: a private or link-local number, or a name that only local
    /// resolvers know. A name without a dot is taken for local: only a hosts file or the LAN's own resolver can know
    /// it. Shared carrier space (100.64.0.0/10, RFC 6598) is the provider's, not the vessel's.
    pub fn is_on_board(&self) -> bool {
        match self.host.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
            Err(_) => !self.host.contains('.') || LOCAL_SUFFIXES.iter().any(|suffix| self.host.ends_with(suffix)),
        }
    }
}

/// `text` with whatever stands between `://` and `@` hidden, for messages about addresses that were refused.
pub(super) fn without_login(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}<hidden>{}", &text[..scheme + 3], &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Url, &'static str> {
        Url::parse(text, &["mqtt", "mqtts"])
    }

    #[test]
    fn an_address_has_scheme_host_and_port() {
        let url = parse("mqtts://[FD00::7]:8883").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.port), ("mqtts", "fd00::7", Some(8883)));
        assert_eq!(parse("mqtt://LocalHost").unwrap().host, "localhost");
        for bad in ["", "mqtt:", "mqtt://", "mqtt://:1883", "mqtt://a:0", "mqtt://a:99999", "mqtt://a/b", "http://a"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("mqtt://user:secret@a").unwrap_err().contains("login"));
    }

    #[test]
    fn hosts_on_board_are_told_from_hosts_ashore() {
        for here in ["localhost", "127.0.0.1", "10.0.0.5", "192.168.1.100", "broker", "nav.local", "[::1]", "[fe80::1]"]
        {
            assert!(parse(&format!("mqtt://{here}:1883")).unwrap().is_on_board(), "{here}");
        }
        for ashore in ["mqtt.example.com", "8.8.8.8", "100.64.0.1", "[2001:db8::1]", "localhost.example.com"] {
            assert!(!parse(&format!("mqtt://{ashore}:1883")).unwrap().is_on_board(), "{ashore}");
        }
    }

    #[test]
    fn a_login_is_hidden() {
        assert_eq!(without_login("mqtt://u:p@ss@host:1"), "mqtt://<hidden>@host:1");
        assert_eq!(without_login("a@b"), "a@b");
    }
}
