//! Sagas from start to end on every database, run by two processes that share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore};
use highwater::saga::{Orchestrator, Saga, SagaData, SagaHandle, StepContext, StepError};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{
    BoxError, EventStore, SagaId, SagaQuery, SagaState, SagaStore, Source, StepOutcome, StreamName,
};
use tokio_util::sync::CancellationToken;

const SAGAS: usize = 60;
const PATIENCE: Duration = Duration::from_mins(1);

/// How often each step was run and compensated, by its idempotency key.
type Effects = Arc<Mutex<BTreeMap<String, u32>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_finish_or_undo_themselves_on_postgres() -> Result<(), BoxError> {
    let url = test_postgres::url().await?;
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let options = PgOptions { schema: schema.clone(), ..PgOptions::default() };
    let first = PgStore::connect(&url, options.clone()).await?;
    let second = PgStore::connect(&url, options).await?;
    sagas_finish_or_undo_themselves(first.clone(), second.clone()).await?;
    let drop_schema = sqlx::AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop_schema).execute(first.pool()).await?;
    second.close().await;
    first.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_finish_or_undo_themselves_on_sqlite() -> Result<(), BoxError> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("store.db");
    let first = SqliteStore::open(&file, SqliteOptions::default()).await?;
    let second = SqliteStore::open(&file, SqliteOptions::default()).await?;
    sagas_finish_or_undo_themselves(first, second).await
}

/// Every third order gives up at its last step.
async fn sagas_finish_or_undo_themselves<S>(first: S, second: S) -> Result<(), BoxError>
where
    S: SagaStore + EventStore + Clone,
{
    let effects = Effects::default();
    let sagas = [Orchestrator::new(first.clone()), Orchestrator::new(second)];
    let (stop, mut handles, mut running) = (CancellationToken::new(), Vec::new(), Vec::new());
    for sagas in sagas.clone() {
        handles.push(sagas.register(order(&effects))?);
        let stop = stop.clone();
        running.push(tokio::spawn(async move { sagas.run(stop).await }));
    }
    let starts = (0..SAGAS).map(|n| tokio::spawn(start(handles[n % 2].clone(), n)));
    for start in starts.collect::<Vec<_>>() {
        start.await??;
    }
    for n in 0..SAGAS {
        let ended = sagas[(n + 1) % 2].wait(&id(n)?, PATIENCE).await?;
        let outcomes: Vec<_> = ended.progress.steps.iter().map(|step| step.outcome).collect();
        if n.is_multiple_of(3) {
            use StepOutcome::{Compensated, Failed};
            assert_eq!(ended.progress.state, SagaState::Compensated, "{ended:?}");
            // A delay has nothing to compensate, but is one of those that had finished.
            assert_eq!((outcomes[0], outcomes.last()), (Compensated, Some(&Failed)), "{ended:?}");
        } else {
            assert_eq!(ended.progress.state, SagaState::Completed, "{ended:?}");
            assert_eq!(outcomes, [StepOutcome::Completed; 3]);
        }
        assert_effects(&effects, n);
        assert_last_event(&first, n, ended.progress.state).await?;
    }
    let query = SagaQuery { state: Some(SagaState::Compensated), ..SagaQuery::default() };
    assert_eq!(first.sagas(&query).await?.len(), SAGAS.div_ceil(3));
    stop.cancel();
    for running in running {
        running.await?;
    }
    Ok(())
}

fn id(n: usize) -> Result<SagaId, BoxError> {
    Ok(SagaId::new(format!("order-{n}"))?)
}

async fn start(handle: SagaHandle<SagaData>, n: usize) -> Result<(), BoxError> {
    let order = SagaData::new();
    order.set("is_payable", !n.is_multiple_of(3)).map_err(|error| error.source().to_string())?;
    handle.start(id(n)?, &order).await?;
    Ok(())
}

/// Reserves, waits a moment, and charges, if that is possible.
fn order(effects: &Effects) -> Saga<SagaData> {
    let note = |effects: &Effects| {
        let effects = Arc::clone(effects);
        move |_: SagaData, cx: StepContext| {
            let mut effects = effects.lock().unwrap_or_else(PoisonError::into_inner);
            *effects.entry(cx.idempotency_key()).or_default() += 1;
            async { Ok(()) }
        }
    };
    let charge = |order: SagaData, _| async move {
        match order.get("is_payable")? {
            Some(true) => Ok(()),
            _ => Err(StepError::abort("no money")),
        }
    };
    Saga::new("order")
        .publish_events()
        .step_fn("reserve", note(effects), note(effects))
        .delay("consider", Duration::from_millis(20))
        .step_fn("charge", charge, note(effects))
}

/// Asserts that what was done for an order was done once, and undone once if it gave up.
fn assert_effects(effects: &Effects, n: usize) {
    let effects = effects.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |key: &str| effects.get(&format!("order-{n}/{key}")).copied().unwrap_or_default();
    let expected = if n.is_multiple_of(3) { (1, 1, 0) } else { (1, 0, 0) };
    assert_eq!((of("reserve/run"), of("reserve/compensate"), of("charge/compensate")), expected);
}

/// Asserts that the stream of a saga ends with the state in which the saga is.
async fn assert_last_event(
    store: &impl EventStore,
    n: usize,
    state: SagaState,
) -> Result<(), BoxError> {
    let stream = Source::Stream(StreamName::new(format!("saga-order-order-{n}"))?);
    let events = store.read(&stream, &[], None, 100).await?.events;
    let last = events.last().map(|event| event.data.to::<serde_json::Value>()).transpose()?;
    assert_eq!(last.ok_or("a saga without events")?["to"], state.as_str());
    Ok(())
}
