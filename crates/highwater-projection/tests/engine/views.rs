//! What each way of writing a projection does with a log that gives no trouble.

use highwater_core::{
    BoxError, Decode, Document, EventStoreExt, EventType, Expected, Offset, Payload,
    ProjectionName, ProjectionStore, Recorded, Source, StreamName, Upcasters, View,
};
use highwater_projection::{CaughtUp, CheckpointPolicy, ProjectionOptions, Projections, RunError};
use highwater_testkit::MemoryStore;

use crate::support::{
    ACCOUNT, Mails, Rigged, SUMS, Sums, SumsInTx, Tally, add, add_raw, checkpoint, row, run, seen,
    storing, until,
};

#[tokio::test(start_paused = true)]
async fn catching_up_processes_everything_and_returns() {
    let store = MemoryStore::new();
    add(&store, 0..1_234).await;
    let projections = Projections::new(store.clone());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();

    let first = projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(first, CaughtUp { checkpoint: Some(Offset::new(1_233)), events: 1_234 });
    assert_eq!(seen(&store).await, (0..1_234).collect::<Vec<_>>());
    let row = row(&store).await.unwrap();
    assert_eq!((row.events_processed, row.owner), (1_234, None), "and the lease is given back");

    let again = projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(again, CaughtUp { checkpoint: Some(Offset::new(1_233)), events: 0 });
    let unknown = projections.catch_up(&ProjectionName::from_static("unheard-of")).await;
    assert!(matches!(unknown, Err(RunError::Unknown(_))), "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_to_process_is_caught_up() {
    let projections = Projections::new(MemoryStore::new());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let caught_up = projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(caught_up, CaughtUp { checkpoint: None, events: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_view_a_projection_and_a_handler_see_the_same_events() {
    let store = MemoryStore::new();
    let rigged = Rigged::new(&store);
    add(&store, 0..40).await;
    for batch_size in [1, 7, 500] {
        let options = ProjectionOptions { batch_size, ..Default::default() };
        let in_tx = Projections::new(rigged.clone());
        in_tx.register(SumsInTx::default(), options.clone()).unwrap();
        in_tx.rebuild(&SUMS).await.unwrap();
        in_tx.catch_up(&SUMS).await.unwrap();
        assert_eq!(seen(&store).await, (0..40).collect::<Vec<_>>());

        let view = Projections::new(store.clone());
        view.register_view(Sums::default(), options.clone()).unwrap();
        view.rebuild(&SUMS).await.unwrap();
        view.catch_up(&SUMS).await.unwrap();
        assert_eq!(seen(&store).await, (0..40).collect::<Vec<_>>());

        let handler = Projections::new(store.clone());
        let mails = Mails { can_rebuild: true, ..Default::default() };
        handler.register_handler(mails.clone(), options).unwrap();
        handler.rebuild(&SUMS).await.unwrap();
        handler.catch_up(&SUMS).await.unwrap();
        assert_eq!(mails.sent(), (0..40).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn new_events_are_applied_as_they_come() {
    let store = MemoryStore::new();
    let projections = Projections::new(store.clone());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    for n in 0..20 {
        let began = tokio::time::Instant::now();
        add(&store, [n]).await;
        until("the event is applied", || async { seen(&store).await.contains(&n) }).await;
        assert!(began.elapsed().as_millis() <= 250 || n == 0, "woken, not polled");
    }
    running.stop().await;
    assert_eq!(seen(&store).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_not_kept_begins_anew_wherever_the_batches_end() {
    for policy in [CheckpointPolicy::PerBatch, CheckpointPolicy::PerEvent] {
        let store = MemoryStore::new();
        add(&store, [1, 2]).await;
        store.publish(ACCOUNT, Expected::Any, &[Tally::Closed]).await.unwrap();
        let projections = Projections::new(store.clone());
        projections.register_view(Sums::default(), storing(policy)).unwrap();
        projections.catch_up(&SUMS).await.unwrap();
        assert!(store.scan(&SUMS, "", None, 10).await.unwrap().is_empty());

        add(&store, [3]).await;
        store.publish(ACCOUNT, Expected::Any, &[Tally::Closed]).await.unwrap();
        add(&store, [4]).await;
        projections.catch_up(&SUMS).await.unwrap();
        assert_eq!(seen(&store).await, [4], "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filtered_projection_moves_over_what_it_does_not_want() {
    let store = MemoryStore::new();
    add(&store, [1]).await;
    for _ in 0..10_000 {
        add_raw(&store, "Unrelated", "1").await;
    }
    let rigged = Rigged::new(&store);
    let projections = Projections::new(rigged.clone());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    until("it has scanned", || async { checkpoint(&store).await == Some(10_000) }).await;
    assert!(rigged.saves().len() <= 4, "{:?}", rigged.saves());

    for n in 0..200 {
        add_raw(&store, "Unrelated", "1").await;
        let reached = 10_001 + n;
        if n % 10 == 0 {
            until("it moves on", || async { checkpoint(&store).await >= Some(reached) }).await;
        }
    }
    until("it has scanned", || async { checkpoint(&store).await == Some(10_200) }).await;
    assert!(rigged.saves().len() <= 50, "not a write for every event: {:?}", rigged.saves());
    running.stop().await;
    let row = row(&store).await.unwrap();
    assert_eq!(row.events_processed, 1);
    assert_eq!(seen(&store).await, [1]);
}

/// Counts by a key of the event's payload, whatever its type.
struct ByKey {
    upcasters: Upcasters,
}

impl View for ByKey {
    type Event = Payload;
    type Document = u64;

    fn name(&self) -> ProjectionName {
        SUMS
    }

    fn source(&self) -> Source {
        Source::Stream(ACCOUNT)
    }

    fn keys(&self, event: &Recorded<Payload>) -> impl IntoIterator<Item = String> {
        event.data.to::<Vec<String>>().unwrap_or_default()
    }

    fn apply(&self, count: &mut u64, _: &str, _: &Recorded<Payload>) -> Result<(), BoxError> {
        *count += 1;
        Ok(())
    }

    fn upcasters(&self) -> Upcasters {
        self.upcasters.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_may_change_many_documents_or_none() {
    let store = MemoryStore::new();
    for keys in [r#"["a","b"]"#, "[]", r#"["b"]"#, r#"["b","c"]"#] {
        add_raw(&store, "Tagged", keys).await;
    }
    let other = StreamName::from_static("elsewhere");
    store.publish(other, Expected::Any, &[Tally::Added { n: 1 }]).await.unwrap();
    let projections = Projections::new(store.clone());
    let upcasters = Upcasters::new();
    projections.register_view(ByKey { upcasters }, ProjectionOptions::default()).unwrap();
    projections.catch_up(&SUMS).await.unwrap();
    let all = store.scan(&SUMS, "", None, 10).await.unwrap();
    let text = |found: &Document| format!("{}={}", found.key, found.data.as_str());
    assert_eq!(all.iter().map(text).collect::<Vec<_>>(), ["a=1", "b=3", "c=1"]);
}

#[tokio::test(start_paused = true)]
async fn old_events_are_brought_up_to_date_before_they_are_seen() {
    let store = MemoryStore::new();
    add_raw(&store, "Tagged", r#"["a"]"#).await;
    let projections = Projections::new(store.clone());
    let upcasters = Upcasters::new()
        .payload(EventType::from_static("Tagged"), |_| Ok(serde_json::json!(["upcast"])));
    projections.register_view(ByKey { upcasters }, ProjectionOptions::default()).unwrap();
    projections.catch_up(&SUMS).await.unwrap();
    let all = store.scan(&SUMS, "", None, 10).await.unwrap();
    assert_eq!(all[0].key, "upcast");
    assert_eq!(Payload::event_types().unwrap(), None);
}
