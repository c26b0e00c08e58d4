//! When the checkpoint is stored.

use std::time::Duration;

use highwater_projection::{CheckpointPolicy, ProjectionOptions, Projections};
use highwater_testkit::MemoryStore;
use tokio::time::Instant;

use crate::support::{
    Act, Call, Mails, Rigged, SUMS, Sums, add, checkpoint, row, run, seen, settle, storing, until,
};

#[tokio::test(start_paused = true)]
async fn a_read_model_commits_each_batch_or_each_event_alone() {
    for (policy, commits) in [(CheckpointPolicy::PerBatch, 3), (CheckpointPolicy::PerEvent, 10)] {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..10).await;
        let projections = Projections::new(store.clone());
        let options = ProjectionOptions { batch_size: 4, ..storing(policy) };
        projections.register_view(Sums::default(), options).unwrap();
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(store.saves().len(), commits, "{policy:?}: {:?}", store.saves());
        assert_eq!(store.saves().last(), Some(&Some(9)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_stores_its_checkpoint_after_each_event_or_each_batch() {
    for (policy, saves) in [(CheckpointPolicy::PerBatch, 3), (CheckpointPolicy::PerEvent, 10)] {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..10).await;
        let projections = Projections::new(store.clone());
        let options = ProjectionOptions { batch_size: 4, ..storing(policy) };
        projections.register_handler(Mails::default(), options).unwrap();
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(store.saves().len(), saves, "{policy:?}: {:?}", store.saves());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_acts_at_once_and_stores_its_checkpoint_at_intervals() {
    let store = Rigged::new(&MemoryStore::new());
    let projections = Projections::new(store.clone());
    let mails = Mails::default();
    let policy = CheckpointPolicy::Every(Duration::from_secs(60));
    let options = ProjectionOptions { poll_interval: Duration::from_secs(600), ..storing(policy) };
    projections.register_handler(mails.clone(), options).unwrap();
    let running = run(&projections);
    for n in 0..100 {
        add(&store, [n]).await;
        until("the effect", || async { mails.sent().contains(&n) }).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(store.saves().len(), 1, "{:?}", store.saves());
    let stored = checkpoint(&store).await.unwrap();
    assert!((50..=61).contains(&stored), "{stored}");
    running.stop().await;
    assert_eq!(checkpoint(&store).await, Some(99), "a graceful stop stores it");
    assert_eq!(mails.sent(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_idle_handler_stores_its_checkpoint() {
    let store = Rigged::new(&MemoryStore::new());
    let projections = Projections::new(store.clone());
    let policy = CheckpointPolicy::Every(Duration::from_secs(3_600));
    projections.register_handler(Mails::default(), storing(policy)).unwrap();
    let running = run(&projections);
    add(&store, [1]).await;
    let began = Instant::now();
    until("it is stored", || async { checkpoint(&store).await == Some(0) }).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_model_lets_events_gather_for_the_interval() {
    let store = Rigged::new(&MemoryStore::new());
    let projections = Projections::new(store.clone());
    let policy = CheckpointPolicy::Every(Duration::from_secs(10));
    projections.register_view(Sums::default(), storing(policy)).unwrap();
    let running = run(&projections);
    for n in 0..100 {
        add(&store, [n]).await;
        settle().await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    until("all are applied", || async { checkpoint(&store).await == Some(99) }).await;
    let commits = store.saves().len();
    assert!((10..=12).contains(&commits), "{commits} commits: {:?}", store.saves());
    assert_eq!(seen(&store).await, (0..100).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_commits_the_batch_at_hand_and_gives_the_lease_back() {
    let memory = MemoryStore::new();
    let store = Rigged::new(&memory);
    add(&memory, 0..10).await;
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { batch_size: 5, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    store.rig(|call| match call {
        Call::Commit => Act::Delay(Duration::from_secs(3)),
        _ => Act::Pass,
    });
    let running = run(&projections);
    tokio::time::advance(Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(store.saves(), []);
    running.stop().await;
    assert_eq!(store.saves(), [Some(4)], "the batch at hand, and no further one");
    assert_eq!(seen(&memory).await, [0, 1, 2, 3, 4]);
    let row = row(&memory).await.unwrap();
    assert_eq!(row.owner, None);
}

#[tokio::test(start_paused = true)]
async fn a_handler_stops_between_two_effects() {
    let memory = MemoryStore::new();
    let store = Rigged::new(&memory);
    add(&memory, 0..10).await;
    let projections = Projections::new(store.clone());
    let mails = Mails::default();
    let policy = CheckpointPolicy::PerEvent;
    projections.register_handler(mails.clone(), storing(policy)).unwrap();
    store.rig(|call| match call {
        Call::Save => Act::Delay(Duration::from_secs(1)),
        _ => Act::Pass,
    });
    let running = run(&projections);
    until("three effects", || async { mails.sent().len() >= 3 }).await;
    running.stop().await;
    let sent = mails.sent();
    assert!(sent.len() <= 4, "{sent:?}");
    assert_eq!(checkpoint(&memory).await, sent.last().map(|n| n.cast_unsigned()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_leaves_whole_batches_behind() {
    let memory = MemoryStore::new();
    let store = Rigged::new(&memory);
    add(&memory, 0..10).await;
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { batch_size: 5, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    store.rig(|call| match call {
        Call::Commit => Act::Delay(Duration::from_secs(3)),
        _ => Act::Pass,
    });
    let running = run(&projections);
    until("one batch", || async { !store.saves().is_empty() }).await;
    running.task.abort();
    store.rig(|_| Act::Pass);
    settle().await;
    assert_eq!(seen(&memory).await, [0, 1, 2, 3, 4]);

    let caught_up = projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(caught_up.events, 5, "once the lease has expired");
    assert_eq!(seen(&memory).await, (0..10).collect::<Vec<_>>());
}
