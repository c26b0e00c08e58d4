//! A store that fails, delays, and loses answers, the same way for the same seed.

mod faults;
mod tx;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::{
    Advance, Appended, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, Document,
    ErrorClass, EventId, EventStore, EventType, Imported, Lease, NewEvent, Offset, Owner, Page,
    ProjectionName, ProjectionStore, RebuildRequested, Source, StoreError, StreamAppend,
    StreamName, Wake,
};

use faults::Faults;

pub use faults::FaultRates;
pub use tx::FaultyTx;

/// A store whose calls go wrong as a seed says; clones and transactions share its faults.
///
/// Every fault is `StoreError::Unavailable`, which promises nothing: the call may have been
/// carried out. Whoever repeats it, as the contract allows, must end up with the same result as
/// on a store without faults. Wrap a [`MemoryStore`](crate::memory::MemoryStore) under paused time, try
/// many seeds, and name the seed in every assertion.
///
/// A commit that fails without being carried out drops its whole transaction.
#[derive(Debug, Clone)]
pub struct Faulty<S> {
    store: S,
    faults: Faults,
}

impl<S> Faulty<S> {
    /// `store` with the faults of `seed`, as often as [`FaultRates`] has by default.
    pub fn new(store: S, seed: u64) -> Self {
        Self::with_rates(store, seed, FaultRates::default())
    }

    /// `store` with the faults of `seed`, as often as `rates` says.
    ///
    /// Panics when the rates are more than a hundred together.
    pub fn with_rates(store: S, seed: u64, rates: FaultRates) -> Self {
        let all = u64::from(rates.fail) + u64::from(rates.lose_answer) + u64::from(rates.delay);
        assert!(all <= 100, "faults in {all} of 100 calls");
        Self { store, faults: Faults::new(seed, rates) }
    }

    /// Ends all faults, so that what is under test can come to its end.
    pub fn heal(&self) {
        self.faults.set_healed(true);
    }

    /// Lets the faults of the seed go on.
    pub fn break_again(&self) {
        self.faults.set_healed(false);
    }

    /// The seed, to be printed when a test fails.
    pub const fn seed(&self) -> u64 {
        self.faults.seed()
    }

    /// The store without its faults.
    pub const fn inner(&self) -> &S {
        &self.store
    }
}

#[async_trait]
impl<S: EventStore> EventStore for Faulty<S> {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        self.faults.strike(self.store.append(batch)).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        self.faults.strike(self.store.import(events)).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.faults.strike(self.store.read(source, types, after, limit)).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        self.faults.strike(self.store.head(source)).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.faults.strike(self.store.now()).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.faults.strike(self.store.probe()).await
    }

    fn wake(&self) -> Wake {
        self.store.wake()
    }
}

#[async_trait]
impl<S: CheckpointStore> CheckpointStore for Faulty<S> {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        self.faults.strike(self.store.checkpoint(key)).await
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        self.faults.strike(self.store.checkpoints(projection)).await
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        self.faults.strike(self.store.save(lease, advance)).await
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.faults.strike(self.store.reset(key)).await
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        self.faults.strike(self.store.rebase(key, to, event_id)).await
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        self.faults.strike(self.store.begin_rebuild(lease)).await
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.faults.strike(self.store.delete(key)).await
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        self.faults.strike(self.store.record_error(lease, error)).await
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        self.faults.strike(self.store.note_attempt(lease, event, deaths)).await
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.faults.strike(self.store.request_rebuild(key)).await
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        self.faults.strike(self.store.acquire(key, owner, ttl)).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        self.faults.strike(self.store.renew(lease, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.faults.strike(self.store.release(lease)).await
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.faults.strike(self.store.dead_letters(key, after, limit)).await
    }
}

#[async_trait]
impl<S: ProjectionStore> ProjectionStore for Faulty<S> {
    type Tx = FaultyTx<S::Tx>;

    async fn begin(&self, lease: &Lease) -> Result<Self::Tx, StoreError> {
        let tx = self.faults.strike(self.store.begin(lease)).await?;
        Ok(FaultyTx::new(tx, self.faults.clone()))
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        self.faults.strike(self.store.documents(projection, keys)).await
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.faults.strike(self.store.scan(projection, prefix, after, limit)).await
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        let fault = error.downcast_ref().map(StoreError::class);
        let is_fault = |class: &ErrorClass| *class == ErrorClass::World;
        fault.filter(is_fault).unwrap_or_else(|| self.store.class(error))
    }
}
