//! User code that takes long, appends to what it follows, or meets documents of another time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use highwater_core::{
    Advance, BoxError, Change, CheckpointKey, CheckpointStore, Handler, IdempotencyKey, Lease,
    Owner, Payload, ProjectionName, ProjectionStore, ProjectionStoreExt, ProjectionTx, Recorded,
    Source, StoreError,
};
use highwater_projection::{FailurePolicy, ProjectionOptions, ProjectionState, Projections};
use highwater_testkit::MemoryStore;

use crate::support::{ACCOUNT, SUMS, Sums, Tally, add, checkpoint, row, run, seen, until};

/// Answers each event with another one on the stream that it follows, or hangs.
#[derive(Clone)]
struct Echo {
    store: MemoryStore,
    hangs: Arc<AtomicBool>,
}

impl Handler for Echo {
    type Event = Tally;

    fn name(&self) -> ProjectionName {
        SUMS
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn handle(&self, _: &Recorded<Tally>, _: &IdempotencyKey) -> Result<(), BoxError> {
        while self.hangs.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        add(&self.store, [1]).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_catch_up_ends_where_the_log_ended_though_it_is_appended_to() {
    for batch_size in [1, 3, 500] {
        let store = MemoryStore::new();
        add(&store, 0..10).await;
        let projections = Projections::new(store.clone());
        let echo = Echo { store: store.clone(), hangs: Arc::default() };
        let options = ProjectionOptions { batch_size, ..Default::default() };
        projections.register_handler(echo, options).unwrap();
        let caught_up = projections.catch_up(&SUMS).await.unwrap();
        let at = caught_up.checkpoint.unwrap().get();
        assert!((9..9 + batch_size as u64).contains(&at), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn user_code_that_hangs_keeps_the_lease_and_is_told_of() {
    let store = MemoryStore::new();
    add(&store, [1]).await;
    let projections = Projections::new(store.clone());
    let echo = Echo { store: store.clone(), hangs: Arc::new(AtomicBool::new(true)) };
    projections.register_handler(echo.clone(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    until("it is told of", || async {
        let row = row(&store).await;
        let error = row.and_then(|row| row.owner.and(row.last_error));
        error.is_some_and(|error| error.contains("applying the events 0 to 0 has taken"))
    })
    .await;
    let why = projections.status().await.unwrap().remove(0).why;
    assert!(why.contains("goes on"), "{why}");
    echo.hangs.store(false, Ordering::Relaxed);
    until("it goes on", || async { checkpoint(&store).await > Some(2) }).await;
    assert_eq!(row(&store).await.unwrap().last_error, None);
    running.stop().await;
}

/// Writes what an earlier release has left under the name of the view.
async fn write_old_document(store: &MemoryStore, lease: &Lease) {
    let mut tx = store.begin(lease).await.unwrap();
    let old = Payload::parse("[\"of an earlier release\"]").unwrap();
    tx.write(vec![(ACCOUNT.as_str().to_owned(), Some(old))]).await.unwrap();
    let change = Change::Advance(Advance::new(None, None, 0));
    tx.commit(change).await.unwrap();
    store.release(lease).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_document_that_does_not_fit_is_the_views_error_and_blamed_on_no_event() {
    for on_failure in [FailurePolicy::Stop, FailurePolicy::Skip] {
        let store = MemoryStore::new();
        let key = CheckpointKey::new(SUMS, Source::All);
        let owner = Owner::new("earlier");
        let ttl = Duration::from_secs(10);
        let (lease, _) = store.acquire(&key, &owner, ttl).await.unwrap().unwrap();
        write_old_document(&store, &lease).await;
        add(&store, 0..5).await;

        let projections = Projections::new(store.clone());
        let options = ProjectionOptions { on_failure, ..Default::default() };
        projections.register_view(Sums::default(), options).unwrap();
        let running = run(&projections);
        let mut state = projections.watch(&SUMS).unwrap();
        state.wait_for(|state| *state == ProjectionState::Failed).await.unwrap();
        let failed = row(&store).await.unwrap();
        let text = failed.last_error.unwrap();
        for part in ["account-1", "\"sums\"", "a rebuild is needed"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("event"), "no event is blamed: {text}");
        assert!(store.dead_letters(&key, None, 10).await.unwrap().is_empty());
        assert_eq!(checkpoint(&store).await, None);
        let read = store.document(&Sums::default(), ACCOUNT.as_str()).await.unwrap_err();
        assert!(matches!(&read, StoreError::Unfit(_)), "{read:?}");
        assert!(read.to_string().contains("a rebuild is needed"), "{read}");

        projections.rebuild(&SUMS).await.unwrap();
        until("it is rebuilt", || async { checkpoint(&store).await == Some(4) }).await;
        assert_eq!(seen(&store).await, (0..5).collect::<Vec<_>>());
        running.stop().await;
    }
}
