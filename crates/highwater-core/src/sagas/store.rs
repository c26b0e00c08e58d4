//! The store of sagas.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    ClaimedSaga, CreatedSaga, Delivery, NewSaga, SagaClaim, SagaCounts, SagaLease, SagaQuery,
    SagaRecord, SagaRecorded, SagaRequest, SagaTransition, Signal,
};
use crate::error::StoreError;
use crate::name::SagaId;
use crate::wake::Wake;

/// One answer for each entry of a batch, in its order; or none, when the whole call failed.
///
/// After an error of the whole call each entry was carried out whole or not at all.
pub type Each<T> = Result<Vec<Result<T, StoreError>>, StoreError>;

/// Keeps one row for each saga: how far it has come, who runs it, and when it is due.
///
/// # Contract
/// - A saga moves only by a transition under the latest lease on it, from the revision that its
///   mover has seen, with no request pending that its mover has not. A worker that was frozen and
///   wakes after its lease was taken over changes nothing.
/// - A transition, the signal that it uses up, and the events that it appends commit together.
/// - Time is the store's: leases, timers and deadlines are given as durations and judged by its
///   clock alone.
/// - **A signal is never missed**: whether it is delivered before, while or after a saga begins
///   to wait for it, the saga becomes due. It goes to one saga, the first to claim it, once; one
///   that starts to unwind before it has used it up leaves it to the next.
/// - Entries of a batch succeed or fail alone. No saga, and no stream, occurs in two of them.
/// - Every method is cancel safe: what a dropped call had begun is made whole or not at all.
///
/// Batches let a backend commit the transitions of many sagas at once; callers make them with
/// [`GroupCommit`](crate::backend::GroupCommit). `highwater-testkit` has the laws to prove an
/// implementation with.
///
/// ```
/// use highwater_core::{SagaId, SagaRequest, SagaStore, StoreError};
///
/// /// Asks a saga to undo itself; whoever runs it obeys.
/// async fn cancel(store: &dyn SagaStore, id: &SagaId) -> Result<(), StoreError> {
///     let saga = store.request_saga(id, SagaRequest::Cancel).await?;
///     println!("{} is {}", saga.id, saga.progress.state);
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait SagaStore: Send + Sync + 'static {
    /// Creates sagas, each with its appends, due at once.
    ///
    /// An id that exists is not an error when it has the same name and the same input: nothing is
    /// changed or appended then, and the saga is returned as it stands. Each entry fails with
    /// `SagaTaken` when the id stands for something else, or like
    /// [`EventStore::append`](crate::events::EventStore::append). A saga that is `claimed_by` somebody is
    /// `Running` under that one's lease, epoch 1.
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga>;

    /// Gives out sagas that are due, the longest due first, each under a lease with a new epoch.
    ///
    /// Only those whose name and version are among the definitions; none is given to two owners
    /// at once. With their signals they hold at most [`PAGE_BYTES`](crate::page::PAGE_BYTES) and at most
    /// what the claim has room for, or are one: others stay due. A `ttl` or a limit of zero is
    /// `Invalid`.
    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError>;

    /// Makes transitions, judged by [`SagaTransition::judge`].
    ///
    /// Each entry fails with `SagaLeaseLost` when its lease is not the latest or was given back,
    /// with `SagaUnknown`, or like [`EventStore::append`](crate::events::EventStore::append). An expired
    /// lease that nobody has taken over still moves its saga.
    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded>;

    /// Extends leases to `ttl` from now.
    ///
    /// Each entry fails with `SagaLeaseLost` or `SagaUnknown`.
    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()>;

    /// Asks a saga for something, judged by [`SagaRequest::admitted`] on the saga as it stands,
    /// and makes it due unless somebody holds its lease, who will see the request.
    ///
    /// Returns the saga with what is now pending. Fails with `SagaUnknown` or `SagaRequestRefused`.
    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError>;

    /// Keeps the signal until a saga uses it up, and makes those due that wait for it.
    ///
    /// Delivering an id again does nothing, even when the signal has been used up; one that is
    /// delivered to another kind of saga, or under another key, is another signal.
    /// Says when the only saga that is known to have waited for it has ended.
    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError>;

    /// The saga, or `None` when there is none of this id.
    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError>;

    /// The sagas that are searched for, those created last first, then by descending id.
    ///
    /// They hold at most [`PAGE_BYTES`](crate::page::PAGE_BYTES), or are one: where sagas are large there
    /// are fewer than the limit. One that cannot be read is left out, and said in the log: it costs
    /// nobody the others. Only an empty page is the end. A limit of zero, or an `after` that is not
    /// known, is `Invalid`.
    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError>;

    /// Number of sagas that do not go on by themselves, in time that does not grow with how many
    /// there are: each count goes up to `up_to`, which stands for that many or more.
    ///
    /// Overdue are those that have been due for `overdue` by the store's clock, and that nobody has
    /// taken.
    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError>;

    /// A wake-up for workers: rings when a saga has become due other than by the clock.
    ///
    /// One that is taken before a claim misses nothing that this process does; what other
    /// processes do may be missed, and is found by claiming again after a while.
    fn sagas_due(&self) -> Wake;
}

#[async_trait]
impl<S: SagaStore + ?Sized> SagaStore for Arc<S> {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        (**self).create_sagas(sagas).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        (**self).claim_sagas(claim).await
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        (**self).record_sagas(transitions).await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        (**self).renew_sagas(leases, ttl).await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        (**self).request_saga(id, request).await
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        (**self).deliver_signal(signal).await
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        (**self).saga(id).await
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        (**self).sagas(query).await
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        (**self).count_sagas(overdue, up_to).await
    }

    fn sagas_due(&self) -> Wake {
        (**self).sagas_due()
    }
}
