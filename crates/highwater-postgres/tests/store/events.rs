//! What the tests append and read.

use std::future::Future;
use std::time::Duration;

use highwater_core::{
    EventStore, EventType, NewEvent, Payload, RecordedEvent, Source, StreamAppend, StreamName,
};

use crate::support::Schema;

const COUNTED: EventType = EventType::from_static("Counted");

/// A `Counted` event that carries `n`.
pub(crate) fn event(n: u64) -> NewEvent {
    NewEvent::new(COUNTED, Payload::of(&n).unwrap())
}

/// An append of one event to `stream`.
pub(crate) fn one(stream: &str, n: u64) -> StreamAppend {
    StreamAppend::new(StreamName::new(stream).unwrap(), vec![event(n)])
}

/// Every event of the log.
pub(crate) async fn log(store: &impl EventStore) -> Vec<RecordedEvent> {
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = store.read(&Source::All, &[], after, 1000).await.unwrap();
        events.extend(page.events);
        after = page.scanned_to;
        if page.is_end {
            return events;
        }
    }
}

/// The payloads of the whole log.
pub(crate) async fn numbers(store: &impl EventStore) -> Vec<u64> {
    log(store).await.iter().map(|event| event.data.to().unwrap()).collect()
}

/// Asserts that positions, and the offsets of every stream, count from 0 without a gap.
#[track_caller]
pub(crate) fn assert_gapless(log: &[RecordedEvent]) {
    let mut next = std::collections::HashMap::new();
    for (position, event) in (0..).zip(log) {
        let offset = next.entry(event.stream.clone()).or_insert(0);
        assert_eq!((event.position.get(), event.offset.get()), (position, *offset));
        *offset += 1;
    }
}

/// The URL of the server, with the schema as the name of every connection made with it.
pub(crate) fn named_url(schema: &Schema) -> String {
    let separator = if schema.url.contains('?') { '&' } else { '?' };
    format!("{}{separator}application_name={}", schema.url, schema.options.schema)
}

/// Waits for what must happen; panics with `what` when it does not.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(result) => result,
        Err(_) => panic!("{what} did not happen"),
    }
}
