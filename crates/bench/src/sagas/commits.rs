//! How many commits a saga takes, counted in PostgreSQL's write-ahead log.
//!
//! The log has a record of each commit that wrote something, at once and exactly; the server's
//! statistics come seconds later and count reads as well.

use std::future::Future;

use sqlx::{Connection, Executor, PgConnection};

use crate::Result;

const COMMITS: &str = include_str!("../../sql/postgres/sagas/commits.sql");

/// Counts the commits of the whole server.
pub(crate) struct Commits(PgConnection);

impl Commits {
    /// Needs the extension `pg_walinspect`, which comes with PostgreSQL since version 15.
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let mut conn = PgConnection::connect(url).await?;
        conn.execute("create extension if not exists pg_walinspect").await?;
        Ok(Self(conn))
    }

    /// Returns what `run` returns, and the number of commits meanwhile.
    pub(crate) async fn during<T>(
        &mut self,
        run: impl Future<Output = Result<T>>,
    ) -> Result<(T, u64)> {
        let from = self.place().await?;
        let result = run.await?;
        let to = self.place().await?;
        let commits: i64 =
            sqlx::query_scalar(COMMITS).bind(from).bind(to).fetch_one(&mut self.0).await?;
        Ok((result, commits.try_into()?))
    }

    /// How far the log is on the disk.
    async fn place(&mut self) -> Result<String> {
        let place = sqlx::query_scalar("select pg_current_wal_flush_lsn()::text");
        Ok(place.fetch_one(&mut self.0).await?)
    }
}
