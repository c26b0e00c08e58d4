//! The transaction of a faulty store.

use async_trait::async_trait;
use highwater_core::{Change, Payload, ProjectionTx, StoreError};

use super::faults::Faults;

/// A transaction whose calls go wrong as the seed of its [`Faulty`](crate::faulty::Faulty) store says.
#[derive(Debug)]
pub struct FaultyTx<T> {
    tx: T,
    faults: Faults,
}

impl<T> FaultyTx<T> {
    pub(super) const fn new(tx: T, faults: Faults) -> Self {
        Self { tx, faults }
    }

    /// The transaction without its faults.
    pub const fn inner(&mut self) -> &mut T {
        &mut self.tx
    }
}

#[async_trait]
impl<T: ProjectionTx> ProjectionTx for FaultyTx<T> {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        self.faults.strike(self.tx.write(changes)).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.faults.strike(self.tx.clear()).await
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let Self { tx, faults } = self;
        faults.strike(tx.commit(change)).await
    }
}
