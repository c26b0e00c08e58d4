//! Events that may end the process are tried one at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The turn of a projection to try a suspect; one for all projections of a process, since a death
/// must leave only the event on trial that brought it about.
#[derive(Debug, Clone)]
pub(crate) struct Trials(Arc<Semaphore>);

impl Trials {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits for the turn, but no longer than `limit`: an event that hangs must not hold up the
    /// others, even if one of them may be suspected wrongly.
    pub(crate) async fn turn(&self, limit: Duration) -> Option<OwnedSemaphorePermit> {
        timeout(limit, Arc::clone(&self.0).acquire_owned()).await.ok()?.ok()
    }
}
