//! The hub: everything that connections share, and one connection, whatever its transport.

mod call;
mod connection;
mod end;
mod followed;
mod outbox;
mod pulse;
mod session;

use std::fmt;
use std::sync::Arc;

use highwater_core::{EventStore, Source};
use tokio_util::sync::CancellationToken;

use call::CallError;
pub(crate) use connection::{Connection, Frames, Transport};
pub(crate) use end::End;
pub(crate) use outbox::{Frame, Outbox};

use crate::door::Door;
use crate::feed::Feed;
use crate::gauges::Counters;
use crate::transport::Negotiated;
use crate::{Access, Identity, LiveOptions};

/// What all connections share.
pub(crate) struct Hub {
    pub(crate) options: LiveOptions,
    pub(crate) access: Option<Arc<dyn Access>>,
    pub(crate) feed: Feed,
    pub(crate) door: Arc<Door>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) negotiated: Negotiated,
    pub(crate) draining: CancellationToken,
}

impl Hub {
    pub(crate) fn new(
        log: Arc<dyn EventStore>,
        options: LiveOptions,
        access: Option<Arc<dyn Access>>,
    ) -> Arc<Self> {
        let counters = Arc::new(Counters::default());
        Arc::new(Self {
            feed: Feed::new(log, options.live_buffer, Arc::clone(&counters)),
            door: Door::new(options.limits.clone()),
            options,
            access,
            counters,
            negotiated: Negotiated::default(),
            draining: CancellationToken::new(),
        })
    }

    /// Whether `identity` may follow `source`; everybody may when nothing decides about access.
    pub(crate) async fn may_follow(
        &self,
        identity: Option<&Identity>,
        source: &Source,
    ) -> Result<bool, CallError> {
        match (&self.access, identity) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(access), Some(identity)) => {
                access.may_follow(identity, source).await.map_err(|error| {
                    tracing::error!(%source, error = &*error, "access could not be decided");
                    CallError::Unavailable
                })
            }
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("options", &self.options)
            .field("has_access", &self.access.is_some())
            .field("gauges", &self.counters.gauges(self.door.total()))
            .finish_non_exhaustive()
    }
}
