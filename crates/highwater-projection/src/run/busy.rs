//! What user code is at, and since when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use highwater_core::Offset;
use tokio::time::Instant;

/// Events that user code has been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) first: Option<Offset>,
    pub(crate) last: Option<Offset>,
}

/// The work that is under way; the heartbeat looks at it from a task of its own, for user code
/// may block the one that it runs in.
#[derive(Debug, Default)]
pub(crate) struct Busy(Mutex<Option<(Work, Instant)>>);

/// Work that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct BusyGuard(Arc<Busy>);

impl Busy {
    pub(crate) fn begin(self: &Arc<Self>, work: Work) -> BusyGuard {
        *self.lock() = Some((work, Instant::now()));
        BusyGuard(Arc::clone(self))
    }

    /// Says so when the work that is under way has taken longer than `limit`.
    pub(crate) fn longer_than(&self, limit: Duration) -> Option<String> {
        let (Work { first, last }, since) = (*self.lock())?;
        let taken = Some(since.elapsed()).filter(|taken| *taken > limit)?;
        let (first, last) = (Offset::to_sql(first), Offset::to_sql(last));
        let seconds = taken.as_secs();
        Some(format!("applying the events {first} to {last} has taken {seconds} s and goes on"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Work, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}
