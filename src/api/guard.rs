//! What every answer carries and every request must name, whatever the route.
//!
//! The Host check stops DNS rebinding: a page from the internet, opened on board, whose name suddenly resolves to the
//! gateway, would read it as its own origin. It refuses names, never addresses, and only those that cannot be ours.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::ApiError;

/// Everything from ourselves, nothing inline, no frames, no forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Which Host headers are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Any: behind a TLS terminator.
    Any,
    /// Addresses and `localhost` only.
    Loopback,
    /// On board: these too, names that the internet cannot give out (without a dot, or below `local`, `internal` and
    /// `home.arpa`), and those of `http.names`.
    Aboard(Arc<[String]>),
}

/// Names below these are no one's on the internet (RFC 6762, 3; RFC 8375; ICANN's resolution 2024.07.29.06).
const PRIVATE_DOMAINS: [&str; 3] = [".local", ".internal", ".home.arpa"];

impl Hosts {
    /// What fits a shore that listens at `address`: on loopback nobody can have another name for us.
    pub const fn ashore(address: SocketAddr) -> Self {
        if address.ip().is_loopback() { Self::Loopback } else { Self::Any }
    }

    /// What fits a gateway that listens at `address` and is known by `names`.
    pub fn aboard(address: SocketAddr, names: &[String]) -> Self {
        if address.ip().is_loopback() && names.is_empty() { Self::Loopback } else { Self::Aboard(names.into()) }
    }

    /// Whether a Host header `host` (with or without port) is believed.
    pub fn allow(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let known = || name == "localhost" || name.parse::<IpAddr>().is_ok();
        match self {
            Self::Any => true,
            Self::Loopback => known(),
            Self::Aboard(names) => {
                let private = !name.contains('.') || PRIVATE_DOMAINS.iter().any(|domain| name.ends_with(domain));
                known() || (private && !name.is_empty()) || names.iter().any(|own| own.eq_ignore_ascii_case(&name))
            }
        }
    }
}

/// The host without its port and brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

/// Refuses a request whose Host header names somebody else.
pub async fn check_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    // HTTP/1.0 has no Host header, and no browser speaks it.
    let host = header.unwrap_or(if request.version() == Version::HTTP_10 { "localhost" } else { "" });
    if hosts.allow(host) {
        return next.run(request).await;
    }
    ApiError::WrongHost { host: host.chars().take(64).collect() }.into_response()
}

/// Adds the security headers, and forbids caches whatever has not said otherwise.
pub async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_refused() {
        let hosts = Hosts::aboard("127.0.0.1:8080".parse().unwrap(), &[]);
        for ours in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.5"] {
            assert!(hosts.allow(ours), "{ours}");
        }
        for other in ["evil.example", "evil.example:8080", "localhost.evil.example", "", "[evil]", "127.0.0.1.nip.io"] {
            assert!(!hosts.allow(other), "{other}");
        }
        let everywhere = "0.0.0.0:8080".parse().unwrap();
        let aboard = Hosts::aboard(everywhere, &["Gateway.Ship.example".to_owned()]);
        for ours in [
            "192.168.1.5:8080",
            "[fe80::1]:8080",
            "localhost",
            "hawser:8080",
            "HAWSER.local",
            "gw.home.arpa",
            "gateway.ship.example:8080",
        ] {
            assert!(aboard.allow(ours), "{ours}");
        }
        for other in ["evil.example", "hawser.local.evil.example", "ship.example", "", ":8080", "192.168.1.5.nip.io"] {
            assert!(!aboard.allow(other), "{other}");
        }
        assert!(Hosts::ashore(everywhere).allow("shore.example.com"));
    }
}
