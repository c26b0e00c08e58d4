//! The database behind the URL, from connecting to closing; the only place that knows which.

use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{BoxError, EventStore, ProjectionStore, SagaStore, StoreError};

use crate::args::Task;
use crate::import::import;
use crate::output;
use crate::retry::patiently;
use crate::server::serve;

/// How long to wait for a database that is not up yet.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long running calls may take once the work is over.
const CLOSE: Duration = Duration::from_secs(5);

/// Carries out `task` on the database, and closes it.
pub(crate) async fn run(url: &str, task: Task) -> Result<(), BoxError> {
    let shown = without_secrets(url);
    tracing::info!("connecting to {shown}");
    match url.split_once(':') {
        Some(("sqlite", _)) => {
            let connect = || SqliteStore::connect(url, SqliteOptions::default());
            let store = opened(patiently(PATIENCE, connect).await, &shown)?;
            let outcome = carry_out(store.clone(), task, &shown).await;
            closed(store.close()).await;
            outcome
        }
        Some(("postgres" | "postgresql", _)) => {
            let connect = || PgStore::connect(url, PgOptions::default());
            let store = opened(patiently(PATIENCE, connect).await, &shown)?;
            let outcome = carry_out(store.clone(), task, &shown).await;
            closed(store.close()).await;
            outcome
        }
        _ => Err(format!("{shown}: not a sqlite: or postgres:// URL").into()),
    }
}

/// The store, or an error that names the database.
fn opened<S>(store: Result<S, StoreError>, database: &str) -> Result<S, CannotOpen> {
    store.map_err(|source| CannotOpen { database: database.to_owned(), source })
}

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {database}")]
struct CannotOpen {
    database: String,
    source: StoreError,
}

async fn carry_out<S>(store: S, task: Task, database: &str) -> Result<(), BoxError>
where
    S: EventStore + ProjectionStore + SagaStore,
{
    match task {
        Task::Serve(options) => serve(store, &options, database).await,
        Task::Import(options) => {
            let outcome = import(store, options).await?;
            Ok(output::print(&outcome)?)
        }
    }
}

/// Waits for the store to close, but not for a call that hangs.
async fn closed(close: impl Future<Output = ()>) {
    if tokio::time::timeout(CLOSE, close).await.is_err() {
        tracing::warn!("the database is still busy after {CLOSE:?}, it is left so");
    }
}

/// The URL without user, password and parameters, any of which can carry a secret.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split('?').next().unwrap_or_default().to_owned();
    };
    // A secret may contain an unescaped '@', '?' or '/': what is behind the last '@' is safe,
    // unless that is in a parameter.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let place = host.split('?').next().unwrap_or_default();
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_shown() {
        for (url, shown) in [
            ("postgres://ada:s3cret@db:5432/app?sslmode=disable", "postgres://db:5432/app"),
            ("postgres://ada:s3@c?r/et@db/app", "postgres://db/app"),
            ("postgres://db/app?user=ada&password=s3cret", "postgres://db/app"),
            ("sqlite:highwater.db?mode=rwc", "sqlite:highwater.db"),
            ("sqlite:///var/app.db", "sqlite:///var/app.db"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
