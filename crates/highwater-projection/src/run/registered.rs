//! One registered projection: what it is, and how it does in this process.

use std::sync::{Arc, Mutex, PoisonError};

use highwater_core::{
    CheckpointKey, EventType, ProjectionDefinition, ProjectionKind, ProjectionName, Source,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::meter::Meter;
use crate::apply::applier::Applier;
use crate::options::{CheckpointPolicy, ProjectionOptions};
use crate::state::ProjectionState;

/// Makes an applier for a run from a checkpoint.
pub(crate) type MakeApplier<S> = Box<dyn Fn(&S) -> Box<dyn Applier> + Send + Sync>;

/// A projection, its options, and its present state in this process.
pub(crate) struct Registered<S> {
    pub(crate) definition: ProjectionDefinition,
    pub(crate) options: ProjectionOptions,
    /// The stored types to be read; none for all.
    pub(crate) types: Arc<[EventType]>,
    /// True when it is to run while `run` does; sent again to start it once more.
    pub(crate) wanted: watch::Sender<bool>,
    make: MakeApplier<S>,
    state: watch::Sender<ProjectionState>,
    meter: Mutex<Meter>,
}

impl<S> Registered<S> {
    pub(crate) fn new(
        definition: ProjectionDefinition,
        options: ProjectionOptions,
        types: Option<Vec<EventType>>,
        make: MakeApplier<S>,
    ) -> Self {
        Self {
            wanted: watch::Sender::new(options.auto_start),
            definition,
            options,
            types: types.unwrap_or_default().into(),
            make,
            state: watch::Sender::new(ProjectionState::Stopped),
            meter: Mutex::new(Meter::new(Instant::now())),
        }
    }

    pub(crate) fn key(&self) -> &CheckpointKey {
        &self.definition.key
    }

    pub(crate) fn name(&self) -> &ProjectionName {
        &self.definition.key.projection
    }

    pub(crate) fn source(&self) -> &Source {
        &self.definition.key.source
    }

    pub(crate) fn is_handler(&self) -> bool {
        self.definition.kind == ProjectionKind::Handler
    }

    /// Events applied at a time: a handler's effects stand alone, so that none is repeated when
    /// the next one fails.
    pub(crate) fn step(&self) -> usize {
        let is_single = self.is_handler() || self.options.checkpoint == CheckpointPolicy::PerEvent;
        if is_single { 1 } else { self.options.batch_size }
    }

    pub(crate) fn applier(&self, store: &S) -> Box<dyn Applier> {
        (self.make)(store)
    }

    pub(crate) fn state(&self) -> watch::Receiver<ProjectionState> {
        self.state.subscribe()
    }

    pub(crate) fn set_state(&self, state: ProjectionState) {
        self.state.send_if_modified(|was| std::mem::replace(was, state) != state);
    }

    pub(crate) fn count(&self, events: u64) {
        self.with_meter(|meter| meter.count(events, Instant::now()));
    }

    pub(crate) fn rate(&self) -> f64 {
        self.with_meter(|meter| meter.rate(Instant::now()))
    }

    fn with_meter<T>(&self, f: impl FnOnce(&mut Meter) -> T) -> T {
        f(&mut self.meter.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
