//! Live streams: the hub, server-sent events, the page `/live`, and `/api/live` with its numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use highwater::live::{Live, LiveGauges, LiveOptions};
use highwater::{EventStore, ProjectionStore};
use uuid::Uuid;

use crate::args::ServeOptions;

/// How long clients may take to be sent elsewhere; those that read nothing are then dropped.
const DRAIN: Duration = Duration::from_secs(5);

const PAGE: &str = include_str!("live/page.html");

/// A hub of these streams and projections, which everybody may follow, and every page of an
/// allowed origin.
pub(crate) fn hub<S>(store: &S, options: &ServeOptions) -> Live
where
    S: EventStore + ProjectionStore,
{
    let allowed_origins = options.allowed_origins.clone();
    Live::builder(Arc::new(store.clone()))
        .options(LiveOptions { allowed_origins, ..LiveOptions::default() })
        .projections(Arc::new(store.clone()))
        .build()
}

/// `/hubs/events`, `/streams/{stream}/events`, `/live` and `/api/live`.
pub(crate) fn routes(live: &Live) -> Router {
    let numbers = get(|State(live): State<Live>| async move { Json::<LiveGauges>(live.gauges()) });
    Router::new()
        .route("/api/live", numbers)
        .with_state(live.clone())
        .route("/live", get(page))
        .merge(live.router())
}

/// Sends the clients of the hub elsewhere.
///
/// To be done while the server still takes requests: clients that poll learn by their next one
/// that they have to go. The server would wait for the others, whose responses never end.
pub(crate) async fn drain(live: &Live) {
    if tokio::time::timeout(DRAIN, live.drain()).await.is_err() {
        let left = live.gauges().connections;
        tracing::warn!("{left} live connections did not end within {DRAIN:?} and are dropped");
    }
}

/// The page; it runs nothing but its own script, and talks to nobody but this server.
async fn page() -> ([(HeaderName, HeaderValue); 2], Html<String>) {
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).expect("it is printable ASCII");
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Html(PAGE.replace("{nonce}", &nonce)))
}
