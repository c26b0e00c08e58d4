//! Rules of an append that every backend shares; decisions that touch no database.

use std::collections::{HashMap, HashSet};

use crate::error::StoreError;
use crate::events::{
    Appended, AppendedStream, EventId, Limits, NewEvent, Payload, RecordedEvent, StreamAppend,
};
use crate::name::StreamName;
use crate::offset::{Offset, Position};

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
/// that some reader could not decode: see [`JsonLimits`](crate::events::JsonLimits).
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

/// Returns what an append means, given the events in the store that carry one of its ids.
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
                return Err(StoreError::EventIdTaken { id: first_taken(batch, &known) });
            };
            places = match places {
                None => Some((recorded.offset, recorded.offset)),
                Some((first, last)) if recorded.offset == last.next() => {
                    Some((first, recorded.offset))
                }
                Some(_) => return Err(StoreError::EventIdTaken { id: event.id }),
            };
            position = position.max(recorded.position);
        }
        if let Some((first, last)) = places {
            streams.push(AppendedStream { stream: part.stream.clone(), first, last });
        }
    }
    Ok(Some(Appended { streams, position }))
}

/// Tells whether `recorded` is what appending `event` to `stream` would record.
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
