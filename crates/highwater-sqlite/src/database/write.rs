//! A write transaction in the hands of a user.

use std::future::Future;

use highwater_core::StoreError;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::time::{Instant, timeout_at};

use super::calls::Deadlines;
use super::error::{begin_error, is_busy, store_error};
use crate::store::SqliteStore;

/// Begins a write transaction of the store's own; dropping it undoes everything.
pub(crate) async fn begin(
    writer: &SqlitePool,
    deadline: Instant,
) -> Result<Transaction<'static, Sqlite>, StoreError> {
    begin_with(writer, "begin immediate", deadline).await
}

/// Waits until `deadline` for the writing connection, and for writers in other processes.
///
/// SQLite itself waits for those in slices, so that the wait ends with the call. A begin that is
/// dropped in the middle is undone by the driver.
async fn begin_with(
    writer: &SqlitePool,
    begin: &'static str,
    deadline: Instant,
) -> Result<Transaction<'static, Sqlite>, StoreError> {
    loop {
        let begun = timeout_at(deadline, writer.begin_with(begin)).await;
        match begun.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {}
            begun => return begun.map_err(begin_error),
        }
    }
}

/// A write transaction; dropping it undoes everything.
///
/// While it is open nobody else writes, in no process: keep it short. An append to the store
/// itself would wait for it in vain and fail with `Unavailable`; to append inside it, end it with
/// [`SqliteStore::append_and_commit`](crate::store::SqliteStore::append_and_commit).
#[derive(Debug)]
pub struct SqliteWrite {
    tx: Transaction<'static, Sqlite>,
    store: SqliteStore,
    /// A change was dropped half-way, so that what has been written is not what was meant.
    is_torn: bool,
}

impl SqliteWrite {
    /// The savepoint goes with the transaction, and so tells later whether it is still there.
    pub(crate) async fn begin(store: &SqliteStore) -> Result<Self, StoreError> {
        let deadlines = Deadlines::new(store.busy_timeout);
        let writer = store.writer.clone();
        let begin = "begin immediate; savepoint highwater";
        let begun = async move { begin_with(&writer, begin, deadlines.wait).await };
        let tx = store.calls.take(deadlines.answer, begun).await?;
        Ok(Self { tx, store: store.clone(), is_torn: false })
    }

    /// The connection that is in the transaction.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// Makes a change of several statements; when it is dropped half-way nothing can be committed
    /// any more.
    pub(crate) async fn change<T>(
        &mut self,
        change: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let was_torn = std::mem::replace(&mut self.is_torn, true);
        let changed = change(&mut self.tx).await;
        self.is_torn = was_torn;
        changed
    }

    /// Commits what has been written.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end(|tx| async move { tx.commit().await.map_err(store_error) }).await
    }

    /// Ends the user's part of the transaction, and then the transaction, as `end` says.
    ///
    /// On some errors, a full disk for one, SQLite rolls a transaction back by itself. If the user
    /// passed over such an error, whatever came next would be committed without what came before;
    /// this fails then.
    pub(crate) async fn end<T, F>(
        self,
        end: impl FnOnce(Transaction<'static, Sqlite>) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let Self { mut tx, store, is_torn } = self;
        if is_torn {
            return Err(StoreError::Unavailable("a change was dropped half-way".into()));
        }
        let answer = Deadlines::new(store.busy_timeout).answer;
        let sealed = async move {
            let released = sqlx::query("release highwater").execute(&mut *tx).await;
            released.map(|_| tx).map_err(store_error)
        };
        store.calls.run(answer, sealed, end).await
    }
}
