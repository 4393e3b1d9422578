//! Who may write: whoever has the token. Reading is open on board; the listener is loopback by default.
//!
//! One token, drawn at the first start, kept in `<data>/api_token`. It refuses every method that is not a pure read by
//! default, so that a route added later is guarded without a word. It knows no accounts and no roles yet.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::ApiState;
use super::error::ApiError;
use crate::durable_file;
use crate::entropy::Entropy;

/// Name of the token's file in the data directory.
pub const TOKEN_FILE: &str = "api_token";

/// A shorter token is no secret: 22 characters of base64 are 128 bits.
pub const TOKEN_CHARS_MIN: usize = 22;

/// A longer one is no token but a file put there by mistake.
pub const TOKEN_CHARS_MAX: usize = 256;

/// Wrong tokens that one address may send within [`FAILURE_WINDOW_MS`] before it must wait (UR E27, failed login
/// limit).
pub const FAILURES_MAX: u32 = 10;

/// How long failures are remembered, and how long one waits at most.
pub const FAILURE_WINDOW_MS: u64 = 60_000;

/// Addresses whose failures are remembered; beyond, the one that began longest ago is forgotten. A ship's LAN is a /24.
pub const FAILURE_ADDRESSES_MAX: usize = 256;

/// The token that writing needs. Its text never appears in debug output.
#[derive(Clone)]
pub struct ApiToken(Arc<str>);

impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiToken(..)")
    }
}

/// Whether the token was drawn just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// At this start: tell the operator where it is.
    Now,
    /// At an earlier one.
    Before,
}

/// The token's file cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read or written.
    #[error("cannot {operation} the API token `{path}`; the data directory must be writable by the service")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds no token. It is not replaced: tablets on board may hold the right one.
    #[error(
        "`{path}` holds no API token ({TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} visible ASCII characters); \
         put the right one back, or remove the file to have a new one drawn"
    )]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

impl ApiToken {
    /// A token that is known already, for tests and tools. Not checked.
    pub fn known(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Reads the token of `dir`, or draws one and keeps it there: mode 0600, on the disk before this returns.
    pub fn load_or_create(dir: &Path, entropy: &Entropy) -> Result<(Self, Created), TokenError> {
        let path = dir.join(TOKEN_FILE);
        let failed = |operation| {
            let path = path.clone();
            move |source| TokenError::Io { operation, path, source }
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let text = text.trim();
                let fits = (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&text.len());
                if !fits || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(TokenError::Unusable { path });
                }
                let token = Self::known(text);
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                    .map_err(failed("close to others"))?;
                Ok((token, Created::Before))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::known(&entropy.token());
                let text = format!("{}\n", token.reveal());
                durable_file::write(dir, TOKEN_FILE, text.as_bytes(), 0o600).map_err(failed("write"))?;
                Ok((token, Created::Now))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(TokenError::Unusable { path }),
            Err(error) => Err(failed("read")(error)),
        }
    }

    /// The text, for the operator who must hand it on. Never log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the token. Takes the same time for any wrong text: digests of equal length are compared.
    pub fn matches(&self, given: &str) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(given.as_bytes())).into()
    }
}

/// Where a request came from; `serve` puts it on each.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Failures by address. Pure: the time is handed in.
#[derive(Debug, Default)]
pub struct Lockout(HashMap<IpAddr, Failures>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    since_ms: u64,
    count: u32,
}

impl Lockout {
    /// How many seconds `address` must wait; `None` when it may try.
    pub fn wait_s(&self, address: IpAddr, now_ms: u64) -> Option<u64> {
        let failures = self.0.get(&address)?;
        let end_ms = failures.since_ms + FAILURE_WINDOW_MS;
        (failures.count >= FAILURES_MAX && now_ms < end_ms).then(|| (end_ms - now_ms).div_ceil(1_000))
    }

    /// Remembers that `address` sent a wrong token.
    pub fn failed(&mut self, address: IpAddr, now_ms: u64) {
        self.0.retain(|_, f| now_ms < f.since_ms + FAILURE_WINDOW_MS);
        if self.0.len() >= FAILURE_ADDRESSES_MAX && !self.0.contains_key(&address) {
            let oldest = self.0.iter().min_by_key(|(_, f)| f.since_ms).map(|(address, _)| *address);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        let failures = self.0.entry(address).or_insert(Failures { since_ms: now_ms, count: 0 });
        failures.count = failures.count.saturating_add(1);
    }
}

/// What the guard of writes needs.
#[derive(Debug)]
pub struct Auth {
    token: ApiToken,
    lockout: Mutex<Lockout>,
}

impl Auth {
    /// A guard that asks for `token`.
    pub fn new(token: ApiToken) -> Self {
        Self { token, lockout: Mutex::default() }
    }

    /// Judges one request that writes. The error says what to do.
    pub fn check(&self, headers: &HeaderMap, address: IpAddr, now_ms: u64) -> Result<(), ApiError> {
        let mut lockout = self.lockout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(retry_after_s) = lockout.wait_s(address, now_ms) {
            return Err(ApiError::TooManyFailures { retry_after_s });
        }
        let given = bearer(headers).ok_or(ApiError::TokenMissing)?;
        if self.token.matches(given) {
            return Ok(());
        }
        lockout.failed(address, now_ms);
        Err(ApiError::TokenWrong)
    }
}

/// The token of `Authorization: Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets reads pass and asks all others for the token.
pub async fn guard_writes(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let address =
        request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
    match state.auth.check(request.headers(), address, state.clock.now().mono_ms) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            state.metrics.auth_failures.inc();
            tracing::warn!(%address, path = request.uri().path(), "write refused: {error}");
            error.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_token_is_drawn_once_and_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let (first, created) = ApiToken::load_or_create(dir.path(), &Entropy::system()).unwrap();
        assert_eq!(created, Created::Now);
        let path = dir.path().join(TOKEN_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (second, created) = ApiToken::load_or_create(dir.path(), &Entropy::system()).unwrap();
        assert_eq!((second.reveal(), created), (first.reveal(), Created::Before));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
        assert!(!format!("{first:?}").contains(first.reveal()));
    }

    #[test]
    fn a_file_without_a_token_is_refused_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKEN_FILE);
        for text in ["", "short", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            std::fs::write(&path, text).unwrap();
            let error = ApiToken::load_or_create(dir.path(), &Entropy::system()).unwrap_err();
            assert!(error.to_string().contains("remove the file"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, b"\xff\xfe\xff").unwrap();
        assert!(matches!(ApiToken::load_or_create(dir.path(), &Entropy::system()), Err(TokenError::Unusable { .. })));
    }

    #[test]
    fn a_lost_temporary_file_does_not_stop_the_start() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".api_token.new"), "half").unwrap();
        assert_eq!(ApiToken::load_or_create(dir.path(), &Entropy::system()).unwrap().1, Created::Now);
    }

    #[test]
    fn only_the_right_bearer_token_passes() {
        let auth = Auth::new(ApiToken::known("a-token-of-some-length"));
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(auth.check(&headers("Bearer a-token-of-some-length"), address, 0), Ok(()));
        assert_eq!(auth.check(&headers("bearer a-token-of-some-length"), address, 0), Ok(()));
        for wrong in ["Bearer a-token-of-some-lengt", "Bearer ", "Bearer a-token-of-some-length2"] {
            assert_eq!(auth.check(&headers(wrong), address, 0), Err(ApiError::TokenWrong), "{wrong}");
        }
        for none in ["Basic a-token-of-some-length", "a-token-of-some-length"] {
            assert_eq!(auth.check(&headers(none), address, 0), Err(ApiError::TokenMissing), "{none}");
        }
        assert_eq!(auth.check(&HeaderMap::new(), address, 0), Err(ApiError::TokenMissing));
    }

    #[test]
    fn an_address_that_guesses_must_wait_and_others_need_not() {
        let mut lockout = Lockout::default();
        let guesser = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        for _ in 0..FAILURES_MAX {
            assert_eq!(lockout.wait_s(guesser, 1_000), None);
            lockout.failed(guesser, 1_000);
        }
        assert_eq!(lockout.wait_s(guesser, 1_500), Some(60));
        assert_eq!(lockout.wait_s(IpAddr::V4(Ipv4Addr::LOCALHOST), 1_500), None);
        assert_eq!(lockout.wait_s(guesser, 61_000), None);
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let mut lockout = Lockout::default();
        for i in 0..10 * u32::try_from(FAILURE_ADDRESSES_MAX).unwrap() {
            lockout.failed(IpAddr::V4(Ipv4Addr::from(i)), u64::from(i));
        }
        assert_eq!(lockout.0.len(), FAILURE_ADDRESSES_MAX);
    }
}
