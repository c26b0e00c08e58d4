//! The typed handle of a registered saga.

use std::marker::PhantomData;
use std::sync::Arc;

use highwater_core::{
    ClaimedSaga, CreatedSaga, EventId, NewSaga, Payload, ProjectionName, SagaId, SagaName,
    SagaStore, Signal, SignalKey, Source, StoreError, StreamName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::definition::Definition;
use crate::engine::{Assignment, Engine};
use crate::saga_event::{self, SagaEvent};
use crate::{DeliverOn, Start, StartError, StartOn};

/// Starts sagas of one kind and version, whose state is `S`, and signals to them.
pub struct SagaHandle<S> {
    engine: Arc<Engine>,
    definition: Arc<dyn Definition>,
    state: PhantomData<fn(S)>,
}

impl<S: Serialize + DeserializeOwned> SagaHandle<S> {
    pub(crate) fn new(engine: Arc<Engine>, definition: Arc<dyn Definition>) -> Self {
        Self { engine, definition, state: PhantomData }
    }

    /// The kind of saga.
    #[must_use]
    pub fn name(&self) -> &SagaName {
        self.definition.name()
    }

    /// Starts a saga and returns as soon as it is stored; any process may run it.
    ///
    /// Starting it again with the same state starts nothing new and returns it as it stands;
    /// with another state, or under an id that another kind of saga has, it fails with
    /// [`SagaTaken`](StoreError::SagaTaken).
    pub async fn start(
        &self,
        start: impl Into<Start>,
        state: &S,
    ) -> Result<CreatedSaga, StartError> {
        let Start { id, correlation_id, mut appends } = start.into();
        let definition = &self.definition;
        let input = checked(&id, state)?;
        let plan: Vec<_> = definition.plan().into_iter().map(|(name, _)| name).collect();
        // Appends to streams that others may append to as well cannot share a commit.
        let is_shared = appends.is_empty();
        if definition.publishes_events() {
            let stream = StreamName::of_saga(definition.name(), &id)?;
            let event = SagaEvent::SagaStarted {
                saga_name: definition.name().clone(),
                version: definition.version(),
                steps: plan.clone(),
            };
            let event = saga_event::append(stream, &correlation_id, &[event]);
            appends.extend(event.map_err(|error| StoreError::invalid(error.to_string()))?);
        }
        let (place, asked_at) = (self.engine.place(), Instant::now());
        let lease = (self.engine.owner.clone(), self.engine.options.lease_ttl);
        let saga = NewSaga {
            id,
            correlation_id,
            name: definition.name().clone(),
            version: definition.version(),
            plan,
            input,
            deadline: definition.deadline(),
            claimed_by: place.as_ref().map(|_| lease),
            appends,
        };
        let created = match is_shared {
            true => self.engine.writer.create(saga).await?,
            false => create_alone(&*self.engine.store, saga).await?,
        };
        if let Some(permit) = place.filter(|_| created.is_new) {
            let place = self.engine.take_place(created.record.id.clone(), permit);
            let claimed = ClaimedSaga {
                record: created.record.clone(),
                is_takeover: false,
                timer: None,
                deadline: definition.deadline(),
                signal: None,
            };
            self.engine.hand_in(Assignment { claimed, asked_at, place });
        }
        Ok(created)
    }

    /// A handler that starts a saga for each event of `source` that `choose` picks.
    pub fn start_on<E, F>(
        &self,
        name: ProjectionName,
        source: impl Into<Source>,
        choose: F,
    ) -> StartOn<S, E, F> {
        StartOn::new(self.clone(), name, source.into(), choose)
    }

    /// A handler that delivers a signal for each event of `source` that `choose` picks, to the
    /// saga that waits for the key, or is going to.
    pub fn deliver_on<E, F>(
        &self,
        name: ProjectionName,
        source: impl Into<Source>,
        choose: F,
    ) -> DeliverOn<S, E, F> {
        DeliverOn::new(self.clone(), name, source.into(), choose)
    }

    /// Delivers a signal to the saga of this kind that waits for `key`, or is going to.
    ///
    /// Delivering the same `id` again does nothing: give it the id of the event behind it.
    pub async fn deliver(
        &self,
        key: SignalKey,
        id: EventId,
        data: Payload,
    ) -> Result<(), StoreError> {
        let signal = Signal { id, saga: self.name().clone(), key, data };
        self.engine.store.deliver_signal(signal).await
    }
}

/// The state as JSON, if it survives being that.
fn checked<S: Serialize + DeserializeOwned>(id: &SagaId, state: &S) -> Result<Payload, StartError> {
    let there_and_back = || -> Result<(Payload, Payload), serde_json::Error> {
        let there = Payload::of(state)?;
        let back = Payload::of(&there.to::<S>()?)?;
        Ok((there, back))
    };
    let refuse = |reason: String| StartError::State { id: id.clone(), reason };
    match there_and_back() {
        Ok((there, back)) if there.same_value(&back) => Ok(there),
        Ok(_) => Err(refuse("it reads back as something else".to_owned())),
        Err(error) => Err(refuse(error.to_string())),
    }
}

async fn create_alone(store: &dyn SagaStore, saga: NewSaga) -> Result<CreatedSaga, StoreError> {
    let none = || StoreError::Backend("no answer to the creation of a saga".into());
    store.create_sagas(vec![saga]).await?.pop().unwrap_or_else(|| Err(none()))
}

impl<S> Clone for SagaHandle<S> {
    fn clone(&self) -> Self {
        let (engine, definition) = (Arc::clone(&self.engine), Arc::clone(&self.definition));
        Self { engine, definition, state: PhantomData }
    }
}

impl<S> std::fmt::Debug for SagaHandle<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SagaHandle")
            .field("name", self.definition.name())
            .field("version", &self.definition.version())
            .finish_non_exhaustive()
    }
}
