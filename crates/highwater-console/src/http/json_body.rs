//! Bodies of requests in JSON, checked before anything is made of them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use highwater_core::{InvalidJson, JsonLimits, Payload};
use serde::de::DeserializeOwned;

use super::Problem;

/// The body of a request, as JSON that every reader can decode; the only way in for it.
///
/// Beside what is no JSON or no `T` it refuses what [`JsonLimits`] do, with a [`Problem`]: in
/// place of axum's `Json`, which takes it. `AROUND` are levels of nesting around what is kept, and
/// may come on top of those that a payload may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonBody<T, const AROUND: usize = 0>(pub T);

impl<T, S, const AROUND: usize> FromRequest<S> for JsonBody<T, AROUND>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "Expected request with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
        // How many bytes there may be, the route has said already.
        let limits = JsonLimits { bytes: usize::MAX, levels: Payload::DEPTH_MAX + AROUND };
        limits.check(&body)?;
        let Json(value) = Json::from_bytes(&body)?;
        Ok(Self(value))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl From<InvalidJson> for Problem {
    fn from(error: InvalidJson) -> Self {
        match error {
            InvalidJson::TooLarge { actual, limit } | InvalidJson::TooDeep { actual, limit } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
                    .with("actual", actual)
                    .with("limit", limit)
            }
            InvalidJson::Encoding => Self::new(StatusCode::BAD_REQUEST, error.to_string()),
            _ => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the JSON has what some reader could not decode: {error}"),
            ),
        }
    }
}
