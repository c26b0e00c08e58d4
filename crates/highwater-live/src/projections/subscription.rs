//! One follower's view of a projection.

use std::sync::Arc;

use super::watched::{Follower, Newest};
use crate::feed::event::LiveEvent;
use crate::feed::report::Progress;

/// The state of a projection: the current one, then the newest after each change.
#[derive(Debug)]
pub(crate) struct ProjectionSubscription {
    follower: Follower,
    given: Newest,
    _progress: Progress,
}

impl ProjectionSubscription {
    pub(super) fn new(follower: Follower, progress: Progress) -> Self {
        Self { follower, given: Vec::new(), _progress: progress }
    }

    /// The checkpoints that have changed since they were last given; waits for a change. Cancel
    /// safe.
    pub(crate) async fn next(&mut self) -> Vec<Arc<LiveEvent>> {
        loop {
            let newest = self.follower.newest().borrow_and_update().clone();
            let is_given =
                |event: &Arc<LiveEvent>| self.given.iter().any(|given| Arc::ptr_eq(given, event));
            let news: Vec<_> = newest.iter().filter(|event| !is_given(event)).cloned().collect();
            self.given = newest;
            if !news.is_empty() {
                return news;
            }
            if self.follower.newest().changed().await.is_err() {
                // Nobody watches any more: the process is about to end.
                std::future::pending::<()>().await;
            }
        }
    }
}
