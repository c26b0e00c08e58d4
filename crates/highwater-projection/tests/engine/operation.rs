//! Registering, starting, stopping and watching projections.

use std::time::Duration;

use highwater_core::{
    BoxError, CheckpointKey, EventType, Health, HealthThresholds, ProjectionKind, ProjectionName,
    Recorded, Source, View,
};
use highwater_projection::{
    Backoff, CheckpointPolicy, Mode, ProjectionOptions, ProjectionState, Projections,
    RegisterProjectionError, RetryPolicy, RunError,
};
use highwater_testkit::MemoryStore;

use crate::support::{
    Act, Call, Faults, Mails, Rigged, SUMS, Sums, add, checkpoint, run, settle, until,
};

#[tokio::test(start_paused = true)]
async fn two_projections_do_not_share_a_name_and_each_is_listed() {
    let projections = Projections::new(MemoryStore::new());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let again = projections.register_handler(Mails::default(), ProjectionOptions::default());
    assert!(matches!(again, Err(RegisterProjectionError::Duplicate(name)) if name == SUMS));

    let definitions = projections.definitions();
    assert_eq!(definitions.len(), 1);
    assert_eq!(definitions[0].key, CheckpointKey::new(SUMS, Source::All));
    assert_eq!(definitions[0].kind, ProjectionKind::View);
    let types = ["Added", "Closed"].map(EventType::from_static).to_vec();
    assert_eq!(definitions[0].event_types, Some(types));
    assert!(definitions[0].can_rebuild && definitions[0].auto_start);
}

/// A view of something that is not an enum of events.
struct Misshapen;

#[derive(serde::Serialize, serde::Deserialize)]
struct NotAnEnum {
    n: i64,
}
impl highwater_core::Event for NotAnEnum {}

impl View for Misshapen {
    type Event = NotAnEnum;
    type Document = i64;

    fn name(&self) -> ProjectionName {
        SUMS
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, _: &Recorded<NotAnEnum>) -> impl IntoIterator<Item = String> {
        None
    }

    fn apply(&self, sum: &mut i64, _: &str, event: &Recorded<NotAnEnum>) -> Result<(), BoxError> {
        *sum += event.data.n;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_meant_is_refused_when_it_is_registered() {
    let projections = Projections::new(MemoryStore::new());
    let misshapen = projections.register_view(Misshapen, ProjectionOptions::default());
    assert!(matches!(misshapen, Err(RegisterProjectionError::NotAnEventEnum(_))), "{misshapen:?}");

    let zero = Duration::ZERO;
    let good = ProjectionOptions::default;
    let backoff = Backoff::default();
    let retry = |backoff, max_attempts| RetryPolicy { backoff, max_attempts };
    let bad = [
        ProjectionOptions { batch_size: 0, ..good() },
        ProjectionOptions { poll_interval: zero, ..good() },
        ProjectionOptions { lease_ttl: zero, ..good() },
        ProjectionOptions { standby_interval: zero, ..good() },
        ProjectionOptions { max_poll_failures: Some(0), ..good() },
        ProjectionOptions { checkpoint: CheckpointPolicy::Every(zero), ..good() },
        ProjectionOptions { retry: retry(backoff, 0), ..good() },
        ProjectionOptions { retry: retry(Backoff { base: zero, ..backoff }, 5), ..good() },
        ProjectionOptions { poll_backoff: Backoff { base: zero, ..backoff }, ..good() },
        ProjectionOptions { poll_backoff: Backoff { cap: zero, ..backoff }, ..good() },
        ProjectionOptions { poll_backoff: Backoff { jitter: 1.1, ..backoff }, ..good() },
        ProjectionOptions { poll_backoff: Backoff { jitter: f64::NAN, ..backoff }, ..good() },
        ProjectionOptions { poll_backoff: Backoff { factor: 0.5, ..backoff }, ..good() },
        ProjectionOptions { poll_backoff: Backoff { factor: f64::NAN, ..backoff }, ..good() },
    ];
    for options in bad {
        let refused = projections.register_view(Sums::default(), options.clone());
        assert!(matches!(refused, Err(RegisterProjectionError::Option(_))), "{options:?}");
    }
    assert!(projections.definitions().is_empty());
    projections.register_view(Sums::default(), good()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_projection_runs_when_it_is_started_and_until_it_is_stopped() {
    let store = MemoryStore::new();
    add(&store, [1]).await;
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { auto_start: false, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    let running = run(&projections);
    tokio::time::advance(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(checkpoint(&store).await, None);

    projections.start(&SUMS).unwrap();
    until("it runs", || async { checkpoint(&store).await == Some(0) }).await;
    projections.stop(&SUMS).unwrap();
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Stopped).await.unwrap();
    add(&store, [2]).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(checkpoint(&store).await, Some(0));
    projections.start(&SUMS).unwrap();
    until("it runs again", || async { checkpoint(&store).await == Some(1) }).await;
    running.stop().await;

    let unknown = projections.start(&ProjectionName::from_static("unheard-of"));
    assert!(matches!(unknown, Err(RunError::Unknown(_))));
}

#[tokio::test(start_paused = true)]
async fn a_projection_may_stop_by_itself_once_it_has_caught_up() {
    let store = MemoryStore::new();
    add(&store, 0..10).await;
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { mode: Mode::CatchUpThenStop, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    let running = run(&projections);
    until("it has caught up", || async { checkpoint(&store).await == Some(9) }).await;
    add(&store, [10]).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(checkpoint(&store).await, Some(9));
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Stopped).await.unwrap();
    projections.start(&SUMS).unwrap();
    until("it catches up again", || async { checkpoint(&store).await == Some(10) }).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_registered_while_the_engine_runs_is_run_too() {
    let store = MemoryStore::new();
    add(&store, [1]).await;
    let projections = Projections::new(store.clone());
    let running = run(&projections);
    settle().await;
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    until("it runs", || async { checkpoint(&store).await == Some(0) }).await;

    let second = projections.run(running.stop.clone()).await;
    assert!(matches!(second, Err(RunError::AlreadyRunning)), "{second:?}");
    running.stop().await;
    let again = run(&projections);
    add(&store, [2]).await;
    until("it runs again", || async { checkpoint(&store).await == Some(1) }).await;
    again.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_status_says_how_far_it_is_and_why_it_is_behind() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..100).await;
    let projections = Projections::new(store.clone());
    let faults = Faults::default().fail(50, u32::MAX);
    let sums = Sums { faults: faults.clone() };
    projections.register_view(sums, ProjectionOptions::default()).unwrap();
    let status = || async { projections.status().await.unwrap().remove(0) };
    let health = || async { projections.health(&HealthThresholds::default()).await.status };

    let new = status().await;
    assert_eq!((new.state, new.lag.events, new.percent), (ProjectionState::Stopped, 100, 0.0));
    assert_eq!(new.why, "it has never run");
    assert_eq!(health().await, Health::Degraded);

    let running = run(&projections);
    until("it gives up", || async { status().await.state == ProjectionState::Failed }).await;
    let failed = status().await;
    assert_eq!((failed.lag.events, failed.percent), (50, 50.0));
    assert!(failed.why.contains("50 does not count"), "{}", failed.why);
    assert_eq!(health().await, Health::Unhealthy);

    faults.repair();
    projections.start(&SUMS).unwrap();
    until("it has caught up", || async { status().await.state == ProjectionState::Live }).await;
    let live = status().await;
    assert_eq!((live.lag.events, live.percent, live.remaining), (0, 100.0, None));
    assert_eq!(live.why, "it is not behind");
    assert!(live.events_per_second > 0.0);
    assert_eq!(health().await, Health::Healthy);

    running.stop().await;
    let stopped = status().await;
    assert_eq!(stopped.state, ProjectionState::Stopped);
    assert_eq!(health().await, Health::Degraded, "nobody runs it: never green");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_died_is_not_healthy_though_nothing_is_behind() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, [1]).await;
    let projections = Projections::new(store.clone());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    until("it has caught up", || async { checkpoint(&store).await == Some(0) }).await;
    running.task.abort();
    tokio::time::advance(Duration::from_secs(11)).await;
    settle().await;
    let health = projections.health(&HealthThresholds::default()).await.status;
    assert_eq!(health, Health::Degraded);
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_asks_the_store_no_more_than_it_has_to() {
    let store = Rigged::new(&MemoryStore::new());
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { poll_interval: Duration::from_secs(5), ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    let running = run(&projections);
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Live).await.unwrap();
    let calls = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let made = std::sync::Arc::clone(&calls);
    store.rig(move |call| {
        made.lock().unwrap().push(call);
        Act::Pass
    });
    for _ in 0..600 {
        tokio::time::advance(Duration::from_millis(100)).await;
        settle().await;
    }
    let made = calls.lock().unwrap().clone();
    let count = |call: Call| made.iter().filter(|made| **made == call).count();
    assert!((11..=12).contains(&count(Call::Checkpoint)), "{made:?}");
    assert!((16..=18).contains(&count(Call::Renew)), "{made:?}");
    assert_eq!(made.len(), count(Call::Checkpoint) + count(Call::Renew), "{made:?}");
    running.stop().await;
}
