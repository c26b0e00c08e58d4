//! The log: events in one list, their index in it being their position.

use std::collections::HashMap;

use chrono::Utc;
use highwater_core::backend::append_rules::{check, check_events, is_same, repeated};
use highwater_core::{
    Appended, AppendedStream, EventId, EventType, Imported, Limits, NewEvent, Offset, Page,
    PageBudget, Position, RecordedEvent, Source, StoreError, StreamAppend, StreamName,
};

/// Events looked at for one page: keeps the lock short, and lets tests meet pages that are empty
/// and yet not the end.
const SCAN: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Log {
    events: Vec<RecordedEvent>,
    streams: HashMap<StreamName, Vec<usize>>,
    ids: HashMap<EventId, usize>,
    limits: Limits,
}

impl Log {
    pub(super) fn append(&mut self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        check(&batch, &self.limits)?;
        let events = batch.iter().flat_map(|part| &part.events);
        let known: Vec<_> = events.filter_map(|event| self.find(event.id)).cloned().collect();
        if let Some(first_result) = repeated(&batch, &known)? {
            return Ok(first_result);
        }
        for part in &batch {
            let actual = self.stream_head(&part.stream);
            if !part.expected.admits(actual) {
                let (stream, expected) = (part.stream.clone(), part.expected);
                return Err(StoreError::Conflict { stream, expected, actual });
            }
        }
        let (mut streams, mut position) = (Vec::with_capacity(batch.len()), Position::FIRST);
        for StreamAppend { stream, events, .. } in batch {
            let first = Offset::following(self.stream_head(&stream));
            for event in events {
                position = self.push(&stream, event);
            }
            let last = self.stream_head(&stream).unwrap_or(first);
            streams.push(AppendedStream { stream, first, last });
        }
        Ok(Appended { streams, position })
    }

    /// Also returns the head of the log afterwards.
    pub(super) fn import(
        &mut self,
        events: Vec<(StreamName, NewEvent)>,
    ) -> Result<(Imported, Option<Position>), StoreError> {
        check_events(events.iter().map(|(_, event)| event), &self.limits)?;
        let mut imported = Imported::default();
        let mut new = Vec::new();
        for (stream, event) in events {
            match self.find(event.id) {
                None => new.push((stream, event)),
                Some(recorded) if is_same(&stream, &event, recorded) => imported.known += 1,
                Some(recorded) => return Err(StoreError::EventIdTaken { id: recorded.id }),
            }
        }
        for (stream, event) in new {
            self.push(&stream, event);
            imported.appended += 1;
        }
        Ok((imported, self.head_position()))
    }

    pub(super) fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if limit == 0 {
            return Err(StoreError::invalid("a read of no events"));
        }
        let end = self.len(source);
        let start = usize::try_from(Offset::following(after).get()).unwrap_or(usize::MAX);
        let mut at = start;
        let (mut events, mut budget) = (Vec::new(), PageBudget::default());
        while at < end.min(start.saturating_add(SCAN)) && events.len() < limit {
            let event = self.at(source, at);
            let is_wanted = types.is_empty() || types.contains(&event.event_type);
            if is_wanted && source.contains(event) {
                if !budget.admits(event.bytes()) {
                    break;
                }
                events.push(event.clone());
            }
            at += 1;
        }
        let scanned_to = if at > start { last_of(at) } else { after };
        Ok(Page { events, scanned_to, is_end: at >= end })
    }

    pub(super) fn head(&self, source: &Source) -> Option<Offset> {
        last_of(self.len(source))
    }

    pub(super) fn head_position(&self) -> Option<Position> {
        self.events.last().map(|event| event.position)
    }

    /// Loses the events from position `from` on.
    pub(super) fn lose(&mut self, from: Position) {
        let kept = usize::try_from(from.get()).unwrap_or(usize::MAX);
        self.events.truncate(kept);
        self.ids.retain(|_, index| *index < kept);
        self.streams.values_mut().for_each(|places| places.retain(|index| *index < kept));
        self.streams.retain(|_, places| !places.is_empty());
    }

    fn push(&mut self, stream: &StreamName, event: NewEvent) -> Position {
        let index = self.events.len();
        let position = Position::new(index as u64);
        let places = self.streams.entry(stream.clone()).or_default();
        self.events.push(RecordedEvent {
            stream: stream.clone(),
            offset: Offset::new(places.len() as u64),
            position,
            id: event.id,
            event_type: event.event_type,
            data: event.data,
            metadata: event.metadata,
            recorded_at: Utc::now(),
        });
        places.push(index);
        self.ids.insert(event.id, index);
        position
    }

    fn find(&self, id: EventId) -> Option<&RecordedEvent> {
        self.ids.get(&id).map(|index| &self.events[*index])
    }

    fn stream_head(&self, stream: &StreamName) -> Option<Offset> {
        last_of(self.streams.get(stream).map_or(0, Vec::len))
    }

    /// Number of places that `source` has; a category has those of the whole log.
    fn len(&self, source: &Source) -> usize {
        match source {
            Source::Stream(stream) => self.streams.get(stream).map_or(0, Vec::len),
            Source::Category(_) | Source::All => self.events.len(),
        }
    }

    /// The event at a place of `source`, which must be one that it has.
    fn at(&self, source: &Source, place: usize) -> &RecordedEvent {
        match source {
            Source::Stream(stream) => &self.events[self.streams[stream][place]],
            Source::Category(_) | Source::All => &self.events[place],
        }
    }
}

fn last_of(len: usize) -> Option<Offset> {
    len.checked_sub(1).map(|last| Offset::new(last as u64))
}
