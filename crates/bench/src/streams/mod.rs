//! Streams and projections, against plain SQL.

mod appends;
mod catch_up;
mod import;
pub(crate) mod memory;
mod raw;
mod raw_postgres;
mod raw_sqlite;
mod seed;
mod view;

use highwater::{EventStore, ProjectionStore};

use crate::arguments::Plan;
use crate::report::{Row, Section};
use crate::{CONNECTIONS, Result, pg_store, sqlite_store};

use self::raw::Raw;
use self::raw_postgres::RawPostgres;
use self::raw_sqlite::RawSqlite;

const HOW: &str = "\
Rates are events per second. The raw limit is plain SQL through the same driver, with the same \
number of connections, on a table with a primary key and a unique (stream, offset), without any \
of the guarantees. Each case begins with an empty log on either side. An event is about 315 bytes \
of JSON. A ratio above 1 is no magic: concurrent appends share a commit, and the next page is \
read while the last one is decoded. COPY fills a table that has a unique event id besides, by \
which an import that is repeated adds nothing.";

/// Every case on both databases.
pub(crate) async fn measure(plan: &Plan) -> Result<[Section; 2]> {
    let raw = RawPostgres::connect(&plan.url, CONNECTIONS).await?;
    let fresh = async |name: &str| pg_store(&plan.url, &format!("bench_{name}")).await;
    let mut rows = compare(plan, fresh, &raw).await?;
    let imports = pg_store(&plan.url, "bench_imports").await?;
    rows.push(import::compare(plan, &imports, &raw).await?);
    rows.push(memory::peak(plan).await?);
    let postgres = Section { title: "Streams, PostgreSQL", how: HOW, rows };

    let dir = tempfile::tempdir()?;
    let raw = RawSqlite::open(&dir.path().join("raw.db")).await?;
    let fresh = async |name: &str| sqlite_store(dir.path(), &format!("{name}.db")).await;
    let rows = compare(plan, fresh, &raw).await?;
    Ok([postgres, Section { title: "Streams, SQLite", how: "", rows }])
}

/// Every case on one database. Each begins with an empty log on either side, or whoever appended
/// more before would go on with larger indexes.
async fn compare<S, R>(
    plan: &Plan,
    fresh: impl AsyncFn(&str) -> Result<S>,
    raw: &R,
) -> Result<Vec<Row>>
where
    S: EventStore + ProjectionStore + Clone,
    R: Raw,
{
    let mut rows = Vec::new();
    for (tasks, batch, target) in [(1, 1, 0.7), (16, 1, 1.0), (64, 1, 2.0), (1, 100, 0.7)] {
        raw.clear().await?;
        let store = fresh(&format!("appends_{tasks}_{batch}")).await?;
        rows.push(appends::compare(plan, &store, raw, (tasks, batch), target).await?);
    }
    raw.clear().await?;
    let store = fresh("reads").await?;
    seed::seed(&store, plan.events).await?;
    seed::seed_raw(raw, plan.events).await?;
    rows.push(catch_up::compare(plan, &store, raw).await?);
    rows.push(view::compare(plan, &store, raw).await?);
    Ok(rows)
}
