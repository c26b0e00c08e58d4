//! Read models: documents and checkpoint commit together, or neither does.

use std::sync::Arc;

use highwater_core::{
    Advance, Change, ErrorClass, Owner, ProjectionStore, ProjectionTx, StoreError,
};

use super::rows::{
    LONG, SHORT, acquire, advance, assert_lost, assert_moved, balances, commit, documents, key,
    lease, letter, put, row, take_over, to,
};
use super::support::{at, together};

/// Kill the process anywhere: no event is lost or counted twice.
pub async fn a_commit_writes_documents_and_checkpoint_together(store: impl ProjectionStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let letters = vec![letter(3, "out of ink")];
    let step = Advance { dead_letters: letters, ..advance(-1, 4) };
    commit(&store, &lease, put(&["ada", "bob"], 1), Change::Advance(step)).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["ada=1", "bob=1"]);
    let kept = row(&store, &key).await;
    assert_eq!((kept.last_processed_offset, kept.events_processed), (at(4), 5));
    assert_eq!(store.dead_letters(&key, None, 10).await.expect("a list").len(), 1);

    let nothing = Change::Advance(Advance::new(at(4), at(50), 0));
    store.begin(&lease).await.expect("a begin").commit(nothing).await.expect("an empty commit");
    assert_eq!(row(&store, &key).await.last_processed_offset, at(50));
}

/// A batch that fails half-way, or whose process dies, must leave no half behind.
pub async fn a_dropped_transaction_leaves_nothing(store: impl ProjectionStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    commit(&store, &lease, put(&["ada"], 1), to(-1, 0)).await.expect("a commit");
    let kept = row(&store, &key).await;
    let mut tx = store.begin(&lease).await.expect("a begin");
    tx.write(put(&["ada", "bob"], 2)).await.expect("a write");
    drop(tx);
    let mut tx = store.begin(&lease).await.expect("a begin");
    tx.clear().await.expect("a clear");
    drop(tx);
    assert_eq!(documents(&store, "balances").await, ["ada=1"]);
    assert_eq!(row(&store, &key).await, kept);
    commit(&store, &lease, put(&["ada"], 3), to(0, 1)).await.expect("the next commit");
    assert_eq!(documents(&store, "balances").await, ["ada=3"]);
}

/// A worker that was frozen in mid-batch must not write over its successor's work.
pub async fn a_lost_lease_commits_nothing(store: impl ProjectionStore) {
    let key = balances();
    let released = lease(&store, &key).await;
    commit(&store, &released, put(&["ada"], 1), to(-1, 4)).await.expect("a commit");
    store.release(&released).await.expect("a release");
    let kept = (documents(&store, "balances").await, row(&store, &key).await);
    for change in [to(4, 5), Change::Reset] {
        assert_lost(commit(&store, &released, put(&["ada"], 2), change).await, &released);
    }
    assert_eq!((documents(&store, "balances").await, row(&store, &key).await), kept);

    let successor = lease(&store, &key).await;
    for change in [to(4, 5), Change::Reset] {
        assert_lost(commit(&store, &released, put(&["bob"], 2), change).await, &released);
    }
    commit(&store, &successor, put(&["eve"], 3), to(4, 5)).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["ada=1", "eve=3"]);
    assert_eq!(row(&store, &key).await.last_processed_offset, at(5));
}

/// A commit whose answer was lost is made again, and must not be applied twice.
pub async fn a_checkpoint_that_is_elsewhere_commits_nothing(store: impl ProjectionStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    commit(&store, &lease, put(&["ada"], 1), to(-1, 4)).await.expect("a commit");
    let kept = row(&store, &key).await;
    let repeated = commit(&store, &lease, put(&["ada"], 2), to(-1, 4)).await;
    assert_moved(repeated, &key, None, at(4));
    let ahead = commit(&store, &lease, put(&["bob"], 2), to(7, 9)).await;
    assert_moved(ahead, &key, at(7), at(4));
    let backwards = commit(&store, &lease, put(&["bob"], 2), to(4, 2)).await;
    assert!(matches!(backwards, Err(StoreError::Invalid(_))), "{backwards:?}");
    assert_eq!(documents(&store, "balances").await, ["ada=1"]);
    assert_eq!(row(&store, &key).await, kept);
}

/// Two workers at one place: one of them is a ghost, and only one batch may count.
pub async fn of_two_concurrent_commits_from_one_place_one_wins(store: impl ProjectionStore) {
    let store = Arc::new(store);
    let lease = lease(&*store, &balances()).await;
    for round in 0..10_i64 {
        let results = together(2, |worker| {
            let (store, lease) = (Arc::clone(&store), lease.clone());
            let mine = format!("{round}-{worker}");
            async move {
                let batch = commit(&*store, &lease, put(&[&mine], 1), to(round - 1, round));
                batch.await.map(|()| mine)
            }
        })
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1), "won: {won:?}, lost: {lost:?}");
        let written = documents(&*store, "balances").await;
        assert_eq!(written.len() as i64, round + 1, "the loser has written nothing");
    }
    assert_eq!(row(&*store, &balances()).await.events_processed, 10);
}

/// Between a take-over and the commit of whoever was taken over there is no middle.
pub async fn a_take_over_sees_a_commit_or_prevents_it(store: impl ProjectionStore) {
    for round in 0..5 {
        let name = format!("round-{round}");
        let key = key(&name, "$all");
        let owner = Owner::new("slow");
        let (slow, _) = acquire(&store, &key, &owner, SHORT).await.expect("nobody holds it");
        let slow_commit = async {
            let mut tx = store.begin(&slow).await?;
            tx.write(put(&["ada"], 1)).await?;
            tokio::time::sleep(SHORT / 2 * round).await;
            tx.commit(to(-1, 0)).await
        };
        let patient_take_over = async {
            loop {
                // A store with one writer may be busy with the slow transaction.
                let owner = Owner::new("successor");
                if let Ok(Some(taken)) = store.acquire(&key, &owner, LONG).await {
                    return taken;
                }
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        let (committed, (_, seen)) = tokio::join!(slow_commit, patient_take_over);
        match seen.last_processed_offset {
            Some(_) => {
                committed.expect("the successor has seen the commit");
                assert_eq!(documents(&store, &name).await, ["ada=1"]);
            }
            None => {
                assert_lost(committed, &slow);
                assert_eq!(documents(&store, &name).await, Vec::<String>::new());
            }
        }
    }
}

/// Read models stand side by side; to empty one must not touch its neighbours.
pub async fn clearing_empties_only_the_own_read_model(store: impl ProjectionStore) {
    let names = ["balances", "balances2", "Balances"];
    let mut leases = Vec::new();
    for name in names {
        let lease = lease(&store, &key(name, "$all")).await;
        commit(&store, &lease, put(&["ada", "bob"], 1), to(-1, 0)).await.expect("a commit");
        leases.push(lease);
    }
    let mut tx = store.begin(&leases[0]).await.expect("a begin");
    tx.clear().await.expect("a clear");
    tx.commit(to(0, 1)).await.expect("a commit");
    for (name, count) in names.into_iter().zip([0, 2, 2]) {
        assert_eq!(documents(&store, name).await.len(), count, "{name}");
    }
}

/// A rebuild is atomic: readers see the old read model or the first of the new one.
pub async fn a_reset_with_a_clear_starts_over(store: impl ProjectionStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let step = Advance { dead_letters: vec![letter(3, "out of ink")], ..advance(-1, 4) };
    commit(&store, &lease, put(&["ada"], 1), Change::Advance(step)).await.expect("a commit");
    store.record_error(&lease, "out of paper").await.expect("an error is kept");
    store.request_rebuild(&key).await.expect("a request");

    let mut tx = store.begin(&lease).await.expect("a begin");
    tx.write(put(&["old"], 1)).await.expect("a write");
    tx.clear().await.expect("a clear");
    tx.write(put(&["new"], 2)).await.expect("a write behind the clear");
    tx.commit(Change::Reset).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["new=2"]);
    let kept = row(&store, &key).await;
    assert_eq!((kept.last_processed_offset, kept.events_processed), (None, 0));
    assert_eq!((kept.last_error, kept.rebuild_requested), (None, false));
    assert_eq!(store.dead_letters(&key, None, 10).await.expect("a list"), []);
    commit(&store, &lease, put(&["ada"], 3), to(-1, 0)).await.expect("the lease still holds");
}

/// Waiting or blaming an event hangs on telling the store's errors apart.
pub async fn only_what_may_pass_by_itself_is_transient(store: impl ProjectionStore) {
    let poison = std::io::Error::other("an event that does not apply");
    assert!(!store.is_transient(&poison));
    assert!(!store.is_transient(&StoreError::Invalid("a rule is broken".to_owned())));
    assert!(store.is_transient(&StoreError::Unavailable(poison.into())));
    let unset = StoreError::Misconfigured("a right is missing".into());
    assert_eq!(store.class(&unset), ErrorClass::Configuration);
}

/// An expired lease, handed on, takes the read model with it.
pub async fn a_successor_continues_the_read_model(store: impl ProjectionStore) {
    let key = balances();
    let owner = Owner::new("first");
    let (first, _) = acquire(&store, &key, &owner, SHORT).await.expect("nobody holds it");
    commit(&store, &first, put(&["ada"], 1), to(-1, 4)).await.expect("a commit");
    let (successor, seen) = take_over(&store, &key).await;
    assert_eq!(seen.last_processed_offset, at(4));
    assert_lost(commit(&store, &first, put(&["ada"], 7), to(4, 5)).await, &first);
    commit(&store, &successor, put(&["bob"], 2), to(4, 5)).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["ada=1", "bob=2"]);
}
