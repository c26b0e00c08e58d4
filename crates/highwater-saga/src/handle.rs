//! The typed handle of a registered saga.

use std::marker::PhantomData;
use std::sync::Arc;

use highwater_core::{
    ClaimedSaga, CreatedSaga, Decode, EventId, Handler, NewSaga, Payload, ProjectionName, Recorded,
    SagaId, SagaName, SagaStore, Signal, SignalKey, Source, StoreError, StreamName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::definition::Definition;
use crate::engine::{Assignment, Engine};
use crate::on_event::{OnEvent, signal_id};
use crate::saga_event::{self, SagaEvent};
use crate::{Start, StartError};

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

    /// Delivers a signal to the saga of this kind that waits for `key`, or is going to.
    ///
    /// Delivering the same `id` to the same key again does nothing: give it the id of the event
    /// behind it.
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

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> SagaHandle<S> {
    /// A handler that starts a saga for each event of `source` that `choose` picks; register it
    /// where projections are run.
    ///
    /// An event may be seen twice: an id that is made out of the event starts one saga all the
    /// same.
    pub fn start_on<E, I, F>(
        &self,
        name: ProjectionName,
        source: I,
        choose: F,
    ) -> impl Handler<Event = E> + use<S, E, I, F>
    where
        E: Decode + Sync,
        I: Into<Source>,
        F: Fn(&Recorded<E>) -> Option<(Start, S)> + Send + Sync + 'static,
    {
        let handle = self.clone();
        OnEvent::new(name, source.into(), move |event: &Recorded<E>| {
            let (handle, chosen) = (handle.clone(), choose(event));
            async move {
                if let Some((start, state)) = chosen {
                    handle.start(start, &state).await?;
                }
                Ok(())
            }
        })
    }

    /// A handler that delivers a signal for each event of `source` that `choose` picks, to the
    /// saga that waits for the key, or is going to; register it where projections are run.
    ///
    /// An event may be seen twice: it is one signal all the same. One that comes before its saga
    /// waits, or before there is one, is kept.
    pub fn deliver_on<E, I, F>(
        &self,
        name: ProjectionName,
        source: I,
        choose: F,
    ) -> impl Handler<Event = E> + use<S, E, I, F>
    where
        E: Decode + Sync,
        I: Into<Source>,
        F: Fn(&Recorded<E>) -> Option<(SignalKey, Payload)> + Send + Sync + 'static,
    {
        let (handle, by) = (self.clone(), name.clone());
        OnEvent::new(name, source.into(), move |event: &Recorded<E>| {
            let (handle, chosen) = (handle.clone(), choose(event));
            let id = signal_id(&by, event.id);
            async move {
                if let Some((key, data)) = chosen {
                    handle.deliver(key, id, data).await?;
                }
                Ok(())
            }
        })
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
