//! Applies events to a handler: effects at once, the checkpoint later.

use std::sync::Arc;

use async_trait::async_trait;
use highwater_core::{
    Advance, CheckpointStore, ErrorClass, Handler, IdempotencyKey, Lease, ProjectionName,
    RecordedEvent, StoreError, Upcasters,
};

use super::applier::{Applied, Applier, Fault, decode};

/// Hands each event to a [`Handler`].
pub(crate) struct HandlerApplier<S, H> {
    store: S,
    handler: Arc<H>,
    name: ProjectionName,
    upcasters: Upcasters,
}

impl<S: CheckpointStore, H: Handler> HandlerApplier<S, H> {
    pub(crate) fn new(store: S, handler: Arc<H>) -> Self {
        let (name, upcasters) = (handler.name(), handler.upcasters());
        Self { store, handler, name, upcasters }
    }
}

#[async_trait]
impl<S: CheckpointStore, H: Handler> Applier for HandlerApplier<S, H> {
    async fn apply(
        &mut self,
        _: &Lease,
        events: &[RecordedEvent],
        _: Advance,
    ) -> Result<Applied, Fault> {
        for (at, event) in events.iter().enumerate() {
            let key = IdempotencyKey::new(&self.name, event.id);
            let event = decode(&self.upcasters, event).map_err(Fault::at(at))?;
            let handled = self.handler.handle(&event, &key).await;
            handled.map_err(|error| Fault::of_user(error, |_| ErrorClass::Request))?;
        }
        Ok(Applied::Unsaved)
    }

    async fn reset(&mut self, lease: &Lease) -> Result<(), StoreError> {
        self.store.begin_rebuild(lease).await
    }
}
