//! Sagas: what the laws of every store cannot show of this one.

use chrono::{DateTime, Utc};
use highwater_core::{
    Due, EventStore, Expected, NewSaga, Owner, Payload, SagaClaim, SagaId, SagaName, SagaRecord,
    SagaRecorded, SagaState, SagaStore, SagaTransition, StoreError,
};
use highwater_postgres::PgStore;
use highwater_testkit::Fixture;
use sqlx::Row;
use std::time::Duration;

use crate::events::{log, numbers, one, patiently};
use crate::support::fresh;

const TRIP: SagaName = SagaName::from_static("book-trip");
const LONG: Duration = Duration::from_mins(10);

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

pub(crate) fn asking(owner: &str, ttl: Duration, limit: usize) -> SagaClaim {
    SagaClaim {
        owner: Owner::new(owner),
        ttl,
        limit,
        max_bytes: usize::MAX,
        definitions: vec![(TRIP, 1)],
    }
}

/// Creates sagas under a lease of `owner`.
pub(crate) async fn held(store: &PgStore, sagas: std::ops::Range<usize>) -> Vec<SagaRecord> {
    let owner = Owner::new("test");
    let claimed = |n| NewSaga { claimed_by: Some((owner.clone(), LONG)), ..trip(n) };
    let created = store.create_sagas(sagas.map(claimed).collect()).await.unwrap();
    created.into_iter().map(|created| created.unwrap().record).collect()
}

/// Moves `saga` to `state`; a final one is given back.
pub(crate) fn to(saga: &SagaRecord, state: SagaState) -> SagaTransition {
    let mut progress = saga.progress.clone();
    (progress.state, progress.current_step) = (state, progress.current_step + 1);
    SagaTransition {
        lease: saga.lease().unwrap(),
        revision: saga.revision,
        request: saga.request,
        progress,
        timer: None,
        due: if state.is_final() { Due::OnRequest } else { Due::Held(LONG) },
        consumes: None,
        closes: Vec::new(),
        appends: Vec::new(),
    }
}

pub(crate) async fn state(store: &PgStore, saga: &SagaRecord) -> (SagaState, u64) {
    let saga = store.saga(&saga.id).await.unwrap().unwrap();
    (saga.progress.state, saga.revision)
}

#[tokio::test]
async fn everyone_who_looks_for_a_saga_at_once_gets_their_own() {
    let schema = fresh().await;
    let store = schema.store();
    let sagas = held(&store, 0..20).await;
    let look_ups = (0..200).map(|n| {
        let (store, id) = (store.clone(), trip(n % 40).id);
        tokio::spawn(async move { store.saga(&id).await.unwrap() })
    });
    for (n, look_up) in look_ups.collect::<Vec<_>>().into_iter().enumerate() {
        let found = look_up.await.unwrap().map(|saga| saga.id);
        assert_eq!(found.as_ref(), sagas.get(n % 40).map(|saga| &saga.id));
    }
    schema.finish().await;
}

#[tokio::test]
async fn a_look_up_whose_connection_was_killed_is_made_on_another() {
    let schema = fresh().await;
    let store = schema.store();
    let saga = held(&store, 0..1).await.remove(0);
    assert_eq!(state(&store, &saga).await, (SagaState::Running, 0));
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
        where query like '%' || $1 || '%known_sagas($%'";
    let kill = sqlx::query(kill).bind(&schema.options.schema);
    assert_eq!(kill.fetch_all(store.pool()).await.unwrap().len(), 1);
    assert_eq!(state(&store, &saga).await, (SagaState::Running, 0));
    schema.finish().await;
}

#[tokio::test]
async fn a_transition_whose_events_are_refused_holds_up_no_other() {
    let schema = fresh().await;
    let store = schema.store();
    let sagas = held(&store, 0..4).await;
    let mut moves: Vec<_> = sagas.iter().map(|saga| to(saga, SagaState::Completed)).collect();
    for (n, made) in moves.iter_mut().take(3).enumerate() {
        made.appends = vec![one(&format!("saga-{n}"), n as u64)];
    }
    moves[1].appends[0].expected = Expected::Exists;
    let answers = store.record_sagas(moves).await.unwrap();
    assert!(matches!(answers[1], Err(StoreError::Conflict { .. })), "{:?}", answers[1]);
    assert_eq!(state(&store, &sagas[1]).await, (SagaState::Running, 0));
    for n in [0, 2, 3] {
        assert!(matches!(answers[n], Ok(SagaRecorded::Written(_))));
        assert_eq!(state(&store, &sagas[n]).await, (SagaState::Completed, 1));
    }
    assert_eq!(numbers(&store).await, [0, 2]);
    schema.finish().await;
}

#[tokio::test]
async fn a_zombie_in_a_batch_appends_nothing_and_holds_up_no_other() {
    let schema = fresh().await;
    let store = schema.store();
    store.create_sagas(vec![trip(0), trip(1)]).await.unwrap();
    let claim = asking("zombie", Duration::from_millis(1), 1);
    let zombie = store.claim_sagas(&claim).await.unwrap().remove(0).record;
    let next = patiently("the take-over", async {
        loop {
            let claim = asking("next", LONG, 2);
            let claimed = store.claim_sagas(&claim).await.unwrap();
            if let Some(next) = claimed.into_iter().find(|next| next.record.id == zombie.id) {
                return next;
            }
        }
    })
    .await;
    assert!(next.taken_from.is_some());
    let other = held(&store, 2..3).await.remove(0);
    let mut moves = vec![to(&zombie, SagaState::Completed), to(&other, SagaState::Completed)];
    moves[0].appends = vec![one("saga-0", 0)];
    moves[1].appends = vec![one("saga-2", 2)];
    let answers = store.record_sagas(moves).await.unwrap();
    assert!(matches!(answers[0], Err(StoreError::SagaLeaseLost { epoch: 1, .. })));
    assert!(matches!(answers[1], Ok(SagaRecorded::Written(_))));
    assert_eq!(store.saga(&zombie.id).await.unwrap(), Some(next.record));
    assert_eq!(numbers(&store).await, [2]);
    schema.finish().await;
}

#[tokio::test]
async fn sagas_that_exist_append_nothing_and_hold_up_no_new_one() {
    let schema = fresh().await;
    let store = schema.store();
    let starting =
        |n: usize| NewSaga { appends: vec![one(&format!("saga-{n}"), n as u64)], ..trip(n) };
    store.create_sagas(vec![starting(0), starting(2)]).await.unwrap();
    let again = store.create_sagas((0..4).map(starting).collect()).await.unwrap();
    let new: Vec<bool> = again.into_iter().map(|created| created.unwrap().is_new).collect();
    assert_eq!(new, [false, true, false, true]);
    assert_eq!(numbers(&store).await, [0, 2, 1, 3]);
    schema.finish().await;
}

#[tokio::test]
async fn a_transition_that_the_database_cannot_take_holds_up_no_other() {
    let schema = fresh().await;
    let store = schema.store();
    let sagas = held(&store, 0..3).await;
    let mut moves: Vec<_> = sagas.iter().map(|saga| to(saga, SagaState::Completed)).collect();
    moves[1].progress.data = Payload::from_stored("no JSON");
    let answers = store.record_sagas(moves).await.unwrap();
    assert!(matches!(answers[1], Err(StoreError::Backend(_))), "{:?}", answers[1]);
    assert_eq!(state(&store, &sagas[1]).await, (SagaState::Running, 0));
    for n in [0, 2] {
        assert_eq!(state(&store, &sagas[n]).await, (SagaState::Completed, 1));
    }
    schema.finish().await;
}

#[tokio::test]
async fn a_transition_that_waits_for_its_saga_keeps_no_append_waiting() {
    let schema = fresh().await;
    let store = schema.store();
    let saga = held(&store, 0..1).await.remove(0);
    let mut locked = store.pool().begin().await.unwrap();
    let lock = schema.named("select 1 from @.saga_states for update");
    sqlx::raw_sql(lock).execute(&mut *locked).await.unwrap();
    let mut made = to(&saga, SagaState::Completed);
    made.appends = vec![one("saga-0", 0)];
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.record_sagas(vec![made]).await }
    });
    patiently("the wait for the saga", async {
        let waits = "select count(*) from pg_stat_activity \
                     where wait_event_type = 'Lock' and query like '%.record_sagas(%' and query like $1";
        let name = format!("%{}%", schema.options.schema);
        let waits = || sqlx::query_scalar::<_, i64>(waits).bind(&name).fetch_one(store.pool());
        while waits().await.unwrap() == 0 {}
    })
    .await;
    patiently("an append", store.append(vec![one("other", 1)])).await.unwrap();
    locked.rollback().await.unwrap();
    let answers = patiently("the transition", waiting).await.unwrap().unwrap();
    assert!(matches!(answers[0], Ok(SagaRecorded::Written(_))));
    assert_eq!(log(&store).await.len(), 2);
    schema.finish().await;
}

#[tokio::test]
async fn a_lease_that_is_extended_is_kept_although_its_index_entry_is_not_moved() {
    let schema = fresh().await;
    let store = schema.store();
    let held = held(&store, 0..1).await.remove(0);
    let due_at = async || -> DateTime<Utc> {
        let sql = schema.named("select due_at from @.saga_states");
        sqlx::raw_sql(sql).fetch_one(store.pool()).await.unwrap().get(0)
    };
    let before = due_at().await;
    let answers = store.record_sagas(vec![to(&held, SagaState::Running)]).await.unwrap();
    assert!(matches!(answers[0], Ok(SagaRecorded::Written(_))));
    let extended = store.saga(&held.id).await.unwrap().unwrap();
    assert!(extended.due_at > held.due_at);
    assert_eq!(due_at().await, before);

    let claim = asking("other", LONG, 1);
    schema.run("update @.saga_states set due_at = now()").await.unwrap();
    assert!(store.claim_sagas(&claim).await.unwrap().is_empty(), "the lease has not ended");
    schema.run("update @.saga_states set lease_until = now()").await.unwrap();
    assert!(store.claim_sagas(&claim).await.unwrap()[0].taken_from.is_some());
    schema.finish().await;
}
