//! What everything about one log shares: its connections, its statements, its bell.

use futures::{FutureExt, TryStreamExt};
use highwater_core::backend::Bell;
use highwater_core::backend::calls::Calls;
use highwater_core::{Position, RecordedEvent, StoreError};
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::calls::PgQuery;
use super::connections::DedicatedConnection;
use super::error::store_error;
use super::pool::ANSWER_TIMEOUT;
use super::statements::Statements;
use crate::events::row::Decoder;
use crate::options::PgOptions;

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    pub(crate) calls: Calls,
    /// The connections that append, create sagas, move them on, and look them up by their ids:
    /// each takes what many ask for together.
    pub(crate) appends: DedicatedConnection,
    pub(crate) saga_creations: DedicatedConnection,
    pub(crate) saga_records: DedicatedConnection,
    pub(crate) saga_renewals: DedicatedConnection,
    pub(crate) saga_reads: DedicatedConnection,
    pub(crate) sql: Statements,
    pub(crate) options: PgOptions,
    pub(crate) bell: Bell,
    /// Rings when this store has made a saga due.
    pub(crate) sagas_due: Bell,
    /// Position that this store has appended up to, for telling other processes.
    pub(crate) appended: watch::Sender<Option<Position>>,
}

impl Database {
    pub(crate) fn new(pool: PgPool, options: PgOptions) -> Self {
        let sql = Statements::new(&options);
        let (bell, sagas_due, appended) = (Bell::new(), Bell::new(), watch::Sender::new(None));
        Self {
            pool,
            calls: Calls::new(),
            appends: DedicatedConnection::default(),
            saga_creations: DedicatedConnection::default(),
            saga_records: DedicatedConnection::default(),
            saga_renewals: DedicatedConnection::default(),
            saga_reads: DedicatedConnection::default(),
            sql,
            options,
            bell,
            sagas_due,
            appended,
        }
    }

    /// Closes every connection, once what is under way has ended, which all of it does.
    pub(crate) async fn close(&self) {
        let longest = self.options.call_timeout.max(self.options.append_timeout);
        if timeout(longest + ANSWER_TIMEOUT, self.pool.close()).await.is_err() {
            tracing::warn!("a connection that somebody keeps was not closed");
        }
        for held in [
            &self.appends,
            &self.saga_creations,
            &self.saga_records,
            &self.saga_renewals,
            &self.saga_reads,
        ] {
            held.close().await;
        }
    }

    /// Wakes the readers of this process now, and those of others soon.
    pub(crate) fn announce(&self, last: Option<Position>) {
        self.bell.ring(last);
        self.appended.send_if_modified(|announced| {
            // Not only what is further than before: the log may have been replaced by an older one.
            std::mem::replace(announced, last) != last
        });
    }

    /// The events that carry one of `ids`, asked for until `deadline`.
    pub(crate) async fn recorded(
        &self,
        ids: Vec<Uuid>,
        deadline: Instant,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let query = self.sql.query(&self.sql.find_events).bind(ids);
        self.with(deadline, |conn| events(query, conn).boxed()).await
    }

    /// The events that carry one of `ids`.
    pub(crate) async fn recorded_on(
        &self,
        conn: &mut PgConnection,
        ids: &[Uuid],
    ) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        events(self.sql.query(&self.sql.find_events).bind(ids), conn).await
    }

    /// The position of the last event.
    pub(crate) async fn last(&self) -> Result<Option<Position>, StoreError> {
        let row = self.fetch_one(self.sql.query(&self.sql.read_head)).await?;
        let number: i64 = sqlx::Row::try_get(&row, 0).map_err(store_error)?;
        Ok(Position::from_sql(number)?)
    }
}

async fn events(
    query: PgQuery,
    conn: &mut PgConnection,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let (mut events, mut decoder) = (Vec::new(), Decoder::default());
    let mut rows = query.fetch(conn);
    // Each as it comes, while the server still sends the others.
    while let Some(row) = rows.try_next().await? {
        events.push(decoder.event(&row)?);
    }
    Ok(events)
}
