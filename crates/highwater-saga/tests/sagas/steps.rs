//! What becomes of a saga whose steps succeed, fail, hang and die.
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Process, Trip, World, id, outcomes, trip, trip_where, trip_with};
use highwater_core::SagaState;
use highwater_saga::{Direction, RetryPolicy, Saga, Step, StepContext, StepError, StepResult};
use highwater_testkit::MemoryStore;
use tokio::time::Instant;

/// Never answers.
struct Hangs(World);

impl Step<Trip> for Hangs {
    const NAME: &'static str = "hangs";

    async fn run(&self, _: &mut Trip, _: &StepContext) -> StepResult {
        self.0.note("run");
        pending().await
    }

    async fn compensate(&self, _: &mut Trip, _: &StepContext) -> StepResult {
        self.0.note("compensate");
        Ok(())
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn retry(&self, error: &StepError) -> RetryPolicy {
        assert!(error.is_timeout());
        RetryPolicy::attempts(3)
    }
}

#[tokio::test(start_paused = true)]
async fn a_saga_runs_its_steps_in_order_and_keeps_their_state() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, trip(&world));
    let created = trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    assert!(created.is_new);
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Completed);
    assert_eq!(outcomes(&ended), ["hotel Completed", "flight Completed", "card Completed"]);
    let state: Trip = ended.progress.data.to().unwrap();
    assert_eq!(state.booked, ["hotel", "flight", "card"]);
    assert_eq!(world.calls(), ["trip-1/hotel/run", "trip-1/flight/run", "trip-1/card/run"]);
    assert_eq!((ended.revision, ended.epoch), (3, 1), "one write for each step");
    assert!(ended.completed_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_step_that_aborts_is_not_compensated_those_before_it_are_newest_first() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_where(&world, "card/run", |_| Some(Err(StepError::abort("card declined"))));
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Compensated", "card Failed"]);
    assert_eq!(ended.progress.error.as_deref(), Some("step card: card declined"));
    let calls = world.calls();
    assert_eq!(calls[2..], ["trip-1/flight/compensate", "trip-1/hotel/compensate"]);
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_and_its_changes_to_the_state_are_forgotten() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_with(
        &world,
        |_| None,
        |cx| {
            (cx.step == "flight" && cx.attempt < 3)
                .then(|| Err("late".parse::<u32>().unwrap_err().into()))
        },
    );
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Completed);
    assert_eq!(world.count("trip-1/flight/run"), 3);
    assert_eq!(ended.progress.steps[1].attempts, 3);
    let state: Trip = ended.progress.data.to().unwrap();
    assert_eq!(state.booked, ["hotel", "flight", "card"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_effect_is_not_known_is_compensated_when_it_is_given_up() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_with(
        &world,
        |_| None,
        |cx| {
            let is_flight = cx.idempotency_key().ends_with("flight/run");
            is_flight.then(|| Err("lost".parse::<u32>().unwrap_err().into()))
        },
    );
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Compensated"]);
    assert_eq!(world.count("trip-1/flight/run"), 3, "as its policy says");
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_outlives_a_later_attempt_that_surely_had_no_effect() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_with(
        &world,
        |cx| {
            let is_second = cx.idempotency_key().ends_with("flight/run") && cx.attempt == 2;
            is_second.then(|| Err(StepError::abort("sold out")))
        },
        |cx| {
            let is_first = cx.idempotency_key().ends_with("flight/run");
            is_first.then(|| Err(StepError::unknown("lost connection")))
        },
    );
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Compensated"]);
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_surely_had_no_effect_is_not_compensated_when_it_is_given_up() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_where(&world, "flight/run", |_| Some(Err(StepError::retry("too busy"))));
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Failed"]);
    assert_eq!(world.count("trip-1/flight/compensate"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_is_tried_again_and_leaves_doubts() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_where(&world, "flight/run", |_| panic!("a defect"));
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Compensated"]);
    assert_eq!(ended.progress.steps[1].attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_gives_up_waits_for_a_human_who_retries() {
    let (store, world) = (MemoryStore::new(), World::default());
    let repaired = Arc::new(AtomicBool::new(false));
    let is_repaired = Arc::clone(&repaired);
    let instead = move |cx: &StepContext| match (&*cx.step, cx.direction) {
        ("card", Direction::Run) => Some(Err(StepError::abort("card declined"))),
        ("hotel", Direction::Compensate) if !is_repaired.load(Ordering::SeqCst) => {
            Some(Err(StepError::retry("hotel is closed")))
        }
        _ => None,
    };
    let saga = trip_with(&world, instead, |_| None);
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let failed = process.end_of("trip-1").await;
    assert_eq!(failed.progress.state, SagaState::Failed);
    assert_eq!(outcomes(&failed)[0], "hotel Stuck");
    assert_eq!(failed.progress.steps[0].compensation_attempts, 3);
    assert!(failed.progress.error.as_deref().unwrap().contains("hotel is closed"));

    repaired.store(true, Ordering::SeqCst);
    process.sagas.retry(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(outcomes(&ended)[0], "hotel Compensated");
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_gives_up_can_be_skipped() {
    let (store, world) = (MemoryStore::new(), World::default());
    let instead = |cx: &StepContext| match (&*cx.step, cx.direction) {
        ("card", Direction::Run) => Some(Err(StepError::abort("card declined"))),
        ("flight", Direction::Compensate) => Some(Err(StepError::abort("no refund"))),
        _ => None,
    };
    let (process, trips) = Process::start(&store, trip_with(&world, instead, |_| None));
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let failed = process.end_of("trip-1").await;
    assert_eq!(outcomes(&failed), ["hotel Completed", "flight Stuck", "card Failed"]);
    process.sagas.skip(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Skipped", "card Failed"]);
    assert_eq!(world.standing(), ["trip-1/flight/run"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_hangs_is_broken_off_and_tried_again() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = Saga::new("book-trip").step(Hangs(world.clone()));
    let (process, trips) = Process::start(&store, saga);
    let before = Instant::now();
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hangs Compensated"]);
    assert!(before.elapsed() >= Duration::from_secs(3), "three attempts of a second");
    assert_eq!(world.calls(), ["run", "run", "run", "compensate"]);
}
