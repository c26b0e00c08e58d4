//! One event on its way to many clients.

use std::sync::{Arc, OnceLock};

use highwater_core::{Offset, RecordedEvent};

use crate::protocol::{EncodedEvent, EventNotEncoded, Protocol};

/// An event of a source, encoded at most once per protocol however many get it.
#[derive(Debug)]
pub(crate) struct LiveEvent {
    /// The source as its followers have named it.
    name: Arc<str>,
    /// The event's place in the source.
    pub(super) offset: Offset,
    event: RecordedEvent,
    json: OnceLock<Result<EncodedEvent, NotSent>>,
    message_pack: OnceLock<Result<EncodedEvent, NotSent>>,
}

/// Why an event cannot be sent; the subscription ends, since leaving it out would be a gap.
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
        offset: Offset,
        /// The length of its message.
        bytes: usize,
        /// The most that clients are sent in one message.
        limit: usize,
    },
}

impl LiveEvent {
    pub(super) fn new(name: Arc<str>, offset: Offset, event: RecordedEvent) -> Arc<Self> {
        let (json, message_pack) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { name, offset, event, json, message_pack })
    }

    /// The event's place in its source.
    pub(crate) fn offset(&self) -> Offset {
        self.offset
    }

    /// The event's place in the store.
    pub(super) fn position(&self) -> u64 {
        self.event.position.get()
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
            let encoded = protocol.encode_event(&self.name, &self.event);
            encoded.map_err(|error| NotSent::NotEncoded(Arc::new(error)))
        });
        let encoded = encoded.as_ref().map_err(Clone::clone)?;
        if encoded.record.len() <= limit {
            return Ok(encoded);
        }
        Err(NotSent::TooLong {
            stream: self.event.stream.to_string(),
            offset: self.event.offset,
            bytes: encoded.record.len(),
            limit,
        })
    }
}
