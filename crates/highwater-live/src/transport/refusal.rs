//! Requests that are refused.

use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::connection_limits::Full;
use crate::hub::CallError;

/// Reason why a request is refused; the client gets the status and the text.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("not authenticated")]
    Unauthenticated,
    #[error("not allowed")]
    Forbidden,
    #[error("the connection belongs to somebody else")]
    OtherIdentity,
    #[error("pages of this origin may not connect")]
    Origin,
    #[error("no connection id")]
    NoId,
    #[error("{0}")]
    Invalid(String),
    #[error("there is nothing to be asked for without its content")]
    NoHead,
    #[error("no such connection")]
    NoConnection,
    #[error("the connection has another transport")]
    OtherTransport,
    #[error("{0}")]
    Full(#[from] Full),
    #[error("the server is shutting down")]
    Draining,
    #[error("the server cannot do this at the moment")]
    Unavailable,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::OtherIdentity | Self::Origin => StatusCode::FORBIDDEN,
            Self::NoId | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NoHead => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoConnection => StatusCode::NOT_FOUND,
            Self::OtherTransport => StatusCode::CONFLICT,
            Self::Full(Full::Client | Full::Rate) => StatusCode::TOO_MANY_REQUESTS,
            Self::Full(Full::Total) | Self::Draining | Self::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl Refusal {
    /// Tells whether the same request may succeed a little later.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Draining | Self::Unavailable)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::debug!(reason = ?self.to_string(), "refused");
        let mut response = (self.status(), self.to_string()).into_response();
        let headers = response.headers_mut();
        if matches!(self, Self::Unauthenticated) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self, Self::NoHead) {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        if self.is_temporary() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable => Self::Unavailable,
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}
