//! What goes around every route: problems for unknown ones, and a span for each request.

use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::{Instrument, field};

use super::Problem;

/// Answers unknown routes and wrong methods with problems, and puts a span around each request.
///
/// The span carries method, path, status and duration; nothing of query, headers or bodies is
/// logged. Call it last, on the router that is served: it sets the router's fallback.
pub fn finish(router: Router) -> Router {
    router.method_not_allowed_fallback(not_allowed).fallback(not_found).layer(from_fn(traced))
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

async fn traced(request: Request, next: Next) -> Response {
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        status = field::Empty,
        duration_ms = field::Empty,
    );
    let started = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    span.record("duration_ms", started.elapsed().as_secs_f64() * 1000.0);
    span.in_scope(|| {
        if response.status().is_server_error() {
            tracing::warn!("answered");
        } else {
            tracing::debug!("answered");
        }
    });
    response
}
