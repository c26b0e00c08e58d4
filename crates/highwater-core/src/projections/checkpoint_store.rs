//! The store of checkpoints, the seam for a database that keeps read models.

use std::time::Duration;

use async_trait::async_trait;

use super::{Advance, Checkpoint, CheckpointKey, DeadLetter, Lease, Owner};
use crate::error::StoreError;
use crate::events::EventId;
use crate::name::ProjectionName;
use crate::offset::Offset;

/// Keeps one row for each (projection, source): its checkpoint and its lease.
///
/// # Contract
/// - A checkpoint moves only under the latest lease on it, only from where its mover believes it
///   to be, and backwards only by [`reset`](Self::reset). A worker that was frozen and wakes
///   after its lease was taken over changes nothing.
/// - Time is the store's: expiry is never judged by the clock of a worker.
/// - An epoch is never given twice for one key, not even when the row was deleted in between.
///
/// These methods suffice to run side-effect handlers; a store that also keeps read models adds
/// [`ProjectionStore`](crate::projections::ProjectionStore). `highwater-testkit` has the laws to prove an
/// implementation with.
///
/// ```
/// use highwater_core::{CheckpointStore, StoreError};
///
/// /// Prints how far every projection has come.
/// async fn print_checkpoints(store: &dyn CheckpointStore) -> Result<(), StoreError> {
///     for checkpoint in store.checkpoints(None).await? {
///         println!("{} {:?}", checkpoint.key, checkpoint.last_processed_offset);
///     }
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait CheckpointStore: Send + Sync + 'static {
    /// The checkpoint, or `None` when the projection never ran on this source.
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError>;

    /// All checkpoints of one projection, or of all, ordered by the bytes of the projection's
    /// name, then of the source's text.
    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError>;

    /// Moves the checkpoint on, and clears its last error.
    ///
    /// Fails with `LeaseLost` when the lease is not the latest or was released, with
    /// `CheckpointMoved` when the checkpoint is not at `advance.from`, with `Invalid` when
    /// `advance.to` is below it; it has not moved then. An expired lease that nobody has taken
    /// over still moves it.
    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError>;

    /// Sets the checkpoint back to "nothing processed", counts of events and errors included; a
    /// requested rebuild counts as begun.
    ///
    /// The read model is not touched: what a projection would do twice, it does twice. To
    /// begin again with an empty read model request a rebuild. A missing row is no error.
    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError>;

    /// Sets the checkpoint to `to`, behind the event `event_id`, wherever it is; its errors and
    /// suspects are forgotten.
    ///
    /// For a log that was replaced: the read model is not touched, and nothing is counted. A
    /// worker that holds the lease keeps it and finds the checkpoint moved. A missing row is no
    /// error.
    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError>;

    /// Sets the checkpoint back as its worker does when it begins a rebuild, and forgets the dead
    /// letters.
    ///
    /// Fails with `LeaseLost` like [`save`](Self::save).
    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Removes the row and its dead letters; a worker that holds its lease loses it. A missing
    /// row is no error.
    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError>;

    /// Keeps `error` as the checkpoint's last one; the checkpoint does not move.
    ///
    /// Fails with `LeaseLost` like [`save`](Self::save).
    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError>;

    /// Notes that the event at `event` is about to be tried alone, and that `deaths` workers have
    /// not come back from it.
    ///
    /// It stays the [`suspect`](Checkpoint::suspect) until the checkpoint moves, is reset or
    /// rebased. Fails with `LeaseLost` like [`save`](Self::save).
    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError>;

    /// Asks whoever runs the projection to rebuild it; creates the row when there is none.
    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError>;

    /// Takes the lease for `ttl` when it is free, expired or already `owner`'s; creates the row
    /// when there is none. `None` when somebody else holds it.
    ///
    /// Every lease it gives has a new, higher epoch. A `ttl` of zero is `Invalid`.
    ///
    /// A lease that is taken over from somebody else, who let it expire, makes whatever is behind
    /// the checkpoint [suspect](Checkpoint::suspect); if an attempt had been
    /// [noted](Self::note_attempt) under it, that event has one more death.
    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError>;

    /// Extends the lease to `ttl` from now, and tells whether a rebuild is requested.
    ///
    /// Fails with `LeaseLost` when it is not the latest or was released.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError>;

    /// Gives the lease back, so that another worker gets it at once; a lost one is no error.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// The dead letters of one projection behind `after`, by offset, at most `limit`.
    ///
    /// A page of them holds at most [`PAGE_BYTES`](crate::page::PAGE_BYTES), or is one: where errors
    /// are long it is shorter than the limit. Only an empty page is the end.
    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Number of dead letters the projection has; `up_to` stands for that many or more.
    ///
    /// Who asks every few seconds must not read them all: a backend that can count them without
    /// should.
    async fn count_dead_letters(
        &self,
        key: &CheckpointKey,
        up_to: usize,
    ) -> Result<usize, StoreError> {
        let (mut count, mut after) = (0, None);
        while count < up_to {
            let page = self.dead_letters(key, after, up_to - count).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.letter.offset);
            count += page.len();
        }
        Ok(count)
    }
}

/// True when somebody has asked for a rebuild that has not begun.
pub type RebuildRequested = bool;
