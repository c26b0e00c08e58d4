//! The transaction of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use highwater_core::{Advance, Change, Document, Lease, Payload, ProjectionTx, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Transaction};

use crate::checkpoint_row::checkpoint;
use crate::checkpoint_store::{lease_lost, not_moved};
use crate::error::store_error;
use crate::log::Log;

/// One batch of a projection: its read model and its checkpoint commit together.
#[derive(Debug)]
pub struct PgTx {
    log: Arc<Log>,
    lease: Lease,
    tx: Transaction<'static, Postgres>,
}

impl PgTx {
    pub(crate) async fn begin(log: Arc<Log>, lease: Lease) -> Result<Self, StoreError> {
        let tx = log.pool.begin_with(log.sql.begin.clone()).await.map_err(store_error)?;
        Ok(Self { log, lease, tx })
    }

    /// The connection, for a read model of your own tables.
    ///
    /// What is written through it commits with the checkpoint, or not at all. Leave it to the
    /// store to end the transaction.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    async fn advance(&mut self, advance: &Advance) -> Result<(), StoreError> {
        let moved = self.log.advance(&self.lease, advance)?.execute(&mut *self.tx).await;
        if moved.map_err(store_error)?.rows_affected() == 1 {
            return Ok(());
        }
        let query = self.log.about(&self.log.sql.checkpoint, &self.lease.key);
        let row = query.fetch_optional(&mut *self.tx).await.map_err(store_error)?;
        let found = row.as_ref().map(checkpoint).transpose().map_err(store_error)?;
        Err(not_moved(&self.lease, advance, found))
    }

    async fn reset(&mut self) -> Result<(), StoreError> {
        let query = self.log.under(&self.log.sql.rebuild, &self.lease);
        let reset = query.execute(&mut *self.tx).await.map_err(store_error)?;
        if reset.rows_affected() == 1 { Ok(()) } else { Err(lease_lost(&self.lease)) }
    }
}

#[async_trait]
impl ProjectionTx for PgTx {
    async fn write(&mut self, changes: Vec<(String, Option<Payload>)>) -> Result<(), StoreError> {
        let (mut written, mut removed) = (Vec::new(), Vec::new());
        // In the order of the keys, so that two writers wait for each other in turn.
        for (key, data) in changes.into_iter().collect::<BTreeMap<_, _>>() {
            Document::check_key(&key)?;
            match data {
                Some(data) => written.push((key, data)),
                None => removed.push(key),
            }
        }
        let Self { log, lease, tx } = self;
        if !written.is_empty() {
            let query = log.sql.query(&log.sql.write_documents);
            let keys: Vec<&str> = written.iter().map(|(key, _)| key.as_str()).collect();
            let data: Vec<&str> = written.iter().map(|(_, data)| data.as_str()).collect();
            let query = query.bind(lease.key.projection.as_str()).bind(keys).bind(data);
            query.execute(&mut **tx).await.map_err(store_error)?;
        }
        if !removed.is_empty() {
            let query = log.sql.query(&log.sql.delete_documents);
            let query = query.bind(lease.key.projection.as_str()).bind(removed);
            query.execute(&mut **tx).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        let Self { log, lease, tx } = self;
        let query = log.sql.query(&log.sql.clear_documents).bind(lease.key.projection.as_str());
        query.execute(&mut **tx).await.map_err(store_error)?;
        Ok(())
    }

    async fn commit(mut self, change: Change) -> Result<(), StoreError> {
        match &change {
            Change::Advance(advance) => self.advance(advance).await?,
            Change::Reset => self.reset().await?,
        }
        self.tx.commit().await.map_err(store_error)
    }
}
