//! Calls whose callers go away, or do something else for a while: they hold up nobody.

use futures::{FutureExt, poll};
use highwater_core::{CheckpointStore, EventStore, ProjectionStore, ProjectionTx, Source};

use super::dropped::{Dropping, assert_sound};
use super::rows::{balances, lease, name, put, to};
use super::support::{append, events, part, patiently, source, stream_events};
use crate::fixture::Fixture;
use crate::random::Random;

/// Calls that are dropped unless the environment says how many.
const DROPS: u64 = 250;

/// Number of calls that are dropped between two looks at what they have left.
const DROPS_A_LOOK: u64 = 10;

/// A caller may be dropped wherever it waits, by a time limit for instance. Whatever the store
/// confirms afterwards must be true, and nothing may be left locked or open.
///
/// `HIGHWATER_DROPS` in the environment says how many calls are dropped.
pub async fn dropped_calls_leave_nothing_open<F>(fixture: &F)
where
    F: Fixture<Store: EventStore + ProjectionStore + highwater_core::SagaStore>,
{
    let (here, there) = (fixture.store(), fixture.reopen().await);
    let drops = std::env::var("HIGHWATER_DROPS").ok().and_then(|text| text.parse().ok());
    let (drops, mut random) = (drops.unwrap_or(DROPS), Random::new(7));
    let dropping = Dropping::on(&here).await;
    for n in 0..drops {
        let (one, other) = if n % 3 == 2 { (&there, &here) } else { (&here, &there) };
        patiently("a call that is dropped", dropping.one(one, &mut random)).await;
        if n % DROPS_A_LOOK == 0 || n + 1 == drops {
            patiently("a look at what dropped calls have left", async {
                assert_sound(one, other, n).await;
                assert_sound(other, one, n + drops).await;
            })
            .await;
        }
    }
}

/// In a `select!` one future waits, unpolled, while the other branch is run.
pub async fn an_append_that_nobody_polls_stops_nobody<F>(fixture: &F)
where
    F: Fixture<Store: EventStore>,
{
    let (here, there) = (fixture.store(), fixture.reopen().await);
    append(&here, "warm", events(0..1)).await;
    for round in 0..4_u64 {
        let mut idle = here.append(vec![part("idle", events(0..5_000))]);
        for _ in 0..round {
            if poll!(&mut idle).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let others = async {
            for n in 0..5 {
                append(&here, "busy", events(n..n + 1)).await;
                append(&there, "busy", events(n..n + 1)).await;
            }
        };
        patiently("the appends of others", others).await;
        drop(idle);
    }
}

/// A connection is shared by many; who does not come for a page must not keep it from them.
pub async fn a_read_that_nobody_polls_holds_no_connection<F>(fixture: &F)
where
    F: Fixture<Store: EventStore + ProjectionStore>,
{
    let store = fixture.store();
    append(&store, "a", events(0..3_000)).await;
    let (all, stream) = (Source::All, source("a"));
    let (key, projection, keys) = (balances(), name("balances"), ["x".to_owned()]);
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(store.read(&all, &[], None, 3_000).map(drop).boxed());
        idle.push(store.read(&stream, &[], None, 3_000).map(drop).boxed());
        idle.push(store.head(&stream).map(drop).boxed());
        idle.push(store.documents(&projection, &keys).map(drop).boxed());
        idle.push(store.scan(&projection, "", None, 10).map(drop).boxed());
        idle.push(store.checkpoint(&key).map(drop).boxed());
    }
    // Some have just asked, others have waited for a while.
    for polls in 0..3 {
        for read in idle.iter_mut().skip(polls) {
            if poll!(&mut *read).is_ready() {
                *read = futures::future::pending().boxed();
            }
        }
        tokio::task::yield_now().await;
    }
    let others = async {
        assert_eq!(stream_events(&store, "a").await.len(), 3_000);
        store.checkpoint(&key).await.expect("a checkpoint is read");
        store.documents(&projection, &keys).await.expect("documents are read");
        append(&store, "a", events(0..1)).await;
    };
    patiently("the reads of others", others).await;
}

/// A transaction that was begun for somebody who does not come for it is given back.
pub async fn a_begin_that_nobody_polls_stops_nobody<F>(fixture: &F)
where
    F: Fixture<Store: EventStore + ProjectionStore>,
{
    let (here, there) = (fixture.store(), fixture.reopen().await);
    let lease = lease(&here, &balances()).await;
    let mut idle: Vec<_> = (0..4).map(|_| here.begin(&lease)).collect();
    for begin in &mut idle {
        // Whoever has one at once, as in memory, gives it back.
        drop(poll!(begin));
    }
    let others = async {
        append(&there, "a", events(0..1)).await;
        let mut tx = loop {
            match here.begin(&lease).await {
                Ok(tx) => break tx,
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
        };
        tx.write(put(&["x"], 1)).await.expect("a write");
        tx.commit(to(-1, 0)).await.expect("a commit");
    };
    patiently("the transactions of others", others).await;
}
