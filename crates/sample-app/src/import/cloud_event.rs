//! CloudEvents 1.0 in JSON, as events to import.

use chrono::{DateTime, Utc};
use highwater::{
    EventId, EventType, InvalidName, Limits, Metadata, NewEvent, Payload, Recorded, StreamName,
};
use serde_json::json;
use uuid::{Uuid, uuid};

use super::attributes::Attributes;
use super::stream_template::StreamTemplate;

/// The space of the ids that are made from prefix, source and id.
const IDS: Uuid = uuid!("5f0ad4f5-8e0c-4e62-9c62-6f1b0f4f6f0e");

/// Why a line cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLine {
    #[error("not a JSON object: {0}")]
    Json(String),
    #[error("no {0}")]
    Missing(&'static str),
    #[error("no {0} to name the stream after, --stream can name another")]
    NoStream(String),
    #[error("the {0} is not a text")]
    NotText(&'static str),
    #[error("the time {0:?} is not of RFC 3339")]
    Time(String),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("both data and data_base64")]
    TwiceData,
    #[error("{what} cannot be decoded: {source}")]
    Undecodable { what: &'static str, source: serde_json::Error },
    #[error("{actual} bytes, the limit is {limit}")]
    TooLarge { actual: usize, limit: usize },
    #[error("{actual} levels of nesting, the limit is {limit}")]
    TooDeep { actual: usize, limit: usize },
    #[error("{key} stands for another event in line {first}: {differs} differs")]
    EventIdTaken { key: String, first: u64, differs: &'static str },
}

/// How lines become events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) stream: StreamTemplate,
    /// In front of every id, to tell events apart from those of a log that counts alike.
    pub(crate) id_prefix: String,
}

impl Rules {
    /// Reads one CloudEvent: all that is not stream, type or data goes into metadata as it is.
    ///
    /// The event's id is made of prefix, source and id, as only source and id together name a
    /// CloudEvent; the same line always gives the same one. Binary data stays in base64, as an
    /// object with `data_base64`.
    pub(crate) fn parse(&self, line: &[u8]) -> Result<(StreamName, NewEvent), BadLine> {
        let mut attributes = Attributes::parse(line)?;
        let id = self.event_id(&attributes)?;
        let event_type = EventType::new(attributes.required("type")?)?;
        let subject = attributes.text("subject")?;
        let stream = self.stream.fill(|name| attributes.shown(name)).map_err(BadLine::NoStream)?;
        let stream = StreamName::new(stream)?;
        if let Some(time) = attributes.text("time")?
            && DateTime::parse_from_rfc3339(&time).is_err()
        {
            return Err(BadLine::Time(time));
        }
        let data = data(&mut attributes)?;
        attributes.take("type");
        if subject.as_deref() == Some(stream.as_str()) {
            attributes.take("subject");
        }
        let undecodable = |source| BadLine::Undecodable { what: "an attribute", source };
        let metadata = attributes.to_json().and_then(|json| serde_json::from_str(&json));
        let metadata: Metadata = metadata.map_err(undecodable)?;
        let event = NewEvent { id, event_type, data, metadata };
        let (actual, limit) = (event.bytes(), Limits::default().event_bytes);
        if actual > limit {
            return Err(BadLine::TooLarge { actual, limit });
        }
        Ok((stream, event))
    }

    fn event_id(&self, attributes: &Attributes<'_>) -> Result<EventId, BadLine> {
        let id = attributes.required("id")?;
        let source = attributes.text("source")?.unwrap_or_default();
        let name = json!([self.id_prefix, source, id]).to_string();
        Ok(EventId::from_uuid(Uuid::new_v5(&IDS, name.as_bytes())))
    }
}

/// The data, which every reader has to be able to decode.
fn data(attributes: &mut Attributes<'_>) -> Result<Payload, BadLine> {
    let undecodable = |source| BadLine::Undecodable { what: "the data", source };
    let binary = attributes.text("data_base64")?;
    let (data, _) = (attributes.take("data"), attributes.take("data_base64"));
    let data = match (data, binary) {
        (Some(_), Some(_)) => return Err(BadLine::TwiceData),
        (None, Some(base64)) => json!({ "data_base64": base64 }).into(),
        (data, None) => {
            Payload::parse(data.map_or("null", |json| json.get())).map_err(undecodable)?
        }
    };
    if let Some(actual) = data.too_deep() {
        return Err(BadLine::TooDeep { actual, limit: Payload::DEPTH_MAX });
    }
    data.to::<serde_json::Value>().map_err(undecodable)?;
    Ok(data)
}

/// What a CloudEvent is known by, for people.
pub(crate) fn key(event: &NewEvent) -> String {
    let text = |name| event.metadata.text(name).unwrap_or_default();
    format!("id {:?} of source {:?}", text("id"), text("source"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"specversion":"1.0","id":"{1FB2E468-e79b-582f-887e-3d77b3993025}",
        "source":"/s","type":"T1 Check","subject":"receipt-1","data":{"b": 1.50,"a":2},
        "time":"2010-10-02T07:20:39.123456789-03:30","datacontenttype":"application/json",
        "dataschema":"https://a/b","retries":3.0}"#;

    fn parse(line: &str) -> Result<(StreamName, NewEvent), BadLine> {
        Rules::default().parse(line.as_bytes())
    }

    #[test]
    fn an_event_keeps_its_data_as_text_and_every_attribute_as_it_was_sent() {
        let (stream, event) = parse(LINE).unwrap();
        assert_eq!((stream.as_str(), event.event_type.as_str()), ("receipt-1", "T1 Check"));
        assert_eq!(event.data.as_str(), r#"{"b": 1.50,"a":2}"#);
        let metadata = event.metadata.as_payload().unwrap().as_str();
        let all = r#"{"datacontenttype":"application/json","dataschema":"https://a/b","id":"{1FB2E468-e79b-582f-887e-3d77b3993025}","retries":3.0,"source":"/s","specversion":"1.0","time":"2010-10-02T07:20:39.123456789-03:30"}"#;
        assert_eq!(metadata, all);
    }

    #[test]
    fn an_event_is_known_by_prefix_source_and_id_as_they_are_written() {
        let id = |prefix: &str, source: &str, id: &str, data: u8| {
            let rules = Rules { id_prefix: prefix.to_owned(), ..Rules::default() };
            let line = json!({ "id": id, "source": source, "type": "T", "data": data });
            rules.parse(line.to_string().as_bytes()).unwrap().1.id
        };
        let uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        for name in ["7", uuid] {
            assert_eq!(id("", "/a", name, 1), id("", "/a", name, 2));
            assert_ne!(id("", "/a", name, 1), id("", "/b", name, 1));
            assert_ne!(id("", "/a", name, 1), id("log-2", "/a", name, 1));
        }
        assert_ne!(id("", "/a", uuid, 1), id("", "/a", &uuid.to_uppercase(), 1));
    }

    #[test]
    fn the_stream_is_what_is_asked_for_and_the_source_of_events_without_subject() {
        let stream = |template: &str, line: &str| {
            let rules = Rules { stream: template.parse().unwrap(), ..Rules::default() };
            let (stream, event) = rules.parse(line.as_bytes()).unwrap();
            (stream.to_string(), event.metadata.text("subject"))
        };
        let line = r#"{"id":"1","source":"/s","type":"T","subject":"x","partition":7}"#;
        assert_eq!(stream("{subject}", line), ("x".to_owned(), None));
        let kept = |name: &str| (name.to_owned(), Some("x".to_owned()));
        assert_eq!(stream("all of it", line), kept("all of it"));
        assert_eq!(stream("{type}-{partition}", line), kept("T-7"));
        for none in ["", r#","subject":"""#, r#","subject":null"#] {
            let line = format!(r#"{{"id":"1","source":"/s","type":"T"{none}}}"#);
            assert_eq!(parse(&line).unwrap().0.as_str(), "/s");
        }
    }

    #[test]
    fn binary_data_is_data() {
        let line = |data| format!(r#"{{"id":"1","source":"/s","type":"T",{data}}}"#);
        let (_, event) = parse(&line(r#""data_base64":"AQI=""#)).unwrap();
        assert_eq!(event.data.as_str(), r#"{"data_base64":"AQI="}"#);
        let (_, other) = parse(&line(r#""data_base64":"AQM=","data":null"#)).unwrap();
        assert!(event.id == other.id && event.data != other.data);
    }

    #[test]
    fn what_lacks_an_attribute_or_breaks_a_rule_is_refused() {
        for (bad, why) in [
            ("7", "not a JSON object: invalid type"),
            ("[]", "not a JSON object: it is an array"),
            ("\u{feff}{}", "not a JSON object: expected value at column 1"),
            (r#"{"id":"1","#, "not a JSON object: the object does not end in its line"),
            (r#"{"id":"1","id":"2"}"#, "not a JSON object: \"id\" is there twice at column 19"),
            (r#"{"type":"T","id":"1"}"#, "no subject and no source to name the stream after"),
            (r#"{"subject":"s","id":"1"}"#, "no type"),
            (r#"{"subject":"s","type":"T"}"#, "no id"),
            (r#"{"subject":"s","type":"T","id":7}"#, "the id is not a text"),
            (r#"{"subject":7,"type":"T","id":"7"}"#, "the subject is not a text"),
            (r#"{"subject":"s","type":"T","id":"7","time":"noon"}"#, "the time \"noon\""),
            (r#"{"subject":" s","type":"T","id":"7"}"#, "stream name"),
            (r#"{"subject":"s","type":"T\n","id":"7"}"#, "event type"),
            (r#"{"subject":"s","type":"T","id":"7","data_base64":7}"#, "the data_base64 is not"),
            (r#"{"subject":"s","type":"T","id":"7","data":1,"data_base64":""}"#, "both data"),
            (r#"{"subject":"s","type":"T","id":"7","data":1e999}"#, "the data cannot be decoded"),
            (r#"{"subject":"s","type":"T","id":"7","x":"\ud800"}"#, "an attribute cannot be"),
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.starts_with(why), "{bad}: {error}");
        }
    }

    #[test]
    fn data_that_no_reader_could_decode_is_refused() {
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        let line = |data| format!(r#"{{"id":"7","type":"T","subject":"s","data":{data}}}"#);
        assert!(parse(&line(nested(127))).is_ok());
        let error = parse(&line(nested(128))).unwrap_err();
        assert_eq!(error.to_string(), "128 levels of nesting, the limit is 127");
    }
}
