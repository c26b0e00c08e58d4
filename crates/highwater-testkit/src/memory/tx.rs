//! The transaction of a batch: changes that wait for the commit.

use std::collections::BTreeMap;

use async_trait::async_trait;
use highwater_core::{Change, Document, Lease, Payload, ProjectionTx, StoreError};

use super::MemoryStore;

/// Collects the changes of a batch; they are made at the commit, or not at all.
#[derive(Debug)]
pub struct MemoryTx {
    store: MemoryStore,
    lease: Lease,
    clears: bool,
    changes: BTreeMap<String, Option<Payload>>,
}

impl MemoryTx {
    pub(super) fn new(store: MemoryStore, lease: Lease) -> Self {
        Self { store, lease, clears: false, changes: BTreeMap::new() }
    }

    /// The document under `key` as this transaction would leave it.
    #[must_use]
    pub fn document(&self, key: &str) -> Option<Payload> {
        if let Some(change) = self.changes.get(key) {
            return change.clone();
        }
        if self.clears {
            return None;
        }
        let keys = [key.to_owned()];
        let found = self.store.state().read_models.get(&self.lease.key.projection, &keys);
        found.into_iter().next().map(|document| document.data)
    }
}

#[async_trait]
impl ProjectionTx for MemoryTx {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        for (key, _) in &changes {
            Document::check_key(key)?;
        }
        self.changes.extend(changes);
        Ok(())
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.clears = true;
        self.changes.clear();
        Ok(())
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let mut state = self.store.state();
        state.checkpoints.change(&self.lease, change)?;
        let projection = &self.lease.key.projection;
        if self.clears {
            state.read_models.clear(projection);
        }
        for (key, data) in self.changes {
            state.read_models.put(projection, key, data);
        }
        Ok(())
    }
}
