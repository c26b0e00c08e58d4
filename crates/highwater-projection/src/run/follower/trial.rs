//! Tries events alone, each noted before, when a worker did not come back.

use highwater_core::{CheckpointStore, Offset, RecordedEvent, StoreError};

use super::Follower;
use crate::apply::applier::Fault;
use crate::error::Deadly;

impl<S: CheckpointStore + Clone> Follower<'_, S> {
    /// Applies an event that may end the process, unless it has done so too often.
    ///
    /// All before it are stored first: then the event on trial is the one behind the checkpoint,
    /// and a death is counted for it and for nothing else.
    pub(super) async fn attempt_alone(&mut self, event: &[RecordedEvent]) -> Result<(), Fault> {
        let Some(place) = event.first().map(|event| self.place_of(event)) else { return Ok(()) };
        self.save_done().await?;
        let deaths = self.deaths_of(place);
        if deaths >= self.options().max_deaths {
            return Err(Fault::at(0)(Deadly { deaths }.into()));
        }
        let _turn = self.worker.trials.turn(self.options().lease_ttl).await;
        self.worker.store.note_attempt(self.held.lease(), place, deaths).await?;
        self.attempt(event).await
    }

    /// Lets whoever starts the projection again try the event once more, since something may have
    /// been mended; the next death condemns it.
    pub(super) async fn reprieve(&mut self, event: &RecordedEvent) -> Result<(), StoreError> {
        let (place, deaths) = (self.place_of(event), self.options().max_deaths - 1);
        self.worker.store.note_attempt(self.held.lease(), place, deaths).await
    }

    fn deaths_of(&self, place: Offset) -> u32 {
        let suspect = self.suspect.filter(|suspect| suspect.event == Some(place));
        suspect.map_or(0, |suspect| suspect.deaths)
    }

    fn place_of(&self, event: &RecordedEvent) -> Offset {
        self.worker.projection.source().offset_of(event)
    }
}
