//! Definitions that change while sagas are under way, and those that cannot be meant.

use std::collections::HashMap;
use std::time::Duration;

use highwater_core::SagaState;
use highwater_saga::{
    Orchestrator, RegisterSagaError, RetryPolicy, Saga, SagaData, StartError, Step, StepContext,
    StepError, StepOptions, StepResult,
};
use highwater_testkit::MemoryStore;

use crate::support::{Flight, Hotel, Process, Trip, World, id, orchestrator, outcomes, quiet};

const NIGHT: Duration = Duration::from_hours(8);

fn first(world: &World) -> Saga<Trip> {
    Saga::new("book-trip").step(quiet!(Hotel, world)).delay("night", NIGHT)
}

/// With another step at its end.
fn second(world: &World) -> Saga<Trip> {
    first(world).step(quiet!(Flight, world))
}

async fn asleep(store: &MemoryStore, world: &World) {
    let (process, trips) = Process::start(store, first(world));
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    process.stop().await;
    assert_eq!(world.calls(), ["trip-1/hotel/run"]);
}

#[tokio::test(start_paused = true)]
async fn a_saga_under_way_keeps_the_version_that_it_began_with() {
    let (store, world) = (MemoryStore::new(), World::default());
    asleep(&store, &world).await;
    let sagas = orchestrator(&store);
    sagas.register(first(&world)).unwrap();
    let trips = sagas.register(second(&world).version(2)).unwrap();
    let process = Process::run(sagas);
    trips.start(id("trip-2"), &Trip::default()).await.unwrap();
    let old = process.sagas.wait(&id("trip-1"), 2 * NIGHT).await.unwrap();
    assert_eq!(outcomes(&old), ["hotel Completed", "night Completed"]);
    let new = process.sagas.wait(&id("trip-2"), 2 * NIGHT).await.unwrap();
    assert_eq!(outcomes(&new), ["hotel Completed", "night Completed", "flight Completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_saga_whose_version_nobody_has_stays_and_says_why() {
    let (store, world) = (MemoryStore::new(), World::default());
    asleep(&store, &world).await;
    let (process, _) = Process::start(&store, second(&world).version(2));
    tokio::time::sleep(2 * NIGHT).await;
    let saga = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
    assert_eq!((saga.progress.state, &saga.owner), (SagaState::Running, &None));
    let obstacle = process.sagas.obstacle(&saga).unwrap();
    assert!(obstacle.contains("version 1 of saga \"book-trip\""), "{obstacle}");
}

#[tokio::test(start_paused = true)]
async fn a_saga_whose_version_was_changed_is_paused_and_goes_on_once_it_is_restored() {
    let changed: [fn(&World) -> Saga<Trip>; 3] = [
        second,
        |world| Saga::new("book-trip").step(quiet!(Hotel, world)),
        |world| Saga::new("book-trip").step(quiet!(Hotel, world)).delay("nap", NIGHT),
    ];
    for changed in changed {
        let (store, world) = (MemoryStore::new(), World::default());
        asleep(&store, &world).await;
        let (process, _) = Process::start(&store, changed(&world));
        tokio::time::sleep(2 * NIGHT).await;
        let saga = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
        assert_eq!(saga.progress.state, SagaState::Paused);
        let error = saga.progress.error.unwrap();
        assert!(error.contains("begun with the steps [\"hotel\", \"night\"]"), "{error}");
        process.stop().await;

        let (process, _) = Process::start(&store, first(&world));
        process.sagas.resume(&id("trip-1")).await.unwrap();
        let ended = process.end_of("trip-1").await;
        assert_eq!(outcomes(&ended), ["hotel Completed", "night Completed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_meets_a_changed_version_is_kept_until_it_is_restored() {
    let (store, world) = (MemoryStore::new(), World::default());
    asleep(&store, &world).await;
    orchestrator(&store).cancel(&id("trip-1")).await.unwrap();
    let (process, _) = Process::start(&store, second(&world));
    tokio::time::sleep(NIGHT).await;
    let saga = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
    assert_eq!((saga.progress.state, saga.request), (SagaState::Paused, None));
    process.stop().await;

    let (process, _) = Process::start(&store, first(&world));
    process.sagas.resume(&id("trip-1")).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(world.standing(), [""; 0]);
}

/// The hotel of a definition whose state is another one.
struct Numbered;

impl Step<u32> for Numbered {
    const NAME: &'static str = "hotel";

    async fn run(&self, _: &mut u32, _: &StepContext) -> StepResult {
        Ok(())
    }

    async fn compensate(&self, _: &mut u32, _: &StepContext) -> StepResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_saga_whose_state_cannot_be_read_is_paused() {
    let (store, world) = (MemoryStore::new(), World::default());
    let trips = orchestrator(&store).register(first(&world)).unwrap();
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let sagas = orchestrator(&store);
    sagas.register(Saga::new("book-trip").step(Numbered).delay("night", NIGHT)).unwrap();
    let process = Process::run(sagas);
    tokio::time::sleep(NIGHT).await;
    let saga = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
    assert_eq!(saga.progress.state, SagaState::Paused);
    assert!(saga.progress.error.unwrap().starts_with("its state cannot be read"));
    assert_eq!(saga.progress.data, saga.input);
}

#[tokio::test]
async fn a_definition_that_cannot_be_meant_is_refused() {
    let world = World::default();
    let sagas = Orchestrator::new(MemoryStore::new());
    let step = || Saga::<Trip>::new("book-trip");
    let empty = sagas.register(step()).unwrap_err();
    assert!(matches!(empty, RegisterSagaError::NoSteps(_)), "{empty}");
    let twice = step().step(quiet!(Hotel, world)).delay("hotel", NIGHT);
    let twice = sagas.register(twice).unwrap_err();
    assert_eq!(twice.to_string(), "saga \"book-trip\" has two steps \"hotel\"");
    let slash = sagas.register(step().delay("a/b", NIGHT)).unwrap_err();
    assert!(matches!(slash, RegisterSagaError::StepName { .. }), "{slash}");
    let unnamed = sagas.register(Saga::<Trip>::new("").delay("night", NIGHT)).unwrap_err();
    assert!(matches!(unnamed, RegisterSagaError::Name(_)), "{unnamed}");
    sagas.register(first(&world)).unwrap();
    let again = sagas.register(first(&world)).unwrap_err();
    assert!(matches!(again, RegisterSagaError::Duplicate { version: 1, .. }), "{again}");
}

#[tokio::test]
async fn a_state_that_does_not_survive_as_json_is_refused_at_the_start() {
    let sagas = Orchestrator::new(MemoryStore::new());
    let saga = Saga::<HashMap<Vec<u8>, u8>>::new("odd").delay("night", NIGHT);
    let odd = sagas.register(saga).unwrap();
    let refused = odd.start(id("odd-1"), &HashMap::from([(vec![1], 1)])).await.unwrap_err();
    assert!(matches!(refused, StartError::State { .. }), "{refused}");
    assert_eq!(sagas.status(&id("odd-1")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_saga_of_closures_keeps_values_by_key() {
    let store = MemoryStore::new();
    let sagas = orchestrator(&store);
    let saga = Saga::new("small")
        .step_fn(
            "count",
            |data: SagaData, _| async move {
                let before: u32 = data.get("n")?.unwrap_or(0);
                data.set("n", before + 1)
            },
            |data: SagaData, _| async move { data.set("n", 0) },
        )
        .step_fn(
            "check",
            |data: SagaData, cx| async move {
                match data.get::<u32>("n")? {
                    Some(42) => data.set("checked by", cx.idempotency_key()),
                    other => Err(StepError::abort(format!("{other:?}"))),
                }
            },
            |_, _| async { Ok(()) },
        );
    let small = sagas.register(saga).unwrap();
    let process = Process::run(sagas);
    for (name, n, state) in [("good", 41, SagaState::Completed), ("bad", 1, SagaState::Compensated)]
    {
        let data = SagaData::new();
        data.set("n", n).unwrap();
        small.start(id(name), &data).await.unwrap();
        let ended = process.end_of(name).await;
        assert_eq!(ended.progress.state, state);
        let data: SagaData = ended.progress.data.to().unwrap();
        let expected = if state == SagaState::Completed { 42 } else { 0 };
        assert_eq!(data.get::<u32>("n").unwrap(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_of_closures_has_a_timeout_and_retries_of_its_own() {
    let store = MemoryStore::new();
    let sagas = orchestrator(&store);
    let options = StepOptions {
        timeout: Duration::from_secs(1),
        retry: RetryPolicy::attempts(3),
        retry_compensation: RetryPolicy::NEVER,
    };
    let hangs = |_, _| std::future::pending();
    let refuses = |_, _| async { Err(StepError::retry("closed")) };
    let saga = Saga::new("small").step_fn_with("hotel", options, hangs, refuses);
    let small = sagas.register(saga).unwrap();
    let process = Process::run(sagas);
    small.start(id("small-1"), &SagaData::new()).await.unwrap();
    let ended = process.end_of("small-1").await;
    assert_eq!(ended.progress.state, SagaState::Failed);
    let hotel = &ended.progress.steps[0];
    assert_eq!((hotel.attempts, hotel.compensation_attempts), (3, 1));
}
