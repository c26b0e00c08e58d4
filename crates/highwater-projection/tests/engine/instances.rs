//! Many instances of one projection: one leads, the others take over.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    Advance, Change, CheckpointKey, CheckpointStore, EventStore, Lease, Offset, Owner, Payload,
    ProjectionStore, ProjectionTx, Source, StoreError,
};
use highwater_projection::{ProjectionOptions, ProjectionState, Projections};
use highwater_testkit::MemoryStore;
use tokio::time::Instant;

use crate::support::{
    ACCOUNT, Act, Call, Mails, Rigged, SUMS, Sums, add, checkpoint, row, run, seen, settle, until,
};

fn instance(store: &Rigged) -> Projections<Rigged> {
    let projections = Projections::new(store.clone());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    projections
}

fn state(projections: &Projections<Rigged>) -> ProjectionState {
    *projections.watch(&SUMS).unwrap().borrow()
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_a_standby_takes_over_within_a_second_of_a_graceful_stop() {
    let store = Rigged::new(&MemoryStore::new());
    let (one, two) = (instance(&store), instance(&store));
    let first = run(&one);
    until("one leads", || async { state(&one) == ProjectionState::Live }).await;
    let second = run(&two);
    until("two stands by", || async { state(&two) == ProjectionState::Standby }).await;
    add(&store, 0..10).await;
    until("all is applied", || async { checkpoint(&store).await == Some(9) }).await;
    assert_eq!(state(&two), ProjectionState::Standby);

    first.stop().await;
    assert_eq!(state(&one), ProjectionState::Stopped);
    let stopped_at = Instant::now();
    add(&store, 10..20).await;
    until("two leads", || async { checkpoint(&store).await == Some(19) }).await;
    assert!(stopped_at.elapsed() < Duration::from_secs(1), "{:?}", stopped_at.elapsed());
    assert_eq!(seen(&store).await, (0..20).collect::<Vec<_>>());
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_from_a_frozen_leader_when_its_lease_expires() {
    let memory = MemoryStore::new();
    let (frozen, healthy) = (Rigged::new(&memory), Rigged::new(&memory));
    let (one, two) = (instance(&frozen), instance(&healthy));
    let first = run(&one);
    until("one leads", || async { state(&one) == ProjectionState::Live }).await;
    let second = run(&two);
    // Nothing that the first asks the store is ever answered again.
    frozen.rig(|_| Act::Hang);
    let frozen_at = Instant::now();
    add(&memory, 0..10).await;
    until("two leads", || async { checkpoint(&memory).await == Some(9) }).await;
    let waited = frozen_at.elapsed();
    assert!(waited < Duration::from_millis(10_500), "{waited:?}");
    assert_eq!(healthy.saves().last(), Some(&Some(9)));
    assert_eq!(frozen.saves(), []);

    // The first wakes up, finds its lease lost, and stands by.
    frozen.rig(|_| Act::Pass);
    until("one stands by", || async { state(&one) == ProjectionState::Standby }).await;
    add(&memory, 10..20).await;
    until("two goes on", || async { checkpoint(&memory).await == Some(19) }).await;
    assert_eq!(frozen.saves(), []);
    assert_eq!(seen(&memory).await, (0..20).collect::<Vec<_>>());
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewals_fail_for_a_whole_lease_drops_its_batch() {
    let memory = MemoryStore::new();
    let (cut_off, healthy) = (Rigged::new(&memory), Rigged::new(&memory));
    let (one, two) = (instance(&cut_off), instance(&healthy));
    let first = run(&one);
    until("one leads", || async { state(&one) == ProjectionState::Live }).await;
    cut_off.rig(|call| match call {
        Call::Renew | Call::Acquire => Act::Fail,
        Call::Begin => Act::Delay(Duration::from_secs(60)),
        _ => Act::Pass,
    });
    add(&memory, 0..10).await;
    until("one gives way", || async { state(&one) == ProjectionState::Standby }).await;
    let second = run(&two);
    until("two leads", || async { checkpoint(&memory).await == Some(9) }).await;
    tokio::time::advance(Duration::from_secs(120)).await;
    settle().await;
    assert_eq!(cut_off.saves(), [], "the batch that was under way is gone");
    assert_eq!(seen(&memory).await, (0..10).collect::<Vec<_>>());
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_batch_keeps_its_lease() {
    let memory = MemoryStore::new();
    let (slow, other) = (Rigged::new(&memory), Rigged::new(&memory));
    let (one, two) = (instance(&slow), instance(&other));
    let first = run(&one);
    until("one leads", || async { state(&one) == ProjectionState::Live }).await;
    let second = run(&two);
    slow.rig(|call| match call {
        Call::Commit => Act::Delay(Duration::from_secs(300)),
        _ => Act::Pass,
    });
    add(&memory, 0..10).await;
    until("it is committed", || async { checkpoint(&memory).await == Some(9) }).await;
    assert_eq!((slow.saves(), other.saves()), (vec![Some(9)], vec![]));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_zombie_commits_nothing_and_the_leader_does_not_notice() {
    let memory = MemoryStore::new();
    add(&memory, 0..10).await;
    let key = CheckpointKey::new(SUMS, Source::All);
    let ttl = Duration::from_secs(1);
    let zombie: Lease = memory.acquire(&key, &Owner::new("zombie"), ttl).await.unwrap().unwrap().0;
    let mut tx = memory.begin(&zombie).await.unwrap();
    let forged = Payload::parse(r#"{"sum":0,"seen":[-1],"closed":false}"#).unwrap();
    tx.write(vec![(ACCOUNT.as_str().to_owned(), Some(forged))]).await.unwrap();

    let leader = instance(&Rigged::new(&memory));
    leader.catch_up(&SUMS).await.unwrap();
    let advance = Advance::new(None, Some(Offset::new(9)), 10);
    let refused = tx.commit(Change::Advance(advance)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(seen(&memory).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn catching_up_is_done_when_another_instance_has_done_it() {
    let memory = MemoryStore::new();
    let (slow, other) = (Rigged::new(&memory), Rigged::new(&memory));
    let (leader, caller) = (instance(&slow), instance(&other));
    let running = run(&leader);
    until("it leads", || async { state(&leader) == ProjectionState::Live }).await;
    slow.rig(|call| match call {
        Call::Commit => Act::Delay(Duration::from_secs(20)),
        _ => Act::Pass,
    });
    add(&memory, 0..10).await;
    let caught_up = caller.catch_up(&SUMS).await.unwrap();
    assert_eq!((caught_up.checkpoint, caught_up.events), (Some(Offset::new(9)), 0));
    assert_eq!(seen(&memory).await, (0..10).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_workers_of_one_process_do_not_share_a_lease() {
    let store = Rigged::new(&MemoryStore::new());
    let mails = Mails::default();
    let projections = Projections::new(store.clone());
    projections.register_handler(mails.clone(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    for n in 0..20 {
        add(&store, [n]).await;
        projections.catch_up(&SUMS).await.unwrap();
    }
    running.stop().await;
    assert_eq!(mails.sent(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_moved_by_hand_is_taken_up_where_it_is() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..3).await;
    let mails = Mails::default();
    let projections = Projections::new(store.clone());
    projections.register_handler(mails.clone(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    until("all is sent", || async { checkpoint(&store).await == Some(2) }).await;
    store.reset(&CheckpointKey::new(SUMS, Source::All)).await.unwrap();
    until("all is sent again", || async { mails.sent() == [0, 1, 2, 0, 1, 2] }).await;

    store.delete(&CheckpointKey::new(SUMS, Source::All)).await.unwrap();
    until("and again", || async { mails.sent().len() == 9 }).await;
    running.stop().await;
    assert_eq!(checkpoint(&store).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ends_before_the_checkpoint_is_not_followed() {
    let (old, restored) = (MemoryStore::new(), MemoryStore::new());
    add(&old, 0..10).await;
    let models = Rigged::new(&MemoryStore::new());
    let before = Projections::with_events(Arc::new(old.clone()), models.clone());
    before.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    before.catch_up(&SUMS).await.unwrap();

    add(&restored, 0..4).await;
    let events: Arc<dyn EventStore> = Arc::new(restored.clone());
    let after = Projections::with_events(events, models.clone());
    after.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let running = run(&after);
    until("it says so", || async {
        let error = row(&models).await.and_then(|row| row.last_error);
        error.is_some_and(|error| error.contains("lost events"))
    })
    .await;
    add(&restored, 4..6).await;
    assert_eq!(seen(&models).await.len(), 10);

    after.rebuild(&SUMS).await.unwrap();
    until("it is rebuilt", || async { seen(&models).await == [0, 1, 2, 3, 4, 5] }).await;
    running.stop().await;
}
