//! Measures Highwater against the raw limit: what plain SQL, or a plain broadcast, does on the
//! same machine in the same minute. Run it with `cargo xtask bench`.

mod arguments;
mod live;
mod machine;
mod order;
mod process;
mod report;
mod rounds;
mod sagas;
mod streams;

use std::path::Path;

use highwater::BoxError;
use highwater::postgres::{PgOptions, PgStore};
use highwater::sqlite::{SqliteOptions, SqliteStore};

use crate::arguments::{Arguments, Child, Part, Plan};
use crate::report::Report;

type Result<T = ()> = std::result::Result<T, BoxError>;

/// The connections of a store.
const CONNECTIONS: u32 = 16;

#[tokio::main]
async fn main() -> Result {
    match Arguments::parse(std::env::args().skip(1))? {
        Arguments::Measure(plan) => measure(&plan).await,
        Arguments::Child(Child::CatchUp { url }) => streams::memory::catch_up(&url).await,
        Arguments::Child(Child::WaitingSagas { url, sagas }) => {
            sagas::waiting::wait(&url, sagas).await
        }
        Arguments::Child(Child::Serve(served)) => live::serve(served).await,
    }
}

async fn measure(plan: &Plan) -> Result {
    let mut report = Report::new(plan.date.clone(), machine::describe(&plan.url).await?);
    if plan.has(Part::Streams) {
        report.sections.extend(streams::measure(plan).await?);
    }
    if plan.has(Part::Sagas) {
        report.sections.extend(sagas::measure(plan).await?);
    }
    if plan.has(Part::Live) {
        report.sections.push(live::measure(plan).await?);
    }
    println!("{report}");
    if let Some(path) = plan.report_file() {
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
