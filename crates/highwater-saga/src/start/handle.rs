//! The typed handle of a registered saga.

use std::marker::PhantomData;
use std::sync::Arc;

use futures::FutureExt;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Decode, Delivery, EventId, NewSaga, Payload, ProjectionName,
    Recorded, SagaId, SagaName, SagaStore, Signal, SignalKey, Source, StoreError, StreamName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::on_event::signal_id;
use super::sameness::Sameness;
use super::{OnEvent, Start};
use crate::define::definition::Definition;
use crate::error::StartError;
use crate::run::engine::{Assignment, Engine};
use crate::run::{SagaEvent, saga_event};

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
    /// [`SagaTaken`](StoreError::SagaTaken). Members that a release has added to the state do not
    /// make it another one, when those that were stored without them are read as the same.
    pub async fn start(
        &self,
        start: impl Into<Start>,
        state: &S,
    ) -> Result<CreatedSaga, StartError> {
        self.start_again(start.into(), state, Sameness::ByState).await
    }

    /// Starts the saga, or finds the one that was started before.
    async fn start_again(
        &self,
        start: Start,
        state: &S,
        sameness: Sameness,
    ) -> Result<CreatedSaga, StartError> {
        let input = self.input(&start.id, state)?;
        let id = start.id.clone();
        match self.create(start, input.clone()).await {
            Err(StartError::Store(StoreError::SagaTaken { .. })) => {
                let taken = || StoreError::SagaTaken { id: id.clone() };
                let record = self.engine.store.saga(&id).await?.ok_or_else(taken)?;
                let is_same =
                    record.name == *self.name() && sameness.of::<S>(&record.input, &input);
                if !is_same {
                    return Err(taken().into());
                }
                tracing::info!(saga = %id, "started before, by a release with another state");
                Ok(CreatedSaga { record, is_new: false })
            }
            created => created,
        }
    }

    /// The state as JSON, if it survives being that and is not too large.
    fn input(&self, id: &SagaId, state: &S) -> Result<Payload, StartError> {
        let input = checked(id, state)?;
        let (bytes, limit) = (input.as_str().len(), self.engine.options.max_state_bytes);
        if bytes > limit {
            return Err(StartError::TooLarge { id: id.clone(), bytes, limit });
        }
        Ok(input)
    }

    async fn create(&self, start: Start, input: Payload) -> Result<CreatedSaga, StartError> {
        let Start { id, correlation_id, mut appends } = start;
        let definition = &self.definition;
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
        // Input and state are the same text at the outset.
        let place = self.engine.reserve(2 * input.as_str().len());
        let asked_at = Instant::now();
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
        let lease = created.record.lease().filter(|_| created.is_new);
        if let Some((reserved, lease)) = place.zip(lease) {
            let place = self.engine.take_reserved(lease, asked_at, reserved);
            let claimed = ClaimedSaga {
                record: created.record.clone(),
                taken_from: None,
                timer: None,
                deadline: definition.deadline(),
                signal: None,
            };
            self.engine.enqueue(Assignment { claimed, asked_at, place });
        }
        Ok(created)
    }

    /// Delivers a signal to the saga of this kind that waits for `key`, or is going to.
    ///
    /// Delivering the same `id` to the same key again does nothing: give it the id of the event
    /// behind it. The answer says whether a saga goes on with it, and whether the one that it was
    /// for has [ended](Delivery::Ended).
    pub async fn deliver(
        &self,
        key: SignalKey,
        id: EventId,
        data: Payload,
    ) -> Result<Delivery, StoreError> {
        let signal = Signal { id, saga: self.name().clone(), key, data };
        self.engine.store.deliver_signal(signal).await
    }
}

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> SagaHandle<S> {
    /// A handler that starts a saga for each event of `source` that `choose` picks; register it
    /// where projections are run.
    ///
    /// An event may be seen twice: an id that is made out of the event starts one saga all the
    /// same, also when a release between the two has added members to the state or removed some.
    pub fn start_on<E, I, F>(&self, name: ProjectionName, source: I, choose: F) -> OnEvent<E>
    where
        E: Decode + Sync,
        I: Into<Source>,
        F: Fn(&Recorded<E>) -> Option<(Start, S)> + Send + Sync + 'static,
    {
        let handle = self.clone();
        OnEvent::new(name, source.into(), move |event: &Recorded<E>| {
            let (handle, chosen) = (handle.clone(), choose(event));
            let start = async move {
                if let Some((start, state)) = chosen {
                    handle.start_again(start, &state, Sameness::ByRelease).await?;
                }
                Ok(())
            };
            start.boxed()
        })
    }

    /// A handler that delivers a signal for each event of `source` that `choose` picks, to the
    /// saga that waits for the key, or is going to; register it where projections are run.
    ///
    /// An event may be seen twice: it is one signal all the same. One that comes before its saga
    /// waits, or before there is one, is kept.
    pub fn deliver_on<E, I, F>(&self, name: ProjectionName, source: I, choose: F) -> OnEvent<E>
    where
        E: Decode + Sync,
        I: Into<Source>,
        F: Fn(&Recorded<E>) -> Option<(SignalKey, Payload)> + Send + Sync + 'static,
    {
        let (handle, by) = (self.clone(), name.clone());
        OnEvent::new(name, source.into(), move |event: &Recorded<E>| {
            let (handle, chosen) = (handle.clone(), choose(event));
            let id = signal_id(&by, event.id);
            let deliver = async move {
                if let Some((key, data)) = chosen {
                    let delivered = handle.deliver(key.clone(), id, data).await?;
                    if let Delivery::Ended(saga) = delivered {
                        tracing::warn!(%saga, %key, "a signal for a saga that has ended");
                    }
                }
                Ok(())
            };
            deliver.boxed()
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
