//! Signals: kept until they are used up, however early they come.

use std::sync::Arc;

use highwater_core::{
    Delivery, Due, EventId, SagaClaim, SagaName, SagaRequest, SagaState, SagaStore, Signal,
    SignalKey,
};

use super::saga_support::{
    LONG, PAID, SHORT, TRIP, asking, claim, claim_later, create, giving_up, move_on, paid, saga,
    to, trip, try_claim, waiting,
};
use super::support::patiently;

/// A saga that waits costs nothing until what it waits for arrives.
pub async fn a_signal_wakes_the_saga_that_waits_for_it(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let waits = waiting(&claim(&store).await.record);
    let waits = move_on(&store, waits).await;
    assert_eq!((waits.due_at, &waits.progress.waiting_for), (None, &Some(PAID)));
    let signal = paid("one");
    store.deliver_signal(signal.clone()).await.expect("a delivery");
    let woken = claim(&store).await;
    assert_eq!((woken.signal, woken.timer), (Some(signal), None));
}

/// The bank may be faster than the saga.
pub async fn a_signal_that_comes_early_is_kept(store: impl SagaStore) {
    let (first, second) = (paid("one"), paid("two"));
    store.deliver_signal(first.clone()).await.expect("a delivery");
    store.deliver_signal(second.clone()).await.expect("a delivery");
    create(&store, trip("trip-1")).await;
    let held = claim(&store).await;
    assert_eq!(held.signal, None, "it does not wait yet");
    move_on(&store, waiting(&held.record)).await;
    let woken = claim(&store).await;
    assert_eq!(woken.signal, Some(first.clone()), "the oldest comes first");

    let mut again = waiting(&woken.record);
    again.consumes = Some(first.id);
    move_on(&store, again).await;
    assert_eq!(claim(&store).await.signal, Some(second), "it waits for the same once more");
}

/// A worker that dies with a signal in its hand must not take it to the grave.
pub async fn a_signal_stays_until_it_is_used_up(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let waits = waiting(&claim(&store).await.record);
    move_on(&store, waits).await;
    let signal = paid("one");
    store.deliver_signal(signal.clone()).await.expect("a delivery");
    let dead = try_claim(&store, &asking("dead", SHORT)).await.expect("a saga is due");
    assert_eq!(dead.signal, Some(signal.clone()));
    let next = claim_later(&store).await;
    assert_eq!(next.signal, Some(signal.clone()));

    let mut uses = to(&next.record, SagaState::Running, 1, Due::Held(LONG));
    uses.progress.waiting_for = None;
    uses.consumes = Some(signal.id);
    let moved = move_on(&store, uses).await;
    store.deliver_signal(signal).await.expect("a delivery again");
    move_on(&store, waiting(&moved)).await;
    assert_eq!(try_claim(&store, &asking("law", LONG)).await, None, "it was used up");
}

/// A handler that delivers at least once must not pay a trip twice.
pub async fn a_signal_that_is_delivered_again_counts_once(store: impl SagaStore) {
    let signal = paid("one");
    for _ in 0..3 {
        store.deliver_signal(signal.clone()).await.expect("a delivery");
    }
    create(&store, trip("trip-1")).await;
    let waits = waiting(&claim(&store).await.record);
    move_on(&store, waits).await;
    let mut again = waiting(&claim(&store).await.record);
    again.consumes = Some(signal.id);
    move_on(&store, again).await;
    assert_eq!(try_claim(&store, &asking("law", LONG)).await, None);
}

/// Whoever pays for a trip that is over must be told, lest the money is forgotten.
pub async fn whoever_delivers_a_signal_is_told_what_becomes_of_it(store: impl SagaStore) {
    let deliver = async |signal: Signal| store.deliver_signal(signal).await.expect("a delivery");
    let early = paid("early");
    assert_eq!(deliver(early.clone()).await, Delivery::Kept);
    assert_eq!(deliver(early).await, Delivery::Known);
    create(&store, trip("trip-1")).await;
    let mut waits = waiting(&claim(&store).await.record);
    waits.progress.waiting_for = Some(SignalKey::from_static("trip-1/other"));
    move_on(&store, waits).await;
    let other = Signal { key: SignalKey::from_static("trip-1/other"), ..paid("other") };
    assert_eq!(deliver(other).await, Delivery::Woken);
    let mut ends = to(&claim(&store).await.record, SagaState::Compensated, 0, Due::OnRequest);
    ends.progress.waiting_for = None;
    ends.closes = vec![PAID, SignalKey::from_static("trip-1/other")];
    let ended = move_on(&store, ends).await;
    assert_eq!(deliver(paid("late")).await, Delivery::Ended(ended.id));
    let elsewhere = Signal { saga: SagaName::from_static("refund"), ..paid("late") };
    assert_eq!(deliver(elsewhere).await, Delivery::Kept);
}

/// A payment of one trip must not confirm another.
pub async fn a_signal_for_something_else_wakes_nobody(store: impl SagaStore) {
    create(&store, trip("trip-1")).await;
    let waits = waiting(&claim(&store).await.record);
    let waits = move_on(&store, waits).await;
    let mut elsewhere = paid("one");
    elsewhere.saga = SagaName::from_static("refund");
    let mut other = paid("two");
    other.key = SignalKey::from_static("trip-2/paid");
    for signal in [elsewhere, other] {
        store.deliver_signal(signal).await.expect("a delivery");
    }
    assert_eq!(try_claim(&store, &asking("law", LONG)).await, None);
    assert_eq!(saga(&store, &waits.id).await, waits);
}

/// Two sagas must not both believe that they were paid.
pub async fn a_signal_goes_to_one_saga(store: impl SagaStore) {
    for name in ["trip-1", "trip-2"] {
        create(&store, trip(name)).await;
        let waits = waiting(&claim(&store).await.record);
        move_on(&store, waits).await;
    }
    store.deliver_signal(paid("one")).await.expect("a delivery");
    let ask = SagaClaim { limit: 2, ..asking("law", LONG) };
    let claimed = store.claim_sagas(&ask).await.expect("a claim is answered");
    let signals = claimed.into_iter().filter_map(|claimed| claimed.signal);
    assert_eq!(signals.count(), 1);
}

/// One payment may be news to several sagas, each of which knows it by a key of its own.
pub async fn one_event_may_be_a_signal_to_several_sagas(store: impl SagaStore) {
    let first = paid("one");
    let key = SignalKey::from_static("trip-2/paid");
    let other_key = Signal { key: key.clone(), ..first.clone() };
    let refund = SagaName::from_static("refund");
    let other_kind = Signal { saga: refund.clone(), ..first.clone() };
    for signal in [&first, &other_key, &other_kind, &first, &other_key] {
        store.deliver_signal(signal.clone()).await.expect("a delivery");
    }
    let mut kinds = [trip("trip-1"), trip("trip-2"), trip("refund-1")];
    kinds[2].name = refund.clone();
    let expected = [(first, PAID), (other_key, key), (other_kind, PAID)];
    for (new, (signal, key)) in kinds.into_iter().zip(expected) {
        create(&store, new).await;
        let ask =
            SagaClaim { definitions: vec![(TRIP, 1), (refund.clone(), 1)], ..asking("law", LONG) };
        let mut waits = waiting(&try_claim(&store, &ask).await.expect("a saga is due").record);
        waits.progress.waiting_for = Some(key);
        move_on(&store, waits.clone()).await;
        let woken = try_claim(&store, &ask).await.expect("its signal is there");
        assert_eq!(woken.signal.as_ref(), Some(&signal));
        waits.consumes = Some(signal.id);
        waits.lease = woken.record.lease().expect("the saga is held");
        waits.revision = woken.record.revision;
        move_on(&store, waits).await;
        assert_eq!(try_claim(&store, &ask).await, None, "its signal came once");
    }
}

/// A payment that a cancelled trip has not looked at may be for the next.
pub async fn a_signal_whose_taker_gives_up_goes_to_the_next(store: impl SagaStore) {
    for name in ["trip-1", "trip-2"] {
        create(&store, trip(name)).await;
        let waits = waiting(&claim(&store).await.record);
        move_on(&store, waits).await;
    }
    let signal = paid("one");
    store.deliver_signal(signal.clone()).await.expect("a delivery");
    let ask = SagaClaim { limit: 2, ..asking("law", LONG) };
    let mut claimed = store.claim_sagas(&ask).await.expect("a claim is answered");
    claimed.sort_by_key(|claimed| claimed.signal.is_none());
    let [taker, other] = &claimed[..] else { panic!("two sagas are due") };
    assert_eq!((&taker.signal, &other.signal), (&Some(signal.clone()), &None));
    move_on(&store, waiting(&other.record)).await;
    move_on(&store, giving_up(&taker.record)).await;
    let next = claim(&store).await;
    assert_eq!((&next.record.id, &next.signal), (&other.record.id, &Some(signal.clone())));
    let mut uses = giving_up(&next.record);
    uses.consumes = Some(signal.id);
    move_on(&store, uses).await;
    create(&store, trip("trip-3")).await;
    let waits = waiting(&claim(&store).await.record);
    move_on(&store, waits).await;
    assert_eq!(try_claim(&store, &asking("law", LONG)).await, None, "it was used up");
}

/// A saga that begins to wait just when another gives up must not overlook what that one leaves.
pub async fn a_signal_that_is_left_meets_the_wait_of_the_next(store: impl SagaStore) {
    let store = Arc::new(store);
    for n in 0..20 {
        let key = SignalKey::new(format!("key-{n}")).expect("the laws know good keys");
        let signal = Signal { key: key.clone(), ..paid("one") };
        store.deliver_signal(signal.clone()).await.expect("a delivery");
        let waiting_for_it = async |name: &str| {
            create(&*store, trip(&format!("{name}-{n}"))).await;
            let mut waits = waiting(&claim(&*store).await.record);
            waits.progress.waiting_for = Some(key.clone());
            waits
        };
        move_on(&*store, waiting_for_it("first").await).await;
        let taker = claim(&*store).await;
        assert_eq!(taker.signal.as_ref(), Some(&signal));
        let waits = waiting_for_it("second").await;
        let leaving = {
            let (store, gives_up) = (Arc::clone(&store), giving_up(&taker.record));
            tokio::spawn(async move { move_on(&*store, gives_up).await })
        };
        let (_, left) = tokio::join!(move_on(&*store, waits), leaving);
        left.expect("the first gave up");
        assert_eq!(claim_later(&*store).await.signal, Some(signal));
    }
}

/// A signal that arrives at the very moment at which the saga begins to wait must wake it.
pub async fn a_signal_that_meets_the_wait_is_not_missed(store: impl SagaStore) {
    let store = Arc::new(store);
    for n in 0..20 {
        create(&*store, trip(&format!("trip-{n}"))).await;
        let mut waits = waiting(&claim(&*store).await.record);
        let key = SignalKey::new(format!("key-{n}")).expect("the laws know good keys");
        waits.progress.waiting_for = Some(key.clone());
        let signal = Signal { id: EventId::new(), key, ..paid("one") };
        let delivering = {
            let (store, signal) = (Arc::clone(&store), signal.clone());
            tokio::spawn(async move { store.deliver_signal(signal).await })
        };
        let (_, delivered) = tokio::join!(move_on(&*store, waits), delivering);
        delivered.expect("the delivery ended").expect("a delivery");
        let woken = claim_later(&*store).await;
        assert_eq!(woken.signal, Some(signal));
    }
}

/// A worker that sleeps until it is woken must be woken by everything that makes a saga due.
pub async fn whatever_makes_a_saga_due_wakes_the_workers(store: impl SagaStore) {
    let mut wake = store.sagas_due();
    create(&store, trip("trip-1")).await;
    patiently("the wake-up of a creation", wake.grown()).await;
    let waits = waiting(&claim(&store).await.record);
    let waits = move_on(&store, waits).await;
    let mut wake = store.sagas_due();
    store.deliver_signal(paid("one")).await.expect("a delivery");
    patiently("the wake-up of a signal", wake.grown()).await;
    let rests = to(&claim(&store).await.record, SagaState::Paused, 1, Due::OnRequest);
    move_on(&store, rests).await;
    let mut wake = store.sagas_due();
    store.request_saga(&waits.id, SagaRequest::Resume).await.expect("a request");
    patiently("the wake-up of a request", wake.grown()).await;
}
