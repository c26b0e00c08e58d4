//! How the store does what it is asked: in tasks of their own, which end by themselves.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use highwater_core::StoreError;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgQueryResult, PgRow};
use sqlx::query::Query;
use tokio::time::{Instant, timeout_at};

use super::error::store_error;
use super::handle::Database;

/// Longest time by which the server gives up waiting for a lock before its client does, so that its
/// answer comes in time; it is a tenth of the wait.
const HEAD_START_MAX: Duration = Duration::from_millis(250);

pub(crate) type PgQuery = Query<'static, Postgres, PgArguments>;

/// What is done on a connection.
pub(crate) trait Work<T>:
    for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + 'static
{
}

impl<T, W> Work<T> for W where
    W: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>>
        + Send
        + 'static
{
}

/// A statement that waits for locks no longer than its call, in milliseconds as its last parameter.
pub(crate) fn waiting(query: PgQuery, deadline: Instant) -> PgQuery {
    query.bind(lock_wait(deadline))
}

/// Time that the server may wait for a lock on behalf of a call that ends by `deadline`.
pub(crate) fn lock_wait(deadline: Instant) -> String {
    let left = deadline.saturating_duration_since(Instant::now());
    let wait = left.saturating_sub(HEAD_START_MAX.min(left / 10));
    // At least one: zero would mean for ever.
    wait.as_millis().clamp(1, i32::MAX as u128).to_string()
}

impl Database {
    /// When a call that is made now must have been answered.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.options.call_timeout
    }

    /// Does `work`, which ends by `deadline`, in a task of its own.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.calls.run(deadline, async { Ok(()) }, |()| work).await
    }

    /// Does `work` on a connection of the pool; one that has not answered by the deadline is
    /// closed.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl Work<T>,
    ) -> Result<T, StoreError> {
        let pool = self.pool.clone();
        let conn = async move {
            let conn = timeout_at(deadline, pool.acquire()).await;
            conn.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(store_error)
        };
        let done = move |mut conn: PoolConnection<Postgres>| async move {
            match timeout_at(deadline, work(&mut conn)).await {
                Ok(done) => done.map_err(store_error),
                Err(late) => {
                    // To be given back it would have to answer; the server sees that it is closed.
                    drop(conn.detach());
                    Err(StoreError::Unavailable(Box::new(late)))
                }
            }
        };
        self.calls.run(deadline, conn, done).await
    }

    /// The rows of a query.
    pub(crate) async fn fetch_all(&self, query: PgQuery) -> Result<Vec<PgRow>, StoreError> {
        self.with(self.deadline(), |conn| query.fetch_all(conn).boxed()).await
    }

    /// The first row of a query, if there is one.
    pub(crate) async fn fetch_optional(&self, query: PgQuery) -> Result<Option<PgRow>, StoreError> {
        self.with(self.deadline(), |conn| query.fetch_optional(conn).boxed()).await
    }

    /// The first row of a query that always has one.
    pub(crate) async fn fetch_one(&self, query: PgQuery) -> Result<PgRow, StoreError> {
        self.with(self.deadline(), |conn| query.fetch_one(conn).boxed()).await
    }

    /// Runs a statement that is [`waiting`], once the time that it may wait is known.
    pub(crate) async fn change(&self, query: PgQuery) -> Result<PgQueryResult, StoreError> {
        let deadline = self.deadline();
        self.with(deadline, move |conn| waiting(query, deadline).execute(conn).boxed()).await
    }

    /// Runs a statement that is [`waiting`] and returns at most a row.
    pub(crate) async fn change_one(&self, query: PgQuery) -> Result<Option<PgRow>, StoreError> {
        let deadline = self.deadline();
        self.with(deadline, move |conn| waiting(query, deadline).fetch_optional(conn).boxed()).await
    }
}
