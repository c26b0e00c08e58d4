//! Sagas whose states are large, on every database: more than are held at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore};
use highwater::saga::{Orchestrator, OrchestratorOptions, Saga, SagaData, StepContext};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{BoxError, SagaId, SagaState, SagaStore};
use tokio_util::sync::CancellationToken;

const SAGAS: usize = 40;
const STATE: usize = 2 << 20;
const PATIENCE: Duration = Duration::from_mins(5);

/// How often each step was run, by its idempotency key.
type Runs = Arc<Mutex<BTreeMap<String, usize>>>;

/// Three steps, of which the first makes the state large.
fn saga(runs: &Runs) -> Saga<SagaData> {
    let note = |runs: &Runs| {
        let runs = Arc::clone(runs);
        move |data: SagaData, cx: StepContext| {
            let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
            *runs.entry(cx.idempotency_key()).or_default() += 1;
            let state = if cx.step == "grow" { Some("x".repeat(STATE)) } else { None };
            async move { state.map_or(Ok(()), |state| data.set("state", state)) }
        }
    };
    let undo = |_: SagaData, _: StepContext| async { Ok(()) };
    Saga::new("large")
        .step_fn("grow", note(runs), undo)
        .step_fn("second", note(runs), undo)
        .step_fn("third", note(runs), undo)
}

async fn large_sagas_end(store: impl SagaStore + Clone) -> Result<(), BoxError> {
    let runs = Runs::default();
    let options = OrchestratorOptions {
        lease_ttl: Duration::from_secs(5),
        max_bytes: 16 << 20,
        ..OrchestratorOptions::default()
    };
    let (stop, mut running) = (CancellationToken::new(), Vec::new());
    let mut handles = Vec::new();
    for _ in 0..2 {
        let sagas = Orchestrator::with_options(store.clone(), options.clone())?;
        handles.push((sagas.register(saga(&runs))?, sagas.clone()));
        let stop = stop.clone();
        running.push(tokio::spawn(async move { sagas.run(stop).await }));
    }
    let (handle, sagas) = &handles[0];
    let id = |n: usize| SagaId::new(format!("large-{n}"));
    for n in 0..SAGAS {
        handle.start(id(n)?, &SagaData::new()).await?;
    }
    for n in 0..SAGAS {
        let ended = sagas.wait(&id(n)?, PATIENCE).await?;
        assert_eq!(ended.progress.state, SagaState::Completed, "{:?}", ended.progress.error);
    }
    stop.cancel();
    for running in running {
        running.await?;
    }
    let runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(runs.len(), 3 * SAGAS);
    let repeated = runs.values().sum::<usize>() - runs.len();
    // A machine that stands still for longer than a lease may cost a step another run.
    assert!(repeated <= SAGAS / 10, "{repeated} steps were run again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_with_large_states_end_and_repeat_next_to_nothing_on_sqlite() -> Result<(), BoxError>
{
    let dir = tempfile::tempdir()?;
    let store = SqliteStore::open(&dir.path().join("store.db"), SqliteOptions::default()).await?;
    large_sagas_end(store).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_with_large_states_end_and_repeat_next_to_nothing_on_postgres() -> Result<(), BoxError>
{
    let url = test_postgres::url().await?;
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let options = PgOptions { schema: schema.clone(), ..PgOptions::default() };
    let store = PgStore::connect(&url, options).await?;
    large_sagas_end(store.clone()).await?;
    let drop_schema = sqlx::AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop_schema).execute(store.pool()).await?;
    store.close().await;
    Ok(())
}
