//! Trips: three steps against a world that remembers what was done to it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use highwater_core::{SagaId, SagaRecord};
use highwater_saga::{
    Orchestrator, OrchestratorOptions, RetryPolicy, Saga, SagaHandle, Step, StepContext, StepError,
    StepResult,
};
use highwater_testkit::MemoryStore;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const HOUR: Duration = Duration::from_hours(1);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) booked: Vec<String>,
}

/// What stands in the world, and every call that was made to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    standing: BTreeSet<String>,
    calls: Vec<String>,
}

impl World {
    pub(crate) fn book(&self, cx: &StepContext) {
        let mut world = self.0.lock().unwrap();
        world.calls.push(cx.idempotency_key());
        world.standing.insert(cx.run_key());
    }

    pub(crate) fn cancel(&self, cx: &StepContext) {
        let mut world = self.0.lock().unwrap();
        world.calls.push(cx.idempotency_key());
        world.standing.remove(&cx.run_key());
    }

    pub(crate) fn note(&self, call: impl Into<String>) {
        self.0.lock().unwrap().calls.push(call.into());
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    /// How often there was such a call.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.0.lock().unwrap().calls.iter().filter(|made| *made == call).count()
    }

    /// What is booked and not cancelled.
    pub(crate) fn standing(&self) -> Vec<String> {
        self.0.lock().unwrap().standing.iter().cloned().collect()
    }
}

type Hook = Arc<dyn Fn(&StepContext) -> Option<StepResult> + Send + Sync>;

/// Books something; a hook may have it end otherwise, after the effect or instead of it.
macro_rules! booking {
    ($name:ident, $text:literal) => {
        pub(crate) struct $name {
            pub(crate) world: World,
            pub(crate) instead: Hook,
            pub(crate) afterwards: Hook,
        }

        impl Step<Trip> for $name {
            const NAME: &'static str = $text;

            async fn run(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
                if let Some(result) = (self.instead)(cx) {
                    return result;
                }
                self.world.book(cx);
                trip.booked.push(cx.step.clone());
                (self.afterwards)(cx).unwrap_or(Ok(()))
            }

            async fn compensate(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
                if let Some(result) = (self.instead)(cx) {
                    return result;
                }
                self.world.cancel(cx);
                trip.booked.retain(|step| *step != cx.step);
                (self.afterwards)(cx).unwrap_or(Ok(()))
            }

            fn timeout(&self) -> Duration {
                Duration::from_secs(5)
            }

            fn retry(&self, _: &StepError) -> RetryPolicy {
                RetryPolicy::attempts(3)
            }

            fn retry_compensation(&self, _: &StepError) -> RetryPolicy {
                RetryPolicy::attempts(3)
            }
        }
    };
}

booking!(Hotel, "hotel");
booking!(Flight, "flight");
booking!(Card, "card");

/// A booking that goes well.
macro_rules! quiet {
    ($name:ident, $world:expr) => {
        $name {
            world: $world.clone(),
            instead: std::sync::Arc::new(|_| None),
            afterwards: std::sync::Arc::new(|_| None),
        }
    };
}
pub(crate) use quiet;

/// A trip in which calls end as the hooks say; they see `step/direction` and the attempt.
pub(crate) fn trip_with(
    world: &World,
    instead: impl Fn(&StepContext) -> Option<StepResult> + Send + Sync + 'static,
    afterwards: impl Fn(&StepContext) -> Option<StepResult> + Send + Sync + 'static,
) -> Saga<Trip> {
    let (instead, afterwards): (Hook, Hook) = (Arc::new(instead), Arc::new(afterwards));
    macro_rules! step {
        ($name:ident) => {
            $name {
                world: world.clone(),
                instead: Arc::clone(&instead),
                afterwards: Arc::clone(&afterwards),
            }
        };
    }
    Saga::new("book-trip").step(step!(Hotel)).step(step!(Flight)).step(step!(Card))
}

/// A trip in which everything goes well.
pub(crate) fn trip(world: &World) -> Saga<Trip> {
    trip_with(world, |_| None, |_| None)
}

/// A trip in which the call named `step/direction` ends like this instead of being made.
pub(crate) fn trip_where(
    world: &World,
    call: &'static str,
    end: impl Fn(&StepContext) -> Option<StepResult> + Send + Sync + 'static,
) -> Saga<Trip> {
    trip_with(
        world,
        move |cx| if cx.idempotency_key().ends_with(call) { end(cx) } else { None },
        |_| None,
    )
}

pub(crate) fn id(text: &str) -> SagaId {
    SagaId::new(text).unwrap()
}

/// Polls that are rare enough for hours to pass in a moment.
pub(crate) fn options() -> OrchestratorOptions {
    OrchestratorOptions { poll_interval: Duration::from_secs(5), ..Default::default() }
}

/// An orchestrator that runs nothing yet.
pub(crate) fn orchestrator(store: &MemoryStore) -> Orchestrator {
    Orchestrator::with_options(store.clone(), options()).unwrap()
}

/// A process: an orchestrator that runs until it is stopped or killed.
pub(crate) struct Process {
    pub(crate) sagas: Orchestrator,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Process {
    pub(crate) fn start(store: &MemoryStore, saga: Saga<Trip>) -> (Self, SagaHandle<Trip>) {
        Self::with(store, saga, options())
    }

    pub(crate) fn with(
        store: &MemoryStore,
        saga: Saga<Trip>,
        options: OrchestratorOptions,
    ) -> (Self, SagaHandle<Trip>) {
        let sagas = Orchestrator::with_options(store.clone(), options).unwrap();
        let handle = sagas.register(saga).unwrap();
        (Self::run(sagas), handle)
    }

    pub(crate) fn run(sagas: Orchestrator) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (sagas, stop) = (sagas.clone(), stop.clone());
            async move { sagas.run(stop).await }
        });
        Self { sagas, stop, task }
    }

    /// As a power cut would: whatever is under way is broken off.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// In good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// How the saga ends, as whoever waits for it here is told: just as it is stored.
    pub(crate) async fn end_of(&self, text: &str) -> SagaRecord {
        let ended = self.sagas.wait(&id(text), HOUR).await.unwrap();
        assert_eq!(self.sagas.status(&id(text)).await.unwrap().as_ref(), Some(&ended));
        ended
    }
}

pub(crate) fn outcomes(saga: &SagaRecord) -> Vec<String> {
    saga.progress.steps.iter().map(|step| format!("{} {:?}", step.step, step.outcome)).collect()
}
