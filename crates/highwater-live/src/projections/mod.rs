//! How far projections have come, for those who follow them.
//!
//! One watcher for the whole process looks at the checkpoints from time to time, for as long as
//! somebody follows one. Followers get the newest state, not each one in between: a checkpoint
//! is a state and no log.

mod subscription;
mod watched;

pub(crate) use subscription::ProjectionSubscription;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    Backoff, Checkpoint, CheckpointStore, EventStore, Offset, ProjectionName, Source, StoreError,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::feed::report::Counters;
use crate::projection_report::State;
use watched::Watched;

/// Gives out subscriptions; looks at the checkpoints for as long as somebody follows one.
pub(crate) struct ProjectionFeed {
    stores: Stores,
    interval: Duration,
    watched: Arc<Watched>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

/// Stores that tell how far a projection has come, and how far it has to go.
#[derive(Clone)]
struct Stores {
    checkpoints: Arc<dyn CheckpointStore>,
    log: Arc<dyn EventStore>,
}

/// The longest pause after the store has failed.
const RETRY_MAX: Duration = Duration::from_secs(5);

impl ProjectionFeed {
    pub(crate) fn new(
        checkpoints: Arc<dyn CheckpointStore>,
        log: Arc<dyn EventStore>,
        interval: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        let stop = CancellationToken::new();
        Self {
            stores: Stores { checkpoints, log },
            interval,
            watched: Arc::default(),
            counters,
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Follows a projection; one that has never run says nothing until it does.
    pub(crate) fn subscribe(&self, projection: ProjectionName) -> ProjectionSubscription {
        let (follower, is_first) = self.watched.follow(projection);
        if is_first {
            let watch = watch(self.stores.clone(), Arc::clone(&self.watched), self.interval);
            let stop = self.stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(watch).await });
        }
        ProjectionSubscription::new(follower, self.counters.follow())
    }
}

/// Looks at the checkpoints every `interval`, and at once for a new follower, until there are
/// no followers.
async fn watch(stores: Stores, watched: Arc<Watched>, interval: Duration) {
    let backoff = Backoff::new(interval.saturating_mul(2), RETRY_MAX.max(interval));
    let mut failures = 0_u32;
    while watched.is_needed() {
        match stores.read(&watched).await {
            Ok(states) => {
                watched.publish(states);
                failures = 0;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let pause = backoff.draw(failures);
                tracing::warn!(?pause, "the checkpoints are not readable: {error}");
                sleep(pause).await;
                continue;
            }
        }
        // Whether it was woken or not, it looks again.
        drop(timeout(interval, watched.joined()).await);
    }
}

impl Stores {
    /// The checkpoints of the projections that are followed, with the heads of their sources.
    async fn read(&self, watched: &Watched) -> Result<Vec<(Checkpoint, State)>, StoreError> {
        // Checkpoints before heads: the other way round, one could be ahead of its head.
        let mut rows = self.checkpoints.checkpoints(None).await?;
        rows.retain(|row| watched.has(&row.key.projection));
        let mut heads: HashMap<Source, Option<Offset>> = HashMap::new();
        let mut states = Vec::with_capacity(rows.len());
        for row in rows {
            let head = match heads.get(&row.key.source) {
                Some(head) => *head,
                None => self.log.head(&row.key.source).await?,
            };
            heads.insert(row.key.source.clone(), head);
            let state = State::of(&row, head);
            states.push((row, state));
        }
        Ok(states)
    }
}
