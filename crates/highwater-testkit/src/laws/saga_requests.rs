//! Requests to sagas: made from any process, obeyed by whoever runs the saga.

use highwater_core::{Due, SagaRecorded, SagaRequest, SagaState, SagaStore, StoreError};

use super::saga_support::{claim, create, id, move_on, record, saga, to, trip};

/// A saga is asked from any process; whoever runs it must not overlook that.
pub async fn a_request_is_seen_by_whoever_runs_the_saga(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await.record;
    let asked = store.request_saga(&held.id, SagaRequest::Cancel).await.expect("a request");
    assert_eq!(asked.request, Some(SagaRequest::Cancel));
    assert_eq!((asked.owner, asked.due_at), (held.owner.clone(), held.due_at), "it stays held");

    let mut moving = to(&held, SagaState::Completed, 3, Due::OnRequest);
    let answer = record(&store, moving.clone()).await.expect("an answer");
    assert_eq!(answer, SagaRecorded::Requested(Some(SagaRequest::Cancel)));
    assert_eq!(saga(&store, &held.id).await.progress, held.progress, "it has not moved");
    moving.request = Some(SagaRequest::Cancel);
    moving.progress.state = SagaState::Compensated;
    let moved = move_on(&store, moving).await;
    assert_eq!((moved.request, moved.progress.state), (None, SagaState::Compensated));
}

/// A pause that was withdrawn must not be obeyed.
pub async fn a_withdrawn_request_is_not_obeyed(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await.record;
    for request in [SagaRequest::Pause, SagaRequest::Resume] {
        store.request_saga(&held.id, request).await.expect("a request");
    }
    let mut moving = to(&held, SagaState::Paused, 1, Due::OnRequest);
    moving.request = Some(SagaRequest::Pause);
    let answer = record(&store, moving).await.expect("an answer");
    assert_eq!(answer, SagaRecorded::Requested(None));
}

/// Whoever asks for what cannot be is told so, and told why.
pub async fn a_request_that_the_state_does_not_allow_is_refused(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let ended = to(&claim(&store).await.record, SagaState::Completed, 3, Due::OnRequest);
    let ended = move_on(&store, ended).await;
    for asked in SagaRequest::ALL {
        match store.request_saga(&ended.id, asked).await {
            Err(StoreError::SagaRequestRefused { id, request, state, pending }) => {
                assert_eq!((id, request), (ended.id.clone(), asked));
                assert_eq!((state, pending), (SagaState::Completed, None));
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
    assert_eq!(saga(&store, &ended.id).await, ended);
    let unknown = store.request_saga(&id("nobody"), SagaRequest::Cancel).await;
    assert!(matches!(unknown, Err(StoreError::SagaUnknown { .. })), "{unknown:?}");
}

/// A saga that rests is only heard of again when somebody asks.
pub async fn a_request_makes_a_resting_saga_due(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let rests = to(&claim(&store).await.record, SagaState::Paused, 1, Due::OnRequest);
    let rests = move_on(&store, rests).await;
    assert_eq!(rests.due_at, None);
    store.request_saga(&rests.id, SagaRequest::Resume).await.expect("a request");
    let claimed = claim(&store).await;
    assert_eq!(claimed.record.request, Some(SagaRequest::Resume));
    assert_eq!(claimed.record.progress.state, SagaState::Paused);
    assert_eq!(claimed.taken_from, None);
}
