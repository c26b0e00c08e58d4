//! Events as clients see them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use highwater_core::{EventId, Metadata, Offset, Payload, Position, RecordedEvent};

/// One event, written in one protocol; clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEvent {
    /// The framed message `EventReceived(name, event)`.
    pub record: Bytes,
    /// The event alone: a part of the record.
    pub event: Bytes,
}

/// Message that tells clients of an event.
#[derive(Debug, Clone, Copy)]
pub struct EventMessage<'a> {
    /// The stream of the event, or what else it is about.
    pub stream_name: &'a str,
    /// Its place in the stream; -1 for "nothing yet".
    pub offset: i64,
    /// Its place in the store; -1 for what is not stored.
    pub position: i64,
    /// Its identity.
    pub event_id: EventId,
    /// Type of the event: the name of what happened.
    pub event_type: &'a str,
    /// The payload.
    pub data: &'a Payload,
    /// Metadata beside the payload.
    pub metadata: &'a Metadata,
    /// When it was recorded.
    pub timestamp: DateTime<Utc>,
}

impl<'a> From<&'a RecordedEvent> for EventMessage<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        Self {
            stream_name: event.stream.as_str(),
            offset: Offset::to_sql(Some(event.offset)),
            position: Position::to_sql(Some(event.position)),
            event_id: event.id,
            event_type: event.event_type.as_str(),
            data: &event.data,
            metadata: &event.metadata,
            timestamp: event.recorded_at,
        }
    }
}

impl EventMessage<'_> {
    /// The timestamp as clients get it.
    pub(super) fn time(&self) -> String {
        self.timestamp.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    }

    pub(super) fn not_encoded(&self, source: serde_json::Error) -> EventNotEncoded {
        EventNotEncoded { stream: self.stream_name.to_owned(), offset: self.offset, source }
    }
}

/// An event that a protocol cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("event {offset} of stream {stream:?} cannot be sent")]
pub struct EventNotEncoded {
    /// The stream of the event.
    pub stream: String,
    /// Its offset in the stream.
    pub offset: i64,
    /// Error in its payload: not JSON, or nested too deeply.
    #[source]
    pub source: serde_json::Error,
}

/// The event object that clients get.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    stream_name: &'a str,
    offset: i64,
    position: i64,
    event_id: EventId,
    event_type: &'a str,
    data: &'a Payload,
    metadata: &'a Metadata,
    timestamp: String,
}

/// Appends the event as a JSON object without line breaks to `out`.
///
/// A payload keeps the text that it was appended with, and so may have line breaks between its
/// tokens, where a space does as well; server-sent events could not carry them in one line.
pub(super) fn write_json(
    event: &EventMessage<'_>,
    out: &mut Vec<u8>,
) -> Result<(), EventNotEncoded> {
    let start = out.len();
    let fields = Fields {
        stream_name: event.stream_name,
        offset: event.offset,
        position: event.position,
        event_id: event.event_id,
        event_type: event.event_type,
        data: event.data,
        metadata: event.metadata,
        timestamp: event.time(),
    };
    serde_json::to_writer(&mut *out, &fields).map_err(|source| event.not_encoded(source))?;
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) fn sample(data: &str) -> RecordedEvent {
    use highwater_core::{EventType, StreamName};
    RecordedEvent {
        stream: StreamName::from_static("orders"),
        offset: Offset::new(42),
        position: Position::new(1000),
        id: EventId::from_uuid(uuid::Uuid::nil()),
        event_type: EventType::from_static("Added"),
        data: Payload::from_stored(data),
        metadata: Metadata::EMPTY,
        recorded_at: chrono::DateTime::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(data: &str) -> Result<String, EventNotEncoded> {
        let mut out = Vec::new();
        write_json(&(&sample(data)).into(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_event_has_exactly_the_promised_fields() {
        let expected = concat!(
            r#"{"streamName":"orders","offset":42,"position":1000,"#,
            r#""eventId":"00000000-0000-0000-0000-000000000000","eventType":"Added","#,
            r#""data":{"a": 1.50},"metadata":{},"timestamp":"1970-01-01T00:00:00.000000Z"}"#,
        );
        assert_eq!(json(r#"{"a": 1.50}"#).unwrap(), expected);
    }

    #[test]
    fn a_payload_of_several_lines_is_sent_in_one() {
        let text = json("{\r\n  \"a\": \"x\\ny\"\n}").unwrap();
        assert!(!text.contains(['\n', '\r']));
        assert!(text.contains(r#""x\ny""#), "a line break within a string stays: {text}");
    }

    #[test]
    fn a_payload_that_is_not_json_is_an_error_that_names_the_event() {
        let error = json("{broken").unwrap_err();
        assert_eq!(error.to_string(), "event 42 of stream \"orders\" cannot be sent");
    }
}
