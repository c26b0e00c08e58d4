//! How far a follower has come, and when that is to be stored.

use std::time::Duration;

use highwater_core::{Advance, Offset};
use tokio::time::Instant;

use crate::CheckpointPolicy;

/// The checkpoint as it stands in the store, and what has been done since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    saved: Option<Offset>,
    saved_at: Instant,
    reached: Option<Offset>,
    events: u64,
}

impl Progress {
    /// Nothing has been done behind the checkpoint `saved`.
    pub(crate) fn at(saved: Option<Offset>, now: Instant) -> Self {
        Self { saved, saved_at: now, reached: saved, events: 0 }
    }

    /// Goes on where the store says the checkpoint is.
    ///
    /// When it is where it was left, what has been done since is not done again; otherwise it
    /// has been moved or reset, or an answer was lost, and the store is right.
    pub(crate) fn resume(&mut self, stored: Option<Offset>, now: Instant) {
        if self.saved != stored {
            *self = Self::at(stored, now);
        }
    }

    /// The checkpoint as it stands in the store.
    pub(crate) fn saved(&self) -> Option<Offset> {
        self.saved
    }

    /// The last offset that has been processed or scanned over.
    pub(crate) fn reached(&self) -> Option<Offset> {
        self.reached
    }

    /// When the checkpoint was last stored or read.
    pub(crate) fn saved_at(&self) -> Instant {
        self.saved_at
    }

    /// `events` more have been processed, up to `to`; the checkpoint has not moved yet.
    pub(crate) fn reach(&mut self, to: Option<Offset>, events: u64) {
        self.reached = self.reached.max(to);
        self.events += events;
    }

    /// The checkpoint has moved on to `to`.
    pub(crate) fn save(&mut self, to: Option<Offset>, now: Instant) {
        *self = Self::at(to, now);
    }

    /// The step that stores all that has been done, and `events` more up to `to`.
    pub(crate) fn advance(&self, to: Option<Offset>, events: u64) -> Advance {
        Advance::new(self.saved, self.reached.max(to), self.events + events)
    }

    /// The step that stores all that has been done, if there is anything to store.
    pub(crate) fn unsaved(&self) -> Option<Advance> {
        (self.reached > self.saved).then(|| self.advance(None, 0))
    }

    /// Whether what has been done is to be stored now.
    ///
    /// Scanning over events that do not matter is stored once in a `poll_interval`, so that a
    /// filtered projection does not write for every event of others.
    pub(crate) fn is_due(
        &self,
        policy: CheckpointPolicy,
        poll_interval: Duration,
        is_batch_end: bool,
        now: Instant,
    ) -> bool {
        let waited = now - self.saved_at;
        match policy {
            _ if self.reached <= self.saved => false,
            _ if self.events == 0 => waited >= poll_interval,
            CheckpointPolicy::PerEvent => true,
            CheckpointPolicy::PerBatch => is_batch_end,
            CheckpointPolicy::Every(interval) => waited >= interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(events: u64, policy: CheckpointPolicy) -> [bool; 3] {
        let start = Instant::now();
        let mut progress = Progress::at(None, start);
        progress.reach(Some(Offset::new(9)), events);
        [(false, start), (true, start), (true, start + SECOND)]
            .map(|(is_end, now)| progress.is_due(policy, SECOND, is_end, now))
    }

    #[test]
    fn the_policy_says_when_progress_is_stored() {
        assert_eq!(after(3, CheckpointPolicy::PerEvent), [true, true, true]);
        assert_eq!(after(3, CheckpointPolicy::PerBatch), [false, true, true]);
        assert_eq!(after(3, CheckpointPolicy::Every(SECOND)), [false, false, true]);
        assert_eq!(after(3, CheckpointPolicy::Every(2 * SECOND)), [false, false, false]);
    }

    #[test]
    fn mere_scanning_is_stored_now_and_then() {
        for policy in [CheckpointPolicy::PerEvent, CheckpointPolicy::PerBatch] {
            assert_eq!(after(0, policy), [false, false, true]);
        }
    }

    #[test]
    fn what_was_done_is_kept_unless_the_checkpoint_moved() {
        let (start, at) = (Instant::now(), |n| Some(Offset::new(n)));
        let mut progress = Progress::at(at(4), start);
        progress.reach(at(7), 2);
        progress.resume(at(4), start);
        assert_eq!(progress.reached(), at(7));
        for elsewhere in [None, at(3), at(7), at(9)] {
            let mut progress = progress;
            progress.resume(elsewhere, start);
            assert_eq!((progress.reached(), progress.unsaved()), (elsewhere, None));
        }
    }

    #[test]
    fn what_was_done_is_stored_once() {
        let mut progress = Progress::at(Some(Offset::new(4)), Instant::now());
        assert!(progress.unsaved().is_none());
        progress.reach(Some(Offset::new(7)), 2);
        let advance = progress.unsaved().unwrap();
        assert_eq!(advance, Advance::new(Some(Offset::new(4)), Some(Offset::new(7)), 2));
        progress.save(advance.to, Instant::now());
        assert!(progress.unsaved().is_none());
    }
}
