//! Dead letters: what was passed over is written down, together with the passing over.

use highwater_core::{Advance, CheckpointStore, NewDeadLetter};

use super::rows::{advance, assert_lost, assert_moved, balances, key, lease, letter, row};
use super::support::at;

/// An event that was passed over without a trace is a lost event.
pub async fn dead_letters_are_recorded_with_the_advance(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let long = format!("ünïcode\n\"quoted\" {}", "x".repeat(5_000));
    let letters = vec![letter(2, "out of ink"), letter(4, &long)];
    save(&store, &lease, advance(-1, 4), &letters).await.expect("a save");
    let found = store.dead_letters(&key, None, 100).await.expect("a list");
    for (found, letter) in found.iter().zip(&letters) {
        assert_eq!((&found.key, &found.letter), (&key, letter));
    }
    assert_eq!(found.len(), 2);
}

/// A letter about an event that was not passed over would mislead whoever reads it.
pub async fn a_refused_save_records_no_dead_letter(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let letters = [letter(2, "out of ink")];
    let elsewhere = save(&store, &lease, advance(1, 4), &letters).await;
    assert_moved(elsewhere, &key, at(1), None);
    store.release(&lease).await.expect("a release");
    assert_lost(save(&store, &lease, advance(-1, 4), &letters).await, &lease);
    assert_eq!(store.dead_letters(&key, None, 100).await.expect("a list"), []);
}

/// There may be many; an operator leafs through them.
pub async fn dead_letters_are_listed_by_offset_and_in_pages(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    for (from, to) in [(-1, 8), (8, 110)] {
        let letters: Vec<_> = [100, 7, 10, 2, 9]
            .into_iter()
            .filter(|offset| (from + 1..=to).contains(&i64::from(*offset)))
            .map(|offset| letter(u64::from(offset as u8), "out of ink"))
            .collect();
        save(&store, &lease, advance(from, to), &letters).await.expect("a save");
    }
    for (after, limit, expected) in [
        (None, 100, vec![2, 7, 9, 10, 100]),
        (None, 2, vec![2, 7]),
        (at(7), 2, vec![9, 10]),
        (at(8), 1, vec![9]),
        (at(100), 5, vec![]),
    ] {
        let found = store.dead_letters(&key, after, limit).await.expect("a list");
        let offsets: Vec<u64> = found.iter().map(|found| found.letter.offset.get()).collect();
        assert_eq!(offsets, expected, "after {after:?}, limit {limit}");
    }
}

/// Letters belong to one projection on one source, and go when its checkpoint goes.
pub async fn dead_letters_of_different_keys_are_independent(store: impl CheckpointStore) {
    let keys = [key("balances", "$all"), key("balances", "a"), key("totals", "$all")];
    for key in &keys {
        let lease = lease(&store, key).await;
        save(&store, &lease, advance(-1, 4), &[letter(3, key.projection.as_str())])
            .await
            .expect("a save");
    }
    store.delete(&keys[1]).await.expect("a delete");
    let mut found = Vec::new();
    for key in &keys {
        found.push(store.dead_letters(key, None, 100).await.expect("a list").len());
    }
    assert_eq!(found, [1, 0, 1]);
}

/// A projection that begins again meets the same poison; that must not stop it for good.
pub async fn a_dead_letter_that_is_recorded_again_replaces_the_first(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    for error in ["out of ink", "out of paper"] {
        let letters = [letter(3, error)];
        save(&store, &lease, advance(-1, 4), &letters).await.expect("a save");
        let found = store.dead_letters(&key, None, 100).await.expect("a list");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].letter, letters[0]);
        store.reset(&key).await.expect("a reset");
    }
}

/// A rebuild judges every event anew; one that is begun by a worker of the past judges nothing.
pub async fn a_rebuild_begins_under_the_lease_and_forgets_dead_letters(
    store: impl CheckpointStore,
) {
    let key = balances();
    let lease = lease(&store, &key).await;
    save(&store, &lease, advance(-1, 4), &[letter(2, "out of ink")]).await.expect("a save");
    store.request_rebuild(&key).await.expect("a request");
    store.begin_rebuild(&lease).await.expect("the lease holds");
    let begun = row(&store, &key).await;
    assert_eq!((begun.last_processed_offset, begun.events_processed), (None, 0));
    assert!(!begun.rebuild_requested, "it has begun");
    assert_eq!(store.dead_letters(&key, None, 100).await.expect("a list"), []);

    save(&store, &lease, advance(-1, 4), &[letter(2, "out of ink")]).await.expect("a save");
    store.release(&lease).await.expect("a release");
    assert_lost(store.begin_rebuild(&lease).await, &lease);
    assert_eq!(row(&store, &key).await.last_processed_offset, at(4));
    assert_eq!(store.dead_letters(&key, None, 100).await.expect("a list").len(), 1);
}

/// Whoever watches a projection must learn of them without reading them all.
pub async fn dead_letters_are_counted_up_to_a_bound(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let count = async |up_to| store.count_dead_letters(&key, up_to).await.expect("a count");
    assert_eq!(count(10).await, 0);
    let letters: Vec<_> = (0..7).map(|offset| letter(offset, "out of ink")).collect();
    save(&store, &lease, advance(-1, 9), &letters).await.expect("a save");
    assert_eq!((count(10).await, count(7).await, count(3).await), (7, 7, 3));
    store.begin_rebuild(&lease).await.expect("a rebuild");
    assert_eq!(count(10).await, 0);
}

async fn save(
    store: &impl CheckpointStore,
    lease: &highwater_core::Lease,
    step: Advance,
    letters: &[NewDeadLetter],
) -> Result<(), highwater_core::StoreError> {
    store.save(lease, &Advance { dead_letters: letters.to_vec(), ..step }).await
}
