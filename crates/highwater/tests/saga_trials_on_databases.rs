//! The trials of sagas on every database, whose clocks take their time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore};
use highwater::saga::testing::{
    Pace, Scene, a_crash_anywhere_resumes, every_compensation_may_fail, every_step_may_fail,
    every_step_may_repeat,
};
use highwater::saga::{Saga, Step, StepContext, StepResult, Wait};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{
    BoxError, EventId, Payload, SagaName, SagaRecord, SagaState, SagaStore, Signal, SignalKey,
};

/// What is booked, by the key under which it was.
type World = Arc<Mutex<BTreeSet<String>>>;

struct Book<const N: usize>(World);

impl<const N: usize> Step<()> for Book<N> {
    const NAME: &'static str = ["hotel", "card"][N];

    async fn run(&self, (): &mut (), cx: &StepContext) -> StepResult {
        self.0.lock().unwrap().insert(cx.idempotency_key());
        Ok(())
    }

    async fn compensate(&self, (): &mut (), cx: &StepContext) -> StepResult {
        self.0.lock().unwrap().remove(&cx.run_key());
        Ok(())
    }
}

struct Confirmed;

impl Wait<()> for Confirmed {
    const NAME: &'static str = "confirmed";

    fn key(&self, (): &()) -> String {
        "trip/confirmed".to_owned()
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_mins(1))
    }

    fn received(&self, (): &mut (), _: &Signal) -> StepResult {
        Ok(())
    }
}

/// A fresh world, on a store that all of them share.
fn scene(store: &Arc<dyn SagaStore>) -> Scene<()> {
    let world = World::default();
    let saga = Saga::new("book-trip")
        .publish_events()
        .step(Book::<0>(Arc::clone(&world)))
        .delay("moment", Duration::from_millis(5))
        .wait(Confirmed)
        .step(Book::<1>(Arc::clone(&world)));
    let confirmed = Signal {
        id: EventId::new(),
        saga: SagaName::from_static("book-trip"),
        key: SignalKey::from_static("trip/confirmed"),
        data: Payload::parse("null").unwrap(),
    };
    let check = move |ended: &SagaRecord| {
        let standing = world.lock().unwrap().len();
        let expected = if ended.progress.state == SagaState::Completed { 2 } else { 0 };
        assert_eq!(standing, expected, "{:?}", ended.progress);
    };
    Scene {
        store: Arc::clone(store),
        pace: Pace::real_time(),
        saga,
        input: (),
        signals: vec![confirmed],
        check: Box::new(check),
    }
}

async fn every_trial_passes(store: Arc<dyn SagaStore>) {
    every_step_may_fail(|| scene(&store)).await;
    every_compensation_may_fail(|| scene(&store)).await;
    every_step_may_repeat(|| scene(&store)).await;
    a_crash_anywhere_resumes(|| scene(&store)).await;
}

#[tokio::test]
async fn a_good_saga_passes_every_trial_on_postgres() -> Result<(), BoxError> {
    let url = test_postgres::url().await?;
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let options = PgOptions { schema: schema.clone(), ..PgOptions::default() };
    let store = PgStore::connect(&url, options).await?;
    every_trial_passes(Arc::new(store.clone())).await;
    let drop_schema = sqlx::AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop_schema).execute(store.pool()).await?;
    store.close().await;
    Ok(())
}

#[tokio::test]
async fn a_good_saga_passes_every_trial_on_sqlite() -> Result<(), BoxError> {
    let dir = tempfile::tempdir()?;
    let store = SqliteStore::open(&dir.path().join("store.db"), SqliteOptions::default()).await?;
    every_trial_passes(Arc::new(store)).await;
    Ok(())
}
