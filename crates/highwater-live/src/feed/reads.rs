//! Reads of the log for clients: so many at once, and whatever the clients do, each to its end.
//!
//! A read has a connection of the store in hand for as long as it is not done. So it is done in a
//! task of its own: whoever waits for it may wait for a client, too, or be gone.

use std::future::Future;
use std::sync::Arc;

use highwater_core::{EventStore, Offset, Page, Source, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep;

use super::tail::STORE_RETRY;
use crate::memory::{Account, Buffered};

/// Places for reads; in each, one read at a time, in the order in which they were asked for.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    total: usize,
    free: Arc<Semaphore>,
}

/// The outcome of what is done in a place, once it is done.
pub(super) type Outcome<T> = oneshot::Receiver<T>;

/// A page that was read for a client; while it is held, none is read for its other subscriptions.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) page: Page,
    pub(super) hold: Hold,
}

/// What a client holds of the store's pages, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    _turn: Option<OwnedSemaphorePermit>,
    _buffered: Buffered,
}

/// What to read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) source: Source,
    pub(super) after: Option<Offset>,
    pub(super) limit: usize,
}

impl Places {
    pub(super) fn new(total: usize) -> Self {
        let total = total.clamp(1, Semaphore::MAX_PERMITS);
        Self { total, free: Arc::new(Semaphore::new(total)) }
    }

    /// Number of places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.total - self.free.available_permits()
    }

    /// Does `work` once there is a place; not at all when nobody waits for it any more by then.
    pub(super) fn run<T, F>(&self, work: F) -> Outcome<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (mut sender, outcome) = oneshot::channel();
        let places = self.clone();
        tokio::spawn(async move {
            if let Some(_place) = wanted(&mut sender, places.place()).await.flatten() {
                // Nobody may wait for it any more; it was done to its end all the same.
                drop(sender.send(work.await));
            }
        });
        outcome
    }

    /// Reads a page for a client, trying again while the store is unavailable.
    pub(super) fn page(
        &self,
        log: Arc<dyn EventStore>,
        account: Arc<Account>,
        wanted_page: Wanted,
    ) -> Outcome<Result<Taken, StoreError>> {
        let (mut sender, outcome) = oneshot::channel();
        let places = self.clone();
        tokio::spawn(async move {
            let Some(turn) = wanted(&mut sender, account.turn()).await else { return };
            let Some(read) = places.read(&*log, &wanted_page, &mut sender).await else { return };
            let taken = read.map(|page| {
                let hold = Hold { _turn: turn, _buffered: account.hold(bytes_of(&page)) };
                Taken { page, hold }
            });
            drop(sender.send(taken));
        });
        outcome
    }

    /// A page, or `None` when it is not wanted any more.
    async fn read<T>(
        &self,
        log: &dyn EventStore,
        Wanted { source, after, limit }: &Wanted,
        sender: &mut oneshot::Sender<T>,
    ) -> Option<Result<Page, StoreError>> {
        let mut failures = 0_u32;
        loop {
            let place = wanted(sender, self.place()).await?;
            let read = log.read(source, &[], *after, *limit).await;
            drop(place);
            match read {
                Err(error) if error.is_transient() => {
                    failures = failures.saturating_add(1);
                    let retry_in = STORE_RETRY.draw(failures);
                    tracing::warn!(?source, ?retry_in, "{error}");
                    wanted(sender, sleep(retry_in)).await?;
                }
                read => return Some(read),
            }
        }
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

/// Returns what `waiting` gives, or `None` when nobody waits for the outcome any more.
async fn wanted<T, U>(
    sender: &mut oneshot::Sender<T>,
    waiting: impl Future<Output = U>,
) -> Option<U> {
    tokio::select! {
        biased;
        () = sender.closed() => None,
        given = waiting => Some(given),
    }
}

/// The bytes of the events, and once more those of the messages that they become.
fn bytes_of(page: &Page) -> usize {
    let texts = page.events.iter().map(|event| {
        let metadata = event.metadata.as_payload().map_or(0, |metadata| metadata.as_str().len());
        event.data.as_str().len() + metadata
    });
    texts.sum::<usize>() * 2
}

/// Reason why there is no outcome: what was done in the place has panicked, or the process ends.
pub(super) fn lost() -> StoreError {
    StoreError::Backend("the read has ended without an outcome".into())
}
