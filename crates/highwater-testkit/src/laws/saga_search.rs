//! Searching for sagas.

use std::time::Duration;

use highwater_core::{
    Due, OverdueSagas, SagaCounts, SagaId, SagaName, SagaQuery, SagaState, SagaStore, StoreError,
};

use super::saga_support::{TRIP, claim, create, id, move_on, search, to, trip};

/// Operators look for sagas by what they know of them.
pub async fn sagas_are_found_by_what_is_known_of_them(store: impl SagaStore) {
    for n in 1..=3 {
        create(&store, trip(&format!("trip-{n}"))).await;
    }
    let mut other = trip("refund-1");
    other.name = SagaName::from_static("refund");
    other.correlation_id = SagaId::from_static("trip-2").into();
    let other = create(&store, other).await;
    let query = |of| SagaQuery { name: Some(of), ..SagaQuery::default() };
    assert_eq!(search(&store, query(TRIP)).await, ["trip-3", "trip-2", "trip-1"]);
    let query = SagaQuery {
        correlation_id: Some(SagaId::from_static("trip-2").into()),
        ..SagaQuery::default()
    };
    let mut found = search(&store, query).await;
    found.sort();
    assert_eq!(found, ["refund-1", "trip-2"]);
    let running = claim(&store).await.record.id.to_string();
    let query = SagaQuery { state: Some(SagaState::Running), ..SagaQuery::default() };
    assert_eq!(search(&store, query).await, [running]);
    let from = SagaQuery { from: Some(other.started_at), ..SagaQuery::default() };
    assert!(search(&store, from).await.contains(&"refund-1".to_owned()));
    let until = SagaQuery { until: Some(other.started_at), ..SagaQuery::default() };
    assert!(!search(&store, until).await.contains(&"refund-1".to_owned()));
}

/// A page must neither repeat nor leave out what the page before had.
pub async fn a_search_is_read_in_pages_newest_first(store: impl SagaStore) {
    for n in 0..10 {
        let mut new = trip(&format!("trip-{n}"));
        if n % 3 == 0 {
            new.name = SagaName::from_static("refund");
        }
        create(&store, new).await;
    }
    for _ in 0..3 {
        claim(&store).await;
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = SagaQuery { after, limit: 3, ..SagaQuery::default() };
        let page = search(&store, query).await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(id(last));
        found.extend(page);
    }
    let all: Vec<String> = (0..10).rev().map(|n| format!("trip-{n}")).collect();
    assert_eq!(found, all);
    let nothing = store.sagas(&SagaQuery { limit: 0, ..SagaQuery::default() }).await;
    assert!(matches!(nothing, Err(StoreError::Invalid(_))), "{nothing:?}");
    let unknown = SagaQuery { after: Some(id("nobody")), ..SagaQuery::default() };
    let unknown = store.sagas(&unknown).await;
    assert!(matches!(unknown, Err(StoreError::Invalid(_))), "{unknown:?}");
}

/// Whoever watches sagas must learn of those that do not go on by themselves, however many others
/// there are.
pub async fn sagas_that_do_not_go_on_are_counted(store: impl SagaStore) {
    let count = async |overdue, up_to| store.count_sagas(overdue, up_to).await.expect("a count");
    assert_eq!(count(Duration::ZERO, 100).await, SagaCounts::default());
    for n in 0..6 {
        create(&store, trip(&format!("trip-{n}"))).await;
    }
    let mut other = trip("refund-1");
    (other.name, other.version) = (SagaName::from_static("refund"), 3);
    create(&store, other).await;
    for (state, error) in [
        (SagaState::Failed, Some("the hotel is closed")),
        (SagaState::Paused, Some("its state cannot be read")),
        (SagaState::Paused, None),
        (SagaState::Completed, None),
    ] {
        let saga = claim(&store).await.record;
        let mut ends = to(&saga, state, 0, Due::OnRequest);
        ends.progress.error = error.map(str::to_owned);
        move_on(&store, ends).await;
    }
    let of = |name, version, count| OverdueSagas { name, version, count };
    let refund = SagaName::from_static("refund");
    let overdue = vec![of(TRIP, 1, 2), of(refund.clone(), 3, 1)];
    let counts = count(Duration::ZERO, 100).await;
    assert_eq!(counts, SagaCounts { failed: 1, paused: 1, overdue });
    assert_eq!(count(Duration::from_hours(1), 100).await.overdue, [], "due for a moment");
    assert_eq!(count(Duration::ZERO, 1).await.overdue, [of(TRIP, 1, 1), of(refund, 3, 1)]);
    claim(&store).await;
    assert_eq!(count(Duration::ZERO, 100).await.overdue[0].count, 1, "one is taken");
}
