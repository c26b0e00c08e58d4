//! What a saga has done about events: it is started, or signalled to.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use highwater_core::{
    BoxError, Decode, EventId, Handler, IdempotencyKey, ProjectionName, Recorded, Source, Upcasters,
};
use uuid::Uuid;

type Act<E> = dyn Fn(&Recorded<E>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;

/// A handler of [`SagaHandle::start_on`](crate::start::SagaHandle::start_on) or
/// [`deliver_on`](crate::start::SagaHandle::deliver_on), to be registered where projections are run.
pub struct OnEvent<E> {
    name: ProjectionName,
    source: Source,
    upcasters: Upcasters,
    act: Arc<Act<E>>,
}

impl<E> OnEvent<E> {
    pub(crate) fn new(
        name: ProjectionName,
        source: Source,
        act: impl Fn(&Recorded<E>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, source, upcasters: Upcasters::new(), act: Arc::new(act) }
    }

    /// Brings old events up to date before they are decoded.
    #[must_use]
    pub fn with_upcasters(mut self, upcasters: Upcasters) -> Self {
        self.upcasters = upcasters;
        self
    }
}

impl<E: Decode + Sync> Handler for OnEvent<E> {
    type Event = E;

    fn name(&self) -> ProjectionName {
        self.name.clone()
    }

    fn source(&self) -> Source {
        self.source.clone()
    }

    fn upcasters(&self) -> Upcasters {
        self.upcasters.clone()
    }

    async fn handle(&self, event: &Recorded<E>, _: &IdempotencyKey) -> Result<(), BoxError> {
        (self.act)(event).await
    }
}

impl<E> fmt::Debug for OnEvent<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnEvent")
            .field("name", &self.name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The id of the signal that the handler `name` makes of an event: what two of them make of one
/// are two signals.
pub(crate) fn signal_id(name: &ProjectionName, event: EventId) -> EventId {
    EventId::from_uuid(Uuid::new_v5(&event.as_uuid(), name.as_str().as_bytes()))
}
