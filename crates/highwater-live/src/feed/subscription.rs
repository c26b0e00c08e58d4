//! One subscription: catches up from the log, then goes on with what is appended.

use std::fmt;
use std::sync::Arc;

use highwater_core::{EventStore, Offset, RecordedEvent, Source, StoreError};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::event::LiveEvent;
use super::reads;
use super::reads::{Hold, Outcome, Places, Taken, Wanted};
use super::report::Progress;
use super::topics::{Follower, Live};
use crate::memory::Account;

/// The events of a source from an offset on: each of them, once, in order.
///
/// It holds one page of events at most, and none while another subscription of its client does.
/// When its buffer of live events overflows, it reads the log from the last event that it gave out.
pub(crate) struct EventSubscription {
    log: Log,
    source: Source,
    follower: Follower,
    /// Everything up to here has been given out.
    after: Option<Offset>,
    has_caught_up: bool,
    page: usize,
    /// The page that is being read.
    reading: Option<Outcome<Result<Taken, StoreError>>>,
    progress: Progress,
}

/// The log, as one client may read it.
pub(super) struct Log {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) places: Places,
    pub(super) account: Arc<Account>,
}

/// Events that were given out together, and what the client holds for as long as they are here.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Arc<LiveEvent>>,
    pub(crate) hold: Option<Hold>,
}

/// Reason why a subscription has ended: the log cannot be read, and to try again is of no use.
#[derive(Debug, thiserror::Error)]
#[error("the events of {name:?} end here: the log cannot be read")]
pub(crate) struct Unreadable {
    /// Name of what was followed.
    name: Arc<str>,
    #[source]
    cause: StoreError,
}

/// Events in the first page, and in any page.
const PAGE_FIRST: usize = 4;
pub(super) const PAGE_MAX: usize = 256;

/// The payload bytes that a page aims at.
const PAGE_BYTES: usize = 256 << 10;

impl EventSubscription {
    pub(super) fn new(
        log: Log,
        source: Source,
        follower: Follower,
        start: (Option<Offset>, bool),
        progress: Progress,
    ) -> Self {
        let (after, has_caught_up) = start;
        let (page, reading) = (PAGE_FIRST, None);
        Self { log, source, follower, after, has_caught_up, page, reading, progress }
    }

    /// The offset behind which the next events are.
    pub(crate) fn after(&self) -> Option<Offset> {
        self.after
    }

    /// The next events, one or more; waits for them when there are none yet. Cancel safe.
    ///
    /// Waits, too, while the store is unavailable. After another error it is of no more use.
    pub(crate) async fn next(&mut self) -> Result<Batch, Unreadable> {
        loop {
            let batch = if self.has_caught_up { self.receive().await } else { self.read().await? };
            if let Some(position) = batch.events.first().and_then(|first| first.position()) {
                self.progress.is_behind(position);
                return Ok(batch);
            }
        }
    }

    /// Reads a page of the log; the end of the log is where live events go on.
    async fn read(&mut self) -> Result<Batch, Unreadable> {
        let Taken { page, hold } = self.read_page().await.map_err(|cause| {
            let name = Arc::clone(&self.follower.name);
            Unreadable { name, cause }
        })?;
        self.page = page_after(&page.events, self.page);
        self.after = page.scanned_to.max(self.after);
        self.has_caught_up = page.is_end;
        let events = page.events.into_iter().map(|event| {
            let offset = self.source.offset_of(&event);
            LiveEvent::of_event(Arc::clone(&self.follower.name), offset, event, None)
        });
        Ok(Batch { events: events.collect(), hold: Some(hold) })
    }

    /// The page that is being read, or the next one; whoever stops to wait goes on later.
    async fn read_page(&mut self) -> Result<Taken, StoreError> {
        let Log { store, places, account } = &self.log;
        let reading = self.reading.get_or_insert_with(|| {
            let source = self.source.clone();
            let wanted = Wanted { source, after: self.after, limit: self.page };
            places.page(Arc::clone(store), Arc::clone(account), wanted)
        });
        let read = reading.await;
        self.reading = None;
        read.unwrap_or_else(|_| Err(reads::lost()))
    }

    /// Waits for live events; none means that the log has to be read.
    async fn receive(&mut self) -> Batch {
        self.progress.has_caught_up();
        let (mut events, mut bytes) = (Vec::new(), 0);
        match self.follower.events().recv().await {
            Ok(live) => bytes += self.accept(live, &mut events),
            Err(RecvError::Lagged(_)) => self.has_caught_up = false,
            // The log is no longer read: the process is about to end.
            Err(RecvError::Closed) => std::future::pending().await,
        }
        while self.has_caught_up && events.len() < PAGE_MAX && bytes < PAGE_BYTES {
            match self.follower.events().try_recv() {
                Ok(live) => bytes += self.accept(live, &mut events),
                Err(TryRecvError::Lagged(_)) => self.has_caught_up = false,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Batch { events, hold: None }
    }

    /// Takes a live event unless the log gave it already, or one before it is still missing; how
    /// many bytes its payload has.
    fn accept(&mut self, live: Live, events: &mut Vec<Arc<LiveEvent>>) -> usize {
        let Live::Event(event) = live else {
            self.has_caught_up = false;
            return 0;
        };
        if event.offset() <= self.after {
            return 0;
        }
        let is_gapless = matches!(self.source, Source::Stream(_));
        if is_gapless && event.offset() != Some(Offset::following(self.after)) {
            self.has_caught_up = false;
            return 0;
        }
        self.after = event.offset();
        let bytes = event.bytes();
        events.push(event);
        bytes
    }
}

/// Number of events to read next, behind a page of these events, which were to be so many.
pub(super) fn page_after(events: &[RecordedEvent], page: usize) -> usize {
    let bytes = events.iter().map(|event| event.data.as_str().len()).sum();
    page_of(events.len(), bytes, page)
}

fn page_of(events: usize, bytes: usize, page: usize) -> usize {
    match bytes.checked_div(events) {
        None => page,
        Some(average) => (PAGE_BYTES / average.max(1)).clamp(1, PAGE_MAX.min(page * 2)),
    }
}

impl fmt::Debug for EventSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSubscription")
            .field("source", &self.source)
            .field("after", &self.after)
            .field("has_caught_up", &self.has_caught_up)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_with_small_events_and_shrink_to_one_with_large_ones() {
        assert_eq!(page_of(16, 1_600, 16), 32);
        assert_eq!(page_of(256, 25_600, 256), 256);
        assert_eq!(page_of(16, 16 << 20, 16), 1);
        assert_eq!(page_of(16, 512 << 10, 16), 8);
        assert_eq!(page_of(0, 0, 32), 32);
        assert_eq!(page_of(4, 0, 4), 8);
    }
}
