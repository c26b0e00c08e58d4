//! How the store does what it is asked: in tasks of their own, which end by themselves.

use std::future::Future;
use std::time::Duration;

use futures::future::BoxFuture;
use highwater_core::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::time::{Instant, timeout_at};

use super::error::store_error;
use super::write::begin;
use crate::store::SqliteStore;

/// The shortest wait for a connection, even of who would not wait at all.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The least time that a call has for its work.
const WORK_MIN: Duration = Duration::from_secs(2);

/// What is done on a connection.
pub(crate) trait Work<T>:
    for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static
{
}

impl<T, W> Work<T> for W where
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
        + Send
        + 'static
{
}

/// Time that a call may wait, and by when it has an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// For a connection, and for the transactions of others, to come free.
    pub(crate) wait: Instant,
    /// For the answer; later when so short a wait would leave no time for the work.
    pub(crate) answer: Instant,
}

impl Deadlines {
    /// Those of a call that is made now.
    pub(crate) fn new(busy_timeout: Duration) -> Self {
        let now = Instant::now();
        Self { wait: now + busy_timeout.max(WAIT_MIN), answer: now + busy_timeout.max(WORK_MIN) }
    }
}

impl SqliteStore {
    /// Reads on one of the connections for that.
    pub(crate) async fn read_with<T: Send + 'static>(
        &self,
        work: impl Work<T>,
    ) -> Result<T, StoreError> {
        let (deadlines, readers) = (Deadlines::new(self.busy_timeout), self.readers.clone());
        let reader = async move {
            let reader = timeout_at(deadlines.wait, readers.acquire()).await;
            reader.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(store_error)
        };
        let read = |mut reader: PoolConnection<Sqlite>| async move { work(&mut reader).await };
        self.calls.run(deadlines.answer, reader, read).await
    }

    /// Writes in a transaction, which is committed unless `work` fails.
    pub(crate) async fn write_with<T: Send + 'static>(
        &self,
        work: impl Work<T>,
    ) -> Result<T, StoreError> {
        self.transact(|mut tx| async move {
            let done = work(&mut tx).await?;
            tx.commit().await.map_err(store_error)?;
            Ok(done)
        })
        .await
    }

    /// Does `work` with a write transaction, which is undone unless it is committed.
    pub(crate) async fn transact<T, F>(
        &self,
        work: impl FnOnce(Transaction<'static, Sqlite>) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let (deadlines, writer) = (Deadlines::new(self.busy_timeout), self.writer.clone());
        let begun = async move { begin(&writer, deadlines.wait).await };
        self.calls.run(deadlines.answer, begun, work).await
    }
}
