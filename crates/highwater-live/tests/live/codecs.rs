//! Whatever bytes a client sends, the codecs answer with a message or an error.

use chrono::DateTime;
use highwater_core::{EventId, Metadata, Payload};
use highwater_live::protocol::{
    Argument, ClientMessage, EventMessage, Framer, Handshake, Protocol,
};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::prop_assert_eq;
use rmpv::Value;

const PROTOCOLS: [Protocol; 2] = [Protocol::Json, Protocol::MessagePack];

/// Values of every kind that MessagePack and JSON share, nested a little.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f32>().prop_filter("JSON has no NaN", |f| f.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((".{0,6}".prop_map(Value::from), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

/// A call as a client would write it, in both protocols, and its target and arguments.
fn call() -> impl Strategy<Value = ([Vec<u8>; 2], String, Vec<Value>)> {
    ("[a-z0-9]{1,8}", ".{0,16}", vec(value(), 0..4)).prop_map(|(id, target, arguments)| {
        let json = serde_json::json!({
            "arguments": arguments, "target": target, "invocationId": id, "type": 1,
        });
        let fields = Value::Array(vec![
            1.into(),
            Value::Map(vec![("a".into(), "b".into())]),
            id.into(),
            target.clone().into(),
            Value::Array(arguments.clone()),
        ]);
        let mut packed = Vec::new();
        rmpv::encode::write_value(&mut packed, &fields).expect("a Vec takes all");
        ([json.to_string().into_bytes(), packed], target, arguments)
    })
}

/// The payload of an event as a client gets it in MessagePack.
fn packed(json: &str) -> Value {
    let event = EventMessage {
        stream_name: "a",
        offset: 0,
        position: 0,
        event_id: EventId::new(),
        event_type: "T",
        data: &Payload::from_stored(json),
        metadata: &Metadata::EMPTY,
        timestamp: DateTime::UNIX_EPOCH,
    };
    let encoded = Protocol::MessagePack.encode_event("a", event).unwrap();
    rmpv::decode::read_value(&mut &encoded.event[..]).unwrap()["data"].clone()
}

#[test]
fn whatever_the_store_takes_goes_over_message_pack() {
    for (json, value) in [
        ("18446744073709551615", Value::from(u64::MAX)),
        ("-9223372036854775808", Value::from(i64::MIN)),
        ("18446744073709551616", Value::F64(18_446_744_073_709_551_616.0)),
        ("1.0", Value::F64(1.0)),
        ("1e400", Value::F64(f64::INFINITY)),
        ("-1e400", Value::F64(f64::NEG_INFINITY)),
        ("1e-400", Value::F64(0.0)),
        (r#""\ud83d\ude00\u0000""#, Value::from("\u{1f600}\0")),
        (r#""a\ud800""#, Value::from("a\u{fffd}")),
        (r#""\udc00\ud800\ud83d\ude00\\ud800""#, Value::from("\u{fffd}\u{fffd}\u{1f600}\\ud800")),
        (
            r#"[{"\ud800": [1e400, 7, "x", null]}, true]"#,
            Value::Array(vec![
                Value::Map(vec![(
                    "\u{fffd}".into(),
                    Value::Array(vec![f64::INFINITY.into(), 7.into(), "x".into(), Value::Nil]),
                )]),
                true.into(),
            ]),
        ),
    ] {
        assert_eq!(packed(json), value, "{json}");
    }
    let Value::F64(zero) = packed("-0.0") else { panic!("a float") };
    assert!(zero == 0.0 && zero.is_sign_negative());
    let Value::Map(fields) = packed(r#"{"a":1,"a":2}"#) else { panic!("a map") };
    assert_eq!(fields.last().unwrap().1, Value::from(2), "the last of two counts, as in JSON");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000),
    ))]

    #[test]
    fn a_call_means_the_same_in_both_protocols((records, target, arguments) in call()) {
        let expected: Vec<Argument> = arguments.into_iter().map(Argument::from).collect();
        for (protocol, record) in PROTOCOLS.into_iter().zip(&records) {
            let Ok(ClientMessage::Invocation(call)) = protocol.decode(record) else {
                panic!("{protocol:?} does not read {record:x?}");
            };
            prop_assert_eq!(&call.target, &target);
            prop_assert_eq!(&call.arguments, &expected);
        }
    }

    #[test]
    fn a_float_is_the_same_in_both_protocols(
        text in "-?(0|[1-9][0-9]{0,18})\\.[0-9]{1,20}(e-?[0-9]{1,2})?",
        float in proptest::num::f64::NORMAL,
    ) {
        for text in [text, format!("{float:?}")] {
            let Value::F64(packed) = packed(&text) else { panic!("a float: {text}") };
            prop_assert_eq!(packed.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
        }
    }

    #[test]
    fn a_damaged_call_makes_no_codec_panic(
        (mut records, _, _) in call(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        for (protocol, record) in PROTOCOLS.into_iter().zip(&mut records) {
            let place = at.index(record.len());
            record[place] = byte;
            let _ = protocol.decode(record);
            record.truncate(cut.index(record.len()));
            let _ = protocol.decode(record);
        }
    }

    #[test]
    fn no_bytes_make_a_codec_the_framer_or_the_handshake_panic(
        bytes in vec(any::<u8>(), 0..512),
        size in 1_usize..64,
    ) {
        let _ = Handshake::read(&bytes);
        for protocol in PROTOCOLS {
            let _ = protocol.decode(&bytes);
            let mut framer = Framer::new(protocol.framing(), 256);
            'chunks: for chunk in bytes.chunks(size) {
                framer.push(chunk);
                loop {
                    match framer.next_record() {
                        Ok(Some(record)) => drop(protocol.decode(&record)),
                        Ok(None) => break,
                        Err(_) => break 'chunks,
                    }
                }
            }
        }
    }
}
