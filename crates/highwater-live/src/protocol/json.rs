//! Hub messages as JSON text.

use std::collections::HashMap;

use bytes::Bytes;
use highwater_core::JsonLimits;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::framer::RECORD_SEPARATOR;
use super::message::ID_BYTES_MAX;
use super::{
    Argument, ClientMessage, EncodedEvent, EventMessage, EventNotEncoded, Invocation, Malformed,
    ServerMessage, event,
};

/// The only field that every message has; it may stand anywhere in it.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    invocation_id: Option<String>,
    target: String,
    arguments: Vec<Argument>,
    stream_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancel {
    invocation_id: String,
}

/// What may stand on every message that has an id; it says nothing that the hub needs.
#[derive(Deserialize)]
struct WithHeaders {
    #[serde(rename = "headers")]
    _headers: Option<HashMap<String, String>>,
}

/// An item of an upload, which the hub never asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(rename = "invocationId")]
    _id: String,
    #[serde(rename = "item")]
    _item: IgnoredAny,
}

/// The end of something that the hub never began.
#[derive(Deserialize)]
struct Completion {
    #[serde(rename = "invocationId")]
    _id: String,
    result: Option<IgnoredAny>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Close {
    #[serde(rename = "error")]
    _error: Option<String>,
    #[serde(rename = "allowReconnect")]
    _allow_reconnect: Option<bool>,
}

#[derive(Deserialize)]
struct Sequence {
    #[serde(rename = "sequenceId")]
    _id: u64,
}

pub(super) fn decode(record: &[u8]) -> Result<ClientMessage, Malformed> {
    if !is_object(record) {
        return Err(Malformed::Syntax("JSON"));
    }
    let Kind { kind } = parse(record, Malformed::Syntax("JSON"))?;
    if matches!(kind, 1..=5) {
        parse::<WithHeaders>(record, Malformed::Field("headers"))?;
    }
    match kind {
        1 => call(record, false),
        2 => parse::<Item>(record, Malformed::Field("item")).map(|_| ClientMessage::Other),
        3 => completion(record),
        4 => call(record, true),
        5 => {
            let Cancel { invocation_id } = parse(record, Malformed::Field("invocation id"))?;
            Ok(ClientMessage::Cancel { id: invocation_id })
        }
        6 => Ok(ClientMessage::Ping),
        7 => parse::<Close>(record, Malformed::Field("error")).map(|_| ClientMessage::Close),
        8 | 9 => {
            parse::<Sequence>(record, Malformed::Field("number")).map(|_| ClientMessage::Other)
        }
        _ => Ok(ClientMessage::Other),
    }
}

/// Tells whether the record is an object; a list of the values of its fields would be read as one.
pub(super) fn is_object(record: &[u8]) -> bool {
    record.trim_ascii_start().starts_with(b"{")
}

fn completion(record: &[u8]) -> Result<ClientMessage, Malformed> {
    let malformed = Malformed::Field("completion");
    let completion: Completion = parse(record, malformed)?;
    let is_both = completion.result.is_some() && completion.error.is_some();
    if is_both { Err(malformed) } else { Ok(ClientMessage::Other) }
}

fn call(record: &[u8], wants_stream: bool) -> Result<ClientMessage, Malformed> {
    let call: Call = parse(record, Malformed::Field("target or arguments"))?;
    let is_long = call.invocation_id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX);
    if is_long || (wants_stream && call.invocation_id.is_none()) {
        return Err(Malformed::Field("invocation id"));
    }
    Ok(ClientMessage::Invocation(Invocation {
        id: call.invocation_id,
        target: call.target,
        arguments: call.arguments,
        wants_stream,
        has_uploads: call.stream_ids.is_some_and(|ids| !ids.is_empty()),
    }))
}

/// Parses a record; the parser's own message could show what must not be logged.
fn parse<'de, T: Deserialize<'de>>(record: &'de [u8], error: Malformed) -> Result<T, Malformed> {
    // How many bytes there may be, the framer has said already.
    let limits = JsonLimits { bytes: usize::MAX, ..JsonLimits::default() };
    let text = limits.check(record).map_err(|_| Malformed::Syntax("JSON"))?;
    serde_json::from_str(text).map_err(|_| error)
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outgoing<'a> {
    Call {
        #[serde(rename = "type")]
        kind: u8,
        target: &'a str,
        arguments: [&'a str; 1],
    },
    Completion {
        #[serde(rename = "type")]
        kind: u8,
        #[serde(rename = "invocationId")]
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    Ping {
        #[serde(rename = "type")]
        kind: u8,
    },
    Close {
        #[serde(rename = "type")]
        kind: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(rename = "allowReconnect", skip_serializing_if = "std::ops::Not::not")]
        allow_reconnect: bool,
    },
}

pub(super) fn encode(message: &ServerMessage<'_>, out: &mut Vec<u8>) {
    let outgoing = match *message {
        ServerMessage::Call { target, argument } => {
            Outgoing::Call { kind: 1, target, arguments: [argument] }
        }
        ServerMessage::Completion { id, error } => Outgoing::Completion { kind: 3, id, error },
        ServerMessage::Ping => Outgoing::Ping { kind: 6 },
        ServerMessage::Close { error, allow_reconnect } => {
            Outgoing::Close { kind: 7, error, allow_reconnect }
        }
    };
    write(&outgoing, out);
    out.push(RECORD_SEPARATOR);
}

pub(super) fn encode_event(
    name: &str,
    event: &EventMessage<'_>,
) -> Result<EncodedEvent, EventNotEncoded> {
    let mut out = Vec::with_capacity(256 + name.len() + event.data.as_str().len());
    out.extend_from_slice(br#"{"type":1,"target":"EventReceived","arguments":["#);
    write(&name, &mut out);
    out.push(b',');
    let start = out.len();
    event::write_json(event, &mut out)?;
    let end = out.len();
    out.extend_from_slice(b"]}");
    out.push(RECORD_SEPARATOR);
    let record = Bytes::from(out);
    Ok(EncodedEvent { event: record.slice(start..end), record })
}

pub(super) fn encode_item(id: &str, item: &Bytes, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":2,"invocationId":"#);
    write(&id, out);
    out.extend_from_slice(br#","item":"#);
    out.extend_from_slice(item);
    out.push(b'}');
    out.push(RECORD_SEPARATOR);
}

fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("text and numbers are JSON, and a Vec takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: ServerMessage<'_>) -> String {
        let mut out = Vec::new();
        encode(&message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_have_the_fields_of_the_specification_and_no_others() {
        let completion = |error| encoded(ServerMessage::Completion { id: "7", error });
        let close =
            |error, allow_reconnect| encoded(ServerMessage::Close { error, allow_reconnect });
        let call = ServerMessage::Call { target: "SubscriptionConfirmed", argument: "orders" };
        let confirmed =
            "{\"type\":1,\"target\":\"SubscriptionConfirmed\",\"arguments\":[\"orders\"]}\x1e";
        let failed = "{\"type\":3,\"invocationId\":\"7\",\"error\":\"no such stream\"}\x1e";
        assert_eq!(encoded(ServerMessage::Ping), "{\"type\":6}\x1e");
        assert_eq!(encoded(call), confirmed);
        assert_eq!(completion(None), "{\"type\":3,\"invocationId\":\"7\"}\x1e");
        assert_eq!(completion(Some("no such stream")), failed);
        assert_eq!(close(None, false), "{\"type\":7}\x1e");
        assert_eq!(close(None, true), "{\"type\":7,\"allowReconnect\":true}\x1e");
        assert_eq!(close(Some("bad"), false), "{\"type\":7,\"error\":\"bad\"}\x1e");
    }

    #[test]
    fn an_event_is_part_of_its_record_and_of_an_item() {
        let EncodedEvent { record, event } =
            encode_event("a\"b", &(&event::sample("{\"n\":1}")).into()).unwrap();
        let text = std::str::from_utf8(&record).unwrap();
        let head = r#"{"type":1,"target":"EventReceived","arguments":["a\"b",{"streamName":"#;
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("}]}\x1e"), "{text}");
        let mut out = Vec::new();
        encode_item("9", &event, &mut out);
        let item: serde_json::Value = serde_json::from_slice(&out[..out.len() - 1]).unwrap();
        assert_eq!(item["type"], 2);
        assert_eq!(item["invocationId"], "9");
        assert_eq!(item["item"]["offset"], 42);
    }

    #[test]
    fn a_call_is_read_whatever_the_order_of_its_fields() {
        let record = br#"{"target":"SubscribeToStream","arguments":["orders",null],
            "headers":{"Authorization":"Bearer x"},"invocationId":"0","extra":[{}],"type":1}"#;
        let expected = Invocation {
            id: Some("0".to_owned()),
            target: "SubscribeToStream".to_owned(),
            arguments: vec![Argument::Text("orders".to_owned()), Argument::Null],
            wants_stream: false,
            has_uploads: false,
        };
        assert_eq!(decode(record), Ok(ClientMessage::Invocation(expected)));
    }

    #[test]
    fn what_the_hub_has_no_use_for_is_ignored() {
        for record in [
            r#"{"type":2,"invocationId":"1","item":5}"#,
            r#"{"type":3,"invocationId":"1"}"#,
            r#"{"type":8,"sequenceId":15}"#,
            r#"{"type":99,"target":7}"#,
        ] {
            assert_eq!(decode(record.as_bytes()), Ok(ClientMessage::Other), "{record}");
        }
        assert_eq!(decode(br#"{"type":6}"#), Ok(ClientMessage::Ping));
        assert_eq!(decode(br#"{"type":7,"error":"x"}"#), Ok(ClientMessage::Close));
        let cancel = ClientMessage::Cancel { id: "9".to_owned() };
        assert_eq!(decode(br#"{"type":5,"invocationId":"9"}"#), Ok(cancel));
    }

    #[test]
    fn what_is_no_message_is_refused_and_not_shown() {
        let deep = format!(r#"{{"type":1,"target":"x","arguments":[{}]}}"#, "[".repeat(5000));
        let long_id = "x".repeat(129);
        let long_id =
            format!(r#"{{"type":1,"invocationId":"{long_id}","target":"x","arguments":[]}}"#);
        for record in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":"1"}"#,
            r#"{"type":-1}"#,
            r#"{"type":1}"#,
            r#"{"type":1,"target":"x"}"#,
            r#"{"type":1,"target":"x","arguments":{}}"#,
            r#"{"type":4,"target":"x","arguments":[]}"#,
            r#"{"type":5}"#,
            r#"{"type":6} x"#,
            r#"[1,"SubscribeToStream",["orders"]]"#,
            " [6]",
            r#"{"type":1,"target":"x","arguments":[],"headers":7}"#,
            r#"{"type":1,"target":"x","arguments":[],"headers":["a"]}"#,
            r#"{"type":5,"invocationId":"1","headers":{"a":1}}"#,
            r#"{"type":2,"invocationId":"1"}"#,
            r#"{"type":3}"#,
            r#"{"type":3,"invocationId":"1","result":1,"error":"x"}"#,
            r#"{"type":3,"invocationId":"1","error":1}"#,
            r#"{"type":7,"error":1}"#,
            r#"{"type":8}"#,
            &deep,
            &long_id,
        ] {
            assert!(decode(record.as_bytes()).is_err(), "{record:.80}");
        }
        assert_eq!(decode(b"{\"type\":\xff}"), Err(Malformed::Syntax("JSON")));
    }
}
