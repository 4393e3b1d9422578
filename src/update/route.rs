//! By which network interface a host is reached: what the way to it costs.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;

use super::policy::LinkCost;

/// Whether the interface towards `target` is one of `cheap` (names, or the beginning of some and `*`). No packet is
/// sent: the kernel is asked for its route. Loopback costs nothing.
pub fn cost(target: SocketAddr, cheap: &[String]) -> LinkCost {
    let Some(local) = source_address(target) else { return LinkCost::None };
    if local.is_loopback() {
        return LinkCost::Cheap;
    }
    let name = interface(local);
    let is_cheap = name.is_some_and(|name| cheap.iter().any(|pattern| matches(pattern, &name)));
    if is_cheap { LinkCost::Cheap } else { LinkCost::Metered }
}

fn source_address(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if target.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn interface(address: IpAddr) -> Option<String> {
    getifaddrs().ok()?.find_map(|entry| {
        let storage = entry.address?;
        let found = match address {
            IpAddr::V4(address) => storage.as_sockaddr_in()?.ip() == address,
            IpAddr::V6(address) => storage.as_sockaddr_in6()?.ip() == address,
        };
        found.then_some(entry.interface_name)
    })
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or_else(|| pattern == name, |stem| name.starts_with(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_cheap_and_names_may_end_in_a_star() {
        assert_eq!(cost("127.0.0.1:80".parse().unwrap(), &[]), LinkCost::Cheap);
        assert_eq!(interface([127, 0, 0, 1].into()).as_deref(), Some("lo"));
        assert!(matches("en*", "enp1s0") && matches("eth0", "eth0") && !matches("en*", "wwan0"));
        assert!(!matches("eth0", "eth01"));
    }
}
