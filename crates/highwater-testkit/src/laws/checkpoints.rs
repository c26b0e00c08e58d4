//! Checkpoints: they move from where their mover believes them to be, and never back unasked.

use highwater_core::{Advance, CheckpointStore, EventId, Offset, Owner, StoreError};

use super::rows::{
    LONG, acquire, advance, assert_lost, assert_moved, balances, key, lease, letter, name, row,
};
use super::support::at;

/// "Never ran" and "has processed nothing" are told apart, and both begin at the first event.
pub async fn a_checkpoint_is_made_by_the_first_lease(store: impl CheckpointStore) {
    let key = balances();
    assert_eq!(store.checkpoint(&key).await.expect("a read"), None);
    assert_eq!(store.checkpoints(None).await.expect("a list"), []);

    let owner = Owner::new("law");
    let (lease, given) = acquire(&store, &key, &owner, LONG).await.expect("nobody holds it");
    let kept = row(&store, &key).await;
    assert_eq!(given, kept);
    assert_eq!((kept.last_processed_offset, kept.events_processed), (None, 0));
    assert_eq!((kept.last_error, kept.last_error_at, kept.rebuild_requested), (None, None, false));
    assert_eq!((kept.key, kept.owner, kept.epoch), (key.clone(), Some(owner), lease.epoch));
    assert_eq!(lease.key, key);
}

/// A projection takes up its work where it left it.
pub async fn a_save_moves_the_checkpoint_and_counts_events(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let begun = row(&store, &key).await.last_updated;
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    store.save(&lease, &Advance::new(at(4), at(90), 2)).await.expect("a save past filtered events");
    store.save(&lease, &Advance::new(at(90), at(90), 0)).await.expect("a save without a move");
    let kept = row(&store, &key).await;
    assert_eq!((kept.last_processed_offset, kept.events_processed), (at(90), 7));
    assert!(kept.last_updated >= begun);
    let far = i64::MAX.cast_unsigned();
    store.save(&lease, &Advance::new(at(90), at(far), 1)).await.expect("a save far ahead");
    assert_eq!(row(&store, &key).await.last_processed_offset, at(far));
}

/// Two workers that both believe to be at 4 must not both apply what follows.
pub async fn a_save_from_elsewhere_is_refused_and_names_both_places(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    assert_moved(store.save(&lease, &advance(2, 5)).await, &key, at(2), None);
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    let kept = row(&store, &key).await;
    for believed in [-1, 3, 5] {
        let Advance { from, .. } = advance(believed, 9);
        assert_moved(store.save(&lease, &advance(believed, 9)).await, &key, from, at(4));
    }
    assert_eq!(row(&store, &key).await, kept, "a refused save changes nothing");
}

/// A checkpoint that slips back repeats events that the read model has counted already.
pub async fn a_save_backwards_is_refused(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    let kept = row(&store, &key).await;
    for to in [at(3), at(0), None] {
        let result = store.save(&lease, &Advance::new(at(4), to, 0)).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))), "to {to:?}: {result:?}");
    }
    assert_eq!(row(&store, &key).await, kept, "a refused save changes nothing");
}

/// One projection may follow several sources, and several projections one source.
pub async fn checkpoints_of_different_keys_are_independent(store: impl CheckpointStore) {
    let keys = [
        key("balances", "$all"),
        key("balances", "$category:receipt"),
        key("balances", "receipt"),
        key("Balances", "$all"),
    ];
    for (n, key) in keys.iter().enumerate() {
        let lease = lease(&store, key).await;
        store.save(&lease, &advance(-1, n as i64)).await.expect("a save");
    }
    store.reset(&keys[1]).await.expect("a reset");
    store.delete(&keys[3]).await.expect("a delete");
    let mut places = Vec::new();
    for key in &keys {
        let kept = store.checkpoint(key).await.expect("a read");
        places.push(kept.map(|kept| kept.last_processed_offset));
    }
    assert_eq!(places, [Some(at(0)), Some(None), Some(at(2)), None]);
}

/// An operator looks for a projection where it was yesterday.
pub async fn checkpoints_are_listed_in_the_order_of_their_bytes(store: impl CheckpointStore) {
    let ordered = [
        key("B", "$all"),
        key("a", "!first"),
        key("a", "$all"),
        key("a", "$category:b"),
        key("a", "Z"),
        key("a", "a"),
        key("a", "ä"),
        key("a-b", "$all"),
        key("aB", "$all"),
        key("ä", "$all"),
    ];
    for key in ordered.iter().rev() {
        lease(&store, key).await;
    }
    let listed = store.checkpoints(None).await.expect("a list");
    let keys: Vec<_> = listed.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys, ordered);
    assert_eq!(listed[1], row(&store, &ordered[1]).await);

    let of_one = store.checkpoints(Some(&name("a"))).await.expect("a list");
    assert_eq!(of_one, listed[1..7]);
    assert_eq!(store.checkpoints(Some(&name("unknown"))).await.expect("a list"), []);
}

/// A reset forgets all of it or nothing; a worker in mid-batch must notice.
pub async fn a_reset_returns_to_nothing_processed(store: impl CheckpointStore) {
    let key = balances();
    store.reset(&key).await.expect("a reset of nothing");
    assert_eq!(store.checkpoint(&key).await.expect("a read"), None, "nothing came of it");

    let lease = lease(&store, &key).await;
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    store.record_error(&lease, "out of ink").await.expect("an error is kept");
    store.request_rebuild(&key).await.expect("a request");
    store.reset(&key).await.expect("a reset");
    let kept = row(&store, &key).await;
    assert_eq!((kept.last_processed_offset, kept.events_processed), (None, 0));
    assert_eq!((kept.last_error, kept.last_error_at), (None, None));
    assert!(!kept.rebuild_requested, "a requested rebuild counts as begun");

    assert_moved(store.save(&lease, &advance(4, 9)).await, &key, at(4), None);
    store.save(&lease, &advance(-1, 2)).await.expect("the lease still holds");
}

/// A worker must not bring back a projection that an operator has removed.
pub async fn a_deleted_checkpoint_is_gone_and_its_lease_lost(store: impl CheckpointStore) {
    let key = balances();
    store.delete(&key).await.expect("a delete of nothing");
    let lease = lease(&store, &key).await;
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    store.delete(&key).await.expect("a delete");
    assert_eq!(store.checkpoint(&key).await.expect("a read"), None);
    assert_lost(store.save(&lease, &advance(4, 9)).await, &lease);
    assert_lost(store.save(&lease, &advance(-1, 9)).await, &lease);
    assert_lost(store.renew(&lease, LONG).await, &lease);
    assert_lost(store.record_error(&lease, "late").await, &lease);
    store.release(&lease).await.expect("a lost lease is given back");
    assert_eq!(store.checkpoint(&key).await.expect("a read"), None, "it stays gone");
}

/// An error that is over must not alarm anyone; one that is not must survive everything else.
pub async fn an_error_is_kept_until_the_checkpoint_moves(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    let error = format!("no ink: ünïcode\n{}", "x".repeat(5_000));
    for text in ["out of paper", &error] {
        store.record_error(&lease, text).await.expect("an error is kept");
        let kept = row(&store, &key).await;
        assert_eq!(kept.last_error.as_deref(), Some(text));
        assert!(kept.last_error_at.is_some());
        assert_eq!((kept.last_processed_offset, kept.events_processed), (at(4), 5));
    }
    store.renew(&lease, LONG).await.expect("a renewal");
    assert_moved(store.save(&lease, &advance(1, 9)).await, &key, at(1), at(4));
    assert_eq!(row(&store, &key).await.last_error, Some(error), "nothing has moved");

    store.save(&lease, &advance(4, 5)).await.expect("a save");
    let kept = row(&store, &key).await;
    assert_eq!((kept.last_error, kept.last_error_at), (None, None));
}

/// An operator asks while nobody runs the projection, or while somebody does; both must hear it.
pub async fn a_requested_rebuild_reaches_whoever_runs_the_projection(store: impl CheckpointStore) {
    let key = balances();
    store.request_rebuild(&key).await.expect("a request before the first run");
    assert!(row(&store, &key).await.rebuild_requested);
    let (first, seen) =
        acquire(&store, &key, &Owner::new("law"), LONG).await.expect("nobody holds it");
    assert!(seen.rebuild_requested);
    assert!(store.renew(&first, LONG).await.expect("a renewal"));
    store.save(&first, &advance(-1, 3)).await.expect("a save");
    assert!(store.renew(&first, LONG).await.expect("a renewal"), "not yet begun");

    store.reset(&key).await.expect("a reset");
    assert!(!store.renew(&first, LONG).await.expect("a renewal"));
    store.request_rebuild(&key).await.expect("a request");
    store.request_rebuild(&key).await.expect("the same request");
    assert!(store.renew(&first, LONG).await.expect("a renewal"));
    assert_eq!(row(&store, &key).await.last_processed_offset, None);
}

/// By the event at its place a checkpoint can tell that the log below it was replaced.
pub async fn a_checkpoint_keeps_the_event_that_it_stands_at(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    assert_eq!(row(&store, &key).await.last_event_id, None);
    let (first, second) = (EventId::new(), EventId::new());
    store.save(&lease, &advance(-1, 4).at_event(Some(first))).await.expect("a save");
    assert_eq!(row(&store, &key).await.last_event_id, Some(first));
    let refused = store.save(&lease, &advance(3, 9).at_event(Some(second))).await;
    assert_moved(refused, &key, at(3), at(4));
    assert_eq!(row(&store, &key).await.last_event_id, Some(first), "a refused save changes it not");
    let letters = vec![letter(7, "out of ink")];
    let step = Advance { dead_letters: letters, ..advance(4, 9) };
    store.save(&lease, &step.at_event(Some(second))).await.expect("a save with a dead letter");
    assert_eq!(row(&store, &key).await.last_event_id, Some(second));
    store.save(&lease, &advance(9, 12)).await.expect("a save to where no event is known");
    assert_eq!(row(&store, &key).await.last_event_id, None, "another place, another event");
    store.save(&lease, &advance(12, 13).at_event(Some(first))).await.expect("a save");
    store.reset(&key).await.expect("a reset");
    assert_eq!(row(&store, &key).await.last_event_id, None);
}

/// After the log was replaced an operator says where to go on, backwards too.
pub async fn a_rebase_moves_the_checkpoint_anywhere_and_leaves_its_lease(
    store: impl CheckpointStore,
) {
    let key = balances();
    let event = EventId::new();
    store.rebase(&key, at(2), Some(event)).await.expect("a rebase of nothing");
    assert_eq!(store.checkpoint(&key).await.expect("a read"), None, "nothing is made");
    let lease = lease(&store, &key).await;
    store.save(&lease, &advance(-1, 9)).await.expect("a save");
    store.record_error(&lease, "the log was replaced").await.expect("an error is kept");
    store.note_attempt(&lease, Offset::new(10), 1).await.expect("an attempt is noted");
    for (to, event) in [(at(2), Some(event)), (at(20), None), (None, None)] {
        store.rebase(&key, to, event).await.expect("a rebase");
        let kept = row(&store, &key).await;
        assert_eq!((kept.last_processed_offset, kept.last_event_id), (to, event));
        assert_eq!((kept.last_error, kept.last_error_at, kept.suspect), (None, None, None));
        assert_eq!((kept.events_processed, kept.epoch), (10, lease.epoch));
        assert!(kept.owner.is_some());
    }
    assert_moved(store.save(&lease, &advance(9, 10)).await, &key, at(9), None);
    store.save(&lease, &advance(-1, 0)).await.expect("a save from there");
}
