//! How much memory a long catch-up takes, in a process of its own.

use std::time::Instant;

use super::{seed, view};
use crate::arguments::{Child, Plan};
use crate::process::{number_from_child, peak_mib};
use crate::report::Row;
use crate::{Result, pg_store};

/// The most that it may take, in MiB.
const LIMIT: f64 = 64.0;

/// Where the long log is, apart from the one that is measured for speed.
const SCHEMA: &str = "bench_long";

/// Appends the long log and lets another process catch up with it.
pub(crate) async fn peak(plan: &Plan) -> Result<Row> {
    seed::seed(&pg_store(&plan.url, SCHEMA).await?, plan.long_events).await?;
    let start = Instant::now();
    let mib = number_from_child(&[Child::CATCH_UP]).await?;
    let seconds = start.elapsed().as_secs_f64();
    let case = format!("peak memory, view of {} events in {seconds:.0} s", plan.long_events);
    Ok(Row::limited(case, mib, (LIMIT, "MiB")))
}

/// The other process: catches up and prints the most memory it ever had, in MiB.
pub(crate) async fn catch_up(url: &str) -> Result {
    view::catch_up(&pg_store(url, SCHEMA).await?).await?;
    println!("{:.1}", peak_mib()?);
    Ok(())
}
