//! What the laws of sagas are written with.

use std::time::Duration;

use highwater_core::{
    ClaimedSaga, CreatedSaga, Due, EventId, NewSaga, Owner, SagaClaim, SagaId, SagaName,
    SagaProgress, SagaQuery, SagaRecord, SagaRecorded, SagaState, SagaStore, SagaTransition,
    Signal, SignalKey, StoreError,
};

use super::support::{json, patiently};

pub(super) const TRIP: SagaName = SagaName::from_static("book-trip");
pub(super) const PAID: SignalKey = SignalKey::from_static("trip-1/paid");

/// Longer than any law.
pub(super) const LONG: Duration = Duration::from_mins(10);
/// Short enough to wait for.
pub(super) const SHORT: Duration = Duration::from_millis(200);

pub(super) fn id(text: &str) -> SagaId {
    SagaId::new(text).expect("the laws know good ids")
}

/// A saga of three steps that nobody holds.
pub(super) fn trip(text: &str) -> NewSaga {
    NewSaga {
        id: id(text),
        correlation_id: id(text).into(),
        name: TRIP,
        version: 1,
        plan: ["hotel", "flight", "card"].map(str::to_owned).to_vec(),
        input: json("{\"to\":\"Oslo\"}"),
        deadline: None,
        claimed_by: None,
        appends: Vec::new(),
    }
}

pub(super) async fn try_create(
    store: &impl SagaStore,
    saga: NewSaga,
) -> Result<CreatedSaga, StoreError> {
    let mut answers = store.create_sagas(vec![saga]).await?;
    assert_eq!(answers.len(), 1, "one answer for one entry");
    answers.remove(0)
}

/// Creates the saga, which must be new.
pub(super) async fn create(store: &impl SagaStore, saga: NewSaga) -> SagaRecord {
    let created = try_create(store, saga).await.expect("a saga is created");
    assert!(created.is_new);
    created.record
}

/// Returns what `owner` asks for: one saga of the laws, for `ttl`.
pub(super) fn asking(owner: &str, ttl: Duration) -> SagaClaim {
    SagaClaim {
        owner: Owner::new(owner),
        ttl,
        limit: 1,
        max_bytes: usize::MAX,
        definitions: vec![(TRIP, 1)],
    }
}

/// Claims a saga, if one is due.
pub(super) async fn try_claim(store: &impl SagaStore, claim: &SagaClaim) -> Option<ClaimedSaga> {
    let mut claimed = store.claim_sagas(claim).await.expect("a claim is answered");
    assert!(claimed.len() <= claim.limit);
    claimed.pop()
}

/// Claims the one saga that is due, for long.
pub(super) async fn claim(store: &impl SagaStore) -> ClaimedSaga {
    try_claim(store, &asking("law", LONG)).await.expect("a saga is due")
}

/// Claims the one saga that becomes due by the clock.
pub(super) async fn claim_later(store: &impl SagaStore) -> ClaimedSaga {
    let claim = asking("later", LONG);
    patiently("a saga falling due", async {
        loop {
            if let Some(claimed) = try_claim(store, &claim).await {
                return claimed;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await
}

/// A move of the claimed saga to `state`, its next step being `step`.
pub(super) fn to(saga: &SagaRecord, state: SagaState, step: u32, due: Due) -> SagaTransition {
    let progress = SagaProgress { state, current_step: step, ..saga.progress.clone() };
    SagaTransition {
        lease: saga.lease().expect("the saga is held"),
        revision: saga.revision,
        request: saga.request,
        progress,
        timer: None,
        due,
        consumes: None,
        closes: Vec::new(),
        appends: Vec::new(),
    }
}

/// Makes the transition, or has it refused.
pub(super) async fn record(
    store: &impl SagaStore,
    transition: SagaTransition,
) -> Result<SagaRecorded, StoreError> {
    let mut answers = store.record_sagas(vec![transition]).await?;
    assert_eq!(answers.len(), 1, "one answer for one entry");
    answers.remove(0)
}

/// Makes the transition, which must be made or have been, and leaves the saga as its mover knows.
pub(super) async fn move_on(store: &impl SagaStore, transition: SagaTransition) -> SagaRecord {
    let mut expected = saga(store, &transition.lease.id).await;
    let answer = record(store, transition.clone()).await.expect("a transition is made");
    let SagaRecorded::Written(at) = answer else {
        panic!("the transition was not made: {answer:?}")
    };
    let moved = saga(store, &transition.lease.id).await;
    if expected.revision == transition.revision {
        transition.apply(&mut expected, at);
    }
    expected.due_at = moved.due_at;
    assert_eq!((moved.last_updated, &moved), (at, &expected));
    moved
}

/// The saga, which must be there.
pub(super) async fn saga(store: &impl SagaStore, id: &SagaId) -> SagaRecord {
    store.saga(id).await.expect("a saga is read").expect("the saga is there")
}

/// The ids of the sagas that are searched for.
pub(super) async fn search(store: &impl SagaStore, query: SagaQuery) -> Vec<String> {
    let sagas = store.sagas(&query).await.expect("a search is answered");
    sagas.iter().map(|saga| saga.id.to_string()).collect()
}

/// That trip 1 is paid, with `text` to tell one signal from the other.
pub(super) fn paid(text: &str) -> Signal {
    Signal { id: EventId::new(), saga: TRIP, key: PAID, data: json(&format!("\"{text}\"")) }
}

/// A move of the claimed saga to waiting for [`PAID`].
pub(super) fn waiting(saga: &SagaRecord) -> SagaTransition {
    let mut waits = to(saga, SagaState::Running, saga.progress.current_step, Due::OnTimer);
    waits.progress.waiting_for = Some(PAID);
    waits
}

/// A move of the claimed saga to its first compensation, whatever it waits for.
pub(super) fn giving_up(saga: &SagaRecord) -> SagaTransition {
    let mut gives_up = to(saga, SagaState::Compensating, 0, Due::Held(LONG));
    gives_up.progress.is_unwinding = true;
    gives_up.progress.waiting_for = None;
    gives_up
}

/// Asserts that the saga's lease was lost.
#[track_caller]
pub(super) fn assert_lost<T: std::fmt::Debug>(result: Result<T, StoreError>, saga: &SagaRecord) {
    match result {
        Err(StoreError::SagaLeaseLost { id, epoch }) => {
            assert_eq!((id, epoch), (saga.id.clone(), saga.epoch));
        }
        other => panic!("expected a lost lease, got {other:?}"),
    }
}
