//! Bytes that are held for clients, counted for each of them and bounded in total.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is held for all clients together.
///
/// When it would be more than the limit, those clients have to go that have taken nothing for the
/// longest, until what the others need is below it: whoever takes what it gets pays for nobody.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    started: Instant,
    total: AtomicUsize,
    next: AtomicU64,
    evicted: AtomicU64,
    accounts: Mutex<HashMap<u64, Arc<Usage>>>,
}

/// What is held for one client, and its turn to hold a page of the log.
#[derive(Debug)]
pub(crate) struct Account {
    memory: Arc<Memory>,
    key: u64,
    usage: Arc<Usage>,
    turn: Arc<Semaphore>,
}

#[derive(Debug)]
struct Usage {
    bytes: AtomicUsize,
    /// When the client has last taken something, in milliseconds.
    progressed: AtomicU64,
    crowded: CancellationToken,
}

/// Bytes that are held for a client; they count until this is dropped.
#[derive(Debug)]
pub(crate) struct Buffered {
    account: Arc<Account>,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            started: Instant::now(),
            total: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            accounts: Mutex::default(),
        })
    }

    /// The account of one more client.
    pub(crate) fn open(self: &Arc<Self>) -> Arc<Account> {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let usage = Arc::new(Usage {
            bytes: AtomicUsize::new(0),
            progressed: AtomicU64::new(self.now()),
            crowded: CancellationToken::new(),
        });
        self.accounts().insert(key, Arc::clone(&usage));
        let turn = Arc::new(Semaphore::new(1));
        Arc::new(Account { memory: Arc::clone(self), key, usage, turn })
    }

    /// Bytes held for all clients.
    pub(crate) fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes held for the client that needs the most.
    pub(crate) fn largest(&self) -> usize {
        let accounts = self.accounts();
        accounts.values().map(|usage| usage.bytes.load(Ordering::Relaxed)).max().unwrap_or(0)
    }

    /// Clients that had to go to make room for others.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn make_room(&self) {
        let accounts = self.accounts();
        let is_staying = |usage: &&Arc<Usage>| !usage.crowded.is_cancelled();
        let used = |usage: &Arc<Usage>| usage.bytes.load(Ordering::Relaxed);
        let mut staying: Vec<&Arc<Usage>> = accounts.values().filter(is_staying).collect();
        let mut total: usize = staying.iter().map(|usage| used(usage)).sum();
        staying.sort_by_key(|usage| usage.progressed.load(Ordering::Relaxed));
        for usage in staying.into_iter().filter(|usage| used(usage) > 0) {
            if total <= self.limit {
                break;
            }
            total = total.saturating_sub(used(usage));
            self.evicted.fetch_add(1, Ordering::Relaxed);
            usage.crowded.cancel();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<u64, Arc<Usage>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Counts bytes that are held for the client from now on.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Buffered {
        self.usage.bytes.fetch_add(bytes, Ordering::Relaxed);
        let before = self.memory.total.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.memory.limit {
            self.memory.make_room();
        }
        Buffered { account: Arc::clone(self), bytes }
    }

    /// The client has taken something.
    pub(crate) fn progressed(&self) {
        self.usage.progressed.store(self.memory.now(), Ordering::Relaxed);
    }

    /// Cancelled when the client has to go to make room for others.
    pub(crate) fn crowded(&self) -> CancellationToken {
        self.usage.crowded.clone()
    }

    /// The client's turn to hold a page of the log, for one of its subscriptions after another.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.turn).acquire_owned().await.ok()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.accounts().remove(&self.key);
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.account.usage.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.account.memory.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_has_taken_nothing_for_the_longest_makes_room_for_the_others() {
        let memory = Memory::new(100);
        let [slow, quick, idle] = [memory.open(), memory.open(), memory.open()];
        let kept = (slow.hold(60), quick.hold(30));
        advance(Duration::from_secs(1)).await;
        quick.progressed();
        assert_eq!((memory.total(), memory.largest(), memory.evicted()), (90, 60, 0));
        let more = quick.hold(30);
        assert!(slow.crowded().is_cancelled(), "it has taken nothing");
        assert!(!quick.crowded().is_cancelled() && !idle.crowded().is_cancelled());
        assert_eq!(memory.evicted(), 1);
        let few = idle.hold(5);
        assert!(!quick.crowded().is_cancelled(), "one is on its way out already");
        drop((kept, more, few));
        assert_eq!((memory.total(), memory.largest()), (0, 0));
    }
}
