//! The projections of a process: registered, run, watched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use highwater_core::{
    CheckpointKey, CheckpointStore, Decode, EventStore, Handler, HealthCheck, HealthReport,
    HealthThresholds, Offset, Projection, ProjectionDefinition, ProjectionKind, ProjectionName,
    ProjectionStore, StoreError, Upcasters, View, projection_reports,
};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::apply::applier::Applier;
use crate::apply::found::{Found, find};
use crate::apply::handler::HandlerApplier;
use crate::apply::transactional::TransactionalApplier;
use crate::apply::view::ViewApplier;
use crate::error::Reason;
use crate::error::{RegisterProjectionError, RunError};
use crate::options::{Mode, ProjectionOptions};
use crate::run::registered::Registered;
use crate::run::supervisor::supervise;
use crate::run::trials::Trials;
use crate::run::worker::{Ended, Worker};
use crate::state::ProjectionState;
use crate::status::ProjectionStatus;

/// The projections of a process, and the engine that runs them.
///
/// Register them, then [`run`](Self::run) them. Any number of processes may run the same ones:
/// each projection has one leader at a time, and the others stand by. Clones share everything.
pub struct Projections<S>(Arc<Shared<S>>);

struct Shared<S> {
    events: Arc<dyn EventStore>,
    store: S,
    health: HealthCheck,
    registered: watch::Sender<BTreeMap<ProjectionName, Arc<Registered<S>>>>,
    running: Mutex<()>,
    trials: Trials,
}

/// Result of a catch-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaughtUp {
    /// The checkpoint; `None` when there was nothing to process.
    pub checkpoint: Option<Offset>,
    /// Events processed by this call; others may have been by another process.
    pub events: u64,
}

impl<S: CheckpointStore + Clone> Projections<S> {
    /// Projections that follow events and keep read models in one store.
    pub fn new(store: S) -> Self
    where
        S: EventStore,
    {
        Self::with_events(Arc::new(store.clone()), store)
    }

    /// Projections that follow the events of one store and keep read models in another.
    pub fn with_events(events: Arc<dyn EventStore>, store: S) -> Self {
        let (registered, running) = (watch::Sender::default(), Mutex::new(()));
        let health = HealthCheck::new(Arc::clone(&events), Arc::new(store.clone()));
        let trials = Trials::new();
        Self(Arc::new(Shared { events, store, health, registered, running, trials }))
    }

    /// Registers a side-effect handler.
    pub fn register_handler<H: Handler>(
        &self,
        handler: H,
        options: ProjectionOptions,
    ) -> Result<(), RegisterProjectionError> {
        let definition = ProjectionDefinition {
            key: CheckpointKey::new(handler.name(), handler.source()),
            kind: ProjectionKind::Handler,
            event_types: H::Event::event_types()?,
            can_rebuild: handler.can_rebuild(),
            auto_start: options.auto_start,
            is_continuous: options.mode == Mode::Continuous,
        };
        let (upcasters, handler) = (handler.upcasters(), Arc::new(handler));
        self.add(definition, options, &upcasters, move |store| {
            Box::new(HandlerApplier::new(store.clone(), Arc::clone(&handler)))
        })
    }

    /// Returns what is registered, by name.
    #[must_use]
    pub fn definitions(&self) -> Vec<ProjectionDefinition> {
        self.all().iter().map(|projection| projection.definition.clone()).collect()
    }

    /// Runs every projection that starts by itself or is [started](Self::start), until `stop`.
    ///
    /// When stopped, each projection finishes its batch, stores its checkpoint and gives back
    /// its lease before this returns. One that gives up stops no other. Dropping the future
    /// loses and repeats nothing that was committed, and gives the leases back.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), RunError> {
        let Ok(_running) = self.0.running.try_lock() else { return Err(RunError::AlreadyRunning) };
        let mut registered = self.0.registered.subscribe();
        let (mut supervised, mut known) = (JoinSet::new(), BTreeSet::new());
        while !stop.is_cancelled() {
            for (name, projection) in &*registered.borrow_and_update() {
                if known.insert(name.clone()) {
                    let (events, store) = (Arc::clone(&self.0.events), self.0.store.clone());
                    let (projection, trials) = (Arc::clone(projection), self.0.trials.clone());
                    supervised.spawn(supervise(events, store, projection, stop.clone(), trials));
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = registered.changed() => {}
            }
        }
        while let Some(ended) = supervised.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a projection ended badly");
            }
        }
        Ok(())
    }

    /// Starts a projection while [`run`](Self::run) does, one that gave up included.
    pub fn start(&self, name: &ProjectionName) -> Result<(), RunError> {
        self.registered(name)?.wanted.send_replace(true);
        Ok(())
    }

    /// Stops a projection in this process after its batch; another process may take over.
    pub fn stop(&self, name: &ProjectionName) -> Result<(), RunError> {
        self.registered(name)?.wanted.send_replace(false);
        Ok(())
    }

    /// Processes everything that is there when it is called, then returns; waits while another
    /// process does it.
    ///
    /// Dropping the future loses and repeats nothing that was committed, and gives the lease back.
    pub async fn catch_up(&self, name: &ProjectionName) -> Result<CaughtUp, RunError> {
        let projection = self.registered(name)?;
        let worker = Worker::new(
            Arc::clone(&self.0.events),
            self.0.store.clone(),
            Arc::clone(&projection),
            Mode::CatchUpThenStop,
            CancellationToken::new(),
            self.0.trials.clone(),
        );
        let worker = Arc::new(worker);
        let ended = run_apart(Arc::clone(&worker)).await;
        // While `run` is active the state is that of its worker.
        if self.0.running.try_lock().is_ok() {
            let is_ok = ended.is_ok();
            projection.set_state(if is_ok {
                ProjectionState::Stopped
            } else {
                ProjectionState::Failed
            });
        }
        match ended {
            Ok(Ended::CaughtUp(checkpoint)) => {
                Ok(CaughtUp { checkpoint, events: worker.processed() })
            }
            Ok(Ended::Stopped) => Ok(CaughtUp { checkpoint: None, events: worker.processed() }),
            Err(Reason { error, .. }) => Err(RunError::GaveUp {
                projection: name.clone(),
                checkpoint: worker.last_checkpoint(),
                reason: error,
            }),
        }
    }

    /// Asks whoever runs the projection, in whatever process, to rebuild it.
    ///
    /// The read model is emptied together with its checkpoint, then everything is applied again.
    /// Refused when the projection cannot be rebuilt.
    pub async fn rebuild(&self, name: &ProjectionName) -> Result<(), RunError> {
        let projection = self.registered(name)?;
        if !projection.definition.can_rebuild {
            return Err(RunError::CannotRebuild(name.clone()));
        }
        Ok(self.0.store.request_rebuild(projection.key()).await?)
    }

    /// Has the projection go on behind the event at `to`, or with the first when `None`, wherever its
    /// checkpoint is; whoever runs it, in whatever process, does so.
    ///
    /// For a log that was replaced by an older one, after which the projection refuses to go on:
    /// the read model, or the effects of a handler, are left as they are, so that what they hold of
    /// lost events stays. Where that is wrong, [`rebuild`](Self::rebuild) instead. Fails with
    /// `NoSuchPlace` when the source has no event there.
    pub async fn rebase(&self, name: &ProjectionName, to: Option<Offset>) -> Result<(), RunError> {
        let projection = self.registered(name)?;
        let event = match to {
            None => None,
            Some(to) => {
                let (source, time) = (projection.source(), projection.options.read_timeout);
                let Found::Event(event) = find(&*self.0.events, source, to, time).await? else {
                    let CheckpointKey { projection, source } = projection.key().clone();
                    return Err(RunError::NoSuchPlace { projection, followed: source, to });
                };
                Some(event)
            }
        };
        Ok(self.0.store.rebase(projection.key(), to, event).await?)
    }

    /// Returns what a projection does in this process, now and whenever it changes.
    pub fn watch(
        &self,
        name: &ProjectionName,
    ) -> Result<watch::Receiver<ProjectionState>, RunError> {
        Ok(self.registered(name)?.state())
    }

    /// Tells how each projection does, by name.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, StoreError> {
        let all = self.all();
        let definitions: Vec<_> = all.iter().map(|it| it.definition.clone()).collect();
        let reports = projection_reports(&*self.0.events, &self.0.store, &definitions).await?;
        let reported = all.iter().filter_map(|projection| {
            let report = reports.iter().find(|report| report.key == *projection.key())?;
            Some(ProjectionStatus::of(projection, report.clone()))
        });
        Ok(reported.collect())
    }

    /// Tells how well the projections do, and whether the log takes writes: within seconds,
    /// whatever the stores do.
    ///
    /// What is judged is what the stores say, by the rule of
    /// [`ProjectionReport::judge`](highwater_core::ProjectionReport::judge), so that any process
    /// finds the same; only that one gave up whose error could not be stored is known here alone.
    pub async fn health(&self, thresholds: &HealthThresholds) -> HealthReport {
        let all = self.all();
        let has_failed = |it: &&Arc<Registered<S>>| *it.state().borrow() == ProjectionState::Failed;
        let given_up: Vec<_> = all.iter().filter(has_failed).map(|it| it.name().clone()).collect();
        let definitions: Vec<_> = all.iter().map(|it| it.definition.clone()).collect();
        self.0.health.report(&definitions, &given_up, None, thresholds).await
    }

    fn add(
        &self,
        definition: ProjectionDefinition,
        options: ProjectionOptions,
        upcasters: &Upcasters,
        make: impl Fn(&S) -> Box<dyn Applier> + Send + Sync + 'static,
    ) -> Result<(), RegisterProjectionError> {
        options.check()?;
        let name = definition.key.projection.clone();
        let types = definition.event_types.as_deref().map(|types| upcasters.sources(types));
        let projection = Registered::new(definition, options, types, Box::new(make));
        let is_new = self.0.registered.send_if_modified(|registered| {
            let is_new = !registered.contains_key(&name);
            if is_new {
                registered.insert(name.clone(), Arc::new(projection));
            }
            is_new
        });
        if is_new { Ok(()) } else { Err(RegisterProjectionError::Duplicate(name)) }
    }

    fn registered(&self, name: &ProjectionName) -> Result<Arc<Registered<S>>, RunError> {
        let registered = self.0.registered.borrow();
        registered.get(name).cloned().ok_or_else(|| RunError::Unknown(name.clone()))
    }

    fn all(&self) -> Vec<Arc<Registered<S>>> {
        self.0.registered.borrow().values().cloned().collect()
    }
}

/// Runs `worker` in a task of its own: a caller who does not poll the future keeps nobody waiting
/// for what the worker has in hand, and one who drops it ends the worker.
async fn run_apart<S: CheckpointStore + Clone>(worker: Arc<Worker<S>>) -> Result<Ended, Reason> {
    let running = async move { worker.run().await };
    let ended = AbortOnDropHandle::new(tokio::spawn(running)).await;
    ended.unwrap_or_else(|panicked| Err(Reason::lasting(panicked)))
}

impl<S: ProjectionStore> Projections<S> {
    /// Registers a view.
    pub fn register_view<V: View>(
        &self,
        view: V,
        options: ProjectionOptions,
    ) -> Result<(), RegisterProjectionError> {
        let definition = ProjectionDefinition {
            key: CheckpointKey::new(view.name(), view.source()),
            kind: ProjectionKind::View,
            event_types: V::Event::event_types()?,
            can_rebuild: true,
            auto_start: options.auto_start,
            is_continuous: options.mode == Mode::Continuous,
        };
        let (upcasters, view) = (view.upcasters(), Arc::new(view));
        self.add(definition, options, &upcasters, move |store| {
            Box::new(ViewApplier::new(store.clone(), Arc::clone(&view)))
        })
    }

    /// Registers a projection that works in the store's own transactions.
    pub fn register<P: Projection<S>>(
        &self,
        projection: P,
        options: ProjectionOptions,
    ) -> Result<(), RegisterProjectionError> {
        let definition = ProjectionDefinition {
            key: CheckpointKey::new(projection.name(), projection.source()),
            kind: ProjectionKind::Transactional,
            event_types: P::Event::event_types()?,
            can_rebuild: projection.can_rebuild(),
            auto_start: options.auto_start,
            is_continuous: options.mode == Mode::Continuous,
        };
        let (upcasters, projection) = (projection.upcasters(), Arc::new(projection));
        self.add(definition, options, &upcasters, move |store| {
            Box::new(TransactionalApplier::new(store.clone(), Arc::clone(&projection)))
        })
    }
}

impl<S> Clone for Projections<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> std::fmt::Debug for Projections<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.registered.borrow().keys()).finish()
    }
}
