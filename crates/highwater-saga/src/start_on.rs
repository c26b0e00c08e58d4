//! Starting sagas by events.

use std::marker::PhantomData;

use highwater_core::{BoxError, Decode, Handler, IdempotencyKey, ProjectionName, Recorded, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{SagaHandle, Start};

/// Starts a saga for each event that asks for one; register it where projections are run.
///
/// An event may be seen twice: an id that is made out of the event starts one saga all the same.
/// Made by [`SagaHandle::start_on`].
#[derive(Debug)]
pub struct StartOn<S, E, F> {
    handle: SagaHandle<S>,
    name: ProjectionName,
    source: Source,
    choose: F,
    event: PhantomData<fn(E)>,
}

impl<S, E, F> StartOn<S, E, F> {
    pub(crate) fn new(
        handle: SagaHandle<S>,
        name: ProjectionName,
        source: Source,
        choose: F,
    ) -> Self {
        Self { handle, name, source, choose, event: PhantomData }
    }
}

impl<S, E, F> Handler for StartOn<S, E, F>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    E: Decode + Sync,
    F: Fn(&Recorded<E>) -> Option<(Start, S)> + Send + Sync + 'static,
{
    type Event = E;

    fn name(&self) -> ProjectionName {
        self.name.clone()
    }

    fn source(&self) -> Source {
        self.source.clone()
    }

    async fn handle(&self, event: &Recorded<E>, _: &IdempotencyKey) -> Result<(), BoxError> {
        if let Some((start, state)) = (self.choose)(event) {
            self.handle.start(start, &state).await?;
        }
        Ok(())
    }
}
