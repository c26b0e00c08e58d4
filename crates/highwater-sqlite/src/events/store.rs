//! Events in streams.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::backend::append_rules as rules;
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake,
};

use super::row::time;
use super::{commit, read};
use crate::database::error::{damaged, store_error};
use crate::store::SqliteStore;
use crate::store::ring;

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
            let (imported, head) = commit::import(&mut tx, &events).await?;
            tx.commit().await.map_err(store_error)?;
            ring(&bell, head);
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
        let (source, types, page) = (source.clone(), types.to_vec(), (limit, self.page()));
        self.read_with(move |conn| {
            Box::pin(async move { read::page(conn, &source, &types, after, page).await })
        })
        .await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        let source = source.clone();
        self.read_with(move |conn| Box::pin(async move { read::head(conn, &source).await })).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        let now = self.read_with(|conn| {
            let now = sqlx::query_scalar("select now from clock").fetch_one(conn);
            Box::pin(async move { now.await.map_err(store_error) })
        });
        time(now.await?).map_err(damaged)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.execute(sqlx::query(include_str!("../../sql/events/probe_append.sql"))).await
    }

    fn wake(&self) -> Wake {
        self.bell.wake()
    }
}
