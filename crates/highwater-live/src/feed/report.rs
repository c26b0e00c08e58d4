//! What the live hub is doing, in numbers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use highwater_core::Offset;

/// The live hub at one moment; as JSON, an object of these fields in camel case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveGauges {
    /// Connections.
    pub connections: usize,
    /// Ids that were given out and have not been used; they take up no connection.
    pub negotiated: usize,
    /// Subscriptions of all connections.
    pub subscriptions: usize,
    /// Bytes that are held for clients, one by one: pages that were read for them, messages that
    /// wait for them to take, and what they have sent and is not read.
    pub buffered_bytes: usize,
    /// Those of the client that has the most.
    pub largest_buffered_bytes: usize,
    /// Bytes of live events, about, that all clients share.
    pub live_bytes: usize,
    /// Reads of the log for clients that are under way.
    pub reads: usize,
    /// Clients that were disconnected since the start to make room for others.
    pub evicted: u64,
    /// Distance of the slowest subscription from the end of the log, in positions.
    pub slowest_lag: u64,
    /// Events handed to connections since the start, once for each that got it.
    pub delivered: u64,
}

/// Counts for [`LiveGauges`], shared by everything that has something to count.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    delivered: AtomicU64,
    /// The first position that the reader at the end of the log has not read.
    head: AtomicU64,
    next: AtomicU64,
    followers: Mutex<HashMap<u64, Arc<AtomicU64>>>,
}

/// The position of a follower that has caught up.
const CAUGHT_UP: u64 = u64::MAX;

/// Where one subscription is; it counts as one until it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    counters: Arc<Counters>,
    key: u64,
    position: Arc<AtomicU64>,
}

impl Counters {
    pub(crate) fn subscriptions(&self) -> usize {
        self.followers().len()
    }

    pub(crate) fn slowest_lag(&self) -> u64 {
        let followers = self.followers();
        let head = self.head.load(Ordering::Relaxed);
        let positions = followers.values().map(|position| position.load(Ordering::Relaxed));
        head.saturating_sub(positions.min().unwrap_or(CAUGHT_UP))
    }

    pub(crate) fn delivered_so_far(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Counts a subscription.
    pub(crate) fn follow(self: &Arc<Self>) -> Progress {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let position = Arc::new(AtomicU64::new(CAUGHT_UP));
        self.followers().insert(key, Arc::clone(&position));
        Progress { counters: Arc::clone(self), key, position }
    }

    pub(crate) fn log_read_to(&self, after: Option<Offset>) {
        self.head.store(Offset::following(after).get(), Ordering::Relaxed);
    }

    pub(crate) fn delivered(&self, events: usize) {
        self.delivered.fetch_add(events as u64, Ordering::Relaxed);
    }

    fn followers(&self) -> MutexGuard<'_, HashMap<u64, Arc<AtomicU64>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// The event at `position` is the next that the client is to get.
    pub(crate) fn is_behind(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }

    pub(crate) fn has_caught_up(&self) {
        self.position.store(CAUGHT_UP, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.counters.followers().remove(&self.key);
    }
}
