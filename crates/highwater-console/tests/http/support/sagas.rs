//! Sagas in the store, as whoever runs them would leave them.

use std::time::Duration;

use chrono::DateTime;
use highwater_core::{
    Due, NewSaga, Owner, Payload, SagaClaim, SagaId, SagaName, SagaProgress, SagaRecord,
    SagaRecorded, SagaState, SagaStore, SagaTransition, StepOutcome, StepRecord,
};
use highwater_testkit::MemoryStore;

const HOUR: Duration = Duration::from_secs(3600);

/// Creates a saga of the steps `hotel` and `card` that nobody has taken up.
pub(crate) async fn create(store: &MemoryStore, name: &str, id: &str, correlation_id: &str) {
    let saga = NewSaga {
        id: SagaId::new(id).unwrap(),
        correlation_id: correlation_id.parse().unwrap(),
        name: SagaName::new(name).unwrap(),
        version: 1,
        plan: vec!["hotel".to_owned(), "card".to_owned()],
        input: Payload::parse(r#"{"to": "Oslo", "price": 1.50}"#).unwrap(),
        deadline: None,
        claimed_by: None,
        appends: Vec::new(),
    };
    assert!(store.create_sagas(vec![saga]).await.unwrap().pop().unwrap().unwrap().is_new);
}

/// Claims the one saga of this name that is due.
pub(crate) async fn claim(store: &MemoryStore, name: &str) -> SagaRecord {
    let definitions = vec![(SagaName::new(name).unwrap(), 1)];
    let claim = SagaClaim {
        owner: Owner::new("tester"),
        ttl: HOUR,
        limit: 1,
        max_bytes: usize::MAX,
        definitions,
    };
    store.claim_sagas(&claim).await.unwrap().pop().unwrap().record
}

/// Moves a claimed saga on; it keeps its lease.
pub(crate) async fn advance(
    store: &MemoryStore,
    saga: SagaRecord,
    state: SagaState,
    current_step: u32,
    steps: &[(&str, StepOutcome)],
) -> SagaRecord {
    let error = (state == SagaState::Failed).then(|| "the hotel is closed".to_owned());
    let error = error.or_else(|| saga.progress.error.clone());
    let steps = steps.iter().map(|(step, outcome)| step_record(step, *outcome)).collect();
    let progress = SagaProgress { state, current_step, steps, error, ..saga.progress.clone() };
    let transition = SagaTransition {
        lease: saga.lease().unwrap(),
        revision: saga.revision,
        request: saga.request,
        progress,
        timer: None,
        due: if state.is_at_rest() { Due::OnRequest } else { Due::Held(HOUR) },
        consumes: None,
        closes: Vec::new(),
        appends: Vec::new(),
    };
    let answer = store.record_sagas(vec![transition]).await.unwrap().pop().unwrap();
    assert!(matches!(answer.unwrap(), SagaRecorded::Written(_)));
    store.saga(&saga.id).await.unwrap().unwrap()
}

fn step_record(step: &str, outcome: StepOutcome) -> StepRecord {
    StepRecord {
        step: step.to_owned(),
        outcome,
        is_in_doubt: false,
        attempts: 2,
        compensation_attempts: 0,
        lost_attempts: 0,
        lost_owners: Vec::new(),
        is_begun_again: false,
        started_at: DateTime::UNIX_EPOCH,
        finished_at: DateTime::UNIX_EPOCH + Duration::from_secs(1),
        error: None,
    }
}
