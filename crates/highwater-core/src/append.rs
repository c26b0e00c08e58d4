//! What can be appended, what comes back, and the rules that every backend shares.

use std::collections::{HashMap, HashSet};

use crate::{EventId, NewEvent, Offset, Payload, Position, RecordedEvent, StoreError, StreamName};

/// What the appender believes about the stream; the append is refused when it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Anything.
    #[default]
    Any,
    /// The stream has no events.
    NoStream,
    /// The stream has at least one event.
    Exists,
    /// The stream's last event is at this offset.
    At(Offset),
}

impl Expected {
    /// Whether it fits a stream whose last event is at `head`.
    #[must_use]
    pub fn admits(self, head: Option<Offset>) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => head.is_none(),
            Self::Exists => head.is_some(),
            Self::At(offset) => head == Some(offset),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("none"),
            Self::Exists => f.write_str("exists"),
            Self::At(offset) => offset.fmt(f),
        }
    }
}

/// The events for one stream of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream, made by its first event.
    pub stream: StreamName,
    /// What the appender believes about the stream.
    pub expected: Expected,
    /// One or more events, in order.
    pub events: Vec<NewEvent>,
}

impl StreamAppend {
    /// The events for `stream`, whatever is in it already.
    #[must_use]
    pub fn new(stream: StreamName, events: Vec<NewEvent>) -> Self {
        Self { stream, expected: Expected::Any, events }
    }

    /// Sets what the appender believes about the stream.
    #[must_use]
    pub fn expecting(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }
}

/// Where the events of one stream have been put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedStream {
    /// The stream.
    pub stream: StreamName,
    /// The offset of the first event of this append.
    pub first: Offset,
    /// The offset of its last event.
    pub last: Offset,
}

/// The result of an append; the same one for every repetition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// One entry for each stream of the append, in its order.
    pub streams: Vec<AppendedStream>,
    /// The position of the last event of the append.
    pub position: Position,
}

/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Events that were new.
    pub appended: u64,
    /// Events that were in the store already, by their ids.
    pub known: u64,
}

/// Bounds on one append or import; a larger one is refused and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in one append or import. Default 10,000; raise it for larger atomic batches.
    pub events: usize,
    /// Bytes of one event's payload and metadata. Default 1 MiB; raise it for larger payloads.
    pub event_bytes: usize,
    /// Bytes of all payloads and metadata together. Default 16 MiB; raise it with `events`.
    pub batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 10_000, event_bytes: 1 << 20, batch_bytes: 16 << 20 }
    }
}

/// Refuses an append that is empty, too large, or names a stream or an event id twice.
///
/// For backends: the first step of every append and, with one part a stream, of every import.
pub fn check(batch: &[StreamAppend], limits: &Limits) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Err(StoreError::invalid("an append of no streams"));
    }
    let mut streams = HashSet::new();
    for part in batch {
        if part.events.is_empty() {
            let stream = &part.stream;
            return Err(StoreError::invalid(format!("an append of no events to {stream:?}")));
        }
        if !streams.insert(&part.stream) {
            let stream = &part.stream;
            return Err(StoreError::invalid(format!("stream {stream:?} twice in one append")));
        }
    }
    check_events(batch.iter().flat_map(|part| &part.events), limits)
}

/// Refuses events that are too many, too large, nested too deep, or carry one id twice, and those
/// that some reader could not decode: see [`JsonLimits`](crate::JsonLimits).
pub fn check_events<'a>(
    events: impl Iterator<Item = &'a NewEvent>,
    limits: &Limits,
) -> Result<(), StoreError> {
    let (mut count, mut total, mut ids) = (0_usize, 0_usize, HashSet::new());
    for event in events {
        let bytes = event.bytes();
        count += 1;
        total += bytes;
        if bytes > limits.event_bytes {
            return Err(StoreError::too_large("bytes in one event", bytes, limits.event_bytes));
        }
        let metadata = event.metadata.as_payload().and_then(Payload::too_deep);
        if let Some(depth) = event.data.too_deep().max(metadata) {
            let most = Payload::DEPTH_MAX;
            return Err(StoreError::too_large("levels of nesting in one event", depth, most));
        }
        check_content(event)?;
        if !ids.insert(event.id) {
            let id = event.id;
            return Err(StoreError::invalid(format!("event id {id} twice in one append")));
        }
    }
    if count > limits.events {
        return Err(StoreError::too_large("events in one append", count, limits.events));
    }
    if total > limits.batch_bytes {
        return Err(StoreError::too_large("bytes in one append", total, limits.batch_bytes));
    }
    Ok(())
}

fn check_content(event: &NewEvent) -> Result<(), StoreError> {
    let metadata = event.metadata.as_payload();
    let parts = [Some(("payload", &event.data)), metadata.map(|json| ("metadata", json))];
    for (part, json) in parts.into_iter().flatten() {
        json.check().map_err(|flaw| {
            StoreError::invalid(format!("the {part} of event {} has {flaw}", event.id))
        })?;
    }
    Ok(())
}

/// What an append means, given the events in the store that carry one of its ids.
///
/// For backends. `Ok(None)`: none is known, go on. `Ok(Some(_))`: the append has been made
/// before, and this was its result. An error: an id stands for something else.
pub fn repeated(
    batch: &[StreamAppend],
    known: &[RecordedEvent],
) -> Result<Option<Appended>, StoreError> {
    if known.is_empty() {
        return Ok(None);
    }
    let known: HashMap<EventId, &RecordedEvent> = known.iter().map(|e| (e.id, e)).collect();
    let mut streams = Vec::with_capacity(batch.len());
    let mut position = Position::FIRST;
    for part in batch {
        let mut places: Option<(Offset, Offset)> = None;
        for event in &part.events {
            let Some(recorded) = known.get(&event.id).filter(|r| is_same(&part.stream, event, r))
            else {
                return Err(StoreError::IdTaken { id: first_taken(batch, &known) });
            };
            places = match places {
                None => Some((recorded.offset, recorded.offset)),
                Some((first, last)) if recorded.offset == last.next() => {
                    Some((first, recorded.offset))
                }
                Some(_) => return Err(StoreError::IdTaken { id: event.id }),
            };
            position = position.max(recorded.position);
        }
        if let Some((first, last)) = places {
            streams.push(AppendedStream { stream: part.stream.clone(), first, last });
        }
    }
    Ok(Some(Appended { streams, position }))
}

/// Whether `recorded` is what appending `event` to `stream` would record.
#[must_use]
pub fn is_same(stream: &StreamName, event: &NewEvent, recorded: &RecordedEvent) -> bool {
    *stream == recorded.stream
        && event.event_type == recorded.event_type
        && event.data.same_value(&recorded.data)
}

/// The id to name when only some of the ids are known, or one stands for something else.
fn first_taken(batch: &[StreamAppend], known: &HashMap<EventId, &RecordedEvent>) -> EventId {
    let ids = batch.iter().flat_map(|part| part.events.iter().map(move |e| (&part.stream, e)));
    let mut fallback = EventId::from_uuid(uuid::Uuid::nil());
    for (stream, event) in ids {
        if let Some(recorded) = known.get(&event.id) {
            fallback = event.id;
            if !is_same(stream, event, recorded) {
                return event.id;
            }
        }
    }
    fallback
}
