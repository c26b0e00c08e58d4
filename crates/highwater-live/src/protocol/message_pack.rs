//! Hub messages as MessagePack arrays.

use bytes::Bytes;
use rmpv::Value;

use super::message::ID_BYTES_MAX;
use super::{
    Argument, ClientMessage, EncodedEvent, EventMessage, EventNotEncoded, Invocation, Malformed,
    ServerMessage, packed_json, varint,
};

/// Depth to which a client may nest its values, an array counting about three levels.
const DEPTH_MAX: u16 = 128;

const SYNTAX: Malformed = Malformed::Syntax("MessagePack");

pub(super) fn decode(record: &[u8]) -> Result<ClientMessage, Malformed> {
    let mut rest = record;
    let value = rmpv::decode::read_value_with_max_depth(&mut rest, usize::from(DEPTH_MAX))
        .map_err(|_| SYNTAX)?;
    let Value::Array(fields) = value else { return Err(SYNTAX) };
    if !rest.is_empty() {
        return Err(SYNTAX);
    }
    let mut fields = fields.into_iter();
    let kind = fields.next().and_then(|kind| kind.as_u64()).ok_or(Malformed::Field("type"))?;
    // Every message with an id has its headers first; they say nothing that the hub needs.
    if matches!(kind, 1..=5) && !fields.next().is_some_and(|headers| are_headers(&headers)) {
        return Err(Malformed::Field("headers"));
    }
    match kind {
        1 => call(fields, false),
        2 => item(fields),
        3 => completion(fields),
        4 => call(fields, true),
        5 => {
            let id = fields.next().and_then(text).ok_or(Malformed::Field("invocation id"))?;
            Ok(ClientMessage::Cancel { id })
        }
        6 => Ok(ClientMessage::Ping),
        7 => close(fields),
        8 | 9 => match fields.next() {
            Some(Value::Integer(number)) if number.is_u64() => Ok(ClientMessage::Other),
            _ => Err(Malformed::Field("number")),
        },
        _ => Ok(ClientMessage::Other),
    }
}

/// Headers are texts by name.
fn are_headers(value: &Value) -> bool {
    value.as_map().is_some_and(|map| map.iter().all(|(name, text)| name.is_str() && text.is_str()))
}

/// An item of an upload, which the hub never asks for.
fn item(mut fields: impl Iterator<Item = Value>) -> Result<ClientMessage, Malformed> {
    let has_id = fields.next().and_then(text).is_some();
    match fields.next() {
        Some(_) if has_id => Ok(ClientMessage::Other),
        _ => Err(Malformed::Field("item")),
    }
}

/// The end of something that the hub never began.
fn completion(mut fields: impl Iterator<Item = Value>) -> Result<ClientMessage, Malformed> {
    let has_id = fields.next().and_then(text).is_some();
    let kind = fields.next().and_then(|kind| kind.as_u64());
    let is_whole = match (kind, fields.next()) {
        (Some(kind), Some(error)) if kind == u64::from(FAILED) => error.is_str(),
        (Some(kind), _) if kind == u64::from(VOID) => true,
        (Some(kind), result) if kind == u64::from(RESULT) => result.is_some(),
        _ => false,
    };
    if has_id && is_whole { Ok(ClientMessage::Other) } else { Err(Malformed::Field("completion")) }
}

fn close(mut fields: impl Iterator<Item = Value>) -> Result<ClientMessage, Malformed> {
    let is_error = |value: &Value| value.is_nil() || value.is_str();
    let error_fits = fields.next().is_none_or(|error| is_error(&error));
    let flag_fits = fields.next().is_none_or(|allow_reconnect| allow_reconnect.is_bool());
    if error_fits && flag_fits {
        return Ok(ClientMessage::Close);
    }
    Err(Malformed::Field("error"))
}

/// Reads the fields of a call from its id on; the list of uploads may be missing.
fn call(
    mut fields: impl Iterator<Item = Value>,
    wants_stream: bool,
) -> Result<ClientMessage, Malformed> {
    let id = match fields.next() {
        Some(Value::Nil) if !wants_stream => None,
        Some(Value::String(id)) => id
            .into_str()
            .filter(|id| id.len() <= ID_BYTES_MAX)
            .map(Some)
            .ok_or(Malformed::Field("invocation id"))?,
        _ => return Err(Malformed::Field("invocation id")),
    };
    let target = fields.next().and_then(text).ok_or(Malformed::Field("target"))?;
    let arguments = match fields.next() {
        Some(Value::Array(arguments)) => arguments.into_iter().map(Argument::from).collect(),
        // The rest of the message is whole: the call fails, and by itself, since no method takes
        // this.
        _ => vec![Argument::Other],
    };
    let uploads = fields.next();
    Ok(ClientMessage::Invocation(Invocation {
        id,
        target,
        arguments,
        wants_stream,
        has_uploads: uploads.and_then(|ids| ids.as_array().map(|ids| !ids.is_empty()))
            == Some(true),
    }))
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => text.into_str(),
        _ => None,
    }
}

/// The kinds of a completion.
const FAILED: u8 = 1;
const VOID: u8 = 2;
const RESULT: u8 = 3;

pub(super) fn encode(message: &ServerMessage<'_>, out: &mut Vec<u8>) {
    let fields = match *message {
        ServerMessage::Call { target, argument } => invocation(target, vec![argument.into()]),
        ServerMessage::Completion { id, error: None } => {
            vec![3.into(), empty_map(), id.into(), VOID.into()]
        }
        ServerMessage::Completion { id, error: Some(error) } => {
            vec![3.into(), empty_map(), id.into(), FAILED.into(), error.into()]
        }
        ServerMessage::Ping => vec![6.into()],
        ServerMessage::Close { error, allow_reconnect } => {
            vec![7.into(), error.map_or(Value::Nil, Value::from), allow_reconnect.into()]
        }
    };
    frame(&bytes_of(&Value::Array(fields)), out);
}

/// An invocation without an id; signalrcore insists on the sixth element.
fn invocation(target: &str, arguments: Vec<Value>) -> Vec<Value> {
    let uploads = Value::Array(Vec::new());
    vec![1.into(), empty_map(), Value::Nil, target.into(), Value::Array(arguments), uploads]
}

fn empty_map() -> Value {
    Value::Map(Vec::new())
}

pub(super) fn encode_event(
    name: &str,
    event: &EventMessage<'_>,
) -> Result<EncodedEvent, EventNotEncoded> {
    let fields = fields(event)?;
    let length = bytes_of(&fields).len();
    let body = bytes_of(&Value::Array(invocation("EventReceived", vec![name.into(), fields])));
    let mut out = Vec::with_capacity(body.len() + 5);
    frame(&body, &mut out);
    let record = Bytes::from(out);
    // Behind the event stands nothing but the empty list of uploads, one byte.
    let end = record.len() - 1;
    Ok(EncodedEvent { event: record.slice(end - length..end), record })
}

/// The event object; payload and metadata are parsed by themselves, so that they may be nested
/// as deeply as the store lets them.
fn fields(event: &EventMessage<'_>) -> Result<Value, EventNotEncoded> {
    let pack = |json| packed_json::pack(json).map_err(|source| event.not_encoded(source));
    let metadata = event.metadata.as_payload().map(|json| pack(json.as_str())).transpose()?;
    let fields = [
        ("streamName", event.stream_name.into()),
        ("offset", event.offset.into()),
        ("position", event.position.into()),
        ("eventId", event.event_id.to_string().into()),
        ("eventType", event.event_type.into()),
        ("data", pack(event.data.as_str())?),
        ("metadata", metadata.unwrap_or_else(empty_map)),
        ("timestamp", event.time().into()),
    ];
    Ok(Value::Map(fields.map(|(name, value)| (name.into(), value)).into()))
}

pub(super) fn encode_item(id: &str, item: &Bytes, out: &mut Vec<u8>) {
    let head = [2.into(), empty_map(), id.into()].map(|field| bytes_of(&field));
    let length = 1 + head.iter().map(Vec::len).sum::<usize>() + item.len();
    varint::write(length, out);
    out.push(0x94);
    out.extend(head.iter().flatten());
    out.extend_from_slice(item);
}

fn bytes_of(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).expect("a Vec takes all that is written to it");
    out
}

fn frame(body: &[u8], out: &mut Vec<u8>) {
    varint::write(body.len(), out);
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::sample;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    fn encoded(message: ServerMessage<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&message, &mut out);
        out
    }

    /// Decodes a framed message whose length takes one byte.
    fn decoded(hex: &str) -> Result<ClientMessage, Malformed> {
        let bytes = bytes(hex);
        assert_eq!(usize::from(bytes[0]), bytes.len() - 1);
        decode(&bytes[1..])
    }

    #[test]
    fn messages_are_the_bytes_of_the_specification() {
        let completion = |error| encoded(ServerMessage::Completion { id: "7", error });
        let close =
            |allow_reconnect| encoded(ServerMessage::Close { error: None, allow_reconnect });
        let call = ServerMessage::Call { target: "SubscriptionConfirmed", argument: "orders" };
        let confirmed = "23 96 01 80 c0 b5 53 75 62 73 63 72 69 70 74 69 6f 6e 43 6f 6e 66 69 72 \
                         6d 65 64 91 a6 6f 72 64 65 72 73 90";
        let failed = "15 95 03 80 a1 37 01 ae 6e 6f 20 73 75 63 68 20 73 74 72 65 61 6d";
        assert_eq!(encoded(call), bytes(confirmed));
        assert_eq!(completion(None), bytes("06 94 03 80 a1 37 02"));
        assert_eq!(completion(Some("no such stream")), bytes(failed));
        assert_eq!(encoded(ServerMessage::Ping), bytes("02 91 06"));
        assert_eq!(close(false), bytes("04 93 07 c0 c2"));
        assert_eq!(close(true), bytes("04 93 07 c0 c3"));
        let mut item = Vec::new();
        encode_item("9", &bytes("81 a6 6f 66 66 73 65 74 00").into(), &mut item);
        assert_eq!(item, bytes("0e 94 02 80 a1 39 81 a6 6f 66 66 73 65 74 00"));
    }

    #[test]
    fn an_event_is_part_of_its_record() {
        let EncodedEvent { record, event } =
            encode_event("orders", &(&sample("{\"n\":[1,-2,1.5,null,true,\"x\"]}")).into())
                .unwrap();
        let Length { body, prefix } = length(&record);
        assert_eq!(record.len(), prefix + body);
        let message = rmpv::decode::read_value(&mut &record[prefix..]).unwrap();
        assert_eq!(message[3].as_str(), Some("EventReceived"));
        assert_eq!(message[4][0].as_str(), Some("orders"));
        assert_eq!(message.as_array().map(Vec::len), Some(6));
        let alone = rmpv::decode::read_value(&mut &event[..]).unwrap();
        assert_eq!(alone, message[4][1]);
        assert_eq!(alone["offset"].as_u64(), Some(42));
        assert_eq!(alone["data"]["n"][1].as_i64(), Some(-2));
    }

    struct Length {
        body: usize,
        prefix: usize,
    }

    fn length(record: &[u8]) -> Length {
        match varint::read(record) {
            varint::Length::Known { body, prefix } => Length { body, prefix },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_is_read_with_and_without_a_list_of_uploads() {
        let subscribe = |id: &str, from| {
            ClientMessage::Invocation(Invocation {
                id: Some(id.to_owned()),
                target: "SubscribeToStream".to_owned(),
                arguments: vec![Argument::Text("orders".to_owned()), Argument::Number(from)],
                wants_stream: false,
                has_uploads: false,
            })
        };
        let six = "21 96 01 80 a1 37 b1 53 75 62 73 63 72 69 62 65 54 6f 53 74 72 65 61 6d 92 a6 6f \
                   72 64 65 72 73 2a 90";
        let five = "20 95 01 80 a1 30 b1 53 75 62 73 63 72 69 62 65 54 6f 53 74 72 65 61 6d 92 a6 \
                    6f 72 64 65 72 73 05";
        assert_eq!(decoded(six), Ok(subscribe("7", 42)));
        assert_eq!(decoded(five), Ok(subscribe("0", 5)));
        let without_id = "23 96 01 80 c0 b5 55 6e 73 75 62 73 63 72 69 62 65 46 72 6f 6d 53 74 72 \
                          65 61 6d 91 a6 6f 72 64 65 72 73 90";
        let Ok(ClientMessage::Invocation(call)) = decoded(without_id) else { panic!("a call") };
        assert_eq!((call.id, call.target.as_str()), (None, "UnsubscribeFromStream"));
        let cancel = ClientMessage::Cancel { id: "9".to_owned() };
        assert_eq!(decoded("05 93 05 80 a1 39"), Ok(cancel));
        assert_eq!(decoded("02 91 06"), Ok(ClientMessage::Ping));
        assert_eq!(decoded("03 92 07 c0"), Ok(ClientMessage::Close));
        for ignored in ["03 92 08 0f", "06 94 03 80 a1 37 02", "07 95 03 80 a1 37 03 c0"] {
            assert_eq!(decoded(ignored), Ok(ClientMessage::Other), "{ignored}");
        }
    }

    #[test]
    fn a_call_without_a_list_of_arguments_is_one_that_no_method_takes() {
        for bytes in [
            &[0x94, 1, 0x80, 0xa1, 0x37, 0xa1, 0x78][..],
            &[0x95, 1, 0x80, 0xa1, 0x37, 0xa1, 0x78, 0x80],
        ] {
            let Ok(ClientMessage::Invocation(call)) = decode(bytes) else { panic!("a call") };
            assert_eq!((call.id.as_deref(), call.target.as_str()), (Some("7"), "x"));
            assert_eq!(call.arguments, [Argument::Other]);
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let deep = [0x91; 4096];
        let wide = [0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0];
        let long = [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61];
        for record in [&[][..], &[0x06], &[0x90], &[0x91, 0xa1, 0x31], &[0x91, 6, 6], &[0xc1]] {
            assert!(decode(record).is_err(), "{record:x?}");
        }
        for record in [&deep[..], &wide, &long, &[0x92, 1, 0x80], &[0x94, 4, 0x80, 0xc0, 0xa0]] {
            assert!(decode(record).is_err(), "{:x?}", &record[..3]);
        }
        // Headers that are none, completions and items that lack something, a close with a number.
        for record in [
            &[0x93, 5, 0x07, 0xa1, 0x39][..],
            &[0x93, 5, 0x81, 0xa1, 0x61, 0x01, 0xa1, 0x39],
            &[0x93, 3, 0x80, 0xa1],
            &[0x93, 3, 0x80, 0xa1, 0x37],
            &[0x94, 3, 0x80, 0xa1, 0x37, 0x01],
            &[0x95, 3, 0x80, 0xa1, 0x37, 0x01, 0x01],
            &[0x94, 3, 0x80, 0xa1, 0x37, 0x03],
            &[0x94, 3, 0x80, 0xa1, 0x37, 0x04],
            &[0x93, 2, 0x80, 0xa1, 0x37],
            &[0x92, 7, 0x01],
            &[0x93, 7, 0xc0, 0x01],
            &[0x92, 8, 0xa1, 0x31],
        ] {
            assert!(decode(record).is_err(), "{record:x?}");
        }
    }
}
