//! Drops calls of every kind, and looks at what they leave.

use std::future::Future;
use std::time::Duration;

use highwater_core::{
    Due, EventStore, Owner, ProjectionStore, ProjectionTx, SagaClaim, SagaQuery, SagaRequest,
    SagaState, SagaStore, Source,
};

use super::rows::{LONG, advance, documents, key, name, put, to};
use super::saga_support::{TRIP, create, id, paid, saga, to as move_to, trip};
use super::support::{append, event, events, part, source};
use crate::random::Random;

/// How many kinds of calls there are.
const KINDS: u64 = 27;

/// Who makes the calls that are dropped.
pub(super) struct Dropping {
    owner: Owner,
}

impl Dropping {
    /// Makes what the calls are about.
    pub(super) async fn on(store: &(impl ProjectionStore + SagaStore)) -> Self {
        create(store, trip("dropped")).await;
        store.request_rebuild(&key("dropped", "$all")).await.expect("a row is made");
        Self { owner: Owner::new("dropping") }
    }

    /// Makes one call, on the rows that all of them share, and drops it somewhere.
    pub(super) async fn one<S>(&self, store: &S, random: &mut Random)
    where
        S: EventStore + ProjectionStore + SagaStore,
    {
        let (key, projection) = (key("dropped", "$all"), name("dropped"));
        let (source, keys, n) = (source("dropped"), ["x".to_owned()], random.next() >> 1);
        let acquired = store.acquire(&key, &self.owner, LONG).await.expect("a lease is asked for");
        let (lease, checkpoint) = acquired.expect("nobody else asks");
        let place = highwater_core::Offset::to_sql(checkpoint.last_processed_offset);
        let (saga_id, owner) = (id("dropped"), self.owner.clone());
        let d = Drop::somewhere(random);
        match random.below(KINDS) {
            0 => d.give_up(store.append(vec![part("dropped", events(0..3))])).await,
            1 => {
                let batch = vec![part("dropped", vec![event(n)]), part("other", vec![event(n)])];
                d.give_up(store.append(batch)).await;
            }
            2 => {
                let named = |n| (super::support::stream("dropped"), event(n));
                d.give_up(store.import((0..5).map(named).collect())).await;
            }
            3 => d.give_up(store.read(&Source::All, &[], None, 100)).await,
            4 => d.give_up(store.head(&source)).await,
            5 => d.give_up(store.checkpoint(&key)).await,
            6 => d.give_up(store.checkpoints(None)).await,
            7 => d.give_up(store.save(&lease, &advance(place, place + 1))).await,
            8 => d.give_up(store.reset(&key)).await,
            9 => d.give_up(store.begin_rebuild(&lease)).await,
            10 => d.give_up(store.delete(&key)).await,
            11 => d.give_up(store.record_error(&lease, "dropped")).await,
            12 => d.give_up(store.request_rebuild(&key)).await,
            13 => d.give_up(store.acquire(&key, &owner, LONG)).await,
            14 => d.give_up(store.renew(&lease, LONG)).await,
            15 => d.give_up(store.release(&lease)).await,
            16 => d.give_up(store.dead_letters(&key, None, 10)).await,
            17 => d.give_up(store.begin(&lease)).await,
            18 => d.give_up(store.documents(&projection, &keys)).await,
            19 => d.give_up(store.scan(&projection, "", None, 10)).await,
            20 => d.give_up(batch(store, &lease, place)).await,
            21 => d.give_up(store.create_sagas(vec![trip("dropped"), trip(&n.to_string())])).await,
            22 => {
                let (definitions, ttl) = (vec![(TRIP, 1)], Duration::from_millis(1));
                let claim = SagaClaim { owner, ttl, limit: 3, definitions };
                d.give_up(store.claim_sagas(&claim)).await;
            }
            23 => {
                let mut held = saga(store, &saga_id).await;
                held.owner.get_or_insert(owner);
                let moved = move_to(&held, SagaState::Running, 0, Due::Now);
                let renewed = vec![moved.lease.clone()];
                d.give_up(store.record_sagas(vec![moved])).await;
                d.give_up(store.renew_sagas(renewed, Duration::from_millis(1))).await;
            }
            24 => {
                let asks = [SagaRequest::Pause, SagaRequest::Resume];
                let ask = asks[usize::from(n % 2 == 1)];
                d.give_up(store.request_saga(&saga_id, ask)).await;
            }
            25 => d.give_up(store.deliver_signal(paid("dropped"))).await,
            _ => {
                d.give_up(store.saga(&saga_id)).await;
                d.give_up(store.sagas(&SagaQuery { limit: 10, ..SagaQuery::default() })).await;
            }
        }
    }
}

/// A batch of a projection from its begin to its commit.
async fn batch(
    store: &impl ProjectionStore,
    lease: &highwater_core::Lease,
    place: i64,
) -> Result<(), highwater_core::StoreError> {
    let mut tx = store.begin(lease).await?;
    tx.clear().await?;
    let mut writes = put(&["x", "y"], place.unsigned_abs());
    writes.push(("gone".to_owned(), None));
    tx.write(writes).await?;
    tx.commit(to(place, place + 1)).await
}

/// Where a call is dropped.
struct Drop {
    polls: u64,
    pauses: bool,
}

impl Drop {
    fn somewhere(random: &mut Random) -> Self {
        let pauses = random.below(3) == 0;
        let most = if pauses { 5 } else { [2, 10, 100][random.next() as usize % 3] };
        Self { polls: random.below(most), pauses }
    }

    /// Polls the call so often at most, and drops it.
    async fn give_up<T>(&self, call: impl Future<Output = T>) {
        let given_up = async {
            for _ in 0..self.polls {
                if self.pauses {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
        };
        tokio::select! {
            biased;
            () = given_up => {}
            _ = call => {}
        }
    }
}

/// Asserts that what is confirmed `here` is seen `there`, whatever was dropped before, and that no
/// row of the dropped calls is locked.
pub(super) async fn assert_sound<S>(here: &S, there: &S, n: u64)
where
    S: EventStore + ProjectionStore + SagaStore,
{
    let appended = append(here, "dropped", vec![event(n)]).await;
    let head = there.head(&Source::All).await.expect("a head");
    assert!(head.is_some_and(|head| head.get() >= appended.position.get()), "an append, {n}");

    let asked = key(&format!("asked-{n}"), "$all");
    for key in [&asked, &key("dropped", "$all")] {
        here.request_rebuild(key).await.expect("a rebuild is requested");
        let row = there.checkpoint(key).await.expect("a checkpoint is read");
        assert!(row.is_some_and(|row| row.rebuild_requested), "a rebuild of {key}, {n}");
    }

    let owner = Owner::new("sound");
    let acquired = here.acquire(&asked, &owner, LONG).await.expect("a lease is asked for");
    let (lease, _) = acquired.expect("nobody else holds it");
    let mut tx = here.begin(&lease).await.expect("a transaction begins");
    tx.write(put(&["x"], n)).await.expect("a write");
    tx.commit(to(-1, 7)).await.expect("a commit");
    let documents = documents(there, asked.projection.as_str()).await;
    assert_eq!(documents, [format!("x={n}")], "a commit, {n}");
    here.save(&lease, &advance(7, 8)).await.expect("a save");
    there.save(&lease, &advance(8, 9)).await.expect("a save after the other's");

    let new = create(here, trip(&format!("sound-{n}"))).await;
    assert_eq!(saga(there, &new.id).await.id, new.id, "a saga, {n}");
    let signal = paid(&n.to_string());
    here.deliver_signal(signal.clone()).await.expect("a signal is delivered");
    there.deliver_signal(signal).await.expect("a signal is delivered again");
}
