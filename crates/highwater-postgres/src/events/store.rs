//! The store of events.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::backend::{append_rules, calls};
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake,
};
use sqlx::Row;
use tokio::time::Instant;

use crate::database::error::store_error;
use crate::store::PgStore;

#[async_trait]
impl EventStore for PgStore {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        append_rules::check(&batch, &self.log().options.limits)?;
        let deadline = Instant::now() + self.log().options.append_timeout;
        let answer = calls::within(deadline, self.appends().submit((batch, deadline))).await?;
        let broken_off = || StoreError::Unavailable("the commit of the append broke off".into());
        answer.unwrap_or_else(|| Err(broken_off()))
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        let log = Arc::clone(self.log());
        let deadline = Instant::now() + log.options.append_timeout;
        let import = async move { log.import(&events, deadline).await };
        self.log().apart(deadline, import).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.log().page(source, types, after, limit).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        self.log().head_of(source).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        let log = self.log();
        let row = log.fetch_one(log.sql.query(&log.sql.read_clock)).await?;
        row.try_get(0).map_err(store_error)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let log = self.log();
        log.fetch_all(log.sql.query(&log.sql.probe_append)).await.map(drop)
    }

    fn wake(&self) -> Wake {
        self.log().bell.wake()
    }
}
