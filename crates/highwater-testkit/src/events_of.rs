//! Events for tests, as a store would have recorded them.

use std::collections::HashMap;

use chrono::Utc;
use highwater_core::{
    BoxError, Decode, Event, NewEvent, Offset, Position, Recorded, RecordedEvent, Source,
    StreamName, Upcasters,
};

/// The typed `events` of the stream `name`, recorded from offset 0 on.
///
/// Events of several streams are put together by `chain` or `concat`; the tests of this crate
/// number them in the order in which they get them. Panics on a bad name, and on an event that
/// does not serialise.
#[track_caller]
pub fn events_of<E: Event>(name: &str, events: impl IntoIterator<Item = E>) -> Vec<RecordedEvent> {
    let encoded = |event: E| NewEvent::of(&event).expect("an event that serialises");
    raw_events_of(name, events.into_iter().map(encoded))
}

/// Like [`events_of`], of events in any form: old ones for upcasters, ones with metadata.
#[track_caller]
pub fn raw_events_of(name: &str, events: impl IntoIterator<Item = NewEvent>) -> Vec<RecordedEvent> {
    let stream = StreamName::new(name).expect("a stream name");
    let record = |(place, event): (u64, NewEvent)| RecordedEvent {
        stream: stream.clone(),
        offset: Offset::new(place),
        position: Position::new(place),
        id: event.id,
        event_type: event.event_type,
        data: event.data,
        metadata: event.metadata,
        recorded_at: Utc::now(),
    };
    (0..).zip(events).map(record).collect()
}

/// Gives events the places that a store would give them, in the order in which they come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbering {
    streams: HashMap<StreamName, u64>,
    log: u64,
}

impl Numbering {
    pub(crate) fn number(&mut self, event: RecordedEvent) -> RecordedEvent {
        let in_stream = self.streams.entry(event.stream.clone()).or_default();
        let (offset, position) = (Offset::new(*in_stream), Position::new(self.log));
        *in_stream += 1;
        self.log += 1;
        RecordedEvent { offset, position, ..event }
    }
}

/// Intake of a projection: events of its source and types, upcast and decoded.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) source: Source,
    pub(crate) upcasters: Upcasters,
}

impl Intake {
    /// The event as the projection gets it; `None` when it does not get it at all.
    pub(crate) fn take<E: Decode>(
        &self,
        event: RecordedEvent,
    ) -> Result<Option<Recorded<E>>, BoxError> {
        let types = E::event_types()?.map(|types| self.upcasters.sources(&types));
        let is_wanted = types.is_none_or(|types| types.contains(&event.event_type));
        if !is_wanted || !self.source.contains(&event) {
            return Ok(None);
        }
        Ok(Some(self.upcasters.upcast(event)?.decode()?))
    }
}

/// An error and all of its causes, in one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
