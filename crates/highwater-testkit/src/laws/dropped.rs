//! Drops calls of every kind, and looks at what they leave.

use std::future::Future;
use std::time::Duration;

use highwater_core::{
    Due, EventStore, Lease, Offset, Owner, ProjectionStore, ProjectionTx, SagaClaim, SagaQuery,
    SagaRequest, SagaState, SagaStore, Source, StoreError,
};

use super::rows::{LONG, advance, documents, key, name, put, to};
use super::saga_support::{TRIP, create, id, paid, saga, to as move_to, trip};
use super::support::{append, event, events, part, source, stream};
use crate::random::Random;

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
        match random.below(4) {
            0 => of_the_log(store, random).await,
            1 | 2 => self.of_a_projection(store, random).await,
            _ => self.of_sagas(store, random).await,
        }
    }

    async fn of_a_projection(&self, store: &impl ProjectionStore, random: &mut Random) {
        let (key, projection, keys) = (key("dropped", "$all"), name("dropped"), ["x".to_owned()]);
        let acquired = store.acquire(&key, &self.owner, LONG).await.expect("a lease is asked for");
        let (lease, checkpoint) = acquired.expect("nobody else asks");
        let place = Offset::to_sql(checkpoint.last_processed_offset);
        let d = Drop::somewhere(random);
        match random.below(16) {
            0 => d.give_up(store.checkpoint(&key)).await,
            1 => d.give_up(store.checkpoints(None)).await,
            2 => d.give_up(store.save(&lease, &advance(place, place + 1))).await,
            3 => d.give_up(store.reset(&key)).await,
            4 => d.give_up(store.begin_rebuild(&lease)).await,
            5 => d.give_up(store.delete(&key)).await,
            6 => d.give_up(store.record_error(&lease, "dropped")).await,
            7 => d.give_up(store.request_rebuild(&key)).await,
            8 => d.give_up(store.acquire(&key, &self.owner, LONG)).await,
            9 => d.give_up(store.renew(&lease, LONG)).await,
            10 => d.give_up(store.release(&lease)).await,
            11 => d.give_up(store.dead_letters(&key, None, 10)).await,
            12 => d.give_up(store.begin(&lease)).await,
            13 => d.give_up(store.documents(&projection, &keys)).await,
            14 => d.give_up(store.scan(&projection, "", None, 10)).await,
            _ => d.give_up(batch(store, &lease, place)).await,
        }
    }

    async fn of_sagas(&self, store: &impl SagaStore, random: &mut Random) {
        let (saga_id, owner, n) = (id("dropped"), self.owner.clone(), random.next());
        let d = Drop::somewhere(random);
        match random.below(8) {
            0 => d.give_up(store.create_sagas(vec![trip("dropped"), trip(&n.to_string())])).await,
            1 => {
                let (definitions, ttl) = (vec![(TRIP, 1)], Duration::from_millis(1));
                let claim = SagaClaim { owner, ttl, limit: 3, max_bytes: usize::MAX, definitions };
                d.give_up(store.claim_sagas(&claim)).await;
            }
            2 | 3 => {
                let mut held = saga(store, &saga_id).await;
                held.owner.get_or_insert(owner);
                let moved = move_to(&held, SagaState::Running, 0, Due::Now);
                if n % 2 == 0 {
                    d.give_up(store.renew_sagas(vec![moved.lease], LONG)).await;
                } else {
                    d.give_up(store.record_sagas(vec![moved])).await;
                }
            }
            4 => {
                let ask = if n % 2 == 0 { SagaRequest::Pause } else { SagaRequest::Resume };
                d.give_up(store.request_saga(&saga_id, ask)).await;
            }
            5 => d.give_up(store.deliver_signal(paid("dropped"))).await,
            6 => d.give_up(store.saga(&saga_id)).await,
            _ => d.give_up(store.sagas(&SagaQuery { limit: 10, ..SagaQuery::default() })).await,
        }
    }
}

async fn of_the_log(store: &impl EventStore, random: &mut Random) {
    let n = random.next() >> 1;
    let d = Drop::somewhere(random);
    match random.below(5) {
        0 => d.give_up(store.append(vec![part("dropped", events(0..3))])).await,
        1 => {
            let batch = vec![part("dropped", vec![event(n)]), part("other", vec![event(n)])];
            d.give_up(store.append(batch)).await;
        }
        2 => {
            let named = |n| (stream("dropped"), event(n));
            d.give_up(store.import((0..5).map(named).collect())).await;
        }
        3 => d.give_up(store.read(&Source::All, &[], None, 100)).await,
        _ => d.give_up(store.head(&source("dropped"))).await,
    }
}

/// A batch of a projection from its begin to its commit.
async fn batch(store: &impl ProjectionStore, lease: &Lease, place: i64) -> Result<(), StoreError> {
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
