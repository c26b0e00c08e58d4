//! Imports: a log is fed from elsewhere, each event once.

use std::sync::Arc;

use highwater_core::{EventStore, Imported, NewEvent, Source, StoreError, StreamName};

use super::support::{
    append, assert_gapless, data, event, events, json, read_to_end, stream, stream_events, together,
};

/// Migration must not reorder the history of anything.
pub async fn an_import_keeps_the_order_of_each_stream(store: impl EventStore) {
    let batch = spread(events(0..90));
    let imported = store.import(batch).await.expect("an import");
    assert_eq!(imported, Imported { appended: 90, known: 0 });
    for lane in 0..3_u64 {
        let recorded = stream_events(&store, &format!("lane-{lane}")).await;
        let expected: Vec<String> = (0..30).map(|n| (3 * n + lane).to_string()).collect();
        assert_eq!(data(&recorded), expected);
        assert_gapless(&recorded);
    }
}

/// An import that broke off is made again from its beginning.
pub async fn a_repeated_import_appends_nothing(store: impl EventStore) {
    let batch = spread(events(0..20));
    store.import(batch.clone()).await.expect("an import");
    let log = read_to_end(&store, &Source::All).await;
    let again = store.import(batch).await.expect("the same import");
    assert_eq!(again, Imported { appended: 0, known: 20 });
    assert_eq!(read_to_end(&store, &Source::All).await, log);
}

/// Batches of two attempts overlap when they are cut differently.
pub async fn an_import_leaves_out_what_is_known_and_appends_the_rest(store: impl EventStore) {
    let feed = events(0..30);
    store.import(spread(feed[..18].to_vec())).await.expect("the first part");
    let rest = store.import(spread(feed.clone())).await.expect("everything");
    assert_eq!(rest, Imported { appended: 12, known: 18 });
    for lane in 0..3_u64 {
        let recorded = stream_events(&store, &format!("lane-{lane}")).await;
        let expected: Vec<String> = (0..10).map(|n| (3 * n + lane).to_string()).collect();
        assert_eq!(data(&recorded), expected);
    }
}

/// Two feeds that use one id for two events cannot both be right.
pub async fn an_import_with_a_taken_id_changes_nothing(store: impl EventStore) {
    let known = event(0);
    append(&store, "a", vec![known.clone()]).await;
    let log = read_to_end(&store, &Source::All).await;
    let other_payload = (stream("a"), NewEvent { data: json("9"), ..known.clone() });
    let other_stream = (stream("b"), known.clone());
    for taken in [other_payload, other_stream] {
        let batch = vec![(stream("a"), event(1)), taken, (stream("c"), event(2))];
        match store.import(batch).await {
            Err(StoreError::EventIdTaken { id }) => assert_eq!(id, known.id),
            other => panic!("expected the id to be taken, got {other:?}"),
        }
    }
    let twice = vec![(stream("a"), event(1)), (stream("a"), event(2).with_id(known.id))];
    assert!(store.import(twice).await.is_err());
    assert_eq!(read_to_end(&store, &Source::All).await, log);
}

/// A system goes over to a new log while it is being filled.
pub async fn imports_and_appends_mix_without_gaps(store: impl EventStore) {
    let store = Arc::new(store);
    together(8, |task| {
        let store = Arc::clone(&store);
        async move {
            for n in 0..10 {
                let name = format!("lane-{}", n % 3);
                if task % 2 == 0 {
                    append(&store, &name, events(0..2)).await;
                } else {
                    store.import(spread(events(0..6))).await.expect("an import");
                }
            }
        }
    })
    .await;
    let mut all = 0;
    for lane in 0..3 {
        let recorded = stream_events(&store, &format!("lane-{lane}")).await;
        assert_gapless(&recorded);
        all += recorded.len();
    }
    assert_eq!(all, 4 * 10 * 2 + 4 * 10 * 6);
    let log = read_to_end(&store, &Source::All).await;
    assert_eq!(log.len(), all);
}

/// Deals the events out to three streams.
fn spread(events: Vec<NewEvent>) -> Vec<(StreamName, NewEvent)> {
    let lanes = (0..3).cycle().map(|lane| stream(&format!("lane-{lane}")));
    lanes.zip(events).collect()
}
