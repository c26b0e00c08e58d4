//! A saga, the world that it acts on, and one run of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use highwater_core::{SagaId, SagaRecord, SagaState, SagaStore, Signal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::sabotage::{Fault, Sabotaged};
use super::unpluggable::{Cut, Unpluggable};
use crate::define::Saga;
use crate::define::definition::Definition;
use crate::machine::Stage;
use crate::options::OrchestratorOptions;
use crate::orchestrator::Orchestrator;
use crate::start::SagaHandle;

/// One fresh world for one run of a saga.
pub struct Scene<S> {
    /// The store; trials may share it, each has a saga of its own.
    pub store: Arc<dyn SagaStore>,
    /// How the saga is run and how long it may take; as for [virtual time](Pace::default) on a
    /// store in memory.
    pub pace: Pace,
    /// The saga; its steps act on what `check` looks at.
    pub saga: Saga<S>,
    /// Input that it is started with.
    pub input: S,
    /// The signals that it waits for; they are delivered before it starts.
    pub signals: Vec<Signal>,
    /// Looks at the world when the saga has ended; panics when it is not as it should be.
    pub check: Box<dyn FnOnce(&SagaRecord) + Send>,
}

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> Scene<S> {
    /// Panics when the saga cannot be registered: a trial of it would prove nothing.
    fn definition(&self) -> Arc<dyn Definition> {
        match self.saga.clone().check() {
            Ok(checked) => Arc::new(checked),
            Err(error) => panic!("the saga cannot be registered: {error}"),
        }
    }

    pub(super) fn plan(&self) -> Vec<(String, Stage)> {
        self.definition().plan()
    }
}

impl<S> std::fmt::Debug for Scene<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("saga", &self.saga).finish_non_exhaustive()
    }
}

/// Way in which a saga is run in a trial.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The options of every process. A crash is waited out for `lease_ttl`.
    pub options: OrchestratorOptions,
    /// The trial has failed when the saga has not ended after this long.
    pub patience: Duration,
}

impl Default for Pace {
    /// Virtual time, of which there is plenty: the store is asked once a minute, for ten years.
    fn default() -> Self {
        let poll_interval = Duration::from_secs(60);
        Self {
            options: OrchestratorOptions { poll_interval, ..OrchestratorOptions::default() },
            patience: Duration::from_secs(10 * 365 * 24 * 60 * 60),
        }
    }
}

impl Pace {
    /// Real time, for a store whose clock cannot be paused: short leases and polls, and a minute.
    #[must_use]
    pub fn real_time() -> Self {
        let (lease_ttl, poll_interval) = (Duration::from_millis(300), Duration::from_millis(10));
        Self {
            options: OrchestratorOptions {
                lease_ttl,
                poll_interval,
                ..OrchestratorOptions::default()
            },
            patience: Duration::from_secs(60),
        }
    }
}

/// One run with one fault.
pub(super) struct Trial<S> {
    scene: Scene<S>,
    id: SagaId,
    fault: Fault,
    is_repaired: Arc<AtomicBool>,
}

/// A process that dies when this is dropped.
struct Process<S> {
    sagas: Orchestrator,
    handle: SagaHandle<S>,
    _run: AbortOnDropHandle<()>,
}

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> Trial<S> {
    pub(super) fn new(scene: Scene<S>, fault: Fault) -> Self {
        Self { scene, id: SagaId::generate(), fault, is_repaired: Arc::default() }
    }

    /// Tells how the saga stands when it has ended, or failed.
    pub(super) async fn checked(self) -> SagaRecord {
        let ended = self.run().await;
        (self.scene.check)(&ended);
        ended
    }

    /// The saga must end in this state.
    pub(super) async fn ends(self, state: SagaState) {
        let (ended, fault) = (self.run().await, self.fault);
        assert_eq!(ended.progress.state, state, "{fault:?}: {:?}", ended.progress);
        (self.scene.check)(&ended);
    }

    /// The saga must end, well or undone.
    pub(super) async fn ends_somehow(self) {
        let (ended, fault) = (self.run().await, self.fault);
        assert!(ended.progress.state.is_final(), "{fault:?}: {:?}", ended.progress);
        (self.scene.check)(&ended);
    }

    /// The saga must fail, and be compensated once its compensation is repaired.
    pub(super) async fn fails_until_retried(self) {
        self.deliver().await;
        let process = self.process(Arc::clone(&self.scene.store));
        self.start(&process).await;
        let failed = self.end(&process.sagas).await;
        let fault = self.fault;
        assert_eq!(failed.progress.state, SagaState::Failed, "{fault:?}: {:?}", failed.progress);
        self.is_repaired.store(true, Ordering::SeqCst);
        let retried = process.sagas.retry(&self.id).await;
        assert!(retried.is_ok(), "{fault:?}: {retried:?}");
        let ended = self.end(&process.sagas).await;
        assert_eq!(ended.progress.state, SagaState::Compensated, "{fault:?}: {:?}", ended.progress);
        (self.scene.check)(&ended);
    }

    /// The saga must end although the process dies there; says whether it came that far.
    pub(super) async fn survives(self, cut: Cut) -> bool {
        self.deliver().await;
        let (store, pulled) = Unpluggable::new(Arc::clone(&self.scene.store), cut);
        let process = self.process(Arc::new(store));
        let first = async {
            self.start(&process).await;
            self.end(&process.sagas).await
        };
        let ended = tokio::select! {
            biased;
            () = pulled.notified() => None,
            ended = first => Some(ended),
        };
        drop(process);
        let (was_cut, fault) = (ended.is_none(), self.fault);
        let ended = match ended {
            Some(ended) => ended,
            None => self.run().await,
        };
        let is_right = match fault {
            Fault::Abort(_) => ended.progress.state == SagaState::Compensated,
            _ => ended.progress.state.is_final(),
        };
        assert!(is_right, "{fault:?}, {cut:?}: {:?}", ended.progress);
        (self.scene.check)(&ended);
        was_cut
    }

    /// Starts the saga, as a client does that does not know whether it was, and waits.
    async fn run(&self) -> SagaRecord {
        self.deliver().await;
        let process = self.process(Arc::clone(&self.scene.store));
        self.start(&process).await;
        self.end(&process.sagas).await
    }

    async fn deliver(&self) {
        for signal in &self.scene.signals {
            let delivered = self.scene.store.deliver_signal(signal.clone()).await;
            assert!(delivered.is_ok(), "{delivered:?}");
        }
    }

    fn process(&self, store: Arc<dyn SagaStore>) -> Process<S> {
        let options = self.scene.pace.options.clone();
        let sagas = Orchestrator::with_options(store, options).expect("the options are in order");
        let definition = Sabotaged {
            inner: self.scene.definition(),
            fault: self.fault,
            is_repaired: Arc::clone(&self.is_repaired),
        };
        let handle = sagas.register_checked(Arc::new(definition));
        let handle = handle.expect("nothing else is registered");
        let run = tokio::spawn({
            let sagas = sagas.clone();
            async move { sagas.run(CancellationToken::new()).await }
        });
        Process { sagas, handle, _run: AbortOnDropHandle::new(run) }
    }

    async fn start(&self, process: &Process<S>) {
        let started = process.handle.start(self.id.clone(), &self.scene.input).await;
        assert!(started.is_ok(), "{started:?}");
    }

    /// Panics when the saga does not end.
    async fn end(&self, sagas: &Orchestrator) -> SagaRecord {
        match sagas.wait(&self.id, self.scene.pace.patience).await {
            Ok(ended) => ended,
            Err(error) => panic!("{:?}: the saga does not end: {error}", self.fault),
        }
    }
}
