//! Signals that are made of events.

use std::marker::PhantomData;

use highwater_core::{
    BoxError, Decode, EventId, Handler, IdempotencyKey, Payload, ProjectionName, Recorded,
    SignalKey, Source,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::SagaHandle;

/// Delivers a signal for each event that a saga may wait for; register it where projections are
/// run.
///
/// An event may be seen twice: it is one signal all the same. One that comes before its saga
/// waits, or before there is one, is kept. Made by [`SagaHandle::deliver_on`].
#[derive(Debug)]
pub struct DeliverOn<S, E, F> {
    handle: SagaHandle<S>,
    name: ProjectionName,
    source: Source,
    choose: F,
    event: PhantomData<fn(E)>,
}

impl<S, E, F> DeliverOn<S, E, F> {
    pub(crate) fn new(
        handle: SagaHandle<S>,
        name: ProjectionName,
        source: Source,
        choose: F,
    ) -> Self {
        Self { handle, name, source, choose, event: PhantomData }
    }

    /// What two handlers make of one event are two signals.
    fn signal_id(&self, event: EventId) -> EventId {
        EventId::from_uuid(Uuid::new_v5(&event.as_uuid(), self.name.as_str().as_bytes()))
    }
}

impl<S, E, F> Handler for DeliverOn<S, E, F>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    E: Decode + Sync,
    F: Fn(&Recorded<E>) -> Option<(SignalKey, Payload)> + Send + Sync + 'static,
{
    type Event = E;

    fn name(&self) -> ProjectionName {
        self.name.clone()
    }

    fn source(&self) -> Source {
        self.source.clone()
    }

    async fn handle(&self, event: &Recorded<E>, _: &IdempotencyKey) -> Result<(), BoxError> {
        if let Some((key, data)) = (self.choose)(event) {
            self.handle.deliver(key, self.signal_id(event.id), data).await?;
        }
        Ok(())
    }
}
