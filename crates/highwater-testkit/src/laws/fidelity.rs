//! Fidelity: what comes out is what went in.

use chrono::{TimeDelta, Utc};
use highwater_core::{
    EventStore, EventStoreExt, EventType, Expected, Metadata, NewEvent, Payload, Source, StoreError,
};

use super::support::{COUNTED, append, data, event, json, read_to_end, stream, stream_events};

/// A store that respells a number or an escape breaks hashes, signatures and large amounts.
pub async fn payloads_survive_byte_for_byte(store: impl EventStore) {
    let deep = format!("{}0{}", "[".repeat(100), "]".repeat(100));
    let long = format!("\"{}\"", "ä€😀".repeat(20_000));
    let texts = [
        "null",
        "true",
        "-0.0",
        "1.50",
        "1E-7",
        "18446744073709551615",
        "123456789012345678901234567890.1234567890123456789",
        r#""""#,
        "\"plain, ünïcode, 日本語, 😀, \u{2028}, \u{7f}\"",
        r#""escaped: \u00e9 \u0000 \ud83d\ude00 \/ \" \\ \n""#,
        "\"' ; -- $1 ? %s {} \"",
        r#"{"z":1,"a":2,"a":3}"#,
        "{ \"spaced\" :\n\t[ 1 , 2 ] }",
        &deep,
        &long,
    ];
    let events = texts.map(|text| NewEvent::new(COUNTED, json(text)));
    append(&store, "payloads", events.to_vec()).await;
    assert_eq!(data(&stream_events(&store, "payloads").await), texts);
}

/// Stored events come back for ever, so each has to be something that every reader can decode.
pub async fn what_some_reader_cannot_decode_is_refused(store: impl EventStore) {
    for bad in [
        "1e999",
        r#"{"a":[-1E400]}"#,
        r#""\ud800""#,
        r#"{"\udc00":1}"#,
        r#"[{"$serde_json::private::RawValue":"1"}]"#,
        r#"{"\u0024serde_json::private::Number":"1"}"#,
    ] {
        let data = NewEvent::new(COUNTED, Payload::from_stored(bad));
        let metadata = format!("{{\"a\":{bad}}}");
        let metadata = event(1).with_metadata(Metadata::from_stored(Some(&metadata)));
        for refused in [data, metadata] {
            let batch = vec![event(0), refused];
            let appended = store.append_to(stream("a"), Expected::Any, batch.clone()).await;
            assert!(matches!(appended, Err(StoreError::Invalid(_))), "{bad}: {appended:?}");
            let events = batch.into_iter().map(|event| (stream("a"), event)).collect();
            let imported = store.import(events).await;
            assert!(matches!(imported, Err(StoreError::Invalid(_))), "{bad}: {imported:?}");
        }
    }
    assert!(stream_events(&store, "a").await.is_empty());
}

/// Names and ids are what everything is found by again.
pub async fn events_come_back_as_they_were_appended(store: impl EventStore) {
    let long = "x".repeat(255);
    let names = ["ünïcode-😀", "with space's \"quotes\" -- ;", "%_\\", "a/b:c#d", "-dash", &long];
    let start = Utc::now() - TimeDelta::hours(25);
    for name in names {
        let event_type = EventType::new(name).expect("a name");
        let metadata = Metadata::EMPTY
            .with_correlation_id("order-1 😀")
            .with_causation_id("command-7")
            .with("user", serde_json::json!({"id": 7, "roles": ["a", null]}));
        let plain = NewEvent::new(event_type, json("{\"a\":1}"));
        let rich = event(1).with_metadata(metadata);
        append(&store, name, vec![plain.clone(), rich.clone()]).await;
        let recorded = read_to_end(&store, &Source::Stream(stream(name))).await;
        for (event, recorded) in [plain, rich].into_iter().zip(&recorded) {
            let back = NewEvent {
                id: recorded.id,
                event_type: recorded.event_type.clone(),
                data: recorded.data.clone(),
                metadata: recorded.metadata.clone(),
            };
            assert_eq!(back, event);
            assert_eq!(recorded.stream, name);
            assert!(recorded.recorded_at > start, "stamped by the store, not left empty");
        }
        assert_eq!(recorded.len(), 2);
    }
}

/// `Order-1` and `order-1` are two streams, whatever the database thinks of letters.
pub async fn names_that_differ_in_case_or_accent_are_different(store: impl EventStore) {
    let names = ["order-1", "Order-1", "ORDER-1", "örder-1", "o\u{308}rder-1"];
    for (n, name) in names.into_iter().enumerate() {
        append(&store, name, vec![event(n as u64)]).await;
    }
    for (n, name) in names.into_iter().enumerate() {
        assert_eq!(data(&stream_events(&store, name).await), [n.to_string()]);
    }
    let category = read_to_end(&store, &super::support::source("$category:order")).await;
    assert_eq!(data(&category), ["0"]);
}
