//! A store with a defect.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    Advance, Change, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, Document, ErrorClass,
    EventId, Lease, Offset, Owner, Payload, ProjectionName, ProjectionStore, ProjectionTx,
    RebuildRequested, StoreError,
};
use highwater_testkit::{MemoryStore, MemoryTx};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Whoever had a lease once may use the present one.
    TakesAnyLease,
    /// The checkpoint moves from wherever it is.
    ComparesNothing,
    /// Documents are written before the commit.
    WritesAtOnce,
    /// A `%` at the end of a prefix is a wildcard.
    MatchesPatterns,
}

#[derive(Debug, Clone)]
pub(crate) struct Broken {
    store: MemoryStore,
    defect: Defect,
}

impl Broken {
    pub(crate) fn new(store: MemoryStore, defect: Defect) -> Self {
        Self { store, defect }
    }

    /// The lease that the store goes by.
    async fn lease(&self, lease: &Lease) -> Result<Lease, StoreError> {
        let row = self.store.checkpoint(&lease.key).await?;
        let present = row.and_then(|row| row.owner.map(|owner| (owner, row.epoch)));
        Ok(match present {
            Some((owner, epoch)) if self.defect == Defect::TakesAnyLease => {
                Lease { key: lease.key.clone(), owner, epoch }
            }
            _ => lease.clone(),
        })
    }

    /// The advance that the store makes.
    async fn advance(&self, key: &CheckpointKey, advance: Advance) -> Result<Advance, StoreError> {
        let place = self.store.checkpoint(key).await?.and_then(|row| row.last_processed_offset);
        let compares = self.defect != Defect::ComparesNothing;
        Ok(Advance { from: if compares { advance.from } else { place }, ..advance })
    }
}

#[async_trait]
impl CheckpointStore for Broken {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        self.store.checkpoint(key).await
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        self.store.checkpoints(projection).await
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        let advance = self.advance(&lease.key, advance.clone()).await?;
        self.store.save(&self.lease(lease).await?, &advance).await
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.reset(key).await
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        self.store.rebase(key, to, event_id).await
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        self.store.begin_rebuild(&self.lease(lease).await?).await
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.delete(key).await
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        self.store.record_error(lease, error).await
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        self.store.note_attempt(&self.lease(lease).await?, event, deaths).await
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.store.request_rebuild(key).await
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        self.store.acquire(key, owner, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        self.store.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.store.release(lease).await
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(key, after, limit).await
    }
}

#[async_trait]
impl ProjectionStore for Broken {
    type Tx = BrokenTx;

    async fn begin(&self, lease: &Lease) -> Result<BrokenTx, StoreError> {
        let lease = self.lease(lease).await?;
        let tx = self.store.begin(&lease).await?;
        Ok(BrokenTx { store: self.clone(), lease, tx })
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        self.store.documents(projection, keys).await
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let is_pattern = self.defect == Defect::MatchesPatterns;
        let prefix = if is_pattern { prefix.trim_end_matches('%') } else { prefix };
        self.store.scan(projection, prefix, after, limit).await
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        self.store.class(error)
    }
}

#[derive(Debug)]
pub(crate) struct BrokenTx {
    store: Broken,
    lease: Lease,
    tx: MemoryTx,
}

#[async_trait]
impl ProjectionTx for BrokenTx {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        if self.store.defect != Defect::WritesAtOnce {
            return self.tx.write(changes).await;
        }
        let row = self.store.checkpoint(&self.lease.key).await?;
        let place = row.and_then(|row| row.last_processed_offset);
        let mut tx = self.store.store.begin(&self.lease).await?;
        tx.write(changes).await?;
        tx.commit(Change::Advance(Advance::new(place, place, 0))).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.tx.clear().await
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let change = match change {
            Change::Advance(advance) => {
                Change::Advance(self.store.advance(&self.lease.key, advance).await?)
            }
            Change::Reset => Change::Reset,
        };
        self.tx.commit(change).await
    }
}
