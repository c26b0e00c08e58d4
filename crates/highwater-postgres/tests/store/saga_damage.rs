//! Sagas that this version of the store cannot read.

use std::time::Duration;

use futures::future::join_all;
use highwater_core::{SagaQuery, SagaRecord, SagaState, SagaStore, StoreError};
use highwater_testkit::Fixture;

use crate::sagas::{asking, to, trip};
use crate::support::fresh;

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn a_saga_that_cannot_be_read_holds_up_no_other() {
    let schema = fresh().await;
    let store = schema.store();
    store.create_sagas((0..3).map(trip).collect()).await.unwrap();
    let damage = "update @.saga_states set state = 'Hibernating', due_at = now() - interval '1 h' \
        where saga_id = 'trip-0'";
    schema.run(damage).await.unwrap();
    let mut claimed: Vec<SagaRecord> = Vec::new();
    for _ in 0..3 {
        let next = store.claim_sagas(&asking("test", LONG, 1)).await.unwrap();
        claimed.extend(next.into_iter().map(|claimed| claimed.record));
    }
    claimed.sort_by_key(|saga| saga.id.clone());
    let ids: Vec<_> = claimed.iter().map(|saga| saga.id.as_str()).collect();
    assert_eq!(ids, ["trip-1", "trip-2"]);
    for limit in [2, 3] {
        let query = SagaQuery { limit, ..SagaQuery::default() };
        let found = store.sagas(&query).await.unwrap();
        let ids: Vec<_> = found.iter().map(|saga| saga.id.as_str()).collect();
        assert_eq!(ids, ["trip-2", "trip-1"]);
    }

    let damaged = SagaRecord { id: trip(0).id, ..claimed[0].clone() };
    let is_damage = |error: &StoreError| {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        cause.is_some_and(|cause| cause.starts_with("saga \"trip-0\" cannot be read"))
    };
    let ids = [0, 1, 2].map(|n| trip(n).id);
    let found = join_all(ids.iter().map(|id| store.saga(id))).await;
    assert!(found[0].as_ref().is_err_and(is_damage), "{found:?}");
    assert!(found[1..].iter().all(Result::is_ok), "{found:?}");
    let leases = [&damaged, &claimed[0]].map(|saga| saga.lease().unwrap());
    let renewed = store.renew_sagas(leases.to_vec(), LONG).await.unwrap();
    assert!(renewed[0].is_err() && renewed[1].is_ok(), "{renewed:?}");
    let moves = [&damaged, &claimed[0], &claimed[1]].map(|saga| to(saga, SagaState::Completed));
    let answers = store.record_sagas(moves.to_vec()).await.unwrap();
    assert!(answers[0].as_ref().is_err_and(is_damage), "{answers:?}");
    assert!(answers[1..].iter().all(Result::is_ok), "{answers:?}");
    let again = store.create_sagas((0..4).map(trip).collect()).await.unwrap();
    assert!(again[0].as_ref().is_err_and(is_damage), "{again:?}");
    assert!(again[1..].iter().all(Result::is_ok), "{again:?}");
    let repair = "update @.saga_states set state = 'Running', lease_until = null, \
        due_at = now() - interval '1 h' where saga_id = 'trip-0'";
    schema.run(repair).await.unwrap();
    assert_eq!(store.claim_sagas(&asking("test", LONG, 1)).await.unwrap()[0].record.id, damaged.id);
    schema.finish().await;
}
