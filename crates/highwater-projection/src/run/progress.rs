//! How far a follower has come, and when that is to be stored.

use std::time::Duration;

use highwater_core::{Advance, EventId, Offset};
use tokio::time::Instant;

use crate::options::CheckpointPolicy;

/// A place in the source, and the event there where it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: Option<Offset>,
    pub(crate) event: Option<EventId>,
}

impl Place {
    pub(crate) fn new(offset: Option<Offset>, event: Option<EventId>) -> Self {
        Self { offset, event }
    }
}

/// The checkpoint as it stands in the store, and what has been done since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    saved: Place,
    saved_at: Instant,
    /// The last event that has been processed.
    done: Place,
    /// How far events that do not matter have been passed over since.
    scanned: Option<Offset>,
    events: u64,
}

/// What is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// What has been processed.
    Done,
    /// That nothing is to be processed up to where the source has been scanned.
    Scanned,
}

impl Progress {
    /// Nothing has been done behind the checkpoint `saved`.
    pub(crate) fn at(saved: Place, now: Instant) -> Self {
        Self { saved, saved_at: now, done: saved, scanned: None, events: 0 }
    }

    /// Goes on where the store says the checkpoint is.
    ///
    /// When it is where it was left, what has been done since is not done again; otherwise it
    /// has been moved or reset, or an answer was lost, and the store is right.
    pub(crate) fn resume(&mut self, stored: Place, now: Instant) {
        if self.saved != stored {
            *self = Self::at(stored, now);
        }
    }

    /// Forgets what has been done since the checkpoint was last stored; it will be done again.
    pub(crate) fn forget(&mut self) {
        *self = Self::at(self.saved, self.saved_at);
    }

    /// Forgets how far the source has been scanned; it will be scanned again.
    pub(crate) fn rescan(&mut self) {
        self.scanned = None;
    }

    /// The checkpoint as it stands in the store.
    pub(crate) fn saved(&self) -> Place {
        self.saved
    }

    /// The last event that has been processed.
    pub(crate) fn done(&self) -> Place {
        self.done
    }

    /// The last offset that has been processed or scanned over.
    pub(crate) fn reached(&self) -> Option<Offset> {
        self.scanned.max(self.done.offset)
    }

    /// Tells how far the source has been scanned behind the last event that was processed.
    pub(crate) fn scanned(&self) -> Option<Offset> {
        self.scanned.filter(|scanned| Some(*scanned) > self.done.offset)
    }

    /// When the checkpoint was last stored or read.
    pub(crate) fn saved_at(&self) -> Instant {
        self.saved_at
    }

    /// `events` more have been processed, up to `to`; the checkpoint has not moved yet.
    pub(crate) fn reach(&mut self, to: Place, events: u64) {
        self.done = to;
        self.events += events;
    }

    /// Nothing matters up to `to`.
    pub(crate) fn scan(&mut self, to: Option<Offset>) {
        self.scanned = self.scanned.max(to);
    }

    /// The checkpoint has moved on to `to`.
    pub(crate) fn save(&mut self, to: Place, now: Instant) {
        let scanned = self.scanned;
        *self = Self::at(to, now);
        self.scanned = scanned;
    }

    /// The step that stores all that has been done, and `events` more up to `to`.
    pub(crate) fn advance(&self, to: Place, events: u64) -> Advance {
        Advance::new(self.saved.offset, to.offset, self.events + events).at_event(to.event)
    }

    /// Returns what is to be stored now.
    ///
    /// Scanning over events that do not matter is stored once in a `poll_interval`, so that a
    /// filtered projection does not write for every event of others.
    pub(crate) fn due(
        &self,
        policy: CheckpointPolicy,
        poll_interval: Duration,
        is_batch_end: bool,
        now: Instant,
    ) -> Due {
        let waited = now - self.saved_at;
        if self.done.offset > self.saved.offset {
            let is_due = match policy {
                CheckpointPolicy::PerEvent => true,
                CheckpointPolicy::PerBatch => is_batch_end,
                CheckpointPolicy::Every(interval) => waited >= interval,
            };
            if is_due { Due::Done } else { Due::Nothing }
        } else if self.scanned().is_some() && waited >= poll_interval {
            Due::Scanned
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(offset: u64) -> Place {
        Place::new(Some(Offset::new(offset)), None)
    }

    /// Returns what is due in the batch, at its end, and a second later.
    fn after(events: u64, policy: CheckpointPolicy) -> [Due; 3] {
        let start = Instant::now();
        let mut progress = Progress::at(Place::default(), start);
        if events > 0 {
            progress.reach(at(7), events);
        }
        progress.scan(at(9).offset);
        [(false, start), (true, start), (true, start + SECOND)]
            .map(|(is_end, now)| progress.due(policy, SECOND, is_end, now))
    }

    #[test]
    fn the_policy_says_when_progress_is_stored() {
        use Due::{Done, Nothing};
        assert_eq!(after(3, CheckpointPolicy::PerEvent), [Done, Done, Done]);
        assert_eq!(after(3, CheckpointPolicy::PerBatch), [Nothing, Done, Done]);
        assert_eq!(after(3, CheckpointPolicy::Every(SECOND)), [Nothing, Nothing, Done]);
        assert_eq!(after(3, CheckpointPolicy::Every(2 * SECOND)), [Nothing; 3]);
    }

    #[test]
    fn mere_scanning_is_stored_now_and_then() {
        for policy in [CheckpointPolicy::PerEvent, CheckpointPolicy::PerBatch] {
            assert_eq!(after(0, policy), [Due::Nothing, Due::Nothing, Due::Scanned]);
        }
    }

    #[test]
    fn what_was_done_is_kept_unless_the_checkpoint_moved() {
        let start = Instant::now();
        let mut progress = Progress::at(at(4), start);
        progress.reach(at(7), 2);
        progress.resume(at(4), start);
        assert_eq!(progress.reached(), at(7).offset);
        for elsewhere in [Place::default(), at(3), at(7), at(9)] {
            let mut progress = progress;
            progress.resume(elsewhere, start);
            assert_eq!((progress.reached(), progress.done()), (elsewhere.offset, elsewhere));
        }
    }

    #[test]
    fn what_was_done_is_stored_once_and_what_was_scanned_stays_scanned() {
        let mut progress = Progress::at(at(4), Instant::now());
        progress.reach(at(7), 2);
        progress.scan(at(9).offset);
        let advance = progress.advance(progress.done(), 0);
        assert_eq!(advance, Advance::new(at(4).offset, at(7).offset, 2));
        progress.save(at(7), Instant::now());
        assert_eq!(progress.advance(at(7), 0).events, 0);
        assert_eq!((progress.saved(), progress.scanned()), (at(7), at(9).offset));
        progress.rescan();
        assert_eq!(progress.reached(), at(7).offset);
    }
}
