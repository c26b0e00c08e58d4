//! Rebuilding: the read model is emptied with its checkpoint, then everything is applied again.

use std::time::Duration;

use highwater_core::{CheckpointKey, CheckpointStore, Source};
use highwater_projection::{
    CheckpointPolicy, ProjectionOptions, ProjectionState, Projections, RunError,
};
use highwater_testkit::MemoryStore;

use crate::support::{
    Act, Call, Faults, Mails, Rigged, SUMS, Sums, SumsInTx, add, checkpoint, row, run, seen,
    settle, storing, until,
};

#[tokio::test(start_paused = true)]
async fn a_running_projection_is_rebuilt_within_a_second_of_the_request() {
    for in_tx in [false, true] {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..10).await;
        let projections = Projections::new(store.clone());
        let options = ProjectionOptions::default();
        if in_tx {
            projections.register(SumsInTx::default(), options).unwrap();
        } else {
            projections.register_view(Sums::default(), options).unwrap();
        }
        let running = run(&projections);
        until("all is applied", || async { checkpoint(&store).await == Some(9) }).await;
        let began = tokio::time::Instant::now();
        projections.rebuild(&SUMS).await.unwrap();
        until("it is rebuilt", || async { store.saves() == [Some(9), None, Some(9)] }).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(seen(&store).await, (0..10).collect::<Vec<_>>());
        let row = row(&store).await.unwrap();
        assert!(!row.rebuild_requested);
        assert_eq!(row.events_processed, 10);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_read_model_and_the_checkpoint_are_reset_together_or_not_at_all() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..10).await;
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { batch_size: 2, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    projections.catch_up(&SUMS).await.unwrap();

    projections.rebuild(&SUMS).await.unwrap();
    store.rig_times(Call::Commit, Act::Fail, 3);
    let running = run(&projections);
    let observe = || async {
        let (checkpoint, seen) = (checkpoint(&store).await, seen(&store).await);
        let expected = checkpoint.map_or(0, |at| at + 1);
        assert_eq!(seen.len() as u64, expected, "the two differ: {checkpoint:?} {seen:?}");
        store.saves().len() == 5 + 1 + 5
    };
    until("it is rebuilt", observe).await;
    assert_eq!(seen(&store).await, (0..10).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_during_a_long_catch_up_is_obeyed() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..100).await;
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { batch_size: 10, ..storing(CheckpointPolicy::PerEvent) };
    projections.register_view(Sums::default(), options).unwrap();
    store.rig(|call| match call {
        Call::Commit => Act::Delay(Duration::from_secs(1)),
        _ => Act::Pass,
    });
    let running = run(&projections);
    until("half is applied", || async { checkpoint(&store).await >= Some(50) }).await;
    projections.rebuild(&SUMS).await.unwrap();
    until("it begins anew", || async { store.saves().contains(&None) }).await;
    assert!(store.saves().len() < 60, "{:?}", store.saves().len());
    until("it is rebuilt", || async { checkpoint(&store).await == Some(99) }).await;
    assert_eq!(seen(&store).await, (0..100).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn effects_are_repeated_only_when_the_handler_allows_it() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..5).await;
    let key = CheckpointKey::new(SUMS, Source::All);
    let mails = Mails::default();
    let projections = Projections::new(store.clone());
    projections.register_handler(mails.clone(), ProjectionOptions::default()).unwrap();
    let refused = projections.rebuild(&SUMS).await;
    assert!(matches!(refused, Err(RunError::CannotRebuild(_))), "{refused:?}");

    // A request that gets into the store all the same is reported and repeats nothing.
    store.request_rebuild(&key).await.unwrap();
    let running = run(&projections);
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Live).await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    settle().await;
    add(&store, [5]).await;
    until("all is sent", || async { checkpoint(&store).await == Some(5) }).await;
    assert_eq!(mails.sent(), [0, 1, 2, 3, 4, 5]);
    let status = projections.status().await.unwrap();
    assert!(status[0].why.contains("cannot be rebuilt"), "{}", status[0].why);
    running.stop().await;

    let willing = Mails { can_rebuild: true, ..Default::default() };
    let projections = Projections::new(store.clone());
    projections.register_handler(willing.clone(), ProjectionOptions::default()).unwrap();
    projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(willing.sent(), [0, 1, 2, 3, 4, 5]);
    projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(willing.sent().len(), 6, "once for one request");
    let keys: Vec<String> = willing.sent.lock().unwrap().iter().map(|(_, k)| k.clone()).collect();
    let before: Vec<String> = mails.sent.lock().unwrap().iter().map(|(_, k)| k.clone()).collect();
    assert_eq!(keys, before, "an effect has one idempotency key for ever");
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_revives_a_projection_that_gave_up() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..5).await;
    let faults = Faults::default().fail(3, u32::MAX);
    let projections = Projections::new(store.clone());
    projections
        .register_view(Sums { faults: faults.clone() }, ProjectionOptions::default())
        .unwrap();
    let running = run(&projections);
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Failed).await.unwrap();
    faults.repair();
    tokio::time::advance(Duration::from_secs(60)).await;
    settle().await;
    assert_eq!(checkpoint(&store).await, Some(2), "it does not start by itself");

    projections.rebuild(&SUMS).await.unwrap();
    until("it is rebuilt", || async { seen(&store).await == [0, 1, 2, 3, 4] }).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_gave_up_stands_by_again_when_another_has_got_past_the_failure() {
    let memory = MemoryStore::new();
    add(&memory, 0..5).await;
    let store = Rigged::new(&memory);
    let broken = Projections::new(store.clone());
    let faults = Faults::default().fail(3, u32::MAX);
    broken.register_view(Sums { faults }, ProjectionOptions::default()).unwrap();
    let running = run(&broken);
    let mut state = broken.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Failed).await.unwrap();

    let repaired = Projections::new(store.clone());
    repaired.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let other = run(&repaired);
    until("the other gets past it", || async { checkpoint(&memory).await == Some(4) }).await;
    state.wait_for(|state| *state == ProjectionState::Standby).await.unwrap();
    other.stop().await;
    add(&memory, [5]).await;
    until("it takes over", || async { checkpoint(&memory).await == Some(5) }).await;
    running.stop().await;
}
