//! The two shapes of an event: going in and coming out.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Decode, DecodeError, Event, Metadata, Payload};
use crate::name::{EventType, StreamName};
use crate::offset::{Offset, Position};

/// Identifies an event; appending the same id again stores nothing new.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// A fresh id: UUID version 7, so that ids made later sort later.
    #[expect(clippy::new_without_default, reason = "every call gives another id")]
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that another system has given the event.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Makes a repeated append harmless; a fresh UUIDv7 unless set.
    pub id: EventId,
    /// Type of the event: the name of what happened.
    pub event_type: EventType,
    /// The JSON payload.
    pub data: Payload,
    /// Correlation, causation and the user's own fields.
    pub metadata: Metadata,
}

impl NewEvent {
    /// An event with a fresh id and no metadata.
    #[must_use]
    pub fn new(event_type: EventType, data: Payload) -> Self {
        Self { id: EventId::new(), event_type, data, metadata: Metadata::EMPTY }
    }

    /// The typed `event`, with a fresh id and no metadata.
    ///
    /// Fails when the event does not serialise to `{"type": …, "data": …}`.
    pub fn of<E: Event>(event: &E) -> Result<Self, crate::events::EncodeError> {
        let (event_type, data) = crate::events::typed::encode(event)?;
        Ok(Self::new(event_type, data))
    }

    /// Replaces the id.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = id;
        self
    }

    /// Replaces the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The bytes of payload and metadata, which the limits on an append count.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let metadata = self.metadata.as_payload().map_or(0, |json| json.as_str().len());
        self.data.as_str().len() + metadata
    }
}

/// An event as it stands in the store; `E` is its payload, decoded or not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded<E = Payload> {
    /// The stream it was appended to.
    pub stream: StreamName,
    /// Its place in the stream, gapless, from 0.
    pub offset: Offset,
    /// Its place in the store.
    pub position: Position,
    /// Its identity.
    #[serde(rename = "eventId")]
    pub id: EventId,
    /// Type of the event: the name of what happened.
    #[serde(rename = "eventType")]
    pub event_type: EventType,
    /// The payload.
    pub data: E,
    /// Correlation, causation and the user's own fields.
    pub metadata: Metadata,
    /// When the store recorded it, by the store's clock.
    #[serde(rename = "timestamp")]
    pub recorded_at: DateTime<Utc>,
}

/// An event as a store gives it out, its payload not yet decoded.
pub type RecordedEvent = Recorded<Payload>;

impl RecordedEvent {
    /// Decodes the payload into `E`; the error names the stream, the offset and the type.
    pub fn decode<E: Decode>(self) -> Result<Recorded<E>, DecodeError> {
        let data = E::decode(&self.event_type, &self.data).map_err(|source| DecodeError {
            stream: self.stream.clone(),
            offset: self.offset,
            event_type: self.event_type.clone(),
            source,
        })?;
        Ok(Recorded {
            stream: self.stream,
            offset: self.offset,
            position: self.position,
            id: self.id,
            event_type: self.event_type,
            data,
            metadata: self.metadata,
            recorded_at: self.recorded_at,
        })
    }
}
