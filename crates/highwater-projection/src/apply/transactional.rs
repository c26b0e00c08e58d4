//! Applies events to a projection in the transaction that moves its checkpoint.

use std::sync::Arc;

use async_trait::async_trait;
use highwater_core::{
    Advance, Change, Lease, Projection, ProjectionStore, ProjectionTx, RecordedEvent, StoreError,
    Upcasters,
};

use super::applier::{Applied, Applier, Fault, decode};

/// Hands each batch to a [`Projection`] in one transaction.
pub(crate) struct TransactionalApplier<S, P> {
    store: S,
    projection: Arc<P>,
    upcasters: Upcasters,
}

impl<S: ProjectionStore, P: Projection<S>> TransactionalApplier<S, P> {
    pub(crate) fn new(store: S, projection: Arc<P>) -> Self {
        let upcasters = projection.upcasters();
        Self { store, projection, upcasters }
    }
}

#[async_trait]
impl<S: ProjectionStore, P: Projection<S>> Applier for TransactionalApplier<S, P> {
    async fn apply(
        &mut self,
        lease: &Lease,
        events: &[RecordedEvent],
        advance: Advance,
    ) -> Result<Applied, Fault> {
        let mut batch = Vec::with_capacity(events.len());
        for (at, event) in events.iter().enumerate() {
            batch.push(decode(&self.upcasters, event).map_err(Fault::at(at))?);
        }
        let mut tx = self.store.begin(lease).await?;
        let applied = self.projection.apply(&batch, &mut tx).await;
        applied.map_err(|error| Fault::of_user(error, |error| self.store.class(error)))?;
        tx.commit(Change::Advance(advance)).await.map_err(Fault::of_write)?;
        Ok(Applied::Saved)
    }

    async fn reset(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.store.begin(lease).await?;
        let emptied = self.projection.reset(&mut tx).await;
        emptied.map_err(|error| match Fault::of_user(error, |error| self.store.class(error)) {
            Fault::Store(error) => error,
            Fault::Document(document) => document.into(),
            Fault::Event { error, .. } => StoreError::Backend(error),
        })?;
        tx.commit(Change::Reset).await
    }
}
