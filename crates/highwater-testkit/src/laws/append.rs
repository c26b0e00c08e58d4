//! Appends: whole or not at all, and only where the appender believes the stream to be.

use std::sync::Arc;

use highwater_core::{
    EventStore, Expected, Limits, NewEvent, Offset, Source, StoreError, StreamAppend,
};

use super::support::{
    COUNTED, append, assert_conflict, assert_gapless, at, data, event, events, json, part,
    read_to_end, stream, stream_events, together,
};

/// Whoever appends needs to know where the events went, to build links and to wait for readers.
pub async fn an_append_returns_where_its_events_are(store: impl EventStore) {
    append(&store, "order-1", events(0..2)).await;
    let batch = vec![part("order-1", events(2..5)), part("order-2", events(5..6))];
    let appended = store.append(batch).await.expect("an append to two streams");
    let places: Vec<_> = appended
        .streams
        .iter()
        .map(|part| (part.stream.as_str(), part.first.get(), part.last.get()))
        .collect();
    assert_eq!(places, [("order-1", 2, 4), ("order-2", 0, 0)]);
    let log = read_to_end(&store, &Source::All).await;
    assert_eq!(log.last().map(|event| event.position), Some(appended.position));
}

/// Half of a transfer must never be visible, least of all when the other half is refused.
pub async fn an_append_to_several_streams_is_all_or_nothing(store: impl EventStore) {
    append(&store, "account-2", events(0..1)).await;
    let transfer = |expected| {
        let credit = part("account-2", events(20..22)).expecting(expected);
        vec![part("account-1", events(10..12)), credit, part("account-3", events(30..31))]
    };
    let refused = store.append(transfer(Expected::NoStream)).await;
    assert_conflict(refused, "account-2", Expected::NoStream, at(0));
    assert_eq!(data(&read_to_end(&store, &Source::All).await), ["0"]);

    store.append(transfer(Expected::At(Offset::FIRST))).await.expect("the belief is right now");
    assert_eq!(data(&stream_events(&store, "account-1").await), ["10", "11"]);
    assert_eq!(data(&stream_events(&store, "account-2").await), ["0", "20", "21"]);
    assert_eq!(data(&stream_events(&store, "account-3").await), ["30"]);
}

/// Decisions rest on what was read; a conflict says what to read again.
pub async fn every_expectation_is_checked_and_a_conflict_names_the_head(store: impl EventStore) {
    let try_append =
        async |expected| store.append(vec![part("a", events(0..1)).expecting(expected)]).await;
    for wrong in [Expected::Exists, Expected::At(Offset::FIRST)] {
        assert_conflict(try_append(wrong).await, "a", wrong, None);
    }
    try_append(Expected::NoStream).await.expect("the stream is not there");
    for wrong in [Expected::NoStream, Expected::At(Offset::new(1))] {
        assert_conflict(try_append(wrong).await, "a", wrong, at(0));
    }
    try_append(Expected::Exists).await.expect("the stream is there");
    try_append(Expected::At(Offset::new(1))).await.expect("the stream is at 1");
    let behind = Expected::At(Offset::new(1));
    assert_conflict(try_append(behind).await, "a", behind, at(2));
    try_append(Expected::Any).await.expect("anything is expected");
    assert_gapless(&stream_events(&store, "a").await);
}

/// A name is taken once, however many ask for it at the same moment.
pub async fn of_many_writers_who_expect_no_stream_one_succeeds(store: impl EventStore) {
    let store = Arc::new(store);
    for round in 0..5 {
        let name = format!("name-{round}");
        let results = together(8, |writer| {
            let (store, name) = (Arc::clone(&store), name.clone());
            async move {
                let batch = vec![part(&name, vec![event(writer)]).expecting(Expected::NoStream)];
                store.append(batch).await
            }
        })
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7));
        for refused in lost {
            assert_conflict(refused, &name, Expected::NoStream, at(0));
        }
        assert_eq!(stream_events(&store, &name).await.len(), 1);
    }
}

/// A reader who has seen offset 7 knows that there are eight events, always.
pub async fn offsets_are_gapless_under_concurrent_writers(store: impl EventStore) {
    let store = Arc::new(store);
    let results = together(16, |writer| {
        let store = Arc::clone(&store);
        async move {
            let mut last = None;
            for n in 0..10 {
                let appended = append(&store, "counter", vec![event(100 * writer + n)]).await;
                assert!(Some(appended.position) > last, "positions increase for one writer");
                last = Some(appended.position);
            }
        }
    })
    .await;
    assert_eq!(results.len(), 16);
    let counted = stream_events(&store, "counter").await;
    assert_eq!(counted.len(), 160);
    assert_gapless(&counted);
    for writer in 0..16 {
        let own = data(&counted).into_iter().filter_map(|n| n.parse::<u64>().ok());
        let own: Vec<u64> = own.filter(|n| n / 100 == writer).collect();
        assert!(own.is_sorted(), "the events of one writer keep their order: {own:?}");
    }
}

/// A mistake of the caller must not leave half of it behind, nor a stream without events.
pub async fn a_request_that_breaks_a_rule_changes_nothing(store: impl EventStore) {
    let twice = event(1);
    let invalid = [
        vec![],
        vec![part("a", vec![])],
        vec![part("b", events(0..1)), part("a", vec![])],
        vec![part("a", events(0..1)), part("a", events(1..2))],
        vec![part("a", vec![twice.clone(), twice.clone()])],
        vec![part("a", vec![twice.clone()]), part("b", vec![twice])],
    ];
    for batch in invalid {
        let result = store.append(batch).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{result:?}");
    }
    let limits = Limits::default();
    let large = |bytes: usize| {
        NewEvent::new(COUNTED, json(&format!("\"{}\"", "x".repeat(bytes.saturating_sub(2)))))
    };
    let too_large = [
        events(0..limits.events as u64 + 1),
        vec![large(limits.event_bytes + 1)],
        vec![NewEvent::new(COUNTED, json(&format!("{}{}", "[".repeat(200), "]".repeat(200))))],
        vec![large(limits.event_bytes); 17]
            .into_iter()
            .map(|event| event.with_id(highwater_core::EventId::new()))
            .collect(),
    ];
    for events in too_large {
        let result = store.append(vec![part("b", vec![event(0)]), part("a", events)]).await;
        assert!(matches!(result, Err(StoreError::TooLarge { .. })), "{result:?}");
    }
    assert_eq!(store.head(&Source::All).await.expect("a head"), None);
    assert_eq!(store.head(&Source::Stream(stream("b"))).await.expect("a head"), None);
}

/// A limit is a promise as well: what it admits can be appended.
pub async fn an_append_as_large_as_the_limits_is_taken(store: impl EventStore) {
    let limits = Limits::default();
    let many = events(0..limits.events as u64);
    append(&store, "many", many).await;
    let head = store.head(&Source::Stream(stream("many"))).await.expect("a head");
    assert_eq!(head, at(limits.events as u64 - 1));

    let text = format!("\"{}\"", "x".repeat(limits.event_bytes - 2));
    append(&store, "large", vec![NewEvent::new(COUNTED, json(&text))]).await;
    assert_eq!(data(&stream_events(&store, "large").await), [text.as_str()]);
}

/// One append may touch many streams, such as a batch of commands that was decided together.
pub async fn an_append_to_many_streams_reaches_each(store: impl EventStore) {
    let batch: Vec<StreamAppend> =
        (0..200).map(|n| part(&format!("many-{n}"), events(n..n + 2))).collect();
    let appended = store.append(batch).await.expect("an append to 200 streams");
    assert_eq!(appended.streams.len(), 200);
    for (n, part) in appended.streams.iter().enumerate() {
        assert_eq!(part.stream.as_str(), format!("many-{n}"), "entries keep the order");
        assert_eq!((part.first.get(), part.last.get()), (0, 1));
    }
    let last = stream_events(&store, "many-199").await;
    assert_eq!(data(&last), ["199", "200"]);
}

/// Health asks every few seconds whether appends would succeed; that must not show in the log.
pub async fn a_probe_leaves_no_event_behind(store: impl EventStore) {
    for n in 0_u64..3 {
        store.probe().await.expect("a probe");
        assert_eq!(
            store.head(&Source::All).await.expect("a head"),
            n.checked_sub(1).map(Offset::new)
        );
        append(&store, "s", vec![event(n)]).await;
    }
    let log = read_to_end(&store, &Source::All).await;
    assert_eq!(data(&log), ["0", "1", "2"]);
}

/// Time that an event has waited is told by the clock that stamped it, whatever the reader's says.
pub async fn the_clock_is_that_of_the_events(store: impl EventStore) {
    let before = store.now().await.expect("a time");
    append(&store, "s", vec![event(1)]).await;
    let recorded_at = read_to_end(&store, &Source::All).await[0].recorded_at;
    let after = store.now().await.expect("a time");
    assert!(before <= recorded_at && recorded_at <= after, "{before} {recorded_at} {after}");
}
