//! Whatever bytes a client sends, the codecs answer with a message or an error.

use highwater_live::protocol::{Argument, ClientMessage, Framer, Handshake, Protocol};
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
