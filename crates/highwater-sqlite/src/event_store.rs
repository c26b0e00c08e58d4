//! Events in streams.

use async_trait::async_trait;
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake, append as rules,
};

use crate::error::store_error;
use crate::{SqliteStore, append, read};

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        rules::check(&batch, &self.limits)?;
        self.append_grouped(batch).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        rules::check_events(events.iter().map(|(_, event)| event), &self.limits)?;
        let bell = self.bell.clone();
        self.transact(|mut tx| async move {
            let (imported, head) = append::import(&mut tx, &events).await?;
            tx.commit().await.map_err(store_error)?;
            bell.ring(head);
            Ok(imported)
        })
        .await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (source, types) = (source.clone(), types.to_vec());
        self.read_with(move |conn| {
            Box::pin(async move { read::page(conn, &source, &types, after, limit).await })
        })
        .await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        let source = source.clone();
        self.read_with(move |conn| Box::pin(async move { read::head(conn, &source).await })).await
    }

    fn wake(&self) -> Wake {
        self.bell.wake()
    }
}
