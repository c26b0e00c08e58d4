//! Repetition: an append whose answer was lost can be made again.

use std::sync::Arc;

use highwater_core::{EventStore, EventType, Expected, NewEvent, Source, StoreError, StreamAppend};

use super::support::{append, data, event, events, json, part, read_to_end, together};

/// The answer to an append may be lost on the way; asking again must give it, and do nothing.
pub async fn a_repeated_append_returns_the_first_result_and_stores_nothing(store: impl EventStore) {
    append(&store, "a", events(0..3)).await;
    let batch = vec![part("a", events(3..5)), part("b", events(5..6))];
    let first = store.append(batch.clone()).await.expect("the first time");
    append(&store, "a", events(6..8)).await;
    let log = read_to_end(&store, &Source::All).await;
    for _ in 0..3 {
        assert_eq!(store.append(batch.clone()).await.expect("a repetition"), first);
    }
    assert_eq!(read_to_end(&store, &Source::All).await, log);
}

/// The expectation was true the first time, and that is when the append was made.
pub async fn a_repetition_succeeds_although_its_expectation_no_longer_holds(
    store: impl EventStore,
) {
    let opening = vec![part("a", events(0..2)).expecting(Expected::NoStream)];
    let opened = store.append(opening.clone()).await.expect("there is no stream");
    append(&store, "a", events(2..4)).await;
    assert_eq!(store.append(opening).await.expect("a repetition"), opened);
    assert_eq!(data(&read_to_end(&store, &Source::All).await), ["0", "1", "2", "3"]);
}

/// A client that times out asks again while its first request is still under way.
pub async fn concurrent_repetitions_of_one_append_store_it_once(store: impl EventStore) {
    let store = Arc::new(store);
    for round in 0..10 {
        let opening: Vec<StreamAppend> = ["a", "b"]
            .map(|name| {
                let part = part(&format!("{name}-{round}"), events(0..3));
                part.expecting(Expected::NoStream)
            })
            .into();
        let results = together(8, |_| {
            let (store, opening) = (Arc::clone(&store), opening.clone());
            async move { store.append(opening).await.expect("the append or its repetition") }
        })
        .await;
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        let log = read_to_end(&store, &Source::All).await;
        assert_eq!(log.len(), 6 * (round + 1));
    }
}

/// An id that means two things would lose one of them silently.
pub async fn an_id_that_stands_for_another_event_is_refused(store: impl EventStore) {
    let known = event(1);
    append(&store, "a", vec![event(0), known.clone()]).await;
    let log = read_to_end(&store, &Source::All).await;
    let other_payload = NewEvent { data: json("2"), ..known.clone() };
    let other_type = NewEvent { event_type: EventType::from_static("Uncounted"), ..known.clone() };
    for (name, event) in [("a", other_payload), ("a", other_type), ("b", known.clone())] {
        let batch = vec![part("c", events(7..8)), part(name, vec![event])];
        assert_taken(store.append(batch).await, &known);
    }
    assert_eq!(read_to_end(&store, &Source::All).await, log, "nothing has changed");
}

/// Half a repetition is not a repetition: to store the rest would tear an append in two.
pub async fn an_append_of_which_only_a_part_is_known_is_refused(store: impl EventStore) {
    let known = event(0);
    append(&store, "a", vec![known.clone()]).await;
    let log = read_to_end(&store, &Source::All).await;
    let mixtures = [
        vec![part("a", vec![known.clone(), event(1)])],
        vec![part("a", vec![event(1), known.clone()])],
        vec![part("a", vec![known.clone()]), part("b", events(1..2))],
    ];
    for batch in mixtures {
        assert_taken(store.append(batch).await, &known);
    }
    assert_eq!(read_to_end(&store, &Source::All).await, log, "nothing has changed");
}

/// Another release of a client, or another client, may space and order the same JSON differently.
pub async fn a_payload_that_is_spelled_differently_is_the_same(store: impl EventStore) {
    let first = NewEvent { data: json(r#"{"a":1,"b":[true,null]}"#), ..event(0) };
    let appended = append(&store, "a", vec![first.clone()]).await;
    let respelled =
        NewEvent { data: json("{ \"b\": [ true, null ],\n \"a\": 1 }"), ..first.clone() };
    assert_eq!(append(&store, "a", vec![respelled]).await, appended);
    assert_eq!(data(&read_to_end(&store, &Source::All).await), [first.data.as_str()]);
}

#[track_caller]
fn assert_taken<T: std::fmt::Debug>(result: Result<T, StoreError>, known: &NewEvent) {
    match result {
        Err(StoreError::EventIdTaken { id }) => assert_eq!(id, known.id),
        other => panic!("expected the id {} to be taken, got {other:?}", known.id),
    }
}
