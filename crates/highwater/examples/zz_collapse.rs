use highwater::postgres::{PgOptions, PgStore};
use highwater::saga::{Orchestrator, OrchestratorOptions, Saga, SagaData, StepContext};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{BoxError, SagaId, SagaState, SagaStore};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
type Runs = Arc<Mutex<BTreeMap<String, usize>>>;
fn saga(runs: &Runs) -> Saga<SagaData> {
    let note = |runs: &Runs| {
        let runs = Arc::clone(runs);
        move |data: SagaData, cx: StepContext| {
            *runs.lock().unwrap().entry(cx.step.to_string()).or_default() += 1;
            let state = if cx.step == "grow" { Some("x".repeat(2 << 20)) } else { None };
            async move { state.map_or(Ok(()), |s| data.set("state", s)) }
        }
    };
    let undo = |_: SagaData, _: StepContext| async { Ok(()) };
    Saga::new("large")
        .step_fn("grow", note(runs), undo)
        .step_fn("second", note(runs), undo)
        .step_fn("third", note(runs), undo)
}
fn hwm() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .find(|l| l.starts_with("VmHWM"))
        .unwrap()
        .to_owned()
}
async fn go(store: impl SagaStore + Clone, n: usize) -> Result<(), BoxError> {
    let runs = Runs::default();
    let stop = CancellationToken::new();
    let sagas = Orchestrator::with_options(store, OrchestratorOptions::default())?;
    let h = sagas.register(saga(&runs))?;
    let run = tokio::spawn({
        let (s, t) = (sagas.clone(), stop.clone());
        async move { s.run(t).await }
    });
    let t = Instant::now();
    for i in 0..n {
        h.start(SagaId::new(format!("l-{i}"))?, &SagaData::new()).await?;
    }
    println!("started after {:?} {}", t.elapsed(), hwm());
    let (mut done, mut bad) = (0, 0);
    for i in 0..n {
        let e = sagas.wait(&SagaId::new(format!("l-{i}"))?, Duration::from_secs(280)).await?;
        if e.progress.state == SagaState::Completed {
            done += 1
        } else {
            bad += 1;
            println!("{:?}", e.progress.error)
        }
    }
    println!(
        "completed {done} other {bad} of {n} in {:?}; runs {:?}; {}",
        t.elapsed(),
        runs.lock().unwrap(),
        hwm()
    );
    stop.cancel();
    run.await?;
    Ok(())
}
#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let a = std::env::args().nth(1).unwrap();
    let n = std::env::args().nth(2).unwrap().parse()?;
    if a.starts_with("postgres") {
        go(PgStore::connect(&a, PgOptions::default()).await?, n).await
    } else {
        go(SqliteStore::open(std::path::Path::new(&a), SqliteOptions::default()).await?, n).await
    }
}
