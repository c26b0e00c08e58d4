//! Wake-ups: a reader that has read everything waits here for more.

use std::sync::Arc;

use tokio::sync::watch;

use crate::offset::Position;

/// Where a backend announces the head of its log; shared by every [`Wake`] it gave out.
#[derive(Debug, Clone)]
pub struct Bell(Arc<watch::Sender<Option<Position>>>);

impl Bell {
    /// A bell that has not rung; `None` is the head of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Says that the log reaches to `head`; wakes everyone when that is news.
    ///
    /// A log that reaches less far than before is news as well: it was replaced by an older one,
    /// and what it gets next must wake everyone although it has been there before.
    pub fn ring(&self, head: Option<Position>) {
        self.0.send_if_modified(|known| std::mem::replace(known, head) != head);
    }

    /// Wakes everyone when `head` would be news, and goes on to wait for the same: for what others
    /// say about the log, which must not keep anyone asleep later if it was wrong.
    pub fn hint(&self, head: Option<Position>) {
        if head > *self.0.borrow() {
            self.ring_all();
        }
    }

    /// Wakes everyone, for a hint that does not say how far the log reaches.
    pub fn ring_all(&self) {
        self.0.send_modify(|_| {});
    }

    /// A wake-up that reports whatever is announced from now on.
    #[must_use]
    pub fn wake(&self) -> Wake {
        Wake(self.0.subscribe())
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells that the log may have grown, or been replaced; may do so early, never misses.
///
/// Take it *before* reading: every event that becomes readable afterwards makes
/// [`grown`](Self::grown) return.
#[derive(Debug)]
pub struct Wake(watch::Receiver<Option<Position>>);

impl Wake {
    /// Returns when the log has grown since this was made or last returned.
    ///
    /// Cancel safe. Waits for ever once the store is closed.
    pub async fn grown(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn growth_between_taking_the_wake_up_and_waiting_is_not_missed() {
        let bell = Bell::new();
        let mut wake = bell.wake();
        bell.ring(Some(Position::new(0)));
        wake.grown().await;
        bell.ring(Some(Position::new(0)));
        assert!(wake.grown().now_or_never().is_none(), "an old head is no news");
    }

    #[tokio::test]
    async fn a_log_that_went_back_is_news_and_so_is_what_it_gets_next() {
        let bell = Bell::new();
        let mut wake = bell.wake();
        for head in [7, 3, 4, 7] {
            bell.ring(Some(Position::new(head)));
            wake.grown().await;
        }
        bell.ring(None);
        wake.grown().await;
    }

    #[tokio::test]
    async fn a_hint_wakes_and_hides_nothing_that_comes_later() {
        let bell = Bell::new();
        let mut wake = bell.wake();
        bell.hint(Some(Position::new(u64::MAX)));
        wake.grown().await;
        bell.ring(Some(Position::new(0)));
        wake.grown().await;
        bell.hint(Some(Position::new(0)));
        assert!(wake.grown().now_or_never().is_none(), "an old head is no news");
    }
}
