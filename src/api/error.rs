//! Errors as the API's callers see them: `{"error":{"code","message","hint"}}`, whatever refused the request.
//!
//! [`uniform`] gives the same shape to the refusals of the layers below (404, 405, 408, 413, 415, 422). It never shows
//! more than the first [`MESSAGE_BYTES_MAX`] bytes of a message and no chain of causes: those are in the log.

use std::borrow::Cow;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::backend::BackendError;

/// The longest message of a lower layer that is passed on: serde's are short, anything longer is not for people.
pub const MESSAGE_BYTES_MAX: usize = 1_024;

/// What an API caller is told when told no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A write came without the token.
    #[error("this request needs a token")]
    TokenMissing,
    /// A write came with a wrong token.
    #[error("the API token is not the right one")]
    TokenWrong,
    /// Too many wrong tokens came from this address.
    #[error("too many wrong tokens from this address")]
    TooManyFailures {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// A bound is reached.
    #[error("too many {what} at once")]
    Busy {
        /// What there is too much of.
        what: &'static str,
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// A parameter cannot be understood.
    #[error("parameter `{name}`: {reason}")]
    BadParameter {
        /// Its name.
        name: &'static str,
        /// Why, and what would be accepted.
        reason: String,
    },
    /// The Host header names a machine that this is not (DNS rebinding).
    #[error("`{host}` is not a name of this gateway")]
    WrongHost {
        /// What was named.
        host: String,
    },
    /// The gateway behind said no.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Any other, for rooms that add routes.
    #[error("{message}")]
    Other {
        /// HTTP status.
        status: StatusCode,
        /// Stable word for programs.
        code: &'static str,
        /// Sentence for people.
        message: String,
        /// What to do.
        hint: Cow<'static, str>,
    },
}

impl ApiError {
    /// Its HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::TokenWrong => StatusCode::UNAUTHORIZED,
            Self::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } | Self::Backend(BackendError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadParameter { .. } => StatusCode::BAD_REQUEST,
            Self::WrongHost { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::Backend(BackendError::Refused(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Backend(BackendError::Failed(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Other { status, .. } => *status,
        }
    }

    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenWrong => "token_wrong",
            Self::TooManyFailures { .. } => "too_many_failures",
            Self::Busy { .. } => "busy",
            Self::BadParameter { .. } => "bad_parameter",
            Self::WrongHost { .. } => "wrong_host",
            Self::Backend(BackendError::Unavailable(_)) => "unavailable",
            Self::Backend(BackendError::Refused(_)) => "refused",
            Self::Backend(BackendError::Failed(_)) => "failed",
            Self::Other { code, .. } => code,
        }
    }

    /// What the caller can do.
    pub fn hint(&self) -> &str {
        match self {
            Self::TokenMissing | Self::TokenWrong => {
                "send `Authorization: Bearer <token>`; the token is in the file `api_token` of the data directory"
            }
            Self::TooManyFailures { .. } | Self::Busy { .. } | Self::Backend(BackendError::Unavailable(_)) => {
                "wait for the seconds in Retry-After, then try again"
            }
            Self::BadParameter { .. } | Self::Backend(BackendError::Refused(_)) => "correct the request",
            Self::WrongHost { .. } => {
                "use the gateway's address, a name without a dot or in .local, or one of http.names"
            }
            Self::Backend(BackendError::Failed(_)) => "see the gateway's log and the alarms in GET /api/status",
            Self::Other { hint, .. } => hint,
        }
    }

    /// Seconds to wait before trying again, where that may help.
    pub const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooManyFailures { retry_after_s } | Self::Busy { retry_after_s, .. } => Some(*retry_after_s),
            Self::Backend(error) if error.is_transient() => Some(RETRY_AFTER_S),
            _ => None,
        }
    }

    /// Whether trying again later may work.
    pub const fn is_transient(&self) -> bool {
        self.retry_after_s().is_some()
    }

    /// The JSON body.
    pub fn body(&self) -> serde_json::Value {
        json!({"error": {"code": self.code(), "message": self.to_string(), "hint": self.hint()}})
    }
}

/// What Retry-After says when nothing better is known: longer than a commit, shorter than a person's patience.
pub const RETRY_AFTER_S: u64 = 2;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), axum::Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"hawser\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Gives every refusal that is not JSON yet the shape of [`ApiError`].
pub async fn uniform(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !(status.is_client_error() || status.is_server_error())
        || response.headers().get(CONTENT_TYPE).is_some_and(is_json)
    {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let text = to_bytes(response.into_body(), MESSAGE_BYTES_MAX).await.unwrap_or_default();
    let (code, usual, hint) = words(status);
    let text = String::from_utf8_lossy(&text);
    let message = if text.trim().is_empty() { usual.to_owned() } else { text.trim().to_owned() };
    let mut response = ApiError::Other { status, code, message, hint: hint.into() }.into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn words(status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => {
            ("not_found", "nothing is served at this path", "GET / is the page, GET /api/status the state")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path does not know this method", "the Allow header names those it knows")
        }
        StatusCode::REQUEST_TIMEOUT => ("timeout", "the request took too long", "send the body at once; ask for less"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the request's body is too large", "send it in smaller parts"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("unsupported_media_type", "the body's type is not understood", "send `Content-Type: application/json`")
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            ("bad_request", "the request cannot be understood", "correct the request")
        }
        _ if status.is_server_error() => {
            ("failed", "the gateway could not do this", "see the gateway's log and the alarms in GET /api/status")
        }
        _ => ("refused", "the request was refused", "correct the request"),
    }
}
