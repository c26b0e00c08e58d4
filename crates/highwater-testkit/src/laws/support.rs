//! What the laws are written with.

use std::future::Future;
use std::panic::resume_unwind;
use std::time::Duration;

use highwater_core::{
    Appended, EventStore, EventType, Expected, NewEvent, Offset, Payload, RecordedEvent, Source,
    StoreError, StreamAppend, StreamName,
};

/// Time that a law waits for what must happen; far longer than any store needs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const COUNTED: EventType = EventType::from_static("Counted");

pub(super) fn stream(name: &str) -> StreamName {
    StreamName::new(name).expect("the laws know good names")
}

pub(super) fn source(name: &str) -> Source {
    name.parse().expect("the laws know good sources")
}

pub(super) fn at(offset: u64) -> Option<Offset> {
    Some(Offset::new(offset))
}

pub(super) fn json(text: &str) -> Payload {
    Payload::parse(text).expect("the laws know good JSON")
}

/// A `Counted` event that carries `n`.
pub(super) fn event(n: u64) -> NewEvent {
    NewEvent::new(COUNTED, json(&n.to_string()))
}

pub(super) fn events(numbers: std::ops::Range<u64>) -> Vec<NewEvent> {
    numbers.map(event).collect()
}

/// The append of `events` to the stream `name`.
pub(super) fn part(name: &str, events: Vec<NewEvent>) -> StreamAppend {
    StreamAppend::new(stream(name), events)
}

/// Appends to the stream `name`, which must succeed.
pub(super) async fn append(store: &impl EventStore, name: &str, events: Vec<NewEvent>) -> Appended {
    store.append(vec![part(name, events)]).await.expect("an append without expectations succeeds")
}

/// Every event of `source`, read to its end in pages.
pub(super) async fn read_to_end(store: &impl EventStore, source: &Source) -> Vec<RecordedEvent> {
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = store.read(source, &[], after, 100).await.expect("a read succeeds");
        events.extend(page.events);
        after = page.scanned_to;
        if page.is_end {
            return events;
        }
    }
}

/// Every event of the stream `name`.
pub(super) async fn stream_events(store: &impl EventStore, name: &str) -> Vec<RecordedEvent> {
    read_to_end(store, &source(name)).await
}

/// The payloads as text.
pub(super) fn data(events: &[RecordedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.data.as_str()).collect()
}

/// Asserts that offsets count from 0 without a gap.
#[track_caller]
pub(super) fn assert_gapless(events: &[RecordedEvent]) {
    let offsets: Vec<u64> = events.iter().map(|event| event.offset.get()).collect();
    let gapless: Vec<u64> = (0..events.len() as u64).collect();
    assert_eq!(offsets, gapless, "offsets of a stream count from 0 without a gap");
}

/// Asserts that an append failed because the stream is at `actual`.
#[track_caller]
pub(super) fn assert_conflict(
    result: Result<Appended, StoreError>,
    name: &str,
    believed: Expected,
    head: Option<Offset>,
) {
    match result {
        Err(StoreError::Conflict { stream, expected, actual }) => {
            assert_eq!((stream.as_str(), expected, actual), (name, believed, head));
        }
        other => panic!("expected a conflict of {name:?}, got {other:?}"),
    }
}

/// Runs `work` on `n` tasks at once; what they return, in their order.
pub(super) async fn together<T, Fut>(n: u64, work: impl Fn(u64) -> Fut) -> Vec<T>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..n).map(|task| tokio::spawn(work(task))).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.unwrap_or_else(|error| resume_unwind(error.into_panic())));
    }
    results
}

/// Waits for what must happen; panics with `what` when it does not.
pub(super) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// Polls `future` at most `polls` more times after the first, then drops it.
pub(super) async fn drop_after<T>(polls: u64, future: impl Future<Output = T>) -> Option<T> {
    let given_up = async {
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        result = future => Some(result),
        () = given_up => None,
    }
}
