//! Steps that end their process each time they are run, on every database.
//!
//! The test starts itself again as the process that dies.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore};
use highwater::saga::{Orchestrator, OrchestratorOptions, Saga, SagaData, StepContext};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{BoxError, SagaId, SagaRecord, SagaState, SagaStore};
use tokio_util::sync::CancellationToken;

/// Where the process that dies finds its database, and PostgreSQL its schema.
const DATABASE: &str = "DEADLY_SAGAS_DATABASE";
const SCHEMA: &str = "DEADLY_SAGAS_SCHEMA";

/// Names what is run in the process that dies.
const INSIDE: &str = "a_process_that_runs_sagas_until_they_have_ended_or_it_dies";

const DEADLY: SagaId = SagaId::from_static("deadly");
const HARMLESS: SagaId = SagaId::from_static("harmless");
const PATIENCE: Duration = Duration::from_mins(2);

/// Books, and ends the process unless it is harmless; it is undone like any other.
fn saga() -> Saga<SagaData> {
    let book = |_: SagaData, _: StepContext| async { Ok(()) };
    let die = |data: SagaData, _: StepContext| async move {
        if data.require::<bool>("is_deadly")? {
            std::process::abort();
        }
        Ok(())
    };
    let undo = |data: SagaData, cx: StepContext| async move {
        data.set(&format!("{} undone", cx.step), true)
    };
    Saga::new("deadly").step_fn("book", book, undo).step_fn("die", die, undo)
}

fn sagas(store: impl SagaStore) -> Result<Orchestrator, BoxError> {
    let options = OrchestratorOptions {
        lease_ttl: Duration::from_millis(500),
        poll_interval: Duration::from_millis(20),
        ..OrchestratorOptions::default()
    };
    Ok(Orchestrator::with_options(store, options)?)
}

async fn postgres(url: &str, schema: &str) -> Result<PgStore, BoxError> {
    let options = PgOptions { schema: schema.to_owned(), ..PgOptions::default() };
    Ok(PgStore::connect(url, options).await?)
}

async fn sqlite(file: &str) -> Result<SqliteStore, BoxError> {
    Ok(SqliteStore::open(Path::new(file), SqliteOptions::default()).await?)
}

#[tokio::test]
async fn a_process_that_runs_sagas_until_they_have_ended_or_it_dies() -> Result<(), BoxError> {
    let Ok(database) = std::env::var(DATABASE) else { return Ok(()) };
    let sagas = match std::env::var(SCHEMA) {
        Ok(schema) => sagas(postgres(&database, &schema).await?)?,
        Err(_) => sagas(sqlite(&database).await?)?,
    };
    sagas.register(saga())?;
    let (stop, running) = (CancellationToken::new(), sagas.clone());
    let until = stop.clone();
    let running = tokio::spawn(async move { running.run(until).await });
    for id in [DEADLY, HARMLESS] {
        sagas.wait(&id, PATIENCE).await?;
    }
    stop.cancel();
    Ok(running.await?)
}

/// Starts a deadly saga and a harmless one, and processes until they have ended.
async fn ends(
    store: impl SagaStore,
    environment: &[(&str, &str)],
) -> Result<(SagaRecord, SagaRecord, usize), BoxError> {
    let sagas = sagas(store)?;
    let handle = sagas.register(saga())?;
    for (id, is_deadly) in [(DEADLY, true), (HARMLESS, false)] {
        let data = SagaData::of(&serde_json::json!({ "is_deadly": is_deadly }))?;
        handle.start(id, &data).await?;
    }
    let mut deaths = 0;
    loop {
        let ended = run_inside(environment.to_vec()).await?;
        if ended.success() {
            break;
        }
        deaths += 1;
        if deaths > 10 {
            return Err("the process dies without end".into());
        }
    }
    let deadly = sagas.wait(&DEADLY, PATIENCE).await?;
    Ok((deadly, sagas.wait(&HARMLESS, PATIENCE).await?, deaths))
}

async fn run_inside(environment: Vec<(&str, &str)>) -> Result<ExitStatus, BoxError> {
    let mut process = Command::new(std::env::current_exe()?);
    process.args(["--exact", INSIDE]).envs(environment);
    Ok(tokio::task::spawn_blocking(move || process.output()).await??.status)
}

fn assert_blamed((deadly, harmless, deaths): &(SagaRecord, SagaRecord, usize)) {
    assert_eq!(harmless.progress.state, SagaState::Completed, "{harmless:?}");
    assert_eq!(deadly.progress.state, SagaState::Compensated, "{deadly:?}");
    let error = deadly.progress.error.as_deref();
    assert_eq!(error, Some("step die: the process died 3 times in it"));
    let data = deadly.progress.data.as_str();
    assert!(data.contains("die undone") && data.contains("book undone"), "{data}");
    assert_eq!(*deaths, 3);
}

#[tokio::test]
async fn a_step_that_ends_its_process_is_given_up_after_three_deaths_on_sqlite()
-> Result<(), BoxError> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("store.db");
    let file = file.to_str().ok_or("a path that is no text")?;
    let ended = ends(sqlite(file).await?, &[(DATABASE, file)]).await?;
    assert_blamed(&ended);
    Ok(())
}

#[tokio::test]
async fn a_step_that_ends_its_process_is_given_up_after_three_deaths_on_postgres()
-> Result<(), BoxError> {
    let url = test_postgres::url().await?;
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let store = postgres(&url, &schema).await?;
    let ended = ends(store.clone(), &[(DATABASE, &url), (SCHEMA, &schema)]).await?;
    assert_blamed(&ended);
    let drop_schema = sqlx::AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop_schema).execute(store.pool()).await?;
    store.close().await;
    Ok(())
}
