//! The transaction of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use highwater_core::{Advance, Change, Document, Lease, Payload, ProjectionTx, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Transaction};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::checkpoint_store::{lease_lost, not_moved};
use super::row::checkpoint;
use crate::database::calls::{PgQuery, waiting};
use crate::database::error::store_error;
use crate::database::handle::Database;

/// One batch of a projection: its read model and its checkpoint commit together.
#[derive(Debug)]
pub struct PgTx {
    log: Arc<Database>,
    lease: Lease,
    tx: Transaction<'static, Postgres>,
    /// A change was dropped half-way, so that what has been written is not what was meant.
    is_torn: bool,
}

impl PgTx {
    pub(crate) async fn begin(log: &Arc<Database>, lease: Lease) -> Result<Self, StoreError> {
        let (deadline, log) = (log.deadline(), Arc::clone(log));
        let (pool, begin) = (log.pool.clone(), log.sql.begin.clone());
        let begun = async move {
            let begun = timeout_at(deadline, pool.begin_with(begin)).await;
            begun.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(store_error)
        };
        let tx = log.calls.take(deadline, begun).await?;
        Ok(Self { log, lease, tx, is_torn: false })
    }

    /// The connection, for a read model of your own tables.
    ///
    /// What is written through it commits with the checkpoint, or not at all. Leave it to the
    /// store to end the transaction.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Runs statements that change documents; when that is dropped half-way nothing can be
    /// committed any more.
    async fn change(&mut self, queries: Vec<PgQuery>) -> Result<(), StoreError> {
        let was_torn = std::mem::replace(&mut self.is_torn, true);
        let deadline = self.log.deadline();
        for query in queries {
            let changed = timeout_at(deadline, query.execute(&mut *self.tx)).await;
            changed.map_err(late)?.map_err(store_error)?;
        }
        self.is_torn = was_torn;
        Ok(())
    }

    async fn advance(&mut self, advance: &Advance, deadline: Instant) -> Result<(), StoreError> {
        let query = waiting(self.log.advance(&self.lease, advance)?, deadline);
        let moved = query.execute(&mut *self.tx).await.map_err(store_error)?;
        if moved.rows_affected() == 1 {
            return Ok(());
        }
        let query = self.log.about(&self.log.sql.read_checkpoint, &self.lease.key);
        let row = query.fetch_optional(&mut *self.tx).await.map_err(store_error)?;
        let found = row.as_ref().map(checkpoint).transpose().map_err(store_error)?;
        Err(not_moved(&self.lease, advance, found))
    }

    async fn reset(&mut self, deadline: Instant) -> Result<(), StoreError> {
        let query =
            waiting(self.log.under(&self.log.sql.rebuild_checkpoint, &self.lease), deadline);
        let reset = query.execute(&mut *self.tx).await.map_err(store_error)?;
        if reset.rows_affected() == 1 { Ok(()) } else { Err(lease_lost(&self.lease)) }
    }

    async fn end(mut self, change: &Change, deadline: Instant) -> Result<(), StoreError> {
        match change {
            Change::Advance(advance) => self.advance(advance, deadline).await?,
            Change::Reset => self.reset(deadline).await?,
        }
        self.tx.commit().await.map_err(store_error)
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
        let Self { log, lease, .. } = self;
        let mut queries = Vec::new();
        if !written.is_empty() {
            let query = log.sql.query(&log.sql.write_documents);
            let keys: Vec<&str> = written.iter().map(|(key, _)| key.as_str()).collect();
            let data: Vec<&str> = written.iter().map(|(_, data)| data.as_str()).collect();
            queries.push(query.bind(lease.key.projection.as_str()).bind(keys).bind(data));
        }
        if !removed.is_empty() {
            let query = log.sql.query(&log.sql.delete_documents);
            queries.push(query.bind(lease.key.projection.as_str()).bind(removed));
        }
        self.change(queries).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        let Self { log, lease, .. } = self;
        let query = log.sql.query(&log.sql.clear_documents).bind(lease.key.projection.as_str());
        self.change(vec![query]).await
    }

    async fn commit(self, change: Change) -> Result<(), StoreError> {
        if self.is_torn {
            return Err(StoreError::Unavailable("a change was dropped half-way".into()));
        }
        let (deadline, log) = (self.log.deadline(), Arc::clone(&self.log));
        let end =
            async move { timeout_at(deadline, self.end(&change, deadline)).await.map_err(late)? };
        log.apart(deadline, end).await
    }
}

fn late(elapsed: Elapsed) -> StoreError {
    StoreError::Unavailable(Box::new(elapsed))
}
