//! Which faults occur: decided by a seed, and by nothing else.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use highwater_core::StoreError;

use crate::random::Random;

/// Number of calls of a hundred that each fault hits; what is left goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRates {
    /// The call fails and does nothing. Default 10; raise it to exercise retries.
    pub fail: u32,
    /// The call is carried out and fails all the same. Default 5; raise it to exercise
    /// repetition.
    pub lose_answer: u32,
    /// The call is delayed, and then goes well. Default 10; raise it to reorder tasks.
    pub delay: u32,
    /// The longest delay. Default 50 ms; raise it beyond a lease to have it taken over.
    pub delay_max: Duration,
}

impl Default for FaultRates {
    fn default() -> Self {
        Self { fail: 10, lose_answer: 5, delay: 10, delay_max: Duration::from_millis(50) }
    }
}

/// A fault that a [`Faulty`](crate::faulty::Faulty) store has made on purpose.
#[derive(Debug, thiserror::Error)]
#[error("fault of seed {seed}: {kind}")]
struct Fault {
    seed: u64,
    kind: &'static str,
}

/// Fate of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    GoesWell,
    Fails,
    LosesAnswer,
    IsDelayed(Duration),
}

/// The faults of one store and all of its clones and transactions.
#[derive(Debug, Clone)]
pub(super) struct Faults {
    seed: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: Random,
    rates: FaultRates,
    is_healed: bool,
}

impl Faults {
    pub(super) fn new(seed: u64, rates: FaultRates) -> Self {
        let state = State { random: Random::new(seed), rates, is_healed: false };
        Self { seed, state: Arc::new(Mutex::new(state)) }
    }

    pub(super) const fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn set_healed(&self, is_healed: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_healed = is_healed;
    }

    /// Makes the call, or does to it what its turn says; without a poll it does nothing.
    pub(super) async fn strike<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.next() {
            Fate::GoesWell => call.await,
            Fate::Fails => Err(self.fault("nothing was done")),
            Fate::LosesAnswer => {
                // Whatever the answer was, good or bad, nobody gets to know it.
                drop(call.await);
                Err(self.fault("the answer was lost"))
            }
            Fate::IsDelayed(delay) => {
                tokio::time::sleep(delay).await;
                call.await
            }
        }
    }

    fn next(&self) -> Fate {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    fn fault(&self, kind: &'static str) -> StoreError {
        StoreError::Unavailable(Fault { seed: self.seed, kind }.into())
    }
}

impl State {
    fn next(&mut self) -> Fate {
        if self.is_healed {
            return Fate::GoesWell;
        }
        let FaultRates { fail, lose_answer, delay, delay_max } = self.rates;
        let roll = self.random.below(100);
        let up_to = |rates: &[u32]| roll < rates.iter().map(|rate| u64::from(*rate)).sum();
        if up_to(&[fail]) {
            Fate::Fails
        } else if up_to(&[fail, lose_answer]) {
            Fate::LosesAnswer
        } else if up_to(&[fail, lose_answer, delay]) {
            let micros = u64::try_from(delay_max.as_micros()).unwrap_or(u64::MAX);
            Fate::IsDelayed(Duration::from_micros(
                self.random.below(micros.saturating_add(1).max(1)),
            ))
        } else {
            Fate::GoesWell
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64, rates: FaultRates) -> Vec<Fate> {
        let faults = Faults::new(seed, rates);
        (0..10_000).map(|_| faults.next()).collect()
    }

    #[test]
    fn a_seed_repeats_its_faults_and_another_has_others() {
        let rates = FaultRates::default();
        assert_eq!(fates(7, rates), fates(7, rates));
        assert_ne!(fates(7, rates), fates(8, rates));
    }

    #[test]
    fn faults_occur_as_often_as_their_rates_say() {
        let fates = fates(1, FaultRates::default());
        let percent = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count() / 100;
        assert!((8..=12).contains(&percent(|fate| *fate == Fate::Fails)));
        assert!((3..=7).contains(&percent(|fate| *fate == Fate::LosesAnswer)));
        assert!((8..=12).contains(&percent(|fate| matches!(fate, Fate::IsDelayed(_)))));
    }
}
