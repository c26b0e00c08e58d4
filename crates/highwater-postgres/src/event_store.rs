//! The store of events.

use async_trait::async_trait;
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake, append,
};

use crate::PgStore;

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

    fn wake(&self) -> Wake {
        self.log().bell.wake()
    }
}
