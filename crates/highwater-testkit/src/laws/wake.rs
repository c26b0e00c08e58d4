//! Wake-ups: a reader that waits is told, whenever it began to wait.

use std::sync::Arc;

use highwater_core::{EventStore, Offset, Source, Wake};

use super::support::{append, event, events, patiently, source, stream, together};

/// A reader that polls instead is late by its interval and loads the database for nothing.
pub async fn an_append_wakes_a_reader_that_waits(store: impl EventStore) {
    let store = Arc::new(store);
    for round in 0..5 {
        let mut wake = store.wake();
        let after = store.head(&Source::All).await.expect("a head");
        let writer = tokio::spawn({
            let store = Arc::clone(&store);
            async move { append(&store, "a", vec![event(round)]).await }
        });
        let waited = wait_for_more(&*store, &mut wake, after);
        patiently("waking up after an append", waited).await;
        writer.await.expect("the writer");
    }
}

/// The append that falls between a reader's last look and its wait is the one that gets lost.
pub async fn a_wake_taken_before_a_read_misses_no_append(store: impl EventStore) {
    for n in 0..20 {
        let mut wake = store.wake();
        let after = store.head(&Source::All).await.expect("a head");
        append(&store, "a", vec![event(n)]).await;
        patiently("waking up for what is there", wait_for_more(&store, &mut wake, after)).await;
    }
}

/// The same wake-up serves for every turn of a reader's loop.
pub async fn a_reader_that_only_reads_when_woken_sees_every_event(store: impl EventStore) {
    let store = Arc::new(store);
    let reader = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let (mut wake, mut after, mut seen) = (store.wake(), None, 0);
            loop {
                let page = store.read(&Source::All, &[], after, 10).await.expect("a read");
                seen += page.events.len();
                after = page.scanned_to;
                if seen == 200 {
                    return;
                }
                if page.is_end {
                    wake.grown().await;
                }
            }
        }
    });
    together(10, |writer| {
        let store = Arc::clone(&store);
        async move {
            for n in 0..20 {
                append(&store, &format!("s-{writer}"), vec![event(n)]).await;
            }
        }
    })
    .await;
    patiently("seeing 200 events", reader).await.expect("the reader");
}

/// A log that is fed from elsewhere has readers as well.
pub async fn an_import_wakes_a_reader_too(store: impl EventStore) {
    let mut wake = store.wake();
    let batch = events(0..3).into_iter().map(|event| (stream("a"), event)).collect();
    store.import(batch).await.expect("an import");
    patiently("waking up after an import", wait_for_more(&store, &mut wake, None)).await;
    assert_eq!(store.head(&source("a")).await.expect("a head"), Some(Offset::new(2)));
}

/// Waits as a reader at the end does: a wake-up may come early.
async fn wait_for_more(store: &impl EventStore, wake: &mut Wake, after: Option<Offset>) {
    loop {
        wake.grown().await;
        let page = store.read(&Source::All, &[], after, 1).await.expect("a read");
        if !page.events.is_empty() {
            return;
        }
    }
}
