//! What users of a store like to call, made of what a store has to implement.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt};

use super::{
    Appended, AppendedStream, Event, EventStore, Expected, Imported, NewEvent, Page, RecordedEvent,
    StreamAppend,
};
use crate::error::StoreError;
use crate::name::{EventType, StreamName};
use crate::offset::Offset;
use crate::source::Source;
use crate::wake::Wake;

/// Events read at a time by the streams below.
const PAGE: usize = 1000;

/// Convenience over any [`EventStore`]; implemented for all, not meant to be implemented.
///
/// ```
/// # use highwater_core::Event;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(tag = "type", content = "data")]
/// # enum Account { Deposited(i64) }
/// # impl Event for Account {}
/// use futures::TryStreamExt;
/// use highwater_core::{EventStore, EventStoreExt, Expected, Source, StoreError, StreamName};
///
/// async fn deposit(store: &impl EventStore, account: StreamName) -> Result<u64, StoreError> {
///     store.publish(account.clone(), Expected::Any, &[Account::Deposited(100)]).await?;
///     let events = store.events(Source::Stream(account), None);
///     events.try_fold(0, |count, _| async move { Ok(count + 1) }).await
/// }
/// ```
#[async_trait]
pub trait EventStoreExt: EventStore {
    /// Appends typed events to one stream.
    async fn publish<E: Event>(
        &self,
        stream: StreamName,
        expected: Expected,
        events: &[E],
    ) -> Result<AppendedStream, StoreError> {
        let events = events
            .iter()
            .map(NewEvent::of)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| StoreError::invalid(error.to_string()))?;
        self.append_to(stream, expected, events).await
    }

    /// Appends raw events to one stream.
    async fn append_to(
        &self,
        stream: StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<AppendedStream, StoreError> {
        let appended = self.append(vec![StreamAppend { stream, expected, events }]).await?;
        let first = appended.streams.into_iter().next();
        first.ok_or_else(|| StoreError::invalid("the store returned no stream"))
    }

    /// Every event of `source` behind `after` up to its present end, then nothing more.
    fn events(
        &self,
        source: Source,
        after: Option<Offset>,
    ) -> BoxStream<'_, Result<RecordedEvent, StoreError>>
    where
        Self: Sized,
    {
        follow(self, source, after, None)
    }

    /// Every event of `source` behind `after`, and then each new one as it is appended.
    ///
    /// The stream ends only after an error, and can be taken up again behind the last event.
    fn subscribe(
        &self,
        source: Source,
        after: Option<Offset>,
    ) -> BoxStream<'_, Result<RecordedEvent, StoreError>>
    where
        Self: Sized,
    {
        let wake = self.wake();
        follow(self, source, after, Some(wake))
    }
}

impl<S: EventStore + ?Sized> EventStoreExt for S {}

/// Pages through `source`; at its end waits with `wake`, or stops when there is none.
fn follow<S: EventStore>(
    store: &S,
    source: Source,
    after: Option<Offset>,
    wake: Option<Wake>,
) -> BoxStream<'_, Result<RecordedEvent, StoreError>> {
    let start = Some((after, wake, true));
    let pages = stream::unfold((start, source), move |(state, source)| async move {
        let (mut after, mut wake, mut has_more) = state?;
        loop {
            if !has_more {
                wake.as_mut()?.grown().await;
            }
            match store.read(&source, &[], after, PAGE).await {
                Err(error) => return Some((vec![Err(error)], (None, source))),
                Ok(page) => {
                    after = page.scanned_to;
                    has_more = !page.is_end;
                    if !page.events.is_empty() {
                        let events = page.events.into_iter().map(Ok).collect();
                        return Some((events, (Some((after, wake, has_more)), source)));
                    }
                }
            }
        }
    });
    pages.flat_map(stream::iter).boxed()
}

#[async_trait]
impl<S: EventStore + ?Sized> EventStore for Arc<S> {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        (**self).append(batch).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        (**self).import(events).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        (**self).read(source, types, after, limit).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        (**self).head(source).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        (**self).now().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        (**self).probe().await
    }

    fn wake(&self) -> Wake {
        (**self).wake()
    }
}
