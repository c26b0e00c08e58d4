//! Problems: errors as JSON of RFC 9457, the same for every route.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use highwater_core::{Expected, InvalidName, Offset, SagaRequest, StoreError};
use serde_json::{Map, Value, json};

/// An error response: `type`, `title`, `status`, `detail` and members of its own.
///
/// ```
/// # use axum::http::StatusCode;
/// # use highwater_console::Problem;
/// let problem = Problem::new(StatusCode::NOT_FOUND, "no user 7").with("userId", 7);
/// ```
///
/// Routes return `Result<_, Problem>`. A [`StoreError`] becomes the problem that its caller can
/// act on; what went wrong inside the store is logged and not shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    kind: Option<Kind>,
    detail: String,
    members: Map<String, Value>,
}

/// Kind of problem, among others of the same status.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    uri: &'static str,
    title: &'static str,
}

impl Problem {
    /// A problem that its status says all about, of the type `about:blank`.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into(), members: Map::new() }
    }

    /// Sets `type`, a URI by which clients tell this problem from others, and its `title`.
    #[must_use]
    pub fn of_type(mut self, uri: &'static str, title: &'static str) -> Self {
        self.kind = Some(Kind { uri, title });
        self
    }

    /// Adds a member beside `type`, `title`, `status` and `detail`.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let blank =
            Kind { uri: "about:blank", title: self.status.canonical_reason().unwrap_or("Error") };
        let kind = self.kind.unwrap_or(blank);
        let mut body = self.members;
        body.insert("type".to_owned(), kind.uri.into());
        body.insert("title".to_owned(), kind.title.into());
        body.insert("status".to_owned(), self.status.as_u16().into());
        body.insert("detail".to_owned(), self.detail.into());
        let json = HeaderValue::from_static("application/problem+json");
        let headers = [(header::CONTENT_TYPE, json)];
        (self.status, headers, Value::Object(body).to_string()).into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match &error {
            StoreError::Conflict { stream, expected, actual } => {
                Self::new(StatusCode::CONFLICT, detail)
                    .of_type("urn:highwater:stream-conflict", "The stream is not as expected")
                    .with("stream", stream.as_str())
                    .with("expected", expectation(*expected))
                    .with("actual", Offset::to_sql(*actual))
            }
            StoreError::EventIdTaken { id } => Self::new(StatusCode::CONFLICT, detail)
                .of_type("urn:highwater:event-id-taken", "The event id is taken")
                .with("eventId", id.to_string()),
            StoreError::SagaUnknown { .. } => Self::new(StatusCode::NOT_FOUND, detail),
            StoreError::CheckpointMoved { .. }
            | StoreError::LeaseLost { .. }
            | StoreError::SagaTaken { .. }
            | StoreError::SagaLeaseLost { .. } => Self::new(StatusCode::CONFLICT, detail),
            StoreError::SagaRequestRefused { state, pending, .. } => {
                Self::new(StatusCode::CONFLICT, detail)
                    .of_type("urn:highwater:saga-not-allowed", "The saga's state does not allow it")
                    .with("state", state.as_str())
                    .with("pending", pending.map(SagaRequest::as_str))
            }
            StoreError::Invalid(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            StoreError::TooLarge { actual, limit, .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
                    .with("actual", *actual)
                    .with("limit", *limit)
            }
            StoreError::Unfit(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail),
            StoreError::Unavailable(source) => {
                tracing::warn!(error = source.as_ref(), "the store is unavailable");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            StoreError::Misconfigured(source) => {
                tracing::error!(error = source.as_ref(), "the store cannot work as it is set up");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            other => {
                let source = std::error::Error::source(other);
                tracing::error!(error = source, "{other}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed")
            }
        }
    }
}

/// Returns what was expected, as the client has sent it.
fn expectation(expected: Expected) -> Value {
    match expected {
        Expected::At(offset) => json!(offset),
        other => json!(other.to_string()),
    }
}

impl From<InvalidName> for Problem {
    fn from(error: InvalidName) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}
