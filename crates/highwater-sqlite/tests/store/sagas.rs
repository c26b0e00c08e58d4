//! Sagas: what the laws of every store cannot show of this one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use highwater_core::{
    Due, EventStore, Expected, NewSaga, Owner, Payload, SagaClaim, SagaId, SagaName, SagaRecord,
    SagaRecorded, SagaState, SagaStore, SagaTransition, StoreError, StreamAppend, StreamName,
};
use highwater_sqlite::SqliteStore;
use sqlx::Row;

use crate::fixture::{all, event, fresh, open};

const TRIP: SagaName = SagaName::from_static("book-trip");
const LONG: Duration = Duration::from_mins(10);
const SAGAS: usize = 200;

pub(crate) fn trip(n: usize) -> NewSaga {
    let id = SagaId::new(format!("trip-{n}")).unwrap();
    NewSaga {
        correlation_id: id.clone().into(),
        id,
        name: TRIP,
        version: 1,
        plan: vec!["hotel".to_owned(), "flight".to_owned()],
        input: Payload::of(&n).unwrap(),
        deadline: None,
        claimed_by: None,
        appends: Vec::new(),
    }
}

pub(crate) fn asking(limit: usize, ttl: Duration) -> SagaClaim {
    SagaClaim {
        owner: Owner::new("test"),
        ttl,
        limit,
        max_bytes: usize::MAX,
        definitions: vec![(TRIP, 1)],
    }
}

/// The last transition of `saga`, with an event.
pub(crate) fn completing(saga: &SagaRecord, stream: &'static str) -> SagaTransition {
    let mut progress = saga.progress.clone();
    progress.state = SagaState::Completed;
    SagaTransition {
        lease: saga.lease().unwrap(),
        revision: saga.revision,
        request: None,
        progress,
        timer: None,
        due: Due::OnRequest,
        consumes: None,
        closes: Vec::new(),
        appends: vec![StreamAppend::new(StreamName::from_static(stream), vec![event(1)])],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_run_disjoint_sagas_while_more_are_created() {
    let (dir, first) = fresh().await;
    let stores = [first.clone(), open(&dir).await];
    let ended = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> =
        (0..4).map(|n| tokio::spawn(run_all(stores[n % 2].clone(), Arc::clone(&ended)))).collect();
    for from in (0..SAGAS).step_by(20) {
        let created = first.create_sagas((from..from + 20).map(trip).collect()).await.unwrap();
        assert!(created.iter().all(Result::is_ok));
    }
    let mut run = Vec::new();
    for worker in workers {
        run.extend(tokio::time::timeout(Duration::from_mins(1), worker).await.unwrap().unwrap());
    }
    assert_eq!(run.iter().collect::<HashSet<_>>().len(), run.len(), "none is run twice");
    assert_eq!(run.len(), SAGAS);
    assert_eq!(all(&first).await.len(), SAGAS);
}

/// Claims and completes sagas until all have ended; returns those that it has run.
async fn run_all(store: SqliteStore, ended: Arc<AtomicUsize>) -> Vec<SagaId> {
    let mut run = Vec::new();
    while ended.load(Ordering::SeqCst) < SAGAS {
        let claimed = store.claim_sagas(&asking(7, LONG)).await.unwrap();
        for claimed in claimed {
            let made = completing(&claimed.record, "trips");
            let answers = store.record_sagas(vec![made]).await.unwrap();
            assert!(matches!(answers[..], [Ok(SagaRecorded::Written(_))]), "{answers:?}");
            ended.fetch_add(1, Ordering::SeqCst);
            run.push(claimed.record.id);
        }
    }
    run
}

#[tokio::test]
async fn a_refused_transition_appends_nothing_and_holds_up_no_other() {
    let (_dir, store) = fresh().await;
    store.create_sagas((0..4).map(trip).collect()).await.unwrap();
    let brief = store.claim_sagas(&asking(1, Duration::from_millis(1))).await.unwrap();
    let zombie = brief[0].record.clone();
    let mut held: Vec<SagaRecord> = Vec::new();
    while held.len() < 4 {
        let claimed = store.claim_sagas(&asking(4, LONG)).await.unwrap();
        held.extend(claimed.into_iter().map(|claimed| claimed.record));
    }
    held.retain(|saga| saga.id != zombie.id);
    let mut moves = vec![
        completing(&zombie, "a"),
        completing(&held[0], "b"),
        completing(&held[1], "c"),
        // Its event is one of the batch already.
        completing(&held[2], "b"),
    ];
    moves[1].appends[0].expected = Expected::Exists;
    moves[3].appends = moves[2].appends.clone();
    let answers = store.record_sagas(moves).await.unwrap();
    assert!(matches!(answers[0], Err(StoreError::SagaLeaseLost { epoch: 1, .. })));
    assert!(matches!(answers[1], Err(StoreError::Conflict { .. })), "{:?}", answers[1]);
    assert!(answers[2..].iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.saga(&held[0].id).await.unwrap().as_ref(), Some(&held[0]));
    let log = all(&store).await;
    assert_eq!(log.iter().map(|event| event.stream.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(store.head(&highwater_core::Source::All).await.unwrap().map(|at| at.get()), Some(0));
}

#[tokio::test]
async fn searches_and_claims_go_by_index() {
    let (_dir, store) = fresh().await;
    let select = include_str!("../../sql/sagas/select_saga.sql");
    let filter = include_str!("../../sql/sagas/filter_sagas.sql");
    let by = |first: &str| format!("{select} where {first}\n{filter}");
    for (sql, index) in [
        (by("correlation_id = ?1 and"), "saga_states_correlation"),
        (by("state = ?3 and"), "saga_states_state"),
        (by("saga_name = ?2 and"), "saga_states_name"),
        (by(""), "saga_states_started"),
        (include_str!("../../sql/sagas/claim_sagas.sql").to_owned(), "saga_states_due"),
        (include_str!("../../sql/sagas/wake_saga.sql").to_owned(), "saga_states_waiting"),
        (include_str!("../../sql/sagas/find_signal.sql").to_owned(), "saga_signals_open"),
        (include_str!("../../sql/sagas/leave_signal.sql").to_owned(), "saga_signals_open"),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
        let rows = sqlx::query(explain).fetch_all(store.readers()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("SEARCH saga_s") && plan.contains(index), "{sql}\n{plan}");
        let is_sorted = index != "saga_signals_open" && plan.contains("TEMP B-TREE");
        assert!(!is_sorted, "{sql}\n{plan}");
    }
}
