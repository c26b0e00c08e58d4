//! Measures Highwater against the raw limit: what plain SQL does on the same database in the
//! same minute. Run it with `cargo xtask bench`.

mod appends;
mod arguments;
mod catch_up;
mod machine;
mod memory;
mod order;
mod raw;
mod raw_postgres;
mod raw_sqlite;
mod report;
mod rounds;
mod seed;
mod view;

use std::path::Path;

use highwater::postgres::{PgOptions, PgStore};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{BoxError, EventStore, ProjectionStore};

use crate::arguments::{Arguments, Plan};
use crate::raw::Raw;
use crate::raw_postgres::RawPostgres;
use crate::raw_sqlite::RawSqlite;
use crate::report::{Report, Row};

type Result<T = ()> = std::result::Result<T, BoxError>;

/// The connections of either side.
const CONNECTIONS: u32 = 16;

#[tokio::main]
async fn main() -> Result {
    match Arguments::parse(std::env::args().skip(1))? {
        Arguments::Measure(plan) => measure(&plan).await,
        Arguments::CatchUp { url } => memory::catch_up(&url).await,
    }
}

async fn measure(plan: &Plan) -> Result {
    let mut report = Report::new(plan.date.clone(), machine::describe(&plan.url).await?);
    let raw = RawPostgres::connect(&plan.url, CONNECTIONS).await?;
    let appends = pg_store(&plan.url, "bench_appends").await?;
    let reads = pg_store(&plan.url, "bench_reads").await?;
    let mut rows = compare(plan, &appends, &reads, &raw).await?;
    rows.push(memory::peak(plan).await?);
    report.add("PostgreSQL", rows);

    let dir = tempfile::tempdir()?;
    let raw = RawSqlite::open(&dir.path().join("raw.db")).await?;
    let appends = sqlite_store(dir.path(), "appends.db").await?;
    let reads = sqlite_store(dir.path(), "reads.db").await?;
    report.add("SQLite", compare(plan, &appends, &reads, &raw).await?);

    println!("{report}");
    if let Some(path) = &plan.output {
        std::fs::write(path, report.to_string())?;
    }
    Ok(())
}

async fn pg_store(url: &str, schema: &str) -> Result<PgStore> {
    let schema = schema.to_owned();
    let options = PgOptions { schema, max_connections: CONNECTIONS, ..Default::default() };
    Ok(PgStore::connect(url, options).await?)
}

async fn sqlite_store(dir: &Path, file: &str) -> Result<SqliteStore> {
    Ok(SqliteStore::open(dir.join(file), SqliteOptions::default()).await?)
}

/// Every case on one backend, with one store to append to and one to read from.
async fn compare<S, R>(plan: &Plan, appends: &S, reads: &S, raw: &R) -> Result<Vec<Row>>
where
    S: EventStore + ProjectionStore,
    R: Raw,
{
    let mut rows = Vec::new();
    for (tasks, batch, target) in [(1, 1, 0.7), (16, 1, 1.0), (64, 1, 2.0), (1, 100, 0.7)] {
        rows.push(appends::compare(plan, appends, raw, (tasks, batch), target).await?);
    }
    raw.clear().await?;
    seed::seed(reads, plan.events).await?;
    seed::seed_raw(raw, plan.events).await?;
    rows.push(catch_up::compare(plan, reads, raw).await?);
    rows.push(view::compare(plan, reads, raw).await?);
    Ok(rows)
}
