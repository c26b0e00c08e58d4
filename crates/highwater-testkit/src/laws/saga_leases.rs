//! Leases on sagas: each is run by one worker at a time, and by none for ever.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    Due, NewSaga, Owner, SagaClaim, SagaId, SagaLease, SagaName, SagaQuery, SagaRecord, SagaState,
    SagaStore, StoreError,
};

use super::saga_support::{
    LONG, SHORT, TRIP, asking, assert_lost, claim, claim_later, create, id, move_on, record, saga,
    to, trip, try_claim, try_create,
};
use super::support::{json, patiently, together};

/// A saga that is claimed by a worker runs, and is that worker's alone.
pub async fn a_claim_starts_the_saga_under_a_lease(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let ask = asking("law", LONG);
    let claimed = try_claim(&store, &ask).await.expect("a saga is due");
    assert_eq!(claimed.record.progress.state, SagaState::Running);
    assert_eq!((claimed.record.epoch, &claimed.record.owner), (1, &Some(ask.owner.clone())));
    assert_eq!((claimed.taken_from, claimed.timer, claimed.deadline), (None, None, None));
    assert_eq!(claimed.signal, None);
    assert_eq!(saga(&store, &claimed.record.id).await, claimed.record);
    assert_eq!(try_claim(&store, &asking("other", LONG)).await, None);
    assert_eq!(try_claim(&store, &ask).await, None, "not even its owner gets it twice");
}

/// Steps that two workers run at once are run twice.
pub async fn of_many_workers_each_saga_goes_to_one(store: impl SagaStore) {
    let sagas: Vec<_> = (0..40).map(|n| trip(&format!("trip-{n}"))).collect();
    let created = store.create_sagas(sagas).await.expect("a batch is answered");
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    let store = Arc::new(store);
    let claimed = together(8, |_| {
        let store = Arc::clone(&store);
        async move {
            let claim = SagaClaim { limit: 3, ..asking("law", LONG) };
            let mut mine: Vec<SagaId> = Vec::new();
            patiently("the claim of every saga", async {
                loop {
                    let claimed = store.claim_sagas(&claim).await.expect("a claim is answered");
                    assert!(claimed.len() <= 3);
                    mine.extend(claimed.into_iter().map(|claimed| claimed.record.id));
                    let left = unclaimed(&*store).await;
                    if left == 0 {
                        return;
                    }
                }
            })
            .await;
            mine
        }
    })
    .await;
    let all: Vec<_> = claimed.into_iter().flatten().collect();
    let distinct: HashSet<_> = all.iter().cloned().collect();
    assert_eq!((all.len(), distinct.len()), (40, 40));
}

/// A process that starts a saga need not claim it in another commit.
pub async fn a_saga_can_be_created_under_a_lease(store: impl SagaStore) {
    let owner = Owner::new("law");
    let mut new = trip("trip-1");
    new.claimed_by = Some((owner.clone(), LONG));
    let held = create(&store, new.clone()).await;
    assert_eq!(held.progress.state, SagaState::Running);
    assert_eq!((held.epoch, &held.owner), (1, &Some(owner)));
    assert_eq!(try_claim(&store, &asking("other", LONG)).await, None);
    move_on(&store, to(&held, SagaState::Running, 1, Due::Now)).await;
    let again = try_create(&store, new).await.expect("the saga that is there");
    assert_eq!((again.is_new, again.record.owner), (false, None), "it is not claimed again");
}

/// During a deployment old and new workers run side by side.
pub async fn a_worker_gets_only_what_it_can_run(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let mut newer = trip("trip-2");
    newer.version = 2;
    create(&store, newer).await;
    let knowing = |definitions| SagaClaim { limit: 10, definitions, ..asking("law", LONG) };
    let other = SagaName::from_static("refund");
    for unknown in [vec![], vec![(other.clone(), 1)], vec![(TRIP, 3), (other, 2)]] {
        let claimed = store.claim_sagas(&knowing(unknown)).await.expect("a claim is answered");
        assert!(claimed.is_empty(), "{claimed:?}");
    }
    let claimed = store.claim_sagas(&knowing(vec![(TRIP, 2)])).await.expect("a claim");
    let ids: Vec<&str> = claimed.iter().map(|claimed| claimed.record.id.as_str()).collect();
    assert_eq!(ids, ["trip-2"]);
}

/// A worker's death costs its sagas the rest of the lease, and nothing else.
pub async fn an_expired_lease_is_taken_over(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let dead = try_claim(&store, &asking("dead", SHORT)).await.expect("a saga is due");
    let next = claim_later(&store).await;
    assert!(next.taken_from.is_some(), "the step may have been begun");
    assert_eq!(next.record.epoch, dead.record.epoch + 1);
    assert_eq!(next.record.progress, dead.record.progress);
    move_on(&store, to(&next.record, SagaState::Running, 1, Due::Now)).await;
    assert_eq!(claim(&store).await.taken_from, None, "the lease was given back");
}

/// A worker that was frozen wakes up in the belief that it holds the lease.
pub async fn a_zombie_changes_nothing(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let zombie = try_claim(&store, &asking("zombie", SHORT)).await.expect("a saga is due").record;
    let next = claim_later(&store).await.record;
    assert_nothing_moves(&store, &zombie).await;
    assert_eq!(saga(&store, &zombie.id).await, next, "the epoch alone must tell");
    let moved = move_on(&store, to(&next, SagaState::Running, 1, Due::Now)).await;
    assert_nothing_moves(&store, &zombie).await;
    assert_nothing_moves(&store, &next).await;
    assert_eq!(saga(&store, &zombie.id).await, moved);
}

/// A worker that is slow, but alone, need not repeat its step.
pub async fn an_expired_lease_that_nobody_took_still_moves_its_saga(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let ask = SagaClaim { definitions: vec![(TRIP, 1)], ..asking("slow", SHORT) };
    let slow = try_claim(&store, &ask).await.expect("a saga is due").record;
    tokio::time::sleep(2 * SHORT).await;
    let slow = move_on(&store, to(&slow, SagaState::Running, 1, Due::Held(LONG))).await;
    assert_eq!(try_claim(&store, &asking("other", LONG)).await, None, "it holds again");
    move_on(&store, to(&slow, SagaState::Completed, 3, Due::OnRequest)).await;
}

/// A worker that is alive keeps its saga, however long a step takes.
pub async fn a_renewed_lease_is_kept(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let held = try_claim(&store, &asking("law", SHORT)).await.expect("a saga is due").record;
    let renewed = renew(&store, &held).await;
    renewed.expect("the lease is the latest");
    let given = tokio::time::Instant::now();
    while given.elapsed() < 2 * SHORT {
        assert_eq!(try_claim(&store, &asking("other", LONG)).await, None);
        tokio::time::sleep(SHORT / 4).await;
    }
    move_on(&store, to(&held, SagaState::Running, 1, Due::Now)).await;
    assert_lost(renew(&store, &held).await, &held);
    let unknown = SagaRecord { id: id("nobody"), ..held };
    let unknown = renew(&store, &unknown).await;
    assert!(matches!(unknown, Err(StoreError::SagaUnknown { .. })), "{unknown:?}");
}

/// A worker that does not know whether its write arrived writes again.
pub async fn a_repeated_transition_is_made_once(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await.record;
    let first = to(&held, SagaState::Running, 1, Due::Held(LONG));
    let held = move_on(&store, first.clone()).await;
    assert_eq!(move_on(&store, first.clone()).await, held);
    let last = to(&held, SagaState::Completed, 3, Due::OnRequest);
    let ended = move_on(&store, last.clone()).await;
    assert_eq!(move_on(&store, last).await, ended, "although the lease was given back");
    assert_lost(record(&store, first).await, &held);
    assert_eq!(saga(&store, &held.id).await, ended);
}

/// Delays and back-offs cost no worker, and outlive every one.
pub async fn a_timer_makes_a_saga_due_and_is_told_at_the_claim(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let mut sleeps = to(&claim(&store).await.record, SagaState::Running, 1, Due::OnTimer);
    sleeps.timer = Some(SHORT);
    let sleeps = move_on(&store, sleeps).await;
    assert_eq!(sleeps.owner, None);
    assert!(sleeps.due_at.is_some());
    let woken = claim_later(&store).await;
    assert_eq!((woken.timer, woken.taken_from), (Some(Duration::ZERO), None));
    let mut sleeps = to(&woken.record, SagaState::Running, 2, Due::Now);
    sleeps.timer = Some(LONG);
    move_on(&store, sleeps).await;
    let early = claim(&store).await;
    assert!(early.timer.is_some_and(|left| left > Duration::ZERO && left <= LONG));
    move_on(&store, to(&early.record, SagaState::Running, 2, Due::Now)).await;
    assert_eq!(claim(&store).await.timer, None, "the timer is gone");
}

/// A saga that sleeps past its deadline is woken by it; one that unwinds is left in peace.
pub async fn a_deadline_makes_a_saga_due_unless_it_is_unwinding(store: impl SagaStore) {
    let mut new = trip("trip-1");
    new.deadline = Some(SHORT);
    create(&store, new).await;
    let held = claim(&store).await;
    assert!(held.deadline.is_some_and(|left| left <= SHORT));
    let mut sleeps = to(&held.record, SagaState::Running, 1, Due::OnTimer);
    sleeps.timer = Some(LONG);
    move_on(&store, sleeps).await;
    let woken = claim_later(&store).await;
    assert_eq!(woken.deadline, Some(Duration::ZERO));
    let mut unwinds = to(&woken.record, SagaState::Compensating, 1, Due::OnTimer);
    unwinds.progress.is_unwinding = true;
    unwinds.timer = Some(LONG);
    move_on(&store, unwinds).await;
    assert_eq!(try_claim(&store, &asking("other", LONG)).await, None);
}

/// A worker has no more memory for a hundred large sagas than for one.
pub async fn a_claim_gives_out_no_more_bytes_than_it_asks_for(store: impl SagaStore) {
    let large = json(&format!("\"{}\"", "x".repeat(99_998)));
    for n in 0..4 {
        let new = NewSaga { input: large.clone(), ..trip(&format!("trip-{n}")) };
        assert!((200_000..210_000).contains(&create(&store, new).await.bytes()));
    }
    let asking = |max_bytes| SagaClaim { limit: 10, max_bytes, ..asking("law", LONG) };
    for (max_bytes, expected) in [(500_000, 2), (1, 1), (210_000, 1), (usize::MAX, 0)] {
        let claimed = store.claim_sagas(&asking(max_bytes)).await.expect("a claim is answered");
        assert_eq!(claimed.len(), expected, "{max_bytes} bytes");
    }
}

/// A claim of nothing, or for no time, is a mistake.
pub async fn a_claim_of_nothing_is_refused(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let no_limit = SagaClaim { limit: 0, ..asking("law", LONG) };
    for wrong in [no_limit, asking("law", Duration::ZERO)] {
        let refused = store.claim_sagas(&wrong).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    claim(&store).await;
}

/// A saga that waits longest is served first, so that none starves.
pub async fn the_longest_due_is_claimed_first(store: impl SagaStore) {
    for n in 0..4 {
        create(&store, trip(&format!("trip-{n}"))).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for n in 0..4 {
        assert_eq!(claim(&store).await.record.id, id(&format!("trip-{n}")));
    }
}

async fn renew(store: &impl SagaStore, saga: &SagaRecord) -> Result<(), StoreError> {
    let lease: SagaLease = saga.lease().expect("the saga was held");
    let mut answers = store.renew_sagas(vec![lease], LONG).await?;
    assert_eq!(answers.len(), 1, "one answer for one entry");
    answers.remove(0)
}

/// Number of sagas that nobody holds.
async fn unclaimed(store: &impl SagaStore) -> usize {
    let sagas = store.sagas(&SagaQuery::default()).await.expect("a search");
    sagas.iter().filter(|saga| saga.owner.is_none()).count()
}

/// Asserts that nothing can be done under the lease with which `saga` was held.
async fn assert_nothing_moves(store: &impl SagaStore, saga: &SagaRecord) {
    let late = to(saga, SagaState::Completed, 3, Due::OnRequest);
    let mut later = late.clone();
    later.revision += 1;
    if store.saga(&saga.id).await.expect("a saga is read").map(|now| now.epoch) != Some(saga.epoch)
    {
        assert_lost(record(store, late).await, saga);
    }
    assert_lost(record(store, later).await, saga);
    assert_lost(renew(store, saga).await, saga);
}
