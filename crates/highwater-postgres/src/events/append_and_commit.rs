//! Appends that commit together with what users have written themselves.

use std::sync::Arc;

use highwater_core::backend::append_rules;
use highwater_core::{Appended, StoreError, StreamAppend};
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Row, Transaction};
use tokio::time::{Instant, timeout_at};

use super::commit::{Answer, misplaced, refusal};
use super::plan::{Facts, Plan};
use crate::database::calls::lock_wait;
use crate::database::error::store_error;
use crate::database::handle::Database;
use crate::database::schema::refuse_isolation;
use crate::store::PgStore;

impl PgStore {
    /// Appends within the caller's transaction and commits it: both happen, or neither.
    ///
    /// It takes the transaction, because every append of every process waits from here on until
    /// it has ended: appending is its last statement, and a client that freezes between that
    /// and the commit is cut off after
    /// [`idle_in_transaction_timeout`](crate::options::PgOptions::idle_in_transaction_timeout). Whatever
    /// goes wrong, the transaction is rolled back.
    ///
    /// A repetition of an append that the log already has rolls back and returns the first
    /// result: the first time, the caller's own writes were committed with it. Fails like
    /// [`append`](highwater_core::EventStore::append), and with `Invalid` for a transaction that
    /// is not `read committed`. Do not pass a savepoint, which commits nothing.
    pub async fn append_and_commit(
        &self,
        tx: Transaction<'static, Postgres>,
        batch: Vec<StreamAppend>,
    ) -> Result<Appended, StoreError> {
        let log = Arc::clone(self.log());
        let deadline = Instant::now() + log.options.append_timeout;
        // Others wait for this one, so that it must end whether or not somebody waits for it.
        let work = async move {
            let ended = timeout_at(deadline, log.append_and_end(tx, &batch, deadline)).await;
            ended.unwrap_or_else(|late| Err(StoreError::Unavailable(Box::new(late))))
        };
        self.log().apart(deadline, work).await
    }
}

impl Database {
    async fn append_and_end(
        &self,
        mut tx: Transaction<'static, Postgres>,
        batch: &[StreamAppend],
        deadline: Instant,
    ) -> Result<Appended, StoreError> {
        let (appended, is_new) = self.append_within(&mut tx, batch, deadline).await?;
        if is_new {
            tx.commit().await.map_err(store_error)?;
            self.announce(Some(appended.position));
        } else {
            tx.rollback().await.map_err(store_error)?;
        }
        Ok(appended)
    }

    /// The result, and whether this call has made it.
    async fn append_within(
        &self,
        tx: &mut PgConnection,
        batch: &[StreamAppend],
        deadline: Instant,
    ) -> Result<(Appended, bool), StoreError> {
        append_rules::check(batch, &self.options.limits)?;
        self.prepare(tx, deadline).await?;
        let mut facts = Facts::default();
        let plan = Plan::new(&[batch], &facts);
        match self.call_on(tx, &plan.group, deadline).await.map_err(store_error)? {
            Answer::Done(done) => {
                let appended = plan.appended(batch, 0, &done).ok_or_else(misplaced)?;
                Ok((appended, true))
            }
            Answer::Refused { heads, known } => {
                facts.learn(&plan.group, &heads);
                let ids: Vec<_> = known.into_iter().map(|id| id.as_uuid()).collect();
                let recorded = self.recorded_on(tx, &ids).await.map_err(store_error)?;
                Ok((refusal(batch, &recorded, &facts)?, false))
            }
        }
    }

    /// Bounds how long the transaction may wait for the lock, and idle once it has it.
    async fn prepare(&self, tx: &mut PgConnection, deadline: Instant) -> Result<(), StoreError> {
        let idle = format!("{}ms", self.options.idle_in_transaction_timeout.as_millis());
        let query = self.sql.query(&self.sql.join_transaction).bind(lock_wait(deadline)).bind(idle);
        let row = query.fetch_one(tx).await.map_err(store_error)?;
        refuse_isolation(row.try_get(0).map_err(store_error)?)
    }
}
