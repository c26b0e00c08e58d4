//! The feed: what is stored joined with what is being appended, shared by all who follow.
//!
//! One reader for the whole process follows the end of the log and hands each event to those
//! who follow its stream, its category or everything. What a subscription cannot take in time it
//! reads from the log later, so that nobody waits for the slowest.

mod held;
mod subscription;
mod tail;
mod topics;

pub(crate) use held::Held;
pub(crate) use subscription::{EventSubscription, Unreadable};

use std::fmt;
use std::sync::Arc;

use highwater_core::{EventStore, Offset, Source, StoreError};
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::LiveOptions;
use crate::gauges::Counters;
use topics::Topics;

/// Gives out subscriptions; reads the end of the log for as long as somebody follows it.
pub(crate) struct Feed {
    log: Arc<dyn EventStore>,
    topics: Arc<Topics>,
    counters: Arc<Counters>,
    /// Held while the reader is started, so that there is never a second one.
    starting: Mutex<()>,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl Feed {
    pub(crate) fn new(
        log: Arc<dyn EventStore>,
        options: &LiveOptions,
        counters: Arc<Counters>,
    ) -> Self {
        let stop = CancellationToken::new();
        Self {
            log,
            topics: Arc::new(Topics::new(options.live_buffer, options.live_bytes)),
            counters,
            starting: Mutex::new(()),
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Follows `source` from the offset `from`, or from now on.
    ///
    /// The subscription listens to the end of the log *before* it looks into the log for the
    /// first time. What it does not find there is still to come, so nothing falls in between.
    pub(crate) async fn subscribe(
        &self,
        source: Source,
        from: Option<Offset>,
    ) -> Result<EventSubscription, StoreError> {
        let follower = self.listen(&source).await?;
        let (after, has_caught_up) = match from {
            Some(from) => (from.get().checked_sub(1).map(Offset::new), false),
            None => (self.log.head(&source).await?, true),
        };
        let progress = self.counters.follow();
        let log = Arc::clone(&self.log);
        Ok(EventSubscription::new(log, source, follower, (after, has_caught_up), progress))
    }

    /// Joins the followers of `source`, and starts the reader of the log's end for the first.
    async fn listen(&self, source: &Source) -> Result<topics::Follower, StoreError> {
        let _starting = self.starting.lock().await;
        if let Some(follower) = self.topics.join(source) {
            return Ok(follower);
        }
        let wake = self.log.wake();
        let head = self.log.head(&Source::All).await?;
        let follower = self.topics.open(source);
        let tail = tail::tail(
            Arc::clone(&self.log),
            Arc::clone(&self.topics),
            Arc::clone(&self.counters),
            (head, wake),
        );
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(tail).await });
        Ok(follower)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("topics", &self.topics).finish_non_exhaustive()
    }
}
