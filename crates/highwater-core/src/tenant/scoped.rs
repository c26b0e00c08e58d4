//! A store for one tenant: its projections neither see nor move those of another.

use std::time::Duration;

use async_trait::async_trait;

use super::Tenant;
use crate::error::{ErrorClass, StoreError};
use crate::events::{EventId, Payload};
use crate::name::ProjectionName;
use crate::offset::Offset;
use crate::projections::{
    Advance, Change, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, Document, Lease,
    Owner, ProjectionStore, ProjectionTx, RebuildRequested,
};

/// A store as one tenant sees it: projection `balances` of `acme` is kept as `acme/balances`.
///
/// It lists, moves and deletes nothing of other tenants, and names projections without the
/// tenant in all that it returns. A tenant's name and a projection's have 254 bytes together.
#[derive(Debug, Clone)]
pub struct TenantScoped<S> {
    store: S,
    tenant: Tenant,
}

impl<S> TenantScoped<S> {
    /// The part of `store` that belongs to `tenant`.
    pub const fn new(store: S, tenant: Tenant) -> Self {
        Self { store, tenant }
    }

    fn own<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.map_err(|error| self.tenant.own_error(error))
    }
}

#[async_trait]
impl<S: CheckpointStore> CheckpointStore for TenantScoped<S> {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        let row = self.own(self.store.checkpoint(&self.tenant.scoped_key(key)?).await)?;
        Ok(row.map(|row| Checkpoint { key: key.clone(), ..row }))
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let projection = projection.map(|name| self.tenant.scoped(name)).transpose()?;
        let rows = self.own(self.store.checkpoints(projection.as_ref()).await)?;
        Ok(rows.into_iter().filter_map(|row| self.tenant.own_checkpoint(row)).collect())
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        self.own(self.store.save(&self.tenant.scoped_lease(lease)?, advance).await)
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.own(self.store.reset(&self.tenant.scoped_key(key)?).await)
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        self.own(self.store.rebase(&self.tenant.scoped_key(key)?, to, event_id).await)
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        self.own(self.store.begin_rebuild(&self.tenant.scoped_lease(lease)?).await)
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.own(self.store.delete(&self.tenant.scoped_key(key)?).await)
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        self.own(self.store.record_error(&self.tenant.scoped_lease(lease)?, error).await)
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        self.own(self.store.note_attempt(&self.tenant.scoped_lease(lease)?, event, deaths).await)
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.own(self.store.request_rebuild(&self.tenant.scoped_key(key)?).await)
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let scoped = self.tenant.scoped_key(key)?;
        let acquired = self.own(self.store.acquire(&scoped, owner, ttl).await)?;
        Ok(acquired.map(|(lease, row)| {
            (Lease { key: key.clone(), ..lease }, Checkpoint { key: key.clone(), ..row })
        }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        self.own(self.store.renew(&self.tenant.scoped_lease(lease)?, ttl).await)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.own(self.store.release(&self.tenant.scoped_lease(lease)?).await)
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let scoped = self.tenant.scoped_key(key)?;
        let letters = self.own(self.store.dead_letters(&scoped, after, limit).await)?;
        Ok(letters.into_iter().map(|found| DeadLetter { key: key.clone(), ..found }).collect())
    }
}

#[async_trait]
impl<S: ProjectionStore> ProjectionStore for TenantScoped<S> {
    type Tx = TenantTx<S::Tx>;

    async fn begin(&self, lease: &Lease) -> Result<Self::Tx, StoreError> {
        let tx = self.own(self.store.begin(&self.tenant.scoped_lease(lease)?).await)?;
        Ok(TenantTx { tx, tenant: self.tenant.clone() })
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        self.own(self.store.documents(&self.tenant.scoped(projection)?, keys).await)
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.own(self.store.scan(&self.tenant.scoped(projection)?, prefix, after, limit).await)
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        self.store.class(error)
    }
}

/// A transaction on one tenant's read model.
#[derive(Debug)]
pub struct TenantTx<T> {
    tx: T,
    tenant: Tenant,
}

impl<T> TenantTx<T> {
    /// The transaction of the store beneath, for SQL of the user's own.
    pub const fn inner(&mut self) -> &mut T {
        &mut self.tx
    }

    /// Whose transaction it is, to be written into rows of the user's own.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

#[async_trait]
impl<T: ProjectionTx> ProjectionTx for TenantTx<T> {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        self.tx.write(changes).await.map_err(|error| self.tenant.own_error(error))
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.tx.clear().await.map_err(|error| self.tenant.own_error(error))
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let Self { tx, tenant } = self;
        tx.commit(change).await.map_err(|error| tenant.own_error(error))
    }
}
