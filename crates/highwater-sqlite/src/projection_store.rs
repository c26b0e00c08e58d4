//! Read models that commit with their checkpoints.

use async_trait::async_trait;
use highwater_core::{
    Change, Document, ErrorClass, Lease, Payload, ProjectionName, ProjectionStore, ProjectionTx,
    StoreError,
};
use sqlx::SqliteConnection;

use crate::error::{class, store_error};
use crate::{SqliteStore, SqliteWrite, checkpoints, documents};

/// One batch of a projection, in a write transaction; dropping it undoes everything.
///
/// While it is open nobody else writes, see [`SqliteWrite`].
#[derive(Debug)]
pub struct SqliteTx {
    write: SqliteWrite,
    lease: Lease,
}

impl SqliteTx {
    /// The connection that is in the transaction, for read models in tables of the user's own.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        self.write.conn()
    }
}

#[async_trait]
impl ProjectionStore for SqliteStore {
    type Tx = SqliteTx;

    async fn begin(&self, lease: &Lease) -> Result<SqliteTx, StoreError> {
        let write = SqliteWrite::begin(&self.writer).await?;
        Ok(SqliteTx { write, lease: lease.clone() })
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        documents::find(&self.readers, projection, keys).await
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        documents::scan(&self.readers, projection, prefix, after, limit).await
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        class(error)
    }
}

#[async_trait]
impl ProjectionTx for SqliteTx {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        documents::write(self.write.conn(), &self.lease.key.projection, changes).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        documents::clear(self.write.conn(), &self.lease.key.projection).await
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let mut tx = self.write.seal().await?;
        match &change {
            Change::Advance(advance) => {
                checkpoints::advance(&mut tx, &self.lease, advance).await?;
            }
            Change::Reset => checkpoints::begin_rebuild(&mut tx, &self.lease).await?,
        }
        tx.commit().await.map_err(store_error)
    }
}
