//! Steps that block, end their processes, or leave what cannot be kept; states that are large.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use highwater_core::{SagaState, SagaStore, StepOutcome};
use highwater_saga::{
    Orchestrator, OrchestratorOptions, Saga, StartError, Step, StepContext, StepError, StepResult,
};
use highwater_testkit::MemoryStore;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::support::{
    HOUR, Hotel, Process, Trip, World, id, options, orchestrator, outcomes, quiet,
};

/// Blocks its thread for longer than a lease.
struct Blocks(World, Duration);

impl Step<Trip> for Blocks {
    const NAME: &'static str = "blocks";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.book(cx);
        std::thread::sleep(self.1);
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.cancel(cx);
        Ok(())
    }
}

fn hasty() -> OrchestratorOptions {
    OrchestratorOptions {
        lease_ttl: Duration::from_millis(300),
        poll_interval: Duration::from_millis(10),
        block_warning: Duration::from_millis(100),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_step_that_blocks_its_thread_for_longer_than_a_lease_is_run_once() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = Saga::new("book-trip").step(Blocks(world.clone(), Duration::from_secs(2)));
    let (one, trips) = Process::with(&store, saga.clone(), hasty());
    let (_two, _) = Process::with(&store, saga, hasty());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    while _two.sagas.blocked_steps().is_empty() && one.sagas.blocked_steps().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    let ended = one.sagas.wait(&id("trip-1"), HOUR).await.unwrap();
    assert_eq!((ended.progress.state, ended.epoch), (SagaState::Completed, 1));
    assert_eq!(world.calls(), ["trip-1/blocks/run"]);
    assert!(one.sagas.blocked_steps().is_empty(), "it is over");
}

#[tokio::test]
async fn a_process_whose_only_thread_was_blocked_takes_over_nothing_from_itself() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = Saga::new("book-trip").step(Blocks(world.clone(), Duration::from_millis(700)));
    let (process, trips) = Process::with(&store, saga, hasty());
    for n in 0..3 {
        trips.start(id(&format!("trip-{n}")), &Trip::default()).await.unwrap();
    }
    for n in 0..3 {
        let ended = process.sagas.wait(&id(&format!("trip-{n}")), HOUR).await.unwrap();
        assert_eq!((ended.progress.state, ended.epoch), (SagaState::Completed, 1));
    }
    assert_eq!(world.calls().len(), 3);
}

/// Never ends; whoever runs it is killed meanwhile.
struct Deadly {
    world: World,
    running: Arc<AtomicUsize>,
}

impl Step<Trip> for Deadly {
    const NAME: &'static str = "deadly";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.world.book(cx);
        self.running.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.world.cancel(cx);
        Ok(())
    }

    fn timeout(&self) -> Duration {
        HOUR
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_ends_its_process_each_time_is_given_up_and_compensated() {
    let (store, world) = (MemoryStore::new(), World::default());
    let running = Arc::new(AtomicUsize::new(0));
    let deadly = || Deadly { world: world.clone(), running: Arc::clone(&running) };
    let saga = || Saga::new("book-trip").step(quiet!(Hotel, world)).step(deadly());
    let (mut process, trips) = Process::start(&store, saga());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    for death in 1..=3 {
        while running.load(Ordering::SeqCst) < death {
            sleep(Duration::from_millis(100)).await;
        }
        process.kill().await;
        process = Process::start(&store, saga()).0;
    }
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "deadly Compensated"]);
    let error = ended.progress.error.as_deref();
    assert_eq!(error, Some("step deadly: the process died 3 times in it"));
    assert_eq!(world.count("trip-1/deadly/run"), 3);
    assert_eq!(world.standing(), [""; 0]);
}

/// Takes a while, and ends well unless whoever runs it is killed.
struct Slow(World, Arc<AtomicUsize>);

impl Step<Trip> for Slow {
    const NAME: &'static str = "slow";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.book(cx);
        sleep(Duration::from_secs(20)).await;
        if cx.saga == id("deadly") {
            self.1.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.cancel(cx);
        Ok(())
    }

    fn timeout(&self) -> Duration {
        HOUR
    }
}

#[tokio::test(start_paused = true)]
async fn sagas_that_run_beside_one_that_ends_the_process_are_not_blamed_for_it() {
    let (store, world) = (MemoryStore::new(), World::default());
    let deaths = Arc::new(AtomicUsize::new(0));
    let saga = || Saga::new("book-trip").step(Slow(world.clone(), Arc::clone(&deaths)));
    let options = || OrchestratorOptions { max_deaths: 3, ..options() };
    let (mut process, trips) = Process::with(&store, saga(), options());
    let names = ["one", "two", "deadly", "three"];
    for name in names {
        trips.start(id(name), &Trip::default()).await.unwrap();
    }
    // The others are long about to end when the process is ended, again and again.
    for _ in 0..2 {
        sleep(Duration::from_secs(16)).await;
        process.kill().await;
        process = Process::with(&store, saga(), options()).0;
        sleep(Duration::from_secs(16)).await;
    }
    let dead = deaths.load(Ordering::SeqCst);
    while deaths.load(Ordering::SeqCst) == dead {
        sleep(Duration::from_secs(1)).await;
    }
    process.kill().await;
    let (process, _) = Process::with(&store, saga(), options());
    for name in names {
        let ended = process.sagas.wait(&id(name), HOUR).await.unwrap();
        let is_deadly = name == "deadly";
        let expected = if is_deadly { SagaState::Compensated } else { SagaState::Completed };
        assert_eq!(ended.progress.state, expected, "{name}: {:?}", ended.progress);
    }
}

/// What a float, a list and a value may come to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Odd {
    price: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<String>,
    rest: serde_json::Value,
}

/// Leaves a state that cannot be read back; or, with `None`, a large one.
struct Spoil(Option<fn(&mut Odd)>);

impl Step<Odd> for Spoil {
    const NAME: &'static str = "spoil";

    async fn run(&self, odd: &mut Odd, _: &StepContext) -> StepResult {
        match self.0 {
            Some(spoil) => spoil(odd),
            None => odd.rooms.push("x".repeat(5 << 20)),
        }
        Ok(())
    }

    async fn compensate(&self, odd: &mut Odd, _: &StepContext) -> StepResult {
        assert_eq!((odd.price, odd.rooms.len()), (1.0, 1), "the last good state");
        odd.price = 0.0;
        Ok(())
    }
}

fn nested(depth: usize) -> serde_json::Value {
    (0..depth).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]))
}

#[tokio::test(start_paused = true)]
async fn a_step_that_leaves_what_cannot_be_kept_has_failed_and_is_compensated() {
    let spoils: [Option<fn(&mut Odd)>; 4] = [
        Some(|odd| odd.price = f64::NAN),
        Some(|odd| odd.rooms.clear()),
        Some(|odd| odd.rest = nested(128)),
        None,
    ];
    for (n, spoil) in spoils.into_iter().enumerate() {
        let store = MemoryStore::new();
        let sagas = orchestrator(&store);
        let odd = sagas.register(Saga::new("odd").step(Spoil(spoil))).unwrap();
        let process = Process::run(sagas);
        let rooms = vec!["attic".to_owned()];
        let good = Odd { price: 1.0, rooms, rest: serde_json::Value::Null };
        odd.start(id("odd-1"), &good).await.unwrap();
        let ended = process.end_of("odd-1").await;
        assert_eq!(outcomes(&ended), ["spoil Compensated"], "{n}");
        assert_eq!(ended.progress.steps[0].attempts, 1);
        let kept: Odd = ended.progress.data.to().unwrap();
        assert_eq!((kept.price, kept.rooms.len()), (0.0, 1), "{n}");
    }
}

#[tokio::test]
async fn a_state_that_is_too_large_is_refused_at_the_start() {
    let sagas = orchestrator(&MemoryStore::new());
    let odd = sagas.register(Saga::new("odd").step(Spoil(None))).unwrap();
    let large = Odd { price: 1.0, rooms: vec!["x".repeat(5 << 20)], rest: nested(1) };
    let refused = odd.start(id("odd-1"), &large).await.unwrap_err();
    assert!(matches!(refused, StartError::TooLarge { limit: 4_194_304, .. }), "{refused}");
}

/// Makes the state large, and counts how often.
struct Grow(Arc<AtomicUsize>);

impl Step<Trip> for Grow {
    const NAME: &'static str = "grow";

    async fn run(&self, trip: &mut Trip, _: &StepContext) -> StepResult {
        self.0.fetch_add(1, Ordering::SeqCst);
        trip.booked.push("x".repeat(100_000));
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, _: &StepContext) -> StepResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_takes_up_no_more_bytes_than_it_has_room_for() {
    let (store, runs) = (MemoryStore::new(), Arc::new(AtomicUsize::new(0)));
    let options = OrchestratorOptions { max_bytes: 1 << 20, ..options() };
    let sagas = Orchestrator::with_options(store.clone(), options).unwrap();
    let last = crate::workers::Slow::step(&World::default());
    let trips = sagas.register(Saga::new("grow").step(Grow(Arc::clone(&runs))).step(last)).unwrap();
    let process = Process::run(sagas);
    for n in 0..60 {
        trips.start(id(&format!("trip-{n}")), &Trip::default()).await.unwrap();
    }
    let mut most = 0;
    for n in 0..60 {
        let id = id(&format!("trip-{n}"));
        while !store.saga(&id).await.unwrap().unwrap().progress.state.is_final() {
            sleep(Duration::from_millis(300)).await;
            let sagas = process.sagas.find(&Default::default()).await.unwrap();
            let held = sagas.iter().filter(|saga| saga.owner.is_some());
            most = most.max(held.map(|saga| saga.bytes()).sum());
        }
    }
    // The first saga of a claim may have more bytes than there is room for.
    assert!(most <= (1 << 20) + 101_000, "{most} bytes at once");
    assert_eq!(runs.load(Ordering::SeqCst), 60);
}

#[tokio::test(start_paused = true)]
async fn a_long_text_of_an_error_is_cut_and_takes_no_retries_away() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = crate::support::trip_where(&world, "flight/run", |cx| {
        (cx.attempt < 3).then(|| Err(StepError::retry("é".repeat(2 << 20))))
    });
    let (process, trips) = Process::start(&store, saga.publish_events());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Completed);
    assert_eq!(
        (ended.progress.steps[1].attempts, ended.progress.steps[1].outcome),
        (3, StepOutcome::Completed)
    );
}
