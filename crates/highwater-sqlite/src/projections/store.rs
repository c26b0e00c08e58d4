//! Read models that commit with their checkpoints.

use async_trait::async_trait;
use highwater_core::{
    Change, Document, ErrorClass, Lease, Payload, ProjectionName, ProjectionStore, ProjectionTx,
    StoreError,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{checkpoints, documents};
use crate::database::SqliteWrite;
use crate::database::error::{class, store_error};
use crate::store::SqliteStore;

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
        let write = SqliteWrite::begin(self).await?;
        Ok(SqliteTx { write, lease: lease.clone() })
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        let (projection, keys) = (projection.clone(), keys.to_vec());
        self.read_with(move |conn| {
            Box::pin(async move { documents::find(conn, &projection, &keys).await })
        })
        .await
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let (projection, prefix) = (projection.clone(), prefix.to_owned());
        let (after, page) = (after.map(str::to_owned), (limit, self.page_bytes()));
        self.read_with(move |conn| {
            let scan = async move {
                documents::scan(conn, &projection, &prefix, after.as_deref(), page).await
            };
            Box::pin(scan)
        })
        .await
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        class(error)
    }
}

#[async_trait]
impl ProjectionTx for SqliteTx {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        let Self { write, lease } = self;
        let projection = &lease.key.projection;
        write.change(async |conn| documents::write(conn, projection, changes).await).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        let Self { write, lease } = self;
        write.change(async |conn| documents::clear(conn, &lease.key.projection).await).await
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        let Self { write, lease } = self;
        let commit = |mut tx: Transaction<'static, Sqlite>| async move {
            match &change {
                Change::Advance(advance) => checkpoints::advance(&mut tx, &lease, advance).await?,
                Change::Reset => checkpoints::begin_rebuild(&mut tx, &lease).await?,
            }
            tx.commit().await.map_err(store_error)
        };
        write.end(commit).await
    }
}
