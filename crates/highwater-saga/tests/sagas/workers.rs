//! Many workers, and their deaths.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use highwater_core::{SagaState, StoreError};
use highwater_saga::{
    OrchestratorOptions, Saga, StartError, Step, StepContext, StepError, StepResult,
};
use highwater_testkit::MemoryStore;
use tokio::time::{Instant, sleep};

use crate::support::{HOUR, Process, Trip, World, id, orchestrator, outcomes, trip};

/// Takes a second, and counts how many do so at once.
pub(crate) struct Slow {
    world: World,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Slow {
    pub(crate) fn step(world: &World) -> Self {
        Self { world: world.clone(), now: Arc::default(), most: Arc::default() }
    }
}

impl Step<Trip> for Slow {
    const NAME: &'static str = "slow";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.world.book(cx);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        sleep(Duration::from_secs(1)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.world.cancel(cx);
        Ok(())
    }
}

/// Every third trip finds no flight.
struct Seats(World);

impl Step<Trip> for Seats {
    const NAME: &'static str = "seats";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        let number: u32 = cx.saga.as_str().trim_start_matches("trip-").parse()?;
        sleep(Duration::from_millis(300)).await;
        if number.is_multiple_of(3) {
            return Err(StepError::abort("sold out"));
        }
        self.0.book(cx);
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.cancel(cx);
        Ok(())
    }
}

fn slow(world: &World) -> (Saga<Trip>, Arc<AtomicUsize>) {
    let (now, most) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let step = Slow { world: world.clone(), now, most: Arc::clone(&most) };
    (Saga::new("book-trip").step(step).step(Seats(world.clone())), most)
}

#[tokio::test(start_paused = true)]
async fn starting_a_saga_again_starts_nothing_new() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, trip(&world));
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    process.end_of("trip-1").await;
    let again = trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(again.record.progress.state, SagaState::Completed);
    assert_eq!(world.calls().len(), 3);
    let other = Trip { booked: vec!["cruise".to_owned()] };
    let refused = trips.start(id("trip-1"), &other).await.unwrap_err();
    assert!(matches!(refused, StartError::Store(StoreError::SagaTaken { .. })), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_workers_saga_is_taken_over_when_its_lease_ends() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, _) = slow(&world);
    let (process, trips) = Process::start(&store, saga.clone());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    let died = Instant::now();
    process.kill().await;
    let (process, _) = Process::start(&store, saga);
    let ended = process.end_of("trip-1").await;
    assert!(died.elapsed() < Duration::from_secs(16), "{:?}", died.elapsed());
    assert_eq!(outcomes(&ended), ["slow Completed", "seats Completed"]);
    assert_eq!(world.count("trip-1/slow/run"), 2, "at least once, with the same key");
    assert_eq!(ended.epoch, 2);
    assert!(ended.progress.steps[0].is_in_doubt);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_ends_its_step_and_hands_over_at_once() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, _) = slow(&world);
    let (process, trips) = Process::start(&store, saga.clone());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    process.stop().await;
    let stopped = Instant::now();
    let (process, _) = Process::start(&store, saga);
    let ended = process.end_of("trip-1").await;
    assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
    assert_eq!(world.count("trip-1/slow/run"), 1);
    assert!(!ended.progress.steps[0].is_in_doubt);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_longer_than_the_lease_keeps_it() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, _) = slow(&world);
    let options = || OrchestratorOptions {
        lease_ttl: Duration::from_millis(200),
        ..crate::support::options()
    };
    let (one, trips) = Process::with(&store, saga.clone(), options());
    let (_two, _) = Process::with(&store, saga, options());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = one.end_of("trip-1").await;
    assert_eq!(world.count("trip-1/slow/run"), 1);
    assert_eq!(ended.epoch, 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_sagas_are_in_flight_than_allowed() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, most) = slow(&world);
    let options = OrchestratorOptions { max_in_flight: 5, ..crate::support::options() };
    let (process, trips) = Process::with(&store, saga, options);
    for n in 0..30 {
        trips.start(id(&format!("trip-{n}")), &Trip::default()).await.unwrap();
    }
    for n in 0..30 {
        process.end_of(&format!("trip-{n}")).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn a_wait_misses_no_end_whenever_it_begins() {
    let (store, world) = (MemoryStore::new(), World::default());
    let rare = OrchestratorOptions { poll_interval: HOUR, ..Default::default() };
    let (process, trips) = Process::with(&store, trip(&world), rare);
    tokio::task::yield_now().await;
    let began = Instant::now();
    for turns in 0..100 {
        let text = format!("trip-{turns}");
        trips.start(id(&text), &Trip::default()).await.unwrap();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        assert_eq!(process.end_of(&text).await.progress.state, SagaState::Completed);
    }
    // In virtual time: nobody had to look again.
    assert!(began.elapsed() < HOUR);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn sagas_end_whichever_processes_are_killed() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (saga, _) = slow(&world);
    let starter = orchestrator(&store);
    let trips = starter.register(saga.clone()).unwrap();
    for n in 0..200 {
        trips.start(id(&format!("trip-{n}")), &Trip::default()).await.unwrap();
    }
    let options = || OrchestratorOptions { max_in_flight: 20, ..crate::support::options() };
    let start = || Process::with(&store, saga.clone(), options()).0;
    let mut processes = vec![start(), start(), start()];
    for round in 0..12_u64 {
        sleep(Duration::from_millis(137 * (round + 1))).await;
        processes.remove(0).kill().await;
        processes.push(start());
    }
    for n in 0..200 {
        let ended = starter.wait(&id(&format!("trip-{n}")), HOUR).await.unwrap();
        let expected = if n % 3 == 0 { SagaState::Compensated } else { SagaState::Completed };
        assert_eq!(ended.progress.state, expected, "{n}");
    }
    let mut expected: Vec<String> = (0..200)
        .filter(|n| n % 3 != 0)
        .flat_map(|n| [format!("trip-{n}/slow/run"), format!("trip-{n}/seats/run")])
        .collect();
    expected.sort();
    assert_eq!(world.standing(), expected, "what is not completed is undone");
}

#[tokio::test(start_paused = true)]
async fn times_without_end_are_taken() {
    let (store, world) = (MemoryStore::new(), World::default());
    let [lease_ttl, poll_interval] = [Duration::MAX; 2];
    let endless = OrchestratorOptions { lease_ttl, poll_interval, ..Default::default() };
    let (process, trips) = Process::with(&store, trip(&world), endless);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.sagas.wait(&id("trip-1"), Duration::MAX).await.unwrap();
    assert_eq!(ended.progress.state, SagaState::Completed);
}
