//! The log is replaced by an older one: nothing is skipped, and there is a way on.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    CheckpointKey, CheckpointStore, EventStore, EventStoreExt, EventType, Expected, NewEvent,
    Offset, Payload, Position, Source, StreamName,
};
use highwater_projection::{ProjectionOptions, ProjectionState, Projections, RunError};
use highwater_testkit::MemoryStore;

use crate::support::{Mails, Rigged, SUMS, Sums, add, checkpoint, row, run, seen, settle, until};

/// A log and read models that are kept apart.
fn apart() -> (MemoryStore, Rigged, Projections<Rigged>) {
    let (log, models) = (MemoryStore::new(), Rigged::new(&MemoryStore::new()));
    let projections = Projections::with_events(Arc::new(log.clone()), models.clone());
    projections.register_view(Sums::default(), ProjectionOptions::default()).unwrap();
    (log, models, projections)
}

/// Ten events are projected, six of them lost, and `then` more appended.
async fn lossy(then: i64) -> (MemoryStore, Rigged, Projections<Rigged>) {
    let (log, models, projections) = apart();
    add(&log, 0..10).await;
    projections.catch_up(&SUMS).await.unwrap();
    log.lose_events(Position::new(4));
    if then > 0 {
        add(&log, 100..100 + then).await;
    }
    (log, models, projections)
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_replaced_is_refused_however_far_it_has_got_since() {
    for then in [0, 1, 6, 7, 50] {
        let (log, models, projections) = lossy(then).await;
        let error = projections.catch_up(&SUMS).await.unwrap_err();
        let RunError::GaveUp { checkpoint: Some(at), .. } = &error else { panic!("{error:?}") };
        assert_eq!(at.get(), 9);
        let text = error.to_string();
        for part in ["\"sums\"", "9 of $all", "was replaced", "rebuild", "rebase"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(&format!("at {}", 3 + then)), "the head: {text}");
        let row = row(&models).await.unwrap();
        assert_eq!((row.last_processed_offset, row.owner), (Some(Offset::new(9)), None));
        assert!(row.last_error.is_some_and(|error| error.contains("was replaced")));
        assert_eq!(seen(&models).await.len(), 10, "nothing is added");

        projections.rebuild(&SUMS).await.unwrap();
        projections.catch_up(&SUMS).await.unwrap();
        let expected: Vec<i64> = (0..4).chain(100..100 + then).collect();
        assert_eq!(seen(&models).await, expected);
        drop(log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_replaced_while_it_is_followed_is_refused_within_seconds() {
    for then in [0, 3, 6, 20] {
        let (log, models, projections) = apart();
        add(&log, 0..10).await;
        let running = run(&projections);
        until("it is live", || async { checkpoint(&models).await == Some(9) }).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        settle().await;
        log.lose_events(Position::new(4));
        if then > 0 {
            add(&log, 100..100 + then).await;
        }
        let mut state = projections.watch(&SUMS).unwrap();
        let failed = state.wait_for(|state| *state == ProjectionState::Failed);
        tokio::time::timeout(Duration::from_secs(5), failed).await.unwrap().unwrap();
        assert_eq!(seen(&models).await, (0..10).collect::<Vec<_>>());

        projections.rebuild(&SUMS).await.unwrap();
        let expected: Vec<i64> = (0..4).chain(100..100 + then).collect();
        until("it is rebuilt", || async { seen(&models).await == expected }).await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn checkpoints_that_went_back_with_their_log_are_followed_at_once() {
    let inner = MemoryStore::new();
    let store = Rigged::new(&inner);
    add(&inner, 0..10).await;
    let mails = Mails::default();
    let projections = Projections::new(store.clone());
    projections.register_handler(mails.clone(), ProjectionOptions::default()).unwrap();
    let running = run(&projections);
    until("all is sent", || async { checkpoint(&store).await == Some(9) }).await;

    // As of a backup: the checkpoint of that time, and the events up to then.
    let page = inner.read(&Source::All, &[], Some(Offset::new(2)), 1).await.unwrap();
    let key = CheckpointKey::new(SUMS, Source::All);
    inner.rebase(&key, Some(Offset::new(3)), Some(page.events[0].id)).await.unwrap();
    inner.lose_events(Position::new(4));
    add(&inner, 100..103).await;
    until("the new ones are sent", || async {
        mails.sent().ends_with(&[100, 101, 102]) && checkpoint(&store).await == Some(6)
    })
    .await;
    assert_eq!(mails.sent(), (0..10).chain(100..103).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_scanned_over_is_part_of_what_must_not_be_replaced() {
    let (log, models, projections) = apart();
    add(&log, 0..2).await;
    for _ in 0..8 {
        let payload = Payload::parse("null").unwrap();
        let foreign = NewEvent::new(EventType::from_static("Foreign"), payload);
        let stream = StreamName::from_static("other-1");
        log.append_to(stream, Expected::Any, vec![foreign]).await.unwrap();
    }
    projections.catch_up(&SUMS).await.unwrap();
    assert_eq!(checkpoint(&models).await, Some(9), "it has moved over what it does not want");
    log.lose_events(Position::new(4));
    add(&log, 100..120).await;
    let error = projections.catch_up(&SUMS).await.unwrap_err();
    assert!(error.to_string().contains("was replaced"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_projection_that_is_rebased_goes_on_behind_the_place_and_keeps_what_it_has() {
    let (log, models, projections) = lossy(6).await;
    let nowhere = projections.rebase(&SUMS, Some(Offset::new(10))).await;
    assert!(matches!(nowhere, Err(RunError::NoSuchPlace { .. })), "{nowhere:?}");
    let running = run(&projections);
    let mut state = projections.watch(&SUMS).unwrap();
    state.wait_for(|state| *state == ProjectionState::Failed).await.unwrap();
    projections.rebase(&SUMS, Some(Offset::new(3))).await.unwrap();
    let expected: Vec<i64> = (0..10).chain(100..106).collect();
    until("it goes on", || async { seen(&models).await == expected }).await;
    assert_eq!(row(&models).await.unwrap().last_error, None);
    running.stop().await;
    drop(log);
}
