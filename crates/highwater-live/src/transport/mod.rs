//! Transports: they carry the bytes of connections over HTTP, and know nothing of their meaning.

mod admission;
mod endpoint;
mod event_source;
mod inbound;
mod long_polling;
mod named;
mod negotiate;
mod negotiated;
mod origin;
mod pending;
mod refusal;
mod server_sent_events;
mod web_sockets;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};

pub(crate) use endpoint::Endpoint;

use crate::hub::LiveState;
use admission::Requester;
use refusal::Refusal;

/// The parameters of the hub's requests; others, such as those against caches, are ignored.
#[derive(Debug, serde::Deserialize)]
struct Params {
    id: Option<String>,
    #[serde(rename = "negotiateVersion")]
    negotiate_version: Option<String>,
}

/// The hub, at the root of the router.
pub(crate) fn hub_routes(endpoint: Endpoint) -> Router {
    let body_limit = DefaultBodyLimit::max(endpoint.hub.options.limits.message_bytes);
    let routes = Router::new()
        .route(
            "/",
            get(attach)
                .head(no_head)
                .post(inbound::receive)
                .delete(inbound::close)
                .options(preflight),
        )
        .route("/negotiate", post(negotiate::negotiate).options(preflight))
        .layer(body_limit);
    let hub = Arc::clone(&endpoint.hub);
    guarded(routes, &hub).with_state(endpoint)
}

/// Streams as plain server-sent events.
pub(crate) fn stream_routes(endpoint: &Endpoint) -> Router {
    let hub = Arc::clone(&endpoint.hub);
    let follow = get(event_source::follow).head(no_head).options(preflight);
    let routes = Router::new().route("/streams/{stream}/events", follow);
    named::also_by_query(guarded(routes, &hub).with_state(hub))
}

/// Lets in only allowed origins, and tells their browsers so.
fn guarded<S>(routes: Router<S>, hub: &Arc<LiveState>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let check = middleware::from_fn_with_state(Arc::clone(hub), origin::check);
    routes.layer(check).layer(origin::cors(&hub.options.allowed_origins))
}

/// Questions of browsers are answered before they come here. But they have to have a route: what
/// an application answers to methods that have none would stand above the answer.
async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Refuses `HEAD`, which would otherwise be taken for a `GET` and so for a poll or a follower.
async fn no_head() -> Refusal {
    Refusal::NoHead
}

/// Attaches a transport to a connection: the request says which one.
async fn attach(
    State(endpoint): State<Endpoint>,
    params: Result<Query<Params>, QueryRejection>,
    requester: Requester,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let Query(params) = params?;
    if let Ok(upgrade) = upgrade {
        return web_sockets::attach(endpoint, params.id, requester, upgrade).await;
    }
    let id = params.id.ok_or(Refusal::NoId)?;
    if accepts_event_stream(&headers) {
        return server_sent_events::attach(&endpoint, &id, requester).await;
    }
    match accept(&headers) {
        // signalrcore asks for exactly this, and reads one message of each answer.
        Some("Text") => long_polling::poll(&endpoint, &id, requester, true).await,
        _ => long_polling::poll(&endpoint, &id, requester, false).await,
    }
}

/// Tells whether the request asks for server-sent events, as browsers do.
fn accepts_event_stream(headers: &HeaderMap) -> bool {
    accept(headers).is_some_and(|accept| accept.contains("text/event-stream"))
}

fn accept(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok())
}
