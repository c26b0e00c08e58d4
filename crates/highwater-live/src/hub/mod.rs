//! The hub: everything that connections share, and one connection, whatever its transport.

mod call;
mod close_reason;
mod connection;
mod keep_alive;
mod outbox;
mod session;
mod shutdown;
mod subscription;
mod subscriptions;

use std::fmt;
use std::sync::Arc;

use highwater_core::{CheckpointStore, EventStore, Offset};
use tokio_util::sync::CancellationToken;

pub(crate) use call::CallError;
pub(crate) use close_reason::CloseReason;
pub(crate) use connection::{Connection, Frames, Received, Transport};
pub(crate) use outbox::{Frame, Outbox};
pub(crate) use shutdown::Shutdown;
pub(crate) use subscription::Subscription;

use crate::access::{Access, Identity};
use crate::connection_limits::{ConnectionLimiter, ConnectionPermit};
use crate::feed::Feed;
use crate::feed::report::Counters;
use crate::feed::report::LiveGauges;
use crate::memory::{Account, Memory};
use crate::options::LiveOptions;
use crate::projections::ProjectionFeed;
use crate::source::LiveSource;

/// Parts of a hub.
pub(crate) struct Parts {
    pub(crate) log: Arc<dyn EventStore>,
    pub(crate) checkpoints: Option<Arc<dyn CheckpointStore>>,
    pub(crate) access: Option<Arc<dyn Access>>,
    pub(crate) options: LiveOptions,
}

/// State that all connections share.
pub(crate) struct LiveState {
    pub(crate) options: LiveOptions,
    pub(crate) access: Option<Arc<dyn Access>>,
    feed: Feed,
    projections: Option<ProjectionFeed>,
    pub(crate) limiter: Arc<ConnectionLimiter>,
    memory: Arc<Memory>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) draining: CancellationToken,
}

impl LiveState {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { log, checkpoints, access, options } = parts;
        let counters = Arc::new(Counters::default());
        let projections = checkpoints.map(|checkpoints| {
            let (log, interval) = (Arc::clone(&log), options.projection_interval);
            ProjectionFeed::new(checkpoints, log, interval, Arc::clone(&counters))
        });
        let memory = Memory::new(options.limits.buffered_bytes);
        Arc::new(Self {
            projections,
            feed: Feed::new(log, &options, Arc::clone(&counters)),
            limiter: ConnectionLimiter::new(options.limits.clone(), Arc::clone(&memory)),
            memory,
            options,
            access,
            counters,
            draining: CancellationToken::new(),
        })
    }

    /// Shutdown of the connection that has this permit.
    pub(crate) fn stop(&self, permit: &ConnectionPermit) -> Shutdown {
        Shutdown {
            draining: self.draining.clone(),
            revoked: permit.revoked.clone(),
            crowded: permit.account.crowded(),
        }
    }

    /// Returns what the hub is doing now, beside `negotiated` ids that wait for their clients.
    pub(crate) fn gauges(&self, negotiated: usize) -> LiveGauges {
        LiveGauges {
            connections: self.limiter.total(),
            negotiated,
            subscriptions: self.counters.subscriptions(),
            buffered_bytes: self.memory.total(),
            largest_buffered_bytes: self.memory.largest(),
            live_bytes: self.feed.live_bytes(),
            reads: self.feed.reads(),
            evicted: self.memory.evicted(),
            slowest_lag: self.counters.slowest_lag(),
            delivered: self.counters.delivered_so_far(),
        }
    }

    /// Tells whether `identity` may follow `source`; everybody may when nothing decides about
    /// access.
    pub(crate) async fn may_follow(
        &self,
        identity: Option<&Identity>,
        source: &LiveSource,
    ) -> Result<bool, CallError> {
        match (&self.access, identity) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(access), Some(identity)) => {
                access.may_follow(identity, source).await.map_err(|error| {
                    tracing::error!(?source, error = &*error, "access could not be decided");
                    CallError::Unavailable
                })
            }
        }
    }

    /// Follows `source` from the offset `from`, or from now on; a projection as it is now.
    pub(crate) async fn subscribe(
        &self,
        source: LiveSource,
        from: Option<Offset>,
        account: &Arc<Account>,
    ) -> Result<Subscription, CallError> {
        match source {
            LiveSource::Events(source) => {
                let events = self.feed.subscribe(source, from, Arc::clone(account)).await;
                events.map(Subscription::Events).map_err(|error| {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the log is not readable");
                    CallError::Unavailable
                })
            }
            LiveSource::Projection(name) => {
                let projections = self.projections.as_ref().ok_or(CallError::NoProjections)?;
                Ok(Subscription::Projection(projections.subscribe(name)))
            }
        }
    }
}

impl fmt::Debug for LiveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("options", &self.options)
            .field("has_access", &self.access.is_some())
            .finish_non_exhaustive()
    }
}
