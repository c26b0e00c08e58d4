//! The hub: everything that connections share, and one connection, whatever its transport.

mod call;
mod connection;
mod end;
mod followed;
mod outbox;
mod pulse;
mod session;
mod stop;
mod subscription;

use std::fmt;
use std::sync::Arc;

use highwater_core::{CheckpointStore, EventStore, Offset};
use tokio_util::sync::CancellationToken;

pub(crate) use call::CallError;
pub(crate) use connection::{Connection, Frames, Transport};
pub(crate) use end::End;
pub(crate) use outbox::{Frame, Outbox};
pub(crate) use stop::Stop;
pub(crate) use subscription::Subscription;

use crate::door::{Door, Seat};
use crate::feed::Feed;
use crate::gauges::Counters;
use crate::projections::ProjectionFeed;
use crate::transport::Negotiated;
use crate::{Access, Identity, LiveOptions, LiveSource};

/// What a hub is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) log: Arc<dyn EventStore>,
    pub(crate) checkpoints: Option<Arc<dyn CheckpointStore>>,
    pub(crate) access: Option<Arc<dyn Access>>,
    pub(crate) options: LiveOptions,
}

/// What all connections share.
pub(crate) struct Hub {
    pub(crate) options: LiveOptions,
    pub(crate) access: Option<Arc<dyn Access>>,
    feed: Feed,
    projections: Option<ProjectionFeed>,
    pub(crate) door: Arc<Door>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) negotiated: Negotiated,
    pub(crate) draining: CancellationToken,
}

impl Hub {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { log, checkpoints, access, options } = parts;
        let counters = Arc::new(Counters::default());
        let projections = checkpoints.map(|checkpoints| {
            let (log, interval) = (Arc::clone(&log), options.projection_interval);
            ProjectionFeed::new(checkpoints, log, interval, Arc::clone(&counters))
        });
        Arc::new(Self {
            projections,
            feed: Feed::new(log, &options, Arc::clone(&counters)),
            door: Door::new(options.limits.clone()),
            options,
            access,
            counters,
            negotiated: Negotiated::default(),
            draining: CancellationToken::new(),
        })
    }

    /// What ends the connection that has this seat.
    pub(crate) fn stop(&self, seat: &Seat) -> Stop {
        Stop { draining: self.draining.clone(), dismissed: seat.dismissed.clone() }
    }

    /// Whether `identity` may follow `source`; everybody may when nothing decides about access.
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
                    tracing::error!(%source, error = &*error, "access could not be decided");
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
    ) -> Result<Subscription, CallError> {
        match source {
            LiveSource::Events(source) => {
                let events = self.feed.subscribe(source, from).await.map_err(|error| {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the log is not readable");
                    CallError::Unavailable
                })?;
                Ok(Subscription::Events(events))
            }
            LiveSource::Projection(name) => {
                let projections = self.projections.as_ref().ok_or(CallError::NoProjections)?;
                Ok(Subscription::Projection(projections.subscribe(name)))
            }
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("options", &self.options)
            .field("has_access", &self.access.is_some())
            .field("negotiated", &self.negotiated.len())
            .field("gauges", &self.counters.gauges(self.door.total()))
            .finish_non_exhaustive()
    }
}
