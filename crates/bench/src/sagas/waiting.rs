//! How much memory sagas take that wait, in a process of its own.

use std::time::{Duration, Instant};

use highwater::saga::{Orchestrator, Saga, SagaHandle};
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fulfilment::{AuthorizePayment, Fulfilment, ReserveInventory, saga_id};
use crate::arguments::{Child, Plan};
use crate::process::{number_from_child, peak_mib};
use crate::report::Row;
use crate::{Result, pg_store};

/// The most that they may take, in MiB.
const LIMIT: f64 = 64.0;

/// Where they are, apart from those that are measured for speed.
const SCHEMA: &str = "bench_waiting";

/// Tasks that start sagas.
const STARTERS: u64 = 256;

/// How long they are watched once all of them wait.
const REST: Duration = Duration::from_secs(2);

/// Has another process start sagas that wait for a day.
pub(crate) async fn peak(plan: &Plan) -> Result<Row> {
    let (start, sagas) = (Instant::now(), plan.waiting_sagas);
    let mib = number_from_child(&[Child::WAITING_SAGAS, &sagas.to_string()]).await?;
    let seconds = start.elapsed().as_secs_f64();
    let case = format!("peak memory, {sagas} sagas started in {seconds:.0} s wait on a timer");
    Ok(Row::limited(case, mib, (LIMIT, "MiB")))
}

/// The other process: starts them, lets them wait, and prints the most memory it ever had, in MiB.
pub(crate) async fn wait(url: &str, sagas: u64) -> Result {
    let store = pg_store(url, SCHEMA).await?;
    let orchestrator = Orchestrator::new(store.clone());
    let saga = Saga::new("patience").step(ReserveInventory);
    let saga = saga.delay("a-day", Duration::from_secs(24 * 60 * 60)).step(AuthorizePayment);
    let handle = orchestrator.register(saga)?;
    let (running, stop) = (orchestrator.clone(), CancellationToken::new());
    let stopped = stop.clone();
    let running = tokio::spawn(async move { running.run(stopped).await });
    let mut starters = JoinSet::new();
    for first in 0..STARTERS {
        starters.spawn(start(handle.clone(), first, sagas));
    }
    starters.join_all().await.into_iter().collect::<Result<()>>()?;
    let waiting = format!(
        "select count(*) from {SCHEMA}.saga_states where owner is null and timer_at is not null"
    );
    let waiting = || sqlx::query_scalar::<_, i64>(AssertSqlSafe(waiting.clone()));
    while waiting().fetch_one(store.pool()).await? < i64::try_from(sagas)? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(REST).await;
    println!("{:.1}", peak_mib()?);
    stop.cancel();
    running.await?;
    Ok(())
}

/// Starts every so manieth saga, from `first` on.
async fn start(handle: SagaHandle<Fulfilment>, first: u64, sagas: u64) -> Result {
    let step = usize::try_from(STARTERS)?;
    for n in (first..sagas).step_by(step) {
        handle.start(saga_id(n)?, &Fulfilment::new(n)).await?;
    }
    Ok(())
}
