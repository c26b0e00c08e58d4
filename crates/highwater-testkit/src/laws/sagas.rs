//! Sagas: created once, and moved as a whole.

use std::sync::Arc;

use highwater_core::{
    Due, EventStore, Expected, SagaName, SagaProgress, SagaRecorded, SagaState, SagaStore,
    StepOutcome, StepRecord, StoreError,
};

use super::saga_support::{LONG, claim, create, id, move_on, record, saga, to, trip, try_create};
use super::support::{append, event, events, json, part, stream_events, together};
use crate::fixture::Fixture;

/// Whoever starts a saga sees at once what was stored.
pub async fn a_created_saga_stands_at_its_beginning(store: impl SagaStore) {
    let new = trip("trip-1");
    let created = create(&store, new.clone()).await;
    assert_eq!(created.progress, SagaProgress::new(new.input.clone()));
    assert_eq!((created.id.clone(), created.correlation_id.clone()), (new.id, new.correlation_id));
    assert_eq!((&created.name, created.version), (&new.name, new.version));
    assert_eq!((&created.plan, &created.input), (&new.plan, &new.input));
    assert_eq!((created.revision, created.epoch, created.owner.clone()), (0, 0, None));
    assert_eq!((created.request, created.completed_at), (None, None));
    assert!(created.due_at.is_some());
    assert_eq!(saga(&store, &created.id).await, created);
    assert_eq!(store.saga(&id("trip-2")).await.expect("a saga is read"), None);
}

/// A client that does not know whether its request arrived sends it again.
pub async fn creating_a_saga_again_returns_the_first(store: impl SagaStore + EventStore) {
    let with_event = || {
        let mut new = trip("trip-1");
        new.appends = vec![part("order-1", events(0..1))];
        new
    };
    create(&store, with_event()).await;
    let moved = to(&claim(&store).await.record, SagaState::Running, 1, Due::Held(LONG));
    let moved = move_on(&store, moved).await;
    let mut again = with_event();
    again.input = json("{ \"to\" : \"Oslo\" }");
    let again = try_create(&store, again).await.expect("the saga that is there");
    assert!(!again.is_new);
    assert_eq!(again.record, moved);
    assert_eq!(stream_events(&store, "order-1").await.len(), 1, "nothing is appended again");
}

/// Two orders that share an id by mistake must not share a saga.
pub async fn an_id_that_stands_for_another_saga_is_refused(store: impl SagaStore) {
    let first = create(&store, trip("trip-1")).await;
    let mut other_input = trip("trip-1");
    other_input.input = json("{\"to\":\"Rome\"}");
    let mut other_name = trip("trip-1");
    other_name.name = SagaName::from_static("cancel-trip");
    for other in [other_input, other_name] {
        let refused = try_create(&store, other).await;
        assert!(matches!(&refused, Err(StoreError::SagaTaken { id }) if *id == first.id));
    }
    assert_eq!(saga(&store, &first.id).await, first);
}

/// Every instance of a service may receive the same message.
pub async fn of_many_who_create_one_saga_one_does(store: impl SagaStore) {
    let store = Arc::new(store);
    let created = together(8, |_| {
        let store = Arc::clone(&store);
        async move { try_create(&*store, trip("trip-1")).await.expect("a saga is created") }
    })
    .await;
    assert_eq!(created.iter().filter(|created| created.is_new).count(), 1);
}

/// An order that is stored without its saga, or the other way round, is lost.
pub async fn a_saga_and_the_events_it_starts_with_commit_together(
    store: impl SagaStore + EventStore,
) {
    append(&store, "order-1", events(0..1)).await;
    let starting = |expected| {
        let mut new = trip("trip-1");
        new.appends = vec![part("order-1", events(1..3)).expecting(expected)];
        new
    };
    let refused = try_create(&store, starting(Expected::NoStream)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.saga(&id("trip-1")).await.expect("a saga is read"), None);
    create(&store, starting(Expected::Exists)).await;
    assert_eq!(stream_events(&store, "order-1").await.len(), 3);
}

/// Readers of a saga's events must not see what it did not do, nor miss what it did.
pub async fn a_transition_and_its_events_commit_together(store: impl SagaStore + EventStore) {
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await.record;
    let moving = |expected| {
        let mut moving = to(&held, SagaState::Running, 1, Due::Held(LONG));
        moving.appends = vec![part("saga-1", vec![event(7)]).expecting(expected)];
        moving
    };
    let refused = record(&store, moving(Expected::Exists)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(saga(&store, &held.id).await, held, "nothing has moved");

    let moved = moving(Expected::NoStream);
    let at = move_on(&store, moved.clone()).await.last_updated;
    assert_eq!(record(&store, moved).await.expect("a repetition"), SagaRecorded::Written(at));
    assert_eq!(stream_events(&store, "saga-1").await.len(), 1);
}

/// The state that one step leaves behind is all that the next one has.
pub async fn a_transition_replaces_the_progress_as_a_whole(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await.record;
    let now = held.started_at;
    let step = StepRecord {
        step: "hotel".to_owned(),
        outcome: StepOutcome::Compensated,
        is_in_doubt: true,
        attempts: 3,
        compensation_attempts: 2,
        lost_attempts: 0,
        lost_owners: Vec::new(),
        is_begun_again: false,
        started_at: now,
        finished_at: now,
        error: Some("no \"rooms\" left, näive".to_owned()),
    };
    let mut moving = to(&held, SagaState::Compensating, 2, Due::Held(LONG));
    moving.progress.is_unwinding = true;
    moving.progress.steps = vec![step];
    moving.progress.data = json("{\"to\":\"Oslo\",\"price\":10.50}");
    moving.progress.error = Some("no rooms".to_owned());
    let expected = moving.progress.clone();
    let moved = move_on(&store, moving).await;
    assert_eq!(moved.progress, expected);
    assert_eq!((moved.revision, moved.epoch), (1, held.epoch));
    assert_eq!((&moved.input, &moved.plan), (&held.input, &held.plan));
    assert!(moved.last_updated >= held.last_updated);
}

/// An operator wants to know when a saga ended, not when it was last looked at.
pub async fn a_final_saga_says_when_it_ended(store: impl SagaStore) {
    for (text, state) in [("trip-1", SagaState::Completed), ("trip-2", SagaState::Compensated)] {
        create(&store, trip(text)).await;
        let ended = to(&claim(&store).await.record, state, 3, Due::OnRequest);
        let ended = move_on(&store, ended).await;
        assert!(ended.completed_at.is_some_and(|at| at >= ended.started_at));
        assert_eq!((ended.owner, ended.due_at), (None, None));
    }
    create(&store, trip("trip-3")).await;
    let failed = to(&claim(&store).await.record, SagaState::Failed, 1, Due::OnRequest);
    assert_eq!(move_on(&store, failed).await.completed_at, None, "it may still be repaired");
}

/// One saga that cannot move must not hold up those that share its commit.
pub async fn the_entries_of_a_batch_succeed_or_fail_alone(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let stale = claim(&store).await.record;
    move_on(&store, to(&stale, SagaState::Paused, 0, Due::OnRequest)).await;
    create(&store, trip("trip-2")).await;
    let held = claim(&store).await.record;
    let mut moving = vec![to(&stale, SagaState::Completed, 3, Due::OnRequest)];
    moving[0].revision = 1;
    moving.push(to(&held, SagaState::Completed, 3, Due::OnRequest));
    let answers = store.record_sagas(moving).await.expect("a batch is answered");
    assert!(matches!(answers[0], Err(StoreError::SagaLeaseLost { .. })), "{:?}", answers[0]);
    assert!(matches!(answers[1], Ok(SagaRecorded::Written(_))), "{:?}", answers[1]);

    let mut other = trip("trip-2");
    other.input = json("0");
    let answers = store.create_sagas(vec![other, trip("trip-3")]).await.expect("answers");
    assert!(matches!(answers[0], Err(StoreError::SagaTaken { .. })), "{:?}", answers[0]);
    assert!(answers[1].as_ref().is_ok_and(|created| created.is_new), "{:?}", answers[1]);
    let nothing = store.create_sagas(Vec::new()).await.expect("an empty batch is answered");
    assert!(nothing.is_empty());
}

/// A process that starts after a crash finds every saga where it was.
pub async fn sagas_outlive_their_handle<F>(fixture: &F)
where
    F: Fixture<Store: SagaStore>,
{
    let store = fixture.store();
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await.record;
    let moved = move_on(&store, to(&held, SagaState::Running, 1, Due::Held(LONG))).await;
    drop(store);
    let store = fixture.reopen().await;
    assert_eq!(saga(&store, &held.id).await, moved);
    move_on(&store, to(&moved, SagaState::Completed, 3, Due::OnRequest)).await;
}
