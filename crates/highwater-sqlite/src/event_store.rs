//! Events in streams.

use async_trait::async_trait;
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake, append as rules,
};

use crate::error::store_error;
use crate::write::begin;
use crate::{SqliteStore, append, read};

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        rules::check(&batch, &self.limits)?;
        let broken_off = || StoreError::Unavailable("the commit of the append broke off".into());
        self.appends.submit(batch).await.unwrap_or_else(|| Err(broken_off()))
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        rules::check_events(events.iter().map(|(_, event)| event), &self.limits)?;
        let mut tx = begin(&self.writer).await?;
        let (imported, head) = append::import(&mut tx, &events).await?;
        tx.commit().await.map_err(store_error)?;
        self.grown_to(head);
        Ok(imported)
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        read::page(&self.readers, source, types, after, limit).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        let mut conn = self.readers.acquire().await.map_err(store_error)?;
        read::head(&mut conn, source).await
    }

    fn wake(&self) -> Wake {
        self.bell.wake()
    }
}
