//! CloudEvents 1.0 in JSON, as events to import.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use highwater::{
    EventId, EventType, InvalidName, Limits, Metadata, NewEvent, Payload, Recorded, StreamName,
};
use serde_json::value::RawValue;
use uuid::{Uuid, uuid};

/// The space of the ids that are made from a source and an id that is not a UUID.
const IDS: Uuid = uuid!("5f0ad4f5-8e0c-4e62-9c62-6f1b0f4f6f0e");

/// Why a line cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLine {
    #[error("not a JSON object")]
    Json(#[from] serde_json::Error),
    #[error("no {0}")]
    Missing(&'static str),
    #[error("the {0} is not a text")]
    NotText(&'static str),
    #[error("the time {0:?} is not of RFC 3339")]
    Time(String),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("{actual} bytes, the limit is {limit}")]
    TooLarge { actual: usize, limit: usize },
    #[error("{actual} levels of nesting, the limit is {limit}")]
    TooDeep { actual: usize, limit: usize },
    #[error("event id {0} stands for another event in an earlier line")]
    IdTaken(EventId),
}

type Attributes<'a> = BTreeMap<String, &'a RawValue>;

/// Reads one CloudEvent: its subject is the stream, all that is not data goes into metadata.
///
/// The same line always gives the same event id: the id itself when it is a UUID, else one made
/// of source and id.
pub(crate) fn parse(line: &[u8]) -> Result<(StreamName, NewEvent), BadLine> {
    let mut attributes: Attributes<'_> = serde_json::from_slice(line)?;
    let stream = StreamName::new(required(&attributes, "subject")?)?;
    let event_type = EventType::new(required(&attributes, "type")?)?;
    let id = event_id(&mut attributes)?;
    if let Some(time) = text(&attributes, "time")?
        && DateTime::parse_from_rfc3339(&time).is_err()
    {
        return Err(BadLine::Time(time));
    }
    attributes.retain(|name, _| !["subject", "type"].contains(&name.as_str()));
    let data = Payload::parse(attributes.remove("data").map_or("null", RawValue::get))?;
    if let Some(actual) = data.too_deep() {
        return Err(BadLine::TooDeep { actual, limit: Payload::DEPTH_MAX });
    }
    let metadata: Metadata = serde_json::from_str(&serde_json::to_string(&attributes)?)?;
    let event = NewEvent { id, event_type, data, metadata };
    let (actual, limit) = (event.bytes(), Limits::default().event_bytes);
    if actual > limit {
        return Err(BadLine::TooLarge { actual, limit });
    }
    Ok((stream, event))
}

/// When the event happened: what its CloudEvent said, else when it was recorded.
pub(crate) fn time<E>(event: &Recorded<E>) -> String {
    let told = event.metadata.text("time");
    told.filter(|time| DateTime::parse_from_rfc3339(time).is_ok())
        .unwrap_or_else(|| rfc3339(event.recorded_at))
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// The event's id; a text that is no UUID stays in the attributes, so that nothing is lost.
fn event_id(attributes: &mut Attributes<'_>) -> Result<EventId, BadLine> {
    let id = required(attributes, "id")?;
    if let Ok(uuid) = Uuid::parse_str(&id) {
        attributes.remove("id");
        return Ok(EventId::from_uuid(uuid));
    }
    let source = text(attributes, "source")?.unwrap_or_default();
    let name = serde_json::to_vec(&[source, id])?;
    Ok(EventId::from_uuid(Uuid::new_v5(&IDS, &name)))
}

fn required(attributes: &Attributes<'_>, name: &'static str) -> Result<String, BadLine> {
    text(attributes, name)?.filter(|text| !text.is_empty()).ok_or(BadLine::Missing(name))
}

fn text(attributes: &Attributes<'_>, name: &'static str) -> Result<Option<String>, BadLine> {
    let Some(json) = attributes.get(name) else { return Ok(None) };
    serde_json::from_str(json.get()).map_err(|_| BadLine::NotText(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"specversion":"1.0","id":"1fb2e468-e79b-582f-887e-3d77b3993025",
        "source":"/s","type":"T1 Check","subject":"receipt-1","time":"2010-10-02T07:20:39.266Z",
        "data":{"b": 1.50,"a":2}}"#;

    #[test]
    fn an_event_keeps_its_id_its_data_as_text_and_every_attribute() {
        let (stream, event) = parse(LINE.as_bytes()).unwrap();
        assert_eq!((stream.as_str(), event.event_type.as_str()), ("receipt-1", "T1 Check"));
        assert_eq!(event.id.to_string(), "1fb2e468-e79b-582f-887e-3d77b3993025");
        assert_eq!(event.data.as_str(), r#"{"b": 1.50,"a":2}"#);
        let metadata = event.metadata.as_payload().unwrap().as_str();
        let all = r#"{"source":"/s","specversion":"1.0","time":"2010-10-02T07:20:39.266Z"}"#;
        assert_eq!(metadata, all);
    }

    #[test]
    fn an_id_that_is_no_uuid_gives_one_that_depends_on_source_and_id_alone() {
        let id = |source: &str, id: &str, data: &str| {
            let line = format!(
                r#"{{"id":"{id}","source":"{source}","type":"T","subject":"s","data":{data}}}"#
            );
            parse(line.as_bytes()).unwrap().1
        };
        assert_eq!(id("/a", "7", "1").id, id("/a", "7", "2").id);
        assert_ne!(id("/a", "7", "1").id, id("/b", "7", "1").id);
        assert_ne!(id("/a", "7", "1").id, id("/a", "8", "1").id);
        assert_eq!(id("/a", "7", "1").metadata.text("id").as_deref(), Some("7"));
    }

    #[test]
    fn what_lacks_an_attribute_or_breaks_a_rule_is_refused() {
        for (bad, why) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            (r#"{"type":"T","id":"1"}"#, "no subject"),
            (r#"{"subject":"s","id":"1"}"#, "no type"),
            (r#"{"subject":"s","type":"T"}"#, "no id"),
            (r#"{"subject":"s","type":"T","id":7}"#, "the id is not a text"),
            (r#"{"subject":"s","type":"T","id":"7","time":"noon"}"#, "the time \"noon\""),
            (r#"{"subject":" s","type":"T","id":"7"}"#, "stream name"),
            (r#"{"subject":"s","type":"T\n","id":"7"}"#, "event type"),
        ] {
            let error = parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(why), "{bad}: {error}");
        }
    }

    #[test]
    fn data_that_no_reader_could_decode_is_refused() {
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        let line = |data| format!(r#"{{"id":"7","type":"T","subject":"s","data":{data}}}"#);
        assert!(parse(line(nested(127)).as_bytes()).is_ok());
        let error = parse(line(nested(128)).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "128 levels of nesting, the limit is 127");
    }
}
