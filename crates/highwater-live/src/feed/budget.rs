//! How much memory live events take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use highwater_core::RecordedEvent;

/// Room for the live events of all sources together.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    bytes: usize,
    taken: Arc<AtomicUsize>,
}

/// The room that one live event takes, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: usize,
    taken: Arc<AtomicUsize>,
}

impl MemoryBudget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, taken: Arc::default() }
    }

    /// Room for the event: for its payload, and once more for the message that it becomes.
    ///
    /// `None` when there is not enough left. For the one reader of the log's end: two callers at
    /// once could both get the last room.
    pub(super) fn take(&self, event: &RecordedEvent) -> Option<Reservation> {
        let bytes = event.data.as_str().len() * 2;
        let fits = self.taken.load(Ordering::Relaxed).saturating_add(bytes) <= self.bytes;
        fits.then(|| {
            self.taken.fetch_add(bytes, Ordering::Relaxed);
            Reservation { bytes, taken: Arc::clone(&self.taken) }
        })
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
