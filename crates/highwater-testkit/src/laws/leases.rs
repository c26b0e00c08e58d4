//! Leases: one worker at a time, and none for ever.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{CheckpointStore, Lease, Offset, Owner, StoreError, Suspect};

use super::rows::{LONG, SHORT, acquire, advance, assert_lost, balances, lease, row, take_over};
use super::support::{at, patiently, together};
use crate::fixture::Fixture;

/// A projection that runs twice at once does all its work twice.
pub async fn one_of_many_owners_gets_the_lease(store: impl CheckpointStore) {
    let store = Arc::new(store);
    for _ in 0..5 {
        let results = together(8, |_| {
            let store = Arc::clone(&store);
            async move { acquire(&*store, &balances(), &Owner::new("law"), LONG).await }
        })
        .await;
        let given: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(given.len(), 1);
        let (lease, _) = &given[0];
        assert_eq!(row(&*store, &balances()).await.owner.as_ref(), Some(&lease.owner));
        store.release(lease).await.expect("a release");
    }
}

/// A worker that stops in good order hands over at once, not when its lease expires.
pub async fn a_released_lease_is_taken_at_once_and_moves_nothing(store: impl CheckpointStore) {
    let key = balances();
    let released = lease(&store, &key).await;
    store.save(&released, &advance(-1, 4)).await.expect("a save");
    store.release(&released).await.expect("a release");
    store.release(&released).await.expect("a second release");
    let kept = row(&store, &key).await;
    assert_eq!(kept.owner, None);
    assert_nothing_moves(&store, &released).await;
    assert_eq!(row(&store, &key).await, kept, "nothing has changed");

    let next = lease(&store, &key).await;
    store.save(&next, &advance(4, 5)).await.expect("a save");
    assert_nothing_moves(&store, &released).await;
}

/// A worker that starts again under its own identity must not be confused with its former self.
pub async fn an_owner_who_acquires_again_gets_a_new_epoch(store: impl CheckpointStore) {
    let (key, owner) = (balances(), Owner::new("law"));
    let (first, _) = acquire(&store, &key, &owner, LONG).await.expect("nobody holds it");
    store.save(&first, &advance(-1, 4)).await.expect("a save");
    let (second, seen) = acquire(&store, &key, &owner, LONG).await.expect("the owner holds it");
    assert!(second.epoch > first.epoch);
    assert_eq!(seen.last_processed_offset, at(4));
    assert_nothing_moves(&store, &first).await;
    store.release(&first).await.expect("a release of the lost lease");
    store.save(&second, &advance(4, 5)).await.expect("the new lease still holds");
    assert_eq!(acquire(&store, &key, &Owner::new("other"), LONG).await, None);
}

/// A worker that was frozen wakes up believing that it holds the lease.
pub async fn a_lease_that_was_taken_over_moves_nothing(store: impl CheckpointStore) {
    let key = balances();
    let owner = Owner::new("frozen");
    let (frozen, _) = acquire(&store, &key, &owner, SHORT).await.expect("nobody holds it");
    store.save(&frozen, &advance(-1, 4)).await.expect("a save");
    let (successor, seen) = take_over(&store, &key).await;
    assert!(successor.epoch > frozen.epoch);
    assert_eq!(seen.last_processed_offset, at(4));
    let kept = row(&store, &key).await;

    // The successor has not saved yet: the epoch alone must tell.
    assert_nothing_moves(&store, &frozen).await;
    store.release(&frozen).await.expect("a release of the lost lease");
    assert_eq!(row(&store, &key).await, kept, "nothing has changed");
    assert_eq!(acquire(&store, &key, &owner, LONG).await, None, "the successor holds it");

    store.save(&successor, &advance(4, 5)).await.expect("a save");
    assert_lost(store.save(&frozen, &advance(5, 6)).await, &frozen);
}

/// A worker that is slow, but alone, need not throw its batch away.
pub async fn an_expired_lease_that_nobody_took_still_moves_the_checkpoint(
    store: impl CheckpointStore,
) {
    let key = balances();
    let (slow, _) =
        acquire(&store, &key, &Owner::new("slow"), SHORT).await.expect("nobody holds it");
    patiently("the expiry of a lease", async {
        while row(&store, &key).await.owner.is_some() {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
    store.save(&slow, &advance(-1, 4)).await.expect("a save");
    store.record_error(&slow, "slow").await.expect("an error is kept");
    store.renew(&slow, LONG).await.expect("a renewal");
    assert_eq!(row(&store, &key).await.owner, Some(slow.owner.clone()), "it holds again");
    assert_eq!(acquire(&store, &key, &Owner::new("other"), LONG).await, None);
}

/// A worker that is alive keeps its projection, however long a batch takes.
pub async fn a_renewed_lease_is_not_taken_over(store: impl CheckpointStore) {
    let key = balances();
    let (renewed, _) =
        acquire(&store, &key, &Owner::new("law"), SHORT).await.expect("nobody holds it");
    store.renew(&renewed, LONG).await.expect("a renewal");
    let given = tokio::time::Instant::now();
    while given.elapsed() < 3 * SHORT {
        let other = acquire(&store, &key, &Owner::new("other"), LONG).await;
        assert_eq!(other, None, "it would have expired without the renewal");
        tokio::time::sleep(SHORT / 4).await;
    }
    store.save(&renewed, &advance(-1, 4)).await.expect("a save");
}

/// A second holder of an old epoch could pass for the first.
pub async fn an_epoch_is_never_given_twice(store: impl CheckpointStore) {
    let (key, owner) = (balances(), Owner::new("law"));
    let mut last = 0;
    for turn in 0..6 {
        let (lease, seen) =
            acquire(&store, &key, &owner, LONG).await.expect("nobody else holds it");
        assert!(lease.epoch > last, "turn {turn}: {} after {last}", lease.epoch);
        assert_eq!(seen.epoch, lease.epoch);
        last = lease.epoch;
        match turn % 3 {
            0 => store.release(&lease).await.expect("a release"),
            1 => store.delete(&key).await.expect("a delete"),
            _ => store.reset(&key).await.expect("a reset"),
        }
    }
}

/// A worker whose row was deleted must not hold the lease on the row that came after it.
pub async fn a_lease_on_a_deleted_row_does_not_hold_on_the_next(store: impl CheckpointStore) {
    let key = balances();
    let old = lease(&store, &key).await;
    store.delete(&key).await.expect("a delete");
    let new = lease(&store, &key).await;
    assert_nothing_moves(&store, &old).await;
    store.save(&new, &advance(-1, 4)).await.expect("a save");
}

/// A lease that has expired before it was given protects nothing.
pub async fn a_lease_of_no_time_is_refused(store: impl CheckpointStore) {
    let result = store.acquire(&balances(), &Owner::new("law"), Duration::ZERO).await;
    assert!(matches!(result, Err(StoreError::Invalid(_))), "{result:?}");
    lease(&store, &balances()).await;
}

/// Workers that take the lease from each other all the time must still count every event once.
pub async fn competing_workers_move_a_checkpoint_once_for_every_save(store: impl CheckpointStore) {
    let store = Arc::new(store);
    let saves = together(6, |_| {
        let store = Arc::clone(&store);
        async move {
            let (owner, ttl) = (Owner::new("law"), Duration::from_millis(2));
            let mut saves = 0;
            for _ in 0..30 {
                let Some((lease, seen)) = acquire(&*store, &balances(), &owner, ttl).await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let from = Offset::to_sql(seen.last_processed_offset);
                match store.save(&lease, &advance(from, from + 1)).await {
                    Ok(()) => saves += 1,
                    Err(StoreError::LeaseLost { .. }) => {}
                    Err(other) => panic!("the lease fences every save: {other:?}"),
                }
            }
            saves
        }
    })
    .await;
    let kept = row(&*store, &balances()).await;
    let all: u64 = saves.into_iter().sum();
    assert!(all > 0);
    assert_eq!(kept.events_processed, all);
    assert_eq!(kept.last_processed_offset, at(all - 1));
}

/// A worker that starts after a crash waits for the lease of its dead self, and finds its place.
pub async fn checkpoints_and_leases_outlive_their_handle<F>(fixture: &F)
where
    F: Fixture<Store: CheckpointStore>,
{
    let key = balances();
    let store = fixture.store();
    let lease = lease(&store, &key).await;
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    let kept = row(&store, &key).await;
    drop(store);

    let store = fixture.reopen().await;
    assert_eq!(row(&store, &key).await, kept);
    assert_eq!(acquire(&store, &key, &Owner::new("other"), LONG).await, None);
    store.save(&lease, &advance(4, 5)).await.expect("the lease holds, whoever brings it");
    store.release(&lease).await.expect("a release");
    let (next, _) = take_over(&store, &key).await;
    assert!(next.epoch > lease.epoch);
}

/// Asserts that nothing can be done under a lease that is lost.
async fn assert_nothing_moves(store: &impl CheckpointStore, lost: &Lease) {
    let place = row(store, &lost.key).await.last_processed_offset;
    let from = Offset::to_sql(place);
    assert_lost(store.save(lost, &advance(from, from + 1)).await, lost);
    assert_lost(store.save(lost, &advance(from, from)).await, lost);
    assert_lost(store.record_error(lost, "late").await, lost);
    assert_lost(store.renew(lost, LONG).await, lost);
    assert_lost(store.begin_rebuild(lost).await, lost);
}

/// Who lets a lease expire may have died of what is behind the checkpoint, and the next one must
/// know.
pub async fn a_lease_that_expired_leaves_a_suspect_until_the_checkpoint_moves(
    store: impl CheckpointStore,
) {
    let key = balances();
    let expires = async |event: Option<u64>, deaths| {
        let lost = acquire(&store, &key, &Owner::new("lost"), SHORT).await.expect("a lease").0;
        if let Some(event) = event.map(Offset::new) {
            store.note_attempt(&lost, event, deaths).await.expect("an attempt is noted");
        }
        let (next, given) = take_over(&store, &key).await;
        assert_lost(store.note_attempt(&lost, Offset::new(9), 9).await, &lost);
        assert_eq!(given.suspect, row(&store, &key).await.suspect);
        (next, given.suspect)
    };
    let suspect =
        |event: Option<u64>, deaths| Some(Suspect { event: event.map(Offset::new), deaths });
    let (lease, found) = expires(None, 0).await;
    assert_eq!(found, suspect(None, 0), "nobody knows which event it was");
    store.release(&lease).await.expect("a release");
    let (lease, found) = expires(Some(4), 0).await;
    assert_eq!(found, suspect(Some(4), 1));
    store.release(&lease).await.expect("a release");
    let (lease, found) = expires(None, 0).await;
    assert_eq!(found, suspect(Some(4), 1), "who tried nothing died of something else");
    store.release(&lease).await.expect("a release");
    let (lease, found) = expires(Some(4), 1).await;
    assert_eq!(found, suspect(Some(4), 2));
    store.save(&lease, &advance(-1, 4)).await.expect("a save");
    assert_eq!(row(&store, &key).await.suspect, None, "it was not the event");
}

/// A stop, or a lease that its own holder takes again, is no death.
pub async fn a_lease_that_was_given_back_or_renewed_leaves_no_suspect(store: impl CheckpointStore) {
    let key = balances();
    let owner = Owner::new("law");
    let (first, _) = acquire(&store, &key, &owner, LONG).await.expect("a lease");
    let (_, given) = acquire(&store, &key, &owner, LONG).await.expect("it again");
    assert_eq!(given.suspect, None);
    assert_lost(store.note_attempt(&first, Offset::new(0), 0).await, &first);
    let (lease, _) = acquire(&store, &key, &owner, LONG).await.expect("it again");
    store.note_attempt(&lease, Offset::new(0), 2).await.expect("an attempt is noted");
    store.release(&lease).await.expect("a release");
    let (_, given) = acquire(&store, &key, &Owner::new("next"), LONG).await.expect("a lease");
    let suspect = Suspect { event: Some(Offset::new(0)), deaths: 2 };
    assert_eq!(given.suspect, Some(suspect), "what is known stays known, and nobody died");
    store.reset(&key).await.expect("a reset");
    assert_eq!(row(&store, &key).await.suspect, None);
}
