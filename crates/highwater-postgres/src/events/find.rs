//! Events that carry certain ids.

use futures::{FutureExt, TryStreamExt};
use highwater_core::{RecordedEvent, StoreError};
use sqlx::postgres::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::row::Decoder;
use crate::database::calls::PgQuery;
use crate::database::handle::Database;

impl Database {
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
