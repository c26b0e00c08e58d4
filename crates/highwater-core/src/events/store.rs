//! The store of events: the only place that is written to, and the source of all else.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Appended, Imported, NewEvent, RecordedEvent, StreamAppend};
use crate::error::StoreError;
use crate::name::{EventType, StreamName};
use crate::offset::Offset;
use crate::source::Source;
use crate::wake::Wake;

/// One page of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events, in the order of the source; fewer than the limit does not mean the end. They
    /// hold at most [`PAGE_BYTES`](crate::page::PAGE_BYTES), unless configured otherwise, or are one.
    pub events: Vec<RecordedEvent>,
    /// How far the source has been read, events that were filtered out included; where the
    /// next page begins and where a checkpoint may move to. `None` when the source is empty.
    pub scanned_to: Option<Offset>,
    /// True when the page reaches the end of the source as it stood when it was read.
    pub is_end: bool,
}

/// An append-only log of events in named streams.
///
/// # Contract
/// - An append is atomic: all of its events become visible at once, or none ever does.
/// - Offsets of a stream are gapless from 0. Positions increase in the order in which appends
///   become visible.
/// - **An event is returned, or scanned over, only when no event below it in the same source
///   can still appear.** Whoever reads on from where they stopped misses nothing, whatever
///   concurrent writers do.
/// - An append that returned survives a crash of the process, and of the machine as far as the
///   backend's disk settings say.
/// - A page is bounded in bytes as well as in number, and no more than that is ever in memory for
///   it: it ends early where events are large, and `is_end` is false then.
/// - Every method is cancel safe: a dropped append was made whole or not at all. A caller that is
///   not polled holds up nobody.
///
/// Convenience lives in [`EventStoreExt`](crate::events::EventStoreExt), so that a wrapper has exactly
/// these methods to forward.
///
/// ```
/// use highwater_core::{EventStore, Source, StoreError};
///
/// /// Prints a source from its beginning to its present end.
/// async fn print_all(store: &dyn EventStore, source: &Source) -> Result<(), StoreError> {
///     let mut after = None;
///     loop {
///         let page = store.read(source, &[], after, 1_000).await?;
///         page.events.iter().for_each(|event| println!("{} {}", event.offset, event.event_type));
///         after = page.scanned_to;
///         if page.is_end {
///             return Ok(());
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Appends to one or several streams, atomically.
    ///
    /// Appending again what carries the same ids stores nothing and returns the first result,
    /// whatever is expected of the streams. Fails with `Conflict` when a stream is not as
    /// expected, `EventIdTaken` when an id stands for a different event or only some of the ids are
    /// known, `Invalid` or `TooLarge` for a request that breaks a rule.
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError>;

    /// Appends many events in bulk, atomically, leaving out those that the store already has.
    ///
    /// Events of one stream keep their order. An id that stands for a different event fails the
    /// whole import with `EventIdTaken`. For feeding a log from elsewhere: interrupted and repeated,
    /// it appends each event once.
    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError>;

    /// Reads the events of `source` behind `after`, at most `limit` of them, and at least one
    /// unless it is the end or the filter passed over all it looked at.
    ///
    /// `None` reads from the first event. With `types`, only events of these types are
    /// returned; none given means all. An unknown stream is an empty one. A `limit` of 0 is
    /// `Invalid`.
    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// The offset of the last event; for a category, of the last event of the whole log.
    ///
    /// It is what a reader of the source has scanned to when there is nothing left to read.
    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError>;

    /// The time by the clock that stamps the events: how long one has waited is judged by it alone.
    async fn now(&self) -> Result<DateTime<Utc>, StoreError>;

    /// Writes as an append would, and leaves no event behind.
    ///
    /// Fails as an append would fail for a reason that is no event's: for a database that may only
    /// be read, a disk that is full, or a lock that somebody does not give back.
    async fn probe(&self) -> Result<(), StoreError>;

    /// A wake-up for readers at the end; one that is taken before a read misses no later event.
    fn wake(&self) -> Wake;
}
