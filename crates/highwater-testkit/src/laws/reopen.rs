//! Several handles: what one process appends, another one has.

use std::sync::Arc;

use highwater_core::{EventStore, Expected, Source};

use super::support::{
    append, assert_gapless, event, events, part, patiently, read_to_end, stream_events, together,
};
use crate::fixture::Fixture;

/// A log that is gone after a restart is none.
pub async fn a_store_that_is_opened_again_has_the_same_events<F>(fixture: &F)
where
    F: Fixture<Store: EventStore>,
{
    let store = fixture.store();
    append(&store, "a", events(0..3)).await;
    let batch = vec![part("a", events(3..5)), part("b", events(5..6))];
    let appended = store.append(batch.clone()).await.expect("an append");
    let log = read_to_end(&store, &Source::All).await;
    drop(store);

    let store = fixture.reopen().await;
    assert_eq!(read_to_end(&store, &Source::All).await, log);
    assert_eq!(store.append(batch).await.expect("a repetition"), appended);
    let next = append(&store, "a", vec![event(6)]).await;
    assert!(next.position > appended.position);
    assert_eq!(next.streams[0].first.get(), 5);
}

/// Processes share a database; each must find the log as the others left it.
pub async fn the_appends_of_two_handles_make_one_log<F>(fixture: &F)
where
    F: Fixture<Store: EventStore>,
{
    let handles = [Arc::new(fixture.store()), Arc::new(fixture.reopen().await)];
    let winners = together(8, |task| {
        let store = Arc::clone(&handles[(task % 2) as usize]);
        async move {
            for n in 0..10 {
                append(&*store, "shared", vec![event(n)]).await;
            }
            let claim = part("claim", vec![event(task)]).expecting(Expected::NoStream);
            u32::from(store.append(vec![claim]).await.is_ok())
        }
    })
    .await;
    assert_eq!(winners.iter().sum::<u32>(), 1, "one of all handles' writers gets the name");
    let log = read_to_end(&*handles[0], &Source::All).await;
    assert_eq!(log, read_to_end(&*handles[1], &Source::All).await);
    let shared = stream_events(&*handles[0], "shared").await;
    assert_eq!(shared.len(), 80);
    assert_gapless(&shared);
}

/// The process that projects is often not the one that appends; a poll in between will do.
pub async fn an_append_through_one_handle_wakes_a_reader_of_another<F>(fixture: &F)
where
    F: Fixture<Store: EventStore>,
{
    let (writer, reader) = (fixture.store(), fixture.reopen().await);
    for n in 0..3 {
        let mut wake = reader.wake();
        let after = reader.head(&Source::All).await.expect("a head");
        append(&writer, "a", vec![event(n)]).await;
        let woken = async {
            loop {
                wake.grown().await;
                let page = reader.read(&Source::All, &[], after, 1).await.expect("a read");
                if !page.events.is_empty() {
                    return;
                }
            }
        };
        patiently("waking up after another handle's append", woken).await;
    }
}
