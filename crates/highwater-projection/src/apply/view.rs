//! Applies events to a view: loads what a batch needs, folds in memory, writes what changed.

use std::sync::Arc;

use async_trait::async_trait;
use highwater_core::{
    Advance, BoxError, Change, Document, Lease, ProjectionName, ProjectionStore, ProjectionTx,
    Recorded, RecordedEvent, StoreError, UnfitDocument, Upcasters, View,
};

use super::applier::{Applied, Applier, Fault, decode};
use super::documents::Documents;

/// Folds each batch into the documents of a [`View`], in one transaction.
pub(crate) struct ViewApplier<S, V: View> {
    store: S,
    view: Arc<V>,
    name: ProjectionName,
    upcasters: Upcasters,
    documents: Documents<V::Document>,
}

/// Decoded events, and the keys that they change, each with the index of its event.
struct Batch<E> {
    events: Vec<Recorded<E>>,
    keys: Vec<(usize, String)>,
}

impl<S: ProjectionStore, V: View> ViewApplier<S, V> {
    pub(crate) fn new(store: S, view: Arc<V>) -> Self {
        let (name, upcasters) = (view.name(), view.upcasters());
        Self { store, view, name, upcasters, documents: Documents::default() }
    }

    fn decode(&self, events: &[RecordedEvent]) -> Result<Batch<V::Event>, Fault> {
        let (mut decoded, mut keys) = (Vec::with_capacity(events.len()), Vec::new());
        for (at, event) in events.iter().enumerate() {
            let event = decode(&self.upcasters, event).map_err(Fault::at(at))?;
            for key in self.view.keys(&event) {
                Document::check_key(&key).map_err(|error| Fault::at(at)(error.into()))?;
                keys.push((at, key));
            }
            decoded.push(event);
        }
        Ok(Batch { events: decoded, keys })
    }

    async fn load(
        &self,
        documents: &mut Documents<V::Document>,
        keys: &[(usize, String)],
    ) -> Result<(), Fault> {
        let unknown = documents.admit(keys.iter().map(|(_, key)| key));
        if unknown.is_empty() {
            return Ok(());
        }
        for document in self.store.documents(&self.name, &unknown).await? {
            let key = document.key.clone();
            documents.load(document).map_err(|source| {
                Fault::Document(UnfitDocument::new(self.name.clone(), &key, source))
            })?;
        }
        Ok(())
    }

    fn fold(
        &self,
        documents: &mut Documents<V::Document>,
        batch: &Batch<V::Event>,
    ) -> Result<(), Fault> {
        for (at, key) in &batch.keys {
            let applied = documents.apply(&*self.view, key, &batch.events[*at]);
            applied.map_err(Fault::at(*at))?;
        }
        Ok(())
    }
}

#[async_trait]
impl<S: ProjectionStore, V: View> Applier for ViewApplier<S, V> {
    async fn apply(
        &mut self,
        lease: &Lease,
        events: &[RecordedEvent],
        advance: Advance,
    ) -> Result<Applied, Fault> {
        let batch = self.decode(events)?;
        // Taken, and given back at the end: whoever fails on the way leaves nothing behind.
        let mut documents = std::mem::take(&mut self.documents);
        self.load(&mut documents, &batch.keys).await?;
        self.fold(&mut documents, &batch)?;
        let changes =
            documents.changes().map_err(|error: BoxError| Fault::Event { at: None, error })?;
        if changes.is_empty() {
            self.store.save(lease, &advance).await.map_err(Fault::of_write)?;
        } else {
            let mut tx = self.store.begin(lease).await?;
            tx.write(changes).await.map_err(Fault::of_write)?;
            tx.commit(Change::Advance(advance)).await.map_err(Fault::of_write)?;
        }
        self.documents = documents.for_next_batch();
        Ok(Applied::Saved)
    }

    async fn reset(&mut self, lease: &Lease) -> Result<(), StoreError> {
        self.documents = Documents::default();
        let mut tx = self.store.begin(lease).await?;
        tx.clear().await?;
        tx.commit(Change::Reset).await
    }
}
