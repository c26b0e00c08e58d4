//! Decides what a write transaction appends; touches no database.

use std::collections::HashMap;

use highwater_core::backend::append_rules;
use highwater_core::{
    Appended, AppendedStream, EventId, Imported, NewEvent, Offset, Position, RecordedEvent,
    StoreError, StreamAppend, StreamName,
};

/// Facts in the store that matter to some appends.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The events that carry one of their ids.
    pub(crate) events: HashMap<EventId, RecordedEvent>,
    /// The last offsets of their streams.
    pub(crate) heads: HashMap<StreamName, Offset>,
    /// The last position of the log.
    pub(crate) last: Option<Position>,
    /// The time, in microseconds.
    pub(crate) now: i64,
}

/// An event and its place.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) position: Position,
    pub(crate) stream: &'a StreamName,
    pub(crate) offset: Offset,
    pub(crate) event: &'a NewEvent,
}

/// Rows to be inserted for the appends that it has been given so far.
///
/// An append that is refused leaves nothing in it, and the next ones find what was there before.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    found: Found,
    pub(crate) rows: Vec<Row<'a>>,
    /// The new heads of the streams that have grown.
    heads: HashMap<&'a StreamName, Offset>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(found: Found) -> Self {
        Self { found, rows: Vec::new(), heads: HashMap::new() }
    }

    /// The time, in microseconds.
    pub(crate) fn now(&self) -> i64 {
        self.found.now
    }

    /// The last position of the log, with everything planned.
    pub(crate) fn last(&self) -> Option<Position> {
        self.rows.last().map(|row| row.position).or(self.found.last)
    }

    /// Plans an append; one that has been made before gets its first result.
    pub(crate) fn append(&mut self, batch: &'a [StreamAppend]) -> Result<Appended, StoreError> {
        let ids = batch.iter().flat_map(|part| &part.events).map(|event| event.id);
        let known: Vec<_> = ids.filter_map(|id| self.found.events.get(&id).cloned()).collect();
        if let Some(appended) = append_rules::repeated(batch, &known)? {
            return Ok(appended);
        }
        for StreamAppend { stream, expected, .. } in batch {
            let actual = self.head(stream);
            if !expected.admits(actual) {
                return Err(StoreError::Conflict {
                    stream: stream.clone(),
                    expected: *expected,
                    actual,
                });
            }
        }
        let mut streams = Vec::with_capacity(batch.len());
        let mut position = Position::FIRST;
        for StreamAppend { stream, events, .. } in batch {
            let first = Offset::following(self.head(stream));
            let mut last = first;
            for event in events {
                (last, position) = self.place(stream, event);
            }
            streams.push(AppendedStream { stream: stream.clone(), first, last });
        }
        Ok(Appended { streams, position })
    }

    /// Plans the events that the store does not have.
    pub(crate) fn import(
        &mut self,
        events: &'a [(StreamName, NewEvent)],
    ) -> Result<Imported, StoreError> {
        let mut imported = Imported::default();
        for (stream, event) in events {
            match self.found.events.get(&event.id) {
                None => {
                    self.place(stream, event);
                    imported.appended += 1;
                }
                Some(recorded) if append_rules::is_same(stream, event, recorded) => {
                    imported.known += 1
                }
                Some(_) => return Err(StoreError::EventIdTaken { id: event.id }),
            }
        }
        Ok(imported)
    }

    fn head(&self, stream: &StreamName) -> Option<Offset> {
        self.heads.get(stream).or_else(|| self.found.heads.get(stream)).copied()
    }

    fn place(&mut self, stream: &'a StreamName, event: &'a NewEvent) -> (Offset, Position) {
        let offset = Offset::following(self.head(stream));
        let position = Position::following(self.last());
        self.rows.push(Row { position, stream, offset, event });
        self.heads.insert(stream, offset);
        (offset, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_core::{EventType, Expected, Payload};

    fn one(stream: &'static str, expected: Expected) -> Vec<StreamAppend> {
        let event = NewEvent::new(EventType::from_static("E"), Payload::parse("1").unwrap());
        let part = StreamAppend::new(StreamName::from_static(stream), vec![event]);
        vec![part.expecting(expected)]
    }

    #[test]
    fn appends_of_one_group_see_those_before_them_and_a_refused_one_leaves_nothing() {
        let batches = [
            one("a", Expected::NoStream),
            one("a", Expected::NoStream),
            one("a", Expected::At(Offset::FIRST)),
        ];
        let last = Some(Position::new(6));
        let mut plan = Plan::new(Found { last, ..Found::default() });
        let results: Vec<_> = batches.iter().map(|batch| plan.append(batch)).collect();
        assert_eq!(results[0].as_ref().unwrap().position, Position::new(7));
        assert!(matches!(results[1], Err(StoreError::Conflict { .. })));
        assert_eq!(results[2].as_ref().unwrap().streams[0].first, Offset::new(1));
        assert_eq!(plan.rows.len(), 2);
        assert_eq!(plan.last(), Some(Position::new(8)));
    }
}
