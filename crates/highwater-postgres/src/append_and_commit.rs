//! Appends that commit together with what users have written themselves.

use highwater_core::{Appended, StoreError, StreamAppend, append};
use sqlx::{Postgres, Row, Transaction};

use crate::PgStore;
use crate::append::{Answer, misplaced, refusal};
use crate::error::store_error;
use crate::log::Log;
use crate::plan::{Facts, Plan};
use crate::schema::refuse_isolation;

impl PgStore {
    /// Appends within the caller's transaction and commits it: both happen, or neither.
    ///
    /// It takes the transaction, because every append of every process waits from here on until
    /// it has ended: appending is its last statement, and a client that freezes between that
    /// and the commit is cut off after
    /// [`idle_in_transaction_timeout`](crate::PgOptions::idle_in_transaction_timeout). Whatever
    /// goes wrong, the transaction is rolled back.
    ///
    /// A repetition of an append that the log already has rolls back and returns the first
    /// result: the first time, the caller's own writes were committed with it. Fails like
    /// [`append`](highwater_core::EventStore::append), and with `Invalid` for a transaction that
    /// is not `read committed`. Do not pass a savepoint, which commits nothing.
    pub async fn append_and_commit(
        &self,
        mut tx: Transaction<'_, Postgres>,
        batch: Vec<StreamAppend>,
    ) -> Result<Appended, StoreError> {
        let log = self.log();
        let result = log.append_within(&mut tx, &batch).await;
        match &result {
            Ok((appended, true)) => {
                tx.commit().await.map_err(store_error)?;
                log.announce(Some(appended.position));
            }
            Ok((_, false)) => tx.rollback().await.map_err(store_error)?,
            // What failed is the news; dropping the transaction rolls it back as well.
            Err(_) => drop(tx),
        }
        result.map(|(appended, _)| appended)
    }
}

impl Log {
    /// The result, and whether this call has made it.
    async fn append_within(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        batch: &[StreamAppend],
    ) -> Result<(Appended, bool), StoreError> {
        append::check(batch, &self.options.limits)?;
        self.prepare(tx).await?;
        let mut facts = Facts::default();
        let plan = Plan::new(&[batch], &facts);
        match self.call_on(tx, &plan.group).await.map_err(store_error)? {
            Answer::Done(done) => {
                let appended = plan.appended(batch, 0, &done).ok_or_else(misplaced)?;
                Ok((appended, true))
            }
            Answer::Refused { heads, known } => {
                facts.learn(&plan.group, &heads);
                let ids: Vec<_> = known.into_iter().map(|id| id.as_uuid()).collect();
                let recorded = self.recorded_on(&mut **tx, &ids).await.map_err(store_error)?;
                Ok((refusal(batch, &recorded, &facts)?, false))
            }
        }
    }

    /// Bounds how long the transaction may wait for the lock, and idle once it has it.
    async fn prepare(&self, tx: &mut Transaction<'_, Postgres>) -> Result<(), StoreError> {
        let wait = format!("{}ms", self.options.append_timeout.as_millis());
        let idle = format!("{}ms", self.options.idle_in_transaction_timeout.as_millis());
        let query = self.sql.query(&self.sql.join_transaction).bind(wait).bind(idle);
        let row = query.fetch_one(&mut **tx).await.map_err(store_error)?;
        refuse_isolation(row.try_get(0).map_err(store_error)?)
    }
}
