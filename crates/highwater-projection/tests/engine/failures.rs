//! What happens when an event fails, and when the store does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use highwater_core::{
    BoxError, CheckpointKey, CheckpointStore, DeadLetter, ProjectionName, Recorded, Source, View,
};
use highwater_projection::{
    Backoff, CheckpointPolicy, FailurePolicy, ProjectionOptions, ProjectionState, Projections,
    RetryPolicy, RunError,
};
use highwater_testkit::MemoryStore;
use tokio::time::Instant;

use crate::support::{
    Act, Call, Faults, Mails, Rigged, SUMS, Sums, SumsInTx, Tally, add, add_raw, checkpoint, row,
    run, seen, until,
};

fn skipping() -> ProjectionOptions {
    ProjectionOptions { on_failure: FailurePolicy::Skip, ..Default::default() }
}

async fn letters(store: &impl CheckpointStore) -> Vec<DeadLetter> {
    store.dead_letters(&CheckpointKey::new(SUMS, Source::All), None, 100).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_poison_event_stops_the_projection_behind_its_committed_neighbours() {
    for in_tx in [false, true] {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..100).await;
        let faults = Faults::default().fail(37, u32::MAX);
        let projections = Projections::new(store.clone());
        let options = ProjectionOptions::default();
        if in_tx {
            projections.register(SumsInTx { faults: faults.clone() }, options).unwrap();
        } else {
            projections.register_view(Sums { faults: faults.clone() }, options).unwrap();
        }
        let error = projections.catch_up(&SUMS).await.unwrap_err();
        assert!(matches!(error, RunError::GaveUp { .. }), "{error:?}");
        assert_eq!(checkpoint(&store).await, Some(36));
        assert_eq!(seen(&store).await, (0..37).collect::<Vec<_>>());
        let row = row(&store).await.unwrap();
        let text = row.last_error.unwrap();
        assert!(text.contains("37 does not count") && text.contains("5 times"), "{text}");
        assert_eq!(row.owner, None, "the lease is given back");
        assert!(letters(&store).await.is_empty());

        faults.repair();
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(seen(&store).await, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_passed_over_is_recorded_with_the_checkpoint() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..10).await;
    let faults = Faults::default().fail(0, u32::MAX).fail(4, u32::MAX).fail(9, u32::MAX);
    let projections = Projections::new(store.clone());
    projections.register(SumsInTx { faults }, skipping()).unwrap();
    projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(seen(&store).await, [1, 2, 3, 5, 6, 7, 8]);
    assert_eq!(checkpoint(&store).await, Some(9));
    let row = row(&store).await.unwrap();
    assert_eq!((row.events_processed, row.last_error), (7, None));
    let letters = letters(&store).await;
    let offsets: Vec<u64> = letters.iter().map(|found| found.letter.offset.get()).collect();
    assert_eq!(offsets, [0, 4, 9]);
    assert_eq!(letters[1].letter.attempts, 5);
    assert_eq!(letters[1].letter.error, "4 does not count");
}

#[tokio::test(start_paused = true)]
async fn no_dead_letter_without_the_checkpoint_that_passes_it() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..3).await;
    let faults = Faults::default().fail(1, u32::MAX);
    let projections = Projections::new(store.clone());
    projections.register(SumsInTx { faults }, skipping()).unwrap();
    store.rig_times(Call::Save, Act::Fail, 2);
    let running = run(&projections);
    until("the third try", || async { checkpoint(&store).await == Some(2) }).await;
    running.stop().await;
    assert_eq!(letters(&store).await.len(), 1);
    assert_eq!(seen(&store).await, [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_retried_alone_with_growing_waits() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..10).await;
    let faults = Faults::default().fail(5, 4);
    let mails = Mails { faults: faults.clone(), ..Default::default() };
    let projections = Projections::new(store.clone());
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4)).without_jitter();
    let retry = RetryPolicy { backoff, max_attempts: 5 };
    let options = ProjectionOptions { retry, ..Default::default() };
    projections.register_handler(mails.clone(), options).unwrap();
    let began = Instant::now();
    projections.catch_up(&SUMS).await.unwrap();
    let waited = began.elapsed();
    assert!((Duration::from_secs(11)..Duration::from_millis(11_100)).contains(&waited));
    assert_eq!(mails.sent(), (0..10).collect::<Vec<_>>(), "no effect is repeated");
    assert_eq!(faults.tried(), [0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 6, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn operators_see_an_event_that_is_being_retried() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..4).await;
    let mails = Mails { faults: Faults::default().fail(2, u32::MAX), ..Default::default() };
    let projections = Projections::new(store.clone());
    let retry = RetryPolicy { max_attempts: u32::MAX, ..Default::default() };
    let options = ProjectionOptions { retry, ..Default::default() };
    projections.register_handler(mails.clone(), options).unwrap();
    let running = run(&projections);
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Retrying).await.unwrap();
    let row = row(&store).await.unwrap();
    assert!(row.last_error.unwrap().contains("2 does not count"));
    assert_eq!(row.last_processed_offset.map(|at| at.get()), Some(1), "what is done is stored");
    mails.faults.repair();
    until("it recovers", || async { checkpoint(&store).await == Some(3) }).await;
    running.stop().await;
    assert_eq!(mails.sent(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_event() {
    for in_tx in [false, true] {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..10).await;
        let faults = Faults::default().panic(3, u32::MAX).panic(6, 2);
        let projections = Projections::new(store.clone());
        if in_tx {
            projections.register(SumsInTx { faults }, skipping()).unwrap();
        } else {
            projections.register_view(Sums { faults }, skipping()).unwrap();
        }
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(seen(&store).await, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
        let letters = letters(&store).await;
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].letter.error, "panicked: 3 is too much");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_decoded_is_a_failure_and_not_passed_silently() {
    let store = MemoryStore::new();
    add(&store, [0]).await;
    add_raw(&store, "Added", r#"{"n":"one"}"#).await;
    add(&store, [2]).await;
    let stopping = Projections::new(store.clone());
    stopping.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    stopping.catch_up(&SUMS).await.unwrap_err();
    assert_eq!(checkpoint(&store).await, Some(0));
    let error = row(&store).await.unwrap().last_error.unwrap();
    assert!(error.contains("cannot be decoded") && error.contains("account-1"), "{error}");

    let skipping_it = Projections::new(store.clone());
    skipping_it.register_view(Sums::default(), skipping()).unwrap();
    skipping_it.catch_up(&SUMS).await.unwrap();
    assert_eq!(seen(&store).await, [0, 2]);
    let letters = letters(&store).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].letter.attempts, 1, "it is not retried in vain");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_blamed_on_no_event() {
    let calls = [Call::Read, Call::Checkpoint, Call::Acquire, Call::Documents, Call::Begin];
    for (call, act) in calls
        .into_iter()
        .flat_map(|call| [(call, Act::Fail), (call, Act::LoseAnswer)])
        .chain([(Call::Commit, Act::Fail), (Call::Commit, Act::LoseAnswer)])
    {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..50).await;
        let faults = Faults::default();
        let projections = Projections::new(store.clone());
        let options = ProjectionOptions { batch_size: 20, ..skipping() };
        projections.register_view(Sums { faults }, options).unwrap();
        store.rig_times(call, act, 7);
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(seen(&store).await, (0..50).collect::<Vec<_>>(), "{call:?} {act:?}");
        assert!(letters(&store).await.is_empty(), "{call:?} {act:?}");
        assert_eq!(row(&store).await.unwrap().events_processed, 50, "{call:?} {act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_error_of_user_code_is_blamed_on_no_event() {
    for is_handler in [false, true] {
        let store = Rigged::new(&MemoryStore::new());
        add(&store, 0..10).await;
        let faults = Faults::default().unavailable(5, 20);
        let projections = Projections::new(store.clone());
        if is_handler {
            let mails = Mails { faults: faults.clone(), ..Default::default() };
            projections.register_handler(mails, skipping()).unwrap();
        } else {
            projections.register(SumsInTx { faults: faults.clone() }, skipping()).unwrap();
        }
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(row(&store).await.unwrap().events_processed, 10);
        assert!(letters(&store).await.is_empty());
        assert_eq!(faults.tried().iter().filter(|n| **n == 5).count(), 21, "never given up");
    }
}

#[tokio::test(start_paused = true)]
async fn effects_are_not_repeated_because_a_read_failed() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, 0..10).await;
    let mails = Mails::default();
    let projections = Projections::new(store.clone());
    let policy = CheckpointPolicy::Every(Duration::from_secs(3_600));
    let options = ProjectionOptions { batch_size: 3, checkpoint: policy, ..Default::default() };
    projections.register_handler(mails.clone(), options).unwrap();
    let reads = AtomicU32::new(0);
    store.rig(move |call| {
        let is_third = || reads.fetch_add(1, Ordering::Relaxed) % 3 == 2;
        if call == Call::Read && is_third() { Act::Fail } else { Act::Pass }
    });
    projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(mails.sent(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_given_up_only_when_told_so() {
    let store = Rigged::new(&MemoryStore::new());
    add(&store, [1]).await;
    store.rig(|call| if call == Call::Read { Act::Fail } else { Act::Pass });
    let projections = Projections::new(store.clone());
    let poll_backoff = Backoff { base: Duration::from_secs(1), ..Default::default() };
    let options = ProjectionOptions { poll_backoff, ..Default::default() };
    let limited = ProjectionOptions { max_poll_failures: Some(4), ..options.clone() };
    projections.register_view(Sums::default(), limited).unwrap();
    let began = Instant::now();
    let error = projections.catch_up(&SUMS).await.unwrap_err();
    assert!(matches!(error, RunError::GaveUp { .. }), "{error:?}");
    let waited = began.elapsed();
    let waits = Duration::from_millis(5_600)..=Duration::from_millis(7_100);
    assert!(waits.contains(&waited), "three waits of 1, 2 and 4 s less jitter: {waited:?}");
    assert!(row(&store).await.unwrap().last_error.unwrap().contains("rigged: Read"));

    let patient = Projections::new(store.clone());
    patient.register_view(Sums::default(), options).unwrap();
    let running = run(&patient);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    until("it says so", || async {
        let row = row(&store).await.unwrap();
        row.last_error.is_some_and(|error| error.contains("rigged")) && row.owner.is_some()
    })
    .await;
    store.rig(|_| Act::Pass);
    until("it goes on", || async { seen(&store).await == [1] }).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_gives_up_stops_no_other_and_can_be_started_again() {
    let store = MemoryStore::new();
    add(&store, 0..3).await;
    let projections = Projections::new(store.clone());
    let faults = Faults::default().fail(1, u32::MAX);
    let options = ProjectionOptions::default();
    projections.register_view(Sums { faults: faults.clone() }, options.clone()).unwrap();
    projections.register_view(Other, options).unwrap();
    let running = run(&projections);
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Failed).await.unwrap();
    add(&store, [3]).await;
    until("the other goes on", || async {
        let other = CheckpointKey::new(Other.name(), Source::All);
        let row = store.checkpoint(&other).await.unwrap();
        row.and_then(|row| row.last_processed_offset).map(|at| at.get()) == Some(3)
    })
    .await;
    assert_eq!(checkpoint(&store).await, Some(0));

    faults.repair();
    projections.start(&SUMS).unwrap();
    until("it goes on", || async { seen(&store).await == [0, 1, 2, 3] }).await;
    running.stop().await;
}

/// A view of the same events under another name.
struct Other;

impl View for Other {
    type Event = Tally;
    type Document = u64;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("other")
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, _: &Recorded<Self::Event>) -> impl IntoIterator<Item = String> {
        ["all".to_owned()]
    }

    fn apply(&self, count: &mut u64, _: &str, _: &Recorded<Self::Event>) -> Result<(), BoxError> {
        *count += 1;
        Ok(())
    }
}
