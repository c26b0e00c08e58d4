//! A write transaction in the hands of a user.

use highwater_core::StoreError;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::error::{begin_error, store_error};

/// Begins a write transaction of the store's own; dropping it undoes everything.
pub(crate) async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, StoreError> {
    writer.begin_with("begin immediate").await.map_err(begin_error)
}

/// A write transaction; dropping it undoes everything.
///
/// While it is open nobody else writes, in no process: keep it short. An append to the store
/// itself would wait for it in vain and fail with `Unavailable`; to append inside it, end it with
/// [`SqliteStore::append_and_commit`](crate::SqliteStore::append_and_commit).
#[derive(Debug)]
pub struct SqliteWrite(Transaction<'static, Sqlite>);

impl SqliteWrite {
    /// The savepoint goes with the transaction, and so tells later whether it is still there.
    pub(crate) async fn begin(writer: &SqlitePool) -> Result<Self, StoreError> {
        let begun = writer.begin_with("begin immediate; savepoint highwater").await;
        begun.map(Self).map_err(begin_error)
    }

    /// The connection that is in the transaction.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }

    /// Commits what has been written.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.seal().await?.commit().await.map_err(store_error)
    }

    /// Ends the user's part of the transaction.
    ///
    /// On some errors, a full disk for one, SQLite rolls a transaction back by itself. If the user
    /// passed over such an error, whatever came next would be committed without what came before;
    /// this fails then.
    pub(crate) async fn seal(mut self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let released = sqlx::query("release highwater").execute(&mut *self.0).await;
        released.map(|_| self.0).map_err(store_error)
    }
}
