//! The database finds sagas by index, however many there are.

use highwater_core::{EventId, Payload, SagaName, SagaState, SagaStore, Signal, SignalKey};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;
use std::time::Duration;

use crate::events::{named_url, one};
use crate::plans::{explain, scans};
use crate::sagas::{asking, held, to, trip};
use crate::support::{fresh, open};

const SEARCH: &str = include_str!("../../sql/sagas/search_sagas.sql");
const MANY: &str = "insert into @.saga_states (saga_id, correlation_id, saga_name, \
    definition_version, state, total_steps, data, input, plan, started_at, last_updated, due_at) \
    select n, n / 2, 'saga-' || n % 50, 1, 'state-' || n % 50, 3, '1', '1', '[]', \
    now() - n * interval '1 s', now(), now() + n * interval '1 s' from generate_series(1, 20000) n; \
    analyze @.saga_states";

#[tokio::test]
async fn sagas_are_never_scanned_by_plans_that_were_made_for_none() {
    let schema = fresh().await;
    let options = PgOptions { migrate: false, ..schema.options.clone() };
    let store = open(&named_url(&schema), &options).await;
    for n in 0..300 {
        store.create_sagas(vec![trip(n)]).await.unwrap();
        let sagas = held(&store, 1_000 + n..1_001 + n).await;
        let leases = sagas.iter().map(|saga| saga.lease().unwrap()).collect();
        store.renew_sagas(leases, Duration::from_mins(1)).await.unwrap();
        let key = SignalKey::new(format!("key-{n}")).unwrap();
        let (id, data) = (EventId::new(), Payload::of(&n).unwrap());
        let signal = Signal { id, saga: SagaName::from_static("book-trip"), key, data };
        store.deliver_signal(signal.clone()).await.unwrap();
        let moves = to(&sagas[0], SagaState::Running);
        store.record_sagas(vec![moves]).await.unwrap().remove(0).unwrap();
        let mut waits = to(&sagas[0], SagaState::Running);
        waits.revision += 1;
        waits.progress.waiting_for = Some(signal.key);
        waits.due = highwater_core::Due::OnTimer;
        waits.appends = vec![one("saga", 1)];
        store.record_sagas(vec![waits.clone()]).await.unwrap().remove(0).unwrap();
        store.record_sagas(vec![waits]).await.unwrap().remove(0).expect("a repetition");
        let claimed = store.claim_sagas(&asking("test", Duration::from_mins(1), 2)).await.unwrap();
        assert_eq!(claimed.len(), 2);
        store.request_saga(&sagas[0].id, highwater_core::SagaRequest::Cancel).await.unwrap();
    }
    store.close().await;
    let scans = scans(&schema, &["saga_states", "saga_signals"]).await;
    assert!(scans < 20, "{scans} scans, of which creating the schema takes a few");
    schema.finish().await;
}

#[tokio::test]
async fn a_search_reads_no_more_than_it_returns() {
    let schema = fresh().await;
    schema.run(MANY).await.unwrap();
    let none = "null, null, null, null, null, null, null";
    for (condition, arguments) in [
        ("everything", format!("{none}, 100, 4194304")),
        ("a state", "null, null, 'state-7', null, null, null, null, 100, 4194304".to_owned()),
        ("a name", "null, 'saga-7', null, null, null, null, null, 100, 4194304".to_owned()),
        (
            "a time",
            "null, null, null, now() - interval '1 min', now(), null, null, 100, 4194304"
                .to_owned(),
        ),
        (
            "a page",
            "null, null, null, null, null, now() - interval '1 h', '9', 100, 4194304".to_owned(),
        ),
        (
            "a page of a state",
            "null, null, 'state-7', null, null, now(), '9', 100, 4194304".to_owned(),
        ),
    ] {
        let plan = explain(&schema, "force_custom_plan", SEARCH, &arguments).await;
        let is_read_in_order = plan.contains("Index Scan Backward") && !plan.contains("Sort");
        assert!(is_read_in_order, "{condition}\n{plan}");
    }
    let arguments = "'77', null, null, null, null, null, null, 100, 4194304";
    let plan = explain(&schema, "force_custom_plan", SEARCH, arguments).await;
    assert!(plan.contains("saga_states_correlation"), "{plan}");
    schema.finish().await;
}
