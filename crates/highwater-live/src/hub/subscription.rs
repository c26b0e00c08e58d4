//! A subscription, whatever it follows.

use highwater_core::Offset;

use crate::feed::{Batch, EventSubscription, Unreadable};
use crate::projections::ProjectionSubscription;

/// Subscription of a client.
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
    pub(crate) async fn next(&mut self) -> Result<Batch, Unreadable> {
        match self {
            Self::Events(events) => events.next().await,
            Self::Projection(projection) => {
                Ok(Batch { events: projection.next().await, hold: None })
            }
        }
    }
}
