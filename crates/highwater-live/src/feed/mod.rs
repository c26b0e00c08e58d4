//! The feed: what is stored joined with what is being appended, shared by all who follow.
//!
//! One reader for the whole process follows the end of the log and hands each event to those
//! who follow its stream, its category or everything. What a subscription cannot take in time it
//! reads from the log later, so that nobody waits for the slowest.

mod budget;
pub(crate) mod event;
mod reads;
pub(crate) mod report;
mod subscription;
mod tail;
mod topics;

pub(crate) use budget::Reservation;
pub(crate) use reads::{Hold, Places};
pub(crate) use subscription::{Batch, EventSubscription, Unreadable};

use std::fmt;
use std::sync::Arc;

use highwater_core::{EventStore, Offset, Source, StoreError};
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::feed::report::Counters;
use crate::memory::Account;
use crate::options::LiveOptions;
use subscription::Log;
use topics::Topics;

/// Gives out subscriptions; reads the end of the log for as long as somebody follows it.
pub(crate) struct Feed {
    end: Arc<CloseReason>,
    /// Where subscriptions are opened, and where they read.
    opening: Places,
    reading: Places,
    _stop_when_dropped: DropGuard,
}

/// The end of the log, and who follows it.
struct CloseReason {
    log: Arc<dyn EventStore>,
    topics: Arc<Topics>,
    counters: Arc<Counters>,
    /// Held while the reader is started, so that there is never a second one.
    starting: Mutex<()>,
    stop: CancellationToken,
}

impl Feed {
    pub(crate) fn new(
        log: Arc<dyn EventStore>,
        options: &LiveOptions,
        counters: Arc<Counters>,
    ) -> Self {
        let stop = CancellationToken::new();
        let end = CloseReason {
            log,
            topics: Arc::new(Topics::new(options.live_buffer, options.live_bytes)),
            counters,
            starting: Mutex::new(()),
            stop: stop.clone(),
        };
        let places = || Places::new(options.limits.reads);
        Self {
            end: Arc::new(end),
            opening: places(),
            reading: places(),
            _stop_when_dropped: stop.drop_guard(),
        }
    }

    /// Follows `source` from the offset `from`, or from now on, for the client of `account`.
    ///
    /// The subscription listens to the end of the log *before* it looks into the log for the
    /// first time. What it does not find there is still to come, so nothing falls in between.
    pub(crate) async fn subscribe(
        &self,
        source: Source,
        from: Option<Offset>,
        account: Arc<Account>,
    ) -> Result<EventSubscription, StoreError> {
        let (end, followed) = (Arc::clone(&self.end), source.clone());
        let opened = self.opening.run(async move {
            let follower = end.listen(&followed).await?;
            let after = match from {
                Some(from) => from.get().checked_sub(1).map(Offset::new),
                None => end.log.head(&followed).await?,
            };
            Ok::<_, StoreError>((follower, after))
        });
        let (follower, after) = opened.await.map_err(|_| reads::lost())??;
        let progress = self.end.counters.follow();
        let log = Log { store: Arc::clone(&self.end.log), places: self.reading.clone(), account };
        let start = (after, from.is_none());
        Ok(EventSubscription::new(log, source, follower, start, progress))
    }

    /// Reads for clients that are under way.
    pub(crate) fn reads(&self) -> usize {
        self.opening.taken() + self.reading.taken()
    }

    /// Bytes of live events that all followers share.
    pub(crate) fn live_bytes(&self) -> usize {
        self.end.topics.bytes()
    }
}

impl CloseReason {
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
        f.debug_struct("Feed").field("topics", &self.end.topics).finish_non_exhaustive()
    }
}
