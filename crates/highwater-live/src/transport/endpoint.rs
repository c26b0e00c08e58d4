//! The hub as its requests see it: with the connections that they find by token.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRef;

use super::negotiated::Negotiated;
use crate::access::Identity;
use crate::feed::report::LiveGauges;
use crate::hub::LiveState;

/// A hub and the connections that are made of several requests; clones share both.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(super) hub: Arc<LiveState>,
    pub(super) negotiated: Arc<Negotiated>,
}

impl FromRef<Endpoint> for Arc<LiveState> {
    fn from_ref(endpoint: &Endpoint) -> Self {
        Self::clone(&endpoint.hub)
    }
}

impl Endpoint {
    pub(crate) fn new(hub: Arc<LiveState>) -> Self {
        let negotiated = Arc::new(Negotiated::new(&hub.options));
        Self { hub, negotiated }
    }

    /// Returns what the hub is doing now.
    pub(crate) fn gauges(&self) -> LiveGauges {
        self.hub.gauges(self.negotiated.waiting())
    }

    /// Ends what `identity` has: ids that it has negotiated, then its connections.
    pub(crate) fn revoke(&self, identity: &Identity) {
        self.negotiated.revoke(identity);
        self.hub.limiter.revoke(identity);
    }

    /// Lets nobody in any more, and returns when every connection has ended.
    pub(crate) async fn drain(&self) {
        self.hub.draining.cancel();
        self.negotiated.expire_all();
        self.hub.limiter.all_closed().await;
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens are secrets: of those that have negotiated, only their number.
        let gauges = self.gauges();
        f.debug_struct("Endpoint").field("hub", &self.hub).field("gauges", &gauges).finish()
    }
}
