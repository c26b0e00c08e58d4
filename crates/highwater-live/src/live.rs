//! The live hub as applications see it.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use highwater_core::EventStore;

use crate::access::Identity;
use crate::builder::LiveBuilder;
use crate::feed::report::LiveGauges;
use crate::hub::{LiveState, Parts};
use crate::transport::{self, Endpoint};

/// Lets clients follow streams; cloning shares the hub.
///
/// ```
/// # use std::sync::Arc;
/// # use highwater_core::EventStore;
/// # use highwater_live::Live;
/// # fn mount(events: Arc<dyn EventStore>) {
/// let live = Live::new(events);
/// let app = axum::Router::new()
///     .route("/hello", axum::routing::get(|| async { "hello" }))
///     .merge(live.router());
/// # let _: axum::Router = app;
/// # }
/// ```
#[derive(Clone)]
pub struct Live {
    endpoint: Endpoint,
}

/// Where [`Live::router`] has the hub.
const HUB: &str = "/hubs/events";

impl Live {
    /// A hub of the streams in `events` that everybody may follow, with the default options.
    #[must_use]
    pub fn new(events: Arc<dyn EventStore>) -> Self {
        Self::builder(events).build()
    }

    /// A hub of the streams in `events`, to be built with options, access and projections.
    pub fn builder(events: Arc<dyn EventStore>) -> LiveBuilder {
        LiveBuilder::new(events)
    }

    pub(crate) fn of(parts: Parts) -> Self {
        Self { endpoint: Endpoint::new(LiveState::new(parts)) }
    }

    /// The hub at `/hubs/events`, and streams at `/streams/{stream}/events`.
    ///
    /// Serve it with [`Server`](crate::server::Server), which closes the sockets of clients that
    /// read nothing. Another server has to provide `ConnectInfo<SocketAddr>`, to have connections
    /// counted by address, and to set `TCP_NODELAY`, or events wait for one another, and
    /// `TCP_USER_TIMEOUT`.
    pub fn router(&self) -> Router {
        Router::new().nest(HUB, self.hub_router()).merge(self.streams_router())
    }

    /// The SignalR hub, to be nested at the path that its clients know.
    pub fn hub_router(&self) -> Router {
        transport::hub_routes(self.endpoint.clone())
    }

    /// Streams as plain server-sent events, at `/streams/{stream}/events`.
    pub fn streams_router(&self) -> Router {
        transport::stream_routes(&self.endpoint)
    }

    /// Returns what the hub is doing now.
    #[must_use]
    pub fn gauges(&self) -> LiveGauges {
        self.endpoint.gauges()
    }

    /// Ends the connections that `identity` has now, in a way that its clients take as a request
    /// to reconnect: then [`Access`](crate::access::Access) decides anew who they are and what they may follow.
    ///
    /// Access is asked when a client connects and subscribes, and what was allowed then goes on;
    /// call this *after* you have withdrawn it.
    pub fn disconnect(&self, identity: &Identity) {
        self.endpoint.revoke(identity);
    }

    /// Sends every client elsewhere: lets nobody in any more, closes each connection in a way
    /// that its client takes as a request to reconnect, and returns when all have ended.
    ///
    /// Call it before the server is shut down; a server waits for its open responses.
    pub async fn drain(&self) {
        self.endpoint.drain().await;
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.endpoint).finish()
    }
}
