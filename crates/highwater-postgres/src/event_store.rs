//! The store of events.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake, append,
};
use sqlx::Row;

use crate::PgStore;
use crate::error::store_error;

#[async_trait]
impl EventStore for PgStore {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        append::check(&batch, &self.log().options.limits)?;
        let broken_off = || StoreError::Unavailable("the commit of the append broke off".into());
        self.appends().submit(batch).await.unwrap_or_else(|| Err(broken_off()))
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        self.log().import(&events).await
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
        let row = log.sql.query(&log.sql.now).fetch_one(&log.pool).await;
        row.and_then(|row| row.try_get(0)).map_err(store_error)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let log = self.log();
        let done = log.sql.query(&log.sql.probe).execute(&log.pool).await;
        done.map(drop).map_err(store_error)
    }

    fn wake(&self) -> Wake {
        self.log().bell.wake()
    }
}
