//! One event on its way to many clients.

use std::sync::{Arc, OnceLock};

use highwater_core::{Metadata, Offset, ProjectionName, RecordedEvent};

use super::Reservation;
use crate::projection_report::Report;
use crate::protocol::{EncodedEvent, EventMessage, EventNotEncoded, Protocol};
use crate::source::LiveSource;

/// An event of a source, encoded at most once per protocol however many get it.
#[derive(Debug)]
pub(crate) struct LiveEvent {
    /// The source as its followers have named it.
    name: Arc<str>,
    /// The event's place in the source; of a projection, its checkpoint.
    offset: Option<Offset>,
    content: Content,
    json: OnceLock<Result<EncodedEvent, NotSent>>,
    message_pack: OnceLock<Result<EncodedEvent, NotSent>>,
    _held: Option<Reservation>,
}

/// Content of a message.
#[derive(Debug)]
enum Content {
    /// An event of the log.
    Stored(RecordedEvent),
    /// Progress of a projection.
    Report(Report),
}

/// The type of the events that tell how far a projection has come.
const PROJECTION_ADVANCED: &str = "ProjectionAdvanced";

/// Reason why an event cannot be sent; the subscription ends, since leaving it out would be a gap.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NotSent {
    /// No message can carry its payload.
    #[error("{0}")]
    NotEncoded(Arc<EventNotEncoded>),
    /// Clients would take its message for an attack.
    #[error(
        "event {offset} of stream {stream:?} is a message of {bytes} bytes, the limit is {limit}"
    )]
    TooLong {
        /// The stream of the event.
        stream: String,
        /// Its offset in the stream.
        offset: i64,
        /// The length of its message.
        bytes: usize,
        /// The most that clients are sent in one message.
        limit: usize,
    },
}

impl LiveEvent {
    /// A stored event, at `offset` of the source that its followers name `name`, and the room
    /// that it takes if it is one of those that all followers share.
    pub(crate) fn of_event(
        name: Arc<str>,
        offset: Offset,
        event: RecordedEvent,
        held: Option<Reservation>,
    ) -> Arc<Self> {
        Self::new(name, Some(offset), Content::Stored(event), held)
    }

    /// Progress of a projection.
    pub(crate) fn of_report(projection: &ProjectionName, report: Report) -> Arc<Self> {
        let name = LiveSource::Projection(projection.clone()).to_string();
        Self::new(name.into(), report.checkpoint, Content::Report(report), None)
    }

    fn new(
        name: Arc<str>,
        offset: Option<Offset>,
        content: Content,
        held: Option<Reservation>,
    ) -> Arc<Self> {
        let (json, message_pack) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { name, offset, content, json, message_pack, _held: held })
    }

    /// The event's place in its source; `None` for a projection that has processed nothing.
    pub(crate) fn offset(&self) -> Option<Offset> {
        self.offset
    }

    /// The event's place in the store, if it is stored.
    pub(crate) fn position(&self) -> Option<u64> {
        match &self.content {
            Content::Stored(event) => Some(event.position.get()),
            Content::Report(_) => None,
        }
    }

    /// The bytes of its payload.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::Stored(event) => event.data.as_str().len(),
            Content::Report(report) => report.data.as_str().len(),
        }
    }

    /// Returns what it tells of a projection, if it does.
    pub(crate) fn report(&self) -> Option<&Report> {
        match &self.content {
            Content::Stored(_) => None,
            Content::Report(report) => Some(report),
        }
    }

    fn message(&self) -> EventMessage<'_> {
        match &self.content {
            Content::Stored(event) => event.into(),
            Content::Report(report) => EventMessage {
                stream_name: &self.name,
                offset: Offset::to_sql(report.checkpoint),
                position: -1,
                event_id: report.id,
                event_type: PROJECTION_ADVANCED,
                data: &report.data,
                metadata: &Metadata::EMPTY,
                timestamp: report.at,
            },
        }
    }

    /// The bytes of the event in `protocol`, refused when they are more than `limit`.
    pub(crate) fn encoded(
        &self,
        protocol: Protocol,
        limit: usize,
    ) -> Result<&EncodedEvent, NotSent> {
        let encoded = match protocol {
            Protocol::Json => &self.json,
            Protocol::MessagePack => &self.message_pack,
        };
        let encoded = encoded.get_or_init(|| {
            let encoded = protocol.encode_event(&self.name, self.message());
            encoded.map_err(|error| NotSent::NotEncoded(Arc::new(error)))
        });
        let encoded = encoded.as_ref().map_err(Clone::clone)?;
        if encoded.record.len() <= limit {
            return Ok(encoded);
        }
        let EventMessage { stream_name, offset, .. } = self.message();
        Err(NotSent::TooLong {
            stream: stream_name.to_owned(),
            offset,
            bytes: encoded.record.len(),
            limit,
        })
    }
}
