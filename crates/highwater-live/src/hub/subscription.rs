//! A subscription, whatever it follows.

use std::sync::Arc;

use highwater_core::Offset;

use crate::feed::{EventSubscription, Unreadable};
use crate::live_event::LiveEvent;
use crate::projections::ProjectionSubscription;

/// What a client follows.
#[derive(Debug)]
pub(crate) enum Subscription {
    /// Each event, once, in order.
    Events(EventSubscription),
    /// The newest state of a projection.
    Projection(ProjectionSubscription),
}

impl Subscription {
    /// The offset behind which the next events are; of a projection there is none.
    pub(crate) fn after(&self) -> Option<Offset> {
        match self {
            Self::Events(events) => events.after(),
            Self::Projection(_) => None,
        }
    }

    /// The next events, one or more; waits for them when there are none yet. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Arc<LiveEvent>>, Unreadable> {
        match self {
            Self::Events(events) => events.next().await,
            Self::Projection(projection) => Ok(projection.next().await),
        }
    }
}
