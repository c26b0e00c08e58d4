//! Two engines on a store that fails at random, stopped at random: nothing lost, nothing twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use highwater_core::CheckpointStore;
use highwater_projection::{CheckpointPolicy, ProjectionOptions, Projections};
use highwater_testkit::{Faulty, MemoryStore};

use crate::support::{
    Act, Faults, Mails, Rigged, Running, SUMS, Sums, SumsInTx, add, checkpoint, row, run, seen,
    settle, storing,
};

const SEEDS: u64 = 200;
const STEPS: usize = 40;

/// Numbers that depend on nothing but the seed.
#[derive(Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)))
    }

    /// A number below `sides`.
    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) % sides
    }

    fn act(&self) -> Act {
        match self.roll(24) {
            0 | 1 => Act::Fail,
            2 | 3 => Act::LoseAnswer,
            4 => Act::Delay(Duration::from_millis(1 + self.roll(3_000))),
            5 => Act::Delay(Duration::from_secs(15)),
            _ => Act::Pass,
        }
    }

    fn options(&self) -> ProjectionOptions {
        let policies = [
            CheckpointPolicy::PerBatch,
            CheckpointPolicy::PerEvent,
            CheckpointPolicy::Every(Duration::from_secs(2)),
        ];
        let batch_size = [1, 3, 10, 500][self.roll(4) as usize];
        ProjectionOptions { batch_size, ..storing(policies[self.roll(3) as usize]) }
    }
}

/// Runs two engines made by `engine`, stops and drops them at random while events are appended to
/// `log`, then lets one of them finish after `heal`. Returns how many events there are.
async fn torment<S: CheckpointStore + Clone>(
    dice: &Dice,
    log: &MemoryStore,
    heal: impl Fn(),
    engine: impl Fn(ProjectionOptions, Faults) -> Projections<S>,
) -> i64 {
    let mut engines: [Option<Running>; 2] = [None, None];
    let mut next = 0;
    for _ in 0..STEPS {
        let slot = &mut engines[dice.roll(2) as usize];
        match (dice.roll(6), slot.take()) {
            (0, Some(running)) => running.stop().await,
            (1, Some(running)) => running.task.abort(),
            (_, None) => {
                let n = dice.roll(60).cast_signed();
                let faults = Faults::default().unavailable(n, 2).fail(n + 1, 1).panic(n + 2, 1);
                *slot = Some(run(&engine(dice.options(), faults)));
            }
            (_, running) => *slot = running,
        }
        let count = dice.roll(6).cast_signed();
        if count > 0 {
            add(log, next..next + count).await;
            next += count;
        }
        tokio::time::advance(Duration::from_millis(dice.roll(4_000))).await;
        settle().await;
    }
    heal();
    for running in engines.into_iter().flatten() {
        running.stop().await;
    }
    let last = engine(ProjectionOptions::default(), Faults::default());
    last.catch_up(&SUMS).await.unwrap();
    next
}

/// A memory store under the dice, and the log beneath it.
fn rigged(dice: &Dice) -> (Rigged, MemoryStore) {
    let log = MemoryStore::new();
    let (store, dice) = (Rigged::new(&log), dice.clone());
    store.rig(move |_| dice.act());
    (store, log)
}

/// Each number once and in order, and a checkpoint at the head that has counted each once.
async fn assert_is_fold(store: &MemoryStore, count: i64, seed: u64) {
    assert_eq!(seen(store).await, (0..count).collect::<Vec<_>>(), "seed {seed}");
    assert_eq!(checkpoint(store).await, (count - 1).try_into().ok(), "seed {seed}");
    let processed = row(store).await.map_or(0, |row| row.events_processed);
    assert_eq!(processed.cast_signed(), count, "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn a_view_equals_the_fold_of_the_log_whatever_the_store_does() {
    for seed in 0..SEEDS {
        let log = MemoryStore::new();
        let store = Faulty::new(log.clone(), seed);
        let engine = |options, faults| {
            let projections = Projections::new(store.clone());
            projections.register_view(Sums { faults }, options).unwrap();
            projections
        };
        let count = torment(&Dice::new(seed), &log, || store.heal(), engine).await;
        assert_is_fold(&log, count, seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_projection_equals_the_fold_of_the_log_whatever_the_store_does() {
    for seed in 0..SEEDS {
        let dice = Dice::new(seed);
        let (store, log) = rigged(&dice);
        let engine = |options, faults| {
            let projections = Projections::new(store.clone());
            projections.register(SumsInTx { faults }, options).unwrap();
            projections
        };
        let count = torment(&dice, &log, || store.rig(|_| Act::Pass), engine).await;
        assert_is_fold(&log, count, seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_effect_happens_at_least_once_and_first_in_order() {
    for seed in 0..SEEDS / 2 {
        let dice = Dice::new(seed);
        let (store, log) = rigged(&dice);
        let mails = Mails::default();
        let engine = |options, faults| {
            let projections = Projections::new(store.clone());
            projections.register_handler(Mails { faults, ..mails.clone() }, options).unwrap();
            projections
        };
        let count = torment(&dice, &log, || store.rig(|_| Act::Pass), engine).await;
        let mut first_times = Vec::new();
        for n in mails.sent() {
            if !first_times.contains(&n) {
                first_times.push(n);
            }
        }
        assert_eq!(first_times, (0..count).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(checkpoint(&log).await, (count - 1).try_into().ok(), "seed {seed}");
    }
}
