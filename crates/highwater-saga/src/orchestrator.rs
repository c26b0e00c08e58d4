//! The orchestrator: registers sagas, runs them, and answers for them.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    EventStore, InvalidOption, Recorded, SagaId, SagaName, SagaQuery, SagaRecord, SagaRequest,
    SagaState, SagaStore, StoreError, StreamName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::define::Saga;
use crate::define::definition::Definition;
use crate::error::{RegisterSagaError, WaitError};
use crate::options::OrchestratorOptions;
use crate::options::TIME_MAX;
use crate::run::claim::Runner;
use crate::run::engine::Engine;
use crate::run::{BlockedStep, SagaEvent};
use crate::start::SagaHandle;

/// Events of a history read at a time.
const PAGE: usize = 1000;

/// Runs sagas from a store, beside any number of others in other processes.
///
/// What it answers and asks goes through the store: it need not be the one that runs the saga,
/// nor run any.
#[derive(Clone)]
pub struct Orchestrator {
    engine: Arc<Engine>,
}

impl Orchestrator {
    /// An orchestrator with the default options; panics outside a tokio runtime.
    #[must_use]
    pub fn new(store: impl SagaStore) -> Self {
        let engine = Engine::new(Arc::new(store), OrchestratorOptions::default());
        Self { engine: Arc::new(engine) }
    }

    /// An orchestrator with these options; panics outside a tokio runtime.
    pub fn with_options(
        store: impl SagaStore,
        options: OrchestratorOptions,
    ) -> Result<Self, InvalidOption> {
        options.check()?;
        Ok(Self { engine: Arc::new(Engine::new(Arc::new(store), options)) })
    }

    /// Adds a saga that this process can start and run.
    ///
    /// Register every version of which sagas may still be under way.
    pub fn register<S>(&self, saga: Saga<S>) -> Result<SagaHandle<S>, RegisterSagaError>
    where
        S: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.register_checked(Arc::new(saga.check()?))
    }

    pub(crate) fn register_checked<S: Serialize + DeserializeOwned>(
        &self,
        definition: Arc<dyn Definition>,
    ) -> Result<SagaHandle<S>, RegisterSagaError> {
        if !self.engine.define(Arc::clone(&definition)) {
            let (saga, version) = (definition.name().clone(), definition.version());
            return Err(RegisterSagaError::Duplicate { saga, version });
        }
        Ok(SagaHandle::new(Arc::clone(&self.engine), definition))
    }

    /// Runs due sagas until `stop` is cancelled.
    ///
    /// Steps that are under way then are finished and recorded, and their sagas handed over at
    /// once. Dropping the future instead is safe as well: other processes take over when the
    /// leases end.
    pub async fn run(&self, stop: CancellationToken) {
        Runner::new(Arc::clone(&self.engine), stop).run().await;
    }

    /// The saga as it stands: where, how far, and what has become of each step.
    pub async fn status(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        self.engine.store.saga(id).await
    }

    /// Returns what has become of the saga, transition by transition, from the log where
    /// [`publish_events`](Saga::publish_events) has it told; none where it does not.
    ///
    /// What somebody else wrote to its stream is passed over.
    pub async fn history(
        &self,
        events: &(impl EventStore + ?Sized),
        id: &SagaId,
    ) -> Result<Vec<Recorded<SagaEvent>>, StoreError> {
        let saga = self.engine.store.saga(id).await?;
        let saga = saga.ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })?;
        let source = StreamName::of_saga(&saga.name, id)?.into();
        let (mut history, mut after) = (Vec::new(), None);
        loop {
            let page = events.read(&source, &[], after, PAGE).await?;
            for event in page.events {
                let position = event.position;
                match event.decode() {
                    Ok(told) => history.push(told),
                    Err(error) => {
                        tracing::warn!(saga = %id, %position, %error, "an event of another's");
                    }
                }
            }
            if page.is_end {
                return Ok(history);
            }
            after = page.scanned_to;
        }
    }

    /// The steps that keep their threads here for longer than
    /// [`block_warning`](OrchestratorOptions::block_warning), each as long as it does.
    #[must_use]
    pub fn blocked_steps(&self) -> Vec<BlockedStep> {
        self.engine.leases.blocked()
    }

    /// Reason why this process cannot run the saga, if it cannot.
    ///
    /// A saga whose version no process has registered stays as it is until one does.
    #[must_use]
    pub fn obstacle(&self, saga: &SagaRecord) -> Option<String> {
        saga.obstacle(&self.definitions())
    }

    /// The kinds and versions of sagas that are registered here, for whoever shows sagas.
    #[must_use]
    pub fn definitions(&self) -> Vec<(SagaName, u32)> {
        self.engine.known()
    }

    /// The sagas that are searched for, newest first, a page at a time.
    pub async fn find(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        self.engine.store.sagas(query).await
    }

    /// Has the saga rest after the step that is under way.
    ///
    /// Like every request here it returns once it is stored, and fails with
    /// [`SagaRequestRefused`](StoreError::SagaRequestRefused) when the saga's state does not allow it.
    pub async fn pause(&self, id: &SagaId) -> Result<SagaRecord, StoreError> {
        self.ask(id, SagaRequest::Pause).await
    }

    /// Has a paused saga go on.
    pub async fn resume(&self, id: &SagaId) -> Result<SagaRecord, StoreError> {
        self.ask(id, SagaRequest::Resume).await
    }

    /// Has the saga give up and compensate, after the step that is under way.
    pub async fn cancel(&self, id: &SagaId) -> Result<SagaRecord, StoreError> {
        self.ask(id, SagaRequest::Cancel).await
    }

    /// Has a failed saga try the compensation that gave up again, all attempts anew.
    pub async fn retry(&self, id: &SagaId) -> Result<SagaRecord, StoreError> {
        self.ask(id, SagaRequest::Retry).await
    }

    /// Has a failed saga go on without the compensation that gave up.
    pub async fn skip(&self, id: &SagaId) -> Result<SagaRecord, StoreError> {
        self.ask(id, SagaRequest::Skip).await
    }

    /// Waits until the saga is completed, compensated or failed, whichever process runs it.
    pub async fn wait(&self, id: &SagaId, timeout: Duration) -> Result<SagaRecord, WaitError> {
        let (end, mut has_waited) = (Instant::now() + timeout.min(TIME_MAX), false);
        loop {
            let mut watch = self.engine.watch(id);
            // A saga in flight here will tell; there is no need to look where it stands.
            if has_waited || !watch.is_flying {
                let found = self.engine.store.saga(id).await?;
                let saga = found.ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })?;
                let state = saga.progress.state;
                let is_stuck = state == SagaState::Failed && saga.request.is_none();
                if state.is_final() || is_stuck {
                    return Ok(saga);
                }
                if Instant::now() >= end {
                    return Err(WaitError::TimedOut { id: id.clone(), state, timeout });
                }
            }
            // The saga may come to rest in another process, which only the store can tell.
            let look_again = Instant::now() + self.engine.options.poll_interval;
            match timeout_at(look_again.min(end), &mut watch.rest).await {
                // Nothing changes such a saga any more; one that failed may have been asked by now.
                Ok(Ok(saga)) if saga.progress.state.is_final() => return Ok(saga),
                _ => has_waited = true,
            }
        }
    }

    async fn ask(&self, id: &SagaId, request: SagaRequest) -> Result<SagaRecord, StoreError> {
        self.engine.store.request_saga(id, request).await
    }
}

impl std::fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orchestrator")
            .field("owner", &self.engine.owner)
            .field("options", &self.engine.options)
            .finish_non_exhaustive()
    }
}
