//! What a saga has done about events: it is started, or signalled to.

use std::future::Future;
use std::marker::PhantomData;

use highwater_core::{
    BoxError, Decode, EventId, Handler, IdempotencyKey, ProjectionName, Recorded, Source,
};
use uuid::Uuid;

/// A handler that is a closure.
pub(crate) struct OnEvent<E, F> {
    name: ProjectionName,
    source: Source,
    act: F,
    event: PhantomData<fn(E)>,
}

impl<E, F> OnEvent<E, F> {
    pub(crate) fn new(name: ProjectionName, source: Source, act: F) -> Self {
        Self { name, source, act, event: PhantomData }
    }
}

impl<E, F, Acting> Handler for OnEvent<E, F>
where
    E: Decode + Sync,
    F: Fn(&Recorded<E>) -> Acting + Send + Sync + 'static,
    Acting: Future<Output = Result<(), BoxError>> + Send,
{
    type Event = E;

    fn name(&self) -> ProjectionName {
        self.name.clone()
    }

    fn source(&self) -> Source {
        self.source.clone()
    }

    async fn handle(&self, event: &Recorded<E>, _: &IdempotencyKey) -> Result<(), BoxError> {
        (self.act)(event).await
    }
}

/// The id of the signal that the handler `name` makes of an event: what two of them make of one
/// are two signals.
pub(crate) fn signal_id(name: &ProjectionName, event: EventId) -> EventId {
    EventId::from_uuid(Uuid::new_v5(&event.as_uuid(), name.as_str().as_bytes()))
}
