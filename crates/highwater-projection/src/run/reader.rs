//! Reads a source page by page, the next one while the present one is applied.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{EventStore, EventType, Offset, Page, Source, StoreError, Wake};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Pages of one source; at most two are in memory, the one given out and the next.
pub(crate) struct Reader {
    events: Arc<dyn EventStore>,
    source: Source,
    types: Arc<[EventType]>,
    limit: usize,
    timeout: Duration,
    wake: Wake,
    ahead: Option<Ahead>,
}

/// A page on its way, and the offset it follows.
struct Ahead {
    after: Option<Offset>,
    page: AbortOnDropHandle<Result<Page, StoreError>>,
}

impl Reader {
    pub(crate) fn new(
        events: Arc<dyn EventStore>,
        source: Source,
        types: Arc<[EventType]>,
        limit: usize,
        timeout: Duration,
    ) -> Self {
        let wake = events.wake();
        Self { events, source, types, limit, timeout, wake, ahead: None }
    }

    /// The page behind `after`; the one behind it is fetched meanwhile.
    pub(crate) async fn next(&mut self, after: Option<Offset>) -> Result<Page, StoreError> {
        // A page that was fetched for another place is of no use, and must not be taken for one.
        let ahead = self.ahead.take().filter(|ahead| ahead.after == after);
        let fetched = ahead.unwrap_or_else(|| self.fetch(after)).page.await;
        let page = fetched.map_err(|panicked| StoreError::Backend(panicked.into()))??;
        if !page.is_end {
            if page.scanned_to <= after {
                return Err(StoreError::Backend("a page neither ends nor moves on".into()));
            }
            self.ahead = Some(self.fetch(page.scanned_to));
        }
        Ok(page)
    }

    /// Returns when the log has grown since the reader was made or this last returned.
    pub(crate) async fn grown(&mut self) {
        self.wake.grown().await;
    }

    fn fetch(&self, after: Option<Offset>) -> Ahead {
        let (events, types) = (Arc::clone(&self.events), Arc::clone(&self.types));
        let (source, limit) = (self.source.clone(), self.limit);
        let time = self.timeout;
        let read = async move {
            // A connection that is dead without a word would otherwise be waited for for ever.
            let page = timeout(time, events.read(&source, &types, after, limit)).await;
            page.map_err(|late| StoreError::Unavailable(late.into()))?
        };
        Ahead { after, page: AbortOnDropHandle::new(tokio::spawn(read)) }
    }
}
