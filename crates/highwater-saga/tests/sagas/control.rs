//! Pausing, resuming and cancelling, at every boundary and in the middle of a step.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{SagaRequest, SagaState, StoreError};
use highwater_saga::{Saga, Step, StepContext, StepResult};
use highwater_testkit::MemoryStore;
use tokio::sync::Semaphore;

use crate::support::{Process, Trip, World, id, orchestrator, outcomes, trip};

/// A step that tells when it has begun, and ends when it may.
struct Gate {
    world: World,
    begun: Arc<Semaphore>,
    may_end: Arc<Semaphore>,
}

impl Step<Trip> for Gate {
    const NAME: &'static str = "gate";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.world.book(cx);
        self.begun.add_permits(1);
        self.may_end.acquire().await?.forget();
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.world.cancel(cx);
        Ok(())
    }

    fn timeout(&self) -> Duration {
        Duration::from_hours(1)
    }
}

/// A saga whose second step waits at the gate.
fn gated(world: &World) -> (Saga<Trip>, Arc<Semaphore>, Arc<Semaphore>) {
    let (begun, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gate =
        Gate { world: world.clone(), begun: Arc::clone(&begun), may_end: Arc::clone(&may_end) };
    (Saga::new("gated").delay("first", Duration::from_secs(60)).step(gate), begun, may_end)
}

#[tokio::test(start_paused = true)]
async fn a_cancel_in_the_middle_of_a_step_lets_it_finish_and_compensates_it() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, begun, may_end) = gated(&world);
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    begun.acquire().await.unwrap().forget();
    // Any process may ask.
    let elsewhere = orchestrator(&store);
    elsewhere.cancel(&id("trip-1")).await.unwrap();
    may_end.add_permits(1);
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["first Completed", "gate Compensated"]);
    assert_eq!(ended.progress.error.as_deref(), Some("cancelled"));
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_first_step_does_nothing_at_all() {
    let (store, world) = (MemoryStore::new(), World::default());
    let sagas = orchestrator(&store);
    let trips = sagas.register(trip(&world)).unwrap();
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let asked = sagas.cancel(&id("trip-1")).await.unwrap();
    assert_eq!(
        (asked.progress.state, asked.request),
        (SagaState::NotStarted, Some(SagaRequest::Cancel))
    );
    let process = Process::run(sagas);
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_the_saga_sleeps_wakes_it() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, ..) = gated(&world);
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let begun = tokio::time::Instant::now();
    process.sagas.cancel(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_pause_outlives_the_process_and_a_resume_goes_on_where_it_was() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, begun, may_end) = gated(&world);
    let (process, trips) = Process::start(&store, saga.clone());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    begun.acquire().await.unwrap().forget();
    process.sagas.pause(&id("trip-1")).await.unwrap();
    process.kill().await;

    // The step of the dead process is not known to have ended: the pause is obeyed at once.
    let (process, _) = Process::start(&store, saga);
    tokio::time::sleep(Duration::from_mins(10)).await;
    let paused = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
    assert_eq!((paused.progress.state, paused.owner), (SagaState::Paused, None));
    process.stop().await;
    assert_eq!(world.count("trip-1/gate/run"), 1);

    let (saga, _, open) = gated(&world);
    open.add_permits(1);
    drop(may_end);
    let (process, _) = Process::start(&store, saga);
    process.sagas.resume(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Completed);
    assert_eq!(world.count("trip-1/gate/run"), 2, "at least once, with the same key");
}

#[tokio::test(start_paused = true)]
async fn a_doubt_outlives_a_pause() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, begun, _may_end) = gated(&world);
    let (process, trips) = Process::start(&store, saga.clone());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    begun.acquire().await.unwrap().forget();
    process.sagas.pause(&id("trip-1")).await.unwrap();
    process.kill().await;
    let (process, _) = Process::start(&store, saga);
    tokio::time::sleep(Duration::from_mins(10)).await;
    process.sagas.cancel(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["first Completed", "gate Compensated"]);
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_saga_can_be_cancelled_and_a_finished_one_cannot() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, ..) = gated(&world);
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    process.sagas.pause(&id("trip-1")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let paused = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
    assert_eq!(paused.progress.state, SagaState::Paused);
    process.sagas.cancel(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    let refused = process.sagas.cancel(&id("trip-1")).await;
    assert!(matches!(refused, Err(StoreError::SagaRequestRefused { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_not_lost_when_the_process_stops_at_that_moment() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, trip(&world));
    tokio::task::yield_now().await;
    // The saga is in the hands of the runner, which has no turn before it is stopped.
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let asked = process.sagas.cancel(&id("trip-1")).await.unwrap();
    assert!(asked.owner.is_some());
    process.stop().await;
    let (process, _) = Process::start(&store, trip(&world));
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(world.calls(), [""; 0]);
}
