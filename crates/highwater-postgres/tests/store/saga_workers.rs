//! Workers of several processes, and connections that the server ends under them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use highwater_core::{SagaId, SagaRecord, SagaRecorded, SagaState, SagaStore};
use highwater_postgres::PgStore;
use highwater_testkit::Fixture;
use sqlx::Row;

use crate::events::{assert_gapless, log, named_url, one, patiently};
use crate::sagas::{asking, held, state, to, trip};
use crate::support::{fresh, open};

const SAGAS: usize = 300;
const MOVES: u64 = 40;
const LONG: Duration = Duration::from_mins(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_run_disjoint_sagas_while_more_are_created() {
    let schema = fresh().await;
    let processes = [Arc::new(schema.reopen().await), Arc::new(schema.reopen().await)];
    let ended = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..6)
        .map(|n| tokio::spawn(run_all(Arc::clone(&processes[n % 2]), Arc::clone(&ended))))
        .collect();
    for first in (0..SAGAS).step_by(20) {
        let created = schema.store().create_sagas((first..first + 20).map(trip).collect()).await;
        assert!(created.unwrap().iter().all(Result::is_ok));
    }
    let run = patiently("the end of all sagas", join_all(workers)).await;
    let run: Vec<SagaId> = run.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(run.iter().collect::<HashSet<_>>().len(), run.len(), "none is run twice");
    assert_eq!(run.len(), SAGAS);
    for process in processes {
        process.close().await;
    }
    schema.finish().await;
}

/// Claims and completes sagas until all have ended; returns those that it has run.
async fn run_all(store: Arc<PgStore>, ended: Arc<AtomicUsize>) -> Vec<SagaId> {
    let (claim, mut run) = (asking("worker", LONG, 7), Vec::new());
    while ended.load(Ordering::SeqCst) < SAGAS {
        let claimed = store.claim_sagas(&claim).await.unwrap();
        let sagas: Vec<SagaRecord> = claimed.into_iter().map(|claimed| claimed.record).collect();
        let moves = sagas.iter().map(|saga| to(saga, SagaState::Completed)).collect();
        for answer in store.record_sagas(moves).await.unwrap() {
            assert!(matches!(answer, Ok(SagaRecorded::Written(_))));
        }
        ended.fetch_add(sagas.len(), Ordering::SeqCst);
        run.extend(sagas.into_iter().map(|saga| saga.id));
    }
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transitions_whose_connections_are_killed_are_made_once() {
    let schema = fresh().await;
    let victim = Arc::new(open(&named_url(&schema), &schema.options).await);
    let sagas = held(&victim, 0..8).await;
    let movers: Vec<_> =
        sagas.iter().map(|saga| tokio::spawn(move_on(Arc::clone(&victim), saga.clone()))).collect();

    let mut killed = 0;
    patiently("the last transition", async {
        while !movers.iter().all(tokio::task::JoinHandle::is_finished) {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                        where application_name = $1 and query like '%.record_sagas(%'";
            let kill = sqlx::query(kill).bind(&schema.options.schema);
            killed += kill.fetch_all(schema.store().pool()).await.unwrap().len();
            // Lets a few through before the next blow.
            let made = made(&schema).await;
            while made + 9 > self::made(&schema).await
                && !movers.iter().all(tokio::task::JoinHandle::is_finished)
            {}
        }
    })
    .await;
    join_all(movers).await.into_iter().for_each(|mover| mover.unwrap());
    assert!(killed > 0, "no connection was killed");

    for saga in &sagas {
        assert_eq!(state(&schema.store(), saga).await, (SagaState::Running, MOVES));
    }
    let log = log(&schema.store()).await;
    assert_gapless(&log);
    for saga in &sagas {
        let own = log.iter().filter(|event| event.stream == saga.id.as_str());
        let own: Vec<u64> = own.map(|event| event.data.to().unwrap()).collect();
        assert_eq!(own, (0..MOVES).collect::<Vec<_>>(), "the events of each transition once");
    }
    victim.close().await;
    schema.finish().await;
}

#[tokio::test]
async fn leases_are_renewed_although_others_have_every_connection_of_the_pool() {
    let schema = fresh().await;
    let store = schema.store();
    let saga = held(&store, 0..1).await.remove(0);
    let answers = store.record_sagas(vec![to(&saga, SagaState::Running)]).await.unwrap();
    assert!(matches!(answers[0], Ok(SagaRecorded::Written(_))));
    let all = (0..schema.options.max_connections).map(|_| store.pool().acquire());
    let taken: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    let renewed = store.renew_sagas(vec![saga.lease().unwrap()], LONG).await.unwrap();
    assert!(renewed[0].is_ok(), "{renewed:?}");
    drop(taken);
    schema.finish().await;
}

/// Moves the saga on again and again, each time with an event.
async fn move_on(store: Arc<PgStore>, mut saga: SagaRecord) {
    for n in 0..MOVES {
        let mut made = to(&saga, SagaState::Running);
        made.appends = vec![one(saga.id.as_str(), n)];
        saga.progress = made.progress.clone();
        let answers = store.record_sagas(vec![made]).await.expect("it is tried again");
        assert!(matches!(answers[..], [Ok(SagaRecorded::Written(_))]), "{answers:?}");
        saga.revision += 1;
    }
}

/// How many transitions have been made.
async fn made(schema: &crate::support::Schema) -> i64 {
    let sql = schema.named("select coalesce(sum(revision), 0)::bigint from @.saga_states");
    sqlx::raw_sql(sql).fetch_one(schema.store().pool()).await.unwrap().get(0)
}
