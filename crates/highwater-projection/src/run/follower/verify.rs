//! Makes sure that the log is the one which the checkpoint was made on.

use highwater_core::{Checkpoint, CheckpointStore, EventId, Offset, StoreError};
use tokio::time::Instant;

use super::{Follower, StopReason};
use crate::apply::found::{Found, find};
use crate::error::{LogReplaced, Reason};
use crate::run::progress::Place;
use crate::run::worker::Worker;

impl<S: CheckpointStore + Clone> Follower<'_, S> {
    /// Refuses to go on when the log was replaced since the checkpoint was stored: a backup was
    /// restored, or a failover has lost events.
    ///
    /// What has been scanned over is scanned again, since nothing tells whether it was this log.
    pub(super) async fn verify(&mut self) -> Result<(), StopReason> {
        (self.verified_at, self.is_doubtful) = (Instant::now(), false);
        self.progress.rescan();
        let done = self.progress.done();
        if self.worker.is_at(done).await? {
            return Ok(());
        }
        // Where checkpoints are kept with the log they went back together, and all is well.
        let row = self.worker.checkpoint(self.held).await?;
        self.refuse_to_be_elsewhere(&row)?;
        let saved = self.progress.saved();
        if done != saved && self.worker.is_at(saved).await? {
            self.progress.forget();
            return Ok(());
        }
        Err(self.replaced(saved).await?)
    }

    /// Begins anew, with nothing in memory, when the checkpoint was moved by somebody else.
    pub(super) fn refuse_to_be_elsewhere(&self, row: &Checkpoint) -> Result<(), StoreError> {
        let (expected, actual) = (self.progress.saved().offset, row.last_processed_offset);
        if expected == actual {
            return Ok(());
        }
        let key = row.key.clone();
        let (projection, source_name) = (key.projection, key.source);
        Err(StoreError::CheckpointMoved { projection, source_name, expected, actual })
    }

    /// The event at `place`, if there is one; the log must not end before.
    pub(super) async fn event_at(&self, place: Offset) -> Result<Option<EventId>, StopReason> {
        match self.worker.find(place).await? {
            Found::Event(event) => Ok(Some(event)),
            Found::Gap => Ok(None),
            Found::End => Err(self.replaced(Place::new(Some(place), None)).await?),
        }
    }

    async fn replaced(&self, at: Place) -> Result<StopReason, StoreError> {
        let key = self.worker.projection.key();
        let error = LogReplaced {
            projection: key.projection.clone(),
            followed: key.source.clone(),
            at: at.offset.unwrap_or(Offset::FIRST),
            expected: at.event,
            head: self.worker.events.head(&key.source).await?,
        };
        Ok(StopReason::GaveUp(Reason::passing(error)))
    }
}

impl<S: CheckpointStore + Clone> Worker<S> {
    /// Tells whether the log has at `place` what it had when the place was reached.
    async fn is_at(&self, place: Place) -> Result<bool, StoreError> {
        let Some(offset) = place.offset else { return Ok(true) };
        Ok(match self.find(offset).await? {
            Found::Event(event) => place.event.is_none_or(|expected| expected == event),
            Found::Gap => place.event.is_none(),
            Found::End => false,
        })
    }

    async fn find(&self, place: Offset) -> Result<Found, StoreError> {
        let time = self.projection.options.read_timeout;
        find(&*self.events, self.projection.source(), place, time).await
    }
}
